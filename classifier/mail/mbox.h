/*
 * A stream of bytes taken apart into messages: the whole of it, or one after the other if it is
 * an mbox. See classifier/mail/corpus.h for the dialects.
 */
#ifndef GREYLAG_CLASSIFIER_MAIL_MBOX_H
#define GREYLAG_CLASSIFIER_MAIL_MBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

struct mbox;

/* Reads from FD, which stays the caller's. */
struct mbox *mbox_new(int fd);
void mbox_free(struct mbox *mbox);

/* Whether the stream begins with a From_ line; known after the first message. */
bool mbox_is_mbox(const struct mbox *mbox);

/* The next message, which is valid until the next call; false at the end (*ERROR not set) and on
 * failure. */
bool mbox_next(struct mbox *mbox, const uint8_t **ret_bytes, size_t *ret_length, GError **error);

#endif
