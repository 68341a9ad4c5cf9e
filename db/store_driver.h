/*
 * What a driver of the store gives, and what all drivers share. Private to db/.
 */
#ifndef GREYLAG_DB_STORE_DRIVER_H
#define GREYLAG_DB_STORE_DRIVER_H

#include <stdatomic.h>

#include "db/store.h"
#include "lib/keyedhash.h"

struct store_driver {
	const char *scheme;     /* of the URI, without its colon */
	const char *tls_scheme; /* the same with TLS; NULL: there is none */
	struct store *(*open)(
	    const struct store_options *options, const char *rest, GError **error);
	void (*close)(struct store *store);
	int (*poll_fd)(const struct store *store);
	void (*dispatch)(struct store *store);
	size_t (*outstanding)(const struct store *store);
	void (*get_many)(struct store *store, enum store_space space,
	    const struct store_bytes *keys, size_t n_keys, unsigned timeout, store_value_fn value,
	    void *context);
	/* NULL: whole values are read. Answers before it returns. */
	void (*get_cells)(struct store *store, enum store_space space,
	    const struct store_range *ranges, size_t n_ranges, store_value_fn value, void *context);
	/* The job belongs to the driver from the call on. */
	void (*update)(struct store *store, enum store_space space, struct store_bytes key,
	    store_update_fn update, void *job, GDestroyNotify free_job,
	    const struct store_call *call);
	void (*scan)(struct store *store, enum store_space space, struct store_cursor *cursor,
	    unsigned limit, store_record_fn record, const struct store_call *call);
	void (*expire)(struct store *store, enum store_space space, struct store_cursor *cursor,
	    unsigned limit, int64_t now, uint64_t *ret_expired, const struct store_call *call);
	enum store_result (*status)(struct store *store, struct store_status *ret_status);
	enum store_result (*check)(struct store *store, store_check_fn check,
	    void (*problem)(void *context, const char *sentence), void *context);
	bool (*backup)(struct store *store, const char *folder, GError **error);
	int64_t (*now)(const struct store *store); /* NULL: the system's clock */
	bool (*is_up)(const struct store *store);  /* NULL: it always answers */
};

/* The first member of each driver's own store. */
struct store_reason;

struct store {
	const struct store_driver *driver;
	uint8_t hash_key[KEYEDHASH_KEY_SIZE];
	char *name;                            /* the URI as it may be shown; NULL of a part */
	_Atomic(struct store_reason *) reason; /* why something failed last, or NULL */
	struct store *whole; /* that this is a part of, and that is told instead; or NULL */
};

/* Keeps why something fails, for store_explain(); NULL for nothing any more. From any thread. */
void store_note(struct store *store, enum store_result result, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
/* Frees the texts, for a driver that is about to free the store. */
void store_texts_free(struct store *store);

extern const struct store_driver store_lmdb_driver;
extern const struct store_driver store_mem_driver;
/* With HAVE_REDIS. */
extern const struct store_driver store_redis_driver, store_redis_unix_driver,
    store_redis_sentinel_driver, store_redis_cluster_driver;

/* The update of store_add_many(), by which a driver knows that no old bytes are needed. */
void store_add_deltas(const struct store_bytes *old, struct store_change *change, void *job);

/* What RANGE wants of a whole value. */
struct store_bytes store_range_cut(
    const struct store_bytes *value, const struct store_range *range);

/* Whether a record may be written under it. */
static inline bool
store_key_is_good(struct store_bytes key)
{
	return key.length > 0 && key.length <= STORE_KEY_MAX;
}

/* Records in a space before a new one takes the place of another; 0 = no bound. */
static inline uint64_t
store_space_bound(enum store_space space, uint64_t max_triplets)
{
	return space == STORE_TRIPLETS ? max_triplets : store_spaces[space].bound;
}

/* -- what an update wants -- */

enum store_step_kind { STORE_STEP_PUT, STORE_STEP_DELETE, STORE_STEP_ADD };

struct store_step {
	enum store_step_kind kind;
	enum store_space space;
	struct store_bytes key, value; /* into the change's memory */
	const struct store_cell *cells;
	size_t n_cells;
	const int32_t *whole; /* of a put: N_CELLS cells instead of the value */
	int64_t expires;
};

/* A change as it is said, in memory of its own, which is used again for the next. */
struct store_change {
	enum store_space space; /* of the updated record */
	struct store_bytes key;
	GArray *steps;     /* struct store_step */
	GPtrArray *memory; /* blocks of copies */
	uint8_t *free;     /* in the last block, and how much */
	size_t n_free;
	bool by_reference; /* nothing is copied any more */
	bool refused;      /* a key in it is too long, or empty: the update fails as a whole */
};

void store_change_init(struct store_change *change);
void store_change_begin(
    struct store_change *change, enum store_space space, struct store_bytes key);
void store_change_clear(struct store_change *change);

/* The bytes that a put writes: how many, and they themselves. */
size_t store_step_length(const struct store_step *step);
void store_step_write(const struct store_step *step, uint8_t *ret_value);
/* The same, in SCRATCH if it is cells. */
struct store_bytes store_step_value(const struct store_step *step, GByteArray *scratch);

/* The cells of OLD (NULL for none) with the step's deltas applied, as a value in RET_VALUE. */
void store_cells_apply(
    const struct store_bytes *old, const struct store_step *step, GByteArray *ret_value);

#endif
