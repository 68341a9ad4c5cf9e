/*
 * The store: keyed records that survive a crash, behind one interface for every driver.
 *
 *	lmdb:DIR     two LMDB environments in DIR, for policy and for tokens (the default)
 *	redis://...  a Redis server that several hosts share (see db/redis/uri.h);
 *	             redis+unix:PATH by its socket; rediss:// and so on with TLS
 *	mem:         this process' memory, gone at its end (replay, tests)
 *
 * Calls complete through a callback. With an embedded driver a read completes before the call
 * returns; an update completes later, from store_dispatch(), which the owner of the store calls
 * whenever store_poll_fd() is readable. A program without an event loop calls store_wait().
 * A struct store belongs to one thread, which makes all calls and gets all callbacks;
 * of an embedded driver the reads, store_get() to store_get_cells(), may be made by any thread at
 * any time.
 *
 * What has been written and answered with STORE_OK is on the disk.
 */
#ifndef GREYLAG_DB_STORE_H
#define GREYLAG_DB_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

struct store;

enum store_result {
	STORE_OK,
	STORE_NOT_FOUND,
	STORE_UNAVAILABLE, /* nothing was done, nothing will be */
	STORE_UNCERTAIN,   /* past the deadline: it may be done yet, or not */
	STORE_FULL,        /* no room on the disk or in the map; nothing was done */
	STORE_CORRUPT,
};

const char *store_result_text(enum store_result result);

/* The sentence for people: which store (its URI, without a password), the result's text, why, as
 * far as the driver has heard, and what can be done. To be freed. */
char *store_explain(struct store *store, enum store_result result);
/* The same of what failed last, for who was told no result. */
char *store_explain_last(struct store *store);

/* What can be done about a result, to go on a sentence with; "" for nothing. May be called in a
 * signal's handler. */
const char *store_remedy(enum store_result result);

/* The URI without the user and password in it; to be freed. */
char *store_uri_shown(const char *uri);

/* The spaces of keys. Each is a database of its own in LMDB and a key prefix elsewhere. */
enum store_space {
	/* policy environment */
	STORE_TRIPLETS, /* what greylisting knows of sender and recipient */
	STORE_CLIENTS,  /* passes of a client address (auto-whitelist) */
	STORE_ALLOWED,  /* the operator's exceptions, few */
	STORE_HOURS,    /* cells: statistics of an hour */
	/* token environment */
	STORE_TOKENS,     /* cells: counts of a word */
	STORE_SLOTS,      /* cells: pages of the logistic voices' tables */
	STORE_MESSAGES,   /* the registry of trained messages */
	STORE_MEMORY,     /* remembered messages' features, for rehearsal */
	STORE_MODEL,      /* few records: totals, weights, parameters */
	STORE_VERDICTS,   /* cells: the classifier's statistics of an hour */
	STORE_REPUTATION, /* what became of a network's or domain's mail (db/history/) */
	STORE_DELIVERIES, /* messages that were judged (db/history/) */
	/* policy environment */
	STORE_DOMAINS, /* cells: first attempts of a day by the recipient's domain */
	STORE_JOURNAL, /* what a local store has to tell the server (db/fallback/fallback.h) */
	STORE_SPACES,
};

enum store_environment { STORE_POLICY, STORE_TOKEN };

struct store_space_info {
	const char *name;
	enum store_environment environment;
	bool cells;   /* values are cells, changed by deltas alone or put whole */
	bool expires; /* records carry a time at which they go */
	/* Records in an embedded store before one that would expire first among a sample makes
	 * room; 0 = no bound. (Of triplets it is an option.) */
	uint64_t bound;
};

extern const struct store_space_info store_spaces[STORE_SPACES];

struct store_bytes {
	const void *data;
	size_t length;
};

/* Bytes; a key has one at least. An update with another key in it is STORE_UNAVAILABLE, whole. */
#define STORE_KEY_MAX 500

/*
 * Cells: a value seen as an array of signed 32-bit numbers, big-endian. A delta to a cell past
 * the value's end lengthens the value by zeros. A sum that would leave the range of a number is
 * refused: the cell keeps what it had. Deltas commute.
 */
enum store_cell_op { STORE_ADD, STORE_MAX };

struct store_cell {
	uint32_t index;
	enum store_cell_op op;
	int32_t delta;
};

#define STORE_CELLS_MAX 1020 /* cells in a value: 4,080 bytes, which fill a page of LMDB */

int32_t store_cell_get(const struct store_bytes *value, uint32_t index); /* 0 past the end */
/* The first N cells; 0 past the value's end. */
void store_cells_get(const struct store_bytes *value, int32_t *ret_cells, size_t n);

/* The key of an hour's record (seconds since 1970 / 3600): four bytes, big-endian. */
#define STORE_HOUR_KEY_SIZE 4

