/*
 * The contract of db/store.h for the spaces of the token environment, which a driver may keep in
 * other ways than records of policy: on every driver; and what is Redis' own about large updates.
 */
#include "config.h"

#include <signal.h>
#include <string.h>
#include <glib.h>

#include "db/store.h"
#include "tests/unit/db/bytes.h"
#include "tests/unit/db/store_drivers.h"
#include "tests/unit/db/store_world.h"

struct fixture {
	const struct driver *driver;
	char *uri;
	struct store *store;
};

static struct store *
open_uri(const char *uri)
{
	const struct store_options options = {.uri = uri, .create = true, .map_size = 64 << 20};

	return open_store(&options);
}

static void
set_up(struct fixture *f, gconstpointer data)
{
	f->driver = data;
	f->uri = f->driver->make_uri();
	f->store = open_uri(f->uri);
}

static void
tear_down(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	store_close(&f->store);
	f->driver->remove(f->uri);
	g_free(f->uri);
}

/* -- records -- */

static int32_t
cell(struct store *store, enum store_space space, const char *key, uint32_t index)
{
	g_autoptr(GByteArray) value = get_record(store, space, key);
	struct store_bytes b = {value ? value->data : NULL, value ? value->len : 0};

	return value ? store_cell_get(&b, index) : INT32_MIN;
}

static void
put(struct store *store, enum store_space space, const char *key, const char *text)
{
	g_assert_cmpint(put_text(store, space, key, text, 0, 0), ==, STORE_OK);
}

static const enum store_space spaces[] = {
    STORE_TOKENS, STORE_SLOTS, STORE_MESSAGES, STORE_MEMORY, STORE_MODEL, STORE_VERDICTS};

static void
test_records(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	for (size_t i = 0; i < G_N_ELEMENTS(spaces); i++) {
		put(f->store, spaces[i], "k", "one");
		put(f->store, spaces[i], "other", "four letters");
		assert_value(f->store, spaces[i], "k", "one");
		put(f->store, spaces[i], "k", "twofold!");
		assert_value(f->store, spaces[i], "k", "twofold!");
		put(f->store, spaces[i], "k", "");
		assert_value(f->store, spaces[i], "k", NULL);
		assert_value(f->store, spaces[i], "other", "four letters");
	}
}

/* -- cells -- */

static void
add(struct store *store, enum store_space space, const char *key, const struct store_cell *cells,
    size_t n)
{
	struct store_delta delta = {space, bytes(key), cells, n, 0};
	enum store_result result = STORE_UNAVAILABLE;
	struct store_call call = {.done = on_done, .context = &result};

	store_add_many(store, &delta, 1, &call);
	store_wait(store);
	g_assert_cmpint(result, ==, STORE_OK);
}

static void
test_cells(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	static const enum store_space of[] = {STORE_TOKENS, STORE_SLOTS, STORE_VERDICTS};
	const struct store_cell first[] = {
	    {0, STORE_ADD, 5}, {2, STORE_ADD, -7}, {3, STORE_MAX, 9}};
	const struct store_cell second[] = {{0, STORE_ADD, INT32_MAX}, {2, STORE_ADD, INT32_MIN},
	    {3, STORE_MAX, 8}, {1, STORE_ADD, 1}};
	const struct store_cell last = {STORE_CELLS_MAX - 1, STORE_ADD, INT32_MIN};

	for (size_t i = 0; i < G_N_ELEMENTS(of); i++) {
		g_autoptr(GByteArray) value = NULL, longest = NULL;

		add(f->store, of[i], "c", first, G_N_ELEMENTS(first));
		value = get_record(f->store, of[i], "c");
		assert_same_bytes(
		    value->data, value->len, "\0\0\0\5\0\0\0\0\xff\xff\xff\xf9\0\0\0\x09", 16);
		add(f->store, of[i], "c", second, G_N_ELEMENTS(second));
		g_assert_cmpint(cell(f->store, of[i], "c", 0), ==, 5);
		g_assert_cmpint(cell(f->store, of[i], "c", 1), ==, 1);
		g_assert_cmpint(cell(f->store, of[i], "c", 2), ==, -7);
		g_assert_cmpint(cell(f->store, of[i], "c", 3), ==, 9);
		add(f->store, of[i], "c", &last, 1);
		longest = get_record(f->store, of[i], "c");
		g_assert_cmpuint(longest->len, ==, 4 * STORE_CELLS_MAX);
		g_assert_cmpint(cell(f->store, of[i], "c", STORE_CELLS_MAX - 1), ==, INT32_MIN);
	}
}

