/*
 * mem: a balanced tree a space, in this process' memory. For replay and tests: it has the
 * behaviour of the embedded driver (completions come from store_dispatch()) without a disk.
 */
#include "config.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "db/store_driver.h"

/* How many records are looked at to find the one that makes room; see store_options. */
#define EVICT_SAMPLE 128

struct entry {
	GBytes *key, *value;
	int64_t expires;
};

struct completion {
	enum store_result result;
	void (*done)(void *context, enum store_result result, void *job);
	void *context, *job;
	GDestroyNotify free_job;
};

struct store_mem {
	struct store store;
	/* Any thread may read: what the owner changes it changes with the lock held whole. */
	GRWLock lock;
	GTree *spaces[STORE_SPACES]; /* struct entry by its key */
	GQueue completions;
	struct store_change change;
	GByteArray *cells;
	uint64_t max_triplets;
	GRand *random;
	struct store_status status;
	int wake; /* eventfd */
};

static struct store_mem *
mem(struct store *store)
{
	return (struct store_mem *)store;
}

static gint
compare(gconstpointer a, gconstpointer b, gpointer data G_GNUC_UNUSED)
{
	return g_bytes_compare(a, b);
}

static void
entry_free(gpointer data)
{
	struct entry *entry = data;

	g_bytes_unref(entry->key);
	g_bytes_unref(entry->value);
	g_free(entry);
}

static struct store *
mem_open(const struct store_options *options, const char *rest G_GNUC_UNUSED,
    GError **error G_GNUC_UNUSED)
{
	struct store_mem *m = g_new0(struct store_mem, 1);

	m->store.driver = &store_mem_driver;
	g_rw_lock_init(&m->lock);
	keyedhash_new_key(m->store.hash_key);
	for (unsigned i = 0; i < STORE_SPACES; i++)
		m->spaces[i] = g_tree_new_full(compare, NULL, NULL, entry_free);
	g_queue_init(&m->completions);
	store_change_init(&m->change);
	m->cells = g_byte_array_new();
	m->max_triplets = options->max_triplets;
	m->random = g_rand_new_with_seed(1);
	m->status.driver = "mem";
	m->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return &m->store;
}

static void
mem_dispatch(struct store *store)
{
	struct store_mem *m = mem(store);
	struct completion *c;
	eventfd_t ignored;

	eventfd_read(m->wake, &ignored);
	while ((c = g_queue_pop_head(&m->completions))) {
		if (c->done)
			c->done(c->context, c->result, c->result == STORE_OK ? c->job : NULL);
		if (c->free_job)
			c->free_job(c->job);
		g_free(c);
	}
}

static void
mem_close(struct store *store)
{
	struct store_mem *m = mem(store);

	mem_dispatch(store);
	for (unsigned i = 0; i < STORE_SPACES; i++)
		g_tree_unref(m->spaces[i]);
	store_change_clear(&m->change);
	g_byte_array_unref(m->cells);
	g_rand_free(m->random);
	g_rw_lock_clear(&m->lock);
	close(m->wake);
	store_texts_free(&m->store);
	g_free(m);
}

static int
mem_poll_fd(const struct store *store)
{
	return ((const struct store_mem *)store)->wake;
}

static size_t
mem_outstanding(const struct store *store)
{
	return ((const struct store_mem *)store)->completions.length;
}

static struct entry *
find(struct store_mem *m, enum store_space space, struct store_bytes key)
{
	g_autoptr(GBytes) bytes = g_bytes_new_static(key.data, key.length);

	return g_tree_lookup(m->spaces[space], bytes);
}

static struct store_bytes
entry_value(const struct entry *entry)
{
	struct store_bytes value;

	value.data = g_bytes_get_data(entry->value, &value.length);
	return value;
}

/* The value stays as it is for the callback, even if that updates the very record. */
static void
get_one(struct store_mem *m, enum store_space space, struct store_bytes key, size_t index,
    store_value_fn value, void *context)
{
	g_autoptr(GBytes) kept = NULL;
	const struct entry *entry;
	struct store_bytes bytes;

	g_rw_lock_reader_lock(&m->lock);
	entry = find(m, space, key);
	if (entry)
		kept = g_bytes_ref(entry->value);
	g_rw_lock_reader_unlock(&m->lock);
	if (!kept) {
		value(context, index, STORE_NOT_FOUND, NULL);
		return;
	}
	bytes.data = g_bytes_get_data(kept, &bytes.length);
	value(context, index, STORE_OK, &bytes);
}

