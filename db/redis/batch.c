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

#include <signal.h>
#include <string.h>

#include "db/redis/op.h"
#include "db/redis/pack.h"

#define REPLY_LIMIT 10000 /* milliseconds for each answer of the server */
#define WINDOW      1000  /* commands whose replies are not read yet */
#define FIELDS      32    /* of a hash in one command */
#define TRIES       64
#define PAUSE       5000 /* microseconds, by which the pauses between two tries grow */

struct redis_batcher {
	struct store_redis *redis;
	GThread *thread;
	GAsyncQueue *waiting, *done; /* struct redis_op; the batcher itself ends the thread */
	gint stopping;
	/* The thread's: */
	struct redis_address address;
	redisContext *connection;
	struct store_change change;
};

/* A record that the update has to do with. */
struct item {
	enum store_space space;
	unsigned bucket;        /* of a space with buckets */
	struct store_bytes key; /* the step's, or the operation's */
	bool needed;            /* its value, before it is changed */
	bool existed, written;  /* existed: if it was read */
	bool keeps_expiry;
	int64_t expires;
	uint8_t *value; /* NULL: none */
	size_t length;
};

/* One try. */
struct attempt {
	struct redis_batcher *batcher;
	struct redis_op *op;
	redisContext *redis;
	const char *tag;   /* of the policy environment's keys */
	GHashTable *index; /* struct item by space and key */
	GPtrArray *items;
	size_t awaited; /* replies */
	bool exec_sent; /* from here on it may be done */
	bool broken;    /* the connection */
	bool conflict;
	char *refusal; /* the server's first */
	bool damaged;  /* what was read is */
	GByteArray *scratch;
};

/* -- commands -- */

#define ARGUMENTS (2 + 2 * FIELDS)

