#include "config.h"

#include "classifier/bank/state.h"

#include <poll.h>
#include <string.h>

#include "classifier/bank/turn.h"
#include "classifier/bank/registry.h"

/* Seconds for which others wait while this process commits, or rebuilds; and for which it waits for
 * them. */
#define COMMIT_TURN  10
#define REBUILD_TURN 30
#define PATIENCE     15

/* Who rebuilds waits for another rebuild. */
#define REBUILD_PATIENCE (REBUILD_TURN + PATIENCE)

/* Commits in vain, since others came between, before it is given up. */
#define TRIES 50

/* Of the memory's records read in one step. */
#define STEP 500

/* -- what was read -- */

guint
bank_digest_hash(gconstpointer digest)
{
	guint hash;

	memcpy(&hash, digest, sizeof hash);
	return hash;
}

gboolean
bank_digest_equal(gconstpointer a, gconstpointer b)
{
	return memcmp(a, b, CANONICAL_DIGEST_SIZE) == 0;
}

static gint
digest_compare(gconstpointer a, gconstpointer b, G_GNUC_UNUSED gpointer data)
{
	return memcmp(a, b, CANONICAL_DIGEST_SIZE);
}

static void
memory_clear(struct bank_shared *shared)
{
	for (unsigned spam = 0; spam < 2; spam++) {
		if (shared->memory[spam])
			g_tree_unref(shared->memory[spam]);
		shared->memory[spam] =
		    g_tree_new_full(digest_compare, NULL, g_free, (GDestroyNotify)g_bytes_unref);
	}
	shared->memory_read = false;
}

struct bank_shared *
bank_shared_new(void)
{
	struct bank_shared *shared = g_new0(struct bank_shared, 1);

	g_mutex_init(&shared->lock);
	while (!shared->me)
		shared->me = (uint64_t)g_random_int() << 32 | g_random_int();
	shared->believed = g_hash_table_new_full(bank_digest_hash, bank_digest_equal, NULL, g_free);
	memory_clear(shared);
	return shared;
}

/* What is being written is as good as read. */
static const struct bank_entry *
flying_entry(const struct bank_shared *shared, const uint8_t *digest)
{
	return shared->flight ? g_hash_table_lookup(shared->flight->entries, digest) : NULL;
}

bool
bank_shared_believed(struct bank_shared *shared, const uint8_t digest[CANONICAL_DIGEST_SIZE],
    bool *ret_found, struct model_entry *ret_entry)
{
	const struct bank_entry *entry = g_hash_table_lookup(shared->believed, digest);

	if (!entry && (entry = flying_entry(shared, digest)))
		bank_shared_believe(shared, digest, entry->found ? &entry->entry : NULL);
	if (!entry)
		return false;
	*ret_found = entry->found;
	if (entry->found)
		*ret_entry = entry->entry;
	return true;
}

void
bank_shared_believe(struct bank_shared *shared, const uint8_t digest[CANONICAL_DIGEST_SIZE],
    const struct model_entry *entry)
{
	struct bank_entry *all = g_new0(struct bank_entry, 1);

	memcpy(all->digest, digest, sizeof all->digest);
	all->found = entry != NULL;
	if (entry)
		all->entry = *entry;
	g_hash_table_replace(shared->believed, all->digest, all);
}

/* -- the memory -- */

static void
memory_put(struct bank_shared *shared, const uint8_t *key, const void *value, size_t length)
{
	g_tree_replace(shared->memory[key[0] == 2], g_memdup2(key + 1, CANONICAL_DIGEST_SIZE),
	    g_bytes_new(value, length));
}

struct remembering {
	struct bank_shared *shared;
	enum store_result result;
};

static bool
take_memory(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	if (key->length == BANK_MEMORY_KEY)
		memory_put(
		    ((struct remembering *)context)->shared, key->data, value->data, value->length);
	return true;
}

static void
memory_step_done(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	((struct remembering *)context)->result = result;
}

static void
take_turn_record(void *context, size_t index G_GNUC_UNUSED, enum store_result result G_GNUC_UNUSED,
    const struct store_bytes *value)
{
	bank_turn_decode(value, context);
}

