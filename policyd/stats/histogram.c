#include "config.h"

#include "policyd/stats/histogram.h"

#include <math.h>
#include <glib.h>

/* A greater offset counts as so much: what is above the last bound has no end. */
#define OFFSET_MAX (1u << 20)

static const double delay_bounds[] = {60, 120, 180, 300, 420, 600, 900, 1200, 1800, 2700, 3600,
    5400, 7200, 10800, 14400, 21600, 43200, 86400};
static const double latency_bounds[] = {50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3,
    25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5};

const struct histogram_scale histogram_delay = {delay_bounds, G_N_ELEMENTS(delay_bounds), 1, 0};
/* There may be millions of answers in an hour: in microseconds, a cell would not hold their sum. */
const struct histogram_scale histogram_latency = {
    latency_bounds, G_N_ELEMENTS(latency_bounds), 1e-6, 256};

G_STATIC_ASSERT(G_N_ELEMENTS(delay_bounds) < HISTOGRAM_BUCKETS_MAX);
G_STATIC_ASSERT(G_N_ELEMENTS(latency_bounds) < HISTOGRAM_BUCKETS_MAX);

unsigned
histogram_bucket(const struct histogram_scale *scale, double value)
{
	unsigned i = 0;

	while (i < scale->n_bounds && value > scale->bounds[i])
		i++;
	return i;
}

/* -- sums -- */

static double
lower_bound(const struct histogram_scale *scale, unsigned bucket)
{
	return bucket ? scale->bounds[bucket - 1] : 0;
}

/* The last bucket has no end, and counts as wide as all before it. */
static double
width(const struct histogram_scale *scale, unsigned bucket)
{
	double lower = lower_bound(scale, bucket);

	return bucket < scale->n_bounds ? scale->bounds[bucket] - lower : lower;
}

static double
unit(const struct histogram_scale *scale, unsigned bucket)
{
	return scale->parts ? width(scale, bucket) / scale->parts : scale->step;
}

uint32_t
histogram_offset(const struct histogram_scale *scale, unsigned bucket, double value)
{
	double offset = (value - lower_bound(scale, bucket)) / unit(scale, bucket);

	return (uint32_t)(CLAMP(offset, 0, OFFSET_MAX) + 0.5);
}

double
histogram_sum(
    const struct histogram_scale *scale, unsigned bucket, uint64_t count, uint64_t offsets)
{
	double lower = lower_bound(scale, bucket), each = unit(scale, bucket), n = (double)count;
	double greatest =
	    bucket < scale->n_bounds ? width(scale, bucket) / each : (double)OFFSET_MAX;

	if (n * greatest > INT32_MAX)
		return n * (lower + width(scale, bucket) / 2);
	return n * lower + (double)offsets * each;
}

/* -- quantiles -- */

uint64_t
histogram_count(const struct histogram_scale *scale, const struct histogram *h)
{
	uint64_t all = 0;

	for (unsigned i = 0; i <= scale->n_bounds; i++)
		all += h->counts[i];
	return all;
}

/* The RANK-th of N values (from 1 on) that lie evenly round MEAN between LOWER and UPPER. */
static double
spread(double lower, double upper, double mean, uint64_t rank, uint64_t n)
{
	double half = MIN(mean - lower, upper - mean) * (double)(n - 1) / (double)(n + 1);

	return n == 1 ? mean : mean + half * (2 * (double)(rank - 1) / (double)(n - 1) - 1);
}

/* The RANK-th of a bucket's values, from 1 on. The extremes are known, so that it is the others
 * that are spread. */
static double
value_at(
    const struct histogram_scale *scale, const struct histogram *h, unsigned bucket, uint64_t rank)
{
	bool first = histogram_bucket(scale, h->least) == bucket;
	bool last = histogram_bucket(scale, h->greatest) == bucket;
	uint64_t n = h->counts[bucket], others = n - first - last;
	double sum = h->sums[bucket] - (first ? h->least : 0) - (last ? h->greatest : 0);
	double lower = MAX(lower_bound(scale, bucket), h->least), upper = h->greatest;

	if (first && rank == 1)
		return h->least;
	if (last && rank == n)
		return h->greatest;
	if (bucket < scale->n_bounds)
		upper = MIN(upper, scale->bounds[bucket]);
	return spread(
	    lower, upper, CLAMP(sum / (double)others, lower, upper), rank - first, others);
}

static double
inexact_value_at(
    const struct histogram_scale *scale, const struct histogram *h, unsigned bucket, uint64_t rank)
{
	double lower = lower_bound(scale, bucket);

	if (bucket == scale->n_bounds)
		return lower;
	return lower + width(scale, bucket) * (double)rank / (double)h->counts[bucket];
}

double
histogram_quantile(const struct histogram_scale *scale, const struct histogram *h, double q)
{
	uint64_t n = histogram_count(scale, h);
	uint64_t rank = MAX((uint64_t)ceil(q * (double)n), 1);
	unsigned bucket = 0;

	if (n == 0)
		return NAN;
	for (; rank > h->counts[bucket]; bucket++)
		rank -= h->counts[bucket];
	return (h->inexact ? inexact_value_at : value_at)(scale, h, bucket, rank);
}
