/* A local store that takes over from a real redis-server, and is merged into it. */
#include "config.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "db/open/open.h"
#include "db/fallback/fallback.h"
#include "tests/unit/db/redis_server.h"
#include "tests/unit/db/store_world.h"

#define PATIENCE (60 * G_TIME_SPAN_SECOND)
/* Milliseconds, for calls whose deadline is not what is tested: a machine may be slow. */
#define AMPLE 10000

struct fixture {
	struct redis_server server;
	char *folder, *uri, *local;
	struct store *store;
};

static const char *const durable[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};

static int64_t
number_of(const struct store_bytes *value)
{
	g_autofree char *text = g_strndup(value->data, value->length);

	return g_ascii_strtoll(text, NULL, 10);
}

/* Records are numbers, of which the greater wins; by it two have one that neither had. */
static void
merge(void *context G_GNUC_UNUSED, enum store_space space G_GNUC_UNUSED,
    const struct store_bytes *old, const struct store_bytes *new, int64_t now G_GNUC_UNUSED,
    struct store_change *change)
{
	if (!old || number_of(old) < number_of(new))
		store_change_put(change, new->data, new->length, 0);
}

static struct store *
open_with(const char *uri, const char *fallback, GError **error)
{
	const struct store_options options = {
	    .uri = uri, .create = true, .map_size = 64 << 20, .fallback = fallback, .merge = merge};

	return store_open(&options, error);
}

static struct store *
open_well(const struct fixture *f)
{
	g_autoptr(GError) error = NULL;
	struct store *store = open_with(f->uri, f->local, &error);

	g_assert_no_error(error);
	return store;
}

static void
set_up(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	redis_server_start(&f->server, durable);
	f->uri = redis_server_uri(&f->server);
	f->folder = g_dir_make_tmp("greylag-fallback-XXXXXX", NULL);
	f->local = g_strdup_printf("lmdb:%s/local", f->folder);
	f->store = open_well(f);
}

static void
run_well(const char *const *argv)
{
	int status;

	g_assert_true(g_spawn_sync(
	    NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, NULL));
	g_assert_cmpint(status, ==, 0);
}

static void
tear_down(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	const char *remove[] = {"rm", "-r", f->folder, NULL};

	store_close(&f->store);
	redis_server_clear(&f->server);
	run_well(remove);
	g_free(f->folder);
	g_free(f->uri);
	g_free(f->local);
}

/* -- calls -- */

static enum store_result
put_in(struct store *store, enum store_space space, const char *key, const char *value)
{
	return put_text(store, space, key, value, 0, AMPLE);
}

static enum store_result
put(struct store *store, const char *key, const char *value)
{
	return put_in(store, STORE_TRIPLETS, key, value);
}

#define assert_triplet(store, key, expected)                                                       \
	assert_value_within(AMPLE, (store), STORE_TRIPLETS, (key), (expected))

static struct store_fallback_status
status_of(struct store *store)
{
	struct store_status status;

	g_assert_cmpint(store_status(store, &status), ==, STORE_OK);
	g_assert_true(status.fallback.configured);
	return status.fallback;
}

/* Lets the store do what it does by itself until the server answers and has all. */
static void
wait_until_merged(struct store *store)
{
	int64_t limit = g_get_monotonic_time() + PATIENCE;
	const struct store_fallback *f = (const struct store_fallback *)store;

	while (f->away || f->journal) {
		g_assert_cmpint(g_get_monotonic_time(), <, limit);
		turn(store, 20);
	}
	g_assert_cmpuint(status_of(store).waiting, ==, 0);
}

/* What the server itself has. */
static char *
on_server(const struct fixture *f, const char *key)
{
	g_autofree char *name = g_strconcat("greylag:{policy}:triplets:", key, NULL);

	return redis_server_ask(&f->server, "GET", name, NULL);
}

static int32_t
sum_on_server(const struct fixture *f)
{
	g_autoptr(GError) error = NULL;
	struct store *plain = open_with(f->uri, NULL, &error);
	g_autoptr(GByteArray) value = NULL;

	g_assert_no_error(error);
	value = get_record(plain, STORE_HOURS, "hour");
	store_close(&plain);
	return value ? store_cell_get(&(struct store_bytes){value->data, value->len}, 0) : 0;
}

static void
add_some(struct store *store, int32_t n, unsigned timeout, enum store_result *ret_result)
{
	const struct store_cell cell = {.index = 0, .op = STORE_ADD, .delta = n};
	struct store_delta delta = {
	    .space = STORE_HOURS, .key = bytes("hour"), .cells = &cell, .n_cells = 1};
	struct store_call call = {.timeout = timeout, .done = on_done, .context = ret_result};

	store_add_many(store, &delta, 1, &call);
}

