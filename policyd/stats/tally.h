/*
 * What is counted: since the start, and by hour in the store, where several daemons add up and a
 * restart loses nothing that was flushed.
 */
#ifndef GREYLAG_POLICYD_STATS_TALLY_H
#define GREYLAG_POLICYD_STATS_TALLY_H

#include <stdint.h>

#include "db/store.h"
#include "policyd/stats/histogram.h"
#include "policyd/decide/reason.h"

/* Hours are kept for so many days. */
#define TALLY_DAYS 32

#define TALLY_KEY_SIZE STORE_HOUR_KEY_SIZE

/*
 * The cells of an hour. A range's first number is named here, and how many numbers it may have;
 * what stands in the store keeps its place: append, never renumber. 256 to 383 are the
 * classifier's. Cells that hold no count yet are 0.
 */
enum tally_cell {
	TALLY_REASONS = 0,      /* 64: decisions, by enum reason */
	TALLY_ACTIONS = 64,     /* 8: replies, by enum policy_action */
	TALLY_RETURNED = 72,    /* of the first attempts of this hour, those that came back and
				   passed, whenever that was */
	TALLY_OBSERVED = 73,    /* would have been deferred, but for observe mode */
	TALLY_BY_NAME = 74,     /* passed from another network, known by the pool's name */
	TALLY_MAY_BE_NEW = 75,  /* passed, but perhaps with a new message, which proves no delay */
	TALLY_MALFORMED = 80,   /* requests that could not be read */
	TALLY_TIMED_OUT = 81,   /* connections closed for having been idle */
	TALLY_MADE_ROOM = 82,   /* connections closed for new ones */
	TALLY_EXPIRED = 83,     /* records let go */
	TALLY_DELAYS = 96,      /* 32: passed mail by its delay, buckets of histogram_delay */
	TALLY_LATENCIES = 128,  /* 32: answers by the time they took, of histogram_latency */
	TALLY_DELAY_SUMS = 160, /* 32: of each bucket, histogram_offset() of its values */
	TALLY_LATENCY_SUMS = 192, /* 32 */
	TALLY_MAXIMA = 224,       /* from here on no counts, but the greatest number of the hour */
	TALLY_DELAY_LEAST = 224,  /* INT32_MAX less the steps (histogram_scale) of the least */
	TALLY_DELAY_GREATEST = 225, /* the steps of the greatest, plus one, so that it is not 0 */
	TALLY_LATENCY_LEAST = 226,
	TALLY_LATENCY_GREATEST = 227,
	TALLY_CELLS = 228, /* how many there are so far */
};

/* Where the values of a scale are counted. */
struct tally_values {
	const struct histogram_scale *scale;
	enum tally_cell counts, sums, least, greatest;
};

extern const struct tally_values tally_delays, tally_latencies;

struct tally;

struct tally *tally_new(void);
void tally_free(struct tally *tally);

void tally_count(struct tally *tally, enum reason reason);
void tally_add(struct tally *tally, unsigned cell, uint32_t n);
/* VALUE, in seconds, is one more of what is counted there. */
void tally_value(struct tally *tally, const struct tally_values *values, double value);
/* Counted for an hour (seconds since 1970 / 3600) that may be over. */
void tally_add_at(struct tally *tally, int64_t hour, unsigned cell, uint32_t n);

/* Since the start. CELL may be a reason. */
uint64_t tally_total(const struct tally *tally, unsigned cell);

/* Adds what was counted since the last flush to the record of the hour of NOW. What the store
 * refuses is added again with the next flush. The tally must live until the store is closed. */
void tally_flush(struct tally *tally, struct store *store, int64_t now);

/* Why the last flush was refused; STORE_OK if it was not. */
enum store_result tally_result(const struct tally *tally);

/* All that was handed to a flush was written; what was counted since is not looked at. */
bool tally_is_written(const struct tally *tally);

/* The key of an hour: four bytes, big-endian. */
void tally_key(int64_t hour, uint8_t ret_key[TALLY_KEY_SIZE]);
int64_t tally_key_hour(const struct store_bytes *key);

#endif
