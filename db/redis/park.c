/*
 * Operations of a patient store that wait for the server to come back. Nothing of them was done, or
 * they only read, so that they are asked again, every now and then, until the link has been up for
 * one of them or their time is over.
 */
#include "config.h"

#include "db/redis/op.h"

#define RETRY (G_TIME_SPAN_MILLISECOND * 50)

static void
be_rung_at(struct store_redis *r, int64_t at)
{
	if (r->alarm && r->alarm <= at)
		return;
	r->alarm = at;
	redis_link_alarm(r->link, at);
}

bool
redis_op_park(struct redis_op *op)
{
	struct store_redis *r = op->redis;
	int64_t now = g_get_monotonic_time(), end;

	if (!r->patience || r->closing || op->answered || (!op->update && !op->argv))
		return false;
	if (!r->lost_at)
		r->lost_at = now;
	/* Patience is for the server, not for each call: a run of many calls gives up once. */
	end = r->lost_at + (int64_t)r->patience * G_TIME_SPAN_MILLISECOND;
	if (now >= end)
		return false;
	op->own_deadline = op->deadline;
	op->deadline = op->deadline ? MIN(op->deadline, end) : end;
	g_queue_push_tail(&r->parked, op);
	be_rung_at(r, MIN(op->deadline, now + RETRY));
	return true;
}

static bool
ask_again(struct redis_op *op)
{
	op->moved = false;
	return op->update ? redis_update_again(op) : redis_op_send_argv(op);
}

void
redis_parked_resume(struct store_redis *r)
{
	GQueue parked = r->parked;
	struct redis_op *op;

	g_queue_init(&r->parked);
	while ((op = g_queue_pop_head(&parked))) {
		if (!redis_link_is_up(r->link) || !ask_again(op)) {
			g_queue_push_tail(&r->parked, op);
		} else {
			op->deadline = op->own_deadline;
		}
	}
	if (r->parked.length)
		be_rung_at(r, g_get_monotonic_time() + RETRY);
}

unsigned
redis_answer_limit(const struct store_redis *r, unsigned limit)
{
	return MAX(limit, r->patience / 3);
}

bool
redis_patiently(struct store_redis *r, redis_try_fn try_once, void *context, GError **error)
{
	int64_t end = g_get_monotonic_time() + (int64_t)r->patience * G_TIME_SPAN_MILLISECOND;

	for (;;) {
		g_autoptr(GError) reason = NULL;

		if (try_once(r, context, &reason))
			return true;
		if (reason->code != REDIS_AGAIN || g_get_monotonic_time() + RETRY >= end) {
			g_propagate_error(error, g_steal_pointer(&reason));
			return false;
		}
		if (r->address.guides)
			g_clear_pointer(&r->address.host, g_free);
		g_usleep(RETRY);
	}
}

void
redis_parked_refuse(struct store_redis *r)
{
	struct redis_op *op;

	while ((op = g_queue_pop_head(&r->parked)))
		redis_op_refuse(op, STORE_UNAVAILABLE);
}
