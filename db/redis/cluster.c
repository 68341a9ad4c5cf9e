/*
 * redis+cluster: the servers of a Redis Cluster. The keys of one update must lie in one slot, and
 * one slot is one server's: so greylisting's records have one of 32 tags, {policy:0} to
 * {policy:31}, by a hash of their key, and each tag is a store of its own (store_redis.c) that
 * finds its server and follows it. What is not of one sender, recipient or client has the tag
 * {policy}, and the classifier's state {token}.
 *
 * What an update adds to cells of another key lies under the tag of the updated record. So a
 * record of cells may have a share under each tag, and is their sum.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "db/redis/op.h"

#define SHARDS     32
#define OPEN_LIMIT (G_TIME_SPAN_SECOND)

enum part { COMMON = SHARDS, TOKENS, PARTS };

#define POLICY_PARTS TOKENS

struct store_cluster {
	struct store store;
	struct store *parts[PARTS];
	int epoll;
	size_t pending; /* look-ups and scans that ask several parts */
};

static struct store_cluster *
cluster_of(struct store *store)
{
	return (struct store_cluster *)store;
}

/* FNV-1a, the same for ever: it says where a record is. */
static unsigned
part_of(enum store_space space, struct store_bytes key)
{
	const uint8_t *b = key.data;
	uint32_t hash = 2166136261;

	if (store_spaces[space].environment == STORE_TOKEN)
		return TOKENS;
	if (space != STORE_TRIPLETS && space != STORE_CLIENTS)
		return COMMON;
	for (size_t i = 0; i < key.length; i++)
		hash = (hash ^ b[i]) * 16777619;
	return (hash ^ hash >> 16) % SHARDS;
}

static bool
has_shares(enum store_space space)
{
	return store_spaces[space].cells && store_spaces[space].environment == STORE_POLICY;
}

/* -- cells in shares -- */

static void
add_cells(GByteArray *sum, const struct store_bytes *share)
{
	size_t n = share->length / 4;
	g_autofree struct store_cell *cells = g_new(struct store_cell, MAX(n, 1));
	struct store_step step = {.cells = cells, .n_cells = n};
	g_autoptr(GByteArray) old = g_byte_array_new();
	struct store_bytes bytes;

	for (size_t i = 0; i < n; i++)
		cells[i] =
		    (struct store_cell){(uint32_t)i, STORE_ADD, store_cell_get(share, (uint32_t)i)};
	g_byte_array_append(old, sum->data, sum->len);
	bytes = (struct store_bytes){old->data, old->len};
	store_cells_apply(&bytes, &step, sum);
}

/* -- reads -- */

struct look_up {
	struct store_cluster *cluster;
	size_t index, left; /* parts that have not answered */
	enum store_result result;
	bool found;
	GByteArray *sum;
	store_value_fn value;
	void *context;
};

static void
on_value(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct look_up *l = context;
	struct look_up one = *l;

	g_free(l);
	one.cluster->pending--;
	one.value(one.context, one.index, result, value);
}

static void
end_sum(struct look_up *l)
{
	struct store_bytes sum = {l->sum->data, l->sum->len};

	if (l->result != STORE_OK)
		l->value(l->context, l->index, l->result, NULL);
	else if (l->found)
		l->value(l->context, l->index, STORE_OK, &sum);
	else
		l->value(l->context, l->index, STORE_NOT_FOUND, NULL);
	l->cluster->pending--;
	g_byte_array_unref(l->sum);
	g_free(l);
}

static void
on_share(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct look_up *l = context;

	if (result == STORE_OK) {
		l->found = true;
		add_cells(l->sum, value);
	} else if (result != STORE_NOT_FOUND) {
		l->result = result;
	}
	if (--l->left == 0)
		end_sum(l);
}

static void
read_one(struct store_cluster *c, enum store_space space, struct store_bytes key, size_t index,
    unsigned timeout, store_value_fn value, void *context)
{
	struct look_up *l = g_new0(struct look_up, 1);

	*l = (struct look_up){.cluster = c, .index = index, .value = value, .context = context};
	c->pending++;
	if (!has_shares(space)) {
		store_get(c->parts[part_of(space, key)], space, key, timeout, on_value, l);
		return;
	}
	l->sum = g_byte_array_new();
	l->left = POLICY_PARTS;
	for (unsigned i = 0; i < POLICY_PARTS; i++)
		store_get(c->parts[i], space, key, timeout, on_share, l);
}

