/*
 * Updates of many records, as one transaction of plain commands: what a trainer commits is tens of
 * thousands of records, far more than a script may do while everybody waits for it. The server
 * queues the commands as they come, serves others meanwhile, and does all of them at EXEC, or none
 * if the connection or the server ends before; in the append-only file they stand as one, too.
 *
 * What deltas are added to is read here, changed by the code that LMDB's driver uses, and written
 * whole. Nobody may have changed it in between: each change to tokens and slots counts up
 * greylag:{token}:turn, which is watched from before the first read; so is the updated record, and
 * the few others that are added to. If one of them changed, nothing was written, and all is done
 * again: no delta is lost, and none is applied twice.
 *
 * One thread of the store's does this, with a connection of its own, one update after the other.
 */
#include "config.h"

#include <string.h>

#include "db/store_redis_op.h"
#include "db/store_redis_pack.h"

#define REPLY_LIMIT 10000 /* milliseconds for each answer of the server */
#define WINDOW      1000  /* commands sent before their replies are read */
#define TRIES       64
#define PAUSE       5000 /* microseconds, by which the pauses between two tries grow */

struct redis_batcher {
	struct store_redis *redis;
	GThread *thread;
	GAsyncQueue *waiting, *done; /* struct redis_op; the batcher itself ends the thread */
	gint stopping;
	/* The thread's: */
	redisContext *connection;
	struct store_change change;
};

/* A record that the update has to do with. */
struct item {
	enum store_space space;
	GBytes *key;           /* proper */
	GBytes *full;          /* in the server; of the hash if KEY is a field */
	bool needed;           /* its value, before it is changed */
	bool existed, written; /* existed: if it was read */
	bool keeps_expiry;
	int64_t expires;
	GByteArray *value; /* NULL: none */
};

/* One try. */
struct attempt {
	struct redis_batcher *batcher;
	struct redis_op *op;
	redisContext *redis;
	GHashTable *index; /* GBytes of space and key to struct item */
	GPtrArray *items;
	size_t awaited; /* replies */
	bool exec_sent; /* from here on it may be done */
	bool broken;    /* the connection */
	bool conflict;
	char *refusal; /* the server's first */
	bool damaged;  /* what was read is */
};

/* -- commands -- */

static void
send_command(struct attempt *a, int argc, const struct store_bytes *args)
{
	const char *argv[8];
	size_t lengths[8];

	for (int i = 0; i < argc; i++) {
		argv[i] = args[i].data;
		lengths[i] = args[i].length;
	}
	if (!a->broken && redisAppendCommandArgv(a->redis, argc, argv, lengths) != REDIS_OK)
		a->broken = true;
	a->awaited++;
}

static struct store_bytes
text_bytes(const char *text)
{
	return (struct store_bytes){text, strlen(text)};
}

static struct store_bytes
bytes_of(GBytes *bytes)
{
	struct store_bytes b;

	b.data = g_bytes_get_data(bytes, &b.length);
	return b;
}

/* NULL if the connection broke. */
static redisReply *
take_reply(struct attempt *a)
{
	void *reply = NULL;

	a->awaited--;
	if (a->broken || redisGetReply(a->redis, &reply) != REDIS_OK) {
		a->broken = true;
		return NULL;
	}
	if (((redisReply *)reply)->type == REDIS_REPLY_ERROR && !a->refusal)
		a->refusal = g_strdup(((redisReply *)reply)->str);
	return reply;
}

static void
take_all(struct attempt *a)
{
	while (a->awaited) {
		redisReply *reply = take_reply(a);

		if (reply)
			freeReplyObject(reply);
	}
}

static bool
failed(const struct attempt *a)
{
	return a->broken || a->refusal || a->damaged;
}

/* -- items -- */

static void
item_free(gpointer data)
{
	struct item *item = data;

	g_bytes_unref(item->key);
	g_bytes_unref(item->full);
	if (item->value)
		g_byte_array_unref(item->value);
	g_free(item);
}

static struct item *
item_of(struct attempt *a, enum store_space space, struct store_bytes key)
{
	uint8_t *name = g_malloc(key.length + 1);
	struct item *item;
	GBytes *id;
	size_t bare;

	*name = (uint8_t)space;
	memcpy(name + 1, key.data, key.length);
	id = g_bytes_new_take(name, key.length + 1);
	item = g_hash_table_lookup(a->index, id);
	if (item) {
		g_bytes_unref(id);
		return item;
	}
	item = g_new0(struct item, 1);
	item->space = space;
	item->key = g_bytes_new(key.data, key.length);
	item->full = redis_full_key(space, key, &bare);
	g_hash_table_insert(a->index, id, item);
	g_ptr_array_add(a->items, item);
	return item;
}

