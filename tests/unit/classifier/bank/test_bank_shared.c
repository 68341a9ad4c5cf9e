/*
 * Several trainers of one store on a Redis server: no count is lost, none is doubled, and what is
 * unlearned is gone to the bit.
 */
#include "config.h"

#include <string.h>
#include <glib.h>

#include "classifier/bank/bank.h"
#include "classifier/bank/turn.h"
#include "classifier/bank/reader.h"
#include "tests/unit/db/redis_server.h"

#define MESSAGES 60

struct trainer {
	struct bank *bank;
	struct model *model;
};

struct world {
	struct redis_server server;
	struct settings *settings;
	struct reader *reader;
	struct trainer a, b;
};

static struct trainer
new_trainer(struct world *w)
{
	g_autofree char *uri = redis_server_uri(&w->server);
	g_autoptr(GError) error = NULL;
	struct trainer t = {.bank = bank_open(w->settings, uri, BANK_LEARN, &error)};

	g_assert_no_error(error);
	t.model = bank_model(t.bank);
	g_assert_nonnull(t.model);
	return t;
}

static void
end_trainer(struct trainer *t)
{
	model_free(t->model);
	bank_close(t->bank);
}

static void
set_up(struct world *w, gconstpointer data G_GNUC_UNUSED)
{
	redis_server_start(&w->server, NULL);
	w->settings = settings_new();
	w->reader = reader_new(w->settings);
	w->a = new_trainer(w);
	w->b = new_trainer(w);
}

static void
tear_down(struct world *w, gconstpointer data G_GNUC_UNUSED)
{
	end_trainer(&w->a);
	end_trainer(&w->b);
	reader_free(w->reader);
	settings_free(w->settings);
	redis_server_clear(&w->server);
}

static void
anew(struct trainer *t)
{
	model_free(t->model);
	t->model = bank_model(t->bank);
}

static struct reading *
make_reading(struct world *w, unsigned number)
{
	bool spam = number % 2;
	g_autofree char *text = g_strdup_printf(
	    "From: %s%u@example.org\nSubject: %s %u\nMessage-ID: <%u@example.org>\n\n"
	    "%s number %u of this week, word%u other%u\n",
	    spam ? "seller" : "colleague", number, spam ? "cheap pills" : "our meeting", number,
	    number, spam ? "Buy pills cheap now, offer" : "Please send the minutes, item", number,
	    number * 7, number * 13);

	return reader_read(w->reader, (const uint8_t *)text, strlen(text));
}

/* Odd numbers are spam. */
static enum model_learned
learn(struct world *w, struct trainer *t, unsigned number)
{
	struct reading *r = make_reading(w, number);
	enum model_learned outcome =
	    model_learn(t->model, &r->tokens, &r->features, number % 2, 20000, NULL);

	reading_free(r);
	return outcome;
}

static enum model_learned
forget(struct world *w, struct trainer *t, unsigned number)
{
	struct reading *r = make_reading(w, number);
	enum model_learned outcome = model_unlearn(t->model, &r->tokens, &r->features);

	reading_free(r);
	return outcome;
}

static void
assert_commits(struct trainer *t)
{
	g_autoptr(GError) error = NULL;

	g_assert_true(bank_commit(t->bank, t->model, &error));
	g_assert_no_error(error);
}

static void
assert_collides(struct trainer *t)
{
	g_autoptr(GError) error = NULL;

	g_assert_false(bank_commit(t->bank, t->model, &error));
	g_assert_error(error, BANK_ERROR, BANK_CONFLICT);
	anew(t);
}

static unsigned
spam_with(struct world *w, const char *token)
{
	struct fisher_counts counts;
	uint32_t day;

	g_assert_true(bank_token(w->a.bank, token, strlen(token), &counts, &day));
	return counts.spam;
}

static bool
is_zero(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	bool head = key->length != BANK_PAGE_KEY;

	for (uint32_t i = 0; i < value->length / 4; i++)
		if (!head || !bank_head_is_maximum(i))
			*(unsigned *)context += store_cell_get(value, i) != 0;
	return true;
}

