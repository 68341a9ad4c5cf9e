/* The LMDB driver's reading: transactions from a pool, look-ups, walks, and the map under them. */
#include "config.h"

#include "db/lmdb/lmdb.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* How long a reader that finds the map too small waits for this process' writer to be out of it. */
#define REMAP_PATIENCE 10 /* milliseconds */

enum store_result
lmdb_result(int code)
{
	switch (code) {
	case MDB_SUCCESS: return STORE_OK;
	case MDB_NOTFOUND: return STORE_NOT_FOUND;
	case MDB_MAP_FULL:
	case EIO: /* LMDB's word for a write that came out short */
	case ENOSPC:
	case EFBIG:
	case EDQUOT: return STORE_FULL;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID: return STORE_CORRUPT;
	default: return STORE_UNAVAILABLE;
	}
}

enum store_result
lmdb_failed(struct lmdb_environment *e, int code)
{
	g_autofree char *file = NULL;

	if (code == MDB_SUCCESS || code == MDB_NOTFOUND)
		return lmdb_result(code);
	file = g_path_get_basename(e->path);
	store_note(&e->store->store, lmdb_result(code), "%s: %s", file, mdb_strerror(code));
	return lmdb_result(code);
}

/* -- the map -- */

int
lmdb_set_map_size(struct lmdb_environment *e, size_t size)
{
	int code;

	/* Readers that are not in use still pin the old map. */
	pthread_mutex_lock(&e->readers_lock);
	g_ptr_array_set_size(e->readers, 0);
	pthread_mutex_unlock(&e->readers_lock);
	code = mdb_env_set_mapsize(e->env, size);
	if (code == MDB_SUCCESS)
		e->map_size = lmdb_map_size(e);
	else
		/* LMDB has let go of the old map by now, and goes on without one. */
		lmdb_reopen_locked(e);
	return code;
}

size_t
lmdb_map_size(struct lmdb_environment *e)
{
	MDB_envinfo info;

	mdb_env_info(e->env, &info);
	return info.me_mapsize;
}

/* -- read transactions -- */

void
lmdb_reader_free(gpointer txn)
{
	mdb_txn_abort(txn);
}

static int
renew_reader(struct lmdb_environment *e, MDB_txn **ret_txn)
{
	MDB_txn *txn = NULL;
	int code;

	pthread_mutex_lock(&e->readers_lock);
	if (e->readers->len)
		txn = g_ptr_array_steal_index_fast(e->readers, e->readers->len - 1);
	pthread_mutex_unlock(&e->readers_lock);
	if (txn)
		code = mdb_txn_renew(txn);
	else
		code = mdb_txn_begin(e->env, NULL, MDB_RDONLY, &txn);
	if (code == MDB_SUCCESS)
		*ret_txn = txn;
	else if (txn)
		mdb_txn_abort(txn);
	return code;
}

/* LMDB does not expect its map to move while a writer begins, commits or reads by it. */
static bool
keep_writer_out(struct lmdb_environment *e)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += REMAP_PATIENCE * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	return pthread_mutex_timedlock(&e->write_lock, &until) == 0;
}

/* Takes up a map that another process made larger. */
static bool
take_larger_map(struct lmdb_environment *e)
{
	int code = MDB_PANIC;

	if (!keep_writer_out(e))
		return false;
	pthread_rwlock_wrlock(&e->map_lock);
	if (e->env)
		code = lmdb_set_map_size(e, 0);
	pthread_rwlock_unlock(&e->map_lock);
	pthread_mutex_unlock(&e->write_lock);
	return code == MDB_SUCCESS;
}

static bool
free_dead_readers(struct lmdb_environment *e)
{
	int dead = 0;

	pthread_rwlock_rdlock(&e->map_lock);
	if (e->env)
		mdb_reader_check(e->env, &dead);
	pthread_rwlock_unlock(&e->map_lock);
	return dead > 0;
}

/* What can be mended so that the next try may succeed. */
static bool
mend_reader(struct lmdb_environment *e, int code)
{
	switch (code) {
	case MDB_READERS_FULL: return free_dead_readers(e);
	case MDB_MAP_RESIZED: return take_larger_map(e);
	default: return false;
	}
}

MDB_txn *
lmdb_read_begin(struct lmdb_environment *e, enum store_result *ret_result)
{
	MDB_txn *txn;
	int code;

	for (int tries = 0; tries < 3; tries++) {
		pthread_rwlock_rdlock(&e->map_lock);
		code = e->env ? renew_reader(e, &txn) : MDB_PANIC;
		if (code == MDB_SUCCESS)
			return txn;
		pthread_rwlock_unlock(&e->map_lock);
		if (!mend_reader(e, code))
			break;
	}
	*ret_result = lmdb_failed(e, code);
	return NULL;
}

void
lmdb_read_end(struct lmdb_environment *e, MDB_txn *txn)
{
	mdb_txn_reset(txn);
	pthread_mutex_lock(&e->readers_lock);
	g_ptr_array_add(e->readers, txn);
	pthread_mutex_unlock(&e->readers_lock);
	pthread_rwlock_unlock(&e->map_lock);
}

