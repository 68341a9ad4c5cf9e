/*
 * What the Redis driver does when the server, or the way to it, fails; and what is Redis' own. The
 * contract that it shares with other drivers is in test_store.c.
 */
#include "config.h"

#include <signal.h>
#include <string.h>
#include <glib.h>

#include "db/open/open.h"
#include "db/store.h"
#include "db/redis/find.h"
#include "db/redis/uri.h"
#include "tests/unit/db/redis_server.h"
#include "tests/unit/db/store_world.h"

#define PATIENCE (G_TIME_SPAN_SECOND * 60)

struct fixture {
	struct redis_server server;
	char *uri;
	struct store *store;
};

/* What a test wants of its server: options of its command line. */
static const char *const plain[] = {NULL};
static const char *const durable[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};
/* The user's rights are those of contrib/redis/redis.conf. */
static const char *const locked[] = {"--requirepass", "sesame", "--user", "mx", "on", ">open",
    "~greylag:*", "+@read", "+@write", "+@scripting", "+@transaction", "+@connection",
    "-@dangerous", "+info", "+time", NULL};

static struct store *
open_uri(const char *uri, const char *password_file, GError **error)
{
	struct store_options options = {.uri = uri, .password_file = password_file, .create = true};

	return store_open(&options, error);
}

static struct store *
open_well(const char *uri)
{
	const struct store_options options = {.uri = uri, .create = true};

	return open_store(&options);
}

static void
set_up(struct fixture *f, gconstpointer options)
{
	redis_server_start(&f->server, options);
	f->uri = redis_server_uri(&f->server);
	if (options != locked)
		f->store = open_well(f->uri);
}

static void
tear_down(struct fixture *f, gconstpointer options G_GNUC_UNUSED)
{
	store_close(&f->store);
	redis_server_clear(&f->server);
	g_free(f->uri);
}

/* -- calls -- */

static enum store_result
get(struct store *store, const char *key, unsigned timeout)
{
	g_autoptr(GByteArray) value = NULL;

	return get_value(store, STORE_TRIPLETS, bytes(key), timeout, &value);
}

static enum store_result
put(struct store *store, const char *key, const char *value, int64_t expires, unsigned timeout)
{
	return put_text(store, STORE_TRIPLETS, key, value, expires, timeout);
}

/* Lets the store do what it does by itself until the server is asked with success. */
static void
wait_for_recovery(struct store *store)
{
	int64_t limit = g_get_monotonic_time() + PATIENCE;
	enum store_result result;

	while ((result = get(store, "nobody", 1000)) != STORE_NOT_FOUND) {
		g_assert_cmpint(result, ==, STORE_UNAVAILABLE);
		g_assert_cmpint(g_get_monotonic_time(), <, limit);
		turn(store, 20);
	}
}

/* -- the server is silent -- */

static void
test_silence(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	const unsigned deadline = 20000;
	enum store_result result;
	int64_t start;

	g_assert_cmpint(put(f->store, "before", "kept", 0, 0), ==, STORE_OK);
	redis_server_signal(&f->server, SIGSTOP);
	start = g_get_monotonic_time();
	result = get(f->store, "before", 200);
	g_assert_cmpint(result, ==, STORE_UNAVAILABLE);
	g_assert_cmpint(g_get_monotonic_time() - start, >=, 190 * G_TIME_SPAN_MILLISECOND);
	start = g_get_monotonic_time();
	for (int i = 0; i < 20; i++)
		g_assert_cmpint(get(f->store, "before", deadline), ==, STORE_UNAVAILABLE);
	/* No one of them waits for a server that is known to be silent. */
	g_assert_cmpint(g_get_monotonic_time() - start, <, deadline * G_TIME_SPAN_MILLISECOND);
	redis_server_signal(&f->server, SIGCONT);
	wait_for_recovery(f->store);
	assert_value(f->store, STORE_TRIPLETS, "before", "kept");
}

static void
on_read_stop(const struct store_bytes *old G_GNUC_UNUSED, struct store_change *change, void *job)
{
	redis_server_signal(*(struct redis_server **)job, SIGSTOP);
	store_change_put(change, "perhaps", strlen("perhaps"), 0);
}

