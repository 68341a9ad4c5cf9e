#include "config.h"

#include "db/fallback/fallback.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lib/log.h"

#define CLOSE_LIMIT (G_TIME_SPAN_SECOND * 5)

/* Of the time for an answer the server has four fifths; the local store needs some milliseconds. */
static unsigned
server_share(unsigned timeout)
{
	return timeout - timeout / 5;
}

static bool
is_policy(enum store_space space)
{
	return store_spaces[space].environment == STORE_POLICY;
}

/* -- who answers -- */

static void
log_switch(const struct store_fallback *f)
{
	if (f->away)
		log_line(LOG_LEVEL_WARNING, "store: %s does not answer: %s takes over",
		    f->remote_name, f->local_name);
	else
		log_line(LOG_LEVEL_INFO,
		    "store: %s answers again: what %s has taken down is merged into it",
		    f->remote_name, f->local_name);
}

static void
remember_hash_key(struct store_fallback *f)
{
	uint8_t key = 'H';

	memcpy(f->store.hash_key, f->remote->hash_key, sizeof f->store.hash_key);
	fallback_copy(f, STORE_JOURNAL, (struct store_bytes){&key, 1},
	    g_bytes_new(f->store.hash_key, sizeof f->store.hash_key), 0);
}

void
fallback_look(struct store_fallback *f)
{
	bool away = f->remote->driver->is_up && !f->remote->driver->is_up(f->remote);

	if (!away && memcmp(f->store.hash_key, f->remote->hash_key, sizeof f->store.hash_key) != 0)
		remember_hash_key(f);
	if (away == f->away)
		return;
	f->away = away;
	f->status.active = away;
	f->status.since = store_now(&f->store);
	f->status.switches += away;
	log_switch(f);
	if (!away)
		fallback_merge_soon(f, 0);
}

/* -- reads -- */

struct look_up {
	struct store_fallback *fallback;
	enum store_space space;
	GPtrArray *keys; /* GBytes */
	size_t left;
	store_value_fn value;
	void *context;
};

struct one {
	struct look_up *look_up;
	size_t index;
};

static void
heard(struct look_up *l, size_t index, enum store_result result, const struct store_bytes *value)
{
	l->value(l->context, index, result, value);
	if (--l->left)
		return;
	l->fallback->pending--;
	g_ptr_array_unref(l->keys);
	g_free(l);
}

static void
on_local_value(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	const struct one *one = context;

	heard(one->look_up, one->index, result, value);
}

/* An embedded store has answered when the call returns. */
static void
read_locally(struct look_up *l, size_t index)
{
	struct one one = {l, index};

	l->fallback->status.answers++;
	store_get(l->fallback->local, l->space, fallback_bytes(g_ptr_array_index(l->keys, index)),
	    0, on_local_value, &one);
}

static void
delete_it(const struct store_bytes *old, struct store_change *change, void *job G_GNUC_UNUSED)
{
	if (old)
		store_change_delete(change);
}

static void
take_found(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value G_GNUC_UNUSED)
{
	*(bool *)context = result == STORE_OK;
}

/* What was deleted on the server shall not come back with the copy. A local change that is not
 * committed yet is none. */
static void
drop_copy(struct store_fallback *f, enum store_space space, struct store_bytes key)
{
	struct store_call nobody = {0};
	bool found = false;

	if (!f->writing)
		store_get(f->local, space, key, 0, take_found, &found);
	if (found)
		store_update(f->local, space, key, delete_it, NULL, NULL, &nobody);
}

static void
on_remote_value(
    void *context, size_t index, enum store_result result, const struct store_bytes *value)
{
	struct look_up *l = context;

	if (result == STORE_UNAVAILABLE) {
		read_locally(l, index);
		return;
	}
	if (result == STORE_NOT_FOUND)
		drop_copy(l->fallback, l->space, fallback_bytes(g_ptr_array_index(l->keys, index)));
	heard(l, index, result, value);
}

static void
on_single_value(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct one one = *(struct one *)context;

	g_free(context);
	on_remote_value(one.look_up, one.index, result, value);
}

/* Some of the keys may have changes that only the local store knows: each is asked for alone. */
static void
read_singly(struct look_up *l, const struct store_bytes *keys, size_t n_keys, unsigned timeout)
{
	for (size_t i = 0; i < n_keys; i++) {
		struct one one = {l, i};

		if (fallback_is_noted(l->fallback, l->space, keys[i]))
			read_locally(l, i);
		else
			store_get(l->fallback->remote, l->space, keys[i], timeout, on_single_value,
			    g_memdup2(&one, sizeof one));
	}
}

