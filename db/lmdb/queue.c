/*
 * The owner's side of writing: operations go to the writer's queue and come back from it through
 * an eventfd; a timerfd tells when a deadline passes meanwhile. Both are in an epoll, which is the
 * store's one descriptor.
 *
 * Who answers an operation whose time is over is settled by one exchange of its state: the owner
 * makes it CANCELLED, or the writer has made it TAKEN. It stays in memory until the writer has
 * given it back, answered or not.
 */
#include "config.h"

#include "db/lmdb/lmdb.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

static struct lmdb_op *
op_new(enum store_space space, struct store_bytes key, const struct store_call *call)
{
	struct lmdb_op *op = g_new0(struct lmdb_op, 1);

	op->space = space;
	op->key = (struct store_bytes){g_memdup2(key.data, key.length), key.length};
	op->call = *call;
	op->deadline = call->timeout ? g_get_monotonic_time() + call->timeout * 1000ll : 0;
	op->link.data = op;
	return op;
}

static void
op_free(struct lmdb_op *op)
{
	if (op->free_job)
		op->free_job(op->job);
	if (op->over)
		g_ptr_array_unref(op->over);
	g_free((void *)op->key.data);
	g_free(op);
}

/* -- what is outstanding -- */

static void
arm_timer(struct store_lmdb *s, int64_t deadline)
{
	struct itimerspec when = {
	    .it_value = {.tv_sec = deadline / 1000000, .tv_nsec = deadline % 1000000 * 1000}};

	timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &when, NULL);
	s->armed_for = deadline;
}

/* Into the list by deadline: nearly always at its end, since time-outs are mostly the same. The
 * timer is left at an earlier time, even if nothing waits for that any more: at a low load that
 * saves a system call for each operation. */
static void
add_pending(struct store_lmdb *s, struct lmdb_op *op)
{
	GList *after = s->pending.tail;

	while (after && ((struct lmdb_op *)after->data)->deadline > op->deadline)
		after = after->prev;
	if (after)
		g_queue_insert_after_link(&s->pending, after, &op->link);
	else
		g_queue_push_head_link(&s->pending, &op->link);
	if (!s->armed_for || op->deadline < s->armed_for)
		arm_timer(s, op->deadline);
}

static void
answer(struct store_lmdb *s, struct lmdb_op *op, enum store_result result)
{
	op->answered = true;
	s->outstanding--;
	g_queue_unlink(op->deadline ? &s->pending : &s->patient, &op->link);
	if (result == STORE_OK && op->cursor) {
		*op->cursor = op->at;
		*op->ret_expired = op->expired;
	}
	if (op->call.done)
		op->call.done(op->call.context, result, result == STORE_OK ? op->job : NULL);
}

/* Answers before the writer has given it back. */
static void
answer_early(struct store_lmdb *s, struct lmdb_op *op)
{
	int waiting = LMDB_OP_WAITING;
	bool cancelled = atomic_compare_exchange_strong(&op->state, &waiting, LMDB_OP_CANCELLED);

	answer(s, op, cancelled ? STORE_UNAVAILABLE : STORE_UNCERTAIN);
}

void
lmdb_post(struct store_lmdb *s, struct lmdb_op *op, enum store_result result)
{
	op->result = result;
	pthread_mutex_lock(&s->done_lock);
	g_queue_push_tail(&s->done, op);
	pthread_mutex_unlock(&s->done_lock);
}

void
lmdb_wake_owner(struct store_lmdb *s)
{
	eventfd_write(s->wake, 1);
}

/* -- dispatch -- */

static void
expire_deadlines(struct store_lmdb *s)
{
	int64_t now = g_get_monotonic_time();
	struct lmdb_op *op;

	while ((op = g_queue_peek_head(&s->pending)) && op->deadline <= now)
		answer_early(s, op);
	if (op)
		arm_timer(s, op->deadline);
}

void
lmdb_dispatch(struct store *store)
{
	struct store_lmdb *s = (struct store_lmdb *)store;
	GQueue done = G_QUEUE_INIT;
	uint64_t expirations;
	eventfd_t ignored;
	struct lmdb_op *op;

	eventfd_read(s->wake, &ignored);
	pthread_mutex_lock(&s->done_lock);
	done = s->done;
	g_queue_init(&s->done);
	pthread_mutex_unlock(&s->done_lock);
	while ((op = g_queue_pop_head(&done))) {
		if (!op->answered)
			answer(s, op, op->result);
		op_free(op);
	}
	if (read(s->timer, &expirations, sizeof expirations) == sizeof expirations) {
		s->armed_for = 0;
		expire_deadlines(s);
	}
}

void
lmdb_finish(struct store_lmdb *s, int64_t end)
{
	struct pollfd fd = {.fd = s->poll, .events = POLLIN};
	struct lmdb_op *op;
	int64_t left;

	while (s->outstanding && (left = end - g_get_monotonic_time()) > 0) {
		poll(&fd, 1, (int)(left / 1000) + 1);
		lmdb_dispatch(&s->store);
	}
	s->closing = true;
	while ((op = g_queue_peek_head(&s->pending)) || (op = g_queue_peek_head(&s->patient)))
		answer_early(s, op);
}

/* -- operations -- */

static void
submit(struct store_lmdb *s, struct lmdb_op *op, bool scan)
{
	struct lmdb_environment *e = lmdb_environment_of(s, op->space);

	s->outstanding++;
	if (op->deadline)
		add_pending(s, op);
	else
		g_queue_push_tail_link(&s->patient, &op->link);
	if (!e->has_writer || s->closing || (op->update && !store_key_is_good(op->key))) {
		lmdb_post(s, op, STORE_UNAVAILABLE);
		lmdb_wake_owner(s);
		return;
	}
	pthread_mutex_lock(&e->lock);
	g_queue_push_tail(scan ? &e->scans : &e->waiting, op);
	pthread_cond_signal(&e->more);
	pthread_mutex_unlock(&e->lock);
}

void
lmdb_update(struct store *store, enum store_space space, struct store_bytes key,
    store_update_fn update, void *job, GDestroyNotify free_job, const struct store_call *call)
{
	struct lmdb_op *op = op_new(space, key, call);

	op->update = update;
	op->job = job;
	op->free_job = free_job;
	submit((struct store_lmdb *)store, op, false);
}

void
lmdb_expire(struct store *store, enum store_space space, struct store_cursor *cursor,
    unsigned limit, int64_t now, uint64_t *ret_expired, const struct store_call *call)
{
	struct lmdb_op *op = op_new(space, (struct store_bytes){NULL, 0}, call);

	op->cursor = cursor;
	op->at = *cursor;
	op->limit = limit;
	op->now = now;
	op->ret_expired = ret_expired;
	op->over = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	submit((struct store_lmdb *)store, op, true);
}
