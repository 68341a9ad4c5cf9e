/*
 * A message -> the slots of the logistic voices' tables that are its features.
 *
 *	words    all tokens (classifier/features/tokens.h)
 *	raw      4-grams of the first 3,500 bytes of the canonical form, headers and all, undecoded
 *	text     5-grams of the first 2,000 bytes of message_lead(): decoded, case-folded
 *	header   the 4-grams of the header among those
 *	content  those tokens that are words of the body or the subject
 *
 * The last two see nothing that the first do not, but weigh it by itself: a message that is like
 * known ham in what it says and like known spam in how it came is told by the one voice what the
 * other covers up. Measured on the development corpus (1-ROCA %, in order of time, shuffled, bodies
 * only in order of time): the first three 0.057, 0.0187, 0.109; with header 0.058, 0.0139, 0.109;
 * with both 0.053, 0.0126, 0.101. Of little use besides, or none: raw 5-grams, word pairs, text 3-
 * and 4-grams, the body's raw 4-grams alone.
 *
 * Each slot once, in ascending order. Only slot numbers are kept of a message: nothing from which
 * its text could be read back.
 */
#ifndef GREYLAG_CLASSIFIER_FEATURES_NGRAMS_H
#define GREYLAG_CLASSIFIER_FEATURES_NGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "classifier/mail/canonical.h"
#include "classifier/mail/message.h"
#include "classifier/features/tokens.h"

enum voice_name {
	VOICE_WORDS,
	VOICE_RAW,
	VOICE_TEXT,
	VOICE_HEADER,
	VOICE_CONTENT,
	VOICES,
};

/* What comes later in a message does not go into the n-grams, so text appended to it to look
 * innocent does not count. Measured as in model.c: raw 2,500, 3,500, 5,000: 0.070 0.0208 0.121
 * 0.073, 0.069 0.0221 0.119 0.074, 0.072 0.0243 0.116 0.075 (8,000 is worse on all corpora known).
 * Text 1,500, 2,000, 2,500, 3,000: 0.069 0.0221 0.119 0.074, 0.068 0.0217 0.119 0.072, 0.066 0.0217
 * 0.115 0.072, 0.066 0.0217 0.118 0.071; on corpora of bodies 1,500 was better than 3,000. */
#define NGRAMS_RAW_BYTES  3500
#define NGRAMS_TEXT_BYTES 2000

/* Changes whenever the same message and tokens may give other slots than before. */
#define NGRAMS_VERSION 3

#define NGRAMS_SLOT_BITS 20
#define NGRAMS_SLOTS     (1u << NGRAMS_SLOT_BITS) /* of a voice's table */

struct slots {
	uint32_t *list; /* ascending, each below NGRAMS_SLOTS */
	size_t count;
};

struct features {
	uint8_t digest[CANONICAL_DIGEST_SIZE];
	struct slots voices[VOICES];
	uint32_t *block; /* what the lists are parts of; owned */
	/* What of its tokens is not in the message (classifier/features/dialogue.h); kept with what
	 * is learned. Of the reader; 0 from ngrams_read(). */
	uint16_t dialogue;
};

/*
 * A voice uses the first 2^bits slots of its table: words 20, raw and text 19, header 18,
 * content 17. Fewer mean fewer pages to read of a message and less memory. On the development
 * corpus no one of these ranks worse than with 20; with a sixteenth of them, as sixteen times as
 * many messages would fill them, all together rank a tenth worse.
 */
unsigned ngrams_slot_bits(enum voice_name voice);

/* Memory to work in, for one thread. */
struct ngrams;
struct ngrams *ngrams_new(void);
void ngrams_free(struct ngrams *ngrams);

/* TOKENS are those of MESSAGE. */
void ngrams_read(struct ngrams *ngrams, const struct message *message, const struct tokens *tokens,
    struct features *ret_features);
void features_clear(struct features *features);
/* Gives back what is not used, of those that will be kept a while. */
void features_shrink(struct features *features);

/* The slot of a token in the tables of words and of counts. */
static inline uint32_t
token_slot(uint64_t hash)
{
	return (uint32_t)(hash >> (64 - NGRAMS_SLOT_BITS));
}

/* That of a word of the text in the table of content, from that in the table of words. */
uint32_t content_slot(uint32_t word_slot);

/* Of a voice's slots: whether a message that is to be untrained is read as it was when trained. */
uint32_t slots_checksum(const struct slots *slots);
/* The same of each voice. */
void features_checksums(const struct features *features, uint32_t ret_checksums[VOICES]);

#endif
