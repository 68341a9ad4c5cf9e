/*
 * The contract of db/store.h, which every driver passes: a driver is a row of drivers[].
 */
#include "config.h"

#include <poll.h>
#include <string.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "db/open/open.h"
#include "db/store.h"
#include "lib/keyedhash.h"
#include "tests/unit/db/bytes.h"
#include "tests/unit/db/store_drivers.h"
#include "tests/unit/db/store_world.h"

/* Years from now: a server that expires by its own clock keeps what the tests put. */
#define NOW G_GINT64_CONSTANT(4000000000)

struct fixture {
	const struct driver *driver;
	char *uri;
	struct store *store;
};

static bool
is_redis(const struct fixture *f)
{
	return g_str_has_prefix(f->driver->name, "redis");
}

static void
open_with(struct fixture *f, uint64_t max_triplets)
{
	struct store_options options = {.uri = f->uri,
	    .create = true,
	    .map_size = 64 << 20,
	    .max_triplets = max_triplets,
	    .fallback = fallback};

	f->store = open_store(&options);
}

static void
set_up(struct fixture *f, gconstpointer data)
{
	f->driver = data;
	f->uri = f->driver->make_uri();
	open_with(f, 0);
}

static void
tear_down(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	store_close(&f->store);
	g_assert_null(f->store);
	f->driver->remove(f->uri);
	g_free(f->uri);
}

/* -- helpers -- */

/* What an update shall do, and what it saw. */
struct job {
	const char *put; /* NULL to delete, "" to say nothing */
	int64_t expires;
	char *saw;
	const char *also_key, *also_value;
	const char *domain; /* counted by a cell of STORE_DOMAINS */
};

static unsigned jobs_freed;

static void
free_job(gpointer data)
{
	struct job *job = data;

	g_free(job->saw);
	g_free(job);
	jobs_freed++;
}

static void
do_job(const struct store_bytes *old, struct store_change *change, void *data)
{
	struct job *job = data;

	g_free(job->saw);
	job->saw = old ? g_strndup(old->data, old->length) : NULL;
	if (!job->put)
		store_change_delete(change);
	else if (*job->put)
		store_change_put(change, job->put, strlen(job->put), job->expires);
	if (job->also_key && job->also_value)
		store_change_also_put(
		    change, STORE_TRIPLETS, bytes(job->also_key), bytes(job->also_value), NOW);
	else if (job->also_key)
		store_change_also_delete(change, STORE_TRIPLETS, bytes(job->also_key));
	if (job->domain)
		store_change_also_add(
		    change, &(struct store_delta){STORE_DOMAINS, bytes(job->domain),
				&(const struct store_cell){1, STORE_ADD, 1}, 1, NOW});
}

struct done {
	unsigned calls;
	enum store_result result;
	char *saw;
};

static void
on_job_done(void *context, enum store_result result, void *data)
{
	struct done *done = context;
	struct job *job = data;

	done->calls++;
	done->result = result;
	g_assert_true(result != STORE_OK || job);
	g_free(done->saw);
	done->saw = job && job->saw ? g_strdup(job->saw) : NULL;
}

/* Runs the job to its end; what it saw. */
static char *
update(struct store *store, const char *key, struct job job)
{
	struct done done = {0};
	struct store_call call = {.done = on_job_done, .context = &done};

	store_update(store, STORE_TRIPLETS, bytes(key), do_job, g_memdup2(&job, sizeof job),
	    free_job, &call);
	g_assert_cmpuint(done.calls, ==, 0);
	g_assert_cmpuint(store_outstanding(store), ==, 1);
	store_wait(store);
	g_assert_cmpuint(done.calls, ==, 1);
	g_assert_cmpint(done.result, ==, STORE_OK);
	return done.saw;
}

static void
put(struct store *store, const char *key, const char *value, int64_t expires)
{
	g_free(update(store, key, (struct job){.put = value, .expires = expires}));
}

/* -- the contract -- */

