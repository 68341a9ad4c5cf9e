#include "config.h"

#include <string.h>

#include "db/store_redis_op.h"

static void
show(struct redis_op *op, const redisReply *reply)
{
	bool go_on = true;

	for (size_t i = 1; i + 2 < reply->elements && go_on; i += 3) {
		struct store_bytes key = {reply->element[i]->str, reply->element[i]->len};
		struct store_bytes value = {reply->element[i + 1]->str, reply->element[i + 1]->len};
		int64_t expires = MAX(reply->element[i + 2]->integer, 0);

		go_on = op->record(op->call.context, &key, &value, expires);
	}
	/* Who stopped sees this step's records again: the server's cursor has no finer place. */
	if (!go_on)
		return;
	op->cursor->end = strcmp(reply->element[0]->str, "0") == 0;
	op->cursor->length = (uint16_t)g_strlcpy(
	    (char *)op->cursor->bytes, reply->element[0]->str, sizeof op->cursor->bytes);
}

static void
scan_finish(struct redis_op *op, enum store_result result, const redisReply *reply)
{
	if (result == STORE_OK && reply->type == REDIS_REPLY_ARRAY && reply->elements)
		show(op, reply);
	if (op->call.done)
		op->call.done(op->call.context, result, NULL);
}

void
redis_scan(struct store *store, enum store_space space, struct store_cursor *cursor, unsigned limit,
    store_record_fn record, const struct store_call *call)
{
	struct redis_op *op = redis_op_new(redis_of(store), call->timeout);
	char *prefix = redis_space_prefix(space);

	op->finish = scan_finish;
	op->record = record;
	op->cursor = cursor;
	op->call = *call;
	redis_argv_script(op, REDIS_SCRIPT_SCAN);
	redis_argv_number(op, 0);
	redis_argv_text(op, cursor->length ? (const char *)cursor->bytes : "0");
	redis_argv_take(op, prefix, strlen(prefix));
	redis_argv_number(op, limit);
	if (!redis_op_send_argv(op))
		redis_op_refuse(op, STORE_UNAVAILABLE);
}

static void
expire_finish(struct redis_op *op, enum store_result result, const redisReply *reply G_GNUC_UNUSED)
{
	if (op->call.done)
		op->call.done(op->call.context, result, NULL);
}

void
redis_expire(struct store *store, enum store_space space G_GNUC_UNUSED, struct store_cursor *cursor,
    unsigned limit G_GNUC_UNUSED, int64_t now G_GNUC_UNUSED, uint64_t *ret_expired,
    const struct store_call *call)
{
	struct redis_op *op = redis_op_new(redis_of(store), 0);

	cursor->end = true;
	*ret_expired = 0;
	op->finish = expire_finish;
	op->call = *call;
	redis_op_refuse(op, STORE_OK);
}