static void
cluster_get_many(struct store *store, enum store_space space, const struct store_bytes *keys,
    size_t n_keys, unsigned timeout, store_value_fn value, void *context)
{
	struct store_cluster *c = cluster_of(store);

	if (n_keys == 1 && !has_shares(space))
		store_get(
		    c->parts[part_of(space, keys[0])], space, keys[0], timeout, value, context);
	else if (store_spaces[space].environment == STORE_TOKEN)
		store_get_many(c->parts[TOKENS], space, keys, n_keys, timeout, value, context);
	else
		for (size_t i = 0; i < n_keys; i++)
			read_one(c, space, keys[i], i, timeout, value, context);
}

/* -- updates -- */

struct update {
	unsigned part;
	store_update_fn update;
	void *job;
	GDestroyNotify free_job;
	struct store_call call;
};

static void
update_free(gpointer data)
{
	struct update *u = data;

	if (u->free_job)
		u->free_job(u->job);
	g_free(u);
}

/* A record that has another place cannot be changed along. */
static void
checked_update(const struct store_bytes *old, struct store_change *change, void *data)
{
	const struct update *u = data;

	u->update(old, change, u->job);
	for (guint i = 0; i < change->steps->len; i++) {
		const struct store_step *s = &g_array_index(change->steps, struct store_step, i);

		if (s->kind != STORE_STEP_ADD && part_of(s->space, s->key) != u->part)
			change->refused = true;
	}
}

static void
on_updated(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct update *u = context;

	if (u->call.done)
		u->call.done(u->call.context, result, result == STORE_OK ? u->job : NULL);
}

static void
cluster_update(struct store *store, enum store_space space, struct store_bytes key,
    store_update_fn update, void *job, GDestroyNotify free_job, const struct store_call *call)
{
	struct store_cluster *c = cluster_of(store);
	unsigned part = part_of(space, key);
	struct store_call own = {.timeout = call->timeout, .done = on_updated};
	struct update *u;

	if (part == TOKENS || update == store_add_deltas) {
		store_update(c->parts[part], space, key, update, job, free_job, call);
		return;
	}
	u = g_new(struct update, 1);
	*u = (struct update){part, update, job, free_job, *call};
	own.context = u;
	store_update(c->parts[part], space, key, checked_update, u, update_free, &own);
}

/* -- scans -- */

/* Shares are gathered from all parts and shown whole in one step; other records part by part, with
 * the part before the cursor's own bytes. */
struct scan {
	struct store_cluster *cluster;
	enum store_space space;
	struct store_cursor *cursor, own;
	unsigned part, limit;
	store_record_fn record;
	struct store_call call;
	GHashTable *sums; /* GBytes to struct sum; NULL where there are no shares */
};

struct sum {
	GByteArray *cells;
	int64_t expires;
};

static void
sum_free(gpointer data)
{
	struct sum *sum = data;

	g_byte_array_unref(sum->cells);
	g_free(sum);
}

static bool
gather(
    void *context, const struct store_bytes *key, const struct store_bytes *value, int64_t expires)
{
	struct scan *scan = context;
	g_autoptr(GBytes) bytes = g_bytes_new(key->data, key->length);
	struct sum *sum = g_hash_table_lookup(scan->sums, bytes);

	if (!sum) {
		sum = g_new(struct sum, 1);
		*sum = (struct sum){g_byte_array_new(), expires};
		g_hash_table_insert(scan->sums, g_steal_pointer(&bytes), sum);
	}
	add_cells(sum->cells, value);
	return true;
}

static bool
show(void *context, const struct store_bytes *key, const struct store_bytes *value, int64_t expires)
{
	struct scan *scan = context;

	return scan->record(scan->call.context, key, value, expires);
}

static void
show_sums(struct scan *scan)
{
	GHashTableIter iter;
	gpointer key, value;
	bool go_on = true;

	g_hash_table_iter_init(&iter, scan->sums);
	while (go_on && g_hash_table_iter_next(&iter, &key, &value)) {
		const struct sum *sum = value;
		struct store_bytes k, v = {sum->cells->data, sum->cells->len};

		k.data = g_bytes_get_data(key, &k.length);
		go_on = scan->record(scan->call.context, &k, &v, sum->expires);
	}
	scan->cursor->end = go_on;
}