static void
test_update(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autofree char *first = update(f->store, "k", (struct job){.put = "one"});
	g_autofree char *second = update(f->store, "k", (struct job){.put = "two"});
	g_autofree char *third = update(f->store, "k", (struct job){.put = ""});
	g_autofree char *fourth = update(f->store, "k", (struct job){.put = NULL});
	g_autofree char *fifth = update(f->store, "k", (struct job){.put = NULL});

	g_assert_cmpstr(first, ==, NULL);
	g_assert_cmpstr(second, ==, "one");
	g_assert_cmpstr(third, ==, "two");
	g_assert_cmpstr(fourth, ==, "two");
	g_assert_cmpstr(fifth, ==, NULL);
	assert_value(f->store, STORE_TRIPLETS, "k", NULL);
}

static void
test_spaces_are_apart(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	put(f->store, "k", "triplet", NOW);
	for (int space = 0; space < STORE_SPACES; space++)
		assert_value(f->store, (enum store_space)space, "k",
		    space == STORE_TRIPLETS ? "triplet" : NULL);
}

static void
test_also(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_free(update(f->store, "k",
	    (struct job){.put = "one", .also_key = "other", .also_value = "with it"}));

	assert_value(f->store, STORE_TRIPLETS, "other", "with it");
	g_free(update(f->store, "k", (struct job){.put = "", .also_key = "other"}));
	assert_value(f->store, STORE_TRIPLETS, "other", NULL);
	assert_value(f->store, STORE_TRIPLETS, "k", "one");
}

static void
test_job_is_freed_once(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct store_call nobody = {0};
	struct job job = {.put = "x"};
	unsigned before = jobs_freed;

	for (int i = 0; i < 100; i++)
		store_update(f->store, STORE_TRIPLETS, bytes("k"), do_job,
		    g_memdup2(&job, sizeof job), free_job, &nobody);
	store_wait(f->store);
	g_assert_cmpuint(jobs_freed - before, ==, 100);
}

/* A key that no driver takes: refused, and the others go on. */
static void
test_key_too_long(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autofree char *key = g_strnfill(STORE_KEY_MAX + 1, 'k');
	struct done done = {0};
	struct store_call call = {.done = on_job_done, .context = &done};
	struct job job = {.put = "x"};

	store_update(f->store, STORE_TRIPLETS, bytes(key), do_job, g_memdup2(&job, sizeof job),
	    free_job, &call);
	store_wait(f->store);
	g_assert_cmpint(done.result, !=, STORE_OK);
	put(f->store, "k", "still there", NOW);
}

/* An update is one transaction: if another key in it is refused, so is all of it. */
static void
test_other_key_too_long(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autofree char *key = g_strnfill(STORE_KEY_MAX + 1, 'k');
	struct done done = {0};
	struct store_call call = {.done = on_job_done, .context = &done};
	struct job job = {.put = "x", .also_key = key, .also_value = "y"};

	store_update(f->store, STORE_TRIPLETS, bytes("k"), do_job, g_memdup2(&job, sizeof job),
	    free_job, &call);
	store_wait(f->store);
	g_assert_cmpuint(done.calls, ==, 1);
	g_assert_cmpint(done.result, ==, STORE_UNAVAILABLE);
	assert_value(f->store, STORE_TRIPLETS, "k", NULL);
}

struct reading {
	struct store *store;
	unsigned calls;
};

static void
update_what_is_read(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct reading *reading = context;
	struct store_call nobody = {0};
	struct job job = {.put = "the next value, a longer one"};

	g_assert_cmpint(result, ==, STORE_OK);
	store_update(reading->store, STORE_TRIPLETS, bytes("k"), do_job,
	    g_memdup2(&job, sizeof job), free_job, &nobody);
	assert_same_bytes(value->data, value->length, "the value", 9);
	reading->calls++;
}

/* Whoever reads a record may ask at once for it to be changed. */
static void
test_update_while_read(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct reading reading = {.store = f->store};

	put(f->store, "k", "the value", NOW);
	store_get(f->store, STORE_TRIPLETS, bytes("k"), 0, update_what_is_read, &reading);
	store_wait(f->store);
	g_assert_cmpuint(reading.calls, ==, 1);
	assert_value(f->store, STORE_TRIPLETS, "k", "the next value, a longer one");
}