void store_hour_key(int64_t hour, uint8_t ret_key[STORE_HOUR_KEY_SIZE]);

struct store_delta {
	enum store_space space;
	struct store_bytes key;
	const struct store_cell *cells;
	size_t n_cells;
	int64_t expires; /* seconds since 1970 for a record that is new by it; 0 never */
};

/*
 * Says through CHANGE what shall be under a key of which a local store, which took over for a
 * while, has NEW, and the server OLD (NULL for none). Pure, and done again it changes nothing more.
 */
struct store_change;
typedef void (*store_merge_fn)(void *context, enum store_space space, const struct store_bytes *old,
    const struct store_bytes *new, int64_t now, struct store_change *change);

/* Files of TLS to a server, in PEM; each may be NULL or empty. */
struct store_tls {
	const char *ca;         /* the authorities to be trusted; without, the system's */
	const char *cert, *key; /* what this host shows of itself; the key may be in CERT */
};

struct store_options {
	const char *uri;
	const char *password_file; /* of a server; NULL or empty for none */
	struct store_tls tls;      /* of a server whose URI asks for it */
	bool create;               /* make the folder and the store if missing (mode 0700) */
	bool read_only;  /* no writer thread, no write lock; a missing store is an error */
	bool token_only; /* of an embedded store open the token environment alone */
	uint64_t
	    map_size; /* bytes of address space an environment starts with; it grows; 0 = 64 GiB */
	uint64_t max_triplets; /* records in STORE_TRIPLETS before the one that would expire first
				  among a sample makes room; 0 = no bound */
	/* Of a server: the URI of a local store that takes over for the policy environment while
	 * the server does not answer, and is merged into it afterwards by MERGE, on the owner's
	 * thread. NULL or empty for none. */
	const char *fallback;
	store_merge_fn merge;
	void *merge_context;
	/* Of a server: the store's secret as it is known already; then a server that is down is no
	 * error, and one that is empty gets it. NULL if it is not. */
	const uint8_t *hash_key;
	/* Of a server: replicas that must have an update of the policy environment before it is
	 * answered; with fewer it is STORE_UNCERTAIN. */
	unsigned wait_replicas;
	/* Of a server: milliseconds that a call, and the opening, wait for it to come back before
	 * they fail, whatever timeout is given; what is refused meanwhile since nothing was done is
	 * asked again. 0 for who has to answer at once. */
	unsigned patience;
	/* Of a server: the timeout that calls are given, in milliseconds, or 0. One that is silent
	 * for less, or for less than a second, is not taken for gone. */
	unsigned timeout;
};

#define STORE_ERROR (g_quark_from_static_string("store"))

/* Whether store_open() failed since there is no store yet. */
bool store_is_missing(const GError *error);

/* Completes what is outstanding (commits what waits), then closes. What cannot be done within some
 * 5 seconds, since another process holds the lock, is answered as not done, or as uncertain. The
 * callbacks may go on to call the store. Clears the pointer. */
void store_close(struct store **store);

/* A program started as root becomes the owner of the store at URI, so that it leaves no file
 * there that the daemon cannot read. Does nothing for others. */
bool store_become_owner(const char *uri, GError **error);

/* The same for the time of opening it, for a program that must read others' files later: effective
 * ids alone, and back. */
bool store_act_as_owner(const char *uri, GError **error);
void store_act_as_self(void);

/* The store's own secret for lib/keyedhash, made with the store. */
const uint8_t *store_hash_key(const struct store *store);

/* Seconds since 1970 by the clock that all who share the store go by. */
int64_t store_now(const struct store *store);

/* -- completion -- */

int store_poll_fd(const struct store *store); /* readable when store_dispatch() has work */
void store_dispatch(struct store *store);
void store_wait(struct store *store); /* dispatches until nothing is outstanding */
size_t store_outstanding(const struct store *store);

/* -- reads -- */

/* VALUE is NULL unless STORE_OK; it is valid, and read in place, only during the call. */
typedef void (*store_value_fn)(
    void *context, size_t index, enum store_result result, const struct store_bytes *value);

struct store_call {
	unsigned timeout; /* milliseconds; 0 waits as long as it takes */
	/* May be NULL. JOB is that of store_update() on STORE_OK; of store_add_many() it is the
	 * store's own, and not to be touched. */
	void (*done)(void *context, enum store_result result, void *job);
	void *context;
};

void store_get(struct store *store, enum store_space space, struct store_bytes key,
    unsigned timeout, store_value_fn value, void *context);

/* VALUE is called once for each key, with its index, in any order. Sorted keys are faster. */
void store_get_many(struct store *store, enum store_space space, const struct store_bytes *keys,
    size_t n_keys, unsigned timeout, store_value_fn value, void *context);

/* COUNT cells from FIRST on. */
struct store_range {
	struct store_bytes key;
	uint32_t first, count;
};

