#include "config.h"

#include <string.h>

#include "db/redis/op.h"
#include "db/redis/pack.h"

/* One record of a step; whether to go on. The memory UNPACKED is used again. */
static bool
show_record(struct redis_op *op, redisReply *const *triple, GByteArray *unpacked)
{
	struct store_bytes key = {triple[0]->str, triple[0]->len};
	struct store_bytes value = {triple[1]->str, triple[1]->len};

	/* In the index, but gone. */
	if (triple[1]->type != REDIS_REPLY_STRING)
		return true;
	if (redis_is_packed(op->space)) {
		op->malformed |= !redis_unpack(value.data, value.length, unpacked);
		value = (struct store_bytes){unpacked->data, unpacked->len};
	}
	return op->malformed ||
	       op->record(op->call.context, &key, &value, MAX(triple[2]->integer, 0));
}

static void
cursor_set(struct store_cursor *cursor, const redisReply *place)
{
	size_t length = MIN(place->len, sizeof cursor->bytes - 1);

	memcpy(cursor->bytes, place->str, length);
	cursor->bytes[length] = '\0';
	cursor->length = (uint16_t)length;
}

static void
show(struct redis_op *op, const redisReply *reply)
{
	g_autoptr(GByteArray) unpacked = g_byte_array_new();
	bool ordered = redis_is_ordered(op->space), go_on = true;
	size_t i;

	for (i = 1; i + 2 < reply->elements && go_on && !op->malformed; i += 3) {
		go_on = show_record(op, &reply->element[i], unpacked);
		if (ordered)
			cursor_set(op->cursor, reply->element[i]);
	}
	if (ordered)
		op->cursor->end = i + 2 >= reply->elements &&
				  g_ascii_strtoull(reply->element[0]->str, NULL, 10) < op->limit;
	/* Else who stopped sees this step's records again: the cursor has no finer place. */
	if (ordered || !go_on)
		return;
	op->cursor->end = strcmp(reply->element[0]->str, "0") == 0;
	cursor_set(op->cursor, reply->element[0]);
}

static void
scan_finish(struct redis_op *op, enum store_result result, const redisReply *reply)
{
	if (result == STORE_OK && reply->type == REDIS_REPLY_ARRAY && reply->elements)
		show(op, reply);
	if (op->call.done)
		op->call.done(op->call.context, op->malformed ? STORE_CORRUPT : result, NULL);
}

static void
argv_place(struct redis_op *op, const struct store_cursor *cursor)
{
	char *place = g_malloc(cursor->length + 1);

	if (cursor->length)
		memcpy(place + 1, cursor->bytes, cursor->length);
	*place = cursor->length ? '(' : '-';
	redis_argv_take(op, place, cursor->length + 1u);
}

/* The arguments of each kind of space's script. */
static void
argv_scan(struct redis_op *op, const struct store_cursor *cursor)
{
	const char *place = cursor->length ? (const char *)cursor->bytes : "0";
	char *prefix = redis_space_prefix(op->redis->policy_tag, op->space);
	bool ordered = redis_is_ordered(op->space);
	unsigned buckets = redis_buckets(op->space);

	redis_argv_script(op, ordered   ? REDIS_SCRIPT_RANGE
			      : buckets ? REDIS_SCRIPT_BUCKETS
					: REDIS_SCRIPT_SCAN);
	redis_argv_number(op, 0);
	if (ordered) {
		char *index = redis_space_index(op->redis->policy_tag, op->space);

		redis_argv_take(op, index, strlen(index));
		argv_place(op, cursor);
	} else {
		redis_argv_text(op, place);
	}
	redis_argv_take(op, prefix, strlen(prefix));
	redis_argv_number(op, op->limit);
	if (buckets)
		redis_argv_number(op, buckets);
}

void
redis_scan(struct store *store, enum store_space space, struct store_cursor *cursor, unsigned limit,
    store_record_fn record, const struct store_call *call)
{
	struct redis_op *op = redis_op_new(redis_of(store), call->timeout);

	op->finish = scan_finish;
	op->space = space;
	op->record = record;
	op->cursor = cursor;
	op->limit = MAX(limit, 1);
	op->call = *call;
	argv_scan(op, cursor);
	if (!redis_op_send_argv(op))
		redis_op_postpone(op);
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
