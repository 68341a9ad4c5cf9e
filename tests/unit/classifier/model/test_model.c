/* Learning and unlearning, their order, and corrections. */
#include "config.h"

#include <glib.h>

#include "tests/unit/classifier/model/model_world.h"

/* -- learning and unlearning -- */

static void
test_unlearn_all_of_it(void)
{
	struct world w;
	struct model *with, *without;

	world_open(&w);
	with = world_model_without_memory();
	without = world_model_without_memory();
	for (unsigned i = 0; i < 40; i++) {
		world_learn(&w, with, i);
		world_learn(&w, without, i);
	}
	for (unsigned i = 40; i < MESSAGES; i++)
		world_learn(&w, with, i);
	for (unsigned i = 40; i < MESSAGES; i++)
		world_unlearn(&w, with, 40 + (i * 7 + 3) % 20);
	world_assert_alike(world_snapshot(with, ALL), world_snapshot(without, ALL));
	world_close(&w);
}

static void
test_unlearn_counts(void)
{
	struct world w;
	struct model *with, *without;

	world_open(&w);
	with = world_model();
	without = world_model();
	for (unsigned i = 0; i < MESSAGES; i++) {
		world_learn(&w, with, i);
		if (i < 40)
			world_learn(&w, without, i);
	}
	for (unsigned i = 40; i < MESSAGES; i++)
		world_unlearn(&w, with, 40 + (i * 7 + 3) % 20);
	world_assert_alike(
	    world_snapshot(with, COUNTS | MEMORY), world_snapshot(without, COUNTS | MEMORY));
	world_close(&w);
}

/* Rehearsed steps are kept with the message that took them: with the last of them all is gone. */
static void
test_unlearn_everything(void)
{
	struct world w;
	struct model *model;

	world_open(&w);
	model = world_model();
	world_learn_all(&w, model);
	for (unsigned i = 0; i < MESSAGES; i++)
		world_unlearn(&w, model, (i * 7 + 3) % MESSAGES);
	world_assert_empty(model);
	world_close(&w);
}

static void
test_idempotent(void)
{
	struct world w;
	struct model *once, *twice;

	world_open(&w);
	once = world_model();
	twice = world_model();
	for (unsigned i = 0; i < MESSAGES; i++) {
		world_learn(&w, once, i);
		world_learn(&w, twice, i);
	}
	for (unsigned i = 0; i < MESSAGES; i++)
		g_assert_cmpint(
		    world_learn_as(twice, w.readings->pdata[i], i % 2), ==, MODEL_KNOWN);
	world_assert_alike(world_snapshot(once, ALL), world_snapshot(twice, ALL));
	world_close(&w);
}

static void
test_unknown(void)
{
	struct world w;
	struct model *model, *untouched;
	const struct reading *r;

	world_open(&w);
	model = world_model();
	untouched = world_model();
	for (unsigned i = 0; i < 20; i++) {
		world_learn(&w, model, i);
		world_learn(&w, untouched, i);
	}
	r = w.readings->pdata[20];
	g_assert_cmpint(model_unlearn(model, &r->tokens, &r->features), ==, MODEL_UNKNOWN);
	world_assert_alike(world_snapshot(model, ALL), world_snapshot(untouched, ALL));
	world_close(&w);
}

/* Another version of the reader gives other slots under the same digest. */
static struct reading *
read_otherwise(struct world *w, unsigned number, enum voice_name voice)
{
	struct reading *r = world_read(w, number, number % 2);

	r->features.voices[voice].count--;
	return r;
}

static void
test_differs(void)
{
	struct world w;
	struct model *model, *untouched;
	struct reading *r;

	world_open(&w);
	model = world_model_without_memory();
	untouched = world_model_without_memory();
	for (unsigned i = 0; i < 30; i++) {
		world_learn(&w, model, i);
		world_learn(&w, untouched, i);
	}
	for (enum voice_name voice = 0; voice < VOICES; voice++) {
		r = read_otherwise(&w, 4, voice);
		g_assert_cmpint(model_unlearn(model, &r->tokens, &r->features), ==, MODEL_DIFFERS);
		reading_free(r);
	}
	world_assert_alike(world_snapshot(model, ALL), world_snapshot(untouched, ALL));
	world_close(&w);
}