static void
mem_get_many(struct store *store, enum store_space space, const struct store_bytes *keys,
    size_t n_keys, unsigned timeout G_GNUC_UNUSED, store_value_fn value, void *context)
{
	for (size_t i = 0; i < n_keys; i++)
		get_one(mem(store), space, keys[i], i, value, context);
}

/* -- updates -- */

static GTreeNode *
random_node(struct store_mem *m, enum store_space space)
{
	uint32_t words[4];
	g_autoptr(GBytes) key = NULL;
	GTreeNode *node;

	for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
		words[i] = g_rand_int(m->random);
	key = g_bytes_new(words, sizeof words);
	node = g_tree_lower_bound(m->spaces[space], key);
	return node ? node : g_tree_node_first(m->spaces[space]);
}

/* The record that would go first among a sample makes room for the new one. */
static void
evict(struct store_mem *m, enum store_space space)
{
	GTreeNode *node = random_node(m, space);
	struct entry *first = NULL;

	for (unsigned i = 0; i < EVICT_SAMPLE && node; i++) {
		struct entry *entry = g_tree_node_value(node);

		if (!first || entry->expires < first->expires)
			first = entry;
		node = g_tree_node_next(node);
		node = node ? node : g_tree_node_first(m->spaces[space]);
	}
	if (first) {
		g_tree_remove(m->spaces[space], first->key);
		m->status.evicted++;
	}
}

static bool
is_full(const struct store_mem *m, enum store_space space)
{
	uint64_t bound = store_space_bound(space, m->max_triplets);

	return bound && (uint64_t)g_tree_nnodes(m->spaces[space]) >= bound;
}

static void
put(struct store_mem *m, const struct store_step *step, const void *value, size_t length,
    int64_t expires)
{
	struct entry *entry = find(m, step->space, step->key);

	if (entry) {
		g_bytes_unref(entry->value);
	} else {
		if (is_full(m, step->space))
			evict(m, step->space);
		entry = g_new(struct entry, 1);
		entry->key = g_bytes_new(step->key.data, step->key.length);
		g_tree_insert(m->spaces[step->space], entry->key, entry);
	}
	entry->value = g_bytes_new(value, length);
	entry->expires = expires;
}

static void
add(struct store_mem *m, const struct store_step *step)
{
	struct entry *entry = find(m, step->space, step->key);
	struct store_bytes old;

	if (entry)
		old = entry_value(entry);
	store_cells_apply(entry ? &old : NULL, step, m->cells);
	put(m, step, m->cells->data, m->cells->len, entry ? entry->expires : step->expires);
}

static void
apply(struct store_mem *m, const struct store_step *step)
{
	g_autoptr(GBytes) key = g_bytes_new_static(step->key.data, step->key.length);
	struct store_bytes value;

	switch (step->kind) {
	case STORE_STEP_PUT:
		value = store_step_value(step, m->cells);
		put(m, step, value.data, value.length, step->expires);
		break;
	case STORE_STEP_DELETE: g_tree_remove(m->spaces[step->space], key); break;
	case STORE_STEP_ADD: add(m, step); break;
	}
}

static void
complete(struct store_mem *m, enum store_result result, void *job, GDestroyNotify free_job,
    const struct store_call *call)
{
	struct completion *c = g_new(struct completion, 1);

	*c = (struct completion){
	    .result = result,
	    .done = call->done,
	    .context = call->context,
	    .job = job,
	    .free_job = free_job,
	};
	g_queue_push_tail(&m->completions, c);
	eventfd_write(m->wake, 1);
}

/* Lets UPDATE say what it wants, into m->change. */
static bool
ask(struct store_mem *m, enum store_space space, struct store_bytes key, store_update_fn update,
    void *job)
{
	const struct entry *entry = find(m, space, key);
	struct store_bytes old;

	if (entry)
		old = entry_value(entry);
	store_change_begin(&m->change, space, key);
	if (!m->change.refused)
		update(entry ? &old : NULL, &m->change, job);
	return !m->change.refused;
}

static void
mem_update(struct store *store, enum store_space space, struct store_bytes key,
    store_update_fn update, void *job, GDestroyNotify free_job, const struct store_call *call)
{
	struct store_mem *m = mem(store);

	if (!ask(m, space, key, update, job)) {
		complete(m, STORE_UNAVAILABLE, job, free_job, call);
		return;
	}
	g_rw_lock_writer_lock(&m->lock);
	for (guint i = 0; i < m->change.steps->len; i++)
		apply(m, &g_array_index(m->change.steps, struct store_step, i));
	g_rw_lock_writer_unlock(&m->lock);
	m->status.updates++;
	m->status.commits++;
	complete(m, STORE_OK, job, free_job, call);
}

