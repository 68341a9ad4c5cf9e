#include "config.h"

#include <math.h>

/* Bulk runs: messages are counted first and stepped on once, when the tables are made anew. */
#include <string.h>

#include "tests/unit/classifier/model/model_world.h"

static struct model *
train_deferred(struct world *w, const struct model_options *options)
{
	struct model *model = model_new(options, NULL);

	/* A run turns out to be a bulk run when some of it has been learned. */
	for (unsigned i = 0; i < MESSAGES; i++) {
		if (i == MESSAGES / 4)
			model_defer(model);
		world_learn(w, model, i);
	}
	return model;
}

static bool
is_owed(const struct model *model)
{
	struct model_totals totals;

	model_totals(model, &totals);
	return totals.owed;
}

static void
test_same(void)
{
	const struct model_options options = model_options_default();
	struct world w;
	struct model *stepped, *deferred;

	world_open(&w);
	stepped = world_train(&w, HAM_FIRST);
	deferred = train_deferred(&w, &options);
	g_assert_false(is_owed(stepped));
	g_assert_true(is_owed(deferred));
	g_assert_true(model_rebuild(stepped));
	g_assert_true(model_rebuild(deferred));
	g_assert_false(is_owed(deferred));
	world_assert_alike(world_snapshot(stepped, ALL), world_snapshot(deferred, ALL));
	world_close(&w);
}

/* What was counted, but has taken no steps yet, is taken back as everything else. */
static void
test_unlearn(void)
{
	const struct model_options options = model_options_default();
	struct world w;

	world_open(&w);
	for (unsigned rebuilt = 0; rebuilt < 2; rebuilt++) {
		struct model *model = train_deferred(&w, &options);

		if (rebuilt)
			g_assert_true(model_rebuild(model));
		world_unlearn_all(&w, model);
		world_assert_empty(model);
	}
	world_close(&w);
}

static void
test_memory(void)
{
	struct world w;
	struct model_options options = model_options_default();
	struct model *model;
	struct model_totals totals;

	world_open(&w);
	options.memory_bytes = 12000;
	model = model_new(&options, NULL);
	model_defer(model);
	for (unsigned i = 0; i < MESSAGES; i++) {
		world_learn(&w, model, i);
		model_totals(model, &totals);
		g_assert_cmpuint(totals.memory_bytes, <, 3 * options.memory_bytes);
		if (!model_memory_is_full(model))
			continue;
		g_assert_true(model_rebuild(model));
		model_totals(model, &totals);
		g_assert_cmpuint(totals.memory_bytes, <=, options.memory_bytes);
	}
	/* Messages that are no longer remembered have taken their steps. */
	g_assert_true(model_rebuild(model));
	model_totals(model, &totals);
	for (unsigned voice = 0; voice < VOICES; voice++)
		g_assert_cmpint(totals.steps[voice], >, MESSAGES / 2);
	g_assert_cmpint(world_judge(model, w.readings->pdata[0]).verdict, ==, VERDICT_HAM);
	g_assert_cmpint(world_judge(model, w.readings->pdata[1]).verdict, ==, VERDICT_SPAM);
	model_free(model);
	world_close(&w);
}

static void
test_without_memory(void)
{
	struct world w;
	const struct model_options options = world_options_without_memory();
	struct model *model, *plain;

	world_open(&w);
	plain = world_model_without_memory();
	world_learn_all(&w, plain);
	model = train_deferred(&w, &options);
	g_assert_false(is_owed(model));
	world_assert_alike(world_snapshot(plain, ALL), world_snapshot(model, ALL));
	world_close(&w);
}

/* -- what is said of the messages -- */

struct judged {
	unsigned right, wrong, unsure;
};

static void
take_entry(void *context, const uint8_t digest[CANONICAL_DIGEST_SIZE] G_GNUC_UNUSED,
    const struct model_entry *entry)
{
	struct judged *judged = context;

	if (entry->before == VERDICT_UNSURE)
		judged->unsure++;
	else if ((entry->before == VERDICT_SPAM) == entry->spam)
		judged->right++;
	else
		judged->wrong++;
}

static void
ignore_head(void *context G_GNUC_UNUSED, const struct model_cell *cells G_GNUC_UNUSED,
    size_t count G_GNUC_UNUSED)
{
}

static void
ignore_token(void *context G_GNUC_UNUSED, const struct model_token *token G_GNUC_UNUSED,
    int32_t spam G_GNUC_UNUSED, int32_t ham G_GNUC_UNUSED, uint32_t day G_GNUC_UNUSED)
{
}

