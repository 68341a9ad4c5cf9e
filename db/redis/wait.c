/*
 * Updates are answered when replicas have them. A WAIT covers all that was written on the
 * connection before it, and holds up what comes after it: one is under way at a time, for as many
 * updates as have gathered.
 */
#include "config.h"

#include <string.h>

#include "db/redis/op.h"

/* Milliseconds for the replicas at least; a fifth of what calls are given if that is more. The
 * server looks at its clock ten times a second, so that it may become 100. */
#define WAIT_LIMIT 50u

/* Where there are too few, they are not waited for again before so long. */
#define WAIT_PAUSE (G_TIME_SPAN_SECOND)

static void send_wait(struct store_redis *r);

static void
settle_all(GPtrArray *ops, enum store_result result)
{
	g_autoptr(GPtrArray) all = g_ptr_array_copy(ops, NULL, NULL);

	g_ptr_array_set_size(ops, 0);
	for (guint i = 0; i < all->len; i++)
		redis_op_settle(g_ptr_array_index(all, i), result, NULL);
}

static void
on_waited(redisAsyncContext *redis G_GNUC_UNUSED, void *data, void *context)
{
	struct store_redis *r = context;
	const redisReply *reply = data;
	bool enough = reply && reply->type == REDIS_REPLY_INTEGER &&
		      reply->integer >= (long long)r->wait_replicas;

	r->waiting = false;
	if (reply && !enough)
		redis_link_complain(r->link, reply->type == REDIS_REPLY_ERROR
						 ? reply->str
						 : "too few replicas have the last updates");
	r->next_wait = reply && !enough ? g_get_monotonic_time() + WAIT_PAUSE : 0;
	settle_all(r->covered, enough ? STORE_OK : STORE_UNCERTAIN);
	if (r->written->len && !r->waiting)
		send_wait(r);
}

static void
send_wait(struct store_redis *r)
{
	g_autofree char *replicas = g_strdup_printf("%u", r->wait_replicas);
	g_autofree char *limit = g_strdup_printf("%u", MAX(WAIT_LIMIT, r->timeout / 5));
	const char *argv[] = {"WAIT", replicas, limit};
	const size_t lengths[] = {4, strlen(replicas), strlen(limit)};

	if (r->next_wait > g_get_monotonic_time() ||
	    !redis_link_send(r->link, on_waited, r, 3, argv, lengths)) {
		settle_all(r->written, STORE_UNCERTAIN);
		return;
	}
	r->waiting = true;
	g_ptr_array_extend_and_steal(r->covered, r->written);
	r->written = g_ptr_array_new();
}

void
redis_confirm(struct redis_op *op)
{
	struct store_redis *r = op->redis;

	g_ptr_array_add(r->written, op);
	if (!r->waiting)
		send_wait(r);
}
