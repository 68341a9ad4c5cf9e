#include "policyd/histogram.h"

#include <math.h>
#include <glib.h>

static const double delay_bounds[] = {60, 120, 180, 300, 420, 600, 900, 1200, 1800, 2700, 3600,
    5400, 7200, 10800, 14400, 21600, 43200, 86400};
static const double latency_bounds[] = {50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3,
    25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5};

const struct histogram_scale histogram_delay = {delay_bounds, G_N_ELEMENTS(delay_bounds)};
const struct histogram_scale histogram_latency = {latency_bounds, G_N_ELEMENTS(latency_bounds)};

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

uint64_t
histogram_count(const struct histogram_scale *scale, const uint64_t *counts)
{
	uint64_t all = 0;

	for (unsigned i = 0; i <= scale->n_bounds; i++)
		all += counts[i];
	return all;
}

double
histogram_quantile(const struct histogram_scale *scale, const uint64_t *counts, double q)
{
	double rank = q * (double)histogram_count(scale, counts);
	double below = 0, lower = 0;

	if (histogram_count(scale, counts) == 0)
		return NAN;
	for (unsigned i = 0; i < scale->n_bounds; i++) {
		double here = (double)counts[i];

		if (here > 0 && below + here >= rank)
			return lower + (scale->bounds[i] - lower) * (rank - below) / here;
		below += here;
		lower = scale->bounds[i];
	}
	return lower;
}
