/* A model that has learned little, unevenly, or too much; its store; its explanations. */
#include "config.h"

#include <math.h>
#include <string.h>
#include <glib.h>

#include "tests/unit/classifier/model/model_world.h"

/* -- little and uneven learning -- */

static void
test_young(void)
{
	struct world w;
	struct model *model;
	struct reading *spam, *ham;

	world_open(&w);
	model = world_model();
	spam = world_read(&w, 901, true);
	ham = world_read(&w, 900, false);
	for (unsigned i = 0; i < 2 * MIXTURE_YOUNG; i++) {
		struct model_score score = world_judge(model, spam);

		g_assert_true(score.young);
		g_assert_cmpint(score.verdict, ==, VERDICT_UNSURE);
		world_learn(&w, model, i);
	}
	g_assert_false(world_judge(model, spam).young);
	for (unsigned i = 2 * MIXTURE_YOUNG; i < 40; i++)
		world_learn(&w, model, i);
	g_assert_cmpint(world_judge(model, spam).verdict, ==, VERDICT_SPAM);
	g_assert_cmpint(world_judge(model, ham).verdict, ==, VERDICT_HAM);
	reading_free(spam);
	reading_free(ham);
	model_free(model);
	world_close(&w);
}

/* A voice would only learn to say the class that it knows. */
static void
test_one_class(void)
{
	struct world w;
	struct model *model;
	struct model_totals totals;

	world_open(&w);
	model = world_model();
	for (unsigned i = 0; i < MESSAGES; i += 2)
		world_learn(&w, model, i);
	model_totals(model, &totals);
	for (unsigned voice = 0; voice < VOICES; voice++)
		g_assert_cmpint(totals.steps[voice], ==, 0);
	g_assert_cmpfloat(world_judge(model, w.readings->pdata[1]).evidence, ==, 0);
	world_learn(&w, model, 1);
	model_totals(model, &totals);
	for (unsigned voice = 0; voice < VOICES; voice++)
		g_assert_cmpint(totals.steps[voice], >, 0);
	model_free(model);
	world_close(&w);
}

static void
test_imbalance(void)
{
	struct world w;
	struct model *model;
	double lowest_spam = HUGE_VAL, highest_ham = -HUGE_VAL;

	world_open(&w);
	model = world_model();
	for (unsigned i = 0; i < 500; i++) {
		struct reading *ham = world_read(&w, 5000 + i, false);

		world_learn_as(model, ham, false);
		reading_free(ham);
		if (i % 50 == 0)
			world_learn(&w, model, i / 50 * 2 + 1);
	}
	for (unsigned i = 9000; i < 9050; i++) {
		lowest_spam = fmin(lowest_spam, world_evidence(&w, model, i, true));
		highest_ham = fmax(highest_ham, world_evidence(&w, model, i, false));
	}
	g_assert_cmpfloat(lowest_spam, >, highest_ham);
	model_free(model);
	world_close(&w);
}

/* -- limits -- */

static void
test_overflow(void)
{
	struct world w;
	struct model *model;
	struct model_totals totals;
	g_autofree int32_t *cells = g_new0(int32_t, MODEL_PAGE_CELLS);

	world_open(&w);
	model = world_model();
	for (unsigned i = 0; i < MODEL_PAGE_SLOTS; i++)
		cells[2 * i + 1] = INT32_MAX;
	for (uint32_t page = 0; page < MODEL_PAGES; page++)
		model_preload(model, VOICE_WORDS, page, cells, MODEL_PAGE_CELLS);
	world_learn_all(&w, model);
	model_totals(model, &totals);
	g_assert_cmpint(totals.steps[VOICE_WORDS], ==, 0);
	g_assert_cmpint(totals.steps[VOICE_RAW], >, 0);
	/* The others go on. */
	g_assert_cmpint(world_judge(model, w.readings->pdata[1]).verdict, ==, VERDICT_SPAM);
	world_unlearn_all(&w, model);
	model_totals(model, &totals);
	g_assert_cmpint(totals.steps[VOICE_RAW], ==, 0);
	model_free(model);
	world_close(&w);
}