static void
send_command(struct attempt *a, int argc, const struct store_bytes *args)
{
	const char *argv[ARGUMENTS];
	size_t lengths[ARGUMENTS];

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

/* So many may wait on. */
static void
take_until(struct attempt *a, size_t awaited)
{
	while (a->awaited > awaited) {
		redisReply *reply = take_reply(a);

		if (reply)
			freeReplyObject(reply);
	}
}

static void
take_all(struct attempt *a)
{
	take_until(a, 0);
}

static bool
failed(const struct attempt *a)
{
	return a->broken || a->refusal || a->damaged;
}

/* -- items -- */

static guint
item_hash(gconstpointer data)
{
	const struct item *item = data;
	const uint8_t *b = item->key.data;
	guint hash = item->space;

	for (size_t i = 0; i < item->key.length; i++)
		hash = hash * 33 + b[i];
	return hash;
}

static gboolean
item_equal(gconstpointer a, gconstpointer b)
{
	const struct item *x = a, *y = b;

	return x->space == y->space && x->key.length == y->key.length &&
	       memcmp(x->key.data, y->key.data, x->key.length) == 0;
}

static void
item_free(gpointer data)
{
	struct item *item = data;

	g_free(item->value);
	g_free(item);
}

/* KEY must outlive the attempt. */
static struct item *
item_of(struct attempt *a, enum store_space space, struct store_bytes key)
{
	const struct item sought = {.space = space, .key = key};
	struct item *item = g_hash_table_lookup(a->index, &sought);

	if (item)
		return item;
	item = g_memdup2(&sought, sizeof sought);
	item->bucket = redis_buckets(space) ? redis_bucket(space, key) : 0;
	g_hash_table_add(a->index, item);
	g_ptr_array_add(a->items, item);
	return item;
}

static bool
same_hash(const struct item *a, const struct item *b)
{
	return a->space == b->space && a->bucket == b->bucket;
}

static struct store_bytes
key_bytes(const struct redis_key *key)
{
	return (struct store_bytes){key->bytes, key->length};
}

static void
item_put(struct item *item, const void *value, size_t length)
{
	if (length != item->length || !item->value) {
		g_free(item->value);
		item->value = g_malloc(length + 1);
		item->length = length;
	}
	if (length)
		memcpy(item->value, value, length);
}

/* The items from FROM on that one command can name: one, or some fields of one hash. */
static guint
run_of(const GPtrArray *items, guint from)
{
	const struct item *first = g_ptr_array_index(items, from);
	guint n = 1;

	while (redis_buckets(first->space) && n < FIELDS && from + n < items->len) {
		const struct item *next = g_ptr_array_index(items, from + n);

		if (!same_hash(first, next))
			break;
		n++;
	}
	return n;
}

static void
ask_run(struct attempt *a, const GPtrArray *items, guint from, guint n)
{
	const struct item *first = g_ptr_array_index(items, from);
	bool fields = redis_buckets(first->space) > 0;
	struct redis_key key;
	struct store_bytes args[ARGUMENTS];

	redis_key_of(a->tag, first->space, first->key, &key);
	args[0] = text_bytes(fields ? "HMGET" : "GET");
	args[1] = key_bytes(&key);

	for (guint i = 0; i < n && fields; i++) {
		const struct item *item = g_ptr_array_index(items, from + i);

		args[2 + i] = item->key;
	}
	send_command(a, fields ? (int)n + 2 : 2, args);
}

static void
take_value(struct attempt *a, struct item *item, const redisReply *reply)
{
	item->needed = false;
	if (!reply || reply->type != REDIS_REPLY_STRING)
		return;
	item->existed = true;
	if (!redis_is_packed(item->space)) {
		item_put(item, reply->str, reply->len);
		return;
	}
	if (!redis_unpack(reply->str, reply->len, a->scratch))
		a->damaged = true;
	item_put(item, a->scratch->data, a->scratch->len);
}

static void
take_run(struct attempt *a, const GPtrArray *items, guint from, guint n)
{
	redisReply *reply = take_reply(a);

	for (guint i = 0; i < n; i++) {
		const redisReply *one = reply;

		if (reply && reply->type == REDIS_REPLY_ARRAY)
			one = i < reply->elements ? reply->element[i] : NULL;
		take_value(a, g_ptr_array_index(items, from + i), one);
	}
	if (reply)
		freeReplyObject(reply);
}

static gint
compare_places(gconstpointer a, gconstpointer b)
{
	const struct item *x = *(const struct item *const *)a, *y = *(const struct item *const *)b;

	if (x->space != y->space)
		return x->space < y->space ? -1 : 1;
	return x->bucket < y->bucket ? -1 : x->bucket > y->bucket;
}

/* All that are needed and not read yet. */
static void
read_items(struct attempt *a)
{
	g_autoptr(GPtrArray) needed = g_ptr_array_new();
	guint asked = 0, taken = 0, n;

	for (guint i = 0; i < a->items->len; i++) {
		struct item *item = g_ptr_array_index(a->items, i);

		if (item->needed)
			g_ptr_array_add(needed, item);
	}
	g_ptr_array_sort(needed, compare_places);
	while (taken < needed->len && !failed(a)) {
		for (; asked < needed->len && a->awaited < WINDOW; asked += n) {
			n = run_of(needed, asked);
			ask_run(a, needed, asked, n);
		}
		/* The server works on the other half meanwhile. */
		for (; taken < asked && (asked == needed->len || a->awaited > WINDOW / 2);
		     taken += n) {
			n = run_of(needed, taken);
			take_run(a, needed, taken, n);
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

static void
watch_item(struct attempt *a, const struct item *item)
{
	struct redis_key key;

	redis_key_of(a->tag, item->space, item->key, &key);
	watch_key(a, key_bytes(&key));
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
				watch_item(a, item);
			item->needed = true;
		}
		item->written = true;
	}
	take_all(a);
}

static void
apply_step(struct item *item, const struct store_step *step, GByteArray *scratch)
{
	struct store_bytes old = {item->value, item->length};

	switch (step->kind) {
	case STORE_STEP_PUT:
		item_put(item, step->value.data, step->value.length);
		item->expires = step->expires;
		item->keeps_expiry = false;
		break;
	case STORE_STEP_DELETE:
		g_clear_pointer(&item->value, g_free);
		item->keeps_expiry = false;
		break;
	case STORE_STEP_ADD:
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

	for (guint i = 0; i < steps->len; i++) {
		const struct store_step *step = &g_array_index(steps, struct store_step, i);

		apply_step(item_of(a, step->space, step->key), step, a->scratch);
	}
}

/* -- the transaction -- */

/* Fields of one hash: those that have a value, and those that go. */
static void
write_fields(struct attempt *a, const GPtrArray *items, guint from, guint n)
{
	const struct item *first = g_ptr_array_index(items, from);
	struct store_bytes put[ARGUMENTS], drop[ARGUMENTS];
	struct redis_key key;
	int n_put = 2, n_drop = 2;

	redis_key_of(a->tag, first->space, first->key, &key);
	put[0] = text_bytes("HSET");
	drop[0] = text_bytes("HDEL");
	put[1] = drop[1] = key_bytes(&key);
	for (guint i = 0; i < n; i++) {
		const struct item *item = g_ptr_array_index(items, from + i);

		if (!item->value) {
			drop[n_drop++] = item->key;
			continue;
		}
		put[n_put++] = item->key;
		put[n_put++] = (struct store_bytes){item->value, item->length};
	}
	if (n_put > 2)
		send_command(a, n_put, put);
	if (n_drop > 2)
		send_command(a, n_drop, drop);
}

static void
write_key(struct attempt *a, const struct item *item)
{
	struct redis_key key;
	struct store_bytes args[5];
	char expires[24];
	int n = 3;

	redis_key_of(a->tag, item->space, item->key, &key);
	args[0] = text_bytes("SET");
	args[1] = key_bytes(&key);
	g_snprintf(expires, sizeof expires, "%" G_GINT64_FORMAT, item->expires);
	if (!item->value) {
		args[0] = text_bytes("DEL");
		send_command(a, 2, args);
		return;
	}
	args[2] = (struct store_bytes){item->value, item->length};
	if (redis_is_packed(item->space)) {
		redis_pack(item->value, item->length, a->scratch);
		args[2] = (struct store_bytes){a->scratch->data, a->scratch->len};
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
	g_autofree char *index = redis_space_index(a->tag, item->space);
	const struct store_bytes add[] = {
	    text_bytes("ZADD"), text_bytes(index), text_bytes("0"), item->key};
	const struct store_bytes drop[] = {text_bytes("ZREM"), text_bytes(index), item->key};

	if (!item->value)
		send_command(a, 3, drop);
	else if (!item->existed)
		send_command(a, 4, add);
}

static void
write_items(struct attempt *a)
{
	g_autoptr(GPtrArray) written = g_ptr_array_new();
	guint n;

	for (guint i = 0; i < a->items->len; i++) {
		struct item *item = g_ptr_array_index(a->items, i);

		if (item->written)
			g_ptr_array_add(written, item);
	}
	g_ptr_array_sort(written, compare_places);
	for (guint i = 0; i < written->len && !failed(a); i += n) {
		const struct item *item = g_ptr_array_index(written, i);

		n = run_of(written, i);
		if (redis_buckets(item->space))
			write_fields(a, written, i, n);
		else
			write_key(a, item);
		if (redis_is_ordered(item->space))
			write_index(a, item);
		if (a->awaited >= WINDOW)
			take_until(a, WINDOW / 2);
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
		old = (struct store_bytes){own->value, own->length};
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
	g_autofree char *turn = redis_turn_key(a->tag, store_spaces[a->op->space].environment);

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
	/* It may be another the next time. */
	if (batcher->address.guides)
		g_clear_pointer(&batcher->address.host, g_free);
}

/* Nothing was done, and a patient store waits for the server. */
static bool
is_lost(const struct attempt *a)
{
	bool down = false;

	if (a->refusal)
		redis_refusal(a->refusal, &down);
	return a->batcher->redis->patience && !a->exec_sent && !a->damaged && (a->broken || down);
}

static void
note_broken(struct redis_batcher *batcher)
{
	g_autofree char *failure = redis_link_failure(batcher->connection);

	store_note(&batcher->redis->store, STORE_UNAVAILABLE, "%s", failure);
}

/* *RET_AGAIN: nothing was done, and it is worth another try; *RET_LOST: the same, once the server
 * is back. What the server refused is left in the operation. */
static enum store_result
try_once(struct redis_batcher *batcher, struct redis_op *op, bool *ret_again, bool *ret_lost)
{
	struct attempt a = {.batcher = batcher, .op = op, .tag = batcher->redis->policy_tag};
	unsigned limit = op->call.timeout ? op->call.timeout : REPLY_LIMIT;
	bool fresh = !batcher->connection;
	g_autoptr(GError) error = NULL;
	enum store_result result;

	g_clear_pointer(&op->complaint, g_free);
	if (fresh)
		batcher->connection = redis_link_connect_blocking(&batcher->address, limit, &error);
	a.redis = batcher->connection;
	if (!a.redis) {
		*ret_lost = batcher->redis->patience > 0;
		store_note(&batcher->redis->store, STORE_UNAVAILABLE, "%s", error->message);
		drop_connection(batcher);
		return STORE_UNAVAILABLE;
	}
	a.items = g_ptr_array_new_with_free_func(item_free);
	a.index = g_hash_table_new(item_hash, item_equal);
	a.scratch = g_byte_array_new();
	result = run_attempt(&a);
	*ret_again =
	    a.conflict || redis_is_elsewhere(a.refusal) || (a.broken && !a.exec_sent && !fresh);
	*ret_lost = !*ret_again && is_lost(&a);
	if (a.broken)
		note_broken(batcher);
	if (failed(&a))
		drop_connection(batcher);
	g_hash_table_unref(a.index);
	g_byte_array_unref(a.scratch);
	g_ptr_array_unref(a.items);
	if (a.refusal)
		op->complaint = g_steal_pointer(&a.refusal);
	g_free(a.refusal);
	return result;
}

static enum store_result
run(struct redis_batcher *batcher, struct redis_op *op)
{
	int64_t patience = (int64_t)batcher->redis->patience * G_TIME_SPAN_MILLISECOND, since = 0;
	enum store_result result = STORE_UNAVAILABLE;
	bool again = true, lost = false;
	unsigned tries = 0;

	while (again && !g_atomic_int_get(&batcher->stopping)) {
		int64_t now;

		again = lost = false;
		if (tries)
			g_usleep((gulong)g_random_int_range(0, (gint32)(tries * PAUSE)));
		result = try_once(batcher, op, &again, &lost);
		now = g_get_monotonic_time();
		if (lost && !since)
			since = now;
		else if (!lost)
			since = 0;
		tries = MIN(tries + 1, TRIES);
		if (lost)
			again = now - since < patience;
		else if (again && tries == TRIES)
			return STORE_UNAVAILABLE;
	}
	if (result == STORE_OK)
		g_clear_pointer(&op->complaint, g_free);
	return again ? STORE_UNAVAILABLE : result;
}

static gpointer
batcher_run(gpointer data)
{
	struct redis_batcher *batcher = data;
	gpointer next;
	sigset_t all;

	/* Signals are for the program's own threads; of a broken connection the replies tell. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
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
	redis_address_copy(&r->address, &batcher->address);
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
			redis_link_complain(r->link, complaint);
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
	redis_address_clear(&batcher->address);
	g_free(batcher);
}