/* Forgets all that was learned; then no number may be left. */
static void
assert_forgets_all(struct world *w, unsigned n)
{
	struct store_cursor cursor = {0};
	struct store *store = bank_store(w->a.bank);
	struct store_status status;
	unsigned left = 0;
	struct store_call call = {.context = &left};

	anew(&w->a);
	for (unsigned i = 0; i < n; i++)
		g_assert_cmpint(forget(w, &w->a, i), ==, MODEL_FORGOTTEN);
	assert_commits(&w->a);
	while (!cursor.end) {
		store_scan(store, STORE_SLOTS, &cursor, 500, is_zero, &call);
		store_wait(store);
	}
	g_assert_cmpuint(left, ==, 0);
	g_assert_cmpint(store_status(store, &status), ==, STORE_OK);
	g_assert_cmpuint(status.records[STORE_TOKENS], ==, 0);
	g_assert_cmpuint(status.records[STORE_MESSAGES], ==, 0);
	g_assert_cmpuint(status.records[STORE_MEMORY], ==, 0);
}

/* Both rehearse what the other has learned, by what they had read before. */
static void
test_two_trainers(struct world *w, gconstpointer data G_GNUC_UNUSED)
{
	for (unsigned i = 0; i < 10; i++)
		g_assert_cmpint(learn(w, &w->a, i), ==, MODEL_LEARNED);
	assert_commits(&w->a);
	anew(&w->b);
	for (unsigned i = 10; i < MESSAGES; i++) {
		struct trainer *t = i / 2 % 2 ? &w->a : &w->b;

		g_assert_cmpint(learn(w, t, i), ==, MODEL_LEARNED);
		if (i % 7 == 6)
			assert_commits(t);
	}
	assert_commits(&w->a);
	assert_commits(&w->b);
	g_assert_cmpuint(spam_with(w, "pills"), ==, MESSAGES / 2);
	assert_forgets_all(w, MESSAGES);
}

/* What is remembered is read at once in a long run, as is what the registry knows of it. */
static void
test_long_runs(struct world *w, gconstpointer data G_GNUC_UNUSED)
{
	struct reading *readings[MESSAGES];
	const struct features *features[MESSAGES];
	struct trainer *trainers[] = {&w->a, &w->b};

	for (unsigned i = 0; i < MESSAGES; i++) {
		readings[i] = make_reading(w, i);
		features[i] = &readings[i]->features;
	}
	for (unsigned t = 0; t < 2; t++) {
		g_assert_true(bank_preload(trainers[t]->bank, trainers[t]->model));
		bank_expect(trainers[t]->bank, features, MESSAGES);
	}
	for (unsigned i = 0; i < MESSAGES; i++) {
		struct trainer *t = trainers[i / 2 % 2];
		g_autoptr(GError) error = NULL;

		g_assert_cmpint(learn(w, t, i), ==, MODEL_LEARNED);
		if (i % 9 == 8)
			g_assert_true(bank_begin_commit(t->bank, t->model, &error));
	}
	for (unsigned t = 0; t < 2; t++) {
		bool fresh;

		assert_commits(trainers[t]);
		g_assert_true(bank_begin_rebuild(trainers[t]->bank, &fresh));
		g_assert_false(fresh);
		anew(trainers[t]);
		g_assert_true(bank_preload(trainers[t]->bank, trainers[t]->model));
		g_assert_true(model_rebuild(trainers[t]->model));
		assert_commits(trainers[t]);
	}
	for (unsigned i = 0; i < MESSAGES; i++)
		reading_free(readings[i]);
	g_assert_cmpuint(spam_with(w, "pills"), ==, MESSAGES / 2);
	assert_forgets_all(w, MESSAGES);
}

/* What another has remembered since this one has read the memory is found too, when its message is
 * forgotten. */
static void
test_forgets_news(struct world *w, gconstpointer data G_GNUC_UNUSED)
{
	for (unsigned i = 0; i < 4; i++)
		g_assert_cmpint(learn(w, &w->a, i), ==, MODEL_LEARNED);
	assert_commits(&w->a);
	anew(&w->b);
	g_assert_true(bank_preload(w->b.bank, w->b.model));
	for (unsigned i = 4; i < 8; i++)
		g_assert_cmpint(learn(w, &w->a, i), ==, MODEL_LEARNED);
	assert_commits(&w->a);
	for (unsigned i = 4; i < 8; i++)
		g_assert_cmpint(forget(w, &w->b, i), ==, MODEL_FORGOTTEN);
	assert_commits(&w->b);
	assert_forgets_all(w, 4);
}