/* The memory has slots, but no words. */
static void
test_other_words(void)
{
	struct world w;
	struct model *model, *untouched;
	struct reading *r;

	world_open(&w);
	model = world_train(&w, MIXED);
	untouched = world_train(&w, MIXED);
	r = read_otherwise(&w, 4, VOICE_WORDS);
	g_assert_cmpint(model_unlearn(model, &r->tokens, &r->features), ==, MODEL_DIFFERS);
	reading_free(r);
	world_assert_alike(world_snapshot(model, ALL), world_snapshot(untouched, ALL));
	world_close(&w);
}

static void
test_remembered_is_undone(void)
{
	struct world w;
	struct model *model;
	struct reading *r;

	world_open(&w);
	model = world_model();
	for (unsigned i = 0; i < 30; i++)
		world_learn(&w, model, i);
	for (unsigned i = 0; i < 30; i++) {
		r = read_otherwise(&w, i, i % 2 ? VOICE_RAW : VOICE_TEXT);
		g_assert_cmpint(
		    model_unlearn(model, &r->tokens, &r->features), ==, MODEL_FORGOTTEN);
		reading_free(r);
	}
	world_assert_empty(model);
	world_close(&w);
}

/* -- order -- */

static void
test_order_of_counts(void)
{
	struct world w;

	world_open(&w);
	for (enum order order = HAM_FIRST; order < ORDERS; order++)
		world_assert_alike(world_snapshot(world_train(&w, MIXED), COUNTS | MEMORY),
		    world_snapshot(world_train(&w, order), COUNTS | MEMORY));
	world_close(&w);
}

static void
test_order_of_judgements(void)
{
	struct world w;

	world_open(&w);
	for (enum order order = HAM_FIRST; order < ORDERS; order++) {
		struct model *mixed = world_train(&w, MIXED), *other = world_train(&w, order);
		unsigned differ = 0;

		for (unsigned i = 1000; i < 1020; i++)
			differ += world_evidence(&w, mixed, i, i % 2) !=
				  world_evidence(&w, other, i, i % 2);
		g_assert_cmpuint(differ, >, 0);
		g_assert_true(model_rebuild(mixed));
		g_assert_true(model_rebuild(other));
		for (unsigned i = 1000; i < 1020; i++)
			g_assert_cmpfloat(world_evidence(&w, mixed, i, i % 2), ==,
			    world_evidence(&w, other, i, i % 2));
		world_assert_alike(world_snapshot(mixed, ALL), world_snapshot(other, ALL));
	}
	world_close(&w);
}

static void
test_rebuild_again(void)
{
	struct world w;
	struct model *once, *twice;

	world_open(&w);
	once = world_train(&w, HAM_FIRST);
	twice = world_train(&w, HAM_FIRST);
	g_assert_true(model_rebuild(once));
	g_assert_true(model_rebuild(twice));
	g_assert_true(model_rebuild(twice));
	world_assert_alike(world_snapshot(once, ALL), world_snapshot(twice, ALL));
	world_close(&w);
}

static void
test_unlearn_after_rebuild(void)
{
	struct world w;
	struct model *model;

	world_open(&w);
	model = world_train(&w, SPAM_FIRST);
	g_assert_true(model_rebuild(model));
	world_unlearn_all(&w, model);
	world_assert_empty(model);
	world_close(&w);
}

/* -- corrections -- */

static void
test_moved(void)
{
	struct world w;
	unsigned right = 0;

	world_open(&w);
	for (unsigned k = 0; k < 10; k++) {
		struct model *model = world_train(&w, MIXED);
		struct reading *r = world_read(&w, 500 + k, k % 2);
		bool wrong = !(k % 2);
		struct model_report report;
		enum verdict own = wrong ? VERDICT_HAM : VERDICT_SPAM;

		/* What looks like one class is filed in the other, then moved back. */
		g_assert_cmpint(world_learn_as(model, r, wrong), ==, MODEL_LEARNED);
		g_assert_cmpint(
		    model_learn(model, &r->tokens, &r->features, !wrong, 20000, &report), ==,
		    MODEL_MOVED);
		g_assert_false(report.stale);
		g_assert_cmpint(report.right, ==, world_judge(model, r).verdict == own);
		g_assert_cmpint(report.after.verdict, ==, world_judge(model, r).verdict);
		right += report.right;
		reading_free(r);
		model_free(model);
	}
	g_assert_cmpuint(right, ==, 10);
	world_close(&w);
}

