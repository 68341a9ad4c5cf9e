/*
 * The hourly counters of all processes on a store, as they were a few seconds ago: read in bulk,
 * kept, and read again when they are asked for and have grown old. Reading costs some fifty
 * look-ups, whatever the number of records in the store.
 */
#ifndef GREYLAG_POLICYD_STATS_SERIES_H
#define GREYLAG_POLICYD_STATS_SERIES_H

#include <stdbool.h>
#include <stdint.h>

#include "db/store.h"
#include "policyd/stats/tally.h"

#define SERIES_HOURS (31 * 24)

struct series;

/* Of the first N_CELLS cells of the hours in SPACE. Must live until the store is closed. */
struct series *series_new(enum store_space space, unsigned n_cells);
void series_free(struct series *series);

/* Reads what may have changed, if the last reading is over and older than MAX_AGE seconds.
 * TIMEOUT is in milliseconds. STORE may be NULL. */
void series_refresh(
    struct series *series, struct store *store, int64_t now, int64_t max_age, unsigned timeout);

/* How the last reading that is over ended; STORE_UNAVAILABLE before the first. */
enum store_result series_result(const struct series *series);

/* The present hour of the last reading: hours run up to it. */
int64_t series_last_hour(const struct series *series);

/* The count of a cell in N hours from FIRST on; hours that are not kept count nothing. */
uint64_t series_sum(const struct series *series, int64_t first, int64_t n, unsigned cell);

/* By how much a cell of all hours has grown since the first reading: never less than before. */
uint64_t series_grown(const struct series *series, unsigned cell);

/* For tests, and for counters that come from elsewhere: an hour's value as it stands in the
 * store. */
void series_set(struct series *series, int64_t hour, const struct store_bytes *value);

#endif
