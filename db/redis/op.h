/*
 * What the parts of the Redis driver share: the store, and an operation from its call to its
 * answer. Private to the Redis driver.
 */
#ifndef GREYLAG_DB_REDIS_OP_H
#define GREYLAG_DB_REDIS_OP_H

#include "db/store_driver.h"
#include "db/redis/link.h"
#include "db/redis/place.h"
#include "db/redis/script.h"
#include "db/redis/uri.h"

/* Two hosts at one record may lose against each other many times; the deadline is the bound. */
#define REDIS_TRIES 128

struct store_redis {
	struct store store;
	struct redis_address address;
	char *policy_tag; /* the hash tag of the policy environment's keys */
	char *meta_key;
	uint8_t meta[1 + KEYEDHASH_KEY_SIZE]; /* layout, secret of the hashes */
	struct redis_link *link;
	struct redis_link *asking; /* to where a slot is being moved, or NULL */
	struct redis_address asking_address;
	GHashTable *ops;   /* struct redis_op, those not answered */
	GHashTable *busy;  /* GBytes to GQueue of struct redis_op that wait for their key */
	GQueue refused;    /* struct redis_op, to be answered by dispatch */
	GQueue parked;     /* struct redis_op that wait for the server */
	unsigned patience; /* milliseconds that they wait at most; 0: none does */
	int64_t lost_at;   /* since when the server has done nothing; 0 if it does */
	struct store_change change;
	struct store_status status; /* as it was heard last */
	enum store_result status_result;
	int64_t next_status;
	char *sha[REDIS_SCRIPTS];
	int64_t alarm;
	struct redis_batcher *batcher; /* NULL until there is a batch */
	bool closing;                  /* no more batches */
	unsigned timeout;              /* milliseconds that calls are given; 0: not known */
	unsigned wait_replicas;        /* that must have an update before it is answered */
	GPtrArray *written, *covered;  /* struct redis_op that wait for them; by the WAIT sent */
	bool waiting;                  /* a WAIT is under way */
	int64_t next_wait;             /* monotonic; not before it if there were too few */
};

struct redis_op {
	struct store_redis *redis;
	void (*finish)(struct redis_op *op, enum store_result result, const redisReply *reply);
	int64_t deadline;     /* monotonic; 0 none */
	int64_t own_deadline; /* that it has when it is not parked */
	bool answered;        /* its owner has heard; a reply may still come */
	bool writing;         /* the change is with the server */
	bool moved;           /* what it is refused for is being mended: it is sent again */
	bool ask;             /* the next command goes to where the slot is being moved */
	bool alone;           /* without what it adds to other keys */
	unsigned waiting_replies, tries;
	enum store_result refusal;
	char *complaint; /* of the server's, to be logged */

	enum store_space space;
	GBytes *key;   /* with its prefix, of an update */
	size_t bare;   /* where the key proper begins, if it is no field */
	GBytes *field; /* of a hash, or NULL */
	store_update_fn update;
	void *job;
	GDestroyNotify free_job;
	struct store_call call;
	GBytes *old; /* what was read; NULL for nothing */
	GPtrArray *argv;
	GArray *lengths;
	redisCallbackFn *reply; /* gets what comes of the command */

	size_t n_keys;
	store_value_fn value;
	void *context;
	store_record_fn record;
	struct store_cursor *cursor;
	unsigned limit; /* of a scan's step */
	bool malformed; /* what the scan saw */
	uint64_t *ret_expired;
};

static inline struct store_redis *
redis_of(struct store *store)
{
	return (struct store_redis *)store;
}

/* TIMEOUT is in milliseconds; 0 for none. */
struct redis_op *redis_op_new(struct store_redis *r, unsigned timeout);
/* Tells its owner, once; the operation is freed when no reply can come any more. */
void redis_op_answer(struct redis_op *op, enum store_result result, const redisReply *reply);
/* The same from dispatch, for an owner must not hear from within its own call. */
void redis_op_refuse(struct redis_op *op, enum store_result result);

/* False if the server cannot be asked; then nothing is called. */
bool redis_op_send(struct redis_op *op, redisCallbackFn *reply, int argc, const char **argv,
    const size_t *lengths);
