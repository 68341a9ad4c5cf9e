/* The expected steps and scores were computed apart from the code, in decimals of 60 digits. */
#include "config.h"

#include <math.h>
#include <string.h>
#include <glib.h>

#include "classifier/features/ngrams.h"
#include "classifier/model/voice.h"

static const struct voice_options words_options = {.alpha = 1, .beta = 0.001, .power = 0.5};
static const struct voice_options raw_options = {.alpha = 0.07, .beta = 0.003, .power = 0.25};

static void
test_steps(void)
{
	static const struct {
		double score;
		size_t count;
		double power;
		bool spam;
		int32_t z, n, bias_z, bias_n;
	} rows[] = {
	    {0, 1, 0.5, true, -32768, 262144, -32768, 1024},
	    {0, 100, 0.5, false, 3277, 2621, 32768, 1024},
	    {1.25, 16, 0.25, true, -7297, 13001, -14595, 203},
	    {-3, 625, 0.25, true, -12486, 38059, -62428, 3717},
	    {4.5, 400, 0.5, true, -36, 0, -720, 0},
	    {7, 400, 0.5, false, 3274, 2617, 65476, 4089},
	    {0, 0, 0.5, true, 0, 0, -32768, 1024},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct voice_options options = {.alpha = 1, .beta = 1, .power = rows[i].power};
		struct voice_step step;

		g_assert_true(
		    voice_learn(&options, rows[i].score, rows[i].count, rows[i].spam, &step));
		g_assert_cmpint(step.z, ==, rows[i].z);
		g_assert_cmpint(step.n, ==, rows[i].n);
		g_assert_cmpint(step.bias_z, ==, rows[i].bias_z);
		g_assert_cmpint(step.bias_n, ==, rows[i].bias_n);
		g_assert_cmpint(step.taken, ==, 1);
	}
}

static void
test_sure(void)
{
	static const struct voice_step none;
	struct voice_step step;

	g_assert_false(voice_learn(&words_options, 5.01, 10, true, &step));
	g_assert_cmpmem(&step, sizeof(step), &none, sizeof(none));
	g_assert_false(voice_learn(&words_options, -5.01, 10, false, &step));
	g_assert_true(voice_learn(&words_options, 4.99, 10, true, &step));
	g_assert_true(voice_learn(&words_options, 900, 10, false, &step));
	g_assert_true(voice_learn(&words_options, -900, 10, true, &step));
	g_assert_cmpint(step.bias_z, ==, -65536);
}

static void
test_score(void)
{
	static const struct voice_sums two[] = {{-32768, 262144}, {655, 100}};
	struct voice_sums eleven[11];

	for (int32_t i = 0; i < 11; i++)
		eleven[i] = (struct voice_sums){1000 * i - 4000, 77 * i * i};
	g_assert_cmpfloat_with_epsilon(
	    voice_score(&words_options, two, 2, (struct voice_sums){-1000, 40}), 0.202098362705,
	    1e-6);
	g_assert_cmpfloat_with_epsilon(
	    voice_score(&raw_options, eleven, 11, (struct voice_sums){0, 0}), 0.841417327435, 1e-6);
	g_assert_cmpfloat(voice_score(&words_options, NULL, 0, (struct voice_sums){0, 0}), ==, 0);
}

/* Lengths on both sides of the eight that are summed at a time. */
static void
test_weights_add_up(void)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(5);
	struct voice_sums sums[40], bias = {-70000, 9000};

	for (size_t count = 0; count < G_N_ELEMENTS(sums); count++) {
		double bias_weight =
		    -(bias.z / VOICE_Z_UNIT) / (0.001 + sqrt(bias.n / VOICE_BIAS_N_UNIT));
		double total = bias_weight;

		for (size_t i = 0; i < count; i++) {
			sums[i].z = g_rand_int_range(random, -90000, 90000);
			sums[i].n = g_rand_int_range(random, 0, 900000);
		}
		for (size_t i = 0; i < count; i++)
			total += voice_weight(&words_options, sums[i], count);
		g_assert_cmpfloat_with_epsilon(
		    voice_score(&words_options, sums, count, bias), total, 1e-4);
	}
}

static void
test_learning_moves_the_score(void)
{
	static const uint32_t slots[] = {3, 8, 9, 1000, NGRAMS_SLOTS - 1};
	const size_t count = G_N_ELEMENTS(slots);
	g_autofree struct voice_sums *table = g_new0(struct voice_sums, NGRAMS_SLOTS);
	struct voice_sums sums[5], bias = {0};

	for (int i = 0; i < 4; i++) {
		bool spam = i < 2;
		double before, after;
		struct voice_step step;

		voice_gather(table, slots, count, sums);
		before = voice_score(&words_options, sums, count, bias);
		g_assert_true(voice_learn(&words_options, before, count, spam, &step));
		voice_add(table, slots, count, &step);
		bias.z += step.bias_z;
		bias.n += step.bias_n;
		voice_gather(table, slots, count, sums);
		after = voice_score(&words_options, sums, count, bias);
		if (spam)
			g_assert_cmpfloat(after, >, before);
		else
			g_assert_cmpfloat(after, <, before);
	}
}

