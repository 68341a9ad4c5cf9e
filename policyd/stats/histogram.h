/*
 * Histograms: counts in buckets with fixed upper bounds, and quantiles of them. With each bucket
 * goes the sum of its values, and with all the least and the greatest, so that quantiles of few
 * values are the values themselves: always of up to three, and of more as far as no bucket holds
 * more than one besides the extremes.
 */
#ifndef GREYLAG_POLICYD_STATS_HISTOGRAM_H
#define GREYLAG_POLICYD_STATS_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

/* Room for the counts of either scale. Buckets are cells in the store: the bounds stay. */
#define HISTOGRAM_BUCKETS_MAX 32

/* Bucket I holds values up to bounds[I], included; bucket n_bounds all that is greater. */
struct histogram_scale {
	const double *bounds; /* seconds */
	unsigned n_bounds;
	double step;    /* extremes are whole numbers of steps, in seconds */
	unsigned parts; /* of a bucket's width, in which its sum is kept; 0: it is kept in steps */
};

/* How long mail that came back was delayed, and how long the server took for an answer. */
extern const struct histogram_scale histogram_delay, histogram_latency;

struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS_MAX];
	double sums[HISTOGRAM_BUCKETS_MAX]; /* seconds; of each bucket's values */
	double least, greatest;             /* seconds; of all */
	bool inexact;                       /* the sums and extremes of some are not known */
};

unsigned histogram_bucket(const struct histogram_scale *scale, double value);

/* How far a value lies above its bucket's lower bound, as it is added up in the store. */
uint32_t histogram_offset(const struct histogram_scale *scale, unsigned bucket, double value);

/* The sum in seconds of COUNT values of a bucket, from the sum of their offsets; as if they were
 * spread evenly where so many offsets may have been more than a cell of the store holds. */
double histogram_sum(
    const struct histogram_scale *scale, unsigned bucket, uint64_t count, uint64_t offsets);

uint64_t histogram_count(const struct histogram_scale *scale, const struct histogram *histogram);

/*
 * The smallest value that the share Q (0 to 1) of all does not exceed; NaN without values. Where a
 * bucket's values are not known one by one they are taken to be spread evenly round their mean,
 * within the bucket and the extremes. Of an inexact histogram they are spread over the bucket, and
 * what is greater than all bounds counts as the greatest bound.
 */
double histogram_quantile(
    const struct histogram_scale *scale, const struct histogram *histogram, double q);

#endif