static void
test_bounded_memory(void)
{
	struct world w;
	struct model_options options = model_options_default();
	struct model *model;
	struct model_totals totals;
	char *text, *at;
	size_t bytes = 0, messages = 0;

	world_open(&w);
	options.memory_bytes = 12000;
	model = model_new(&options, NULL);
	for (unsigned i = 0; i < MESSAGES; i++) {
		world_learn(&w, model, i);
		model_totals(model, &totals);
		g_assert_cmpuint(totals.memory_bytes, <=, options.memory_bytes);
	}
	g_assert_true(model_rebuild(model));
	text = world_snapshot(model, MEMORY);
	for (at = strstr(text, "memory "); at != NULL; at = strstr(at + 1, "memory ")) {
		/* "memory ", the digest, " 0 " */
		bytes += strcspn(at + 7 + 2 * CANONICAL_DIGEST_SIZE + 3, "\n") / 2;
		messages++;
	}
	g_assert_cmpuint(messages, >, 5);
	g_assert_cmpuint(messages, <, MESSAGES);
	g_assert_cmpuint(bytes, ==, totals.memory_bytes);
	g_free(text);
	world_close(&w);
}

/* As long as the list is all there is, its own spellings decide, and else what they are folded to.
 */
static void
test_spellings(void)
{
	static const struct {
		const char *token;
		enum verdict verdict;
	} cases[] = {
	    {"FREE", VERDICT_SPAM},
	    {"free", VERDICT_HAM},
	    {"Free", VERDICT_UNSURE},
	    {"soup", VERDICT_HAM},
	};
	const struct fisher_counts spam = {60, 0}, ham = {0, 60}, both = {60, 60};
	const struct features features = {0};
	struct model *model = world_model();

	model_import_totals(model, (struct fisher_counts){100, 100});
	model_import_token(model, "free", 4, both, 1);
	model_import_token(model, "soup", 4, ham, 1);
	model_import_spelling(model, "free", 4, ham, 1);
	model_import_spelling(model, "FREE", 4, spam, 1);
	g_assert_true(model_has_only_list(model));
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct model_score score;
		struct tokens tokens;

		tokens_init(&tokens);
		tokens_add(&tokens, cases[i].token, strlen(cases[i].token));
		g_assert_true(model_judge(model, &tokens, &features, &score));
		g_assert_cmpint(score.verdict, ==, cases[i].verdict);
		tokens_clear(&tokens);
	}
	model_free(model);
}

static void
test_large_import(void)
{
	struct world w;
	struct model *model;
	struct reading *r;
	struct fisher_counts most = {UINT32_MAX, 0};
	struct fisher_counts totals = {UINT32_MAX, UINT32_MAX};

	world_open(&w);
	model = world_model();
	for (unsigned i = 0; i < 5; i++) {
		model_import_token(model, "pills", 5, most, 1);
		model_import_totals(model, totals);
	}
	r = world_read(&w, 1, true);
	g_assert_cmpfloat(world_judge(model, r).fisher.spamicity, >, 0.99);
	g_assert_cmpint(world_judge(model, r).verdict, ==, VERDICT_SPAM);
	for (unsigned i = 2; i < 30; i++)
		world_learn(&w, model, i);
	g_assert_cmpint(world_judge(model, r).verdict, ==, VERDICT_SPAM);
	reading_free(r);
	model_free(model);
	world_close(&w);
}

/* -- stores -- */

struct fake {
	int32_t head[MODEL_HEAD_CELLS];
	bool fail_head, fail_sums, fail_entry, fail_remembered;
};

static bool
fake_head(void *context, int32_t ret_cells[MODEL_HEAD_CELLS])
{
	const struct fake *fake = context;

	memcpy(ret_cells, fake->head, sizeof(fake->head));
	return !fake->fail_head;
}

static bool
fake_counts(G_GNUC_UNUSED void *context, G_GNUC_UNUSED const struct model_token *tokens,
    size_t count, struct fisher_counts *ret_counts)
{
	memset(ret_counts, 0, count * sizeof(*ret_counts));
	return true;
}

static bool
fake_sums(void *context, G_GNUC_UNUSED unsigned table, G_GNUC_UNUSED const uint32_t *slots,
    size_t count, struct voice_sums *ret_sums)
{
	memset(ret_sums, 0, count * sizeof(*ret_sums));
	return !((struct fake *)context)->fail_sums;
}

