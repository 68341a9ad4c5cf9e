#include "config.h"

#include <string.h>

#include "db/redis/op.h"

static void
update_finish(struct redis_op *op, enum store_result result, const redisReply *reply G_GNUC_UNUSED)
{
	if (result == STORE_OK)
		op->redis->status.updates++;
	if (op->call.done)
		op->call.done(op->call.context, result, result == STORE_OK ? op->job : NULL);
	if (op->free_job)
		op->free_job(op->job);
}

static void *
pack_cells(const struct store_step *step, size_t *ret_length)
{
	GByteArray *bytes = g_byte_array_new();

	for (size_t i = 0; i < step->n_cells; i++) {
		uint32_t index = GUINT32_TO_BE(step->cells[i].index);
		uint32_t delta = GUINT32_TO_BE((uint32_t)step->cells[i].delta);
		uint8_t kind = step->cells[i].op == STORE_ADD ? 0 : 1;

		g_byte_array_append(bytes, (const uint8_t *)&index, sizeof index);
		g_byte_array_append(bytes, &kind, sizeof kind);
		g_byte_array_append(bytes, (const uint8_t *)&delta, sizeof delta);
	}
	*ret_length = bytes->len;
	return g_byte_array_free(bytes, FALSE);
}

static void
argv_wanted(struct redis_op *op)
{
	size_t length;
	const void *data;
	char *wanted;

	if (op->update == store_add_deltas || !op->old) {
		redis_argv_text(op, op->update == store_add_deltas ? "*" : "-");
		return;
	}
	data = g_bytes_get_data(op->old, &length);
	wanted = g_malloc(length + 1);
	wanted[0] = '=';
	if (length)
		memcpy(wanted + 1, data, length);
	redis_argv_take(op, wanted, length + 1);
}

static void
argv_step(struct redis_op *op, const struct store_step *step)
{
	static const char *const kinds[] = {
	    [STORE_STEP_PUT] = "P", [STORE_STEP_DELETE] = "D", [STORE_STEP_ADD] = "A"};
	g_autoptr(GByteArray) scratch = g_byte_array_new();
	struct store_bytes whole = store_step_value(step, scratch);
	size_t length = whole.length;
	void *value = step->kind == STORE_STEP_ADD ? pack_cells(step, &length)
						   : g_memdup2(whole.data, length);

	redis_argv_text(op, kinds[step->kind]);
	redis_argv_number(op, step->expires);
	redis_argv_take(op, value ? value : g_strdup(""), length);
	redis_argv_field(op, step->space, step->key);
}

/* While a slot is moved a cluster refuses what has keys on both sides. The record goes first; what
 * is added to others' counters along with it is given up. */
static void
drop_additions(const struct redis_op *op, struct store_change *change)
{
	if (!op->alone || op->update == store_add_deltas)
		return;
	for (guint i = change->steps->len; i-- > 0;)
		if (g_array_index(change->steps, struct store_step, i).kind == STORE_STEP_ADD)
			g_array_remove_index(change->steps, i);
}

static void
send_change(struct redis_op *op)
{
	struct store_change *change = &op->redis->change;
	const struct store_step *steps = (const struct store_step *)(void *)change->steps->data;
	size_t length;
	const char *key = g_bytes_get_data(op->key, &length);

	redis_argv_script(op, REDIS_SCRIPT_CHANGE);
	redis_argv_number(op, change->steps->len + 1);
	redis_argv_take(op, g_memdup2(key, length), length);
	for (guint i = 0; i < change->steps->len; i++)
		redis_argv_key(op, steps[i].space, steps[i].key);
	argv_wanted(op);
	redis_argv_field(op, op->space, redis_op_bare_key(op));
	for (guint i = 0; i < change->steps->len; i++)
		argv_step(op, &steps[i]);
	op->writing = redis_op_send_argv(op);
	if (!op->writing)
		redis_op_postpone(op);
}

struct store_bytes
redis_op_bare_key(const struct redis_op *op)
{
	struct store_bytes key;
	const char *data;

	if (op->field) {
		key.data = g_bytes_get_data(op->field, &key.length);
		return key;
	}
	data = g_bytes_get_data(op->key, &key.length);
	return (struct store_bytes){data + op->bare, key.length - op->bare};
}

/* More than that would keep others waiting for the script. */
#define SCRIPT_STEPS 64

static bool
is_for_batch(const struct store_change *change)
{
	bool packed = false;

	for (guint i = 0; i < change->steps->len; i++)
		packed |= redis_is_packed(g_array_index(change->steps, struct store_step, i).space);
	return packed || change->steps->len > SCRIPT_STEPS;
}