static void
test_poll_fd(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct pollfd fd = {.fd = store_poll_fd(f->store), .events = POLLIN};
	struct done done = {0};
	struct store_call call = {.done = on_job_done, .context = &done};
	struct job job = {.put = "x"};

	store_update(f->store, STORE_TRIPLETS, bytes("k"), do_job, g_memdup2(&job, sizeof job),
	    free_job, &call);
	g_assert_cmpint(poll(&fd, 1, 10000), ==, 1);
	while (!done.calls && poll(&fd, 1, 10000) == 1)
		store_dispatch(f->store);
	g_assert_cmpuint(done.calls, ==, 1);
	g_assert_cmpint(poll(&fd, 1, 0), ==, 0);
}

/* -- cells -- */

static void
on_added(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	g_assert_cmpint(result, ==, STORE_OK);
	(*(unsigned *)context)++;
}

static void
add(struct store *store, const char *key, const struct store_cell *cells, size_t n)
{
	struct store_delta delta = {STORE_HOURS, bytes(key), cells, n, NOW};
	unsigned calls = 0;
	struct store_call call = {.done = on_added, .context = &calls};

	store_add_many(store, &delta, 1, &call);
	store_wait(store);
	g_assert_cmpuint(calls, ==, 1);
}

struct cells {
	int32_t value[4];
	size_t length;
};

static void
on_cells(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct cells *cells = context;

	g_assert_cmpint(result, ==, STORE_OK);
	for (uint32_t i = 0; i < 4; i++)
		cells->value[i] = store_cell_get(value, i);
	cells->length = value->length;
}

static struct cells
read_cells_of(struct store *store, enum store_space space, const char *key)
{
	struct cells cells;

	store_get(store, space, bytes(key), 0, on_cells, &cells);
	store_wait(store);
	return cells;
}

static struct cells
read_cells(struct store *store, const char *key)
{
	return read_cells_of(store, STORE_HOURS, key);
}

/* What an update counts elsewhere is counted once for each that was done, however often it ran. */
static void
test_update_that_counts(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct store_call nobody = {0};

	for (int i = 0; i < 300; i++) {
		struct job job = {.put = i % 3 ? "some" : "other",
		    .expires = NOW,
		    .domain = i % 2 ? "odd" : "even"};

		store_update(f->store, STORE_TRIPLETS, bytes(i % 5 ? "k" : "l"), do_job,
		    g_memdup2(&job, sizeof job), free_job, &nobody);
	}
	store_wait(f->store);
	g_assert_cmpint(read_cells_of(f->store, STORE_DOMAINS, "odd").value[1], ==, 150);
	g_assert_cmpint(read_cells_of(f->store, STORE_DOMAINS, "even").value[1], ==, 150);
}

static void
test_cells(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	const struct store_cell first[] = {
	    {0, STORE_ADD, 5}, {2, STORE_ADD, -7}, {3, STORE_MAX, 9}};
	const struct store_cell second[] = {{0, STORE_ADD, INT32_MAX}, {2, STORE_ADD, INT32_MIN},
	    {3, STORE_MAX, 8}, {1, STORE_ADD, 1}};
	struct cells cells;

	add(f->store, "h", first, G_N_ELEMENTS(first));
	cells = read_cells(f->store, "h");
	g_assert_cmpuint(cells.length, ==, 16);
	g_assert_cmpint(cells.value[0], ==, 5);
	g_assert_cmpint(cells.value[1], ==, 0);
	g_assert_cmpint(cells.value[2], ==, -7);
	g_assert_cmpint(cells.value[3], ==, 9);
	/* What would leave the range is refused, cell by cell. */
	add(f->store, "h", second, G_N_ELEMENTS(second));
	cells = read_cells(f->store, "h");
	g_assert_cmpint(cells.value[0], ==, 5);
	g_assert_cmpint(cells.value[1], ==, 1);
	g_assert_cmpint(cells.value[2], ==, -7);
	g_assert_cmpint(cells.value[3], ==, 9);
}

