/* What is remembered of a message's delivery is read with it, on every driver. */
#include "config.h"

#include <string.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "classifier/bank/bank.h"
#include "classifier/bank/reader.h"
#include "db/history/deliveries.h"
#include "tests/unit/db/redis_server.h"
#include "tests/unit/db/store_drivers.h"

#define NOW G_GINT64_CONSTANT(4000000000)

static const char text[] = "From: a@example.org\nSubject: hello\n\nthe body of it\n";

struct world {
	const struct driver *driver;
	char *uri;
	struct settings *settings;
	struct bank *bank;
	struct reader *reader;
};

static void
world_open(struct world *w, gconstpointer data)
{
	g_autoptr(GError) error = NULL;

	w->driver = data;
	w->uri = w->driver->make_uri();
	w->settings = settings_new();
	g_assert_true(settings_assign(w->settings, "store.map_size=64M", &error));
	w->bank = bank_open(w->settings, w->uri, BANK_LEARN, &error);
	g_assert_no_error(error);
	w->reader = reader_new(w->settings);
	reader_set_bank(w->reader, w->bank);
}

static void
world_close(struct world *w, gconstpointer data G_GNUC_UNUSED)
{
	reader_free(w->reader);
	bank_close(w->bank);
	settings_free(w->settings);
	w->driver->remove(w->uri);
	g_free(w->uri);
}

static struct reading *
read_message(struct world *w)
{
	return reader_read(w->reader, (const uint8_t *)text, strlen(text));
}

static bool
has(const struct reading *r, const char *token)
{
	for (size_t i = 0; i < r->tokens.count; i++)
		if (r->tokens.list[i].length == strlen(token) &&
		    memcmp(tokens_text(&r->tokens, i), token, strlen(token)) == 0)
			return true;
	return false;
}

static void
deliver(struct world *w, enum delivery_verdict verdict)
{
	struct reading *r = read_message(w);
	struct reputation_rules rules = reputation_rules_of(w->settings);
	const struct delivery_record record = {.time = NOW,
	    .judged = verdict,
	    .verdict = verdict,
	    .greylist = {.contact = DELIVERY_FIRST, .delayed = 301, .attempts = 3, .moved = true}};
	const struct store_call nobody = {0};

	delivery_note(bank_store(w->bank), &rules, r->features.digest, &record, NOW, &nobody);
	store_wait(bank_store(w->bank));
	reading_free(r);
}

static void
forget(const struct store_bytes *old, struct store_change *change, void *job G_GNUC_UNUSED)
{
	if (old)
		store_change_delete(change);
}

static void
forget_delivery(struct world *w, const uint8_t digest[DELIVERY_KEY_SIZE])
{
	const struct store_call nobody = {0};

	store_update(bank_store(w->bank), STORE_DELIVERIES,
	    (struct store_bytes){digest, DELIVERY_KEY_SIZE}, forget, NULL, NULL, &nobody);
	store_wait(bank_store(w->bank));
}

static void
test_delivery(struct world *w, gconstpointer data G_GNUC_UNUSED)
{
	struct reading *r = read_message(w);

	g_assert_false(r->delivered);
	g_assert_false(has(r, "grey:first"));
	reading_free(r);
	deliver(w, DELIVERY_HAM);
	r = read_message(w);
	g_assert_true(r->delivered);
	g_assert_true(has(r, "grey:first"));
	g_assert_true(has(r, "grey:delay-15m"));
	g_assert_true(has(r, "grey:early-1"));
	g_assert_true(has(r, "grey:moved"));
	reading_free(r);
}

/* What was learned with them can be taken back exactly when the delivery is forgotten. */
static void
test_learned(struct world *w, gconstpointer data G_GNUC_UNUSED)
{
	struct model *model = bank_model(w->bank);
	struct reading *r;
	g_autoptr(GError) error = NULL;

	deliver(w, DELIVERY_HAM);
	r = read_message(w);
	g_assert_cmpint(
	    model_learn(model, &r->tokens, &r->features, false, 20000, NULL), ==, MODEL_LEARNED);
	g_assert_true(bank_commit(w->bank, model, &error));
	forget_delivery(w, r->features.digest);
	reading_free(r);
	r = read_message(w);
	g_assert_false(r->delivered);
	g_assert_true(has(r, "grey:first"));
	g_assert_cmpint(model_unlearn(model, &r->tokens, &r->features), ==, MODEL_FORGOTTEN);
	g_assert_true(bank_commit(w->bank, model, &error));
	reading_free(r);
	r = read_message(w);
	g_assert_false(has(r, "grey:first"));
	reading_free(r);
	model_free(model);
}

/* What was learned before it was delivered stays without. */
static void
test_learned_before(struct world *w, gconstpointer data G_GNUC_UNUSED)
{
	struct model *model = bank_model(w->bank);
	struct reading *r = read_message(w);
	g_autoptr(GError) error = NULL;

	g_assert_cmpint(
	    model_learn(model, &r->tokens, &r->features, false, 20000, NULL), ==, MODEL_LEARNED);
	g_assert_true(bank_commit(w->bank, model, &error));
	reading_free(r);
	deliver(w, DELIVERY_HAM);
	r = read_message(w);
	g_assert_true(r->delivered);
	g_assert_false(has(r, "grey:first"));
	reading_free(r);
	model_free(model);
}

static const struct {
	const char *promise;
	void (*test)(struct world *w, gconstpointer data);
} tests[] = {
    {"a-delivery-adds-its-tokens", test_delivery},
    {"what-was-learned-keeps-them", test_learned},
    {"what-was-learned-without-stays-without", test_learned_before},
};

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t d = 0; d < G_N_ELEMENTS(drivers); d++) {
		for (size_t i = 0; drivers[d].installed() && i < G_N_ELEMENTS(tests); i++) {
			g_autofree char *path =
			    g_strdup_printf("/recall/%s/%s", drivers[d].name, tests[i].promise);

			g_test_add(path, struct world, &drivers[d], world_open, tests[i].test,
			    world_close);
		}
	}
	return g_test_run();
}