/* -- scans -- */

/* The first record past the cursor. */
static GTreeNode *
cursor_node(struct store_mem *m, enum store_space space, const struct store_cursor *cursor)
{
	g_autoptr(GBytes) key = g_bytes_new_static(cursor->bytes, cursor->length);

	return cursor->length ? g_tree_upper_bound(m->spaces[space], key)
			      : g_tree_node_first(m->spaces[space]);
}

static void
cursor_set(struct store_cursor *cursor, const struct entry *entry)
{
	gsize length;
	const void *key = g_bytes_get_data(entry->key, &length);

	memcpy(cursor->bytes, key, length);
	cursor->length = (uint16_t)length;
}

static void
finish(const struct store_call *call)
{
	if (call->done)
		call->done(call->context, STORE_OK, NULL);
}

static void
mem_scan(struct store *store, enum store_space space, struct store_cursor *cursor, unsigned limit,
    store_record_fn record, const struct store_call *call)
{
	GTreeNode *node = cursor_node(mem(store), space, cursor);
	bool go_on = true;

	for (unsigned i = 0; i < limit && node && go_on; i++) {
		const struct entry *entry = g_tree_node_value(node);
		struct store_bytes value = entry_value(entry), key;

		key.data = g_bytes_get_data(entry->key, &key.length);
		cursor_set(cursor, entry);
		go_on = record(call->context, &key, &value, entry->expires);
		node = g_tree_node_next(node);
	}
	cursor->end = !node;
	finish(call);
}

static void
mem_expire(struct store *store, enum store_space space, struct store_cursor *cursor, unsigned limit,
    int64_t now, uint64_t *ret_expired, const struct store_call *call)
{
	struct store_mem *m = mem(store);
	GTreeNode *node = cursor_node(m, space, cursor);
	g_autoptr(GPtrArray) over = g_ptr_array_new();

	for (unsigned i = 0; i < limit && node; i++) {
		struct entry *entry = g_tree_node_value(node);

		cursor_set(cursor, entry);
		if (entry->expires && entry->expires <= now)
			g_ptr_array_add(over, entry);
		node = g_tree_node_next(node);
	}
	cursor->end = !node;
	g_rw_lock_writer_lock(&m->lock);
	for (guint i = 0; i < over->len; i++) {
		struct entry *entry = g_ptr_array_index(over, i);

		g_tree_remove(m->spaces[space], entry->key);
	}
	g_rw_lock_writer_unlock(&m->lock);
	*ret_expired = over->len;
	complete(m, STORE_OK, NULL, NULL, call);
}

/* -- care -- */

static enum store_result
mem_status(struct store *store, struct store_status *ret_status)
{
	struct store_mem *m = mem(store);

	*ret_status = m->status;
	ret_status->waiting = m->completions.length;
	for (unsigned i = 0; i < STORE_SPACES; i++)
		ret_status->records[i] = (uint64_t)g_tree_nnodes(m->spaces[i]);
	return STORE_OK;
}

static enum store_result
mem_check(struct store *store, store_check_fn check,
    void (*problem)(void *context, const char *sentence), void *context)
{
	for (unsigned space = 0; space < STORE_SPACES; space++) {
		GTreeNode *node = g_tree_node_first(mem(store)->spaces[space]);

		for (; node; node = g_tree_node_next(node)) {
			const struct entry *entry = g_tree_node_value(node);
			struct store_bytes value = entry_value(entry), key;

			key.data = g_bytes_get_data(entry->key, &key.length);
			if (check && !check(space, &key, &value))
				problem(context, "a record is malformed");
		}
	}
	return STORE_OK;
}

static bool
mem_backup(struct store *store G_GNUC_UNUSED, const char *folder G_GNUC_UNUSED, GError **error)
{
	g_set_error_literal(
	    error, STORE_ERROR, 0, "a store in memory has no backup; use greylagctl export");
	return false;
}

const struct store_driver store_mem_driver = {
    .scheme = "mem",
    .open = mem_open,
    .close = mem_close,
    .poll_fd = mem_poll_fd,
    .dispatch = mem_dispatch,
    .outstanding = mem_outstanding,
    .get_many = mem_get_many,
    .update = mem_update,
    .scan = mem_scan,
    .expire = mem_expire,
    .status = mem_status,
    .check = mem_check,
    .backup = mem_backup,
};