/* -- many -- */

static void
on_many(void *context, size_t index, enum store_result result, const struct store_bytes *value)
{
	unsigned *seen = context;

	seen[index]++;
	g_assert_cmpint(result, ==, index % 3 ? STORE_OK : STORE_NOT_FOUND);
	if (value)
		g_assert_cmpuint(value->length, ==, index);
}

static void
test_get_many(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	for (size_t s = 0; s < G_N_ELEMENTS(spaces); s++) {
		struct store_bytes keys[30];
		char names[30][8];
		unsigned seen[30] = {0};

		for (unsigned i = 0; i < 30; i++) {
			g_autofree char *text = g_strnfill(i, 'x');

			g_snprintf(names[i], sizeof names[i], "k%u", i);
			keys[i] = bytes(names[i]);
			if (i % 3)
				put(f->store, spaces[s], names[i], text);
		}
		store_get_many(f->store, spaces[s], keys, 30, 0, on_many, seen);
		store_wait(f->store);
		for (unsigned i = 0; i < 30; i++)
			g_assert_cmpuint(seen[i], ==, 1);
	}
}

/* -- cells of many -- */

#define RECORDS 60

struct cells_read {
	struct store *store;
	char keys[RECORDS][8];
	struct store_range ranges[RECORDS];
	GByteArray *cells[RECORDS];
	unsigned seen;
};

static void
on_range(void *context, size_t index, enum store_result result, const struct store_bytes *value)
{
	struct cells_read *read = context;

	g_assert_cmpint(result, ==, index % 5 ? STORE_OK : STORE_NOT_FOUND);
	g_assert_null(read->cells[index]);
	read->cells[index] = g_byte_array_new();
	if (value)
		g_byte_array_append(read->cells[index], value->data, (guint)value->length);
	read->seen++;
}

/* What is wanted of the whole value, as far as it is there. */
static void
check_range(struct cells_read *read, size_t i)
{
	const struct store_range *range = &read->ranges[i];
	g_autoptr(GByteArray) whole = get_record(read->store, STORE_SLOTS, read->keys[i]);
	size_t length = whole ? whole->len : 0, from = MIN(4 * (size_t)range->first, length);
	size_t wanted = MIN(4 * (size_t)range->count, length - from);

	assert_same_bytes(read->cells[i]->data, read->cells[i]->len,
	    whole ? (const char *)whole->data + from : "", wanted);
	g_clear_pointer(&read->cells[i], g_byte_array_unref);
}

static void
check_ranges(struct cells_read *read, uint32_t first, uint32_t count)
{
	for (size_t i = 0; i < RECORDS; i++)
		read->ranges[i] = (struct store_range){
		    .key = bytes(read->keys[i]), .first = first, .count = count};
	read->seen = 0;
	store_get_cells(read->store, STORE_SLOTS, read->ranges, RECORDS, 0, on_range, read);
	store_wait(read->store);
	g_assert_cmpuint(read->seen, ==, RECORDS);
	for (size_t i = 0; i < RECORDS; i++)
		check_range(read, i);
}

/* Values of a few bytes to a whole page, changed between two reads. */
static void
test_get_cells(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	static const uint32_t last[] = {3, 400, 510, 600, 1018, STORE_CELLS_MAX - 1};
	struct cells_read read = {.store = f->store};

	for (size_t i = 0; i < RECORDS; i++)
		g_snprintf(read.keys[i], sizeof read.keys[i], "k%02zu", i);
	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < RECORDS; i++) {
			const struct store_cell cells[] = {{0, STORE_ADD, (int32_t)i + 1},
			    {2, STORE_ADD, 70000},
			    {last[i % G_N_ELEMENTS(last)], STORE_ADD, -(int32_t)i}};

			if (i % 5)
				add(f->store, STORE_SLOTS, read.keys[i], cells,
				    G_N_ELEMENTS(cells));
		}
		check_ranges(&read, 0, 1);
		check_ranges(&read, 2, 400);
		check_ranges(&read, 400, 620);
		check_ranges(&read, 600, 1);
		check_ranges(&read, 1019, STORE_CELLS_MAX);
		check_ranges(&read, UINT32_MAX, UINT32_MAX);
	}
	store_get_cells(f->store, STORE_SLOTS, NULL, 0, 0, on_range, &read);
}

