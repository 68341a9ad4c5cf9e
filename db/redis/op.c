#include "config.h"

#include "db/redis/op.h"

#include <string.h>

/* -- operations -- */

struct redis_op *
redis_op_new(struct store_redis *r, unsigned timeout)
{
	struct redis_op *op = g_new0(struct redis_op, 1);

	op->redis = r;
	if (timeout && timeout < r->patience)
		timeout = r->patience;
	op->reply = redis_op_reply;
	op->deadline = timeout ? g_get_monotonic_time() + (int64_t)timeout * 1000 : 0;
	g_hash_table_add(r->ops, op);
	if (op->deadline && (!r->alarm || op->deadline < r->alarm)) {
		r->alarm = op->deadline;
		redis_link_alarm(r->link, r->alarm);
	}
	return op;
}

static void
op_free(struct redis_op *op)
{
	g_clear_pointer(&op->key, g_bytes_unref);
	g_clear_pointer(&op->field, g_bytes_unref);
	g_clear_pointer(&op->old, g_bytes_unref);
	g_clear_pointer(&op->argv, g_ptr_array_unref);
	g_clear_pointer(&op->lengths, g_array_unref);
	g_free(op);
}

/* The next update that waits for the key goes on. */
static void
release_key(struct redis_op *op)
{
	GQueue *queue = op->key ? g_hash_table_lookup(op->redis->busy, op->key) : NULL;
	struct redis_op *next;

	if (!queue || g_queue_peek_head(queue) != op) {
		if (queue)
			g_queue_remove(queue, op);
		return;
	}
	g_queue_pop_head(queue);
	next = g_queue_peek_head(queue);
	if (next)
		redis_update_start(next);
	else
		g_hash_table_remove(op->redis->busy, op->key);
}

void
redis_op_answer(struct redis_op *op, enum store_result result, const redisReply *reply)
{
	if (op->answered)
		return;
	op->answered = true;
	if (result == STORE_OK)
		op->redis->lost_at = 0;
	if (result == STORE_OK && atomic_load(&op->redis->store.reason))
		store_note(&op->redis->store, STORE_OK, NULL);
	g_hash_table_remove(op->redis->ops, op);
	g_queue_remove(&op->redis->refused, op);
	g_queue_remove(&op->redis->parked, op);
	op->finish(op, result, reply);
	release_key(op);
	if (!op->waiting_replies)
		op_free(op);
}

/* Its owner hears from dispatch, never from within its own call. */
void
redis_op_refuse(struct redis_op *op, enum store_result result)
{
	op->refusal = result;
	g_queue_push_tail(&op->redis->refused, op);
	redis_link_wake(op->redis->link);
}

void
redis_op_postpone(struct redis_op *op)
{
	if (!redis_op_park(op))
		redis_op_refuse(op, STORE_UNAVAILABLE);
}

void
redis_op_woken(void *context)
{
	struct store_redis *r = context;
	struct redis_op *op;

	while ((op = g_queue_pop_head(&r->refused)))
		redis_op_answer(op, op->refusal, NULL);
	redis_batch_collect(r);
}

static bool
any_is_sent(const GPtrArray *ops)
{
	for (guint i = 0; i < ops->len; i++) {
		const struct redis_op *op = g_ptr_array_index(ops, i);

		if (op->waiting_replies)
			return true;
	}
	return false;
}

void
redis_op_deadline(void *context)
{
	struct store_redis *r = context;
	int64_t now = g_get_monotonic_time(), next = 0;
	g_autoptr(GPtrArray) over = g_ptr_array_new();
	GHashTableIter iter;
	gpointer key;

	g_hash_table_iter_init(&iter, r->ops);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		const struct redis_op *op = key;

		if (op->deadline && op->deadline <= now)
			g_ptr_array_add(over, key);
		else if (op->deadline && (!next || op->deadline < next))
			next = op->deadline;
	}
	r->alarm = next;
	redis_link_alarm(r->link, next);
	/* Taking the link down answers what was sent; the rest waits for a key. */
	if (over->len) {
		if (any_is_sent(over))
			store_note(&r->store, STORE_UNAVAILABLE, "no answer in time");
		redis_link_down(r->link);
	}
	for (guint i = 0; i < over->len; i++) {
		struct redis_op *op = g_ptr_array_index(over, i);

		if (g_hash_table_contains(r->ops, op) && op->deadline && op->deadline <= now)
			redis_op_answer(op, STORE_UNAVAILABLE, NULL);
	}
	redis_parked_resume(r);
}

/* What a refusal of the server's means. */
static const struct {
	const char *prefix;
	enum store_result result;
	bool down;
} refusals[] = {
    {"OOM", STORE_FULL, false},
    {"MISCONF", STORE_FULL, false},
    {"WRONGTYPE", STORE_CORRUPT, false},
    {"LOADING", STORE_UNAVAILABLE, true},
    {"MASTERDOWN", STORE_UNAVAILABLE, true},
    {"READONLY", STORE_UNAVAILABLE, true},
    {"CLUSTERDOWN", STORE_UNAVAILABLE, true},
    {"NOAUTH", STORE_UNAVAILABLE, true},
    {"BUSY", STORE_UNAVAILABLE, true},
};

