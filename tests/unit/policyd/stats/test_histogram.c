/* Quantiles: of few values they are the values, of many they are near, of counts alone they are
 * interpolated. */
#include "config.h"

#include <math.h>
#include <glib.h>

#include "db/open/open.h"
#include "policyd/stats/stats.h"
#include "policyd/stats/summary.h"

#define NOW  ((int64_t)1795000000)
#define HOUR (NOW / 3600)

static void
histogram_bounds_are_included(void)
{
	g_assert_cmpuint(histogram_bucket(&histogram_delay, 0), ==, 0);
	g_assert_cmpuint(histogram_bucket(&histogram_delay, 60), ==, 0);
	g_assert_cmpuint(histogram_bucket(&histogram_delay, 60.1), ==, 1);
	g_assert_cmpuint(histogram_bucket(&histogram_delay, 1e9), ==, histogram_delay.n_bounds);
}

/* Of counts alone: values lie evenly in their bucket. */
static void
histogram_of_counts(void)
{
	struct histogram h = {.inexact = true};

	g_assert_true(isnan(histogram_quantile(&histogram_delay, &h, 0.5)));
	h.counts[1] = 10; /* 60 to 120 */
	h.counts[2] = 10; /* 120 to 180 */
	g_assert_cmpfloat_with_epsilon(histogram_quantile(&histogram_delay, &h, 0.5), 120, 1e-9);
	g_assert_cmpfloat_with_epsilon(histogram_quantile(&histogram_delay, &h, 0.25), 90, 1e-9);
	g_assert_cmpfloat_with_epsilon(histogram_quantile(&histogram_delay, &h, 0.75), 150, 1e-9);
	h.counts[histogram_delay.n_bounds] = 1000;
	g_assert_cmpfloat_with_epsilon(histogram_quantile(&histogram_delay, &h, 0.99), 86400, 1e-9);
}

/* The summary of an hour in which one daemon counted N values, by way of the store. */
static struct summary
summary_of_values(const struct tally_values *values, const double *seconds, size_t n)
{
	struct store_options options = {.uri = "mem:", .create = true};
	struct store *store = store_open(&options, NULL);
	struct tally *tally = tally_new();
	struct series *series = series_new(STORE_HOURS, TALLY_CELLS);
	struct summary summary;

	for (size_t i = 0; i < n; i++) {
		tally_value(tally, values, seconds[i]);
		/* Several flushes in an hour, and others in the next. */
		tally_flush(tally, store, NOW + (i % 2 ? 3600 : 0));
		store_wait(store);
	}
	series_refresh(series, store, NOW + 3600, 2, 100);
	summary = summary_of(series, HOUR - 1, 3);
	store_close(&store);
	series_free(series);
	tally_free(tally);
	return summary;
}

static void
quantiles_of_few_values_are_the_values(void)
{
	static const struct {
		const char *case_;
		double seconds[6];
		size_t n;
		double median, p95;
	} cases[] = {
	    {"none", {0}, 0, NAN, NAN},
	    {"one mail that waited 14 s", {14}, 1, 14, 14},
	    {"one at a bound", {60}, 1, 60, 60},
	    {"one that did not wait", {0}, 1, 0, 0},
	    {"one that is longer than all bounds", {100000}, 1, 100000, 100000},
	    {"two in a bucket", {14, 50}, 2, 14, 50},
	    {"two that are equal", {61, 61}, 2, 61, 61},
	    {"three in a bucket", {14, 50, 21}, 3, 21, 50},
	    {"three in two", {70, 14, 50}, 3, 50, 70},
	    {"six, one or two in a bucket", {70, 14, 400, 130, 4000, 50}, 6, 70, 4000},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct summary s = summary_of_values(&tally_delays, cases[i].seconds, cases[i].n);
		double median = histogram_quantile(&histogram_delay, &s.delays, 0.5);
		double p95 = histogram_quantile(&histogram_delay, &s.delays, 0.95);

		g_test_message("%s", cases[i].case_);
		g_assert_cmpint(isnan(median), ==, isnan(cases[i].median));
		if (isnan(median))
			continue;
		g_assert_cmpfloat_with_epsilon(median, cases[i].median, 1e-9);
		g_assert_cmpfloat_with_epsilon(p95, cases[i].p95, 1e-9);
	}
}

