/*
 * Sums of the hourly counters, as the page and /stats show them.
 */
#ifndef GREYLAG_POLICYD_STATS_SUMMARY_H
#define GREYLAG_POLICYD_STATS_SUMMARY_H

#include "classifier/bank/verdicts.h"
#include "policyd/stats/histogram.h"
#include "policyd/stats/series.h"

struct summary {
	int64_t first, hours; /* hours since 1970, and how many */
	uint64_t by_reason[REASONS];
	uint64_t deferred;   /* asked to come again; without what observe mode let in */
	uint64_t passed;     /* let in after a delay */
	uint64_t spared;     /* let in without one, with what observe mode let in */
	uint64_t failed;     /* let in because the store did not answer */
	uint64_t observed;   /* would have been deferred, but for observe mode */
	uint64_t early;      /* retries that came too early */
	uint64_t firsts;     /* first attempts that were deferred */
	uint64_t returned;   /* those of them that came back and passed, whenever that was */
	uint64_t may_be_new; /* of the passed, those in no delay: see greylist.h */
	struct histogram delays, latencies;
};

/* Of N hours from FIRST on, without delays and latencies, which are dear to sum up. */
struct summary summary_counts(const struct series *series, int64_t first, int64_t n);

/* With them. */
struct summary summary_of(const struct series *series, int64_t first, int64_t n);

/* What the classifier did. */
struct judged {
	int64_t first, hours;
	uint64_t cells[VERDICTS_CELLS]; /* by enum verdicts_cell */
};

/* SERIES is that of STORE_VERDICTS. */
struct judged summary_judged(const struct series *series, int64_t first, int64_t n);

/* Mail on its way, and messages learned. */
uint64_t summary_verdicts(const struct judged *judged);
uint64_t summary_learned(const struct judged *judged);

uint64_t summary_all(const struct summary *summary);

/* The share of first attempts that never came back; NaN if there was none. Tells something only
 * if the retry window of all of them is over. */
double summary_gone(const struct summary *summary);

#endif