static void
test_cells_are_big_endian(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	const struct store_cell cell = {0, STORE_ADD, 0x01020304};
	g_autoptr(GByteArray) value = NULL;

	add(f->store, "h", &cell, 1);
	value = get_record(f->store, STORE_HOURS, "h");
	assert_same_bytes(value->data, value->len, "\x01\x02\x03\x04", 4);
}

static void
test_deltas_commute(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct store_call nobody = {0};

	for (int i = 0; i < 200; i++) {
		const struct store_cell cells[] = {{0, STORE_ADD, i}, {1, STORE_MAX, i * 37 % 200}};
		struct store_delta deltas[] = {{STORE_HOURS, bytes("a"), cells, 2, NOW},
		    {STORE_HOURS, bytes("b"), cells, 1, NOW}};

		store_add_many(f->store, deltas, 2, &nobody);
	}
	store_wait(f->store);
	g_assert_cmpint(read_cells(f->store, "a").value[0], ==, 199 * 200 / 2);
	g_assert_cmpint(read_cells(f->store, "a").value[1], ==, 199);
	g_assert_cmpint(read_cells(f->store, "b").value[0], ==, 199 * 200 / 2);
}

/* -- many -- */

static void
on_many(void *context, size_t index, enum store_result result, const struct store_bytes *value)
{
	unsigned *seen = context;

	seen[index]++;
	g_assert_cmpint(result, ==, index % 2 ? STORE_NOT_FOUND : STORE_OK);
	if (value)
		g_assert_cmpint(((const char *)value->data)[0], ==, 'a' + (int)index);
}

static void
test_get_many(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	static const char *const names[] = {"a", "b", "c", "d", "e"};
	struct store_bytes keys[5];
	unsigned seen[5] = {0};

	for (int i = 0; i < 5; i++) {
		keys[i] = bytes(names[i]);
		if (i % 2 == 0)
			put(f->store, names[i], names[i], NOW);
	}
	store_get_many(f->store, STORE_TRIPLETS, keys, 5, 0, on_many, seen);
	store_wait(f->store);
	for (int i = 0; i < 5; i++)
		g_assert_cmpuint(seen[i], ==, 1);
}

/* -- scans and expiry -- */

static bool
count_record(
    void *context, const struct store_bytes *key, const struct store_bytes *value, int64_t expires)
{
	GHashTable *seen = context;
	char *name = g_strndup(key->data, key->length);

	g_assert_cmpuint(value->length, ==, 5);
	g_assert_cmpint(expires, >=, NOW);
	g_assert_true(g_hash_table_add(seen, name));
	return true;
}

static void
fill(struct store *store, int n, int64_t expires_step)
{
	for (int i = 0; i < n; i++) {
		g_autofree char *key = g_strdup_printf("key%04d", i * 7919 % 10000);

		put(store, key, "value", NOW + i * expires_step);
	}
}

static unsigned
scan_all(struct store *store, unsigned limit)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct store_cursor cursor = {0};
	struct store_call call = {.context = seen};

	while (!cursor.end) {
		store_scan(store, STORE_TRIPLETS, &cursor, limit, count_record, &call);
		store_wait(store);
	}
	return g_hash_table_size(seen);
}

static void
test_scan(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_assert_cmpuint(scan_all(f->store, 10), ==, 0);
	fill(f->store, 100, 1);
	g_assert_cmpuint(scan_all(f->store, 1), ==, 100);
	g_assert_cmpuint(scan_all(f->store, 7), ==, 100);
	g_assert_cmpuint(scan_all(f->store, 1000), ==, 100);
}

static bool
stop_at_once(void *context, const struct store_bytes *key G_GNUC_UNUSED,
    const struct store_bytes *value G_GNUC_UNUSED, int64_t expires G_GNUC_UNUSED)
{
	(*(unsigned *)context)++;
	return false;
}

static void
test_scan_stops(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct store_cursor cursor = {0};
	unsigned calls = 0;
	struct store_call call = {.context = &calls};

	fill(f->store, 10, 1);
	store_scan(f->store, STORE_TRIPLETS, &cursor, 100, stop_at_once, &call);
	store_wait(f->store);
	g_assert_cmpuint(calls, ==, 1);
	g_assert_false(cursor.end);
}