/* -- scans -- */

struct scanned {
	GPtrArray *keys;
	GHashTable *seen;
	unsigned stop_after;
};

static bool
on_record(
    void *context, const struct store_bytes *key, const struct store_bytes *value, int64_t expires)
{
	struct scanned *scanned = context;
	char *name = g_strndup(key->data, key->length);

	g_assert_cmpint(expires, ==, 0);
	assert_same_bytes(value->data, value->length, key->data, key->length);
	g_ptr_array_add(scanned->keys, name);
	g_hash_table_add(scanned->seen, name);
	return scanned->keys->len != scanned->stop_after;
}

static struct scanned
scan(struct store *store, enum store_space space, struct store_cursor cursor, unsigned limit)
{
	struct scanned scanned = {.keys = g_ptr_array_new_with_free_func(g_free),
	    .seen = g_hash_table_new(g_str_hash, g_str_equal)};
	struct store_call call = {.context = &scanned};

	while (!cursor.end) {
		store_scan(store, space, &cursor, limit, on_record, &call);
		store_wait(store);
	}
	return scanned;
}

static void
scanned_clear(struct scanned *scanned)
{
	g_hash_table_unref(scanned->seen);
	g_ptr_array_unref(scanned->keys);
}

static void
fill(struct store *store, enum store_space space, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		g_autofree char *key = g_strdup_printf("key%04u", i * 7919 % 10000);

		put(store, space, key, key);
	}
}

static void
test_scan(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	static const unsigned limits[] = {1, 7, 1000};

	for (size_t s = 0; s < G_N_ELEMENTS(spaces); s++) {
		fill(f->store, spaces[s], 100);
		for (size_t i = 0; i < G_N_ELEMENTS(limits); i++) {
			struct store_cursor begin = {0};
			struct scanned all = scan(f->store, spaces[s], begin, limits[i]);

			g_assert_cmpuint(g_hash_table_size(all.seen), ==, 100);
			scanned_clear(&all);
		}
	}
}

/* Rehearsal looks for what lies next above a point: pages and memory are scanned in order, from any
 * place, and whoever stops goes on behind. */
static void
test_order(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	static const enum store_space of[] = {STORE_SLOTS, STORE_MEMORY};

	for (size_t s = 0; s < G_N_ELEMENTS(of); s++) {
		struct store_cursor behind = {.length = 7, .bytes = "key5000"};
		struct scanned some, *list = &some;
		guint above;

		fill(f->store, of[s], 100);
		some = scan(f->store, of[s], behind, 3);
		g_assert_cmpuint(list->keys->len, ==, g_hash_table_size(list->seen));
		g_assert_cmpuint(list->keys->len, >, 20);
		for (guint i = 0; i < list->keys->len; i++)
			g_assert_cmpstr(i ? g_ptr_array_index(list->keys, i - 1) : "key5000", <,
			    (const char *)g_ptr_array_index(list->keys, i));
		above = list->keys->len;
		scanned_clear(list);
		some = (struct scanned){.keys = g_ptr_array_new_with_free_func(g_free),
		    .seen = g_hash_table_new(g_str_hash, g_str_equal),
		    .stop_after = 1};
		struct store_call call = {.context = list};

		for (unsigned i = 0; i < 2; i++) {
			store_scan(f->store, of[s], &behind, 100, on_record, &call);
			store_wait(f->store);
		}
		g_assert_cmpuint(g_hash_table_size(list->seen), ==, above);
		g_assert_cmpuint(list->keys->len, ==, above);
		scanned_clear(list);
	}
}

/* -- large updates -- */

#define TOKENS  2000
#define PAGES   150
#define DIGESTS 200