/* What was sent and not answered is not known to have failed. */
static void
test_uncertain(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	const struct redis_server *server = &f->server;
	enum store_result result = STORE_OK;
	struct store_call call = {.timeout = 2000, .done = on_done, .context = &result};

	store_update(f->store, STORE_TRIPLETS, bytes("key"), on_read_stop,
	    g_memdup2(&server, sizeof server), g_free, &call);
	store_wait(f->store);
	g_assert_cmpint(result, ==, STORE_UNCERTAIN);
	g_assert_cmpint(put(f->store, "other", "value", 0, 200), ==, STORE_UNAVAILABLE);
	redis_server_signal(&f->server, SIGCONT);
	wait_for_recovery(f->store);
	g_assert_cmpint(put(f->store, "other", "value", 0, 0), ==, STORE_OK);
}

static void
test_status(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct store_status status;
	int64_t start;

	redis_server_signal(&f->server, SIGSTOP);
	start = g_get_monotonic_time();
	for (int i = 0; i < 100; i++)
		g_assert_cmpint(store_status(f->store, &status), ==, STORE_UNAVAILABLE);
	/* Each would take a fifth of a second. */
	g_assert_cmpint(g_get_monotonic_time() - start, <, 10 * G_TIME_SPAN_SECOND);
	redis_server_signal(&f->server, SIGCONT);
}

/* -- the server is gone -- */

struct sums {
	int32_t certain, uncertain;
	unsigned waiting;
};

static void
on_added(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct sums *sums = context;

	sums->certain += result == STORE_OK;
	sums->uncertain += result == STORE_UNCERTAIN;
	sums->waiting--;
}

static void
add_one(struct store *store, struct sums *sums)
{
	const struct store_cell cell = {.index = 0, .op = STORE_ADD, .delta = 1};
	struct store_delta delta = {
	    .space = STORE_TOKENS, .key = bytes("word"), .cells = &cell, .n_cells = 1};
	struct store_call call = {.done = on_added, .context = sums};

	sums->waiting++;
	store_add_many(store, &delta, 1, &call);
}

static void
on_cell(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	g_assert_cmpint(result, ==, STORE_OK);
	*(int32_t *)context = store_cell_get(value, 0);
}

static void
test_kill(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct sums sums = {0};
	int32_t kept = 0;

	while (sums.certain < 200) {
		while (sums.waiting < 50)
			add_one(f->store, &sums);
		turn(f->store, 1000);
	}
	redis_server_kill(&f->server);
	store_wait(f->store);
	g_assert_cmpint(put(f->store, "key", "value", 0, 250), ==, STORE_UNAVAILABLE);
	redis_server_again(&f->server);
	wait_for_recovery(f->store);
	store_get(f->store, STORE_TOKENS, bytes("word"), 0, on_cell, &kept);
	store_wait(f->store);
	g_assert_cmpint(kept, >=, sums.certain);
	g_assert_cmpint(kept, <=, sums.certain + sums.uncertain);
}

static void
test_down_at_open(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autoptr(GError) error = NULL;

	store_close(&f->store);
	redis_server_kill(&f->server);
	g_assert_null(open_uri(f->uri, NULL, &error));
	g_assert_error(error, STORE_ERROR, 0);
	g_assert_nonnull(strstr(error->message, "cannot reach Redis"));
	g_assert_nonnull(strstr(error->message, f->server.socket));
	redis_server_again(&f->server);
	f->store = open_well(f->uri);
}

static bool
no_record(void *context G_GNUC_UNUSED, const struct store_bytes *key G_GNUC_UNUSED,
    const struct store_bytes *value G_GNUC_UNUSED, int64_t expires G_GNUC_UNUSED)
{
	g_assert_not_reached();
}

static void
test_scan(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct store_cursor cursor = {0};
	enum store_result result = STORE_OK;
	struct store_call call = {.timeout = 250, .done = on_done, .context = &result};

	g_assert_cmpint(put(f->store, "key", "value", 0, 0), ==, STORE_OK);
	redis_server_kill(&f->server);
	store_scan(f->store, STORE_TRIPLETS, &cursor, 100, no_record, &call);
	store_wait(f->store);
	g_assert_cmpint(result, ==, STORE_UNAVAILABLE);
	g_assert_false(cursor.end);
	g_assert_cmpint(store_check(f->store, NULL, NULL, NULL), ==, STORE_UNAVAILABLE);
}