void
bank_shared_drop_ahead(struct bank_shared *shared)
{
	for (unsigned table = 0; table < MODEL_TABLES; table++) {
		g_clear_pointer(&shared->ahead[table].slots, g_free);
		g_clear_pointer(&shared->ahead[table].sums, g_free);
	}
}

void
bank_shared_begin(struct bank *bank)
{
	struct bank_turn turn = {0};

	store_get(bank->store, STORE_MODEL,
	    (struct store_bytes){BANK_TURN_KEY, strlen(BANK_TURN_KEY)}, BANK_SHARED_LIMIT,
	    take_turn_record, &turn);
	store_wait(bank->store);
	bank->shared->commits = turn.commits;
	bank->shared->missed = false;
	g_hash_table_remove_all(bank->shared->believed);
	memory_clear(bank->shared);
	bank_shared_drop_ahead(bank->shared);
}

bool
bank_shared_read_memory(struct bank *bank)
{
	struct bank_shared *shared = bank->shared;
	struct remembering r = {.shared = shared, .result = STORE_OK};
	struct store_call call = {
	    .timeout = BANK_SHARED_LIMIT, .done = memory_step_done, .context = &r};
	struct store_cursor cursor = {0};

	memory_clear(shared);
	while (!cursor.end && r.result == STORE_OK) {
		store_scan(bank->store, STORE_MEMORY, &cursor, STEP, take_memory, &call);
		store_wait(bank->store);
	}
	shared->memory_read = r.result == STORE_OK;
	return shared->memory_read;
}

struct fetching {
	struct bank_shared *shared;
	uint8_t key[BANK_MEMORY_KEY];
	bool failed;
};

static void
take_fetched(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct fetching *f = context;

	f->failed = result != STORE_OK && result != STORE_NOT_FOUND;
	if (value)
		memory_put(f->shared, f->key, value->data, value->length);
}

/* What others have remembered since the memory was read is not missed, where an entry tells of it:
 * its message is about to be forgotten. False if the store failed. */
static bool
fetch_news(struct bank *bank, bool spam, const uint8_t digest[CANONICAL_DIGEST_SIZE])
{
	const struct bank_entry *known = g_hash_table_lookup(bank->shared->believed, digest);
	struct fetching f = {.shared = bank->shared};

	if (!known || !known->found || !known->entry.remembered || known->entry.spam != spam ||
	    g_tree_lookup(bank->shared->memory[spam], digest))
		return true;
	bank_memory_key(spam, digest, f.key);
	store_get(bank->store, STORE_MEMORY, (struct store_bytes){f.key, sizeof f.key},
	    BANK_SHARED_LIMIT, take_fetched, &f);
	store_wait(bank->store);
	return !f.failed;
}

bool
bank_shared_next(struct bank *bank, bool spam, const uint8_t point[CANONICAL_DIGEST_SIZE],
    bool *ret_found, uint8_t ret_digest[CANONICAL_DIGEST_SIZE], GByteArray *ret_slots)
{
	GTreeNode *node;
	gsize length;
	const void *slots;

	if (!fetch_news(bank, spam, point))
		return false;
	node = g_tree_lower_bound(bank->shared->memory[spam], point);
	*ret_found = node != NULL;
	if (!node)
		return true;
	memcpy(ret_digest, g_tree_node_key(node), CANONICAL_DIGEST_SIZE);
	slots = g_bytes_get_data(g_tree_node_value(node), &length);
	if (ret_slots)
		g_byte_array_append(ret_slots, slots, (guint)length);
	return true;
}

/* What was committed is in the memory here, too. */
static void
follow_memory(struct bank_shared *shared, const struct batch *batch)
{
	const uint8_t *bytes = batch->bytes->data;

	for (guint i = 0; i < batch->changes->len; i++) {
		const struct change *c = &g_array_index(batch->changes, struct change, i);
		const uint8_t *key = bytes + c->key;

		if (c->space != STORE_MEMORY || c->key_length != BANK_MEMORY_KEY)
			continue;
		if (c->put)
			memory_put(shared, key, bytes + c->value, c->value_length);
		else
			g_tree_remove(shared->memory[key[0] == 2], key + 1);
	}
}

/* -- entries at once -- */

struct reading_entries {
	struct bank_entry *entries;
	size_t left;
	bool failed;
};

