/*
 * How many messages of each class the classifier has learned, as it keeps count in the store.
 */
#ifndef GREYLAG_POLICYD_STATS_LEARNED_H
#define GREYLAG_POLICYD_STATS_LEARNED_H

#include "db/store.h"

struct learned;

/* Must live until the store is closed. */
struct learned *learned_new(void);
void learned_free(struct learned *learned);

/* Reads the counts anew, unless that is under way. TIMEOUT is in milliseconds. */
void learned_refresh(struct learned *learned, struct store *store, unsigned timeout);

struct learned_counts {
	uint64_t spam, ham;
};

/* As they were last read; 0 before that, and before the first training. */
struct learned_counts learned_counts(const struct learned *learned);

#endif