static void
fallback_get_many(struct store *store, enum store_space space, const struct store_bytes *keys,
    size_t n_keys, unsigned timeout, store_value_fn value, void *context)
{
	struct store_fallback *f = fallback_of(store);
	struct look_up *l;

	if (!is_policy(space)) {
		store_get_many(f->remote, space, keys, n_keys, timeout, value, context);
		return;
	}
	fallback_look(f);
	l = g_new(struct look_up, 1);
	*l = (struct look_up){f, space, g_ptr_array_new(), n_keys, value, context};
	g_ptr_array_set_free_func(l->keys, (GDestroyNotify)g_bytes_unref);
	for (size_t i = 0; i < n_keys; i++)
		g_ptr_array_add(l->keys, g_bytes_new(keys[i].data, keys[i].length));
	f->pending++;
	if (f->journal)
		read_singly(l, keys, n_keys, server_share(timeout));
	else
		store_get_many(
		    f->remote, space, keys, n_keys, server_share(timeout), on_remote_value, l);
}

/* -- copies -- */

struct copy {
	GBytes *value;
	int64_t expires;
};

static void
copy_free(gpointer data)
{
	struct copy *copy = data;

	g_bytes_unref(copy->value);
	g_free(copy);
}

static void
put_copy(const struct store_bytes *old, struct store_change *change, void *data)
{
	const struct copy *copy = data;
	struct store_bytes value = fallback_bytes(copy->value);

	if (!old || old->length != value.length || memcmp(old->data, value.data, value.length) != 0)
		store_change_put(change, value.data, value.length, copy->expires);
}

void
fallback_copy(struct store_fallback *f, enum store_space space, struct store_bytes key,
    GBytes *value, int64_t expires)
{
	struct copy copy = {value, expires};
	struct store_call nobody = {0};

	store_update(
	    f->local, space, key, put_copy, g_memdup2(&copy, sizeof copy), copy_free, &nobody);
}

/* -- scans -- */

/* A cursor is one of the server's or of the local store's, with a byte before it that says which.
 */
enum whose { NOBODYS, SERVERS, LOCAL };

struct scan {
	struct store_fallback *fallback;
	enum store_space space;
	struct store_cursor *cursor, own; /* the caller's, and that of the store that is asked */
	enum whose whose;
	unsigned limit;
	store_record_fn record;
	struct store_call call;
};

static void scan_in(struct scan *scan, enum whose whose);

static void
compare(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	const struct store_bytes **wanted = context;

	if (result == STORE_OK && value->length == (*wanted)->length &&
	    memcmp(value->data, (*wanted)->data, value->length) == 0)
		*wanted = NULL;
}

/* Exceptions are read every few seconds and change seldom. */
static void
copy_allowed(struct store_fallback *f, const struct store_bytes *key,
    const struct store_bytes *value, int64_t expires)
{
	const struct store_bytes *wanted = value;

	g_hash_table_add(f->allowed, g_bytes_new(key->data, key->length));
	store_get(f->local, STORE_ALLOWED, *key, 0, compare, &wanted);
	if (wanted)
		fallback_copy(
		    f, STORE_ALLOWED, *key, g_bytes_new(value->data, value->length), expires);
}

static bool
on_record(
    void *context, const struct store_bytes *key, const struct store_bytes *value, int64_t expires)
{
	struct scan *scan = context;
	struct store_fallback *f = scan->fallback;

	if (scan->whose == SERVERS && scan->space == STORE_ALLOWED && f->allowed)
		copy_allowed(f, key, value, expires);
	return scan->record(scan->call.context, key, value, expires);
}

struct stale {
	const struct store_fallback *fallback;
	GPtrArray *keys;
};

static bool
find_stale(void *context, const struct store_bytes *key,
    const struct store_bytes *value G_GNUC_UNUSED, int64_t expires G_GNUC_UNUSED)
{
	struct stale *stale = context;
	g_autoptr(GBytes) bytes = g_bytes_new(key->data, key->length);

	if (!g_hash_table_contains(stale->fallback->allowed, bytes))
		g_ptr_array_add(stale->keys, g_steal_pointer(&bytes));
	return true;
}

/* An exception that the server has no longer shall not come back with the local store. */
static void
forget_stale(struct store_fallback *f)
{
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	struct stale stale = {f, keys};
	struct store_cursor cursor = {0};
	struct store_call call = {.context = &stale}, nobody = {0};

	store_scan(f->local, STORE_ALLOWED, &cursor, 100000, find_stale, &call);
	for (guint i = 0; i < keys->len; i++)
		store_update(f->local, STORE_ALLOWED, fallback_bytes(keys->pdata[i]), delete_it,
		    NULL, NULL, &nobody);
	g_clear_pointer(&f->allowed, g_hash_table_unref);
}

