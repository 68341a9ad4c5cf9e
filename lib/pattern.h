/*
 * Regular expressions (PCRE2, compiled to machine code where the platform allows) with bounds on
 * time and memory, so that no pattern and no subject can hang a server.
 *
 * A pattern is read-only after pattern_new() and may be used by several threads at once.
 */
#ifndef GREYLAG_LIB_PATTERN_H
#define GREYLAG_LIB_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <glib.h>

struct pattern;

enum pattern_result {
	PATTERN_NO_MATCH,
	PATTERN_MATCH,
	PATTERN_LIMIT, /* gave up at the match limit: treat as no match, and say so */
};

/* Compiles EXPRESSION, caseless. On failure returns NULL and an error with PCRE2's message and
 * the offset in the expression. */
struct pattern *pattern_new(const char *expression, GError **error);
void pattern_free(struct pattern *pattern);
const char *pattern_text(const struct pattern *pattern);

/* Searches SUBJECT, any bytes, for the pattern. */
enum pattern_result pattern_match(
    const struct pattern *pattern, const char *subject, size_t length);

#endif
