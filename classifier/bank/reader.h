/*
 * Bytes of a message -> what the model takes: tokens and features. One reader for each thread.
 */
#ifndef GREYLAG_CLASSIFIER_BANK_READER_H
#define GREYLAG_CLASSIFIER_BANK_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifier/mail/message.h"
#include "classifier/model/model.h"
#include "classifier/features/ngrams.h"
#include "classifier/features/tokens.h"
#include "db/history/deliveries.h"
#include "lib/settings.h"

struct reader;

struct reading {
	struct message *message; /* when it was read in two steps */
	struct tokens tokens;
	struct features features; /* after the second */
	uint16_t dialogue;        /* what the bank remembers, see classifier/features/dialogue.h */
	bool delivered;           /* the bank remembers its delivery */
	struct delivery_seen {
		enum delivery_verdict judged;
		unsigned score; /* in thousandths */
		int64_t time;   /* seconds since 1970 */
	} delivery;
};

struct bank;

/* SETTINGS must outlive the reader. */
struct reader *reader_new(const struct settings *settings);
void reader_free(struct reader *reader);

/* From now on what the bank's store remembers of a message's delivery adds to its tokens. BANK must
 * outlive the reader. */
void reader_set_bank(struct reader *reader, struct bank *bank);

/* From now on words are read as bogofilter makes them, if an imported list of its words is all
 * that MODEL has to judge by, else as always. What is read to be learned is read as always. */
void reader_follow(struct reader *reader, const struct model *model);

/* Never fails: broken mail is read as far as it goes. */
struct reading *reader_read(struct reader *reader, const uint8_t *bytes, size_t length);

/*
 * The same in two steps, between which what the message itself does not tell may be put in by
 * tokens_add(), after a look at the message (its digest, the handover). The message stays until
 * reading_free(). reader_read() puts in what the bank remembers.
 */
struct reading *reader_begin(struct reader *reader, const uint8_t *bytes, size_t length);
/* Between the two: what the bank remembers, if there is one. */
void reader_recall(struct reader *reader, struct reading *reading);
void reader_finish(struct reader *reader, struct reading *reading);

/* Of WHOLE, which has its message, what the sender wrote: without the Received fields of one's own
 * hosts, trusted Authentication-Results, and what is remembered of the delivery. */
struct reading *reader_read_sent(struct reader *reader, const struct reading *whole);

/* Gives back what is not needed to judge and learn it, if it will be kept a while. Returns about
 * how many bytes it takes then. */
size_t reading_shrink(struct reading *reading);
void reading_free(struct reading *reading);

#endif