/* A message that is as the other class in all its words but the number. */
static void
test_hard_to_move(void)
{
	struct world w;
	struct model *model;
	struct reading *r;
	struct model_report report;

	world_open(&w);
	model = world_train(&w, MIXED);
	r = world_read(&w, 777, true);
	g_assert_cmpint(world_learn_as(model, r, true), ==, MODEL_LEARNED);
	g_assert_cmpint(
	    model_learn(model, &r->tokens, &r->features, false, 20000, &report), ==, MODEL_MOVED);
	g_assert_cmpint(report.right, ==, world_judge(model, r).verdict == VERDICT_HAM);
	g_assert_cmpuint(report.steps, >, 1);
	reading_free(r);
	model_free(model);
	world_close(&w);
}

static void
test_no_steps_left(void)
{
	struct world w;
	struct model_options options = world_options_without_memory();
	struct model *model;
	struct reading *r;
	struct model_report report;

	world_open(&w);
	options.corrections = 0;
	/* Not in reach of one step. */
	options.mixture.ham_cutoff = 1e-6;
	model = model_new(&options, NULL);
	world_learn_all(&w, model);
	r = world_read(&w, 778, true);
	g_assert_cmpint(world_learn_as(model, r, true), ==, MODEL_LEARNED);
	g_assert_cmpint(
	    model_learn(model, &r->tokens, &r->features, false, 20000, &report), ==, MODEL_MOVED);
	g_assert_cmpint(report.before.verdict, ==, VERDICT_SPAM);
	g_assert_cmpint(world_judge(model, r).verdict, !=, VERDICT_HAM);
	g_assert_false(report.right);
	reading_free(r);
	model_free(model);
	world_close(&w);
}

/* What cannot be taken back does not keep a message from being moved, and is told. */
static void
test_stale(void)
{
	struct world w;
	struct model *model;
	struct reading *r;
	struct model_report report;
	struct model_totals totals;

	world_open(&w);
	model = world_model_without_memory();
	world_learn_all(&w, model);
	r = read_otherwise(&w, 7, VOICE_RAW);
	g_assert_cmpint(
	    model_learn(model, &r->tokens, &r->features, false, 20000, &report), ==, MODEL_MOVED);
	g_assert_true(report.stale);
	model_totals(model, &totals);
	g_assert_cmpuint(totals.learned.spam, ==, MESSAGES / 2 - 1);
	g_assert_cmpuint(totals.learned.ham, ==, MESSAGES / 2 + 1);
	reading_free(r);
	model_free(model);
	world_close(&w);
}

static void
test_moved_counts(void)
{
	struct world w;
	struct model *moved, *straight;

	world_open(&w);
	moved = world_model();
	straight = world_train(&w, MIXED);
	for (unsigned i = 0; i < MESSAGES; i++)
		world_learn_as(moved, w.readings->pdata[i], i % 2 && i != 31);
	g_assert_cmpint(world_learn_as(moved, w.readings->pdata[31], true), ==, MODEL_MOVED);
	world_assert_alike(
	    world_snapshot(moved, COUNTS | MEMORY), world_snapshot(straight, COUNTS | MEMORY));
	world_close(&w);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/model/without-memory-unlearning-gives-back-all", test_unlearn_all_of_it);
	g_test_add_func("/model/unlearning-gives-back-the-counts", test_unlearn_counts);
	g_test_add_func("/model/of-what-is-all-unlearned-nothing-stays", test_unlearn_everything);
	g_test_add_func("/model/learning-again-changes-nothing", test_idempotent);
	g_test_add_func("/model/what-was-never-learned-is-not-unlearned", test_unknown);
	g_test_add_func("/model/what-is-read-otherwise-is-not-unlearned", test_differs);
	g_test_add_func("/model/words-that-are-read-otherwise-are-not-unlearned", test_other_words);
	g_test_add_func(
	    "/model/what-is-remembered-is-unlearned-all-the-same", test_remembered_is_undone);
	g_test_add_func("/model/order-does-not-change-counts", test_order_of_counts);
	g_test_add_func(
	    "/model/order-does-not-change-judgements-after-a-rebuild", test_order_of_judgements);
	g_test_add_func("/model/rebuilding-again-changes-nothing", test_rebuild_again);
	g_test_add_func("/model/a-rebuild-can-be-unlearned", test_unlearn_after_rebuild);
	g_test_add_func("/model/a-moved-message-is-judged-right-or-reported", test_moved);
	g_test_add_func("/model/steps-until-it-is-judged-right", test_hard_to_move);
	g_test_add_func("/model/a-message-that-stays-wrong-is-reported", test_no_steps_left);
	g_test_add_func("/model/moved-though-not-all-can-be-taken-back", test_stale);
	g_test_add_func("/model/moving-gives-the-counts-of-the-right-class", test_moved_counts);
	return g_test_run();
}