static void
test_same_message(struct world *w, gconstpointer data G_GNUC_UNUSED)
{
	for (unsigned i = 0; i < 20; i++) {
		g_assert_cmpint(learn(w, &w->a, i), ==, MODEL_LEARNED);
		g_assert_cmpint(learn(w, &w->b, i + 19), ==, MODEL_LEARNED);
	}
	assert_commits(&w->a);
	/* All of the batch is to be learned again, and that both had is known by then. */
	assert_collides(&w->b);
	for (unsigned i = 19; i < 39; i++)
		g_assert_cmpint(learn(w, &w->b, i), ==, i == 19 ? MODEL_KNOWN : MODEL_LEARNED);
	assert_commits(&w->b);
	g_assert_cmpuint(spam_with(w, "pills"), ==, 19);
	assert_forgets_all(w, 39);
}

/* One rehearses a message that the other forgets meanwhile. */
static void
test_forgotten_meanwhile(struct world *w, gconstpointer data G_GNUC_UNUSED)
{
	for (unsigned i = 0; i < 4; i++)
		g_assert_cmpint(learn(w, &w->a, i), ==, MODEL_LEARNED);
	assert_commits(&w->a);
	anew(&w->b);
	g_assert_cmpint(learn(w, &w->b, 4), ==, MODEL_LEARNED);
	for (unsigned i = 1; i < 4; i += 2)
		g_assert_cmpint(forget(w, &w->a, i), ==, MODEL_FORGOTTEN);
	assert_commits(&w->a);
	assert_collides(&w->b);
	for (unsigned i = 0; i < 5; i++)
		g_assert_cmpint(
		    learn(w, &w->b, i), ==, i == 4 || i % 2 ? MODEL_LEARNED : MODEL_KNOWN);
	assert_commits(&w->b);
	assert_forgets_all(w, 5);
}

static unsigned
mgets(struct world *w)
{
	g_autofree char *stats = redis_server_ask(&w->server, "INFO", "commandstats", NULL);
	const char *calls = strstr(stats, "cmdstat_mget:calls=");

	return calls ? (unsigned)g_ascii_strtoull(strchr(calls, '=') + 1, NULL, 10) : 0;
}

static double
judge(struct world *w, struct trainer *t, unsigned number)
{
	struct reading *r = make_reading(w, number);
	struct model_score score;

	g_assert_true(model_judge(t->model, &r->tokens, &r->features, &score));
	reading_free(r);
	return score.evidence;
}

static void
test_one_round_trip(struct world *w, gconstpointer data G_GNUC_UNUSED)
{
	double evidence, learned_again;
	unsigned before;

	for (unsigned i = 0; i < 30; i++)
		g_assert_cmpint(learn(w, &w->a, i), ==, MODEL_LEARNED);
	assert_commits(&w->a);
	anew(&w->b);
	before = mgets(w);
	evidence = judge(w, &w->b, 101);
	g_assert_cmpuint(mgets(w), ==, before + 1);
	/* What was read ahead does not outlive a commit. */
	g_assert_cmpint(learn(w, &w->b, 101), ==, MODEL_LEARNED);
	learned_again = judge(w, &w->b, 101);
	g_assert_cmpfloat(learned_again, !=, evidence);
	assert_commits(&w->b);
	g_assert_cmpfloat(judge(w, &w->b, 101), ==, learned_again);
	anew(&w->a);
	g_assert_cmpfloat(judge(w, &w->a, 101), ==, learned_again);
}

/* -- the turn -- */

static void
put_turn(const struct store_bytes *old, struct store_change *change, void *job)
{
	struct bank_turn turn, wanted = *(const struct bank_turn *)job;
	uint8_t bytes[BANK_TURN_MAX];

	bank_turn_decode(old, &turn);
	wanted.commits += turn.commits;
	store_change_put(change, bytes, bank_turn_encode(&wanted, bytes), 0);
}

static void
set_turn(struct trainer *t, struct bank_turn turn)
{
	const struct store_call nobody = {0};

	store_update(bank_store(t->bank), STORE_MODEL,
	    (struct store_bytes){BANK_TURN_KEY, strlen(BANK_TURN_KEY)}, put_turn,
	    g_memdup2(&turn, sizeof turn), g_free, &nobody);
	store_wait(bank_store(t->bank));
}

