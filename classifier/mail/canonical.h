/*
 * A message as the same bytes wherever it is met: in a milter, a Maildir, an mbox of any dialect.
 *
 * Line ends become LF. Out go: the mbox From_ line, the ">" before "From " at the start of a
 * body line, the marks of mail readers (Status, X-UID ...), what the own delivery and other
 * filters have written (Return-Path, Delivered-To, X-Greylag, X-Spam-* ...; the table is in
 * canonical.c), and the topmost Received fields that were written by one's own hosts, down to the
 * one that says that the message came from outside: below it nothing is believed.
 *
 * The digest names a message for the registry of what was trained. It covers what does not
 * change in transit: From, To, Cc, Subject, Date and Message-ID with white space runs as one
 * space, and the body without the empty lines at its end.
 */
#ifndef GREYLAG_CLASSIFIER_MAIL_CANONICAL_H
#define GREYLAG_CLASSIFIER_MAIL_CANONICAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

#define CANONICAL_DIGEST_SIZE 16

struct canonical {
	uint8_t *bytes; /* owned; followed by a NUL that LENGTH does not count */
	size_t length;
	size_t header_length; /* the fields; 0 if the message has none */
	size_t body;          /* where the body begins, after the empty line */
	bool cut;             /* the message was longer than MAX_LENGTH */
	/* Of the Received fields that were taken out the lowest, without its name: how the
	 * message came to one's own hosts; NULL if there was none. Owned. */
	char *handover;
	uint8_t digest[CANONICAL_DIGEST_SIZE];
};

/*
 * Reads LENGTH bytes of one message (without a following one of the same mbox). OWN_HOSTS is
 * NULL-terminated, or NULL: names of one's own mail hosts or of the domains that they lie in.
 * Bytes beyond MAX_LENGTH of the canonical form are dropped, from the digest too. Never fails;
 * canonical_clear() releases what it made.
 */
void canonical_read(const uint8_t *bytes, size_t length, const char *const *own_hosts,
    size_t max_length, struct canonical *ret_canonical);
void canonical_clear(struct canonical *canonical);

#endif
