/*
 * What was learned, through a store on a disk: a model that reads it back judges just as the one
 * that learned it.
 */
#include "config.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "classifier/bank/bank.h"
#include "classifier/bank/reader.h"

#define MESSAGES 60

struct world {
	struct settings *settings;
	struct reader *reader;
	char *folder;
	struct bank *bank;
};

static void
world_open(struct world *w)
{
	g_autoptr(GError) error = NULL;

	w->settings = settings_new();
	settings_assign(w->settings, "store.map_size=64M", &error);
	g_assert_no_error(error);
	w->reader = reader_new(w->settings);
	w->folder = g_dir_make_tmp("greylag-bank-XXXXXX", NULL);
	w->bank = bank_open(w->settings, w->folder, BANK_LEARN, &error);
	g_assert_no_error(error);
}

static void
world_close(struct world *w)
{
	GDir *dir;
	const char *name;

	bank_close(w->bank);
	dir = g_dir_open(w->folder, 0, NULL);
	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(w->folder, name, NULL);

		g_unlink(path);
	}
	g_dir_close(dir);
	g_rmdir(w->folder);
	g_free(w->folder);
	reader_free(w->reader);
	settings_free(w->settings);
}

/* Spam speaks of pills, ham of meetings; each message has words of its own. */
static struct reading *
make_reading(struct world *w, unsigned number, bool spam)
{
	g_autofree char *text = g_strdup_printf(
	    "From: %s%u@example.org\nSubject: %s %u\nMessage-ID: <%u.%d@example.org>\n\n"
	    "%s number %u of this week, word%u other%u\n",
	    spam ? "seller" : "colleague", number, spam ? "cheap pills" : "our meeting", number,
	    number, spam, spam ? "Buy pills cheap now, offer" : "Please send the minutes, item",
	    number, number * 7, number * 13);

	return reader_read(w->reader, (const uint8_t *)text, strlen(text));
}

static enum model_learned
learn(struct world *w, struct model *model, unsigned number, bool spam)
{
	struct reading *r = make_reading(w, number, spam);
	enum model_learned outcome =
	    model_learn(model, &r->tokens, &r->features, spam, 20000, NULL);

	reading_free(r);
	return outcome;
}

static double
judge(struct world *w, struct model *model, unsigned number, bool spam)
{
	struct reading *r = make_reading(w, number, spam);
	struct model_score score;

	g_assert_true(model_judge(model, &r->tokens, &r->features, &score));
	reading_free(r);
	return score.evidence;
}

static void
commit(struct world *w, struct model *model)
{
	g_autoptr(GError) error = NULL;

	g_assert_true(bank_commit(w->bank, model, &error));
	g_assert_no_error(error);
}

static struct model *
train(struct world *w)
{
	struct model *model = bank_model(w->bank);

	for (unsigned i = 0; i < MESSAGES; i++)
		g_assert_cmpint(learn(w, model, i, i % 2), ==, MODEL_LEARNED);
	commit(w, model);
	return model;
}

static void
assert_judge_alike(struct world *w, struct model *a, struct model *b)
{
	for (unsigned i = 0; i < 20; i++)
		g_assert_cmpfloat(judge(w, a, 1000 + i, i % 2), ==, judge(w, b, 1000 + i, i % 2));
}

static void
test_read_back(void)
{
	struct world w;
	struct model *learned, *by_look_up, *preloaded;

	world_open(&w);
	learned = train(&w);
	by_look_up = bank_model(w.bank);
	preloaded = bank_model(w.bank);
	g_assert_true(bank_preload(w.bank, preloaded));
	g_assert_cmpfloat(judge(&w, learned, 1001, true), >, judge(&w, learned, 1000, false));
	assert_judge_alike(&w, learned, by_look_up);
	assert_judge_alike(&w, learned, preloaded);
	model_free(learned);
	model_free(by_look_up);
	model_free(preloaded);
	world_close(&w);
}

/* In another process too, a message is known. */
static void
test_idempotent(void)
{
	struct world w;
	struct model *model;

	world_open(&w);
	model_free(train(&w));
	model = bank_model(w.bank);
	g_assert_cmpint(learn(&w, model, 0, false), ==, MODEL_KNOWN);
	g_assert_cmpint(learn(&w, model, 0, true), ==, MODEL_LEARNED);
	model_free(model);
	world_close(&w);
}