static void
test_closed_connection(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	for (int i = 0; i < 5; i++) {
		g_autofree char *killed =
		    redis_server_ask(&f->server, "CLIENT", "KILL", "TYPE", "normal", NULL);

		g_assert_cmpstr(killed, !=, "0");
		g_assert_cmpint(put(f->store, "key", "value", 0, 1000), !=, STORE_OK);
		wait_for_recovery(f->store);
		g_assert_cmpint(put(f->store, "key", "value", 0, 1000), ==, STORE_OK);
	}
}

static void
test_scripts(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autofree char *flushed = redis_server_ask(&f->server, "SCRIPT", "FLUSH", NULL);
	struct store_cursor cursor = {0};
	enum store_result result = STORE_UNAVAILABLE;
	struct store_call call = {.done = on_done, .context = &result};
	g_autofree char *again = NULL;

	g_assert_cmpstr(flushed, ==, "OK");
	g_assert_cmpint(put(f->store, "key", "value", 0, 0), ==, STORE_OK);
	assert_value(f->store, STORE_TRIPLETS, "key", "value");
	again = redis_server_ask(&f->server, "SCRIPT", "FLUSH", NULL);
	store_scan(f->store, STORE_CLIENTS, &cursor, 100, no_record, &call);
	store_wait(f->store);
	g_assert_cmpint(result, ==, STORE_OK);
	g_assert_true(cursor.end);
}

/* -- who may -- */

static const struct {
	const char *query, *password, *refusal;
} logins[] = {
    {"", NULL, "NOAUTH"},
    {"", "wrong\n", "WRONGPASS"},
    {"", "sesame\n", NULL},
    {"", "sesame", NULL},
    {"?user=mx", "open\r\n", NULL},
    {"?user=mx", "sesame\n", "WRONGPASS"},
    {"?user=nobody", "open\n", "WRONGPASS"},
};

static void
test_passwords(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autofree char *file = g_build_filename(f->server.folder, "password", NULL);
	struct store_status status;

	for (size_t i = 0; i < G_N_ELEMENTS(logins); i++) {
		g_autofree char *uri = g_strconcat(f->uri, logins[i].query, NULL);
		g_autoptr(GError) error = NULL;
		struct store *store;

		if (logins[i].password)
			g_assert_true(g_file_set_contents(file, logins[i].password, -1, NULL));
		store = open_uri(uri, logins[i].password ? file : NULL, &error);
		if (logins[i].refusal) {
			g_assert_null(store);
			g_assert_nonnull(strstr(error->message, logins[i].refusal));
			continue;
		}
		g_assert_no_error(error);
		g_assert_cmpint(put(store, "key", "value", 0, 1000), ==, STORE_OK);
		assert_value(store, STORE_TRIPLETS, "key", "value");
		g_assert_cmpint(store_status(store, &status), ==, STORE_OK);
		g_assert_cmpuint(status.records[STORE_TRIPLETS], ==, 1);
		g_assert_cmpuint(status.bytes_used, >, 0);
		g_assert_cmpint(store_check(store, NULL, NULL, NULL), ==, STORE_OK);
		store_close(&store);
	}
}

static void
test_password_file(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(open_uri(f->uri, "/nonexistent/password", &error));
	g_assert_nonnull(strstr(error->message, "/nonexistent/password"));
}

