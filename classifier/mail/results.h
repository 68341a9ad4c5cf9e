/*
 * Authentication-Results of trusted servers (RFC 8601): "authserv-id; method=result
 * property.name=value ...; ...". Pure.
 *
 * Own servers put theirs on top, so of several fields the topmost one with a method counts for that
 * method; what stands below in their name was forged.
 */
#ifndef GREYLAG_CLASSIFIER_MAIL_RESULTS_H
#define GREYLAG_CLASSIFIER_MAIL_RESULTS_H

#include <stdbool.h>
#include <stddef.h>

/* What the fields above said; all zero at the first. */
struct results {
	char methods[256]; /* each as ";name" */
};

/* WORD is "method=result" if FIRST, else one of its properties. Valid during the call. */
typedef void (*results_fn)(void *context, const char *word, size_t length, bool first);

/* The words of one field that count: none, unless one of TRUSTED (NULL-terminated, or NULL) wrote
 * it. header.b is left out. */
void results_read(struct results *results, const char *value, size_t length,
    const char *const *trusted, results_fn word, void *context);

/* Whether one of TRUSTED wrote the field. */
bool results_are_trusted(const char *value, size_t length, const char *const *trusted);

#endif
