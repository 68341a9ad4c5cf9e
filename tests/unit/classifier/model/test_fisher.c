/*
 * Robinson's f(w) and Fisher's method. The expected numbers were computed apart from the code:
 * tails of even degrees 2m by exp(-x/2) * sum((x/2)^k / k!, k < m) in decimals of 60 digits, those
 * of 1 and 3 degrees by erfc(), f(w) in fractions.
 */
#include "config.h"

#include <float.h>
#include <math.h>
#include <glib.h>

#include "classifier/model/fisher.h"

static void
assert_near(double a, double b, double relative)
{
	g_assert_cmpfloat(fabs(a - b), <=, relative * fmax(fabs(b), DBL_MIN));
}

static void
test_tails(void)
{
	static const struct {
		double chi2, degrees, ln_tail;
	} rows[] = {
	    {0.001, 2, -0.0005},
	    {2, 2, -1},
	    {3.5, 8, -0.10626131003591001},
	    {100, 10, -37.448385655751672},
	    {40, 60, -0.022059754568555464},
	    {1000, 20, -456.85222780092909},
	    {5000, 300, -1934.1651919082958},
	    {1e6, 2000, -492795.97740918759},
	    {20000, 20000, -0.69581034030382005},
	    {100000, 50000, -7677.3028234070343},
	    {0.5, 1, -0.73501112983708439},
	    {4, 1, -3.0900371531220872},
	    {30, 1, -16.957318158128793},
	    {0.5, 3, -0.084587322851899405},
	    {4, 3, -1.3414581752525643},
	    {30, 3, -13.493385732625001},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		assert_near(
		    fisher_ln_chi2_tail(rows[i].chi2, rows[i].degrees), rows[i].ln_tail, 1e-9);
}

static void
test_tails_of_nothing(void)
{
	g_assert_cmpfloat(fisher_ln_chi2_tail(0, 2), ==, 0);
	g_assert_cmpfloat(fisher_ln_chi2_tail(1e-9, 4), <=, 0);
	g_assert_cmpfloat(fisher_ln_chi2_tail(1e-9, 4), >, -1e-15);
	g_assert_cmpfloat(fisher_ln_chi2_tail(0.5, 100), <=, 0);
	g_assert_cmpfloat(fisher_ln_chi2_tail(0.5, 100), >, -1e-15);
}

/* Where the series ends and the fraction begins too. */
static void
test_tails_fall(void)
{
	static const double degrees[] = {0.02, 1, 2, 7, 300, 20000, 100000};

	for (size_t i = 0; i < G_N_ELEMENTS(degrees); i++) {
		double last = 0;

		for (double part = 0.05; part < 40; part *= 1.05) {
			double tail = fisher_ln_chi2_tail(part * degrees[i], degrees[i]);

			g_assert_true(isfinite(tail));
			g_assert_cmpfloat(tail, <=, last + 1e-12);
			last = tail;
		}
		g_assert_cmpfloat(last, <, -0.01);
	}
}

static void
test_word(void)
{
	static const struct {
		struct fisher_counts totals, counts;
		double own, bogofilter;
	} rows[] = {
	    {{100, 100}, {1, 0}, 0.9854368932038835, 0.99160542346236979},
	    {{100, 100}, {0, 1}, 0.014563106796116505, 0.0090941245824326979},
	    {{10, 1000}, {0, 1}, 0.375, 0.009094124582432698},
	    {{10, 1000}, {3, 3}, 0.98529411764705882, 0.98870850799394139},
	    {{4000000000, 3}, {2000000000, 1}, 0.59881422924901186, 0.59999999999928799},
	    {{50, 50}, {7, 7}, 0.5, 0.50002539628187015},
	    {{50, 50}, {0, 0}, 0.5, 0.52},
	};
	const struct fisher_options own = fisher_options_default();
	const struct fisher_options bogofilter = fisher_options_bogofilter();

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		assert_near(fisher_word(&own, rows[i].totals, rows[i].counts), rows[i].own, 1e-14);
		assert_near(fisher_word(&bogofilter, rows[i].totals, rows[i].counts),
		    rows[i].bogofilter, 1e-14);
	}
}

static void
test_odd_counts(void)
{
	const struct fisher_options options = fisher_options_default();
	static const struct fisher_counts numbers[] = {
	    {0, 0}, {0, 1}, {1, 0}, {5, 3}, {UINT32_MAX, 0}, {UINT32_MAX, UINT32_MAX}};

	for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
		for (size_t k = 0; k < G_N_ELEMENTS(numbers); k++) {
			double word = fisher_word(&options, numbers[i], numbers[k]);

			g_assert_cmpfloat(word, >, 0);
			g_assert_cmpfloat(word, <, 1);
		}
	}
}

static void
test_min_dev(void)
{
	const struct fisher_options options = fisher_options_default();

	g_assert_false(fisher_is_used(&options, 0.5));
	g_assert_false(fisher_is_used(&options, 0.94));
	g_assert_true(fisher_is_used(&options, 0.96));
	g_assert_false(fisher_is_used(&options, 0.06));
	g_assert_true(fisher_is_used(&options, 0.04));
}