/* A delay is counted if a retry proves it. */
static void
unproven_delays_are_counted_apart(void)
{
	struct stats *stats = stats_new(NOW);
	struct rules rules = {.privacy = false};
	struct policy_request request = {.value = {0}};
	struct policy_decision decision = {
	    .reason = REASON_PASSED, .action = POLICY_PREPEND, .delayed = 300};
	uint64_t delays = 0;

	stats_decided(stats, &rules, &request, &decision, NOW, 1e-4);
	decision.delayed = 67272;
	decision.may_be_new = true;
	stats_decided(stats, &rules, &request, &decision, NOW, 1e-4);
	for (unsigned i = 0; i <= histogram_delay.n_bounds; i++)
		delays += tally_total(stats_tally(stats), TALLY_DELAYS + i);
	g_assert_cmpuint(delays, ==, 1);
	g_assert_cmpuint(tally_total(stats_tally(stats), TALLY_MAY_BE_NEW), ==, 1);
	g_assert_cmpuint(tally_total(stats_tally(stats), TALLY_RETURNED), ==, 2);
	g_assert_cmpfloat(stats_delay_sum(stats), ==, 300);
	stats_free(stats);
}

/* Of many values: within the extremes, in order, and near the true ones. */
static void
quantiles_of_many_values_are_near(void)
{
	double seconds[500];
	struct summary s;
	double before = 0;

	for (int i = 0; i < 500; i++)
		seconds[i] = 61 + (i * 37) % 500; /* each of 61 to 560 once */
	s = summary_of_values(&tally_delays, seconds, 500);
	for (int i = 0; i <= 100; i++) {
		double value = histogram_quantile(&histogram_delay, &s.delays, i / 100.0);

		g_assert_cmpfloat(value, >=, before);
		g_assert_cmpfloat_with_epsilon(value, 60 + MAX(5 * i, 1), 3);
		before = value;
	}
	g_assert_cmpfloat(histogram_quantile(&histogram_delay, &s.delays, 0), ==, 61);
	g_assert_cmpfloat(before, ==, 560);
}

static void
quantiles_of_few_answers_are_the_answers(void)
{
	static const double seconds[] = {120e-6, 4e-3, 180e-6};
	struct summary s = summary_of_values(&tally_latencies, seconds, 3);

	g_assert_cmpfloat_with_epsilon(
	    histogram_quantile(&histogram_latency, &s.latencies, 0.5), 180e-6, 2e-6);
	g_assert_cmpfloat_with_epsilon(
	    histogram_quantile(&histogram_latency, &s.latencies, 0.99), 4e-3, 2e-6);
}

/* More offsets than a cell holds tell nothing: the values count as spread evenly. */
static void
histogram_sums_do_not_overflow(void)
{
	double sum = histogram_sum(&histogram_delay, 17, 100000, INT32_MAX);

	g_assert_cmpfloat_with_epsilon(sum / 100000, (43200 + 86400) / 2.0, 1e-6);
	g_assert_cmpfloat_with_epsilon(
	    histogram_sum(&histogram_delay, 17, 2, 100), 2 * 43200 + 100, 1e-6);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/histogram/bucket-bounds-are-included", histogram_bounds_are_included);
	g_test_add_func("/histogram/quantiles-of-counts", histogram_of_counts);
	g_test_add_func("/histogram/quantiles-of-few", quantiles_of_few_values_are_the_values);
	g_test_add_func("/histogram/unproven-delays", unproven_delays_are_counted_apart);
	g_test_add_func("/histogram/quantiles-of-many", quantiles_of_many_values_are_near);
	g_test_add_func(
	    "/histogram/quantiles-of-few-answers", quantiles_of_few_answers_are_the_answers);
	g_test_add_func("/histogram/sums-do-not-overflow", histogram_sums_do_not_overflow);
	return g_test_run();
}
