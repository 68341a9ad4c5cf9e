/*
 * What the daemon knows of its own work, for the page and the metrics: the tally, sums that
 * histograms need, who is deferred most, and the last error. Everything is of fixed size.
 */
#ifndef GREYLAG_POLICYD_STATS_STATS_H
#define GREYLAG_POLICYD_STATS_STATS_H

#include "policyd/decide/decision.h"
#include "policyd/stats/sketch.h"
#include "policyd/stats/tally.h"

struct stats;

struct stats *stats_new(int64_t now);
/* The tally must live until the store is closed, and so must this. */
void stats_free(struct stats *stats);

struct tally *stats_tally(const struct stats *stats);
int64_t stats_started(const struct stats *stats);

/* A request was answered at NOW, after SECONDS. */
void stats_decided(struct stats *stats, const struct rules *rules,
    const struct policy_request *request, const struct policy_decision *decision, int64_t now,
    double seconds);

/* Sums of what the histograms count, since the start, in seconds. */
double stats_delay_sum(const struct stats *stats);
double stats_latency_sum(const struct stats *stats);

/* Something went wrong that the postmaster should know of. */
void stats_failed(struct stats *stats, int64_t now, const char *what);

struct stats_error {
	int64_t at; /* 0: there was none */
	char what[256];
};

struct stats_error stats_last_error(const struct stats *stats);

/* Mail is let in undecided: since when and why, from the first request that failed until
 * stats_settle() is called. */
struct stats_trouble {
	int64_t first, last; /* 0: there is none */
	const char *what;
};

struct stats_trouble stats_trouble(const struct stats *stats);
void stats_settle(struct stats *stats);

/* Of what the most frequent are kept. */
enum stats_top { STATS_NETWORKS, STATS_DOMAINS, STATS_TOPS };

/*
 * Who was deferred most often in the last 12 to 24 hours (*RET_SINCE is since when): networks of
 * clients, or domains of senders. An array of struct sketch_item, to be unref'd. The keys come
 * from mail: they may hold anything. Empty where addresses are not to be kept (greylist.privacy).
 */
GArray *stats_most_deferred(
    struct stats *stats, enum stats_top top, int64_t now, size_t limit, int64_t *ret_since);

#endif