/* Asks the function what shall be, and sends it. */
static void
run_update(struct redis_op *op)
{
	struct store_change *change = &op->redis->change;
	struct store_bytes old;

	if (op->old)
		old.data = g_bytes_get_data(op->old, &old.length);
	store_change_begin(change, op->space, redis_op_bare_key(op));
	op->update(op->old ? &old : NULL, change, op->job);
	drop_additions(op, change);
	if (change->refused)
		redis_op_refuse(op, STORE_UNAVAILABLE);
	else if (is_for_batch(change))
		redis_batch_start(op);
	else if (change->steps->len)
		send_change(op);
	else
		redis_op_refuse(op, STORE_OK);
}

static void
take_old(struct redis_op *op, const redisReply *reply)
{
	g_clear_pointer(&op->old, g_bytes_unref);
	if (reply && reply->type == REDIS_REPLY_STRING)
		op->old = g_bytes_new(reply->str, reply->len);
}

/* The script's answer: done, or what is there instead of what was read. */
static void
on_changed(redisAsyncContext *redis, void *data, void *context)
{
	struct redis_op *op = context;
	const redisReply *reply = data;

	if (op->answered || !reply || reply->type != REDIS_REPLY_ARRAY || !reply->elements) {
		redis_op_reply(redis, data, context);
		return;
	}
	if (reply->element[0]->integer == 1) {
		if (op->redis->wait_replicas && store_spaces[op->space].environment == STORE_POLICY)
			redis_confirm(op);
		else
			redis_op_reply(redis, data, context);
		return;
	}
	op->waiting_replies--;
	op->writing = false;
	take_old(op, reply->elements > 1 ? reply->element[1] : NULL);
	if (op->tries++ < REDIS_TRIES)
		run_update(op);
	else
		redis_op_answer(op, STORE_UNAVAILABLE, NULL);
}

static void
on_read(redisAsyncContext *redis, void *data, void *context)
{
	struct redis_op *op = context;
	const redisReply *reply = data;

	if (op->answered || !reply || reply->type == REDIS_REPLY_ERROR) {
		redis_op_reply(redis, data, context);
		return;
	}
	op->waiting_replies--;
	take_old(op, reply);
	run_update(op);
}

static bool
send_read(struct redis_op *op)
{
	size_t length;
	const char *key = g_bytes_get_data(op->key, &length);
	struct store_bytes field = redis_op_bare_key(op);
	const char *argv[] = {op->field ? "HGET" : "GET", key, field.data};
	const size_t lengths[] = {strlen(argv[0]), length, field.length};

	return redis_op_send(op, on_read, op->field ? 3 : 2, argv, lengths);
}

bool
redis_update_again(struct redis_op *op)
{
	return op->writing ? redis_op_send_argv(op) : send_read(op);
}

void
redis_update_start(struct redis_op *op)
{
	if (redis_is_packed(op->space))
		redis_batch_start(op);
	else if (op->update == store_add_deltas)
		run_update(op);
	else if (!send_read(op))
		redis_op_postpone(op);
}

/* Deltas commute and wait for nobody; others take their turn at the key. */
static void
take_turn(struct redis_op *op)
{
	struct store_redis *r = op->redis;
	GQueue *queue = g_hash_table_lookup(r->busy, op->key);

	if (op->update == store_add_deltas) {
		redis_update_start(op);
		return;
	}
	if (!queue) {
		queue = g_queue_new();
		g_hash_table_insert(r->busy, g_bytes_ref(op->key), queue);
	}
	g_queue_push_tail(queue, op);
	if (g_queue_peek_head(queue) == op)
		redis_update_start(op);
}

void
redis_update(struct store *store, enum store_space space, struct store_bytes key,
    store_update_fn update, void *job, GDestroyNotify free_job, const struct store_call *call)
{
	struct redis_op *op = redis_op_new(redis_of(store), call->timeout);
	struct redis_key full;

	op->finish = update_finish;
	op->space = space;
	op->update = update;
	op->reply = on_changed;
	op->job = job;
	op->free_job = free_job;
	op->call = *call;
	if (!store_key_is_good(key)) {
		redis_op_refuse(op, STORE_UNAVAILABLE);
		return;
	}
	redis_key_of(op->redis->policy_tag, space, key, &full);
	op->key = g_bytes_new(full.bytes, full.length);
	op->bare = full.bare;
	op->field = redis_buckets(space) ? g_bytes_new(key.data, key.length) : NULL;
	take_turn(op);
}