static bool
fake_entry(void *context, G_GNUC_UNUSED const uint8_t digest[CANONICAL_DIGEST_SIZE],
    bool *ret_found, G_GNUC_UNUSED struct model_entry *ret_entry)
{
	*ret_found = false;
	return !((struct fake *)context)->fail_entry;
}

static bool
fake_remembered(void *context, G_GNUC_UNUSED bool spam,
    G_GNUC_UNUSED const uint8_t point[CANONICAL_DIGEST_SIZE], bool *ret_found,
    G_GNUC_UNUSED uint8_t ret_digest[CANONICAL_DIGEST_SIZE], G_GNUC_UNUSED GByteArray *ret_slots)
{
	*ret_found = false;
	return !((struct fake *)context)->fail_remembered;
}

static struct model *
model_before(struct fake *fake)
{
	const struct model_options options = model_options_default();
	const struct model_source source = {.context = fake,
	    .head = fake_head,
	    .counts = fake_counts,
	    .sums = fake_sums,
	    .entry = fake_entry,
	    .remembered = fake_remembered};

	return model_new(&options, &source);
}

static void
test_failing_store(void)
{
	static const struct fake fakes[] = {
	    {.fail_sums = true}, {.fail_entry = true}, {.fail_remembered = true}};
	struct fake no_head = {.fail_head = true};
	struct world w;

	world_open(&w);
	g_assert_null(model_before(&no_head));
	for (size_t i = 0; i < G_N_ELEMENTS(fakes); i++) {
		struct fake fake = fakes[i];
		struct model *model;

		fake.head[MODEL_HEAD_SPAM] = fake.head[MODEL_HEAD_HAM] = 20;
		model = model_before(&fake);
		g_assert_nonnull(model);
		g_assert_cmpint(
		    world_learn_as(model, w.readings->pdata[0], false), ==, MODEL_FAILED);
		model_free(model);
	}
	world_close(&w);
}

/* Two hosts that let one message go at the same time count it twice; the memory still has its
 * room, and a count without messages does not keep a trainer looking for them for ever. */
static void
test_miscounted_memory(void)
{
	static const int32_t counts[][2] = {
	    {INT32_MAX, 0}, {INT32_MAX, INT32_MAX}, {-5, 0}, {-5, 1000}, {INT32_MIN, INT32_MIN}};
	struct world w;

	world_open(&w);
	for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
		struct fake fake = {.head = {20, 20}};
		struct model_totals totals;
		struct model *model;

		fake.head[MODEL_HEAD_MEMORY_SPAM] = counts[i][0];
		fake.head[MODEL_HEAD_MEMORY_HAM] = counts[i][1];
		model = model_before(&fake);
		g_assert_cmpint(
		    world_learn_as(model, w.readings->pdata[0], false), ==, MODEL_LEARNED);
		model_totals(model, &totals);
		g_assert_cmpuint(totals.memory_bytes, <, 20000);
		model_free(model);
	}
	world_close(&w);
}

/* -- explanations -- */

static void
test_explain(void)
{
	struct world w;
	struct model *model;
	const struct reading *r;
	g_autofree struct model_reason *reasons = NULL;
	bool seen = false;

	world_open(&w);
	model = world_train(&w, MIXED);
	r = w.readings->pdata[1];
	reasons = g_new0(struct model_reason, r->tokens.count);
	g_assert_true(model_explain(model, &r->tokens, &r->features, reasons));
	for (size_t i = 0; i < r->tokens.count; i++) {
		const struct token *token = &r->tokens.list[i];

		if (token->length != 5 || memcmp(tokens_text(&r->tokens, i), "pills", 5) != 0)
			continue;
		seen = true;
		g_assert_cmpuint(reasons[i].counts.spam, ==, MESSAGES / 2);
		g_assert_cmpuint(reasons[i].counts.ham, ==, 0);
		/* (0.03 * 0.5 + 30 * 1) / (0.03 + 30) */
		g_assert_cmpfloat_with_epsilon(reasons[i].word, 30.015 / 30.03, 1e-12);
		g_assert_true(reasons[i].used);
		g_assert_cmpfloat(reasons[i].weight, >, 0);
	}
	g_assert_true(seen);
	model_free(model);
	world_close(&w);
}