static void
add(struct store *store, int32_t n)
{
	enum store_result result = STORE_CORRUPT;

	add_some(store, n, AMPLE, &result);
	store_wait(store);
	g_assert_cmpint(result, ==, STORE_OK);
}

/* -- it takes over -- */

static void
test_killed(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autofree char *kept = NULL, *changed = NULL, *new = NULL;

	g_assert_cmpint(put(f->store, "kept", "1"), ==, STORE_OK);
	g_assert_cmpint(put(f->store, "changed", "1"), ==, STORE_OK);
	add(f->store, 1);
	redis_server_kill(&f->server);
	assert_triplet(f->store, "kept", "1");
	assert_triplet(f->store, "nobody", NULL);
	g_assert_cmpint(put(f->store, "changed", "2"), ==, STORE_OK);
	g_assert_cmpint(put(f->store, "new", "3"), ==, STORE_OK);
	assert_triplet(f->store, "new", "3");
	add(f->store, 10);
	add(f->store, 100);
	g_assert_true(status_of(f->store).active);
	g_assert_cmpuint(status_of(f->store).switches, ==, 1);
	g_assert_cmpuint(status_of(f->store).waiting, ==, 4);
	redis_server_again(&f->server);
	wait_until_merged(f->store);
	g_assert_false(status_of(f->store).active);
	g_assert_cmpuint(status_of(f->store).merged, ==, 4);
	kept = on_server(f, "kept");
	changed = on_server(f, "changed");
	new = on_server(f, "new");
	g_assert_cmpstr(kept, ==, "1");
	g_assert_cmpstr(changed, ==, "2");
	g_assert_cmpstr(new, ==, "3");
	g_assert_cmpint(sum_on_server(f), ==, 111);
}

/* A silent server costs the deadline once; the answer comes within it, from the local store. */
static void
test_silent(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	const unsigned deadline = 10000;
	int64_t start, limit = deadline * G_TIME_SPAN_MILLISECOND;

	g_assert_cmpint(put(f->store, "kept", "1"), ==, STORE_OK);
	redis_server_signal(&f->server, SIGSTOP);
	start = g_get_monotonic_time();
	assert_value_within(deadline, f->store, STORE_TRIPLETS, "kept", "1");
	g_assert_cmpint(g_get_monotonic_time() - start, <, limit);
	start = g_get_monotonic_time();
	for (int i = 0; i < 20; i++)
		assert_value_within(deadline, f->store, STORE_TRIPLETS, "kept", "1");
	g_assert_cmpint(g_get_monotonic_time() - start, <, limit);
	redis_server_signal(&f->server, SIGCONT);
	wait_until_merged(f->store);
}

/* Deltas that a stopped server got, and will read, are not added again. */
static void
test_once(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	int32_t sum = 0;

	for (int round = 0; round < 5; round++) {
		enum store_result results[20];

		for (int i = 0; i < 20; i++)
			add_some(f->store, 1 << round, 2500, &results[i]);
		/* The first of them is on its way when the server stops. */
		redis_server_signal(&f->server, SIGSTOP);
		store_wait(f->store);
		for (int i = 0; i < 20; i++) {
			g_assert_cmpint(results[i], ==, STORE_OK);
			sum += 1 << round;
		}
		redis_server_signal(&f->server, SIGCONT);
		wait_until_merged(f->store);
		g_assert_cmpint(sum_on_server(f), ==, sum);
	}
}

/* -- it is merged -- */

static void
use_offline(struct fixture *f)
{
	redis_server_kill(&f->server);
	for (int i = 0; i < 300; i++) {
		g_autofree char *key = g_strdup_printf("key-%d", i);

		g_assert_cmpint(put(f->store, key, "7"), ==, STORE_OK);
		add(f->store, 1);
	}
	store_close(&f->store);
}

/* A store that was merged and does not know it: as if killed before it could strike its notes. */
static void
test_again(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autofree char *from = g_build_filename(f->folder, "local", NULL);
	g_autofree char *to = g_build_filename(f->folder, "copy", NULL);
	const char *copy[] = {"cp", "-r", from, to, NULL}, *remove[] = {"rm", "-r", from, NULL};
	const char *move[] = {"mv", to, from, NULL};

	use_offline(f);
	run_well(copy);
	redis_server_again(&f->server);
	f->store = open_well(f);
	wait_until_merged(f->store);
	g_assert_cmpint(sum_on_server(f), ==, 300);
	store_close(&f->store);
	run_well(remove);
	run_well(move);
	f->store = open_well(f);
	g_assert_cmpuint(status_of(f->store).waiting, ==, 600);
	wait_until_merged(f->store);
	g_assert_cmpint(sum_on_server(f), ==, 300);
	assert_triplet(f->store, "key-299", "7");
}