static void
scan_done(struct scan *scan, enum store_result result)
{
	if (scan->call.done)
		scan->call.done(scan->call.context, result, NULL);
	scan->cluster->pending--;
	if (scan->sums)
		g_hash_table_unref(scan->sums);
	g_free(scan);
}

/* Where the next step begins: in the same part, or in the one after it. */
static void
move_cursor(struct scan *scan)
{
	struct store_cursor *cursor = scan->cursor;
	unsigned part = scan->part;

	if (scan->own.end) {
		part++;
		scan->own.length = 0;
	}
	cursor->end = part == POLICY_PARTS;
	cursor->bytes[0] = (uint8_t)part;
	cursor->length = (uint16_t)(1 + scan->own.length);
	memcpy(cursor->bytes + 1, scan->own.bytes, scan->own.length);
}

static void scan_part(struct scan *scan);

static void
on_scanned(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct scan *scan = context;

	if (result == STORE_OK && scan->sums) {
		if (scan->own.end) {
			scan->own = (struct store_cursor){0};
			scan->part++;
		}
		if (scan->part < POLICY_PARTS) {
			scan_part(scan);
			return;
		}
		show_sums(scan);
	} else if (result == STORE_OK) {
		move_cursor(scan);
	}
	scan_done(scan, result);
}

static void
scan_part(struct scan *scan)
{
	struct store_call call = {
	    .timeout = scan->call.timeout, .done = on_scanned, .context = scan};

	store_scan(scan->cluster->parts[scan->part], scan->space, &scan->own, scan->limit,
	    scan->sums ? gather : show, &call);
}

static void
cluster_scan(struct store *store, enum store_space space, struct store_cursor *cursor,
    unsigned limit, store_record_fn record, const struct store_call *call)
{
	struct store_cluster *c = cluster_of(store);
	struct scan *scan;

	if (store_spaces[space].environment == STORE_TOKEN) {
		store_scan(c->parts[TOKENS], space, cursor, limit, record, call);
		return;
	}
	scan = g_new0(struct scan, 1);
	*scan = (struct scan){.cluster = c,
	    .space = space,
	    .cursor = cursor,
	    .limit = limit,
	    .record = record,
	    .call = *call};
	if (cursor->length) {
		scan->part = MIN(cursor->bytes[0], POLICY_PARTS - 1);
		scan->own.length = (uint16_t)(cursor->length - 1);
		memcpy(scan->own.bytes, cursor->bytes + 1, scan->own.length);
	} else if (!has_shares(space) && space != STORE_TRIPLETS && space != STORE_CLIENTS) {
		scan->part = COMMON;
	}
	if (has_shares(space))
		scan->sums = g_hash_table_new_full(
		    g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, sum_free);
	c->pending++;
	scan_part(scan);
}

static void
cluster_expire(struct store *store, enum store_space space, struct store_cursor *cursor,
    unsigned limit, int64_t now, uint64_t *ret_expired, const struct store_call *call)
{
	store_expire(
	    cluster_of(store)->parts[COMMON], space, cursor, limit, now, ret_expired, call);
}

/* -- care -- */

static bool
same_server(const struct store *a, const struct store *b)
{
	const struct redis_address *x = &((const struct store_redis *)a)->address;
	const struct redis_address *y = &((const struct store_redis *)b)->address;

	return x->host && y->host && strcmp(x->host, y->host) == 0 && x->port == y->port;
}

/* Each server counts all that it has, whatever the tag. */
static enum store_result
cluster_status(struct store *store, struct store_status *ret_status)
{
	struct store_cluster *c = cluster_of(store);
	struct store_status sum = {.driver = "redis-cluster"};

	for (unsigned i = 0; i < PARTS; i++) {
		struct store_status one;
		enum store_result result;
		bool counted = false;

		for (unsigned j = 0; j < i; j++)
			counted |= same_server(c->parts[i], c->parts[j]);
		sum.updates += redis_of(c->parts[i])->status.updates;
		sum.waiting += store_outstanding(c->parts[i]);
		if (counted)
			continue;
		result = store_status(c->parts[i], &one);
		if (result != STORE_OK)
			return result;
		for (unsigned s = 0; s < STORE_SPACES; s++)
			sum.records[s] += one.records[s];
		sum.approximate |= one.approximate;
		sum.bytes_used += one.bytes_used;
	}
	sum.commits = sum.updates;
	*ret_status = sum;
	return STORE_OK;
}