static uint64_t
expire_all(struct store *store, int64_t now, unsigned limit)
{
	struct store_cursor cursor = {0};
	uint64_t total = 0, step = 0;
	struct done done = {0};
	struct store_call call = {.done = NULL, .context = &done};

	while (!cursor.end) {
		store_expire(store, STORE_TRIPLETS, &cursor, limit, now, &step, &call);
		store_wait(store);
		total += step;
	}
	return total;
}

static void
test_expire(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	if (is_redis(f))
		return; /* the server expires by itself */
	fill(f->store, 100, 10);
	put(f->store, "for good", "value", 0);
	g_assert_cmpuint(expire_all(f->store, NOW - 1, 10), ==, 0);
	g_assert_cmpuint(expire_all(f->store, NOW + 490, 7), ==, 50);
	g_assert_cmpuint(expire_all(f->store, NOW + 490, 7), ==, 0);
	g_assert_cmpuint(expire_all(f->store, NOW + 100000, 1000), ==, 50);
	assert_value(f->store, STORE_TRIPLETS, "for good", "value");
}

/* -- the bound -- */

/* As triplets have: any bytes, evenly spread. */
static struct store_bytes
spread_key(unsigned number, uint8_t buffer[KEYEDHASH_SIZE])
{
	static const uint8_t key[KEYEDHASH_KEY_SIZE] = {1};

	keyedhash(key, &number, sizeof number, buffer);
	return (struct store_bytes){buffer, KEYEDHASH_SIZE};
}

static void
put_spread(struct store *store, unsigned number, int64_t expires)
{
	uint8_t buffer[KEYEDHASH_SIZE];
	struct job job = {.put = "value", .expires = expires};
	struct store_call nobody = {0};

	store_update(store, STORE_TRIPLETS, spread_key(number, buffer), do_job,
	    g_memdup2(&job, sizeof job), free_job, &nobody);
}

static bool
is_there(struct store *store, unsigned number)
{
	uint8_t buffer[KEYEDHASH_SIZE];
	g_autoptr(GByteArray) value = NULL;

	get_value(store, STORE_TRIPLETS, spread_key(number, buffer), 0, &value);
	return value != NULL;
}

static void
test_eviction(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct store_status status;

	if (is_redis(f))
		return; /* the server's maxmemory is the bound */
	store_close(&f->store);
	open_with(f, 1000);
	/* Those that have passed expire late, a flood expires early. */
	for (unsigned i = 0; i < 500; i++)
		put_spread(f->store, i, NOW + 1000000);
	for (unsigned i = 500; i < 5000; i++)
		put_spread(f->store, i, NOW + i);
	store_wait(f->store);
	g_assert_cmpint(store_status(f->store, &status), ==, STORE_OK);
	g_assert_cmpuint(status.records[STORE_TRIPLETS], ==, 1000);
	g_assert_cmpuint(status.evicted, ==, 4000);
	for (unsigned i = 0; i < 500; i++)
		g_assert_true(is_there(f->store, i));
	g_assert_true(is_there(f->store, 4999));
	/* To write again what is there takes no room. */
	put_spread(f->store, 0, NOW + 1000000);
	store_wait(f->store);
	g_assert_cmpint(store_status(f->store, &status), ==, STORE_OK);
	g_assert_cmpuint(status.evicted, ==, 4000);
}

/* -- care -- */

static bool
value_is_good(enum store_space space G_GNUC_UNUSED, const struct store_bytes *key G_GNUC_UNUSED,
    const struct store_bytes *value)
{
	return value->length != 3;
}

static void
on_problem(void *context, const char *sentence)
{
	g_assert_nonnull(strstr(sentence, "malformed"));
	(*(unsigned *)context)++;
}