static void
ignore_page(void *context G_GNUC_UNUSED, unsigned table G_GNUC_UNUSED, uint32_t page G_GNUC_UNUSED,
    const struct model_cell *cells G_GNUC_UNUSED, size_t count G_GNUC_UNUSED)
{
}

static void
ignore_memory(void *context G_GNUC_UNUSED,
    const uint8_t digest[CANONICAL_DIGEST_SIZE] G_GNUC_UNUSED, bool spam G_GNUC_UNUSED,
    const uint8_t *slots G_GNUC_UNUSED, size_t length G_GNUC_UNUSED)
{
}

static struct judged
judged_before(struct model *model)
{
	struct judged judged = {0};
	const struct model_sink sink = {.context = &judged,
	    .head = ignore_head,
	    .token = ignore_token,
	    .page = ignore_page,
	    .entry = take_entry,
	    .memory = ignore_memory};

	model_drain(model, &sink);
	model_free(model);
	return judged;
}

static void
test_judged(void)
{
	const struct model_options options = model_options_default();
	struct world w;
	struct model *model;
	struct judged judged;

	world_open(&w);
	model = model_new(&options, NULL);
	model_defer(model);
	world_learn_all(&w, model);
	g_assert_true(model_rebuild(model));
	judged = judged_before(model);
	/* The first ten of each class are young. */
	g_assert_cmpuint(judged.right, >, MESSAGES / 2);
	g_assert_cmpuint(judged.unsure, >=, 2 * MIXTURE_YOUNG);
	g_assert_cmpuint(judged.wrong, ==, 0);
	world_close(&w);
}

static void
test_corrected(void)
{
	const struct model_options options = model_options_default();
	struct world w;
	struct model *model;
	struct reading *r, *other;
	struct model_report report;

	world_open(&w);
	model = train_deferred(&w, &options);
	r = world_read(&w, 501, true);
	other = world_read(&w, 503, true);
	g_assert_cmpint(world_learn_as(model, r, true), ==, MODEL_LEARNED);
	g_assert_cmpint(
	    model_learn(model, &r->tokens, &r->features, false, 20000, &report), ==, MODEL_MOVED);
	g_assert_true(report.deferred);
	g_assert_true(model_rebuild(model));
	g_assert_cmpint(world_judge(model, r).verdict, !=, VERDICT_HAM);
	g_assert_true(model_correct(model, r->features.digest, false, &report));
	g_assert_cmpuint(report.steps, >, 0);
	g_assert_cmpint(report.right, ==, world_judge(model, r).verdict == VERDICT_HAM);
	g_assert_true(report.right);
	g_assert_false(model_correct(model, other->features.digest, false, &report));
	reading_free(r);
	reading_free(other);
	model_free(model);
	world_close(&w);
}

/* It came like spam, says what ham says, and is ham. */
static void
test_corrected_stuffed(void)
{
	struct model_options options = model_options_default();
	g_autofree char *header = world_header(501, true);
	struct world w;
	struct model *model;
	struct reading *r;
	struct model_report report;
	struct model_score score;

	options.mixture.spam_cutoff = 0.7;
	world_open(&w);
	model = train_deferred(&w, &options);
	r = world_read_stuffed(&w, header, "Buy pills cheap now, offer number 3", true);
	g_assert_cmpint(world_learn_as(model, r, true), ==, MODEL_LEARNED);
	g_assert_cmpint(
	    model_learn(model, &r->tokens, &r->features, false, 20000, &report), ==, MODEL_MOVED);
	g_assert_true(model_rebuild(model));
	score = world_judge(model, r);
	g_assert_cmpfloat(score.logits.voice[VOICE_HEADER], >,
	    fmax(score.evidence, mixture_spam_evidence(&options.mixture)) + 1);
	g_assert_true(model_correct(model, r->features.digest, false, &report));
	g_assert_cmpint(report.after.verdict, ==, world_judge(model, r).verdict);
	reading_free(r);
	model_free(model);
	world_close(&w);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/bulk/counted-first-gives-what-stepping-at-once-gives", test_same);
	g_test_add_func("/bulk/unlearned-with-and-without-the-rebuild", test_unlearn);
	g_test_add_func("/bulk/the-memory-holds-twice-its-size-at-most", test_memory);
	g_test_add_func("/bulk/without-memory-it-is-no-bulk-run", test_without_memory);
	g_test_add_func("/bulk/judged-before-they-were-learned", test_judged);
	g_test_add_func("/bulk/a-moved-message-is-corrected-in-the-end", test_corrected);
	g_test_add_func("/bulk/so-is-one-with-words-put-in", test_corrected_stuffed);
	return g_test_run();
}