static void
ask_item(struct attempt *a, const struct item *item)
{
	bool field = redis_buckets(item->space) > 0;
	const struct store_bytes args[] = {
	    text_bytes(field ? "HGET" : "GET"), bytes_of(item->full), bytes_of(item->key)};

	send_command(a, field ? 3 : 2, args);
}

static void
take_item(struct attempt *a, struct item *item)
{
	redisReply *reply = take_reply(a);

	if (reply && reply->type == REDIS_REPLY_STRING) {
		item->existed = true;
		item->value = g_byte_array_new();
		if (!redis_is_packed(item->space))
			g_byte_array_append(
			    item->value, (const uint8_t *)reply->str, (guint)reply->len);
		else if (!redis_unpack(reply->str, reply->len, item->value))
			a->damaged = true;
	}
	item->needed = false;
	if (reply)
		freeReplyObject(reply);
}

/* All that are needed and not read yet. */
static void
read_items(struct attempt *a)
{
	guint asked = 0, taken = 0;

	while (taken < a->items->len && !failed(a)) {
		for (; asked < a->items->len && a->awaited < WINDOW; asked++) {
			struct item *item = g_ptr_array_index(a->items, asked);

			if (item->needed)
				ask_item(a, item);
		}
		for (; taken < asked; taken++) {
			struct item *item = g_ptr_array_index(a->items, taken);

			if (item->needed)
				take_item(a, item);
		}
	}
}

/* -- the change -- */

static void
watch_key(struct attempt *a, struct store_bytes key)
{
	const struct store_bytes args[] = {text_bytes("WATCH"), key};

	send_command(a, 2, args);
}

/* Of tokens and slots the turn tells of any change. */
static bool
is_told_by_turn(enum store_space space)
{
	return space == STORE_TOKENS || space == STORE_SLOTS;
}

/* Finds the records that are said to change, and those to be read before. */
static void
plan(struct attempt *a)
{
	const GArray *steps = a->batcher->change.steps;

	for (guint i = 0; i < steps->len; i++) {
		const struct store_step *step = &g_array_index(steps, struct store_step, i);
		struct item *item = item_of(a, step->space, step->key);

		if (step->kind == STORE_STEP_ADD && !item->written && !item->existed) {
			if (!is_told_by_turn(step->space) && !item->needed)
				watch_key(a, bytes_of(item->full));
			item->needed = true;
		}
		item->written = true;
	}
	take_all(a);
}

static void
item_put(struct item *item, const void *value, size_t length)
{
	if (item->value)
		g_byte_array_unref(item->value);
	item->value = g_byte_array_new();
	if (length)
		g_byte_array_append(item->value, value, (guint)length);
}

static void
apply_step(struct item *item, const struct store_step *step, GByteArray *scratch)
{
	struct store_bytes old;

	switch (step->kind) {
	case STORE_STEP_PUT:
		item_put(item, step->value.data, step->value.length);
		item->expires = step->expires;
		item->keeps_expiry = false;
		break;
	case STORE_STEP_DELETE:
		g_clear_pointer(&item->value, g_byte_array_unref);
		item->keeps_expiry = false;
		break;
	case STORE_STEP_ADD:
		if (item->value)
			old = (struct store_bytes){item->value->data, item->value->len};
		store_cells_apply(item->value ? &old : NULL, step, scratch);
		if (!item->value)
			item->expires = step->expires;
		else if (item->existed)
			item->keeps_expiry = true;
		item_put(item, scratch->data, scratch->len);
		break;
	}
}

static void
apply(struct attempt *a)
{
	const GArray *steps = a->batcher->change.steps;
	g_autoptr(GByteArray) scratch = g_byte_array_new();

	for (guint i = 0; i < steps->len; i++) {
		const struct store_step *step = &g_array_index(steps, struct store_step, i);

		apply_step(item_of(a, step->space, step->key), step, scratch);
	}
}

/* -- the transaction -- */

static void
write_field(struct attempt *a, const struct item *item)
{
	bool gone = !item->value;
	struct store_bytes args[] = {text_bytes(gone ? "HDEL" : "HSET"), bytes_of(item->full),
	    bytes_of(item->key), {NULL, 0}};

	if (!gone)
		args[3] = (struct store_bytes){item->value->data, item->value->len};
	send_command(a, gone ? 3 : 4, args);
}

