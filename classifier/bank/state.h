/*
 * What a bank is made of. For the files classifier/bank*.c only.
 */
#ifndef GREYLAG_CLASSIFIER_BANK_STATE_H
#define GREYLAG_CLASSIFIER_BANK_STATE_H

#include "classifier/bank/bank.h"

/* Milliseconds for each answer of a server: a message's pages are megabytes. */
#define BANK_SHARED_LIMIT 10000

struct bank {
	struct store *store;
	const struct settings *settings;
	char *uri;
	struct model_options options;
	enum bank_access access;
	unsigned patience; /* milliseconds that a server is waited for */
	char *lock_path; /* NULL where there is nothing to lock */
	int lock;        /* its descriptor, or -1 */
	/* One of the two: the first if other hosts use the store too. */
	struct bank_shared *shared;
	struct bank_embedded *embedded;
};

/* Another connection to a server's store, for reads; NULL if it cannot be had. */
struct store *bank_open_again(const struct bank *bank);

void bank_page_key(unsigned table, uint32_t page, uint8_t ret_key[BANK_PAGE_KEY]);
void bank_memory_key(bool spam, const uint8_t *digest, uint8_t ret_key[BANK_MEMORY_KEY]);

/* -- all of a commit, gathered (bank_commit.c) -- */

/* A change to one key. Cells and bytes are offsets until all is there, since they move. */
struct change {
	enum store_space space;
	size_t key, key_length;
	size_t value, value_length; /* of a put */
	size_t first_cell, n_cells; /* of deltas */
	const int32_t *whole;       /* or all cells, in the model or the batch */
	bool put, delete;
};

/* An entry of the registry as a model has it. */
struct bank_entry {
	uint8_t digest[CANONICAL_DIGEST_SIZE];
	bool found;
	struct model_entry entry;
};

struct batch {
	GArray *changes; /* struct change */
	GArray *cells;   /* struct store_cell */
	GByteArray *bytes;
	bool merges;     /* entries are gathered here, and become changes when they are merged */
	GArray *entries; /* struct bank_entry */
	bool copies;     /* the model may learn on before all is written: its pages are copied */
	GPtrArray *pages;
};

/* ENTRY is NULL for one that was deleted. */
void bank_batch_entry(struct batch *batch, const uint8_t digest[CANONICAL_DIGEST_SIZE],
    const struct model_entry *entry);
/* Raises a cell of the head that is merged by its maximum. */
void bank_batch_raise(struct batch *batch, uint32_t head_cell, int32_t value);
void bank_batch_say(const struct batch *batch, struct store_change *change);
void bank_batch_free(struct batch *batch);

/* Keys of the tokens that the batch takes a message from (GBytes): some may be in no message any
 * more. What is forgotten leaves no word behind: these are deleted. */
GPtrArray *bank_maybe_unused(const struct batch *batch);
void bank_delete_unused(struct store *store, const GPtrArray *keys);

/* Of digests, for hash tables. */
guint bank_digest_hash(gconstpointer digest);
gboolean bank_digest_equal(gconstpointer a, gconstpointer b);

/* -- an embedded store (bank_embedded.c) -- */

struct bank_embedded *bank_embedded_new(void);
void bank_embedded_free(struct bank_embedded *embedded); /* accepts NULL */

/* Begins to write the batch, which belongs to the store then; not before the last one has ended. */
void bank_embedded_begin_commit(struct bank *bank, struct batch *batch);
/* Waits until it is on the disk. STORE_OK too if nothing was to be written. */
enum store_result bank_embedded_finish_commit(struct bank *bank);

/* Before a read of the entry of DIGEST, or with NULL of anything else: if that is being written,
 * waits until the store shows it. False if it could not be written. */
bool bank_embedded_shows(struct bank *bank, const uint8_t *digest);

/* -- a store that other hosts use too (bank_shared.c) -- */

enum bank_landing {
	BANK_FLIES,    /* is being written */
	BANK_LANDED,   /* is written */
	BANK_CRASHED,  /* the store failed */
	BANK_COLLIDED, /* with another trainer's messages */
};

/* A commit on its way. */
struct bank_flight {
	struct batch *batch;
	guint n_changes, n_bytes; /* of the batch without its entries */
	GHashTable *bases;        /* what models had read: digest -> struct bank_entry */
	GHashTable *entries;      /* what is written, the same */
	enum bank_landing landing;
	enum store_result result;
	bool stale; /* another has committed before: nothing was written */
};

/* Sums of one table that were read before a model asks for them. */
struct bank_ahead {
	uint32_t *slots;
	struct voice_sums *sums;
	size_t count;
};

struct bank_shared {
	GMutex lock;          /* the store belongs to one thread at a time */
	uint64_t me;          /* for bank_turn.h */
	uint64_t commits;     /* the store's number when this bank last wrote, or made a model */
	bool missed;          /* others have committed since the model was made */
	bool rebuilding;      /* has the turn */
	bool deferring;       /* its messages' steps are owed */
	GHashTable *believed; /* digest -> struct bank_entry, as models have read it */
	struct bank_flight *flight; /* or NULL */
	GTree *memory[2];           /* digest -> GBytes, of ham and spam */
	bool memory_read;
	struct bank_ahead ahead[MODEL_TABLES]; /* of one message */
};

struct bank_shared *bank_shared_new(void);
void bank_shared_free(struct bank_shared *shared); /* accepts NULL */

/* What was read ahead is out of date. */
void bank_shared_drop_ahead(struct bank_shared *shared);

/* Before a model reads: what is committed from now on, it may not see. */
void bank_shared_begin(struct bank *bank);

/* What a model was told of an entry since the last commit: others' changes since then are merged
 * against it. */
bool bank_shared_believed(struct bank_shared *shared, const uint8_t digest[CANONICAL_DIGEST_SIZE],
    bool *ret_found, struct model_entry *ret_entry);
void bank_shared_believe(struct bank_shared *shared, const uint8_t digest[CANONICAL_DIGEST_SIZE],
    const struct model_entry *entry);

/* A rebuild goes over what is remembered in the order of digests: reads some entries ahead. */
void bank_shared_expect_from(struct bank *bank, const uint8_t digest[CANONICAL_DIGEST_SIZE]);

/* Reads what is remembered into this process, where rehearsal draws from it without a round trip
 * for each. False if the store failed. */
bool bank_shared_read_memory(struct bank *bank);
/* As model_source.remembered, of what was read so. */
bool bank_shared_next(struct bank *bank, bool spam, const uint8_t point[CANONICAL_DIGEST_SIZE],
    bool *ret_found, uint8_t ret_digest[CANONICAL_DIGEST_SIZE], GByteArray *ret_slots);

/*
 * Begins to write the batch, which belongs to the bank then. Whatever comes of it is told by
 * bank_shared_finish_commit(), which waits; it must be called before the next one.
 */
enum bank_landing bank_shared_begin_commit(struct bank *bank, struct batch *batch);
/* STORE_OK if all is written, or nothing was to be. Sets the error only if it is a conflict. */
enum store_result bank_shared_finish_commit(struct bank *bank, GError **error);

#endif
