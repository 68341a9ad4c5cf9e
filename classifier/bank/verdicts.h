/*
 * What the classifier did, by hour, in the store: the numbers of several processes add up. The
 * page, /stats and /metrics of the daemon show them.
 */
#ifndef GREYLAG_CLASSIFIER_BANK_VERDICTS_H
#define GREYLAG_CLASSIFIER_BANK_VERDICTS_H

#include <stdbool.h>
#include <stdint.h>

#include "classifier/model/mixture.h"
#include "db/store.h"

/* Hours are kept for so many days. */
#define VERDICTS_DAYS 32

/* Scores, 0 to 1, are counted in bins of this width; 1 belongs to the last. */
#define VERDICTS_BINS      20
#define VERDICTS_BIN_WIDTH (1.0 / VERDICTS_BINS)

/* The cells of an hour in STORE_VERDICTS. What stands in the store keeps its place: append, never
 * renumber. */
enum verdicts_cell {
	VERDICTS_HAM, /* mail that was judged so on its way, as enum verdict has them */
	VERDICTS_SPAM,
	VERDICTS_UNSURE,
	VERDICTS_LEARNED_HAM, /* messages */
	VERDICTS_LEARNED_SPAM,
	VERDICTS_MOVED,  /* learned as the other class before; counts as learned, too */
	VERDICTS_SCORES, /* 20: mail on its way by its score */
	VERDICTS_SCORE_SUM = VERDICTS_SCORES + VERDICTS_BINS, /* of the scores, in thousandths */
	VERDICTS_FAILED = VERDICTS_SCORE_SUM + 1, /* mail that no verdict could be had for */
	VERDICTS_CELLS,                           /* how many there are so far */
};

/* To be added to an hour. */
struct verdicts {
	int32_t cells[VERDICTS_CELLS];
};

void verdicts_judged(struct verdicts *verdicts, enum verdict verdict, double score);

/* Adds to the hour of NOW and lets hours go whose time is over. Waits so many milliseconds at
 * most, and counts nothing rather than wait for another writer. Whether it was counted. */
bool verdicts_add(
    struct store *store, const struct verdicts *verdicts, int64_t now, unsigned timeout);

#endif
