/*
 * A server that several hosts share, with a local store that takes over for the policy environment
 * while the server does not answer, and is merged into it afterwards. Private to db/.
 *
 * What is changed in the local store is noted in its STORE_JOURNAL, in the same transaction:
 *
 *	'D' SPACE KEY       the record KEY was changed: to be merged into the server's by
 *	                    store_options.merge, which may be done again, and then changes nothing;
 *	                    16 bytes tell one change from the next
 *	'A' PROCESS NUMBER  deltas to cells, to be added to the server's once. A server's
 *	                    STORE_JOURNAL has under PROCESS (8 random bytes) the NUMBER (8 bytes,
 *	                    big-endian) of the last ones that were added, written with them: whoever
 *	                    is killed between there and here adds nothing twice
 *	'H'                 the secret of the server's hashes, so that a daemon starts without it
 *
 * A record with a change that is not merged yet is read and changed in the local store even when
 * the server answers again. What this host writes on the server is copied to the local store, so
 * that it knows the known when it takes over; what the server is found not to have any more goes
 * from the copy. Deletions are not merged.
 */
#ifndef GREYLAG_DB_FALLBACK_FALLBACK_H
#define GREYLAG_DB_FALLBACK_FALLBACK_H

#include "db/store_driver.h"

#define FALLBACK_PROCESS_SIZE 8
#define FALLBACK_NUMBER_SIZE  8

/* The server knows a process for so long after its last deltas, which is longer than any counter is
 * kept. */
#define FALLBACK_MARK_SECONDS (40 * 86400)

struct store_fallback {
	struct store store;
	struct store *remote, *local;
	store_merge_fn merge;
	void *merge_context;
	char *remote_name, *local_name; /* for the log */
	uint8_t process[FALLBACK_PROCESS_SIZE];
	uint64_t number; /* of the last change */
	int epoll, timer;
	size_t pending; /* operations not answered, and what is copied or merged */

	bool away;           /* the server does not answer */
	bool journal;        /* there may be something in it */
	unsigned writing;    /* local changes that are not committed yet */
	bool merging;        /* a step is under way */
	bool adding;         /* deltas are on their way to the server */
	GQueue adds;         /* struct fallback_update, deltas that wait for that */
	GHashTable *allowed; /* keys seen by the scan of STORE_ALLOWED that is copied, or NULL */
	struct store_fallback_status status;
};

/* An update as it was called, and on its way to either store; counted references. */
struct fallback_update {
	struct store_fallback *fallback;
	unsigned references;
	enum store_space space;
	GBytes *key;
	store_update_fn update;
	void *job;
	GDestroyNotify free_job;
	struct store_call call;
	int64_t deadline; /* monotonic; 0 none */
	uint64_t number;
	bool once;   /* deltas in it may have been added by the server */
	GBytes *put; /* what was put under the key, to be copied */
	int64_t expires;
};

static inline struct store_fallback *
fallback_of(struct store *store)
{
	return (struct store_fallback *)store;
}

static inline struct store_bytes
fallback_bytes(GBytes *bytes)
{
	struct store_bytes b;

	b.data = g_bytes_get_data(bytes, &b.length);
	return b;
}

/* Looks whether the server answers, and has the merging begin when it does again. */
void fallback_look(struct store_fallback *f);

/* Puts a copy of what the server has into the local store. */
void fallback_copy(struct store_fallback *f, enum store_space space, struct store_bytes key,
    GBytes *value, int64_t expires);

/* -- updates, in store_fallback_update.c -- */

void fallback_update(struct store *store, enum store_space space, struct store_bytes key,
    store_update_fn update, void *job, GDestroyNotify free_job, const struct store_call *call);
/* Whether the record has changes that are not merged yet. */
bool fallback_is_noted(struct store_fallback *f, enum store_space space, struct store_bytes key);
/* Notes what CHANGE says in the journal, through CHANGE itself. */
void fallback_note(struct fallback_update *u, struct store_change *change);

/* -- merging, in store_fallback_merge.c -- */

void fallback_merge_soon(struct store_fallback *f, int64_t in);
/* A step, if there is something to merge and none is under way. */
void fallback_merge(struct store_fallback *f);

/* Deltas as bytes: space, expiry (8), key's length (2), key, number of cells (2), and of each
 * index (4), operation (1), delta (4); integers are big-endian. */
void fallback_encode(const struct store_step *step, GByteArray *bytes);
/* Takes the next delta off BYTES; the cells are allocated. False at the end and for what is
 * malformed. */
bool fallback_decode(
    struct store_bytes *bytes, struct store_delta *ret_delta, struct store_cell **ret_cells);

/* Opens the server and the local store of OPTIONS, each by OPEN. */
typedef struct store *(*fallback_open_fn)(const struct store_options *options, GError **error);
struct store *store_fallback_open(
    const struct store_options *options, fallback_open_fn open, GError **error);

#endif