/* Before any server is asked: what the program cannot do, and what it is given and cannot read. */
static void
test_tls(void)
{
	static const char *const uris[] = {
	    "rediss://192.0.2.1", "rediss+sentinel://192.0.2.1/mx", "rediss+cluster://192.0.2.1"};
#ifdef HAVE_REDIS_TLS
	static const char expected[] = "store.tls_ca \"/nonexistent/ca.pem\"";
#else
	static const char expected[] = "stunnel";
#endif
	g_autoptr(GError) unknown = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(uris); i++) {
		struct store_options options = {
		    .uri = uris[i], .tls.ca = "/nonexistent/ca.pem", .create = true};
		g_autoptr(GError) error = NULL;

		g_assert_true(store_is_shared(uris[i]));
		g_assert_null(store_open(&options, &error));
		g_assert_nonnull(strstr(error->message, expected));
	}
	g_assert_null(open_uri("rediss+unix:/nonexistent/s", NULL, &unknown));
	g_assert_nonnull(strstr(unknown->message, "expected lmdb:FOLDER"));
}

/* -- where the server is -- */

/* What follows the scheme, and what it means; WRONG is a part of the error. */
static const struct {
	const char *rest;
	enum redis_kind kind;
	struct redis_address address;
	const char *wrong;
} addresses[] = {
    {"//mx.example", REDIS_TCP, {.host = (char *)"mx.example", .port = 6379}, NULL},
    {"//192.0.2.1:7000/3", REDIS_TCP, {.host = (char *)"192.0.2.1", .port = 7000, .db = 3}, NULL},
    {"//[2001:db8::1]:7000", REDIS_TCP, {.host = (char *)"2001:db8::1", .port = 7000}, NULL},
    {"//u:p%40w@h/", REDIS_TCP,
	{.host = (char *)"h", .port = 6379, .user = (char *)"u", .password = (char *)"p@w"}, NULL},
    {"//:p@h?user=v&db=2", REDIS_TCP,
	{.host = (char *)"h", .port = 6379, .db = 2, .user = (char *)"v", .password = (char *)"p"},
	NULL},
    {"/run/s", REDIS_UNIX, {.path = (char *)"/run/s"}, NULL},
    {"/run/s?db=65535&user=v", REDIS_UNIX,
	{.path = (char *)"/run/s", .db = 65535, .user = (char *)"v"}, NULL},
    {"", REDIS_TCP, {0}, "redis://HOST"},
    {"//", REDIS_TCP, {0}, "redis://HOST"},
    {"mx.example", REDIS_TCP, {0}, "redis://HOST"},
    {"//h/x", REDIS_TCP, {0}, "x"},
    {"//h/65536", REDIS_TCP, {0}, "65536"},
    {"//h:port", REDIS_TCP, {0}, "port"},
    {"//h?tls=yes", REDIS_TCP, {0}, "tls"},
    {"", REDIS_UNIX, {0}, "path of a socket"},
    {"?db=1", REDIS_UNIX, {0}, "path of a socket"},
    {"/run/s?db", REDIS_UNIX, {0}, "Missing"},
    {"/run/s?db=-1", REDIS_UNIX, {0}, "-1"},
    {"//a,b:7,[2001:db8::1]:8/mx/3", REDIS_SENTINEL, {.service = (char *)"mx", .db = 3}, NULL},
    {"//u:p%40w@a/mx", REDIS_SENTINEL,
	{.service = (char *)"mx", .user = (char *)"u", .password = (char *)"p@w"}, NULL},
    {"//:p@a,b?user=v", REDIS_CLUSTER, {.user = (char *)"v", .password = (char *)"p"}, NULL},
    {"//a", REDIS_SENTINEL, {0}, "/SERVICE"},
    {"//a/mx/x", REDIS_SENTINEL, {0}, "x"},
    {"//a,/mx", REDIS_SENTINEL, {0}, "HOST:PORT"},
    {"//a:0/mx", REDIS_SENTINEL, {0}, "a:0"},
    {"//[::1/mx", REDIS_SENTINEL, {0}, "[::1"},
    {"a/mx", REDIS_SENTINEL, {0}, "redis+sentinel://"},
    {"//u:%zz@a/mx", REDIS_SENTINEL, {0}, "%"},
    {"//a/1", REDIS_CLUSTER, {0}, "no databases"},
    {"//", REDIS_CLUSTER, {0}, "redis+cluster://"},
};