/* The same where only some cells of each value are wanted: VALUE gets these alone, or as many of
 * them as there are. An embedded driver does not read the rest. */
void store_get_cells(struct store *store, enum store_space space, const struct store_range *ranges,
    size_t n_ranges, unsigned timeout, store_value_fn value, void *context);

/* -- writes -- */

/*
 * Atomic update: UPDATE sees the old bytes (NULL if there is none) and says through CHANGE what
 * shall be there instead; saying nothing leaves all as it was. It must be pure: it may run on
 * another thread, and more than once, CHANGE being empty each time. It may touch only JOB, which
 * belongs to the store from the call on, is handed to done() when the update is on the disk (the
 * results are in it), and is freed by FREE_JOB after that.
 *
 * Everything one update says through CHANGE is one transaction. Updates of one environment that
 * wait at the same time share a commit.
 */
void store_change_put(
    struct store_change *change, const void *value, size_t length, int64_t expires);
void store_change_delete(struct store_change *change);
/* What is said after this is not copied, which for large updates saves half the memory: it is the
 * job's, and stays as it is until the update is done. */
void store_change_by_reference(struct store_change *change);
/* To other keys of the same environment, in the same transaction. Keys and values are copied. */
void store_change_also_add(struct store_change *change, const struct store_delta *delta);
void store_change_also_put(struct store_change *change, enum store_space space,
    struct store_bytes key, struct store_bytes value, int64_t expires);
/* A value of N cells. */
void store_change_also_put_cells(struct store_change *change, enum store_space space,
    struct store_bytes key, const int32_t *cells, size_t n);
void store_change_also_delete(
    struct store_change *change, enum store_space space, struct store_bytes key);

typedef void (*store_update_fn)(
    const struct store_bytes *old, struct store_change *change, void *job);

void store_update(struct store *store, enum store_space space, struct store_bytes key,
    store_update_fn update, void *job, GDestroyNotify free_job, const struct store_call *call);

/* Applies commutative deltas, all of one environment, in one transaction. They are copied. */
void store_add_many(struct store *store, const struct store_delta *deltas, size_t n_deltas,
    const struct store_call *call);

/* -- scans and expiry -- */

/* Where a scan stands; all zero at its beginning. Opaque bytes of the driver's. */
struct store_cursor {
	bool end;
	uint16_t length;
	uint8_t bytes[STORE_KEY_MAX];
};

/* Return false to stop the scan after this record. */
typedef bool (*store_record_fn)(
    void *context, const struct store_bytes *key, const struct store_bytes *value, int64_t expires);

/* Shows up to LIMIT records past the cursor and moves it (with Redis LIMIT is approximate, and who
 * stops a scan sees that step again). Records put or deleted meanwhile may
 * or may not be seen; all others are seen once with an embedded driver, at least once else.
 * The callback makes no calls to the store. */
void store_scan(struct store *store, enum store_space space, struct store_cursor *cursor,
    unsigned limit, store_record_fn record, const struct store_call *call);

/* Looks at up to LIMIT records past the cursor and deletes those whose time is over at NOW.
 * *RET_EXPIRED, valid when done() is called, is the number. A driver whose server expires by
 * itself does nothing and sets the cursor's end. */
void store_expire(struct store *store, enum store_space space, struct store_cursor *cursor,
    unsigned limit, int64_t now, uint64_t *ret_expired, const struct store_call *call);

/* -- care -- */

/* How a local store stands in for the server. Counted since the store was opened. */
struct store_fallback_status {
	bool configured;
	bool active;       /* the local store answers now */
	int64_t since;     /* when that last changed, seconds since 1970; 0 never */
	uint64_t switches; /* how often the local store took over */
	uint64_t answers;  /* reads and updates that it answered */
	uint64_t merged;   /* records and counters taken to the server afterwards */
	uint64_t waiting;  /* those that are still to be */
};

struct store_status {
	const char *driver;
	uint64_t records[STORE_SPACES];
	bool approximate;                   /* the counts are estimates */
	uint64_t bytes_used;                /* on disk or in the server's memory */
	uint64_t commits, updates, evicted; /* since it was opened */
	size_t waiting;                     /* updates not yet committed */
	struct store_fallback_status fallback;
};

/* A server is not asked more often than every few seconds; between, its last answer is told. */
enum store_result store_status(struct store *store, struct store_status *ret_status);

/* Reads every record and checks that what is counted is there. Calls PROBLEM with a sentence for
 * each finding. CHECK may be NULL; it says whether a record's value is well formed. */
typedef bool (*store_check_fn)(
    enum store_space space, const struct store_bytes *key, const struct store_bytes *value);
enum store_result store_check(struct store *store, store_check_fn check,
    void (*problem)(void *context, const char *sentence), void *context);

/* Hot, consistent copy of an environment each, as a folder that "lmdb:FOLDER" opens. */
bool store_backup(struct store *store, const char *folder, GError **error);

#endif