static void
take_current(void *context, size_t index, enum store_result result, const struct store_bytes *value)
{
	struct reading_entries *r = context;
	struct bank_entry *entry = &r->entries[index];

	r->left--;
	entry->found = value && registry_decode(value, &entry->entry);
	r->failed |= (result != STORE_OK && result != STORE_NOT_FOUND) || (value && !entry->found);
}

/* Of N entries whose digests are set. False if the store failed. */
static bool
read_entries(struct bank *bank, struct bank_entry *entries, size_t n)
{
	g_autofree struct store_bytes *keys = g_new(struct store_bytes, n + 1);
	struct reading_entries r = {.entries = entries, .left = n};
	struct pollfd fd = {.fd = store_poll_fd(bank->store), .events = POLLIN};

	for (size_t i = 0; i < n; i++)
		keys[i] = (struct store_bytes){entries[i].digest, CANONICAL_DIGEST_SIZE};
	if (n)
		store_get_many(
		    bank->store, STORE_MESSAGES, keys, n, BANK_SHARED_LIMIT, take_current, &r);
	/* Not for what is being written. */
	while (r.left) {
		poll(&fd, 1, -1);
		store_dispatch(bank->store);
	}
	return !r.failed;
}

static void
expect_digest(struct bank_shared *shared, GHashTable *asked, GArray *entries,
    const uint8_t digest[CANONICAL_DIGEST_SIZE])
{
	struct bank_entry entry = {0};

	if (g_hash_table_contains(shared->believed, digest) || flying_entry(shared, digest))
		return;
	if (!g_hash_table_add(asked, g_memdup2(digest, CANONICAL_DIGEST_SIZE)))
		return;
	memcpy(entry.digest, digest, sizeof entry.digest);
	g_array_append_val(entries, entry);
}

/* Those that will be drawn with a message, of either class. */
static void
expect_draws(struct bank *bank, GHashTable *asked, GArray *entries, const uint8_t *digest)
{
	static const uint8_t lowest[CANONICAL_DIGEST_SIZE];

	for (unsigned draw = 0; draw < 2 * bank->options.draws; draw++) {
		GTree *memory = bank->shared->memory[draw % 2];
		uint8_t point[CANONICAL_DIGEST_SIZE];
		GTreeNode *node;

		rehearsal_point(digest, draw / 2, point);
		node = g_tree_lower_bound(memory, point);
		if (!node)
			node = g_tree_lower_bound(memory, lowest);
		if (node)
			expect_digest(bank->shared, asked, entries, g_tree_node_key(node));
	}
}

/* Reads those that are asked for; who needs them later finds them. */
static void
read_expected(struct bank *bank, GArray *entries)
{
	struct bank_entry *list = (struct bank_entry *)(void *)entries->data;

	if (!read_entries(bank, list, entries->len))
		return; /* Who needs them asks again, and hears what is wrong. */
	for (guint i = 0; i < entries->len; i++)
		bank_shared_believe(
		    bank->shared, list[i].digest, list[i].found ? &list[i].entry : NULL);
}

void
bank_shared_expect_from(struct bank *bank, const uint8_t digest[CANONICAL_DIGEST_SIZE])
{
	g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(struct bank_entry));
	g_autoptr(GHashTable) asked =
	    g_hash_table_new_full(bank_digest_hash, bank_digest_equal, g_free, NULL);

	for (unsigned spam = 0; spam < 2; spam++) {
		GTreeNode *node = g_tree_lower_bound(bank->shared->memory[spam], digest);

		for (unsigned i = 0; node && i < STEP; i++, node = g_tree_node_next(node))
			expect_digest(bank->shared, asked, entries, g_tree_node_key(node));
	}
	read_expected(bank, entries);
}

void
bank_expect(struct bank *bank, const struct features *const *messages, size_t n)
{
	g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(struct bank_entry));
	g_autoptr(GHashTable) asked =
	    g_hash_table_new_full(bank_digest_hash, bank_digest_equal, g_free, NULL);

	if (!bank->shared)
		return;
	for (size_t i = 0; i < n; i++) {
		expect_digest(bank->shared, asked, entries, messages[i]->digest);
		expect_draws(bank, asked, entries, messages[i]->digest);
	}
	read_expected(bank, entries);
}

/* -- the commit -- */

