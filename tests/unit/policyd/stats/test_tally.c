#include "config.h"

#include <string.h>
#include <glib.h>

#include "db/open/open.h"
#include "tests/unit/db/bytes.h"
#include "db/store_driver.h"
#include "policyd/stats/tally.h"

#define T0 1795000000

static struct store *
open_mem(void)
{
	struct store_options options = {.uri = "mem:", .create = true};
	g_autoptr(GError) error = NULL;
	struct store *store = store_open(&options, &error);

	g_assert_no_error(error);
	return store;
}

struct cells {
	uint32_t counts[REASONS];
};

static void
on_value(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct cells *cells = context;

	for (unsigned i = 0; result == STORE_OK && i < REASONS; i++)
		cells->counts[i] = (uint32_t)store_cell_get(value, i);
}

static struct cells
hour(struct store *store, int64_t time)
{
	struct cells cells = {0};
	uint8_t key[TALLY_KEY_SIZE];

	store_wait(store);
	tally_key(time / 3600, key);
	store_get(store, STORE_HOURS, (struct store_bytes){key, sizeof key}, 0, on_value, &cells);
	return cells;
}

static void
count(struct tally *tally, enum reason reason, unsigned n)
{
	while (n--)
		tally_count(tally, reason);
}

static void
test_hours(void)
{
	struct tally *one = tally_new(), *other = tally_new();
	struct store *store = open_mem();
	struct cells cells;

	count(one, REASON_FIRST, 3);
	count(one, REASON_STORE_CORRUPT, 1);
	tally_flush(one, store, T0);
	store_wait(store);
	count(one, REASON_FIRST, 2);
	count(other, REASON_FIRST, 10);
	tally_flush(one, store, T0);
	tally_flush(other, store, T0);
	store_wait(store);
	count(one, REASON_PASSED, 4);
	tally_flush(one, store, T0 + 3600);
	cells = hour(store, T0);
	g_assert_cmpuint(cells.counts[REASON_FIRST], ==, 15);
	g_assert_cmpuint(cells.counts[REASON_STORE_CORRUPT], ==, 1);
	g_assert_cmpuint(cells.counts[REASON_PASSED], ==, 0);
	cells = hour(store, T0 + 3600);
	g_assert_cmpuint(cells.counts[REASON_PASSED], ==, 4);
	g_assert_cmpuint(cells.counts[REASON_FIRST], ==, 0);
	g_assert_cmpuint(tally_total(one, REASON_FIRST), ==, 5);
	g_assert_cmpuint(tally_total(one, REASON_EARLY), ==, 0);
	store_close(&store);
	tally_free(one);
	tally_free(other);
}

/* A store that answers as it is told. */
struct fake {
	struct store store;
	enum store_result result;
	struct store_call call; /* when it holds its answer back */
	bool holds;
	unsigned updates;
};

static void
fake_update(struct store *store, enum store_space space G_GNUC_UNUSED,
    struct store_bytes key G_GNUC_UNUSED, store_update_fn update G_GNUC_UNUSED, void *job,
    GDestroyNotify free_job, const struct store_call *call)
{
	struct fake *fake = (struct fake *)store;

	if (free_job)
		free_job(job);
	fake->updates++;
	fake->call = *call;
	if (!fake->holds)
		call->done(call->context, fake->result, NULL);
}

static const struct store_driver fake_driver = {.scheme = "fake", .update = fake_update};

static void
test_refused(void)
{
	static const struct {
		enum store_result result;
		unsigned again; /* what is counted with the next flush */
	} rows[] = {
	    {STORE_UNAVAILABLE, 7},
	    {STORE_FULL, 7},
	    {STORE_CORRUPT, 7},
	    {STORE_UNCERTAIN, 0},
	    {STORE_OK, 0},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct fake fake = {.store.driver = &fake_driver, .result = rows[i].result};
		struct tally *tally = tally_new();
		struct store *store = open_mem();

		count(tally, REASON_KNOWN, 7);
		tally_flush(tally, NULL, T0);
		tally_flush(tally, &fake.store, T0);
		g_assert_cmpuint(fake.updates, ==, 1);
		tally_flush(tally, store, T0);
		g_assert_cmpuint(hour(store, T0).counts[REASON_KNOWN], ==, rows[i].again);
		g_assert_cmpuint(tally_total(tally, REASON_KNOWN), ==, 7);
		store_close(&store);
		tally_free(tally);
	}
}

static void
test_under_way(void)
{
	struct fake fake = {.store.driver = &fake_driver, .holds = true};
	struct tally *tally = tally_new();
	struct store *store = open_mem();

	tally_flush(tally, &fake.store, T0);
	g_assert_cmpuint(fake.updates, ==, 0);
	count(tally, REASON_KNOWN, 7);
	tally_flush(tally, &fake.store, T0);
	count(tally, REASON_KNOWN, 2);
	tally_flush(tally, &fake.store, T0);
	g_assert_cmpuint(fake.updates, ==, 1);
	fake.call.done(fake.call.context, STORE_UNAVAILABLE, NULL);
	tally_flush(tally, store, T0);
	g_assert_cmpuint(hour(store, T0).counts[REASON_KNOWN], ==, 9);
	store_close(&store);
	tally_free(tally);
}

static void
test_key(void)
{
	static const uint8_t expected[] = {0x00, 0x07, 0x9b, 0xe2};
	uint8_t key[TALLY_KEY_SIZE];
	struct store_bytes bytes = {key, sizeof key}, cut = {key, 3};

	tally_key(0x079be2, key);
	assert_same_bytes(key, sizeof key, expected, sizeof expected);
	g_assert_cmpint(tally_key_hour(&bytes), ==, 0x079be2);
	g_assert_cmpint(tally_key_hour(&cut), ==, -1);
	tally_key(UINT32_MAX, key);
	g_assert_cmpint(tally_key_hour(&bytes), ==, UINT32_MAX);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/tally/hours-add-up-over-flushes-and-daemons", test_hours);
	g_test_add_func("/tally/what-the-store-refuses-is-added-again", test_refused);
	g_test_add_func("/tally/one-flush-at-a-time", test_under_way);
	g_test_add_func("/tally/key-is-the-hour-in-big-endian", test_key);
	return g_test_run();
}
