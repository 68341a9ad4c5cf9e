/*
 * What the statistics of the classifier promise: numbers that add up by the hour, and a place in
 * the store that stays.
 */
#include "config.h"

#include <math.h>
#include <string.h>
#include <glib.h>

#include "classifier/bank/verdicts.h"
#include "db/open/open.h"
#include "tests/unit/db/lmdb_world.h"

#define NOW INT64_C(1800000000)

/* What stands in stores must be read by every later version. */
static void
cells_keep_their_places(void)
{
	g_assert_cmpint(VERDICTS_HAM, ==, 0);
	g_assert_cmpint(VERDICTS_SPAM, ==, 1);
	g_assert_cmpint(VERDICTS_UNSURE, ==, 2);
	g_assert_cmpint(VERDICTS_LEARNED_HAM, ==, 3);
	g_assert_cmpint(VERDICTS_LEARNED_SPAM, ==, 4);
	g_assert_cmpint(VERDICTS_MOVED, ==, 5);
	g_assert_cmpint(VERDICTS_SCORES, ==, 6);
	g_assert_cmpint(VERDICTS_SCORE_SUM, ==, 26);
	g_assert_cmpstr(store_spaces[STORE_VERDICTS].name, ==, "verdicts");
}

static void
scores_fall_into_bins(void)
{
	static const struct {
		double score;
		int bin, thousandths;
	} cases[] = {{0, 0, 0}, {0.0499, 0, 50}, {0.05, 1, 50}, {0.15, 3, 150}, {0.3, 6, 300},
	    {0.7, 14, 700}, {0.9499, 18, 950}, {0.95, 19, 950}, {1, 19, 1000}, {1.5, 19, 1000},
	    {-1, 0, 0}, {NAN, 0, 0}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct verdicts v = {{0}};

		verdicts_judged(&v, VERDICT_UNSURE, cases[i].score);
		g_assert_cmpint(v.cells[VERDICTS_UNSURE], ==, 1);
		g_assert_cmpint(v.cells[VERDICTS_SPAM] + v.cells[VERDICTS_HAM], ==, 0);
		g_assert_cmpint(v.cells[VERDICTS_SCORE_SUM], ==, cases[i].thousandths);
		for (int bin = 0; bin < VERDICTS_BINS; bin++)
			if (v.cells[VERDICTS_SCORES + bin] != (bin == cases[i].bin))
				g_error("score %g, bin %d", cases[i].score, bin);
	}
}

static void
on_value(void *context, size_t index G_GNUC_UNUSED, enum store_result result G_GNUC_UNUSED,
    const struct store_bytes *value)
{
	int32_t *cells = context;

	cells[0] = -1;
	if (value)
		store_cells_get(value, cells, VERDICTS_CELLS);
}

/* The first is -1 if there is no such hour. */
static void
read_hour(struct store *store, int64_t at, int32_t ret_cells[VERDICTS_CELLS])
{
	const int64_t hour = at / 3600;
	const uint8_t key[] = {
	    (uint8_t)(hour >> 24), (uint8_t)(hour >> 16), (uint8_t)(hour >> 8), (uint8_t)hour};

	store_get(
	    store, STORE_VERDICTS, (struct store_bytes){key, sizeof key}, 0, on_value, ret_cells);
}

static void
hours_add_up(void)
{
	struct store_options options = {.uri = "mem:", .create = true};
	struct store *store = store_open(&options, NULL);
	struct verdicts spam = {{0}}, learned = {{[VERDICTS_LEARNED_HAM] = 7}};
	int32_t cells[VERDICTS_CELLS];

	verdicts_judged(&spam, VERDICT_SPAM, 0.99);
	g_assert_true(verdicts_add(store, &spam, NOW, 100));
	g_assert_true(verdicts_add(store, &spam, NOW + 1, 100));
	g_assert_true(verdicts_add(store, &learned, NOW, 100));
	g_assert_true(verdicts_add(store, &spam, NOW + 3600, 100));
	read_hour(store, NOW, cells);
	g_assert_cmpint(cells[VERDICTS_SPAM], ==, 2);
	g_assert_cmpint(cells[VERDICTS_HAM], ==, 0);
	g_assert_cmpint(cells[VERDICTS_LEARNED_HAM], ==, 7);
	g_assert_cmpint(cells[VERDICTS_SCORES + 19], ==, 2);
	g_assert_cmpint(cells[VERDICTS_SCORE_SUM], ==, 1980);
	read_hour(store, NOW + 3600, cells);
	g_assert_cmpint(cells[VERDICTS_SPAM], ==, 1);
	store_close(&store);
}

static void
old_hours_go(void)
{
	struct store_options options = {.uri = "mem:", .create = true};
	struct store *store = store_open(&options, NULL);
	struct verdicts ham = {{0}};
	int32_t cells[VERDICTS_CELLS];
	int64_t later = NOW + VERDICTS_DAYS * 86400;

	verdicts_judged(&ham, VERDICT_HAM, 0);
	g_assert_true(verdicts_add(store, &ham, NOW, 100));
	g_assert_true(verdicts_add(store, &ham, NOW + 7200, 100));
	g_assert_true(verdicts_add(store, &ham, later, 100));
	read_hour(store, NOW, cells);
	g_assert_cmpint(cells[0], ==, -1);
	read_hour(store, NOW + 7200, cells);
	g_assert_cmpint(cells[VERDICTS_HAM], ==, 1);
	read_hour(store, later, cells);
	g_assert_cmpint(cells[VERDICTS_HAM], ==, 1);
	store_close(&store);
}

static void
nothing_is_no_record(void)
{
	struct store_options options = {.uri = "mem:", .create = true};
	struct store *store = store_open(&options, NULL);
	struct verdicts none = {{0}};
	int32_t cells[VERDICTS_CELLS];

	g_assert_true(verdicts_add(store, &none, NOW, 100));
	read_hour(store, NOW, cells);
	g_assert_cmpint(cells[0], ==, -1);
	store_close(&store);
}

static void
a_trainer_is_not_waited_for(void)
{
	g_autofree char *folder = world_make_folder();
	struct store *store = world_must_open(folder, 16 << 20);
	struct verdicts spam = {{0}};
	int32_t cells[VERDICTS_CELLS];
	struct holder trainer;

	trainer = world_hold_lock(folder, "token.mdb");
	verdicts_judged(&spam, VERDICT_SPAM, 1);
	g_assert_false(verdicts_add(store, &spam, NOW, 50));
	world_release_lock(&trainer);
	g_assert_true(verdicts_add(store, &spam, NOW, 10000));
	read_hour(store, NOW, cells);
	g_assert_cmpint(cells[VERDICTS_SPAM], ==, 1);
	store_close(&store);
	world_remove_folder(folder);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/verdicts/cells-keep-their-places", cells_keep_their_places);
	g_test_add_func("/verdicts/scores-fall-into-bins", scores_fall_into_bins);
	g_test_add_func("/verdicts/hours-add-up", hours_add_up);
	g_test_add_func("/verdicts/old-hours-go", old_hours_go);
	g_test_add_func("/verdicts/nothing-leaves-no-record", nothing_is_no_record);
	g_test_add_func("/verdicts/a-trainer-is-not-waited-for", a_trainer_is_not_waited_for);
	return g_test_run();
}
