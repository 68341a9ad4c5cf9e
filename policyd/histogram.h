/*
 * Histograms: counts in buckets with fixed upper bounds, and quantiles of them.
 */
#ifndef GREYLAG_POLICYD_HISTOGRAM_H
#define GREYLAG_POLICYD_HISTOGRAM_H

#include <stdint.h>

/* Room for the counts of either scale. Buckets are cells in the store: the bounds stay. */
#define HISTOGRAM_BUCKETS_MAX 32

/* Bucket I holds values up to bounds[I], included; bucket n_bounds all that is greater. */
struct histogram_scale {
	const double *bounds; /* seconds */
	unsigned n_bounds;
};

/* How long mail that came back was delayed, and how long the server took for an answer. */
extern const struct histogram_scale histogram_delay, histogram_latency;

unsigned histogram_bucket(const struct histogram_scale *scale, double value);

uint64_t histogram_count(const struct histogram_scale *scale, const uint64_t *counts);

/* The value below which the share Q (0 to 1) of all lies, linear inside its bucket; the greatest
 * bound if it lies above that; NaN without values. */
double histogram_quantile(const struct histogram_scale *scale, const uint64_t *counts, double q);

#endif