static void
write_key(struct attempt *a, const struct item *item, GByteArray *packed)
{
	struct store_bytes args[5] = {text_bytes("SET"), bytes_of(item->full)};
	g_autofree char *expires = g_strdup_printf("%" G_GINT64_FORMAT, item->expires);
	int n = 3;

	if (!item->value) {
		args[0] = text_bytes("DEL");
		send_command(a, 2, args);
		return;
	}
	args[2] = (struct store_bytes){item->value->data, item->value->len};
	if (redis_is_packed(item->space)) {
		redis_pack(item->value->data, item->value->len, packed);
		args[2] = (struct store_bytes){packed->data, packed->len};
	}
	if (item->keeps_expiry) {
		args[n++] = text_bytes("KEEPTTL");
	} else if (item->expires) {
		args[n++] = text_bytes("EXAT");
		args[n++] = text_bytes(expires);
	}
	send_command(a, n, args);
}

static void
write_index(struct attempt *a, const struct item *item)
{
	g_autofree char *index = redis_space_index(item->space);
	const struct store_bytes add[] = {
	    text_bytes("ZADD"), text_bytes(index), text_bytes("0"), bytes_of(item->key)};
	const struct store_bytes drop[] = {
	    text_bytes("ZREM"), text_bytes(index), bytes_of(item->key)};

	if (!item->value)
		send_command(a, 3, drop);
	else if (!item->existed)
		send_command(a, 4, add);
}

static void
write_items(struct attempt *a)
{
	g_autoptr(GByteArray) packed = g_byte_array_new();

	for (guint i = 0; i < a->items->len && !failed(a); i++) {
		const struct item *item = g_ptr_array_index(a->items, i);

		if (!item->written)
			continue;
		if (redis_buckets(item->space))
			write_field(a, item);
		else
			write_key(a, item, packed);
		if (redis_is_ordered(item->space))
			write_index(a, item);
		if (a->awaited >= WINDOW)
			take_all(a);
	}
}