/* Each adds one to all tokens, two to a cell of all pages, and puts what is remembered. */
struct large {
	unsigned round;
	bool forget, too_long;
};

static void
say_large(const struct store_bytes *old, struct store_change *change, void *data)
{
	const struct large *large = data;
	g_autofree char *text = g_strdup_printf("%u", large->round);
	char key[STORE_KEY_MAX + 2];

	g_assert_true(!old == !large->round);
	for (unsigned i = 0; i < TOKENS; i++) {
		const struct store_cell cells[] = {
		    {i % 2, STORE_ADD, 1}, {2, STORE_MAX, (int32_t)large->round}};

		g_snprintf(key, sizeof key, "token%u", i);
		store_change_also_add(
		    change, &(struct store_delta){STORE_TOKENS, bytes(key), cells, 2, 0});
	}
	for (unsigned i = 0; i < PAGES; i++) {
		const struct store_cell two = {i * 6 % STORE_CELLS_MAX, STORE_ADD, 2};

		g_snprintf(key, sizeof key, "p%u", i);
		store_change_also_add(
		    change, &(struct store_delta){STORE_SLOTS, bytes(key), &two, 1, 0});
	}
	for (unsigned i = 0; i < DIGESTS; i++) {
		g_snprintf(key, sizeof key, "message%u", i);
		store_change_also_put(change, STORE_MESSAGES, bytes(key), bytes(text), 0);
		if (large->forget)
			store_change_also_delete(change, STORE_MEMORY, bytes(key));
		else
			store_change_also_put(change, STORE_MEMORY, bytes(key), bytes(key), 0);
	}
	if (large->too_long) {
		memset(key, 'k', sizeof key - 1);
		key[sizeof key - 1] = '\0';
		store_change_also_delete(change, STORE_MEMORY, bytes(key));
	}
	store_change_put(change, text, strlen(text), 0);
}

static enum store_result
update_large(struct store *store, struct large large)
{
	enum store_result result = STORE_OK;
	struct store_call call = {.done = on_done, .context = &result};

	store_update(store, STORE_MODEL, bytes("round"), say_large, g_memdup2(&large, sizeof large),
	    g_free, &call);
	store_wait(store);
	return result;
}

static void
test_large(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct store_cursor begin = {0};
	struct scanned memory;

	g_assert_cmpint(update_large(f->store, (struct large){.round = 0}), ==, STORE_OK);
	g_assert_cmpint(update_large(f->store, (struct large){.round = 1}), ==, STORE_OK);
	memory = scan(f->store, STORE_MEMORY, begin, 50);
	g_assert_cmpuint(memory.keys->len, ==, DIGESTS);
	scanned_clear(&memory);
	/* One transaction: what is refused is refused whole. */
	g_assert_cmpint(update_large(f->store, (struct large){.round = 2, .too_long = true}), ==,
	    STORE_UNAVAILABLE);
	g_assert_cmpint(
	    update_large(f->store, (struct large){.round = 2, .forget = true}), ==, STORE_OK);
	for (unsigned i = 0; i < TOKENS; i += 97) {
		g_autofree char *key = g_strdup_printf("token%u", i);

		g_assert_cmpint(cell(f->store, STORE_TOKENS, key, i % 2), ==, 3);
		g_assert_cmpint(cell(f->store, STORE_TOKENS, key, 1 - i % 2), ==, 0);
		g_assert_cmpint(cell(f->store, STORE_TOKENS, key, 2), ==, 2);
	}
	for (unsigned i = 0; i < PAGES; i += 7) {
		g_autofree char *key = g_strdup_printf("p%u", i);

		g_assert_cmpint(cell(f->store, STORE_SLOTS, key, i * 6 % STORE_CELLS_MAX), ==, 6);
	}
	assert_value(f->store, STORE_MESSAGES, "message7", "2");
	assert_value(f->store, STORE_MODEL, "round", "2");
	memory = scan(f->store, STORE_MEMORY, begin, 50);
	g_assert_cmpuint(memory.keys->len, ==, 0);
	scanned_clear(&memory);
}

