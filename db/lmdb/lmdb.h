/* The LMDB driver's parts, private to it: store_lmdb.c opens, looks after and closes the
 * environments, store_lmdb_read.c and store_lmdb_cells.c read, store_lmdb_queue.c is the owner's
 * side of writing and store_lmdb_writer.c the writer's. lmdb.h is included here and nowhere else.
 */
#ifndef GREYLAG_DB_LMDB_LMDB_H
#define GREYLAG_DB_LMDB_LMDB_H

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "db/store_driver.h"

#define LMDB_ENVIRONMENTS 2
#define LMDB_EXPIRY_SIZE  4 /* bytes before the value of a record that expires */

struct store_lmdb;

enum lmdb_op_state {
	LMDB_OP_WAITING,
	LMDB_OP_TAKEN,     /* the writer has it in a transaction */
	LMDB_OP_CANCELLED, /* its time was over before the writer took it */
};

/* An update or a step of expiry on its way through the writer. */
struct lmdb_op {
	enum store_space space;
	struct store_bytes key; /* a copy */
	store_update_fn update; /* NULL for a step of expiry */
	void *job;
	GDestroyNotify free_job;
	struct store_call call;

	/* a step of expiry */
	struct store_cursor *cursor; /* the caller's, set at completion */
	struct store_cursor at;
	unsigned limit;
	int64_t now;
	uint64_t *ret_expired, expired;
	GPtrArray *over; /* keys (GBytes) that the scan found */

	int64_t deadline; /* monotonic microseconds; 0 for none */
	_Atomic int state;
	enum store_result result;
	bool answered; /* done() was called: its time was over */
	GList link;    /* in store_lmdb.pending or .patient */
};

struct lmdb_environment {
	struct store_lmdb *store;
	enum store_environment which;
	char *path;
	MDB_env *env;
	MDB_dbi meta, dbis[STORE_SPACES];
	unsigned flags;
	size_t map_size; /* to open it with again */

	/* Held shared by whoever reads, whole by whoever changes the map. */
	pthread_rwlock_t map_lock;
	pthread_mutex_t readers_lock;
	GPtrArray *readers; /* reset MDB_txn, for the next reads */
	/* Held by the writer while it has, or waits for, a write transaction. */
	pthread_mutex_t write_lock;

	pthread_t writer;
	bool has_writer;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t more;
	GQueue waiting, scans; /* struct lmdb_op */
	bool stop, ended;

	/* the writer's own */
	struct store_change change;
	GByteArray *cells;
	MDB_cursor *cursors[STORE_SPACES]; /* of the transaction under way, as far as needed */
	double commit_time;                /* running mean, in microseconds */
	int64_t readers_checked;
	uint64_t random;
	unsigned evicting; /* in the transaction under way */
	_Atomic uint64_t commits, updates, evicted;
};

struct store_lmdb {
	struct store store;
	struct lmdb_environment environments[LMDB_ENVIRONMENTS];
	uint64_t max_triplets;
	bool read_only;

	int wake, timer, poll; /* eventfd and timerfd in an epoll */
	int64_t armed_for;     /* the timer's deadline; 0 if it is not armed */
	/* What is not answered yet, struct lmdb_op: those with a deadline, in its order, and
	 * others. */
	GQueue pending, patient;
	size_t outstanding;
	bool closing;
	pthread_mutex_t done_lock;
	GQueue done;
};

static inline struct lmdb_environment *
lmdb_environment_of(struct store_lmdb *store, enum store_space space)
{
	return &store->environments[store_spaces[space].environment];
}

/* In place of a space that a store which is only read does not have yet. */
#define LMDB_NO_SPACE ((MDB_dbi)-1)

static inline bool
lmdb_has_space(const struct lmdb_environment *environment, enum store_space space)
{
	return environment->dbis[space] != LMDB_NO_SPACE;
}

/* What LMDB's or the system's error code means to a caller. */
enum store_result lmdb_result(int code);
/* The same, and what fails is noted. */
enum store_result lmdb_failed(struct lmdb_environment *environment, int code);

/* A read transaction from the pool, with the map locked against change; NULL and *RET_RESULT. */
MDB_txn *lmdb_read_begin(struct lmdb_environment *environment, enum store_result *ret_result);
void lmdb_read_end(struct lmdb_environment *environment, MDB_txn *txn);
void lmdb_reader_free(gpointer txn); /* of one in the pool */

/* The caller's value and the expiry of a record as it is stored; false if it is malformed. */
bool lmdb_unwrap(enum store_space space, const MDB_val *stored, struct store_bytes *ret_value,
    int64_t *ret_expires);

/* With the map locked whole and the writer out: takes up a map that another process made larger
 * (SIZE 0), or makes it larger. On failure the environment is opened anew, as it was. */
int lmdb_set_map_size(struct lmdb_environment *environment, size_t size);
size_t lmdb_map_size(struct lmdb_environment *environment);
/* Closes and opens the environment, after an error that LMDB does not go on from; with the map
 * locked whole. On failure env is NULL. */
int lmdb_reopen_locked(struct lmdb_environment *environment);

/* Walks from past the cursor; what RECORD returns says whether to go on. */
enum store_result lmdb_walk(struct lmdb_environment *environment, enum store_space space,
    struct store_cursor *cursor, unsigned limit, store_record_fn record, void *context);
/* The same by a cursor of the caller's; LMDB's code. */
int lmdb_walk_cursor(MDB_cursor *lmdb_cursor, enum store_space space, struct store_cursor *cursor,
    unsigned limit, store_record_fn record, void *context);

void lmdb_get_many(struct store *store, enum store_space space, const struct store_bytes *keys,
    size_t n_keys, unsigned timeout, store_value_fn value, void *context);
/* store_lmdb_cells.c */
void lmdb_get_cells(struct store *store, enum store_space space, const struct store_range *ranges,
    size_t n_ranges, store_value_fn value, void *context);
void lmdb_scan(struct store *store, enum store_space space, struct store_cursor *cursor,
    unsigned limit, store_record_fn record, const struct store_call *call);

/* -- store_lmdb_queue.c: the owner's side -- */

void lmdb_update(struct store *store, enum store_space space, struct store_bytes key,
    store_update_fn update, void *job, GDestroyNotify free_job, const struct store_call *call);
void lmdb_expire(struct store *store, enum store_space space, struct store_cursor *cursor,
    unsigned limit, int64_t now, uint64_t *ret_expired, const struct store_call *call);
void lmdb_dispatch(struct store *store);
/* Dispatches what is outstanding until END (monotonic microseconds), then answers the rest, and
 * refuses what comes. */
void lmdb_finish(struct store_lmdb *store, int64_t end);

/* Hands an operation that the writer is done with, or never got, back to its owner. */
void lmdb_post(struct store_lmdb *store, struct lmdb_op *op, enum store_result result);
void lmdb_wake_owner(struct store_lmdb *store);

/* -- store_lmdb_writer.c -- */

bool lmdb_writer_start(struct lmdb_environment *environment);
/* Lets the writer finish what waits. False if it could not by END (another process holds the lock):
 * then the environment must be left alone. */
bool lmdb_writer_stop(struct lmdb_environment *environment, int64_t end);

#endif
