/*
 * Group commit: a thread an environment takes all operations that wait, runs them in one
 * transaction, commits it to the disk, and then lets their owner know. While it waits for the
 * disk the next ones gather.
 *
 * LMDB's writer lock has no time-out: another process may hold it. So the thread takes operations
 * only once it has the lock; what has waited too long by then was cancelled by its owner, and is
 * never run. What it has taken is answered as uncertain when its time is over before the disk is
 * done.
 */
#include "config.h"

#include "db/store_lmdb.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Operations of one transaction: bounds how long the lock is held from other processes. */
#define BATCH_MAX 1000

/* Where a commit takes longer than this, waiting a little for others to join it pays. */
#define SLOW_COMMIT 3000.0 /* microseconds */
#define GATHER_TIME 300    /* microseconds */

#define READER_CHECK_INTERVAL 60 /* seconds */
#define STOP_PATIENCE         5  /* seconds */

/* Records that are looked at to find the one that makes room (store_options.max_triplets). */
#define EVICT_SAMPLE 128

/* -- the owner's side -- */

static struct store_lmdb *
lmdb(struct store *store)
{
	return (struct store_lmdb *)store;
}

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

static void
arm_timer(struct store_lmdb *s, int64_t deadline)
{
	struct itimerspec when = {
	    .it_value = {.tv_sec = deadline / 1000000, .tv_nsec = deadline % 1000000 * 1000}};

	timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &when, NULL);
	s->timer_armed = true;
}

/* Into the list by deadline: nearly always at its end, since time-outs are mostly the same. */
static void
add_pending(struct store_lmdb *s, struct lmdb_op *op)
{
	GList *after = s->pending.tail;

	s->outstanding++;
	if (!op->deadline)
		return;
	while (after && ((struct lmdb_op *)after->data)->deadline > op->deadline)
		after = after->prev;
	if (after)
		g_queue_insert_after_link(&s->pending, after, &op->link);
	else
		g_queue_push_head_link(&s->pending, &op->link);
	if (!s->timer_armed)
		arm_timer(s, op->deadline);
}

static void
answer(struct store_lmdb *s, struct lmdb_op *op, enum store_result result)
{
	op->answered = true;
	s->outstanding--;
	if (op->deadline)
		g_queue_unlink(&s->pending, &op->link);
	if (result == STORE_OK && op->cursor) {
		*op->cursor = op->at;
		*op->ret_expired = op->expired;
	}
	if (op->call.done)
		op->call.done(op->call.context, result, result == STORE_OK ? op->job : NULL);
}

/* Hands an operation that the writer is done with, or never got, back to its owner. */
static void
post(struct store_lmdb *s, struct lmdb_op *op, enum store_result result)
{
	op->result = result;
	pthread_mutex_lock(&s->done_lock);
	g_queue_push_tail(&s->done, op);
	pthread_mutex_unlock(&s->done_lock);
}

static void
wake_owner(struct store_lmdb *s)
{
	eventfd_write(s->wake, 1);
}

static void
expire_deadlines(struct store_lmdb *s)
{
	int64_t now = g_get_monotonic_time();
	struct lmdb_op *op;

	while ((op = g_queue_peek_head(&s->pending)) && op->deadline <= now) {
		int waiting = LMDB_OP_WAITING;
		bool cancelled =
		    atomic_compare_exchange_strong(&op->state, &waiting, LMDB_OP_CANCELLED);

		answer(s, op, cancelled ? STORE_UNAVAILABLE : STORE_UNCERTAIN);
	}
	if (op)
		arm_timer(s, op->deadline);
}

void
lmdb_dispatch(struct store *store)
{
	struct store_lmdb *s = lmdb(store);
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
		s->timer_armed = false;
		expire_deadlines(s);
	}
}