static void
test_check(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	unsigned problems = 0;

	fill(f->store, 20, 1);
	g_assert_cmpint(store_check(f->store, value_is_good, on_problem, &problems), ==, STORE_OK);
	g_assert_cmpuint(problems, ==, 0);
	put(f->store, "bad", "bad", NOW);
	g_assert_cmpint(store_check(f->store, value_is_good, on_problem, &problems), ==, STORE_OK);
	g_assert_cmpuint(problems, ==, 1);
}

static void
test_status(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct store_status status;

	fill(f->store, 20, 1);
	g_assert_cmpint(store_status(f->store, &status), ==, STORE_OK);
	g_assert_true(g_str_has_prefix(f->driver->name, status.driver));
	g_assert_cmpuint(status.records[STORE_TRIPLETS], ==, 20);
	g_assert_cmpuint(status.records[STORE_CLIENTS], ==, 0);
	g_assert_cmpuint(status.updates, ==, 20);
	g_assert_cmpuint(status.waiting, ==, 0);
}

static void
test_reopened(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	uint8_t key[16];

	if (strcmp(f->driver->name, "mem") == 0)
		return;
	memcpy(key, store_hash_key(f->store), sizeof key);
	put(f->store, "k", "kept", NOW);
	store_close(&f->store);
	open_with(f, 0);
	assert_value(f->store, STORE_TRIPLETS, "k", "kept");
	assert_same_bytes(key, sizeof key, store_hash_key(f->store), sizeof key);
}

/* What is outstanding at the end is done before it, and its owner hears of it. */
static void
test_close_completes(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct done done = {0};
	struct store_call call = {.done = on_job_done, .context = &done};
	struct job job = {.put = "x"};

	for (int i = 0; i < 50; i++)
		store_update(f->store, STORE_TRIPLETS, bytes("k"), do_job,
		    g_memdup2(&job, sizeof job), free_job, &call);
	store_close(&f->store);
	g_assert_cmpuint(done.calls, ==, 50);
	g_assert_cmpint(done.result, ==, STORE_OK);
	g_free(done.saw);
	open_with(f, 0);
}

static void
test_unknown_uri(void)
{
	struct store_options options = {.uri = "oracle:x", .create = true};
	g_autoptr(GError) error = NULL;

	g_assert_null(store_open(&options, &error));
	g_assert_nonnull(strstr(error->message, "oracle:x"));
}

static const struct {
	const char *promise;
	void (*test)(struct fixture *f, gconstpointer data);
} tests[] = {
    {"an-update-sees-the-old-and-says-the-new", test_update},
    {"spaces-are-apart", test_spaces_are_apart},
    {"an-update-may-change-other-keys-with-it", test_also},
    {"a-job-is-freed-once", test_job_is_freed_once},
    {"a-key-too-long-is-refused-alone", test_key_too_long},
    {"an-update-with-a-key-too-long-is-refused-whole", test_other_key_too_long},
    {"what-is-read-may-be-updated-at-once", test_update_while_read},
    {"completions-come-from-dispatch", test_poll_fd},
    {"cells-add-and-refuse-overflow", test_cells},
    {"an-update-that-counts-elsewhere", test_update_that_counts},
    {"cells-are-big-endian", test_cells_are_big_endian},
    {"deltas-commute", test_deltas_commute},
    {"many-are-read-each-once", test_get_many},
    {"a-scan-sees-each-once", test_scan},
    {"a-scan-can-be-stopped", test_scan_stops},
    {"what-is-over-expires-and-no-more", test_expire},
    {"a-flood-is-bounded-and-pushes-out-itself", test_eviction},
    {"a-check-finds-what-is-malformed", test_check},
    {"counts-are-kept", test_status},
    {"a-store-is-there-when-opened-again", test_reopened},
    {"closing-completes-what-waits", test_close_completes},
};

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t d = 0; d < G_N_ELEMENTS(drivers); d++) {
		if (!drivers[d].installed())
			continue;
		for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
			g_autofree char *path =
			    g_strdup_printf("/store/%s/%s", drivers[d].name, tests[i].promise);

			g_test_add(
			    path, struct fixture, &drivers[d], set_up, tests[i].test, tear_down);
		}
	}
	g_test_add_func("/store/an-unknown-uri-is-refused", test_unknown_uri);
	return g_test_run();
}