static void
test_turn_ends(struct world *w, gconstpointer data G_GNUC_UNUSED)
{
	int64_t now = store_now(bank_store(w->a.bank)), begun = g_get_monotonic_time();

	set_turn(&w->b, (struct bank_turn){.holder = 4711, .until = now + 2});
	g_assert_cmpint(learn(w, &w->a, 1), ==, MODEL_LEARNED);
	assert_commits(&w->a);
	g_assert_cmpint(g_get_monotonic_time() - begun, >, G_USEC_PER_SEC / 2);
	g_assert_cmpint(g_get_monotonic_time() - begun, <, 60 * G_USEC_PER_SEC);
	g_assert_cmpuint(spam_with(w, "pills"), ==, 1);
}

/* A rebuild takes out and puts in again what it has read: if another committed in between that
 * would be wrong, so that nothing is written. */
static void
test_rebuild_overtaken(struct world *w, gconstpointer data G_GNUC_UNUSED)
{
	bool fresh;

	for (unsigned i = 0; i < 20; i++)
		g_assert_cmpint(learn(w, &w->a, i), ==, MODEL_LEARNED);
	assert_commits(&w->a);
	g_assert_true(bank_begin_rebuild(w->a.bank, &fresh));
	g_assert_true(fresh);
	g_assert_true(model_rebuild(w->a.model));
	set_turn(&w->b, (struct bank_turn){.commits = 1});
	assert_collides(&w->a);
	assert_forgets_all(w, 20);
}

static bool
is_owed(struct world *w)
{
	struct trainer reader = new_trainer(w);
	struct model_totals totals;

	model_totals(reader.model, &totals);
	end_trainer(&reader);
	return totals.owed;
}

static void
rebuild(struct trainer *t)
{
	bool fresh;

	g_assert_true(bank_begin_rebuild(t->bank, &fresh));
	if (!fresh) {
		anew(t);
		g_assert_true(bank_preload(t->bank, t->model));
	}
	g_assert_true(model_rebuild(t->model));
	assert_commits(t);
}

/* A bulk run only counts, and owes the steps of its messages until the tables are made anew; also
 * those that it learns after another has made them anew. */
static void
test_owed(struct world *w, gconstpointer data G_GNUC_UNUSED)
{
	for (unsigned i = 0; i < 20; i++)
		g_assert_cmpint(learn(w, &w->a, i), ==, MODEL_LEARNED);
	assert_commits(&w->a);
	anew(&w->b);
	g_assert_true(bank_preload(w->b.bank, w->b.model));
	model_defer(w->b.model);
	bank_defer(w->b.bank);
	for (unsigned i = 20; i < 40; i++)
		g_assert_cmpint(learn(w, &w->b, i), ==, MODEL_LEARNED);
	assert_commits(&w->b);
	g_assert_true(is_owed(w));
	rebuild(&w->a);
	g_assert_false(is_owed(w));
	for (unsigned i = 40; i < MESSAGES; i++)
		g_assert_cmpint(learn(w, &w->b, i), ==, MODEL_LEARNED);
	assert_commits(&w->b);
	g_assert_true(is_owed(w));
	rebuild(&w->b);
	g_assert_false(is_owed(w));
	assert_forgets_all(w, MESSAGES);
}

static const struct {
	const char *promise;
	void (*test)(struct world *w, gconstpointer data);
} tests[] = {
    {"two-trainers-lose-no-count", test_two_trainers},
    {"long-runs-lose-no-count", test_long_runs},
    {"news-of-others-are-forgotten-whole", test_forgets_news},
    {"a-message-of-two-trainers-counts-once", test_same_message},
    {"what-was-forgotten-meanwhile-stays-forgotten", test_forgotten_meanwhile},
    {"a-message's-pages-are-read-in-one-round-trip", test_one_round_trip},
    {"what-a-bulk-run-owes-is-not-settled-by-another", test_owed},
    {"a-trainer-that-does-not-come-back-is-waited-for-no-longer", test_turn_ends},
    {"a-rebuild-that-is-overtaken-is-not-written", test_rebuild_overtaken},
};

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; redis_server_installed() && i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *path = g_strdup_printf("/bank-shared/%s", tests[i].promise);

		g_test_add(path, struct world, NULL, set_up, tests[i].test, tear_down);
	}
	return g_test_run();
}
