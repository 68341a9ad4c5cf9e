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

#include "db/lmdb/lmdb.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

/* Operations of one transaction: bounds how long the lock is held from other processes. */
#define BATCH_MAX 1000

/* Where a commit takes longer than this, waiting a little for others to join it pays. */
#define SLOW_COMMIT 3000.0 /* microseconds */
#define GATHER_TIME 300    /* microseconds */

#define READER_CHECK_INTERVAL 60 /* seconds */
#define REOPEN_INTERVAL       1  /* seconds, while the environment cannot be opened */

/* Records that are looked at to find the one that makes room (store_options.max_triplets). */
#define EVICT_SAMPLE 128

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

/* A cursor that stands near a key finds it without a search from the root, and batches come
 * sorted. */
static int
get_cursor(
    struct lmdb_environment *e, MDB_txn *txn, enum store_space space, MDB_cursor **ret_cursor)
{
	MDB_cursor **cursor = &e->cursors[space];
	int code = *cursor ? MDB_SUCCESS : mdb_cursor_open(txn, e->dbis[space], cursor);

	*ret_cursor = *cursor;
	return code;
}

static void
close_cursors(struct lmdb_environment *e)
{
	for (unsigned space = 0; space < STORE_SPACES; space++) {
		if (e->cursors[space])
			mdb_cursor_close(e->cursors[space]);
		e->cursors[space] = NULL;
	}
}

/* A record of LENGTH bytes, which are to be written to *RET_VALUE. */
static int
reserve_record(struct lmdb_environment *e, MDB_txn *txn, const struct store_step *step,
    size_t length, int64_t expires, uint8_t **ret_value)
{
	size_t skip = store_spaces[step->space].expires ? LMDB_EXPIRY_SIZE : 0;
	MDB_val k = {step->key.length, (void *)step->key.data}, v = {length + skip, NULL};
	uint32_t seconds = (uint32_t)CLAMP(expires, 0, (int64_t)UINT32_MAX);
	MDB_cursor *cursor;
	int code = get_cursor(e, txn, step->space, &cursor);
	uint8_t *b;

	if (code == MDB_SUCCESS)
		code = mdb_cursor_put(cursor, &k, &v, MDB_RESERVE);
	if (code != MDB_SUCCESS)
		return code;
	b = v.mv_data;
	for (size_t i = 0; i < skip; i++)
		b[i] = (uint8_t)(seconds >> (24 - 8 * i));
	*ret_value = b + skip;
	return MDB_SUCCESS;
}

/* From a random place on, the key of the record that would expire first among some. */
static int
find_victim(struct lmdb_environment *e, enum store_space space, MDB_cursor *c, uint8_t *key,
    size_t *ret_length)
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
		if (!lmdb_unwrap(space, &v, &value, &expires))
			expires = 0;
		if (k.mv_size <= STORE_KEY_MAX && expires < earliest) {
			earliest = expires;
			memcpy(key, k.mv_data, k.mv_size);
			*ret_length = k.mv_size;
		}
		code = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	return MDB_SUCCESS;
}

static int
evict(struct lmdb_environment *e, MDB_txn *txn, enum store_space space)
{
	uint8_t key[STORE_KEY_MAX];
	MDB_cursor *c;
	MDB_val k = {0, key};
	int code = mdb_cursor_open(txn, e->dbis[space], &c);

	if (code != MDB_SUCCESS)
		return code;
	code = find_victim(e, space, c, key, &k.mv_size);
	mdb_cursor_close(c);
	if (code == MDB_SUCCESS)
		code = mdb_del(txn, e->dbis[space], &k, NULL);
	if (code == MDB_SUCCESS)
		e->evicting++;
	return code;
}

/* A new record beyond its space's bound takes the place of another. */
static int
make_room(struct lmdb_environment *e, MDB_txn *txn, const struct store_step *step)
{
	MDB_val k = {step->key.length, (void *)step->key.data}, v;
	uint64_t bound = store_space_bound(step->space, e->store->max_triplets);
	MDB_stat stat;
	int code;

	if (!bound)
		return MDB_SUCCESS;
	code = mdb_stat(txn, e->dbis[step->space], &stat);
	if (code != MDB_SUCCESS || stat.ms_entries < bound ||
	    mdb_get(txn, e->dbis[step->space], &k, &v) == MDB_SUCCESS)
		return code;
	return evict(e, txn, step->space);
}

static int
step_put(struct lmdb_environment *e, MDB_txn *txn, const struct store_step *step)
{
	uint8_t *value;
	int code = make_room(e, txn, step);

	if (code == MDB_SUCCESS)
		code = reserve_record(e, txn, step, store_step_length(step), step->expires, &value);
	if (code == MDB_SUCCESS)
		store_step_write(step, value);
	return code;
}