/* Ten messages with slots in common, added in one order and taken back in another. */
static void
test_exact(void)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(7);
	g_autofree struct voice_sums *table = g_new0(struct voice_sums, NGRAMS_SLOTS);
	g_autofree struct voice_sums *before = NULL;
	struct voice_step steps[10];
	uint32_t slots[10][50];

	for (uint32_t i = 0; i < NGRAMS_SLOTS; i += 3)
		table[i] = (struct voice_sums){(int32_t)i - 5000, (int32_t)i};
	before = g_memdup2(table, NGRAMS_SLOTS * sizeof(*table));
	for (unsigned i = 0; i < 10; i++) {
		double score = g_rand_double_range(random, -4, 4);

		for (uint32_t k = 0; k < 50; k++)
			slots[i][k] = k * 7 * (i + 1);
		voice_learn(&words_options, score, 50, i % 2, &steps[i]);
		voice_add(table, slots[i], 50, &steps[i]);
	}
	g_assert_cmpint(memcmp(table, before, NGRAMS_SLOTS * sizeof(*table)), !=, 0);
	for (unsigned i = 0; i < 10; i++) {
		unsigned other = (i * 3 + 1) % 10;
		struct voice_step back = voice_step_negated(&steps[other]);

		voice_add(table, slots[other], 50, &back);
	}
	g_assert_cmpint(memcmp(table, before, NGRAMS_SLOTS * sizeof(*table)), ==, 0);
}

static void
test_overflow(void)
{
	static const struct {
		struct voice_sums sums, bias;
		struct voice_step step;
		bool fits;
	} rows[] = {
	    {{0, 0}, {0, 0}, {1, 1, 1, 1, 1}, true},
	    {{INT32_MAX - 1, 0}, {0, 0}, {1, 1, 1, 1, 1}, true},
	    {{INT32_MAX, 0}, {0, 0}, {1, 1, 1, 1, 1}, false},
	    {{INT32_MIN, 0}, {0, 0}, {-1, 1, 1, 1, 1}, false},
	    {{0, INT32_MAX}, {0, 0}, {1, 1, 1, 1, 1}, false},
	    {{0, 5}, {0, 0}, {1, -5, 1, 1, 1}, true},
	    {{0, 5}, {0, 0}, {1, -6, 1, 1, 1}, false},
	    {{0, 0}, {INT32_MAX, 0}, {1, 1, 1, 1, 1}, false},
	    {{0, 0}, {0, INT32_MAX}, {1, 1, 1, 1, 1}, false},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		/* The one that matters among others that have room. */
		struct voice_sums sums[3] = {{0, 100}, rows[i].sums, {0, 100}};

		g_assert_cmpint(voice_fits(sums, 3, rows[i].bias, &rows[i].step), ==, rows[i].fits);
	}
}

static void
test_step_sums(void)
{
	struct voice_step sum = {1, 2, 3, 4, 1}, before;
	const struct voice_step more = {10, 20, 30, 40, 1};
	const struct voice_step much = {0, 0, 0, INT32_MAX, 0};

	g_assert_true(voice_step_add(&sum, &more));
	g_assert_cmpint(sum.z, ==, 11);
	g_assert_cmpint(sum.bias_n, ==, 44);
	g_assert_cmpint(sum.taken, ==, 2);
	before = sum;
	g_assert_false(voice_step_add(&sum, &much));
	g_assert_cmpmem(&sum, sizeof(sum), &before, sizeof(before));
}

/* As a damaged record may hold: taken back it is what it was, without undefined behaviour. */
static void
test_lowest_number(void)
{
	const struct voice_step step = {INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN};
	struct voice_step back = voice_step_negated(&step);

	g_assert_cmpint(back.z, ==, INT32_MIN);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/voice/steps-in-fixed-point", test_steps);
	g_test_add_func("/voice/no-step-when-sure-and-right", test_sure);
	g_test_add_func("/voice/score", test_score);
	g_test_add_func("/voice/weights-add-up-to-the-score", test_weights_add_up);
	g_test_add_func("/voice/a-step-moves-the-score", test_learning_moves_the_score);
	g_test_add_func("/voice/steps-are-taken-back-to-the-bit-in-any-order", test_exact);
	g_test_add_func("/voice/overflow-is-refused", test_overflow);
	g_test_add_func("/voice/sum-of-steps", test_step_sums);
	g_test_add_func("/voice/the-lowest-number-is-negated", test_lowest_number);
	return g_test_run();
}