static uint64_t
count(struct world *w, enum store_space space)
{
	struct store_status status;

	g_assert_cmpint(store_status(bank_store(w->bank), &status), ==, STORE_OK);
	return status.records[space];
}

static void
counts_of(struct world *w, const char *token, struct fisher_counts *ret_counts)
{
	uint32_t day;

	g_assert_true(bank_token(w->bank, token, strlen(token), ret_counts, &day));
}

static void
test_unlearn(void)
{
	struct world w;
	struct model *model;
	struct reading *r;
	struct fisher_counts before, after;
	double evidence;

	world_open(&w);
	model_free(train(&w));
	counts_of(&w, "pills", &before);
	g_assert_cmpuint(before.spam, ==, MESSAGES / 2);
	model = bank_model(w.bank);
	evidence = judge(&w, model, 2000, true);
	g_assert_cmpint(learn(&w, model, 777, true), ==, MODEL_LEARNED);
	commit(&w, model);
	model_free(model);
	counts_of(&w, "pills", &after);
	g_assert_cmpuint(after.spam, ==, before.spam + 1);
	g_assert_cmpuint(count(&w, STORE_MESSAGES), ==, MESSAGES + 1);

	model = bank_model(w.bank);
	r = make_reading(&w, 777, true);
	g_assert_cmpint(model_unlearn(model, &r->tokens, &r->features), ==, MODEL_FORGOTTEN);
	reading_free(r);
	commit(&w, model);
	counts_of(&w, "pills", &after);
	g_assert_cmpuint(after.spam, ==, before.spam);
	g_assert_cmpuint(count(&w, STORE_MESSAGES), ==, MESSAGES);
	g_assert_cmpuint(count(&w, STORE_MEMORY), ==, MESSAGES);
	/* What is left of it are the steps that it made others rehearse. */
	g_assert_cmpfloat_with_epsilon(judge(&w, model, 2000, true), evidence, 1.0);
	model_free(model);
	world_close(&w);
}

/* A model as a bulk run has it. */
static struct model *
bulk_model(struct world *w)
{
	struct model *model = bank_model(w->bank);

	g_assert_true(bank_preload(w->bank, model));
	model_defer(model);
	return model;
}

/* The first half is on its way to the disk, if it FLIES, while the second is learned, and a message
 * of each comes again. */
static struct model *
train_in_halves(struct world *w, bool flies)
{
	struct model *model = bulk_model(w);
	g_autoptr(GError) error = NULL;

	for (unsigned i = 0; i < MESSAGES / 2; i++)
		g_assert_cmpint(learn(w, model, i, i % 2), ==, MODEL_LEARNED);
	g_assert_true((flies ? bank_begin_commit : bank_commit)(w->bank, model, &error));
	for (unsigned i = MESSAGES / 2; i < MESSAGES; i++)
		g_assert_cmpint(learn(w, model, i, i % 2), ==, MODEL_LEARNED);
	g_assert_cmpint(learn(w, model, 4, false), ==, MODEL_KNOWN);
	g_assert_cmpint(learn(w, model, MESSAGES - 2, false), ==, MODEL_KNOWN);
	g_assert_true(bank_wait(w->bank, &error));
	g_assert_no_error(error);
	g_assert_true(model_rebuild(model));
	commit(w, model);
	return model;
}

static void
test_flight(void)
{
	struct world flown, walked;
	struct model *a, *b;
	struct fisher_counts counts;

	world_open(&flown);
	world_open(&walked);
	a = train_in_halves(&flown, true);
	b = train_in_halves(&walked, false);
	g_assert_cmpuint(count(&flown, STORE_MESSAGES), ==, MESSAGES);
	g_assert_cmpuint(count(&flown, STORE_MEMORY), ==, MESSAGES);
	counts_of(&flown, "pills", &counts);
	g_assert_cmpuint(counts.spam, ==, MESSAGES / 2);
	for (unsigned i = 0; i < 20; i++)
		g_assert_cmpfloat(
		    judge(&flown, a, 1000 + i, i % 2), ==, judge(&walked, b, 1000 + i, i % 2));
	model_free(a);
	model_free(b);
	world_close(&flown);
	world_close(&walked);
}