static int
step_delete(struct lmdb_environment *e, MDB_txn *txn, const struct store_step *step)
{
	MDB_val k = {step->key.length, (void *)step->key.data};
	int code = mdb_del(txn, e->dbis[step->space], &k, NULL);

	return code == MDB_NOTFOUND ? MDB_SUCCESS : code;
}

/* The record that the cursor of its space stands at, OLD, becomes NEW: most tokens keep their
 * length, and are not looked for twice. */
static int
put_added(struct lmdb_environment *e, MDB_txn *txn, const struct store_step *step,
    const struct store_bytes *old, const GByteArray *new, int64_t expires)
{
	MDB_val k = {step->key.length, (void *)step->key.data}, v = {new->len, new->data};
	uint8_t *value;
	int code;

	if (old && old->length == new->len && !store_spaces[step->space].expires)
		return mdb_cursor_put(e->cursors[step->space], &k, &v, MDB_CURRENT);
	code = reserve_record(e, txn, step, new->len, expires, &value);
	if (code == MDB_SUCCESS && new->len)
		memcpy(value, new->data, new->len);
	return code;
}

static int
step_add(struct lmdb_environment *e, MDB_txn *txn, const struct store_step *step)
{
	MDB_val k = {step->key.length, (void *)step->key.data}, v;
	struct store_bytes old;
	int64_t expires = step->expires;
	MDB_cursor *cursor;
	bool there;
	int code = get_cursor(e, txn, step->space, &cursor);

	if (code == MDB_SUCCESS)
		code = mdb_cursor_get(cursor, &k, &v, MDB_SET);
	if (code != MDB_SUCCESS && code != MDB_NOTFOUND)
		return code;
	if (code == MDB_SUCCESS && !lmdb_unwrap(step->space, &v, &old, &expires))
		return MDB_CORRUPTED;
	there = code == MDB_SUCCESS;
	store_cells_apply(there ? &old : NULL, step, e->cells);
	return put_added(e, txn, step, there ? &old : NULL, e->cells, expires);
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
	code = e->change.refused ? MDB_BAD_VALSIZE : MDB_SUCCESS;
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
run_all(struct lmdb_environment *e, MDB_txn *txn, struct lmdb_op *const *ops, guint n)
{
	int code = MDB_SUCCESS;

	e->evicting = 0;
	for (guint i = 0; code == MDB_SUCCESS && i < n; i++)
		code = ops[i]->update ? run_update(e, txn, ops[i]) : run_expiry(e, txn, ops[i]);
	close_cursors(e);
	return code;
}

/* -- the writer's side: transactions -- */

static int
reopen(struct lmdb_environment *e)
{
	int code;

	pthread_rwlock_wrlock(&e->map_lock);
	code = lmdb_reopen_locked(e);
	pthread_rwlock_unlock(&e->map_lock);
	return code;
}

static int
resize(struct lmdb_environment *e, size_t size)
{
	int code;

	pthread_rwlock_wrlock(&e->map_lock);
	code = lmdb_set_map_size(e, size);
	pthread_rwlock_unlock(&e->map_lock);
	return code;
}

/* What can be mended so that the same batch may succeed when it is run again. */
static bool
mend(struct lmdb_environment *e, int code)
{
	switch (code) {
	case MDB_MAP_FULL: return resize(e, lmdb_map_size(e) * 2) == MDB_SUCCESS;
	case MDB_MAP_RESIZED: return resize(e, 0) == MDB_SUCCESS;
	case MDB_PANIC: return reopen(e) == MDB_SUCCESS;
	default: return false;
	}
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

/* Whether LMDB has given the environment up, for readers too: it does where writing the page that
 * makes a commit valid has failed. */
static bool
is_given_up(struct lmdb_environment *e)
{
	MDB_txn *txn;
	int code = mdb_txn_begin(e->env, NULL, MDB_RDONLY, &txn);

	if (code == MDB_SUCCESS)
		mdb_txn_abort(txn);
	return code == MDB_PANIC;
}

static int
commit(struct lmdb_environment *e, MDB_txn *txn, guint n)
{
	int64_t start = g_get_monotonic_time();
	int code = mdb_txn_commit(txn);

	e->commit_time += 0.1 * ((double)(g_get_monotonic_time() - start) - e->commit_time);
	if (code == MDB_SUCCESS) {
		e->commits++;
		e->updates += n;
		e->evicted += e->evicting;
	}
	return code;
}

/* Runs the operations in the transaction, and again as often as something could be mended.
 * *RET_OWN says that a failure may be one operation's own. */
static enum store_result
commit_batch(
    struct lmdb_environment *e, MDB_txn *txn, struct lmdb_op *const *ops, guint n, bool *ret_own)
{
	int code = MDB_SUCCESS;

	*ret_own = false;
	for (int tries = 0; tries < 8; tries++) {
		if (!txn && (code = begin(e, &txn)) != MDB_SUCCESS)
			return lmdb_failed(e, code);
		code = run_all(e, txn, ops, n);
		if (code != MDB_SUCCESS)
			mdb_txn_abort(txn);
		else if ((code = commit(e, txn, n)) == MDB_SUCCESS)
			return STORE_OK;
		else if (is_given_up(e)) {
			reopen(e);
			return STORE_UNCERTAIN;
		}
		txn = NULL;
		if (!mend(e, code))
			break;
	}
	*ret_own = lmdb_result(code) != STORE_FULL;
	return lmdb_failed(e, code);
}

/* One bad operation must not take the others with it: what fails is halved until it stands alone.
 */
static void
write_batch(struct lmdb_environment *e, MDB_txn *txn, struct lmdb_op *const *ops, guint n)
{
	bool own;
	enum store_result result = commit_batch(e, txn, ops, n, &own);

	if (own && n > 1) {
		write_batch(e, NULL, ops, n / 2);
		write_batch(e, NULL, ops + n / 2, n - n / 2);
		return;
	}
	for (guint i = 0; i < n; i++)
		lmdb_post(e->store, ops[i], result);
	lmdb_wake_owner(e->store);
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
			lmdb_post(e->store, op, STORE_UNAVAILABLE);
	}
	pthread_mutex_unlock(&e->lock);
	return batch;
}

static void
give_back_all(struct lmdb_environment *e, enum store_result result)
{
	g_autoptr(GPtrArray) batch = take_batch(e);

	for (guint i = 0; i < batch->len; i++)
		lmdb_post(e->store, g_ptr_array_index(batch, i), result);
	lmdb_wake_owner(e->store);
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
		give_back_all(e, lmdb_failed(e, code));
		return;
	}
	batch = take_batch(e);
	if (batch->len) {
		write_batch(e, txn, (struct lmdb_op *const *)batch->pdata, batch->len);
	} else {
		mdb_txn_abort(txn);
		lmdb_wake_owner(e->store);
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
		lmdb_post(e->store, op, result);
		lmdb_wake_owner(e->store);
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

	if (now - e->readers_checked < READER_CHECK_INTERVAL)
		return;
	e->readers_checked = now;
	mdb_reader_check(e->env, &dead);
}

/* What is due whether or not something waits. False while there is no environment. */
static bool
look_after(struct lmdb_environment *e)
{
	bool there;

	pthread_mutex_lock(&e->write_lock);
	if (!e->env)
		reopen(e);
	there = e->env != NULL;
	if (there)
		check_readers(e);
	pthread_mutex_unlock(&e->write_lock);
	return there;
}

/* Waits for work, or some time, with the lock held; false when there is none left and no more will
 * come. */
static bool
wait_for_work(struct lmdb_environment *e, int seconds)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	while (!e->waiting.length && !e->scans.length && !e->stop)
		if (pthread_cond_timedwait(&e->more, &e->lock, &until) == ETIMEDOUT)
			return true;
	return e->waiting.length || e->scans.length;
}