/* The parameters that judge are those that explain: bogofilter's for an imported list alone. */
static void
test_explain_parameters(void)
{
	struct world w;
	struct model *young = world_model(), *imported = world_model();
	const struct reading *r;
	g_autofree struct model_reason *reasons = NULL;

	world_open(&w);
	r = w.readings->pdata[0];
	reasons = g_new0(struct model_reason, r->tokens.count);
	g_assert_true(model_explain(young, &r->tokens, &r->features, reasons));
	g_assert_cmpfloat(reasons[0].word, ==, 0.5);
	model_import_totals(imported, (struct fisher_counts){10, 10});
	g_assert_true(model_explain(imported, &r->tokens, &r->features, reasons));
	g_assert_cmpfloat(reasons[0].word, ==, 0.52);
	model_free(young);
	model_free(imported);
	world_close(&w);
}

/* -- words put in to look like ham -- */

static struct model_score
judge_stuffed(struct world *w, struct model *model, const char *header, const char *said, bool put)
{
	struct reading *r = world_read_stuffed(w, header, said, put);
	struct model_score score = world_judge(model, r);

	reading_free(r);
	return score;
}

/* Said by ham too, each word of what is put in is in the messages that were learned. */
static void
test_stuffing(void)
{
	g_autofree char *spam_header = world_header(3, true), *ham_header = world_header(2, false);
	static const char offer[] = "Buy pills cheap now, offer number 3 of this week";
	struct model_options options = model_options_default();
	const double sure = mixture_spam_evidence(&options.mixture);
	struct model_score plain, stuffed, ham, bare, subject;
	struct model *model;
	struct world w;

	world_open(&w);
	model = world_train(&w, MIXED);
	plain = judge_stuffed(&w, model, spam_header, offer, false);
	stuffed = judge_stuffed(&w, model, spam_header, offer, true);
	ham = judge_stuffed(&w, model, ham_header, "number 3 of this week", true);
	bare = judge_stuffed(&w, model, "", offer, true);
	subject = judge_stuffed(&w, model, "Subject: cheap pills 3\n", offer, true);
	g_assert_cmpfloat(plain.evidence, >, 0);
	g_assert_cmpfloat(stuffed.lift, >, 0);
	g_assert_cmpfloat(stuffed.evidence, >=, sure);
	/* The header and what is left of the text both say as much, and more. */
	g_assert_cmpfloat(stuffed.evidence, <, stuffed.logits.voice[VOICE_HEADER]);
	g_assert_cmpfloat(stuffed.evidence - stuffed.lift, <, plain.evidence);
	/* What came like ham, and what has no header to speak of, is judged as it is. */
	g_assert_cmpfloat(ham.evidence, <, 0);
	g_assert_cmpfloat(ham.lift, ==, 0);
	g_assert_cmpfloat(bare.lift, ==, 0);
	g_assert_cmpfloat(subject.logits.voice[VOICE_HEADER], >, subject.evidence + 1);
	g_assert_cmpfloat(subject.logits.voice[VOICE_HEADER], >, sure + 1);
	g_assert_cmpfloat(subject.lift, ==, 0);
	model_free(model);
	world_close(&w);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/model/young-is-unsure", test_young);
	g_test_add_func("/model/no-step-while-one-class-is-unknown", test_one_class);
	g_test_add_func("/model/fifty-ham-to-one-spam-still-rank", test_imbalance);
	g_test_add_func("/model/overflow-is-refused", test_overflow);
	g_test_add_func("/model/memory-stays-within-its-bound", test_bounded_memory);
	g_test_add_func("/model/a-list-decides-as-it-spells-its-words", test_spellings);
	g_test_add_func("/model/an-import-of-huge-counts", test_large_import);
	g_test_add_func("/model/a-failing-store-fails-the-call", test_failing_store);
	g_test_add_func("/model/a-miscounted-memory-ends-no-trainer", test_miscounted_memory);
	g_test_add_func("/model/words-are-explained", test_explain);
	g_test_add_func("/model/explained-as-judged", test_explain_parameters);
	g_test_add_func("/model/words-put-in-to-look-like-ham-are-set-aside", test_stuffing);
	return g_test_run();
}