static void
test_addresses(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(addresses); i++) {
		const struct redis_address *expected = &addresses[i].address;
		struct redis_address got = {0};
		g_autoptr(GError) error = NULL;
		bool good = redis_address_parse(addresses[i].kind, addresses[i].rest, &got, &error);

		g_test_message("%s: %s", addresses[i].rest, error ? error->message : "good");
		g_assert_cmpint(good, ==, !addresses[i].wrong);
		g_assert_cmpint(good, ==, !error);
		if (addresses[i].wrong)
			g_assert_nonnull(strstr(error->message, addresses[i].wrong));
		g_assert_cmpstr(got.path, ==, expected->path);
		g_assert_cmpstr(got.host, ==, expected->host);
		g_assert_cmpint(got.port, ==, expected->port);
		g_assert_cmpuint(got.db, ==, expected->db);
		g_assert_cmpstr(got.user, ==, expected->user);
		g_assert_cmpstr(got.password, ==, expected->password);
		g_assert_cmpstr(got.service, ==, expected->service);
		redis_address_clear(&got);
	}
}

/* Two hosts more than the first, with their ports. */
static void
test_guides(void)
{
	struct redis_address got;

	g_assert_true(redis_address_parse(
	    REDIS_SENTINEL, "//mx.example,192.0.2.1:7,[2001:db8::1]:8/mx", &got, NULL));
	g_assert_cmpuint(got.guides->len, ==, 3);
	g_assert_cmpstr(g_array_index(got.guides, struct redis_guide, 0).host, ==, "mx.example");
	g_assert_cmpint(g_array_index(got.guides, struct redis_guide, 0).port, ==, 26379);
	g_assert_cmpint(g_array_index(got.guides, struct redis_guide, 1).port, ==, 7);
	g_assert_cmpstr(g_array_index(got.guides, struct redis_guide, 2).host, ==, "2001:db8::1");
	redis_address_clear(&got);
}

/* The check value of the cluster specification. */
static void
test_slots(void)
{
	g_assert_cmpuint(redis_slot("123456789"), ==, 0x31c3);
	g_assert_cmpuint(redis_slot(""), ==, 0);
}

/* -- several at once -- */

static void
count_up(const struct store_bytes *old, struct store_change *change, void *job G_GNUC_UNUSED)
{
	g_autofree char *text = old ? g_strndup(old->data, old->length) : NULL;
	gint64 number = text ? g_ascii_strtoll(text, NULL, 10) : 0;
	g_autofree char *next = g_strdup_printf("%" G_GINT64_FORMAT, number + 1);

	store_change_put(change, next, strlen(next), 0);
}

static void
test_two_stores(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct store *other = open_well(f->uri);
	struct sums sums = {0};
	struct store_call call = {.done = on_added, .context = &sums};

	for (int i = 0; i < 250; i++) {
		sums.waiting += 2;
		store_update(f->store, STORE_TRIPLETS, bytes("n"), count_up, NULL, NULL, &call);
		store_update(other, STORE_TRIPLETS, bytes("n"), count_up, NULL, NULL, &call);
	}
	turn_both(f->store, other, &sums.waiting);
	g_assert_cmpint(sums.certain, ==, 500);
	assert_value(f->store, STORE_TRIPLETS, "n", "500");
	store_close(&other);
}

static void
test_databases(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autofree char *uri = g_strconcat(f->uri, "?db=3", NULL);
	struct store *other = open_well(uri);

	g_assert_cmpint(put(other, "key", "other", 0, 0), ==, STORE_OK);
	assert_value(f->store, STORE_TRIPLETS, "key", NULL);
	g_assert_cmpint(put(f->store, "key", "first", 0, 0), ==, STORE_OK);
	assert_value(other, STORE_TRIPLETS, "key", "other");
	store_close(&other);
}

/* -- scans -- */

static bool
count_record(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	g_assert_cmpuint(key->length, ==, strlen("exception-1"));
	g_assert_cmpuint(value->length, ==, strlen("value"));
	(*(unsigned *)context)++;
	return true;
}

static void
on_scanned(void *context G_GNUC_UNUSED, enum store_result result, void *job G_GNUC_UNUSED)
{
	g_assert_cmpint(result, ==, STORE_OK);
}