static struct fisher_result
combine(const struct fisher_options *options, const double *words, size_t n)
{
	struct fisher_sum sum = {0};
	struct fisher_result result;

	for (size_t i = 0; i < n; i++)
		fisher_add(&sum, words[i]);
	fisher_combine(options, &sum, &result);
	g_assert_cmpuint(result.used, ==, n);
	return result;
}

static struct fisher_result
combine_same(const struct fisher_options *options, double word, size_t n)
{
	g_autofree double *words = g_new(double, n);

	for (size_t i = 0; i < n; i++)
		words[i] = word;
	return combine(options, words, n);
}

static void
test_spamicity(void)
{
	const struct fisher_options options = fisher_options_bogofilter();
	const double words[] = {0.99, 0.98, 0.01};
	struct fisher_result result = combine(&options, words, G_N_ELEMENTS(words));

	assert_near(result.ln_spam_tail, -4.7011230313658388, 1e-12);
	assert_near(result.ln_ham_tail, -1.8394233561558559, 1e-12);
	assert_near(result.evidence, -1.8394233561558559 + 4.7011230313658388, 1e-12);
	assert_near(result.spamicity, 0.574911982527189, 1e-12);
	result = combine_same(&options, 0.9, 9);
	assert_near(result.ln_spam_tail, -6.6297097988296301, 1e-12);
	assert_near(result.spamicity, 0.99933936167990123, 1e-12);
}

/* src/score.c of bogofilter 1.2.5 takes tails below DBL_EPSILON for 0: the spamicity is 1 or 0 to
 * the bit, while the evidence still ranks. */
static void
test_ties(void)
{
	const struct fisher_options options = fisher_options_bogofilter();
	struct fisher_result forty = combine_same(&options, 0.999, 40);
	struct fisher_result more = combine_same(&options, 0.999, 41);
	struct fisher_result ham = combine_same(&options, 0.001, 40);

	assert_near(forty.ln_spam_tail, -163.55105768733699, 1e-12);
	g_assert_cmpfloat(forty.spamicity, ==, 1);
	g_assert_cmpfloat(more.spamicity, ==, 1);
	g_assert_cmpfloat(more.evidence, >, forty.evidence + 1);
	g_assert_cmpfloat(ham.spamicity, ==, 0);
	assert_near(ham.evidence, -forty.evidence, 1e-12);
}

/* With effective size factors below 1: Q / (Q + P), and one half where both are 0. */
static void
test_effective_size(void)
{
	struct fisher_options options = fisher_options_bogofilter();
	const double balanced[] = {0.99, 0.01};
	struct fisher_result result;
	double q, p;

	options.sp_esf = 0.5;
	options.ns_esf = 0.5;
	/* One degree less by half: 2 words are 2 degrees, tails exp(-x / 2). */
	result = combine(&options, balanced, G_N_ELEMENTS(balanced));
	assert_near(result.spamicity, 0.5, 1e-12);
	assert_near(result.ln_spam_tail, (log(0.99) + log(0.01)) / 2, 1e-12);
	result = combine_same(&options, 0.9, 2);
	q = exp(log(0.9));
	p = exp(log(0.1));
	assert_near(result.spamicity, q / (q + p), 1e-12);
}

static void
test_no_words(void)
{
	const struct fisher_options options = fisher_options_bogofilter();
	struct fisher_result result = combine(&options, NULL, 0);

	g_assert_cmpfloat(result.spamicity, ==, 0.52);
	g_assert_cmpfloat(result.evidence, ==, 0);
	g_assert_cmpfloat(fisher_logit(&result), ==, 0);
}

static void
test_many_sure_words(void)
{
	const struct fisher_options options = fisher_options_default();
	struct fisher_result sure = combine_same(&options, 1, 50000);
	struct fisher_result ham = combine_same(&options, 0, 50000);

	g_assert_true(isfinite(sure.evidence));
	g_assert_cmpfloat(sure.evidence, >, 1e6);
	g_assert_cmpfloat(sure.spamicity, ==, 1);
	assert_near(ham.evidence, -sure.evidence, 1e-6);
	assert_near(fisher_logit(&sure), log(1 + sure.evidence), 1e-12);
	assert_near(fisher_logit(&ham), -log(1 + sure.evidence), 1e-6);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/fisher/tails-of-chi-square", test_tails);
	g_test_add_func("/fisher/no-evidence-has-a-tail-of-one", test_tails_of_nothing);
	g_test_add_func("/fisher/tails-fall-without-a-step", test_tails_fall);
	g_test_add_func("/fisher/f-of-w", test_word);
	g_test_add_func("/fisher/no-counts-make-a-word-certain", test_odd_counts);
	g_test_add_func("/fisher/words-near-one-half-do-not-count", test_min_dev);
	g_test_add_func("/fisher/spamicity-is-bogofilters", test_spamicity);
	g_test_add_func("/fisher/spamicity-ties-but-evidence-ranks", test_ties);
	g_test_add_func("/fisher/effective-size-factors", test_effective_size);
	g_test_add_func("/fisher/without-words-robx", test_no_words);
	g_test_add_func("/fisher/any-number-of-words-stays-finite", test_many_sure_words);
	return g_test_run();
}
