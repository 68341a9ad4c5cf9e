#include "config.h"

#include "classifier/bank_state.h"

#include <string.h>

#include "classifier/bank_turn.h"
#include "classifier/registry.h"

/* Seconds for which others wait while this process commits, or rebuilds; and for which it waits for
 * them. */
#define COMMIT_TURN  20
#define REBUILD_TURN 120
#define PATIENCE     30

/* Commits in vain, since others came between, before it is given up. */
#define TRIES 50

/* Of the memory's records read in one step. */
#define STEP 500

/* -- what was read -- */

static guint
digest_hash(gconstpointer digest)
{
	guint hash;

	memcpy(&hash, digest, sizeof hash);
	return hash;
}

static gboolean
digest_equal(gconstpointer a, gconstpointer b)
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
	shared->believed = g_hash_table_new_full(digest_hash, digest_equal, NULL, g_free);
	memory_clear(shared);
	return shared;
}

void
bank_shared_free(struct bank_shared *shared)
{
	if (!shared)
		return;
	g_mutex_clear(&shared->lock);
	g_hash_table_unref(shared->believed);
	for (unsigned spam = 0; spam < 2; spam++)
		g_tree_unref(shared->memory[spam]);
	g_free(shared);
}

bool
bank_shared_believed(const struct bank_shared *shared, const uint8_t digest[CANONICAL_DIGEST_SIZE],
    bool *ret_found, struct model_entry *ret_entry)
{
	const struct bank_entry *entry = g_hash_table_lookup(shared->believed, digest);

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
bank_shared_begin(struct bank *bank)
{
	struct bank_turn turn = {0};

	store_get(bank->store, STORE_MODEL,
	    (struct store_bytes){BANK_TURN_KEY, strlen(BANK_TURN_KEY)}, BANK_SHARED_LIMIT,
	    take_turn_record, &turn);
	store_wait(bank->store);
	bank->shared->commits = turn.commits;
	bank->shared->missed = false;
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

bool
bank_shared_next(const struct bank_shared *shared, bool spam,
    const uint8_t point[CANONICAL_DIGEST_SIZE], uint8_t ret_digest[CANONICAL_DIGEST_SIZE],
    GByteArray *ret_slots)
{
	GTreeNode *node = g_tree_lower_bound(shared->memory[spam], point);
	gsize length;
	const void *slots;

	if (!node)
		return false;
	memcpy(ret_digest, g_tree_node_key(node), CANONICAL_DIGEST_SIZE);
	slots = g_bytes_get_data(g_tree_node_value(node), &length);
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
	bool failed;
};

static void
take_current(void *context, size_t index, enum store_result result, const struct store_bytes *value)
{
	struct reading_entries *r = context;
	struct bank_entry *entry = &r->entries[index];

	entry->found = value && registry_decode(value, &entry->entry);
	r->failed |= (result != STORE_OK && result != STORE_NOT_FOUND) || (value && !entry->found);
}

/* Of N entries whose digests are set. False if the store failed. */
static bool
read_entries(struct bank *bank, struct bank_entry *entries, size_t n)
{
	g_autofree struct store_bytes *keys = g_new(struct store_bytes, n + 1);
	struct reading_entries r = {.entries = entries};

	for (size_t i = 0; i < n; i++)
		keys[i] = (struct store_bytes){entries[i].digest, CANONICAL_DIGEST_SIZE};
	if (n)
		store_get_many(
		    bank->store, STORE_MESSAGES, keys, n, BANK_SHARED_LIMIT, take_current, &r);
	store_wait(bank->store);
	return !r.failed;
}

static void
expect_digest(struct bank_shared *shared, GHashTable *asked, GArray *entries,
    const uint8_t digest[CANONICAL_DIGEST_SIZE])
{
	struct bank_entry entry = {0};

	if (g_hash_table_contains(shared->believed, digest))
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
	    g_hash_table_new_full(digest_hash, digest_equal, g_free, NULL);

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
	    g_hash_table_new_full(digest_hash, digest_equal, g_free, NULL);

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

struct outcome {
	enum store_result result;
	bool stale;
};

static void
turn_done(void *context, enum store_result result, void *job)
{
	struct outcome *outcome = context;

	outcome->result = result;
	outcome->stale = job && ((const struct turn_job *)job)->stale;
}

static struct outcome
write_turn(struct bank *bank, const struct batch *batch)
{
	const struct turn_job job = {.batch = batch,
	    .me = bank->shared->me,
	    .commits = bank->shared->commits,
	    .must_hold = bank->shared->rebuilding};
	struct outcome outcome = {STORE_UNAVAILABLE, false};
	struct store_call call = {.done = turn_done, .context = &outcome};

	store_update(bank->store, STORE_MODEL,
	    (struct store_bytes){BANK_TURN_KEY, strlen(BANK_TURN_KEY)}, say_turn,
	    g_memdup2(&job, sizeof job), g_free, &call);
	store_wait(bank->store);
	return outcome;
}

/* The entries of the batch as they shall be, given what others have made of them. */
static bool
merge_entries(struct bank *bank, struct batch *batch, const struct bank_entry *current)
{
	for (guint i = 0; i < batch->entries->len; i++) {
		const struct bank_entry *mine =
		    &g_array_index(batch->entries, struct bank_entry, i);
		struct model_entry base, merged;
		bool had = false;

		bank_shared_believed(bank->shared, mine->digest, &had, &base);
		if (!registry_merge(had ? &base : NULL, current[i].found ? &current[i].entry : NULL,
			mine->found ? &mine->entry : NULL, &merged))
			return false;
		bank_batch_entry(batch, mine->digest, mine->found ? &merged : NULL);
	}
	return true;
}

static enum store_result
conflict(GError **error)
{
	g_set_error_literal(error, BANK_ERROR, BANK_CONFLICT,
	    "another host has trained the same messages at the same time");
	return STORE_UNAVAILABLE;
}

/* Reads what there is, merges, and writes, unless another commits in between. */
static struct outcome
try_commit(struct bank *bank, struct batch *batch, GError **error)
{
	g_autofree struct bank_entry *current =
	    g_memdup2(batch->entries->data, batch->entries->len * sizeof *current);
	guint before = batch->changes->len, bytes = batch->bytes->len;
	struct outcome outcome = {STORE_UNAVAILABLE, false};

	if (!read_entries(bank, current, batch->entries->len))
		return outcome;
	if (merge_entries(bank, batch, current))
		outcome = write_turn(bank, batch);
	else
		conflict(error);
	g_array_set_size(batch->changes, before);
	g_byte_array_set_size(batch->bytes, bytes);
	return outcome;
}

enum store_result
bank_shared_commit(struct bank *bank, struct batch *batch, GError **error)
{
	struct bank_shared *shared = bank->shared;
	GError *problem = NULL;
	struct outcome outcome = {STORE_OK, true};
	uint64_t seen = shared->commits;
	bool mine = false;

	for (unsigned i = 0; i < TRIES && outcome.result == STORE_OK && outcome.stale; i++) {
		if (shared->rebuilding && i)
			conflict(&problem);
		else if (!shared->rebuilding)
			outcome.result = bank_turn_take(bank->store, shared->me, COMMIT_TURN,
			    PATIENCE, BANK_SHARED_LIMIT, &shared->commits, &mine);
		if (!problem && outcome.result == STORE_OK)
			outcome = try_commit(bank, batch, &problem);
		if (problem)
			break;
	}
	shared->missed |= shared->commits != seen;
	shared->rebuilding = false;
	g_hash_table_remove_all(shared->believed);
	if (outcome.result == STORE_OK && !outcome.stale && !problem) {
		shared->commits++;
		if (shared->memory_read)
			follow_memory(shared, batch);
		return STORE_OK;
	}
	bank_turn_give_back(bank->store, shared->me, BANK_SHARED_LIMIT);
	if (problem)
		g_propagate_error(error, problem);
	return outcome.result == STORE_OK ? STORE_UNAVAILABLE : outcome.result;
}

bool
bank_begin_rebuild(struct bank *bank, bool *ret_fresh)
{
	struct bank_shared *shared = bank->shared;
	uint64_t seen = shared->commits;

	if (bank_turn_take(bank->store, shared->me, REBUILD_TURN, PATIENCE, BANK_SHARED_LIMIT,
		&shared->commits, &shared->rebuilding) != STORE_OK)
		return false;
	*ret_fresh = !shared->missed && shared->commits == seen;
	return shared->rebuilding;
}
