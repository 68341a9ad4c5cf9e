/*
 * A patient store waits for its server, and a store that does not do what it was asked says which
 * store it is, why, and what can be done.
 */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <glib.h>

#include "db/open/open.h"
#include "db/store.h"
#include "tests/unit/db/lmdb_world.h"
#include "tests/unit/db/redis_server.h"
#include "tests/unit/db/store_world.h"

#define LONG  60000 /* milliseconds */
#define UPPER 14    /* of LMDB's page header: page's number, padding, flags, lower bound, upper */

static void
test_uris(void)
{
	static const struct {
		const char *uri, *shown;
	} rows[] = {
	    {"lmdb:/var/lib/greylag", "lmdb:/var/lib/greylag"},
	    {"redis://mx.example:6380/1", "redis://mx.example:6380/1"},
	    {"redis://:sesame@mx.example/1", "redis://mx.example/1"},
	    {"redis://mx:ses/ame@mx.example", "redis://mx.example"},
	    {"rediss+sentinel://a:b@h:1,i:2/greylag", "rediss+sentinel://h:1,i:2/greylag"},
	    {"redis://mx.example?password_file=/etc/a@b",
		"redis://mx.example?password_file=/etc/a@b"},
	    {"redis+unix:/run/a@b", "redis+unix:/run/a@b"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *shown = store_uri_shown(rows[i].uri);

		g_assert_cmpstr(shown, ==, rows[i].shown);
	}
}

/* -- LMDB -- */

/* Overwrites the pages that the numbers are on. */
static void
spoil(const char *folder)
{
	g_autofree char *path = g_build_filename(folder, "policy.mdb", NULL), *file = NULL;
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int fd = open(path, O_WRONLY);
	unsigned spoiled = 0;
	gsize length;

	g_assert_true(g_file_get_contents(path, &file, &length, NULL));
	/* What a page has lies above the bound in its header; below that is what was in memory. */
	for (size_t at = 2 * page; at + page <= length; at += page) {
		size_t fives = 0;
		uint16_t upper;

		memcpy(&upper, file + at + UPPER, sizeof upper);
		for (size_t i = upper; i < page; i++)
			fives += file[at + i] == 0x55;
		if (fives < page / 2)
			continue;
		for (size_t i = 0; i < page; i++)
			file[at + i] = 0;
		g_assert_cmpint(pwrite(fd, file + at, page, (off_t)at), ==, (ssize_t)page);
		spoiled++;
	}
	g_assert_cmpuint(spoiled, >, 0);
	close(fd);
}

/* In one transaction, so that no page has been anything else before. */
static void
put_fives(const struct store_bytes *old G_GNUC_UNUSED, struct store_change *change,
    void *job G_GNUC_UNUSED)
{
	uint8_t value[200];

	memset(value, 0x55, sizeof value);
	for (unsigned i = 0; i < 500; i++) {
		g_autofree char *key = g_strdup_printf("%04u", i);

		store_change_also_put(change, STORE_TRIPLETS, bytes(key),
		    (struct store_bytes){value, sizeof value}, WORLD_EXPIRES);
	}
}

static void
test_damaged_lmdb(void)
{
	g_autofree char *folder = world_make_folder(), *uri = g_strconcat("lmdb:", folder, NULL);
	struct store *store = world_must_open(folder, 0);
	struct outcome outcome = {0};
	const struct store_call call = {.done = outcome_done, .context = &outcome};
	g_autofree char *text = NULL, *last = NULL;
	g_autoptr(GByteArray) value = NULL;

	store_update(store, STORE_TRIPLETS, bytes("0000"), put_fives, NULL, NULL, &call);
	store_wait(store);
	store_close(&store);
	spoil(folder);
	store = world_must_open(folder, 0);
	g_assert_cmpint(
	    get_value(store, STORE_TRIPLETS, bytes("0250"), 0, &value), ==, STORE_CORRUPT);
	text = store_explain(store, STORE_CORRUPT);
	g_assert_true(g_str_has_prefix(text, uri));
	g_assert_nonnull(strstr(text, "policy.mdb"));
	g_assert_nonnull(strstr(text, "MDB_CORRUPTED"));
	g_assert_nonnull(strstr(text, "greylagctl check"));
	g_assert_nonnull(strstr(text, "greylag load"));
	last = store_explain_last(store);
	g_assert_cmpstr(last, ==, text);
	store_close(&store);
	world_remove_folder(folder);
}

/* -- Redis -- */

#ifdef HAVE_REDIS

struct fixture {
	struct redis_server server;
	struct store *store;
};

static struct store *
open_patient(const struct redis_server *server, unsigned patience, GError **error)
{
	g_autofree char *uri = redis_server_uri(server);
	const struct store_options options = {.uri = uri, .create = true, .patience = patience};

	return store_open(&options, error);
}

static void
set_up(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	static const char *const durable[] = {
	    "--appendonly", "yes", "--appendfsync", "always", NULL};

	redis_server_start(&f->server, durable);
	f->store = open_patient(&f->server, LONG, NULL);
	g_assert_nonnull(f->store);
}

static void
tear_down(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	store_close(&f->store);
	redis_server_clear(&f->server);
}

/* The outcomes of calls that were made while the server was away. */
struct seen {
	enum store_result get, update, add, scan;
	unsigned records;
};

static void
on_value(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value G_GNUC_UNUSED)
{
	*(enum store_result *)context = result;
}

static bool
on_record(void *context, const struct store_bytes *key G_GNUC_UNUSED,
    const struct store_bytes *value G_GNUC_UNUSED, int64_t expires G_GNUC_UNUSED)
{
	((struct seen *)context)->records++;
	return true;
}

static void
on_scanned(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	((struct seen *)context)->scan = result;
}

static void
put_text_of(const struct store_bytes *old G_GNUC_UNUSED, struct store_change *change,
    void *job G_GNUC_UNUSED)
{
	store_change_put(change, "new", strlen("new"), 0);
}

/* Whatever a tool asks for while the server is away, it gets when that is back. */
static void
test_comes_back(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	const enum store_result none = (enum store_result)99;
	struct seen seen = {none, none, none, none, 0};
	const struct store_cell cell = {.index = 0, .op = STORE_ADD, .delta = 1};
	const struct store_delta delta = {
	    .space = STORE_HOURS, .key = bytes("word"), .cells = &cell, .n_cells = 1};
	const struct store_call update = {.done = on_done, .context = &seen.update};
	const struct store_call add = {.done = on_done, .context = &seen.add};
	const struct store_call scan = {.done = on_scanned, .context = &seen};
	struct store_cursor cursor = {0};

	g_assert_cmpint(put_text(f->store, STORE_CLIENTS, "before", "kept", 0, 0), ==, STORE_OK);
	redis_server_kill(&f->server);
	store_get(f->store, STORE_CLIENTS, bytes("before"), 250, on_value, &seen.get);
	turn(f->store, 1000);
	store_update(f->store, STORE_TRIPLETS, bytes("new"), put_text_of, NULL, NULL, &update);
	store_add_many(f->store, &delta, 1, &add);
	store_scan(f->store, STORE_CLIENTS, &cursor, 100, on_record, &scan);
	for (int i = 0; i < 10; i++)
		turn(f->store, 20);
	g_assert_cmpint(seen.get, ==, none);
	g_assert_cmpint(seen.update, ==, none);
	g_assert_cmpint(seen.add, ==, none);
	g_assert_cmpint(seen.scan, ==, none);
	redis_server_again(&f->server);
	store_wait(f->store);
	g_assert_cmpint(seen.get, ==, STORE_OK);
	g_assert_cmpint(seen.update, ==, STORE_OK);
	g_assert_cmpint(seen.add, ==, STORE_OK);
	g_assert_cmpint(seen.scan, ==, STORE_OK);
	g_assert_cmpuint(seen.records, ==, 1);
	assert_value(f->store, STORE_TRIPLETS, "new", "new");
}

/* A commit of a training run, which has a connection of its own. */
static void
test_batch(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	const struct store_cell cell = {.index = 0, .op = STORE_ADD, .delta = 1};
	const struct store_delta delta = {
	    .space = STORE_SLOTS, .key = bytes("page"), .cells = &cell, .n_cells = 1};
	enum store_result result = (enum store_result)99;
	const struct store_call call = {.done = on_done, .context = &result};
	g_autoptr(GByteArray) value = NULL;

	store_add_many(f->store, &delta, 1, &call);
	store_wait(f->store);
	g_assert_cmpint(result, ==, STORE_OK);
	redis_server_kill(&f->server);
	store_add_many(f->store, &delta, 1, &call);
	for (int i = 0; i < 10; i++)
		turn(f->store, 20);
	redis_server_again(&f->server);
	store_wait(f->store);
	g_assert_cmpint(result, ==, STORE_OK);
	value = get_record(f->store, STORE_SLOTS, "page");
	g_assert_cmpint(store_cell_get(&(struct store_bytes){value->data, value->len}, 0), ==, 2);
}

static gpointer
go_on_later(gpointer server)
{
	g_usleep(1500 * G_TIME_SPAN_MILLISECOND);
	redis_server_signal(server, SIGCONT);
	return NULL;
}

/* Longer than a daemon would wait. */
static void
test_silent_at_open(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autoptr(GError) error = NULL;
	GThread *thread;

	store_close(&f->store);
	redis_server_signal(&f->server, SIGSTOP);
	thread = g_thread_new("later", go_on_later, &f->server);
	f->store = open_patient(&f->server, LONG, &error);
	g_thread_join(thread);
	g_assert_no_error(error);
	g_assert_nonnull(f->store);
}

static void
test_gives_up(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autofree char *uri = redis_server_uri(&f->server), *text = NULL;
	g_autoptr(GByteArray) value = NULL;

	store_close(&f->store);
	f->store = open_patient(&f->server, 300, NULL);
	redis_server_signal(&f->server, SIGSTOP);
	g_assert_cmpint(
	    get_value(f->store, STORE_TRIPLETS, bytes("key"), 100, &value), ==, STORE_UNAVAILABLE);
	text = store_explain_last(f->store);
	g_assert_true(g_str_has_prefix(text, uri));
	g_assert_nonnull(strstr(text, "no answer"));
	redis_server_signal(&f->server, SIGCONT);
}

/* A training run asks for thousands of messages: patience is had once, not with each. */
static void
test_gives_up_once(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	const unsigned patience = 1000, calls = 100;
	int64_t start = g_get_monotonic_time();

	store_close(&f->store);
	f->store = open_patient(&f->server, patience, NULL);
	redis_server_kill(&f->server);
	for (unsigned i = 0; i < calls; i++) {
		g_autoptr(GByteArray) value = NULL;

		g_assert_cmpint(
		    get_value(f->store, STORE_TRIPLETS, bytes("key"), 10 * patience, &value), ==,
		    STORE_UNAVAILABLE);
	}
	g_assert_cmpint(
	    g_get_monotonic_time() - start, <, calls / 2 * patience * G_TIME_SPAN_MILLISECOND);
}

/* Nothing is waited for that patience cannot mend. */
static void
test_refused_at_open(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autofree char *uri = redis_server_uri(&f->server);
	g_autoptr(GError) error = NULL;

	store_close(&f->store);
	redis_server_kill(&f->server);
	g_assert_null(open_patient(&f->server, G_MAXINT, &error));
	g_assert_true(g_str_has_prefix(error->message, uri));
	g_assert_nonnull(strstr(error->message, "Connection refused"));
}

static gpointer
go_on_much_later(gpointer server)
{
	g_usleep(6 * G_USEC_PER_SEC);
	redis_server_signal(server, SIGCONT);
	return NULL;
}

/* The link looks after its server every three seconds. */
static void
test_slow_server(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autofree char *uri = redis_server_uri(&f->server);
	const struct store_options options = {.uri = uri, .create = true, .timeout = LONG};
	g_autoptr(GByteArray) value = NULL;
	GThread *thread;

	store_close(&f->store);
	f->store = open_store(&options);
	redis_server_signal(&f->server, SIGSTOP);
	thread = g_thread_new("later", go_on_much_later, &f->server);
	g_assert_cmpint(
	    get_value(f->store, STORE_TRIPLETS, bytes("none"), LONG, &value), ==, STORE_NOT_FOUND);
	g_thread_join(thread);
}

static const struct {
	const char *promise;
	void (*test)(struct fixture *f, gconstpointer data);
} redis_tests[] = {
    {"what-is-asked-meanwhile-is-answered-when-it-is-back", test_comes_back},
    {"a-commit-waits-too-and-is-done-once", test_batch},
    {"a-silent-server-is-waited-for-at-opening", test_silent_at_open},
    {"one-that-stays-silent-is-named", test_gives_up},
    {"patience-is-had-once", test_gives_up_once},
    {"one-that-refuses-is-told-at-once", test_refused_at_open},
    {"a-server-that-is-slow-within-the-deadline-is-not-gone", test_slow_server},
};
#endif

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/patience/no-password-is-shown", test_uris);
	g_test_add_func("/patience/a-damaged-file-is-named-and-what-to-do", test_damaged_lmdb);
#ifdef HAVE_REDIS
	for (size_t i = 0; redis_server_installed() && i < G_N_ELEMENTS(redis_tests); i++) {
		g_autofree char *path = g_strconcat("/patience/", redis_tests[i].promise, NULL);

		g_test_add(path, struct fixture, NULL, set_up, redis_tests[i].test, tear_down);
	}
#endif
	return g_test_run();
}