static void
take_exec(struct attempt *a)
{
	redisReply *reply = take_reply(a);

	a->conflict = reply && reply->type == REDIS_REPLY_NIL;
	for (size_t i = 0; reply && reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
		if (reply->element[i]->type == REDIS_REPLY_ERROR && !a->refusal)
			a->refusal = g_strdup(reply->element[i]->str);
	if (reply)
		freeReplyObject(reply);
}

static void
execute(struct attempt *a, const char *turn)
{
	const struct store_bytes multi[] = {text_bytes("MULTI")}, exec[] = {text_bytes("EXEC")};
	const struct store_bytes count[] = {text_bytes("INCR"), text_bytes(turn)};

	send_command(a, 1, multi);
	write_items(a);
	send_command(a, 2, count);
	take_all(a);
	if (failed(a))
		return;
	send_command(a, 1, exec);
	a->exec_sent = true;
	take_exec(a);
}

static void
discard(struct attempt *a)
{
	const struct store_bytes args[] = {text_bytes("UNWATCH")};

	send_command(a, 1, args);
	take_all(a);
}

/* Reads the record that is updated, and asks the function. */
static void
ask_function(struct attempt *a, const char *turn)
{
	struct redis_op *op = a->op;
	struct store_bytes key = redis_op_bare_key(op), old;
	struct item *own = NULL;

	watch_key(a, text_bytes(turn));
	if (op->update != store_add_deltas) {
		watch_key(a, bytes_of(op->key));
		own = item_of(a, op->space, key);
		own->needed = true;
	}
	take_all(a);
	read_items(a);
	if (own && own->value)
		old = (struct store_bytes){own->value->data, own->value->len};
	store_change_begin(&a->batcher->change, op->space, key);
	if (!failed(a))
		op->update(own && own->value ? &old : NULL, &a->batcher->change, op->job);
}

static enum store_result
result_of(const struct attempt *a)
{
	bool down;

	if (a->damaged)
		return STORE_CORRUPT;
	if (a->refusal)
		return redis_refusal(a->refusal, &down);
	if (a->broken)
		return a->exec_sent ? STORE_UNCERTAIN : STORE_UNAVAILABLE;
	return STORE_OK;
}

static enum store_result
run_attempt(struct attempt *a)
{
	const struct store_change *change = &a->batcher->change;
	g_autofree char *turn = redis_turn_key(store_spaces[a->op->space].environment);

	ask_function(a, turn);
	if (failed(a))
		return result_of(a);
	if (change->refused || !change->steps->len) {
		discard(a);
		return change->refused ? STORE_UNAVAILABLE : STORE_OK;
	}
	plan(a);
	read_items(a);
	if (!failed(a)) {
		apply(a);
		execute(a, turn);
	}
	return result_of(a);
}

/* -- the thread -- */

static void
drop_connection(struct redis_batcher *batcher)
{
	if (batcher->connection)
		redisFree(batcher->connection);
	batcher->connection = NULL;
}

/* *RET_AGAIN: nothing was done, and it is worth another try. */
static enum store_result
try_once(struct redis_batcher *batcher, struct redis_op *op, bool *ret_again)
{
	struct attempt a = {.batcher = batcher, .op = op};
	unsigned limit = op->call.timeout ? op->call.timeout : REPLY_LIMIT;
	bool fresh = !batcher->connection;
	enum store_result result;

	if (fresh)
		batcher->connection =
		    redis_link_connect_blocking(&batcher->redis->address, limit, NULL);
	a.redis = batcher->connection;
	if (!a.redis)
		return STORE_UNAVAILABLE;
	a.items = g_ptr_array_new_with_free_func(item_free);
	a.index =
	    g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
	result = run_attempt(&a);
	*ret_again = a.conflict || (a.broken && !a.exec_sent && !fresh);
	if (failed(&a))
		drop_connection(batcher);
	g_hash_table_unref(a.index);
	g_ptr_array_unref(a.items);
	if (!*ret_again && a.refusal)
		op->complaint = g_steal_pointer(&a.refusal);
	g_free(a.refusal);
	return result;
}

static enum store_result
run(struct redis_batcher *batcher, struct redis_op *op)
{
	enum store_result result = STORE_UNAVAILABLE;
	bool again = true;

	for (unsigned i = 0; i < TRIES && again && !g_atomic_int_get(&batcher->stopping); i++) {
		again = false;
		if (i)
			g_usleep((gulong)g_random_int_range(0, (gint32)(i * PAUSE)));
		result = try_once(batcher, op, &again);
	}
	return again ? STORE_UNAVAILABLE : result;
}

static gpointer
batcher_run(gpointer data)
{
	struct redis_batcher *batcher = data;
	gpointer next;

	while ((next = g_async_queue_pop(batcher->waiting)) != batcher) {
		struct redis_op *op = next;

		op->refusal = run(batcher, op);
		g_async_queue_push(batcher->done, op);
		redis_link_wake(batcher->redis->link);
	}
	drop_connection(batcher);
	return NULL;
}

/* -- for the store's thread -- */

static struct redis_batcher *
batcher_of(struct store_redis *r)
{
	struct redis_batcher *batcher = r->batcher;

	if (batcher)
		return batcher;
	batcher = g_new0(struct redis_batcher, 1);
	batcher->redis = r;
	batcher->waiting = g_async_queue_new();
	batcher->done = g_async_queue_new();
	store_change_init(&batcher->change);
	batcher->thread = g_thread_new("batches", batcher_run, batcher);
	r->batcher = batcher;
	return batcher;
}

void
redis_batch_start(struct redis_op *op)
{
	if (op->redis->closing) {
		redis_op_refuse(op, STORE_UNAVAILABLE);
		return;
	}
	op->waiting_replies++;
	op->deadline = 0; /* the thread heeds it */
	g_async_queue_push(batcher_of(op->redis)->waiting, op);
}

void
redis_batch_collect(struct store_redis *r)
{
	struct redis_op *op;

	while (r->batcher && (op = g_async_queue_try_pop(r->batcher->done))) {
		g_autofree char *complaint = g_steal_pointer(&op->complaint);

		if (complaint)
			redis_link_complain(complaint);
		op->waiting_replies--;
		redis_op_answer(op, op->refusal, NULL);
	}
}

void
redis_batch_stop(struct store_redis *r)
{
	struct redis_batcher *batcher = r->batcher;

	r->closing = true;
	if (!batcher)
		return;
	g_atomic_int_set(&batcher->stopping, 1);
	g_async_queue_push(batcher->waiting, batcher);
	g_thread_join(batcher->thread);
	redis_batch_collect(r);
	r->batcher = NULL;
	g_async_queue_unref(batcher->waiting);
	g_async_queue_unref(batcher->done);
	store_change_clear(&batcher->change);
	g_free(batcher);
}