/* The job of the update: the batch is not the store's. */
struct turn_job {
	const struct batch *batch;
	uint64_t me, commits;
	bool must_hold; /* only if nobody else has had the turn since */
	bool stale;     /* another has committed: nothing was said */
};

static void
say_turn(const struct store_bytes *old, struct store_change *change, void *data)
{
	struct turn_job *job = data;
	struct bank_turn turn;
	uint8_t bytes[BANK_TURN_MAX];

	bank_turn_decode(old, &turn);
	job->stale = turn.commits != job->commits || (job->must_hold && turn.holder != job->me);
	if (job->stale)
		return;
	bank_batch_say(job->batch, change);
	turn = (struct bank_turn){.commits = turn.commits + 1};
	store_change_put(change, bytes, bank_turn_encode(&turn, bytes), 0);
}

static void
turn_done(void *context, enum store_result result, void *job)
{
	struct bank_flight *flight = context;

	flight->result = result;
	flight->stale = job && ((const struct turn_job *)job)->stale;
}

static void
write_turn(struct bank *bank, struct bank_flight *flight)
{
	const struct turn_job job = {.batch = flight->batch,
	    .me = bank->shared->me,
	    .commits = bank->shared->commits,
	    .must_hold = bank->shared->rebuilding};
	struct store_call call = {.done = turn_done, .context = flight};

	store_update(bank->store, STORE_MODEL,
	    (struct store_bytes){BANK_TURN_KEY, strlen(BANK_TURN_KEY)}, say_turn,
	    g_memdup2(&job, sizeof job), g_free, &call);
}

/* The entries of the batch as they shall be, given what others have made of them. */
static bool
merge_entries(struct bank_flight *flight, const struct bank_entry *current)
{
	struct batch *batch = flight->batch;

	for (guint i = 0; i < batch->entries->len; i++) {
		const struct bank_entry *mine =
		    &g_array_index(batch->entries, struct bank_entry, i);
		const struct bank_entry *base = g_hash_table_lookup(flight->bases, mine->digest);
		struct bank_entry *merged = g_memdup2(mine, sizeof *mine);

		g_hash_table_replace(flight->entries, merged->digest, merged);
		if (!registry_merge(base && base->found ? &base->entry : NULL,
			current[i].found ? &current[i].entry : NULL,
			mine->found ? &mine->entry : NULL, &merged->entry))
			return false;
		bank_batch_entry(batch, mine->digest, mine->found ? &merged->entry : NULL);
	}
	return true;
}

/* -- flights: what is being written while its trainer learns on -- */

static void
flight_free(struct bank_flight *flight)
{
	g_hash_table_unref(flight->bases);
	g_hash_table_unref(flight->entries);
	bank_batch_free(flight->batch);
	g_free(flight);
}

void
bank_shared_free(struct bank_shared *shared)
{
	if (!shared)
		return;
	g_mutex_clear(&shared->lock);
	bank_shared_drop_ahead(shared);
	g_hash_table_unref(shared->believed);
	if (shared->flight)
		flight_free(shared->flight);
	for (unsigned spam = 0; spam < 2; spam++)
		g_tree_unref(shared->memory[spam]);
	g_free(shared);
}

static void
take_settled(void *context, size_t index G_GNUC_UNUSED, enum store_result result G_GNUC_UNUSED,
    const struct store_bytes *value)
{
	if (value)
		*(int32_t *)context = store_cell_get(value, MODEL_HEAD_SETTLED);
}

/* Another may have rebuilt since the model read the head, and settled what this one owed then. */
static void
owe(struct bank *bank, struct batch *batch)
{
	int32_t settled = 0;

	store_get(bank->store, STORE_SLOTS,
	    (struct store_bytes){BANK_HEAD_KEY, strlen(BANK_HEAD_KEY)}, BANK_SHARED_LIMIT,
	    take_settled, &settled);
	store_wait(bank->store);
	bank_batch_raise(batch, MODEL_HEAD_DEFERRED, settled + 1);
}

void
bank_defer(struct bank *bank)
{
	if (bank->shared)
		bank->shared->deferring = true;
}

/* Takes the turn, reads what there is, merges, and begins to write: without effect if another
 * commits before. */