/* What is being written is known at once, and can be taken back at once. */
static void
test_flight_read(void)
{
	struct world w;
	struct model *model;
	struct reading *r;
	g_autoptr(GError) error = NULL;

	world_open(&w);
	model = bulk_model(&w);
	for (unsigned i = 0; i < MESSAGES; i++)
		g_assert_cmpint(learn(&w, model, i, i % 2), ==, MODEL_LEARNED);
	g_assert_true(bank_begin_commit(w.bank, model, &error));
	g_assert_cmpint(learn(&w, model, 0, false), ==, MODEL_KNOWN);
	g_assert_true(bank_begin_commit(w.bank, model, &error));
	r = make_reading(&w, 1, true);
	g_assert_cmpint(model_unlearn(model, &r->tokens, &r->features), ==, MODEL_FORGOTTEN);
	reading_free(r);
	commit(&w, model);
	g_assert_cmpuint(count(&w, STORE_MESSAGES), ==, MESSAGES - 1);
	g_assert_cmpuint(count(&w, STORE_MEMORY), ==, MESSAGES - 1);
	model_free(model);
	world_close(&w);
}

static void
limit_files(rlim_t size)
{
	struct rlimit limit;

	g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &limit), ==, 0);
	limit.rlim_cur = size;
	g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
}

/* The disk is full: who needs what could not be written fails, the wait tells it, and another model
 * learns it all. */
static void
test_flight_lost(void)
{
	struct world w;
	struct model *model;
	g_autoptr(GError) error = NULL;

	world_open(&w);
	model = bulk_model(&w);
	g_assert_cmpint(learn(&w, model, 0, false), ==, MODEL_LEARNED);
	signal(SIGXFSZ, SIG_IGN);
	limit_files(4096);
	g_assert_true(bank_begin_commit(w.bank, model, &error));
	g_assert_cmpint(learn(&w, model, 1, true), ==, MODEL_LEARNED);
	g_assert_cmpint(learn(&w, model, 0, false), ==, MODEL_FAILED);
	g_assert_false(bank_wait(w.bank, &error));
	g_assert_error(error, BANK_ERROR, BANK_FAILED);
	limit_files(RLIM_INFINITY);
	model_free(model);
	model_free(train(&w));
	g_assert_cmpuint(count(&w, STORE_MESSAGES), ==, MESSAGES);
	world_close(&w);
}

static void
test_missing_store(void)
{
	struct settings *settings = settings_new();
	g_autoptr(GError) error = NULL;

	g_assert_null(bank_open(settings, "/is/not/there", BANK_READ, &error));
	g_assert_nonnull(error);
	g_assert_false(g_file_test("/is", G_FILE_TEST_EXISTS));
	settings_free(settings);
}

/* As a store looks whose numbers another version wrote: spam was learned, its layout not named. */
static void
test_other_layout(void)
{
	const struct store_cell spam = {MODEL_HEAD_SPAM, STORE_ADD, 3};
	const struct store_delta delta = {.space = STORE_SLOTS,
	    .key = {BANK_HEAD_KEY, strlen(BANK_HEAD_KEY)},
	    .cells = &spam,
	    .n_cells = 1};
	const struct store_call nobody = {0};
	g_autoptr(GError) error = NULL;
	g_autofree char *way = NULL;
	struct world w;

	world_open(&w);
	store_add_many(bank_store(w.bank), &delta, 1, &nobody);
	store_wait(bank_store(w.bank));
	bank_close(w.bank);
	w.bank = bank_open(w.settings, w.folder, BANK_READ, &error);
	g_assert_null(w.bank);
	way = g_strdup_printf("\"greylag -d lmdb:%s dump token.dump\"", w.folder);
	g_assert_nonnull(strstr(error->message, "has layout 0, of an older greylag"));
	g_assert_nonnull(strstr(error->message, way));
	world_close(&w);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/bank/what-is-read-back-judges-alike", test_read_back);
	g_test_add_func("/bank/a-message-is-learned-once", test_idempotent);
	g_test_add_func("/bank/what-is-unlearned-is-gone", test_unlearn);
	g_test_add_func("/bank/a-model-learns-on-during-a-commit", test_flight);
	g_test_add_func("/bank/what-is-being-written-is-known", test_flight_read);
	g_test_add_func("/bank/a-commit-that-failed-is-told", test_flight_lost);
	g_test_add_func("/bank/reading-makes-no-store", test_missing_store);
	g_test_add_func("/bank/another-layout-is-refused", test_other_layout);
	return g_test_run();
}