/* -- reads -- */

bool
lmdb_unwrap(enum store_space space, const MDB_val *stored, struct store_bytes *ret_value,
    int64_t *ret_expires)
{
	const uint8_t *b = stored->mv_data;
	size_t skip = store_spaces[space].expires ? LMDB_EXPIRY_SIZE : 0;

	if (stored->mv_size < skip)
		return false;
	*ret_expires = skip ? (int64_t)((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
					(uint32_t)b[2] << 8 | b[3])
			    : 0;
	*ret_value = (struct store_bytes){b + skip, stored->mv_size - skip};
	return true;
}

static void
get_one(struct lmdb_environment *e, MDB_txn *txn, enum store_space space, struct store_bytes key,
    size_t index, store_value_fn value, void *context)
{
	MDB_val k = {key.length, (void *)key.data}, v;
	struct store_bytes bytes;
	int64_t expires;
	int code = lmdb_has_space(e, space) ? mdb_get(txn, e->dbis[space], &k, &v) : MDB_NOTFOUND;

	if (code != MDB_SUCCESS)
		value(context, index, lmdb_failed(e, code), NULL);
	else if (!lmdb_unwrap(space, &v, &bytes, &expires))
		value(context, index, STORE_CORRUPT, NULL);
	else
		value(context, index, STORE_OK, &bytes);
}

void
lmdb_get_many(struct store *store, enum store_space space, const struct store_bytes *keys,
    size_t n_keys, unsigned timeout G_GNUC_UNUSED, store_value_fn value, void *context)
{
	struct lmdb_environment *e = lmdb_environment_of((struct store_lmdb *)store, space);
	enum store_result result;
	MDB_txn *txn = lmdb_read_begin(e, &result);

	for (size_t i = 0; i < n_keys; i++) {
		if (txn)
			get_one(e, txn, space, keys[i], i, value, context);
		else
			value(context, i, result, NULL);
	}
	if (txn)
		lmdb_read_end(e, txn);
}

/* The next record past the cursor, as MDB_NEXT finds it. */
static int
walk_start(MDB_cursor *c, const struct store_cursor *cursor, MDB_val *k, MDB_val *v)
{
	int code;

	if (cursor->length == 0)
		return mdb_cursor_get(c, k, v, MDB_FIRST);
	*k = (MDB_val){cursor->length, (void *)cursor->bytes};
	code = mdb_cursor_get(c, k, v, MDB_SET_RANGE);
	if (code == MDB_SUCCESS && k->mv_size == cursor->length &&
	    memcmp(k->mv_data, cursor->bytes, cursor->length) == 0)
		code = mdb_cursor_get(c, k, v, MDB_NEXT);
	return code;
}

int
lmdb_walk_cursor(MDB_cursor *c, enum store_space space, struct store_cursor *cursor, unsigned limit,
    store_record_fn record, void *context)
{
	MDB_val k, v;
	int code = walk_start(c, cursor, &k, &v);
	bool go_on = true;

	for (unsigned i = 0; code == MDB_SUCCESS && i < limit && go_on; i++) {
		struct store_bytes key = {k.mv_data, k.mv_size}, value;
		int64_t expires;

		if (k.mv_size > STORE_KEY_MAX || !lmdb_unwrap(space, &v, &value, &expires))
			return MDB_CORRUPTED;
		memcpy(cursor->bytes, k.mv_data, k.mv_size);
		cursor->length = (uint16_t)k.mv_size;
		go_on = record(context, &key, &value, expires);
		code = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	cursor->end = code == MDB_NOTFOUND;
	return code == MDB_NOTFOUND ? MDB_SUCCESS : code;
}

enum store_result
lmdb_walk(struct lmdb_environment *e, enum store_space space, struct store_cursor *cursor,
    unsigned limit, store_record_fn record, void *context)
{
	enum store_result result;
	MDB_txn *txn = lmdb_read_begin(e, &result);
	MDB_cursor *c;
	int code;

	if (!txn)
		return result;
	if (!lmdb_has_space(e, space)) {
		cursor->end = true;
		lmdb_read_end(e, txn);
		return STORE_OK;
	}
	code = mdb_cursor_open(txn, e->dbis[space], &c);
	if (code == MDB_SUCCESS) {
		code = lmdb_walk_cursor(c, space, cursor, limit, record, context);
		mdb_cursor_close(c);
	}
	lmdb_read_end(e, txn);
	return lmdb_failed(e, code);
}

void
lmdb_scan(struct store *store, enum store_space space, struct store_cursor *cursor, unsigned limit,
    store_record_fn record, const struct store_call *call)
{
	enum store_result result = lmdb_walk(lmdb_environment_of((struct store_lmdb *)store, space),
	    space, cursor, limit, record, call->context);

	if (call->done)
		call->done(call->context, result, NULL);
}
