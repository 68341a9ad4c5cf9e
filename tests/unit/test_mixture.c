/* The expected steps were computed apart from the code, in decimals of 60 digits. */
#include <math.h>
#include <string.h>
#include <glib.h>

#include "classifier/mixture.h"

static const struct mixture_step nothing;

/* The third is clipped to 8. */
static const struct mixture_logits four = {
    .voice = {2, -1, 20, 0.5}, .present = {true, true, true, true}};

static void
test_evidence(void)
{
	const struct mixture_options options = mixture_options_default();

	g_assert_cmpfloat(mixture_evidence(&options, &nothing, &four), ==, 2.375);
	g_assert_cmpfloat(mixture_share(&options, &nothing, &four, VOICE_TEXT), ==, 2);
	g_assert_cmpfloat(mixture_share(&options, &nothing, &four, VOICE_RAW), ==, -0.25);
	g_assert_cmpfloat_with_epsilon(mixture_probability(2.375), 0.91491, 1e-5);
	g_assert_cmpfloat(mixture_probability(0), ==, 0.5);
	g_assert_cmpfloat(mixture_probability(-1000), ==, 0);
	g_assert_cmpfloat(mixture_probability(1000), ==, 1);
}

static void
test_steps(void)
{
	static const struct {
		bool spam;
		int32_t cells[MIXTURE_CELLS];
	} rows[] = {
	    {true, {357, -178, 1428, 89, 178}},
	    {false, {-3837, 1919, -15349, -959, -1919}},
	};
	const struct mixture_options options = mixture_options_default();

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct mixture_step step;

		mixture_learn(&options, &nothing, &four, rows[i].spam, &step);
		for (unsigned cell = 0; cell < MIXTURE_CELLS; cell++)
			g_assert_cmpint(step.cells[cell], ==, rows[i].cells[cell]);
	}
}

/* All weight is with those that have learned; what the others say is not looked at. */
static void
test_left_out(void)
{
	const struct mixture_options options = mixture_options_default();
	struct mixture_logits logits = {
	    .voice = {6, 77, -77, 2}, .present = {true, false, false, true}};
	struct mixture_step step;

	g_assert_cmpfloat_with_epsilon(
	    mixture_evidence(&options, &nothing, &logits), (6 + 2) / 2.0, 1e-12);
	g_assert_cmpfloat(mixture_share(&options, &nothing, &logits, VOICE_RAW), ==, 0);
	mixture_learn(&options, &nothing, &logits, true, &step);
	g_assert_cmpint(step.cells[VOICE_WORDS], >, 0);
	g_assert_cmpint(step.cells[VOICE_RAW], ==, 0);
	g_assert_cmpint(step.cells[VOICE_TEXT], ==, 0);
	/* One alone can be as sure as all. */
	logits = (struct mixture_logits){.voice = {8, 0, 0, 0}, .present = {true}};
	g_assert_cmpfloat_with_epsilon(mixture_evidence(&options, &nothing, &logits), 8, 1e-12);
}

static void
test_nobody(void)
{
	const struct mixture_options options = mixture_options_default();
	const struct mixture_logits logits = {.voice = {5, 5, 5, 5}};
	const struct mixture_step learned = {.cells = {0, 0, 0, 0, 1 << 20}};

	g_assert_cmpfloat(mixture_evidence(&options, &learned, &logits), ==, 0);
}

/* The parts that `explain` shows and the bias are the whole. */
static void
test_shares(void)
{
	const struct mixture_options options = mixture_options_default();
	const struct mixture_step learned = {.cells = {50000, -70000, 30000, 9000, -44000}};
	double total = mixture_weight(&learned, MIXTURE_BIAS);

	g_assert_cmpfloat(mixture_weight(&learned, MIXTURE_BIAS), ==, -44000 / 1048576.0);
	g_assert_cmpfloat(mixture_weight(&learned, VOICE_WORDS), ==, 0.25 + 50000 / 1048576.0);
	for (unsigned voice = 0; voice < MIXTURE_VOICES; voice++)
		total += mixture_share(&options, &learned, &four, voice);
	g_assert_cmpfloat_with_epsilon(mixture_evidence(&options, &learned, &four), total, 1e-12);
}

