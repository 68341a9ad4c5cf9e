/*
 * The parts of a message, by header fields and boundaries. In place, in one pass over the bytes,
 * with its limits kept while it goes: depth and number of parts cost nothing beyond them.
 *
 * Only the structure is found here; what a part's header means is asked back.
 */
#ifndef GREYLAG_CLASSIFIER_MAIL_MIME_H
#define GREYLAG_CLASSIFIER_MAIL_MIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MIME_DEPTH_MAX 100

enum mime_kind {
	MIME_LEAF,
	MIME_MULTIPART,
	MIME_MESSAGE,
};

/* A piece of the bytes that are being read. */
struct mime_span {
	size_t offset, length;
};

struct mime_reader {
	unsigned max_depth; /* at most MIME_DEPTH_MAX */
	unsigned max_parts;
	void *context;
	/*
	 * A part begins: its fields, and the bytes that follow to the message's end. The kind is
	 * returned, for a multipart with its boundary, which must stay as long as the reading, or
	 * NULL if it is not known: then the first line that looks like one is it.
	 */
	enum mime_kind (*begin)(void *context, struct mime_span header, struct mime_span rest,
	    unsigned depth, const char **ret_boundary);
	/* The part that was begun as the INDEXth has ended. Parts within it end before it. */
	void (*end)(void *context, unsigned index, struct mime_span body);
};

struct mime_result {
	bool parts_cut; /* parts beyond the limit were left out */
	bool depth_cut; /* a container beyond the limit was taken as a leaf */
};

/* HEADER_LENGTH and BODY as in struct canonical: the fields of the first part. */
struct mime_result mime_read(const uint8_t *bytes, size_t length, size_t header_length, size_t body,
    const struct mime_reader *reader);

#endif