static void
on_scanned(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct scan *scan = context;
	struct store_fallback *f = scan->fallback;
	size_t length = scan->own.length;

	if (result == STORE_UNAVAILABLE && scan->whose == SERVERS && !scan->cursor->length) {
		scan_in(scan, LOCAL);
		return;
	}
	if (result == STORE_OK && length < STORE_KEY_MAX) {
		scan->cursor->end = scan->own.end;
		scan->cursor->length = (uint16_t)(length ? length + 1 : 0);
		scan->cursor->bytes[0] = (uint8_t)scan->whose;
		memcpy(scan->cursor->bytes + 1, scan->own.bytes, length);
	} else if (result == STORE_OK) {
		result = STORE_UNAVAILABLE;
	}
	if (f->allowed && scan->space == STORE_ALLOWED && result == STORE_OK && scan->cursor->end)
		forget_stale(f);
	if (scan->call.done)
		scan->call.done(scan->call.context, result, NULL);
	f->pending--;
	g_free(scan);
}

static void
scan_in(struct scan *scan, enum whose whose)
{
	struct store_fallback *f = scan->fallback;
	struct store_call call = {
	    .timeout = scan->call.timeout, .done = on_scanned, .context = scan};

	scan->whose = whose;
	if (whose == LOCAL) {
		f->status.answers++;
		call.timeout = 0;
		if (scan->space == STORE_ALLOWED)
			g_clear_pointer(&f->allowed, g_hash_table_unref);
	}
	store_scan(whose == LOCAL ? f->local : f->remote, scan->space, &scan->own, scan->limit,
	    on_record, &call);
}