static enum bank_landing
take_off(struct bank *bank, struct bank_flight *flight)
{
	struct bank_shared *shared = bank->shared;
	struct batch *batch = flight->batch;
	g_autofree struct bank_entry *current =
	    g_memdup2(batch->entries->data, batch->entries->len * sizeof *current);
	uint64_t seen = shared->commits;
	bool mine;

	g_array_set_size(batch->changes, flight->n_changes);
	g_byte_array_set_size(batch->bytes, flight->n_bytes);
	if (!shared->rebuilding)
		flight->result = bank_turn_take(bank->store, shared->me, COMMIT_TURN, PATIENCE,
		    BANK_SHARED_LIMIT, &shared->commits, &mine);
	shared->missed |= shared->commits != seen;
	if (flight->result != STORE_OK)
		return BANK_CRASHED;
	if (!read_entries(bank, current, batch->entries->len)) {
		flight->result = STORE_UNAVAILABLE;
		return BANK_CRASHED;
	}
	if (!merge_entries(flight, current))
		return BANK_COLLIDED;
	if (shared->deferring && !shared->rebuilding)
		owe(bank, batch);
	write_turn(bank, flight);
	return BANK_FLIES;
}

enum bank_landing
bank_shared_begin_commit(struct bank *bank, struct batch *batch)
{
	struct bank_shared *shared = bank->shared;
	struct bank_flight *flight = g_new0(struct bank_flight, 1);

	flight->batch = batch;
	flight->n_changes = batch->changes->len;
	flight->n_bytes = batch->bytes->len;
	flight->bases = shared->believed;
	flight->entries = g_hash_table_new_full(bank_digest_hash, bank_digest_equal, NULL, g_free);
	shared->believed = g_hash_table_new_full(bank_digest_hash, bank_digest_equal, NULL, g_free);
	flight->landing = take_off(bank, flight);
	bank_shared_drop_ahead(shared);
	if (shared->memory_read)
		follow_memory(shared, batch);
	shared->flight = flight;
	return flight->landing;
}

/* Waits; who was overtaken by another's commit tries again. */
static enum bank_landing
land(struct bank *bank, struct bank_flight *flight)
{
	for (unsigned i = 0; i < TRIES && flight->landing == BANK_FLIES; i++) {
		store_wait(bank->store);
		if (flight->result != STORE_OK)
			return BANK_CRASHED;
		if (!flight->stale)
			return BANK_LANDED;
		if (bank->shared->rebuilding)
			return BANK_COLLIDED;
		flight->landing = take_off(bank, flight);
	}
	if (flight->landing == BANK_FLIES) {
		store_wait(bank->store);
		flight->result = STORE_UNAVAILABLE;
		return BANK_CRASHED;
	}
	return flight->landing;
}

enum store_result
bank_shared_finish_commit(struct bank *bank, GError **error)
{
	struct bank_shared *shared = bank->shared;
	struct bank_flight *flight = shared->flight;
	enum store_result result = STORE_OK;
	enum bank_landing landing;

	if (!flight)
		return STORE_OK;
	landing = land(bank, flight);
	shared->flight = NULL;
	shared->rebuilding = false;
	if (landing == BANK_LANDED) {
		g_autoptr(GPtrArray) unused = bank_maybe_unused(flight->batch);

		shared->commits++;
		bank_delete_unused(bank->store, unused);
	} else {
		result = landing == BANK_CRASHED ? flight->result : STORE_UNAVAILABLE;
		bank_turn_give_back(bank->store, shared->me, BANK_SHARED_LIMIT);
	}
	if (landing == BANK_COLLIDED)
		g_set_error_literal(error, BANK_ERROR, BANK_CONFLICT,
		    "another host has trained the same messages at the same time");
	flight_free(flight);
	return result;
}

bool
bank_begin_rebuild(struct bank *bank, bool *ret_fresh)
{
	struct bank_shared *shared = bank->shared;
	uint64_t seen = shared->commits;

	if (bank_turn_take(bank->store, shared->me, REBUILD_TURN, REBUILD_PATIENCE,
		BANK_SHARED_LIMIT, &shared->commits, &shared->rebuilding) != STORE_OK)
		return false;
	*ret_fresh = !shared->missed && shared->commits == seen;
	return shared->rebuilding;
}
