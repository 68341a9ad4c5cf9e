/*
 * The most frequent of many keys in bounded memory: Space-Saving (Metwally, Agrawal, El Abbadi:
 * Efficient Computation of Frequent and Top-k Elements in Data Streams, ICDT 2005). A key that
 * has more than 1/SKETCH_SIZE of all is certainly in the table; each count is too high by its
 * error at most.
 */
#ifndef GREYLAG_POLICYD_STATS_SKETCH_H
#define GREYLAG_POLICYD_STATS_SKETCH_H

#include <stddef.h>
#include <stdint.h>
#include <glib.h>

#define SKETCH_SIZE    256 /* keys in the table */
#define SKETCH_KEY_MAX 255 /* bytes; of a longer key only the beginning counts */

struct sketch;

struct sketch *sketch_new(void);
void sketch_free(struct sketch *sketch);
void sketch_add(struct sketch *sketch, const char *key);

struct sketch_item {
	char key[SKETCH_KEY_MAX + 1];
	uint64_t count; /* too high by ERROR at most */
	uint64_t error;
};

/* The most frequent keys of A and B (which may be NULL) together, at most LIMIT, the greatest
 * count first, then by key. An array of struct sketch_item. */
GArray *sketch_top(const struct sketch *a, const struct sketch *b, size_t limit);

#endif