static void
fallback_scan(struct store *store, enum store_space space, struct store_cursor *cursor,
    unsigned limit, store_record_fn record, const struct store_call *call)
{
	struct store_fallback *f = fallback_of(store);
	enum whose whose = cursor->length ? (enum whose)cursor->bytes[0] : SERVERS;
	struct scan *scan;

	if (!is_policy(space)) {
		store_scan(f->remote, space, cursor, limit, record, call);
		return;
	}
	scan = g_new0(struct scan, 1);
	*scan = (struct scan){.fallback = f,
	    .space = space,
	    .cursor = cursor,
	    .limit = limit,
	    .record = record,
	    .call = *call};
	scan->call.timeout = server_share(call->timeout);
	if (cursor->length) {
		scan->own.length = (uint16_t)(cursor->length - 1);
		memcpy(scan->own.bytes, cursor->bytes + 1, scan->own.length);
	} else if (space == STORE_ALLOWED) {
		g_clear_pointer(&f->allowed, g_hash_table_unref);
		f->allowed = g_hash_table_new_full(
		    g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
	}
	f->pending++;
	scan_in(scan, whose);
}

/* The server lets records go by itself. */
static void
fallback_expire(struct store *store, enum store_space space, struct store_cursor *cursor,
    unsigned limit, int64_t now, uint64_t *ret_expired, const struct store_call *call)
{
	store_expire(fallback_of(store)->local, space, cursor, limit, now, ret_expired, call);
}

/* -- care -- */

static uint64_t
waiting(struct store_fallback *f)
{
	struct store_status local;
	uint64_t records;

	if (!f->journal || store_status(f->local, &local) != STORE_OK)
		return 0;
	records = local.records[STORE_JOURNAL];
	return records ? records - 1 : 0; /* without the hash key */
}

static enum store_result
fallback_status(struct store *store, struct store_status *ret_status)
{
	struct store_fallback *f = fallback_of(store);
	struct store_status status;
	enum store_result result = store_status(f->remote, &status);

	fallback_look(f);
	if (result == STORE_UNAVAILABLE)
		result = store_status(f->local, &status);
	if (result != STORE_OK)
		return result;
	status.fallback = f->status;
	status.fallback.waiting = waiting(f);
	*ret_status = status;
	return STORE_OK;
}

static enum store_result
fallback_check(struct store *store, store_check_fn check,
    void (*problem)(void *context, const char *sentence), void *context)
{
	return store_check(fallback_of(store)->remote, check, problem, context);
}

static bool
fallback_backup(struct store *store, const char *folder, GError **error)
{
	return store_backup(fallback_of(store)->remote, folder, error);
}

static int64_t
fallback_now(const struct store *store)
{
	return store_now(((const struct store_fallback *)store)->remote);
}

/* -- life -- */

static int
fallback_poll_fd(const struct store *store)
{
	return ((const struct store_fallback *)store)->epoll;
}

static size_t
fallback_outstanding(const struct store *store)
{
	const struct store_fallback *f = (const struct store_fallback *)store;

	/* Each call is one, however many it makes; besides there are copies, and what is passed on.
	 */
	return f->pending ? f->pending : store_outstanding(f->remote) + store_outstanding(f->local);
}

static void
fallback_dispatch(struct store *store)
{
	struct store_fallback *f = fallback_of(store);
	uint64_t ignored;

	store_dispatch(f->remote);
	store_dispatch(f->local);
	fallback_look(f);
	if (read(f->timer, &ignored, sizeof ignored) == sizeof ignored)
		fallback_merge(f);
}

static void
fallback_free(struct store_fallback *f)
{
	if (f->remote)
		store_close(&f->remote);
	if (f->local)
		store_close(&f->local);
	if (f->epoll >= 0)
		close(f->epoll);
	if (f->timer >= 0)
		close(f->timer);
	g_clear_pointer(&f->allowed, g_hash_table_unref);
	g_free(f->remote_name);
	g_free(f->local_name);
	store_texts_free(&f->store);
	g_free(f);
}

static void
fallback_close(struct store *store)
{
	struct store_fallback *f = fallback_of(store);
	int64_t limit = g_get_monotonic_time() + CLOSE_LIMIT;

	while (fallback_outstanding(store) && g_get_monotonic_time() < limit) {
		struct pollfd fd = {.fd = f->epoll, .events = POLLIN};

		poll(&fd, 1, 100);
		fallback_dispatch(store);
	}
	/* What the server has not done by now goes to the local store, which closes last. */
	fallback_free(f);
}

static const struct store_driver store_fallback_driver = {
    .scheme = "fallback",
    .close = fallback_close,
    .poll_fd = fallback_poll_fd,
    .dispatch = fallback_dispatch,
    .outstanding = fallback_outstanding,
    .get_many = fallback_get_many,
    .update = fallback_update,
    .scan = fallback_scan,
    .expire = fallback_expire,
    .status = fallback_status,
    .check = fallback_check,
    .backup = fallback_backup,
    .now = fallback_now,
};

static void
take_hash_key(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct store_fallback *f = context;

	f->away = result == STORE_OK && value->length == sizeof f->store.hash_key;
	if (f->away)
		memcpy(f->store.hash_key, value->data, value->length);
}

static struct store *
open_local(const struct store_options *options, fallback_open_fn open, GError **error)
{
	const struct store_options local = {
	    .uri = options->fallback,
	    .create = true,
	    .map_size = options->map_size,
	    .max_triplets = options->max_triplets,
	};

	if (g_str_has_prefix(options->fallback, "lmdb:"))
		return open(&local, error);
	g_set_error(error, STORE_ERROR, 0, "store.fallback \"%s\": expected lmdb:FOLDER",
	    options->fallback);
	return NULL;
}

/* The server, even if it is down, once its secret is known. */
static struct store *
open_remote(struct store_fallback *f, const struct store_options *options, fallback_open_fn open,
    GError **error)
{
	struct store_options remote = *options;
	const uint8_t key = 'H';
	bool known;

	store_get(f->local, STORE_JOURNAL, (struct store_bytes){&key, 1}, 0, take_hash_key, f);
	known = f->away;
	f->away = false;
	remote.fallback = NULL;
	remote.hash_key = known ? f->store.hash_key : NULL;
	return open(&remote, error);
}

static bool
watch(int epoll, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

struct store *
store_fallback_open(const struct store_options *options, fallback_open_fn open, GError **error)
{
	struct store_fallback *f = g_new0(struct store_fallback, 1);
	uint64_t process;

	f->store.driver = &store_fallback_driver;
	f->epoll = epoll_create1(EPOLL_CLOEXEC);
	f->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	f->remote_name = g_strdup(strncmp(options->uri, "redis", 5) == 0 ? "Redis" : options->uri);
	f->local_name = g_strdup(options->fallback);
	f->merge = options->merge;
	f->merge_context = options->merge_context;
	f->status.configured = true;
	f->journal = true; /* until it has been looked through */
	process = (uint64_t)g_random_int() << 32 | g_random_int();
	memcpy(f->process, &process, sizeof f->process);
	g_queue_init(&f->adds);
	f->local = open_local(options, open, error);
	f->remote = f->local ? open_remote(f, options, open, error) : NULL;
	if (!f->remote) {
		fallback_free(f);
		return NULL;
	}
	if (!watch(f->epoll, f->timer) || !watch(f->epoll, store_poll_fd(f->local)) ||
	    !watch(f->epoll, store_poll_fd(f->remote))) {
		g_set_error(
		    error, STORE_ERROR, errno, "cannot watch the stores: %s", g_strerror(errno));
		fallback_free(f);
		return NULL;
	}
	remember_hash_key(f);
	fallback_look(f);
	fallback_merge_soon(f, 0);
	return &f->store;
}