static void
test_trust_is_learned(void)
{
	const struct mixture_options options = mixture_options_default();
	struct mixture_step learned = {0};

	/* The first is always right, the second always wrong. */
	for (int i = 0; i < 2000; i++) {
		bool spam = i % 2;
		double right = spam ? 2 : -2;
		const struct mixture_logits logits = {
		    .voice = {right, -right, 0, 0}, .present = {true, true, true, true}};
		struct mixture_step step;

		mixture_learn(&options, &learned, &logits, spam, &step);
		g_assert_true(mixture_step_add(&learned, &step));
	}
	g_assert_cmpfloat(mixture_weight(&learned, 0), >, 0.5);
	g_assert_cmpfloat(mixture_weight(&learned, 1), <, 0);
	g_assert_cmpfloat_with_epsilon(mixture_weight(&learned, MIXTURE_BIAS), 0, 0.05);
}

static void
test_taken_back(void)
{
	const struct mixture_options options = mixture_options_default();
	struct mixture_step sum = {.cells = {5, -6, 7, -8, 9}}, before = sum, step, back;

	mixture_learn(&options, &sum, &four, false, &step);
	back = mixture_step_negated(&step);
	g_assert_true(mixture_step_add(&sum, &step));
	g_assert_cmpint(memcmp(&sum, &before, sizeof(sum)), !=, 0);
	g_assert_true(mixture_step_add(&sum, &back));
	g_assert_cmpmem(&sum, sizeof(sum), &before, sizeof(before));
}

static void
test_overflow(void)
{
	struct mixture_step sum = {.cells = {1, 2, 3, 4, INT32_MAX}}, before = sum;
	const struct mixture_step more = {.cells = {1, 1, 1, 1, 1}};
	const struct mixture_step lowest = {.cells = {INT32_MIN}};

	g_assert_false(mixture_step_add(&sum, &more));
	g_assert_cmpmem(&sum, sizeof(sum), &before, sizeof(before));
	g_assert_cmpint(mixture_step_negated(&lowest).cells[0], ==, INT32_MIN);
}

static void
test_verdicts(void)
{
	static const struct {
		double probability;
		bool young;
		enum verdict verdict;
	} rows[] = {
	    {0, false, VERDICT_HAM},
	    {0.2, false, VERDICT_HAM},
	    {0.2000001, false, VERDICT_UNSURE},
	    {0.9549999, false, VERDICT_UNSURE},
	    {0.955, false, VERDICT_SPAM},
	    {1, false, VERDICT_SPAM},
	    {0, true, VERDICT_UNSURE},
	    {1, true, VERDICT_UNSURE},
	};
	const struct mixture_options options = mixture_options_default();

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		g_assert_cmpint(mixture_verdict(&options, rows[i].probability, rows[i].young), ==,
		    rows[i].verdict);
}

static void
test_young(void)
{
	g_assert_true(mixture_is_young(0, 0));
	g_assert_true(mixture_is_young(MIXTURE_YOUNG - 1, 100000));
	g_assert_true(mixture_is_young(100000, MIXTURE_YOUNG - 1));
	g_assert_false(mixture_is_young(MIXTURE_YOUNG, MIXTURE_YOUNG));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/mixture/clipped-and-weighted", test_evidence);
	g_test_add_func("/mixture/steps-in-fixed-point", test_steps);
	g_test_add_func("/mixture/who-has-not-learned-is-left-out", test_left_out);
	g_test_add_func("/mixture/without-a-voice-no-evidence", test_nobody);
	g_test_add_func("/mixture/shares-and-bias-are-the-evidence", test_shares);
	g_test_add_func("/mixture/trust-goes-to-who-is-right", test_trust_is_learned);
	g_test_add_func("/mixture/a-step-is-taken-back-to-the-bit", test_taken_back);
	g_test_add_func("/mixture/overflow-is-refused", test_overflow);
	g_test_add_func("/mixture/verdicts-at-the-cut-offs", test_verdicts);
	g_test_add_func("/mixture/young-until-both-classes-are-known", test_young);
	return g_test_run();
}