static int64_t
cluster_now(const struct store *store)
{
	return store_now(((const struct store_cluster *)store)->parts[COMMON]);
}

static bool
cluster_is_up(const struct store *store)
{
	const struct store_cluster *c = (const struct store_cluster *)store;

	for (unsigned i = 0; i < POLICY_PARTS; i++)
		if (!c->parts[i]->driver->is_up(c->parts[i]))
			return false;
	return true;
}

/* -- life -- */

static int
cluster_poll_fd(const struct store *store)
{
	return ((const struct store_cluster *)store)->epoll;
}

static void
cluster_dispatch(struct store *store)
{
	struct store_cluster *c = cluster_of(store);
	struct epoll_event events[PARTS];
	int n = epoll_wait(c->epoll, events, PARTS, 0);

	for (int i = 0; i < n; i++)
		store_dispatch(c->parts[events[i].data.u32]);
	memcpy(c->store.hash_key, c->parts[COMMON]->hash_key, sizeof c->store.hash_key);
}

static size_t
cluster_outstanding(const struct store *store)
{
	const struct store_cluster *c = (const struct store_cluster *)store;
	size_t n = 0;

	for (unsigned i = 0; i < PARTS; i++)
		n += store_outstanding(c->parts[i]);
	return c->pending ? c->pending : n;
}

static void
cluster_close(struct store *store)
{
	struct store_cluster *c = cluster_of(store);

	for (unsigned i = 0; i < PARTS; i++)
		if (c->parts[i])
			store_close(&c->parts[i]);
	if (c->epoll >= 0)
		close(c->epoll);
	store_texts_free(&c->store);
	g_free(c);
}

static bool
open_part(struct store_cluster *c, unsigned part, const struct store_options *options,
    const struct redis_address *nodes, GError **error)
{
	g_autofree char *tag = part < SHARDS ? g_strdup_printf("policy:%u", part)
					     : g_strdup(part == TOKENS ? "token" : "policy");
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = part};
	struct store_options own = *options;
	struct redis_address address;

	if (part != COMMON)
		own.hash_key = c->store.hash_key;
	redis_address_copy(nodes, &address);
	address.tag = g_strdup(tag);
	c->parts[part] = redis_open(&store_redis_part_driver, &address, tag, &own, error);
	if (!c->parts[part])
		return false;
	c->parts[part]->whole = &c->store;
	epoll_ctl(c->epoll, EPOLL_CTL_ADD, store_poll_fd(c->parts[part]), &event);
	return true;
}

/* Who is up within a second is up when the first request comes. */
static void
wait_for_parts(struct store_cluster *c)
{
	int64_t limit = g_get_monotonic_time() + OPEN_LIMIT;

	while (!cluster_is_up(&c->store) && g_get_monotonic_time() < limit) {
		struct pollfd fd = {.fd = c->epoll, .events = POLLIN};

		poll(&fd, 1, 50);
		cluster_dispatch(&c->store);
	}
}

static struct store *
cluster_open(const struct store_options *options, const char *rest, GError **error)
{
	struct store_cluster *c;
	struct redis_address nodes;
	bool good;

	if (!redis_parse(REDIS_CLUSTER, options, rest, &nodes, error))
		return NULL;
	c = g_new0(struct store_cluster, 1);
	c->store.driver = &store_redis_cluster_driver;
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	good = open_part(c, COMMON, options, &nodes, error);
	if (good)
		memcpy(c->store.hash_key, c->parts[COMMON]->hash_key, sizeof c->store.hash_key);
	for (unsigned i = 0; good && i < PARTS; i++)
		good = i == COMMON || open_part(c, i, options, &nodes, error);
	redis_address_clear(&nodes);
	if (!good) {
		cluster_close(&c->store);
		return NULL;
	}
	wait_for_parts(c);
	return &c->store;
}

const struct store_driver store_redis_cluster_driver = {
    .scheme = "redis+cluster",
    .tls_scheme = "rediss+cluster",
    .open = cluster_open,
    .close = cluster_close,
    .poll_fd = cluster_poll_fd,
    .dispatch = cluster_dispatch,
    .outstanding = cluster_outstanding,
    .get_many = cluster_get_many,
    .update = cluster_update,
    .scan = cluster_scan,
    .expire = cluster_expire,
    .status = cluster_status,
    .check = redis_check,
    .backup = redis_backup,
    .now = cluster_now,
    .is_up = cluster_is_up,
};