static void
test_status(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct store_status status;

	g_assert_cmpint(update_large(f->store, (struct large){.round = 0}), ==, STORE_OK);
	g_assert_cmpint(store_status(f->store, &status), ==, STORE_OK);
	g_assert_cmpuint(status.records[STORE_MESSAGES], ==, DIGESTS);
	g_assert_cmpuint(status.records[STORE_MEMORY], ==, DIGESTS);
	g_assert_cmpuint(status.records[STORE_SLOTS], ==, PAGES);
	g_assert_cmpuint(status.records[STORE_TOKENS], >=, TOKENS * 6 / 10);
	g_assert_cmpuint(status.records[STORE_TOKENS], <=, TOKENS * 14 / 10);
	if (!status.approximate)
		g_assert_cmpuint(status.records[STORE_TOKENS], ==, TOKENS);
}

#ifdef HAVE_REDIS

/* -- several trainers, and a server that dies -- */

struct adding {
	unsigned waiting, certain, refused;
};

static void
on_added(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct adding *adding = context;

	adding->waiting--;
	adding->certain += result == STORE_OK;
	adding->refused += result == STORE_UNAVAILABLE;
}

/* Adds one to each of so many tokens, and to a cell of a page. */
static void
add_to_all(struct store *store, unsigned n, struct adding *adding)
{
	const struct store_cell one = {0, STORE_ADD, 1};
	g_autofree struct store_delta *deltas = g_new(struct store_delta, n + 1);
	g_autofree char *names = g_malloc(n * 12);
	struct store_call call = {.done = on_added, .context = adding};

	for (unsigned i = 0; i < n; i++) {
		g_snprintf(names + i * 12, 12, "token%u", i);
		deltas[i] = (struct store_delta){STORE_TOKENS, bytes(names + i * 12), &one, 1, 0};
	}
	deltas[n] = (struct store_delta){STORE_SLOTS, bytes("p"), &one, 1, 0};
	adding->waiting++;
	store_add_many(store, deltas, n + 1, &call);
}

/* Large batches of two processes, and a third one's scripts, come in between each other. */
static void
test_two_trainers(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct store *other = open_uri(f->uri);
	struct adding adding = {0};
	const struct store_cell one = {0, STORE_ADD, 1};

	for (unsigned round = 0; round < 20; round++) {
		add_to_all(f->store, 300, &adding);
		add_to_all(other, 300, &adding);
		for (unsigned i = 0; i < 5; i++) {
			struct store_delta delta = {STORE_TOKENS, bytes("token7"), &one, 1, 0};
			struct store_call call = {.done = on_added, .context = &adding};

			adding.waiting++;
			store_add_many(f->store, &delta, 1, &call);
		}
		if (round % 5 == 4)
			turn_both(f->store, other, &adding.waiting);
	}
	g_assert_cmpuint(adding.certain, ==, 20 * 7);
	g_assert_cmpint(cell(f->store, STORE_TOKENS, "token0", 0), ==, 40);
	g_assert_cmpint(cell(f->store, STORE_TOKENS, "token7", 0), ==, 40 + 100);
	g_assert_cmpint(cell(f->store, STORE_TOKENS, "token299", 0), ==, 40);
	g_assert_cmpint(cell(f->store, STORE_SLOTS, "p", 0), ==, 40);
	store_close(&other);
}

/* Kills the server while batches are under way: each is whole or not there, those that were
 * answered are there, and none is there twice. */
static void
test_killed_server(void)
{
	static const char *const durable[] = {
	    "--appendonly", "yes", "--appendfsync", "always", NULL};
	struct redis_server own = {0};
	g_autofree char *uri = NULL;
	struct store *store;
	struct adding adding = {0};
	int64_t begun;
	int32_t sum;

	redis_server_start(&own, durable);
	uri = redis_server_uri(&own);
	store = open_uri(uri);
	for (unsigned i = 0; i < 40; i++)
		add_to_all(store, 1000, &adding);
	begun = g_get_monotonic_time();
	while (adding.certain < 5 || g_get_monotonic_time() - begun < 20000)
		store_dispatch(store);
	redis_server_kill(&own);
	store_wait(store);
	g_assert_cmpuint(adding.certain, <, 40);
	redis_server_again(&own);
	store_close(&store);
	store = open_uri(uri);
	sum = cell(store, STORE_SLOTS, "p", 0);
	g_assert_cmpint(sum, >=, (int32_t)adding.certain);
	g_assert_cmpint(sum, <=, (int32_t)(40 - adding.refused));
	for (unsigned i = 0; i < 1000; i++) {
		g_autofree char *key = g_strdup_printf("token%u", i);

		g_assert_cmpint(cell(store, STORE_TOKENS, key, 0), ==, sum);
	}
	store_close(&store);
	redis_server_clear(&own);
}