enum store_result
redis_refusal(const char *text, bool *ret_down)
{
	for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++) {
		if (g_str_has_prefix(text, refusals[i].prefix)) {
			*ret_down = refusals[i].down;
			return refusals[i].result;
		}
	}
	*ret_down = false;
	return STORE_UNAVAILABLE;
}

bool
redis_is_elsewhere(const char *refusal)
{
	static const char *const words[] = {"MOVED ", "ASK ", "TRYAGAIN", "READONLY"};

	for (size_t i = 0; refusal && i < G_N_ELEMENTS(words); i++)
		if (g_str_has_prefix(refusal, words[i]))
			return true;
	return false;
}

/* One that serves nobody for now may serve again, and did nothing. */
static void
refused(struct redis_op *op, const char *text)
{
	bool down;
	enum store_result result = redis_refusal(text, &down);

	redis_link_complain(op->redis->link, text);
	store_note(&op->redis->store, result, "%s", text);
	if (down)
		redis_link_down(op->redis->link);
	if (!(down || redis_is_elsewhere(text)) || !redis_op_park(op))
		redis_op_answer(op, result, NULL);
}

void
redis_op_settle(struct redis_op *op, enum store_result result, const redisReply *reply)
{
	op->waiting_replies--;
	if (!op->answered)
		redis_op_answer(op, result, reply);
	else if (!op->waiting_replies)
		op_free(op);
}

void
redis_op_reply(redisAsyncContext *redis G_GNUC_UNUSED, void *data, void *context)
{
	struct redis_op *op = context;
	const redisReply *reply = data;

	op->waiting_replies--;
	if (op->answered) {
		if (!op->waiting_replies)
			op_free(op);
	} else if (redis_op_redirected(op, reply)) {
		return;
	} else if (!reply) {
		if (op->writing || !redis_op_park(op))
			redis_op_answer(
			    op, op->writing ? STORE_UNCERTAIN : STORE_UNAVAILABLE, NULL);
	} else if (reply->type != REDIS_REPLY_ERROR) {
		redis_op_answer(op, STORE_OK, reply);
	} else if (g_str_has_prefix(reply->str, "NOSCRIPT") && op->argv &&
		   op->tries++ < REDIS_TRIES) {
		redis_link_load_scripts(op->redis->link);
		if (!redis_op_send_argv(op) && !redis_op_park(op))
			redis_op_answer(op, STORE_UNAVAILABLE, NULL);
	} else {
		refused(op, reply->str);
	}
}

bool
redis_op_send(
    struct redis_op *op, redisCallbackFn *reply, int argc, const char **argv, const size_t *lengths)
{
	struct store_redis *r = op->redis;
	struct redis_link *link = op->ask && r->asking ? r->asking : r->link;
	const char *asking[] = {"ASKING"};
	const size_t length[] = {strlen("ASKING")};

	if (link == r->asking)
		redis_link_send(link, NULL, NULL, 1, asking, length);
	op->ask = false;
	if (!redis_link_send(link, reply, op, argc, argv, lengths))
		return false;
	op->waiting_replies++;
	return true;
}

/* -- commands -- */

void
redis_argv_begin(struct redis_op *op)
{
	g_clear_pointer(&op->argv, g_ptr_array_unref);
	g_clear_pointer(&op->lengths, g_array_unref);
	op->argv = g_ptr_array_new_with_free_func(g_free);
	op->lengths = g_array_new(FALSE, FALSE, sizeof(size_t));
}

void
redis_argv_take(struct redis_op *op, void *data, size_t length)
{
	g_ptr_array_add(op->argv, data);
	g_array_append_val(op->lengths, length);
}

void
redis_argv_text(struct redis_op *op, const char *text)
{
	redis_argv_take(op, g_strdup(text), strlen(text));
}

void
redis_argv_number(struct redis_op *op, int64_t number)
{
	char *text = g_strdup_printf("%" G_GINT64_FORMAT, number);

	redis_argv_take(op, text, strlen(text));
}

void
redis_argv_key(struct redis_op *op, enum store_space space, struct store_bytes key)
{
	struct redis_key full;

	redis_key_of(op->redis->policy_tag, space, key, &full);
	redis_argv_take(op, g_memdup2(full.bytes, full.length), full.length);
}

void
redis_argv_field(struct redis_op *op, enum store_space space, struct store_bytes key)
{
	size_t length = redis_buckets(space) ? key.length : 0;

	redis_argv_take(op, length ? g_memdup2(key.data, length) : g_strdup(""), length);
}

bool
redis_op_send_argv(struct redis_op *op)
{
	return redis_op_send(op, op->reply, (int)op->argv->len, (const char **)op->argv->pdata,
	    (const size_t *)(void *)op->lengths->data);
}

void
redis_argv_script(struct redis_op *op, enum redis_script script)
{
	redis_argv_begin(op);
	redis_argv_text(op, "EVALSHA");
	redis_argv_text(op, op->redis->sha[script]);
}
