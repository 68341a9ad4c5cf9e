/*
 * The memory of trained messages, against the forgetting of online learners: people train one
 * whole folder and then another, and a logistic voice that has just seen a thousand ham is no
 * longer the one that had learned the spam before. With each new message some remembered ones of
 * the other class take a step too; after a bulk run the tables are made anew from the memory.
 *
 * Here are its pure parts: which messages are kept, which are drawn, and how a message's slots are
 * written down.
 */
#ifndef GREYLAG_CLASSIFIER_MODEL_REHEARSAL_H
#define GREYLAG_CLASSIFIER_MODEL_REHEARSAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>
#include "classifier/features/ngrams.h"

/* Messages of the other class that are drawn with one that is learned. */
#define REHEARSAL_DRAWS 3

/* What all remembered messages may take by default, as they are written down. */
#define REHEARSAL_BYTES (64u << 20)

/*
 * Where the search for the DRAWth message begins that is rehearsed with the message DIGEST: the
 * first remembered message of the class whose digest is not below it is drawn, the lowest if there
 * is none. Digests are evenly spread, so all messages have nearly the same chance; the same
 * memory and message give the same draws everywhere.
 */
void rehearsal_point(const uint8_t digest[CANONICAL_DIGEST_SIZE], unsigned draw,
    uint8_t ret_point[CANONICAL_DIGEST_SIZE]);

/*
 * Which messages are remembered: those whose rank, a hash of the digest, is not above the ceiling
 * of their class. It is lowered by a tenth at a time, that of the class that takes more room,
 * whenever the memory is over its limit. So the memory is an even sample of all messages trained,
 * and the smaller class is whole in it as long as it can be; the order of training does not
 * matter, and two memories merge into the one that both together would have given.
 */
bool rehearsal_keeps(const uint8_t digest[CANONICAL_DIGEST_SIZE], unsigned lowerings);

/*
 * A message's slots as bytes: a version, then for each voice the number of slots and the
 * differences between neighbours, less one, seven bits a byte, lowest first, the high bit on all
 * bytes but the last. Words 5, raw 1 3 4, the others none: 01 01 05 03 01 01 00 00 00 00.
 */
void rehearsal_encode(const struct features *features, GByteArray *ret_bytes);

/* False, and *RET_FEATURES untouched, unless BYTES are whole and of this version; its digest is
 * left zero. */
bool rehearsal_decode(const uint8_t *bytes, size_t length, struct features *ret_features);

#endif
