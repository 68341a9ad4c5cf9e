#include "config.h"

#include <math.h>
#include <string.h>
#include <glib.h>
#include "classifier/model/mixture.h"

static const struct mixture_step nothing;
static const struct mixture_options options = {
    .clip = 8, .fisher_clip = 2, .rate = 0.002, .spam_cutoff = 0.95, .ham_cutoff = 0.2};

static const struct mixture_logits logits = {
    .voice = {3, -20, 1, 0, 0, 5}, .present = {true, true, true, true, true, true}};

/* 0.18 * 3 - 0.18 * 8 + 0.18 * 1 + 0.1 * 2 */
static void
test_clipped_mean(void)
{
	double evidence = mixture_evidence(&options, &nothing, &logits);
	g_assert_true(fabs(evidence - -0.52) < 1e-12);
	g_assert_true(fabs(mixture_probability(evidence) - 0.37285223368680442) < 1e-12);
	g_assert_true(fabs(mixture_share(&options, &nothing, &logits, VOICE_RAW) - -1.44) < 1e-12);
}

static void
test_left_out(void)
{
	struct mixture_logits one = {.voice = {3, 8, 8, 8}, .present = {true}};
	g_assert_true(fabs(mixture_evidence(&options, &nothing, &one) - 3) < 1e-12);
	one.voice[0] = 20;
	/* Alone it can be as sure as all together. */
	g_assert_true(fabs(mixture_evidence(&options, &nothing, &one) - 8) < 1e-12);
	one.present[0] = false;
	g_assert_cmpfloat(mixture_evidence(&options, &nothing, &one), ==, 0);
}

/* rate * (1 - 0.37285223) * clipped logit * 2^20, by hand. */
static void
test_step(void)
{
	static const int32_t expected[MIXTURE_CELLS] = {3946, -10522, 1315, 0, 0, 2630, 1315};
	struct mixture_step step;
	mixture_learn(&options, &nothing, &logits, true, &step);
	g_assert_cmpmem(step.cells, sizeof(step.cells), expected, sizeof(expected));
	g_assert_cmpfloat(mixture_evidence(&options, &step, &logits), >, -0.52);
}

static void
test_good_voice_gains(void)
{
	struct mixture_step learned = {{0}}, step;
	for (int i = 0; i < 2000; i++) {
		bool spam = i % 2 == 0;
		double right = spam ? 2 : -2;
		struct mixture_logits of = {
		    .voice = {right, -right / 2, right, 0}, .present = {true, true, true, true}};
		mixture_learn(&options, &learned, &of, spam, &step);
		g_assert_true(mixture_step_add(&learned, &step));
	}
	g_assert_cmpfloat(mixture_weight(&learned, 0), >, 0.5);
	g_assert_cmpfloat(mixture_weight(&learned, 1), <, 0.1);
}

static void
test_undo(void)
{
	struct mixture_step learned = {{7, -8, 9, 10, 11}}, saved = learned, step;
	mixture_learn(&options, &learned, &logits, false, &step);
	g_assert_true(mixture_step_add(&learned, &step));
	step = mixture_step_negated(&step);
	g_assert_true(mixture_step_add(&learned, &step));
	g_assert_cmpmem(&learned, sizeof(learned), &saved, sizeof(saved));
}

static void
test_overflow(void)
{
	struct mixture_step sum = {{1, INT32_MAX, 0, 0, 0}}, more = {{1, 1, 0, 0, 0}};
	g_assert_false(mixture_step_add(&sum, &more));
	g_assert_cmpint(sum.cells[0], ==, 1);
}

static const struct {
	double probability;
	bool young;
	enum verdict verdict;
} verdicts[] = {
    {0.95, false, VERDICT_SPAM},
    {0.949, false, VERDICT_UNSURE},
    {0.201, false, VERDICT_UNSURE},
    {0.2, false, VERDICT_HAM},
    {1.0, true, VERDICT_UNSURE},
    {0.0, true, VERDICT_UNSURE},
};

static void
test_verdicts(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(verdicts); i++)
		g_assert_cmpint(
		    mixture_verdict(&options, verdicts[i].probability, verdicts[i].young), ==,
		    verdicts[i].verdict);
	g_assert_cmpstr(verdict_name(VERDICT_UNSURE), ==, "unsure");
	g_assert_cmpstr(mixture_voice_name(MIXTURE_FISHER), ==, "fisher");
}

static void
test_young(void)
{
	g_assert_true(mixture_is_young(0, 1000));
	g_assert_true(mixture_is_young(1000, 3));
	g_assert_false(mixture_is_young(20, 20));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/mixture/mean-of-clipped-logits-at-first", test_clipped_mean);
	g_test_add_func("/mixture/voice-without-a-step-is-left-out", test_left_out);
	g_test_add_func("/mixture/step", test_step);
	g_test_add_func("/mixture/a-good-voice-gains-weight", test_good_voice_gains);
	g_test_add_func("/mixture/undo-is-exact", test_undo);
	g_test_add_func("/mixture/overflow-is-refused", test_overflow);
	g_test_add_func("/mixture/verdicts-by-cut-offs", test_verdicts);
	g_test_add_func("/mixture/young-while-a-class-is-hardly-known", test_young);
	return g_test_run();
}