static void
submit(struct store_lmdb *s, struct lmdb_op *op, bool scan)
{
	struct lmdb_environment *e = lmdb_environment_of(s, op->space);

	add_pending(s, op);
	if (!e->has_writer || op->key.length > STORE_KEY_MAX) {
		post(s, op, STORE_UNAVAILABLE);
		wake_owner(s);
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
	submit(lmdb(store), op, false);
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
	submit(lmdb(store), op, true);
}

/* -- the writer's side: records -- */

static uint64_t
next_random(struct lmdb_environment *e)
{
	/* xorshift64 (Marsaglia 2003): only spreads the samples. */
	e->random ^= e->random << 13;
	e->random ^= e->random >> 7;
	e->random ^= e->random << 17;
	return e->random;
}

static int
put_record(struct lmdb_environment *e, MDB_txn *txn, const struct store_step *step,
    const void *value, size_t length, int64_t expires)
{
	size_t skip = store_spaces[step->space].expires ? LMDB_EXPIRY_SIZE : 0;
	MDB_val k = {step->key.length, (void *)step->key.data}, v = {length + skip, NULL};
	int code = mdb_put(txn, e->dbis[step->space], &k, &v, MDB_RESERVE);
	uint32_t seconds = (uint32_t)CLAMP(expires, 0, (int64_t)UINT32_MAX);
	uint8_t *b = v.mv_data;

	if (code != MDB_SUCCESS)
		return code;
	for (size_t i = 0; i < skip; i++)
		b[i] = (uint8_t)(seconds >> (24 - 8 * i));
	if (length)
		memcpy(b + skip, value, length);
	return MDB_SUCCESS;
}

/* From a random place on, the key of the record that would expire first among some. */
static int
find_victim(struct lmdb_environment *e, MDB_cursor *c, uint8_t *key, size_t *ret_length)
{
	uint64_t words[2] = {next_random(e), next_random(e)};
	MDB_val k = {sizeof words, words}, v;
	int64_t earliest = INT64_MAX;
	int code = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);

	for (unsigned i = 0; i < EVICT_SAMPLE; i++) {
		struct store_bytes value;
		int64_t expires;

		if (code == MDB_NOTFOUND)
			code = mdb_cursor_get(c, &k, &v, MDB_FIRST);
		if (code != MDB_SUCCESS)
			return code;
		if (!lmdb_unwrap(STORE_TRIPLETS, &v, &value, &expires))
			expires = 0;
		if (expires < earliest) {
			earliest = expires;
			memcpy(key, k.mv_data, k.mv_size);
			*ret_length = k.mv_size;
		}
		code = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	return MDB_SUCCESS;
}

static int
evict(struct lmdb_environment *e, MDB_txn *txn)
{
	uint8_t key[STORE_KEY_MAX];
	MDB_cursor *c;
	MDB_val k = {0, key};
	int code = mdb_cursor_open(txn, e->dbis[STORE_TRIPLETS], &c);

	if (code != MDB_SUCCESS)
		return code;
	code = find_victim(e, c, key, &k.mv_size);
	mdb_cursor_close(c);
	if (code == MDB_SUCCESS)
		code = mdb_del(txn, e->dbis[STORE_TRIPLETS], &k, NULL);
	if (code == MDB_SUCCESS)
		e->evicted++;
	return code;
}

/* A new triplet beyond the bound takes the place of another. */
static int
make_room(struct lmdb_environment *e, MDB_txn *txn, const struct store_step *step)
{
	MDB_val k = {step->key.length, (void *)step->key.data}, v;
	MDB_stat stat;
	int code;

	if (step->space != STORE_TRIPLETS || !e->store->max_triplets)
		return MDB_SUCCESS;
	code = mdb_stat(txn, e->dbis[STORE_TRIPLETS], &stat);
	if (code != MDB_SUCCESS || stat.ms_entries < e->store->max_triplets ||
	    mdb_get(txn, e->dbis[STORE_TRIPLETS], &k, &v) == MDB_SUCCESS)
		return code;
	return evict(e, txn);
}

static int
step_put(struct lmdb_environment *e, MDB_txn *txn, const struct store_step *step)
{
	int code = make_room(e, txn, step);

	if (code != MDB_SUCCESS)
		return code;
	return put_record(e, txn, step, step->value.data, step->value.length, step->expires);
}

static int
step_delete(struct lmdb_environment *e, MDB_txn *txn, const struct store_step *step)
{
	MDB_val k = {step->key.length, (void *)step->key.data};
	int code = mdb_del(txn, e->dbis[step->space], &k, NULL);

	return code == MDB_NOTFOUND ? MDB_SUCCESS : code;
}

static int
step_add(struct lmdb_environment *e, MDB_txn *txn, const struct store_step *step)
{
	MDB_val k = {step->key.length, (void *)step->key.data}, v;
	struct store_bytes old;
	int64_t expires = step->expires;
	int code = mdb_get(txn, e->dbis[step->space], &k, &v);

	if (code != MDB_SUCCESS && code != MDB_NOTFOUND)
		return code;
	if (code == MDB_SUCCESS && !lmdb_unwrap(step->space, &v, &old, &expires))
		return MDB_CORRUPTED;
	store_cells_apply(code == MDB_SUCCESS ? &old : NULL, step, e->cells);
	return put_record(e, txn, step, e->cells->data, e->cells->len, expires);
}

/* -- the writer's side: operations -- */

static int
run_update(struct lmdb_environment *e, MDB_txn *txn, struct lmdb_op *op)
{
	static int (*const steps[])(
	    struct lmdb_environment *, MDB_txn *, const struct store_step *) = {
	    [STORE_STEP_PUT] = step_put,
	    [STORE_STEP_DELETE] = step_delete,
	    [STORE_STEP_ADD] = step_add,
	};
	MDB_val k = {op->key.length, (void *)op->key.data}, v;
	struct store_bytes old;
	int64_t expires;
	int code = mdb_get(txn, e->dbis[op->space], &k, &v);

	if (code != MDB_SUCCESS && code != MDB_NOTFOUND)
		return code;
	if (code == MDB_SUCCESS && !lmdb_unwrap(op->space, &v, &old, &expires))
		return MDB_CORRUPTED;
	store_change_begin(&e->change, op->space, op->key);
	op->update(code == MDB_SUCCESS ? &old : NULL, &e->change, op->job);
	code = MDB_SUCCESS;
	for (guint i = 0; code == MDB_SUCCESS && i < e->change.steps->len; i++) {
		const struct store_step *step =
		    &g_array_index(e->change.steps, struct store_step, i);

		code = steps[step->kind](e, txn, step);
	}
	return code;
}

/* Deletes what the scan has found, unless it was written again meanwhile. */
static int
run_expiry(struct lmdb_environment *e, MDB_txn *txn, struct lmdb_op *op)
{
	op->expired = 0;
	for (guint i = 0; i < op->over->len; i++) {
		gsize length;
		const void *key = g_bytes_get_data(g_ptr_array_index(op->over, i), &length);
		MDB_val k = {length, (void *)key}, v;
		struct store_bytes value;
		int64_t expires;
		int code = mdb_get(txn, e->dbis[op->space], &k, &v);

		if (code == MDB_NOTFOUND)
			continue;
		if (code != MDB_SUCCESS)
			return code;
		if (!lmdb_unwrap(op->space, &v, &value, &expires) || expires > op->now)
			continue;
		code = mdb_del(txn, e->dbis[op->space], &k, NULL);
		if (code != MDB_SUCCESS)
			return code;
		op->expired++;
	}
	return MDB_SUCCESS;
}

static int
run_all(struct lmdb_environment *e, MDB_txn *txn, GPtrArray *batch)
{
	int code = MDB_SUCCESS;

	for (guint i = 0; code == MDB_SUCCESS && i < batch->len; i++) {
		struct lmdb_op *op = g_ptr_array_index(batch, i);

		code = op->update ? run_update(e, txn, op) : run_expiry(e, txn, op);
	}
	return code;
}

/* -- the writer's side: transactions -- */

/* Makes the map twice as large; false if the machine does not allow it. */
static bool
grow_map(struct lmdb_environment *e)
{
	int code;

	pthread_rwlock_wrlock(&e->map_lock);
	code = lmdb_set_map_size(e, lmdb_map_size(e) * 2);
	pthread_rwlock_unlock(&e->map_lock);
	return code == MDB_SUCCESS;
}

/* What can be mended so that the same batch may succeed when it is run again. */
static bool
mend(struct lmdb_environment *e, int code)
{
	if (code == MDB_MAP_FULL)
		return grow_map(e);
	if (code == MDB_PANIC)
		return lmdb_reopen(e) == MDB_SUCCESS;
	if (code != MDB_MAP_RESIZED)
		return false;
	pthread_rwlock_wrlock(&e->map_lock);
	code = lmdb_set_map_size(e, 0);
	pthread_rwlock_unlock(&e->map_lock);
	return code == MDB_SUCCESS;
}

/* The writer lock, however long it takes. */
static int
begin(struct lmdb_environment *e, MDB_txn **ret_txn)
{
	int code = MDB_PANIC;

	for (int tries = 0; tries < 3; tries++) {
		code = e->env ? mdb_txn_begin(e->env, NULL, 0, ret_txn) : MDB_PANIC;
		if (code == MDB_SUCCESS || !mend(e, code))
			break;
	}
	return code;
}

static void
note_commit_time(struct lmdb_environment *e, int64_t since)
{
	e->commit_time += 0.1 * ((double)(g_get_monotonic_time() - since) - e->commit_time);
}

/* Runs the batch in the transaction, and again as often as something could be mended. */
static int
commit_batch(struct lmdb_environment *e, MDB_txn *txn, GPtrArray *batch)
{
	int code = MDB_SUCCESS;

	for (int tries = 0; tries < 8; tries++) {
		if (!txn && (code = begin(e, &txn)) != MDB_SUCCESS)
			return code;
		code = run_all(e, txn, batch);
		if (code == MDB_SUCCESS) {
			int64_t start = g_get_monotonic_time();

			code = mdb_txn_commit(txn);
			note_commit_time(e, start);
		} else {
			mdb_txn_abort(txn);
		}
		txn = NULL;
		if (code == MDB_SUCCESS || !mend(e, code))
			break;
	}
	return code;
}

/* One bad operation must not take the others with it: then each has a transaction of its own. */
static void
commit_each(struct lmdb_environment *e, GPtrArray *batch)
{
	g_autoptr(GPtrArray) one = g_ptr_array_new();

	for (guint i = 0; i < batch->len; i++) {
		struct lmdb_op *op = g_ptr_array_index(batch, i);

		g_ptr_array_set_size(one, 0);
		g_ptr_array_add(one, op);
		post(e->store, op, lmdb_result(commit_batch(e, NULL, one)));
		wake_owner(e->store);
	}
}

static void
write_batch(struct lmdb_environment *e, MDB_txn *txn, GPtrArray *batch)
{
	int code = commit_batch(e, txn, batch);
	enum store_result result = lmdb_result(code);

	e->updates += batch->len;
	e->commits++;
	if (code != MDB_SUCCESS && result != STORE_FULL && batch->len > 1) {
		commit_each(e, batch);
		return;
	}
	for (guint i = 0; i < batch->len; i++)
		post(e->store, g_ptr_array_index(batch, i), result);
	wake_owner(e->store);
}

/* -- the writer's side: the thread -- */

/* Takes what waits, but what was cancelled: that goes back at once. */
static GPtrArray *
take_batch(struct lmdb_environment *e)
{
	GPtrArray *batch = g_ptr_array_new();
	struct lmdb_op *op;

	pthread_mutex_lock(&e->lock);
	while (batch->len < BATCH_MAX && (op = g_queue_pop_head(&e->waiting))) {
		int waiting = LMDB_OP_WAITING;

		if (atomic_compare_exchange_strong(&op->state, &waiting, LMDB_OP_TAKEN))
			g_ptr_array_add(batch, op);
		else
			post(e->store, op, STORE_UNAVAILABLE);
	}
	pthread_mutex_unlock(&e->lock);
	return batch;
}

static void
give_back_all(struct lmdb_environment *e, enum store_result result)
{
	g_autoptr(GPtrArray) batch = take_batch(e);

	for (guint i = 0; i < batch->len; i++)
		post(e->store, g_ptr_array_index(batch, i), result);
	wake_owner(e->store);
}

static void
write_waiting(struct lmdb_environment *e)
{
	g_autoptr(GPtrArray) batch = NULL;
	MDB_txn *txn;
	int code;

	if (e->commit_time > SLOW_COMMIT)
		g_usleep(GATHER_TIME);
	code = begin(e, &txn);
	if (code != MDB_SUCCESS) {
		give_back_all(e, lmdb_result(code));
		return;
	}
	batch = take_batch(e);
	if (batch->len) {
		write_batch(e, txn, batch);
	} else {
		mdb_txn_abort(txn);
		wake_owner(e->store);
	}
}

static bool
note_over(void *context, const struct store_bytes *key,
    const struct store_bytes *value G_GNUC_UNUSED, int64_t expires)
{
	struct lmdb_op *op = context;

	if (expires && expires <= op->now)
		g_ptr_array_add(op->over, g_bytes_new(key->data, key->length));
	return true;
}

/* The scan of a step of expiry needs no lock; only what it finds is handed to the writer. */
static void
scan_for_expiry(struct lmdb_environment *e, struct lmdb_op *op)
{
	enum store_result result = lmdb_walk(e, op->space, &op->at, op->limit, note_over, op);

	if (result != STORE_OK || op->over->len == 0) {
		post(e->store, op, result);
		wake_owner(e->store);
		return;
	}
	pthread_mutex_lock(&e->lock);
	g_queue_push_tail(&e->waiting, op);
	pthread_mutex_unlock(&e->lock);
}

/* Slots of processes that died with a read transaction open keep old pages from being reused. */
static void
check_readers(struct lmdb_environment *e)
{
	int64_t now = g_get_monotonic_time() / G_USEC_PER_SEC;
	int dead;

	if (now - e->readers_checked < READER_CHECK_INTERVAL || !e->env)
		return;
	e->readers_checked = now;
	mdb_reader_check(e->env, &dead);
}

/* Waits for work with the lock held; false when there is none left and no more will come. */
static bool
wait_for_work(struct lmdb_environment *e)
{
	struct timespec until;

	while (!e->waiting.length && !e->scans.length && !e->stop) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += READER_CHECK_INTERVAL;
		if (pthread_cond_timedwait(&e->more, &e->lock, &until) == ETIMEDOUT)
			return true;
	}
	return e->waiting.length || e->scans.length;
}

static void *
writer_main(void *data)
{
	struct lmdb_environment *e = data;

	for (;;) {
		struct lmdb_op *scan;
		bool work, waiting;

		pthread_mutex_lock(&e->lock);
		work = wait_for_work(e);
		scan = g_queue_pop_head(&e->scans);
		waiting = e->waiting.length > 0;
		if (!work && e->stop) {
			pthread_mutex_unlock(&e->lock);
			return NULL;
		}
		pthread_mutex_unlock(&e->lock);
		check_readers(e);
		if (scan)
			scan_for_expiry(e, scan);
		if (waiting)
			write_waiting(e);
	}
}

bool
lmdb_writer_start(struct lmdb_environment *e)
{
	sigset_t all, before;

	e->random = (uint64_t)g_get_monotonic_time() | 1;
	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	e->has_writer = pthread_create(&e->writer, NULL, writer_main, e) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return e->has_writer;
}

bool
lmdb_writer_stop(struct lmdb_environment *e)
{
	struct timespec until;

	pthread_mutex_lock(&e->lock);
	e->stop = true;
	pthread_cond_signal(&e->more);
	pthread_mutex_unlock(&e->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STOP_PATIENCE;
	return pthread_timedjoin_np(e->writer, NULL, &until) == 0;
}
