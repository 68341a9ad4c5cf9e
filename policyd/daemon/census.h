/*
 * How many triplets are in which state. The number of records is kept by the store, but records
 * expire and make room by their time alone, without anybody knowing their state: so the states
 * are counted by a walk over all records, some hundred at a time, again and again, and told with
 * the time of the count.
 */
#ifndef GREYLAG_POLICYD_DAEMON_CENSUS_H
#define GREYLAG_POLICYD_DAEMON_CENSUS_H

#include "db/store.h"
#include "policyd/decide/triplet.h"

struct census;

/* Must live until the store is closed. */
struct census *census_new(void);
void census_free(struct census *census);

/* A step of the walk; nothing while one is under way, and for a while after a whole one: ten
 * seconds where that was quick, ten minutes at most. */
void census_step(struct census *census, struct store *store, int64_t now);

struct census_result {
	int64_t at;                      /* when the walk ended; 0: none has */
	uint64_t states[TRIPLET_STATES]; /* triplets; a record may hold several */
};

struct census_result census_result(const struct census *census);

#endif