static void *
writer_main(void *data)
{
	struct lmdb_environment *e = data;
	bool there = true;

	for (;;) {
		struct lmdb_op *scan;
		bool work, waiting;

		pthread_mutex_lock(&e->lock);
		work = wait_for_work(e, there ? READER_CHECK_INTERVAL : REOPEN_INTERVAL);
		scan = g_queue_pop_head(&e->scans);
		waiting = e->waiting.length > 0;
		if (!work && e->stop) {
			e->ended = true;
			pthread_cond_broadcast(&e->more);
			pthread_mutex_unlock(&e->lock);
			return NULL;
		}
		pthread_mutex_unlock(&e->lock);
		there = look_after(e);
		if (scan)
			scan_for_expiry(e, scan);
		if (waiting) {
			pthread_mutex_lock(&e->write_lock);
			write_waiting(e);
			there = e->env != NULL;
			pthread_mutex_unlock(&e->write_lock);
		}
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
lmdb_writer_stop(struct lmdb_environment *e, int64_t end)
{
	/* One that has nothing to wait for ends in no time: some is given in any case. */
	int64_t until = MAX(end, g_get_monotonic_time() + G_USEC_PER_SEC / 10);
	struct timespec ts = {.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};
	bool ended;

	pthread_mutex_lock(&e->lock);
	e->stop = true;
	pthread_cond_broadcast(&e->more);
	while (!e->ended && pthread_cond_timedwait(&e->more, &e->lock, &ts) != ETIMEDOUT)
		;
	ended = e->ended;
	pthread_mutex_unlock(&e->lock);
	if (ended)
		pthread_join(e->writer, NULL);
	else
		pthread_detach(e->writer);
	return ended;
}