bool redis_op_send_argv(struct redis_op *op);
/* A reply has come that tells the result. */
void redis_op_settle(struct redis_op *op, enum store_result result, const redisReply *reply);
/* What becomes of a reply that nobody looks at before: the answer, or a script sent again. */
void redis_op_reply(redisAsyncContext *redis, void *data, void *context);

/* What cannot be asked now is asked again when the server is back (store_redis_park.c). False if
 * the store has no patience, or nothing can be asked again. */
bool redis_op_park(struct redis_op *op);
void redis_parked_resume(struct store_redis *r);
/* Milliseconds for an answer that is waited for: LIMIT, or as the store's patience is. */
unsigned redis_answer_limit(const struct store_redis *r, unsigned limit);
/* Tries until it is done, its error has another code than REDIS_AGAIN, or patience is over. */
typedef bool (*redis_try_fn)(struct store_redis *r, void *context, GError **error);
bool redis_patiently(struct store_redis *r, redis_try_fn try_once, void *context, GError **error);
/* None waits any more. */
void redis_parked_refuse(struct store_redis *r);
/* The first command of an operation could not be sent, or was not done: it is parked, or else
 * refused. */
void redis_op_postpone(struct redis_op *op);

/* An operation that the server refused with REPLY because its slot is elsewhere, or was refused
 * along with one. True if it was sent again. */
bool redis_op_redirected(struct redis_op *op, const redisReply *reply);

/* The link's owner. */
void redis_op_woken(void *context);
void redis_op_deadline(void *context);

/* -- the command of an operation -- */

void redis_argv_begin(struct redis_op *op);
void redis_argv_take(struct redis_op *op, void *data, size_t length);
void redis_argv_text(struct redis_op *op, const char *text);
void redis_argv_number(struct redis_op *op, int64_t number);
void redis_argv_key(struct redis_op *op, enum store_space space, struct store_bytes key);
/* What redis_argv_key() does not name: a field, or nothing. */
void redis_argv_field(struct redis_op *op, enum store_space space, struct store_bytes key);
void redis_argv_script(struct redis_op *op, enum redis_script script);

/* What a server's refusal means, and whether it serves nobody for now. */
enum store_result redis_refusal(const char *text, bool *ret_down);
/* Said before anything was done: by a cluster whose slots move, or a master that was one. */
bool redis_is_elsewhere(const char *refusal);

/* -- parts of the driver -- */

extern const struct store_driver store_redis_part_driver; /* of a cluster */

/* REST of a URI. The password in the settings' file wins over that of the URI. */
bool redis_parse(enum redis_kind kind, const struct store_options *options, const char *rest,
    struct redis_address *ret_address, GError **error);
/* The store becomes the owner of what is in ADDRESS, in any case. */
struct store *redis_open(const struct store_driver *driver, struct redis_address *address,
    const char *tag, const struct store_options *options, GError **error);

void redis_update(struct store *store, enum store_space space, struct store_bytes key,
    store_update_fn update, void *job, GDestroyNotify free_job, const struct store_call *call);
/* The update that is first in its key's queue goes on. */
void redis_update_start(struct redis_op *op);
/* False if it cannot; then the operation is as it was. */
bool redis_update_again(struct redis_op *op);

/*
 * An update that is too large for a script, or whose cells are packed: a thread with a connection
 * of its own reads what is added to, watches for other writers, and writes all of it in one
 * transaction (store_redis_batch.c). It asks the operation's function itself.
 */
void redis_batch_start(struct redis_op *op);
/* Answers those that are done. */
void redis_batch_collect(struct store_redis *r);
/* Waits for the one that is under way. */
void redis_batch_stop(struct store_redis *r);
/* The key proper of an update. */
struct store_bytes redis_op_bare_key(const struct redis_op *op);
/* Answers an update that the server has done, when its replicas have it. */
void redis_confirm(struct redis_op *op);

void redis_scan(struct store *store, enum store_space space, struct store_cursor *cursor,
    unsigned limit, store_record_fn record, const struct store_call *call);
void redis_expire(struct store *store, enum store_space space, struct store_cursor *cursor,
    unsigned limit, int64_t now, uint64_t *ret_expired, const struct store_call *call);

enum store_result redis_status(struct store *store, struct store_status *ret_status);
enum store_result redis_check(struct store *store, store_check_fn check,
    void (*problem)(void *context, const char *sentence), void *context);
bool redis_backup(struct store *store, const char *folder, GError **error);

#endif
