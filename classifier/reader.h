/*
 * Bytes of a message -> what the model takes: tokens and features. One reader for each thread.
 */
#ifndef GREYLAG_CLASSIFIER_READER_H
#define GREYLAG_CLASSIFIER_READER_H

#include <stddef.h>
#include <stdint.h>

#include "classifier/message.h"
#include "classifier/ngrams.h"
#include "classifier/tokens.h"
#include "lib/settings.h"

struct reader;

struct reading {
	struct message *message; /* between the two steps */
	struct tokens tokens;
	struct features features; /* after the second */
};

/* SETTINGS must outlive the reader. */
struct reader *reader_new(const struct settings *settings);
void reader_free(struct reader *reader);

/* Never fails: broken mail is read as far as it goes. */
struct reading *reader_read(struct reader *reader, const uint8_t *bytes, size_t length);

/*
 * The same in two steps, between which what the message itself does not tell may be put in by
 * tokens_add(), after a look at the message (its digest, the handover). The second lets the message
 * go.
 */
struct reading *reader_begin(struct reader *reader, const uint8_t *bytes, size_t length);
void reader_finish(struct reader *reader, struct reading *reading);

void reading_free(struct reading *reading);

#endif