/* The server is killed while it is merged into, again and again. */
static void
test_killed_merging(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	use_offline(f);
	for (int i = 0; i < 6; i++) {
		redis_server_again(&f->server);
		f->store = open_well(f);
		for (int turns = 0; turns < 3 * i; turns++)
			turn(f->store, 20);
		redis_server_kill(&f->server);
		store_close(&f->store);
	}
	redis_server_again(&f->server);
	f->store = open_well(f);
	wait_until_merged(f->store);
	g_assert_cmpint(sum_on_server(f), ==, 300);
	for (int i = 0; i < 300; i++) {
		g_autofree char *key = g_strdup_printf("key-%d", i);

		assert_triplet(f->store, key, "7");
	}
}

/* Until it is merged the local store has the say about a record; what is changed meanwhile, too. */
static void
test_unmerged(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	use_offline(f);
	redis_server_again(&f->server);
	f->store = open_well(f);
	assert_triplet(f->store, "key-299", "7");
	g_assert_cmpint(put(f->store, "key-299", "8"), ==, STORE_OK);
	add(f->store, 1);
	for (int i = 0; i < 2000 && ((struct store_fallback *)f->store)->journal; i++) {
		g_autofree char *text = g_strdup_printf("%d", 9 + i);

		g_assert_cmpint(put(f->store, "key-5", text), ==, STORE_OK);
		assert_triplet(f->store, "key-5", text);
		turn(f->store, 0);
	}
	wait_until_merged(f->store);
	assert_triplet(f->store, "key-299", "8");
	g_assert_cmpint(sum_on_server(f), ==, 301);
}

/* The other host's change is kept where it is the greater, and ours where that is. */
static void
test_two_hosts(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autofree char *second = g_strdup_printf("lmdb:%s/second", f->folder);
	g_autoptr(GError) error = NULL;
	struct store *other = open_with(f->uri, second, &error);

	g_assert_no_error(error);
	redis_server_kill(&f->server);
	g_assert_cmpint(put(f->store, "a", "1"), ==, STORE_OK);
	g_assert_cmpint(put(other, "a", "2"), ==, STORE_OK);
	g_assert_cmpint(put(f->store, "b", "2"), ==, STORE_OK);
	g_assert_cmpint(put(other, "b", "1"), ==, STORE_OK);
	add(f->store, 5);
	add(other, 7);
	redis_server_again(&f->server);
	wait_until_merged(f->store);
	wait_until_merged(other);
	assert_triplet(f->store, "a", "2");
	assert_triplet(other, "b", "2");
	g_assert_cmpint(sum_on_server(f), ==, 12);
	store_close(&other);
}

/* -- beginnings -- */

static void
test_start_without(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	uint8_t secret[KEYEDHASH_KEY_SIZE];
	g_autofree char *never = g_strdup_printf("lmdb:%s/never", f->folder);
	g_autoptr(GError) error = NULL;

	memcpy(secret, store_hash_key(f->store), sizeof secret);
	g_assert_cmpint(put(f->store, "kept", "1"), ==, STORE_OK);
	store_close(&f->store);
	redis_server_kill(&f->server);
	/* A store that has never seen the server has not its secret, and cannot stand in. */
	g_assert_null(open_with(f->uri, never, &error));
	f->store = open_well(f);
	g_assert_cmpmem(store_hash_key(f->store), sizeof secret, secret, sizeof secret);
	g_assert_true(status_of(f->store).active);
	assert_triplet(f->store, "kept", "1");
	g_assert_cmpint(put(f->store, "new", "2"), ==, STORE_OK);
	redis_server_again(&f->server);
	wait_until_merged(f->store);
	assert_triplet(f->store, "new", "2");
}

