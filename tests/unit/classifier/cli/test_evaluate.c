#include "config.h"

#include <glib.h>

#include "classifier/cli/evaluate.h"

static GPtrArray *
make_samples(const double *evidence, const bool *spam, size_t n)
{
	GPtrArray *samples = g_ptr_array_new_with_free_func(sample_free);

	for (size_t i = 0; i < n; i++) {
		struct sample *s = g_new0(struct sample, 1);

		s->spam = spam[i];
		s->score.evidence = evidence[i];
		s->score.probability = mixture_probability(evidence[i]);
		s->score.verdict = evidence[i] > 3    ? VERDICT_SPAM
				   : evidence[i] < -1 ? VERDICT_HAM
						      : VERDICT_UNSURE;
		g_ptr_array_add(samples, s);
	}
	return samples;
}

/* The definition: over all pairs, a ham above a spam counts one, a tie one half. */
static double
naive_roca(const double *evidence, const bool *spam, size_t n)
{
	double wrong = 0, pairs = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			if (spam[i] && !spam[j]) {
				pairs++;
				wrong += evidence[j] > evidence[i]    ? 1
					 : evidence[j] == evidence[i] ? 0.5
								      : 0;
			}
	return pairs > 0 ? wrong / pairs : 0;
}

static void
test_roca(void)
{
	GRand *random = g_rand_new_with_seed(2);
	double evidence[80];
	bool spam[80];

	for (int round = 0; round < 200; round++) {
		size_t n = (size_t)g_rand_int_range(random, 1, 80);

		for (size_t i = 0; i < n; i++) {
			spam[i] = g_rand_boolean(random);
			evidence[i] = g_rand_int_range(random, -6, 6) + (spam[i] ? 2 : 0);
		}
		g_autoptr(GPtrArray) samples = make_samples(evidence, spam, n);

		g_assert_cmpfloat_with_epsilon(
		    accuracy_of(samples, 0, n).roca, naive_roca(evidence, spam, n), 1e-12);
	}
	g_rand_free(random);
}

static void
test_figures(void)
{
	const double evidence[] = {-5, -4, 0, 4, 5, 6, -2, 1};
	const bool spam[] = {false, false, false, false, true, true, true, true};
	g_autoptr(GPtrArray) samples = make_samples(evidence, spam, G_N_ELEMENTS(spam));
	struct accuracy a = accuracy_of(samples, 0, samples->len);

	g_assert_cmpuint(a.spam, ==, 4);
	g_assert_cmpuint(a.ham, ==, 4);
	g_assert_cmpfloat(a.ham_lost, ==, 0.25);
	g_assert_cmpfloat(a.spam_caught, ==, 0.5);
	g_assert_cmpfloat(a.unsure, ==, 0.25);
	/* No ham may be lost of four at 0.1 %: what ranks above 4 is caught. */
	g_assert_cmpfloat(a.missed, ==, 0.5);
}

static void
test_cutoffs(void)
{
	const double evidence[] = {-5, -4, 0, 4, 5, 6, -2, 1};
	const bool spam[] = {false, false, false, false, true, true, true, true};
	g_autoptr(GPtrArray) samples = make_samples(evidence, spam, G_N_ELEMENTS(spam));
	double none = accuracy_cutoff(samples, 0, true, 0);
	double quarter = accuracy_cutoff(samples, 0, true, 0.25);

	g_assert_cmpfloat(none, >, mixture_probability(4));
	g_assert_cmpfloat(none, <=, mixture_probability(5));
	g_assert_cmpfloat(quarter, >, mixture_probability(0));
	g_assert_cmpfloat(quarter, <=, mixture_probability(4));
	g_assert_cmpfloat(accuracy_cutoff(samples, 0, false, 0), <, mixture_probability(-2));
}

static void
test_counts(void)
{
	const double evidence[] = {9, -5, -4, 0, 4, 5, 6, -2, 1};
	const bool spam[] = {true, false, false, false, false, true, true, true, true};
	g_autoptr(GPtrArray) samples = make_samples(evidence, spam, G_N_ELEMENTS(spam));
	struct accuracy_counts c =
	    accuracy_with(samples, 1, mixture_probability(5), mixture_probability(-2));

	g_assert_cmpuint(c.ham, ==, 4);
	g_assert_cmpuint(c.ham_lost, ==, 0);
	g_assert_cmpuint(c.ham_unsure, ==, 2);
	g_assert_cmpuint(c.spam, ==, 4);
	g_assert_cmpuint(c.spam_caught, ==, 2);
	g_assert_cmpuint(c.spam_unsure, ==, 1);
	((struct sample *)g_ptr_array_index(samples, 5))->score.young = true;
	c = accuracy_with(samples, 1, mixture_probability(5), mixture_probability(-2));
	g_assert_cmpuint(c.spam_caught, ==, 1);
	g_assert_cmpuint(c.spam_unsure, ==, 2);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/evaluate/roca-is-that-of-all-pairs", test_roca);
	g_test_add_func("/evaluate/figures-at-the-cut-offs", test_figures);
	g_test_add_func("/evaluate/cut-offs-for-a-loss", test_cutoffs);
	g_test_add_func("/evaluate/what-cut-offs-make-of-samples", test_counts);
	return g_test_run();
}