/* A store of many triplets is not walked for a few exceptions, every few seconds. */
static void
test_index(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct store_cursor cursor = {0};
	unsigned records = 0;
	struct store_call call = {.done = on_scanned, .context = &records};
	g_autofree char *index = NULL;

	for (int i = 0; i < 1000; i++) {
		g_autofree char *key = g_strdup_printf("triplet-%d", i);

		g_assert_cmpint(put(f->store, key, "value", 0, 0), ==, STORE_OK);
	}
	for (int i = 0; i < 4; i++) {
		g_autofree char *key = g_strdup_printf("exception-%d", i);
		int64_t expires = i == 3 ? store_now(f->store) - 10 : 0;

		g_assert_cmpint(
		    put_text(f->store, STORE_ALLOWED, key, "value", expires, 0), ==, STORE_OK);
	}
	store_scan(f->store, STORE_ALLOWED, &cursor, 100, count_record, &call);
	store_wait(f->store);
	g_assert_cmpuint(records, ==, 3);
	g_assert_true(cursor.end);
	index = redis_server_ask(&f->server, "SCARD", "greylag:{policy}:allowed", NULL);
	g_assert_cmpstr(index, ==, "3");
}

/* -- time -- */

/* From the moment of opening on, before any probe. */
static void
test_clock(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autofree char *text = redis_server_ask(&f->server, "TIME", NULL);
	int64_t seconds = g_ascii_strtoll(text, NULL, 10);

	g_assert_cmpint(store_now(f->store), >=, seconds - 1);
	g_assert_cmpint(store_now(f->store), <=, seconds + 2);
}

static void
test_expiry(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	int64_t now = store_now(f->store);
	g_autofree char *later = NULL;

	g_assert_cmpint(put(f->store, "later", "value", 4000000000, 0), ==, STORE_OK);
	later = redis_server_ask(&f->server, "EXPIRETIME", "greylag:{policy}:triplets:later", NULL);
	g_assert_cmpstr(later, ==, "4000000000");
	g_assert_cmpint(put(f->store, "over", "value", now - 10, 0), ==, STORE_OK);
	assert_value(f->store, STORE_TRIPLETS, "over", NULL);
	g_assert_cmpint(put(f->store, "never", "value", 0, 0), ==, STORE_OK);
	assert_value(f->store, STORE_TRIPLETS, "never", "value");
}

static const struct {
	const char *name;
	const char *const *options;
	void (*test)(struct fixture *f, gconstpointer data);
} tests[] = {
    {"silence-is-answered-within-the-deadline-and-then-at-once", plain, test_silence},
    {"an-update-that-was-sent-is-uncertain", plain, test_uncertain},
    {"status-does-not-hold-up-the-caller", plain, test_status},
    {"what-was-answered-survives-a-kill-and-nothing-is-doubled", durable, test_kill},
    {"a-server-that-is-down-at-open-is-told", plain, test_down_at_open},
    {"a-failed-scan-is-not-its-end", plain, test_scan},
    {"a-closed-connection-is-opened-again", plain, test_closed_connection},
    {"scripts-that-were-flushed-are-loaded-again", plain, test_scripts},
    {"a-login-works-or-says-why-not", locked, test_passwords},
    {"a-password-file-that-is-missing-is-told", plain, test_password_file},
    {"two-stores-at-one-record-lose-nothing", plain, test_two_stores},
    {"databases-are-apart", plain, test_databases},
    {"few-records-are-found-among-many-at-once", plain, test_index},
    {"the-clock-is-the-server-s", plain, test_clock},
    {"the-server-lets-records-go", plain, test_expiry},
};

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/store-redis/an-address-is-understood-or-refused", test_addresses);
	g_test_add_func("/store-redis/who-is-to-be-asked-for-the-server", test_guides);
	g_test_add_func("/store-redis/the-slot-of-a-tag", test_slots);
	g_test_add_func("/store-redis/tls-is-refused-before-a-server-is-asked", test_tls);
	for (size_t i = 0; redis_server_installed() && i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *path = g_strconcat("/store-redis/", tests[i].name, NULL);

		g_test_add(
		    path, struct fixture, tests[i].options, set_up, tests[i].test, tear_down);
	}
	return g_test_run();
}