/* A server that comes back empty gets the secret again, so that what is known stays known. */
static void
test_emptied(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	uint8_t secret[KEYEDHASH_KEY_SIZE];
	g_autofree char *flushed = redis_server_ask(&f->server, "FLUSHALL", NULL);
	g_autoptr(GError) error = NULL;
	struct store *plain;

	g_assert_cmpstr(flushed, ==, "OK");
	memcpy(secret, store_hash_key(f->store), sizeof secret);
	redis_server_kill(&f->server);
	g_assert_cmpint(put(f->store, "new", "2"), ==, STORE_OK);
	redis_server_again(&f->server);
	wait_until_merged(f->store);
	plain = open_with(f->uri, NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpmem(store_hash_key(plain), sizeof secret, secret, sizeof secret);
	assert_triplet(plain, "new", "2");
	store_close(&plain);
}

/* What another host or a tool deletes on the server goes from the copy when it is asked for. */
static void
test_deleted(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autofree char *gone = NULL;

	g_assert_cmpint(put(f->store, "kept", "1"), ==, STORE_OK);
	g_assert_cmpint(put(f->store, "gone", "1"), ==, STORE_OK);
	gone = redis_server_ask(&f->server, "DEL", "greylag:{policy}:triplets:gone", NULL);
	g_assert_cmpstr(gone, ==, "1");
	assert_triplet(f->store, "gone", NULL);
	redis_server_kill(&f->server);
	assert_triplet(f->store, "gone", NULL);
	assert_triplet(f->store, "kept", "1");
}

/* -- exceptions -- */

static bool
count(void *context, const struct store_bytes *key G_GNUC_UNUSED,
    const struct store_bytes *value G_GNUC_UNUSED, int64_t expires G_GNUC_UNUSED)
{
	(*(unsigned *)context)++;
	return true;
}

static unsigned
exceptions(struct store *store)
{
	struct store_cursor cursor = {0};
	unsigned n = 0;
	struct store_call call = {.timeout = AMPLE, .context = &n};

	while (!cursor.end) {
		store_scan(store, STORE_ALLOWED, &cursor, 100, count, &call);
		store_wait(store);
	}
	return n;
}

static void
test_exceptions(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autofree char *gone = NULL;

	g_assert_cmpint(put_in(f->store, STORE_ALLOWED, "stays", "1"), ==, STORE_OK);
	g_assert_cmpint(put_in(f->store, STORE_ALLOWED, "goes", "1"), ==, STORE_OK);
	g_assert_cmpuint(exceptions(f->store), ==, 2);
	gone = redis_server_ask(&f->server, "DEL", "greylag:{policy}:allowed:goes", NULL);
	g_assert_cmpstr(gone, ==, "1");
	g_assert_cmpuint(exceptions(f->store), ==, 1);
	store_wait(f->store);
	redis_server_kill(&f->server);
	g_assert_cmpuint(exceptions(f->store), ==, 1);
	store_close(&f->store);
	f->store = open_well(f);
	g_assert_cmpuint(exceptions(f->store), ==, 1);
	redis_server_again(&f->server);
}

/* -- bytes -- */

static void
test_deltas(void)
{
	const struct store_cell cells[] = {{.index = 3, .op = STORE_ADD, .delta = -7},
	    {.index = 1019, .op = STORE_MAX, .delta = 9}};
	const struct store_step step = {.space = STORE_HOURS,
	    .key = {"hour", 4},
	    .cells = cells,
	    .n_cells = 2,
	    .expires = 4000000000};
	g_autoptr(GByteArray) encoded = g_byte_array_new();
	struct store_bytes rest;
	struct store_delta delta;
	struct store_cell *got;

	fallback_encode(&step, encoded);
	rest = (struct store_bytes){encoded->data, encoded->len};
	g_assert_true(fallback_decode(&rest, &delta, &got));
	g_assert_cmpuint(rest.length, ==, 0);
	g_assert_cmpmem(delta.key.data, (int)delta.key.length, "hour", 4);
	g_assert_cmpint(delta.expires, ==, 4000000000);
	g_assert_cmpuint(delta.n_cells, ==, 2);
	g_assert_cmpint(got[0].delta, ==, -7);
	g_assert_cmpint(got[1].op, ==, STORE_MAX);
	g_free(got);
	for (guint n = 0; n < encoded->len; n++) {
		rest = (struct store_bytes){encoded->data, n};
		g_assert_false(fallback_decode(&rest, &delta, &got));
	}
	encoded->data[0] = STORE_TOKENS;
	rest = (struct store_bytes){encoded->data, encoded->len};
	g_assert_false(fallback_decode(&rest, &delta, &got));
}

static const struct {
	const char *name;
	void (*test)(struct fixture *f, gconstpointer data);
} tests[] = {
    {"it-takes-over-from-a-killed-server-and-is-merged", test_killed},
    {"a-silent-server-costs-the-deadline-once", test_silent},
    {"deltas-are-added-once-whatever-the-server-got", test_once},
    {"what-is-merged-again-changes-nothing", test_again},
    {"a-server-killed-while-merging-loses-and-doubles-nothing", test_killed_merging},
    {"what-is-not-merged-is-read-and-changed-where-it-is", test_unmerged},
    {"two-hosts-merge-into-one", test_two_hosts},
    {"a-start-without-the-server-knows-the-known", test_start_without},
    {"an-emptied-server-gets-the-same-secret", test_emptied},
    {"what-the-server-has-no-longer-goes-from-the-copy", test_deleted},
    {"exceptions-hold-without-the-server", test_exceptions},
};

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/store-fallback/deltas-as-bytes-and-back", test_deltas);
	for (size_t i = 0; redis_server_installed() && i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *path = g_strconcat("/store-fallback/", tests[i].name, NULL);

		g_test_add(path, struct fixture, NULL, set_up, tests[i].test, tear_down);
	}
	return g_test_run();
}