/* A batch has a deadline too, and says whether it may have been done. */
static void
test_silent_server(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	const struct store_cell one = {0, STORE_ADD, 1};
	struct store_delta delta = {STORE_SLOTS, bytes("p"), &one, 1, 0};
	enum store_result result = STORE_OK;
	struct store_call call = {.timeout = 200, .done = on_done, .context = &result};

	redis_server_signal(&server, SIGSTOP);
	store_add_many(f->store, &delta, 1, &call);
	store_wait(f->store);
	g_assert_cmpint(result, ==, STORE_UNAVAILABLE);
	redis_server_signal(&server, SIGCONT);
	add(f->store, STORE_SLOTS, "p", &one, 1);
	g_assert_cmpint(cell(f->store, STORE_SLOTS, "p", 0), ==, 1);
}

/* Somebody else's bytes where a page should be. */
static void
test_damaged_page(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	const struct store_cell one = {0, STORE_ADD, 1};
	struct store_delta delta = {STORE_SLOTS, bytes("p"), &one, 1, 0};
	enum store_result result = STORE_OK;
	struct store_call call = {.done = on_done, .context = &result};
	g_autoptr(GByteArray) value = NULL;
	g_autofree char *said =
	    redis_server_ask(&server, "SET", "greylag:{token}:slots:p", "\xff!", NULL);

	g_assert_cmpstr(said, ==, "OK");
	g_assert_cmpint(get_value(f->store, STORE_SLOTS, bytes("p"), 0, &value), ==, STORE_CORRUPT);
	store_add_many(f->store, &delta, 1, &call);
	store_wait(f->store);
	g_assert_cmpint(result, ==, STORE_CORRUPT);
}

static const struct {
	const char *promise;
	void (*test)(struct fixture *f, gconstpointer data);
} redis_tests[] = {
    {"two-trainers-lose-no-count", test_two_trainers},
    {"a-batch-has-a-deadline", test_silent_server},
    {"a-damaged-page-is-told", test_damaged_page},
};
#endif

static const struct {
	const char *promise;
	void (*test)(struct fixture *f, gconstpointer data);
} tests[] = {
    {"records-of-all-spaces-are-put-and-deleted", test_records},
    {"cells-of-all-spaces-add-and-refuse-overflow", test_cells},
    {"many-of-all-spaces-are-read-each-once", test_get_many},
    {"cells-of-many-are-those-of-the-whole-values", test_get_cells},
    {"a-scan-of-any-space-sees-all", test_scan},
    {"pages-and-memory-are-scanned-in-order", test_order},
    {"an-update-of-any-size-is-whole-or-not-there", test_large},
    {"records-are-counted", test_status},
};

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t d = 0; d < G_N_ELEMENTS(drivers); d++) {
		for (size_t i = 0; drivers[d].installed() && i < G_N_ELEMENTS(tests); i++) {
			g_autofree char *path = g_strdup_printf(
			    "/store-tokens/%s/%s", drivers[d].name, tests[i].promise);

			g_test_add(
			    path, struct fixture, &drivers[d], set_up, tests[i].test, tear_down);
		}
	}
#ifdef HAVE_REDIS
	for (size_t i = 0; redis_server_installed() && i < G_N_ELEMENTS(redis_tests); i++) {
		g_autofree char *path =
		    g_strdup_printf("/store-tokens/redis/%s", redis_tests[i].promise);

		g_test_add(path, struct fixture, &drivers[G_N_ELEMENTS(drivers) - 1], set_up,
		    redis_tests[i].test, tear_down);
	}
	if (redis_server_installed())
		g_test_add_func(
		    "/store-tokens/redis/a-killed-server-has-batches-whole", test_killed_server);
#endif
	return g_test_run();
}
