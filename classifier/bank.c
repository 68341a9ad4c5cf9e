#include "config.h"

#include "classifier/bank.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "classifier/bank_state.h"
#include "classifier/registry.h"

struct model_options
bank_options_of(const struct settings *s)
{
	struct model_options options = model_options_default();

	options.fisher.robs = settings_decimal(s, SETTING_CLASSIFIER_ROBS);
	options.fisher.robx = settings_decimal(s, SETTING_CLASSIFIER_ROBX);
	options.fisher.min_dev = settings_decimal(s, SETTING_CLASSIFIER_MIN_DEV);
	options.mixture.spam_cutoff = settings_decimal(s, SETTING_CLASSIFIER_SPAM_CUTOFF);
	options.mixture.ham_cutoff = settings_decimal(s, SETTING_CLASSIFIER_HAM_CUTOFF);
	options.memory_bytes = (size_t)settings_number(s, SETTING_CLASSIFIER_MEMORY);
	return options;
}

static bool layout_is_known(struct bank *bank);

struct bank *
bank_open(const struct settings *settings, const char *uri, enum bank_access access, GError **error)
{
	g_autofree char *full = strchr(uri, ':') ? g_strdup(uri) : g_strconcat("lmdb:", uri, NULL);
	struct store_options options = {
	    .uri = full,
	    .password_file = settings_text(settings, SETTING_STORE_PASSWORD_FILE),
	    .create = access == BANK_LEARN,
	    .read_only = access == BANK_READ,
	    .token_only = true,
	    .map_size = (uint64_t)settings_number(settings, SETTING_STORE_MAP_SIZE),
	};
	struct store *store;
	struct bank *bank;

	store = store_open(&options, error);
	if (!store)
		return NULL;
	bank = g_new0(struct bank, 1);
	bank->store = store;
	bank->options = bank_options_of(settings);
	bank->lock = -1;
	bank->access = access;
	bank->shared = store_is_shared(full) ? bank_shared_new() : NULL;
	if (access == BANK_LEARN && g_str_has_prefix(full, "lmdb:")) {
		bank->lock_path = g_build_filename(full + strlen("lmdb:"), "train.lock", NULL);
		bank->lock = open(bank->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	}
	if (!layout_is_known(bank)) {
		g_set_error(error, BANK_ERROR, 0,
		    "%s was trained by another version of greylag, whose numbers mean something "
		    "else: move it away and train again",
		    full);
		bank_close(bank);
		return NULL;
	}
	return bank;
}

void
bank_close(struct bank *bank)
{
	if (!bank)
		return;
	store_close(&bank->store);
	bank_shared_free(bank->shared);
	if (bank->lock >= 0)
		close(bank->lock);
	g_free(bank->lock_path);
	g_free(bank);
}

bool
bank_is_shared(const struct bank *bank)
{
	return bank->shared != NULL;
}

struct store *
bank_store(const struct bank *bank)
{
	return bank->store;
}

/* -- the lock -- */

/* COMMAND waits (F_SETLKW) or does not (F_SETLK). */
static bool
set_lock(struct bank *bank, short type, int command)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
	int code;

	if (!bank->lock_path)
		return true;
	do
		code = fcntl(bank->lock, command, &lock);
	while (code != 0 && errno == EINTR);
	return code == 0;
}

bool
bank_lock(struct bank *bank, GError **error)
{
	if (set_lock(bank, F_WRLCK, F_SETLKW))
		return true;
	g_set_error(error, BANK_ERROR, BANK_FAILED, "%s: %s", bank->lock_path, g_strerror(errno));
	return false;
}

bool
bank_try_lock(struct bank *bank)
{
	return set_lock(bank, F_WRLCK, F_SETLK);
}

void
bank_unlock(struct bank *bank)
{
	set_lock(bank, F_UNLCK, F_SETLK);
}

/* -- the source -- */

static void
page_key(unsigned table, uint32_t page, uint8_t ret_key[BANK_PAGE_KEY])
{
	ret_key[0] = (uint8_t)table;
	ret_key[1] = (uint8_t)(page >> 8);
	ret_key[2] = (uint8_t)page;
}

static void
memory_key(bool spam, const uint8_t *digest, uint8_t ret_key[BANK_MEMORY_KEY])
{
	ret_key[0] = spam ? 2 : 1;
	memcpy(ret_key + 1, digest, CANONICAL_DIGEST_SIZE);
}

/* Values that are read into places of the caller's; what is not there leaves them as they are. */
struct take {
	void *into;
	size_t room; /* cells */
	bool failed, found;
};

/* Milliseconds; an embedded store has no deadline. */
static unsigned
limit(const struct bank *bank)
{
	return bank->shared ? BANK_SHARED_LIMIT : 0;
}

/* Models of several threads read one after the other from a server, and wait for the answer. */
static void
read_begin(struct bank *bank)
{
	if (bank->shared)
		g_mutex_lock(&bank->shared->lock);
}

static void
read_end(struct bank *bank)
{
	if (!bank->shared)
		return;
	store_wait(bank->store);
	g_mutex_unlock(&bank->shared->lock);
}

static void
read_many(struct bank *bank, enum store_space space, const struct store_bytes *keys, size_t n,
    store_value_fn value, void *context)
{
	read_begin(bank);
	store_get_many(bank->store, space, keys, n, limit(bank), value, context);
	read_end(bank);
}

static void
read_one(struct bank *bank, enum store_space space, struct store_bytes key, store_value_fn value,
    void *context)
{
	read_many(bank, space, &key, 1, value, context);
}

static bool
is_failure(enum store_result result)
{
	return result != STORE_OK && result != STORE_NOT_FOUND;
}

static void
take_head(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct take *take = context;
	int32_t *cells = take->into;

	take->failed |= is_failure(result);
	if (value)
		store_cells_get(value, cells, take->room);
}

static bool
source_head(void *context, int32_t ret_cells[MODEL_HEAD_CELLS])
{
	struct bank *bank = context;
	struct take take = {.into = ret_cells, .room = MODEL_HEAD_CELLS};

	read_one(bank, STORE_SLOTS, (struct store_bytes){BANK_HEAD_KEY, strlen(BANK_HEAD_KEY)},
	    take_head, &take);
	return !take.failed;
}

/* A head that cannot be read is told by who needs it. */
static bool
layout_is_known(struct bank *bank)
{
	int32_t head[MODEL_HEAD_CELLS] = {0};

	return !source_head(bank, head) || model_layout_is_known(head);
}

static void
take_counts(void *context, size_t index, enum store_result result, const struct store_bytes *value)
{
	struct take *take = context;
	struct fisher_counts *counts = take->into;

	take->failed |= is_failure(result);
	counts[index] = (struct fisher_counts){0};
	if (value)
		counts[index] = (struct fisher_counts){
		    .spam = (uint32_t)MAX(store_cell_get(value, BANK_TOKEN_SPAM), 0),
		    .ham = (uint32_t)MAX(store_cell_get(value, BANK_TOKEN_HAM), 0),
		};
}

static bool
source_counts(
    void *context, const struct model_token *tokens, size_t count, struct fisher_counts *ret_counts)
{
	struct bank *bank = context;
	g_autofree struct store_bytes *keys = g_new(struct store_bytes, count);
	struct take take = {.into = ret_counts};

	for (size_t i = 0; i < count; i++)
		keys[i] = (struct store_bytes){tokens[i].text, tokens[i].length};
	read_many(bank, STORE_TOKENS, keys, count, take_counts, &take);
	return !take.failed;
}

/* The slots of one page among those that are asked for. */
struct run {
	const uint32_t *slots;
	size_t count;
	struct voice_sums *sums;
};

struct sums {
	GArray *runs; /* struct run */
	bool failed;
};

static void
take_sums(void *context, size_t index, enum store_result result, const struct store_bytes *value)
{
	struct sums *sums = context;
	const struct run *run = &g_array_index(sums->runs, struct run, index);

	sums->failed |= is_failure(result);
	for (size_t i = 0; i < run->count; i++) {
		uint32_t cell = 2 * (run->slots[i] % MODEL_PAGE_SLOTS);

		run->sums[i] = (struct voice_sums){0};
		if (value)
			run->sums[i] = (struct voice_sums){
			    store_cell_get(value, cell), store_cell_get(value, cell + 1)};
	}
}

/* Slots ascend, so a page's follow one another: each page is looked up once. */
static GArray *
runs_of(const uint32_t *slots, size_t count, struct voice_sums *sums)
{
	GArray *runs = g_array_new(FALSE, FALSE, sizeof(struct run));

	for (size_t i = 0, n; i < count; i += n) {
		uint32_t page = slots[i] / MODEL_PAGE_SLOTS;

		for (n = 1; i + n < count && slots[i + n] / MODEL_PAGE_SLOTS == page; n++)
			;
		struct run run = {slots + i, n, sums + i};

		g_array_append_val(runs, run);
	}
	return runs;
}

static bool
source_sums(
    void *context, unsigned table, const uint32_t *slots, size_t count, struct voice_sums *ret_sums)
{
	struct bank *bank = context;
	g_autoptr(GArray) runs = runs_of(slots, count, ret_sums);
	g_autofree struct store_bytes *keys = g_new(struct store_bytes, runs->len);
	g_autofree uint8_t *bytes = g_malloc((gsize)runs->len * BANK_PAGE_KEY);
	struct sums sums = {.runs = runs};

	for (guint i = 0; i < runs->len; i++) {
		const struct run *run = &g_array_index(runs, struct run, i);

		page_key(table, run->slots[0] / MODEL_PAGE_SLOTS, bytes + i * BANK_PAGE_KEY);
		keys[i] = (struct store_bytes){bytes + i * BANK_PAGE_KEY, BANK_PAGE_KEY};
	}
	read_many(bank, STORE_SLOTS, keys, runs->len, take_sums, &sums);
	return !sums.failed;
}

static void
take_entry(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct take *take = context;

	take->failed |= is_failure(result);
	if (!value)
		return;
	take->found = registry_decode(value, take->into);
	take->failed |= !take->found;
}

static bool
source_entry(void *context, const uint8_t digest[CANONICAL_DIGEST_SIZE], bool *ret_found,
    struct model_entry *ret_entry)
{
	struct bank *bank = context;
	struct take take = {.into = ret_entry};

	if (bank->shared && bank->shared->rebuilding &&
	    !bank_shared_believed(bank->shared, digest, ret_found, ret_entry))
		bank_shared_expect_from(bank, digest);
	if (bank->shared && bank_shared_believed(bank->shared, digest, ret_found, ret_entry))
		return true;
	read_one(bank, STORE_MESSAGES, (struct store_bytes){digest, CANONICAL_DIGEST_SIZE},
	    take_entry, &take);
	*ret_found = take.found;
	if (bank->shared && !take.failed)
		bank_shared_believe(bank->shared, digest, take.found ? ret_entry : NULL);
	return !take.failed;
}

/* The first record past a cursor. */
struct next {
	uint8_t key[BANK_MEMORY_KEY];
	GByteArray *slots;
	bool found;
	enum store_result result;
};

static bool
take_next(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	struct next *next = context;

	if (key->length != BANK_MEMORY_KEY)
		return false;
	memcpy(next->key, key->data, BANK_MEMORY_KEY);
	g_byte_array_append(next->slots, value->data, (guint)value->length);
	next->found = true;
	return false;
}

static void
scanned(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	((struct next *)context)->result = result;
}

/* A cursor stands behind its key: one below the point finds the point itself. */
static void
cursor_before(struct store_cursor *cursor, bool spam, const uint8_t *point)
{
	*cursor = (struct store_cursor){.length = BANK_MEMORY_KEY};
	memory_key(spam, point, cursor->bytes);
	for (int i = BANK_MEMORY_KEY - 1; i >= 0 && cursor->bytes[i]-- == 0; i--)
		;
}

static bool
source_remembered(void *context, bool spam, const uint8_t point[CANONICAL_DIGEST_SIZE],
    bool *ret_found, uint8_t ret_digest[CANONICAL_DIGEST_SIZE], GByteArray *ret_slots)
{
	struct bank *bank = context;
	struct store_cursor cursor;
	struct next next = {.slots = ret_slots, .result = STORE_UNAVAILABLE};
	struct store_call call = {.timeout = limit(bank), .done = scanned, .context = &next};

	if (bank->shared && bank->shared->memory_read) {
		*ret_found = bank_shared_next(bank->shared, spam, point, ret_digest, ret_slots);
		return true;
	}
	cursor_before(&cursor, spam, point);
	read_begin(bank);
	store_scan(bank->store, STORE_MEMORY, &cursor, 1, take_next, &call);
	read_end(bank);
	if (next.result != STORE_OK)
		return false;
	next.found &= next.key[0] == (spam ? 2 : 1);
	*ret_found = next.found;
	if (*ret_found)
		memcpy(ret_digest, next.key + 1, CANONICAL_DIGEST_SIZE);
	else
		g_byte_array_set_size(ret_slots, 0);
	return true;
}

struct model *
bank_model(struct bank *bank)
{
	const struct model_source source = {
	    .context = bank,
	    .head = source_head,
	    .counts = source_counts,
	    .sums = source_sums,
	    .entry = source_entry,
	    .remembered = source_remembered,
	};

	if (bank->shared && bank->access == BANK_LEARN)
		bank_shared_begin(bank);
	return model_new(&bank->options, &source);
}

/* -- preloading -- */

struct preload {
	struct model *model;
	enum store_result result;
};

static void
preload_step_done(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	((struct preload *)context)->result = result;
}

static bool
preload_page(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	struct model *model = ((struct preload *)context)->model;
	const uint8_t *k = key->data;
	int32_t cells[MODEL_PAGE_CELLS];

	if (key->length != BANK_PAGE_KEY || k[0] >= MODEL_TABLES)
		return true;
	store_cells_get(value, cells, MODEL_PAGE_CELLS);
	model_preload(model, k[0], (uint32_t)k[1] << 8 | k[2], cells, MODEL_PAGE_CELLS);
	return true;
}

bool
bank_preload(struct bank *bank, struct model *model)
{
	struct store_cursor cursor = {0};
	struct preload preload = {.model = model, .result = STORE_OK};
	struct store_call call = {
	    .timeout = limit(bank), .done = preload_step_done, .context = &preload};

	read_begin(bank);
	while (!cursor.end && preload.result == STORE_OK) {
		store_scan(bank->store, STORE_SLOTS, &cursor, 1000, preload_page, &call);
		store_wait(bank->store);
	}
	read_end(bank);
	if (preload.result != STORE_OK)
		return false;
	model_preloaded(model);
	return !bank->shared || bank->access == BANK_READ || bank_shared_read_memory(bank);
}

bool
bank_token(struct bank *bank, const char *token, size_t length, struct fisher_counts *ret_counts,
    uint32_t *ret_day)
{
	struct take take = {.room = BANK_TOKEN_CELLS};
	int32_t cells[BANK_TOKEN_CELLS] = {0};

	take.into = cells;
	read_one(bank, STORE_TOKENS, (struct store_bytes){token, length}, take_head, &take);
	*ret_counts = (struct fisher_counts){
	    .spam = (uint32_t)MAX(cells[BANK_TOKEN_SPAM], 0),
	    .ham = (uint32_t)MAX(cells[BANK_TOKEN_HAM], 0),
	};
	*ret_day = (uint32_t)MAX(cells[BANK_TOKEN_DAY], 0);
	return !take.failed;
}

/* -- the sink: all of a commit, gathered -- */

static struct batch *
batch_new(void)
{
	struct batch *batch = g_new(struct batch, 1);

	batch->changes = g_array_new(FALSE, FALSE, sizeof(struct change));
	batch->cells = g_array_new(FALSE, FALSE, sizeof(struct store_cell));
	batch->bytes = g_byte_array_new();
	batch->entries = g_array_new(FALSE, FALSE, sizeof(struct bank_entry));
	return batch;
}

void
bank_batch_free(struct batch *batch)
{
	g_array_unref(batch->changes);
	g_array_unref(batch->cells);
	g_byte_array_unref(batch->bytes);
	g_array_unref(batch->entries);
	g_free(batch);
}

static struct change
change_of(struct batch *batch, enum store_space space, const void *key, size_t length)
{
	struct change change = {.space = space, .key = batch->bytes->len, .key_length = length};

	g_byte_array_append(batch->bytes, key, (guint)length);
	return change;
}

static void
batch_put(struct batch *batch, struct change change, const void *value, size_t length)
{
	change.put = true;
	change.value = batch->bytes->len;
	change.value_length = length;
	if (length)
		g_byte_array_append(batch->bytes, value, (guint)length);
	g_array_append_val(batch->changes, change);
}

static void
batch_delete(struct batch *batch, struct change change)
{
	change.delete = true;
	g_array_append_val(batch->changes, change);
}

static void
batch_add(struct batch *batch, struct change change, const struct model_cell *cells, size_t count)
{
	change.first_cell = batch->cells->len;
	change.n_cells = count;
	for (size_t i = 0; i < count; i++) {
		struct store_cell cell = {cells[i].index, STORE_ADD, cells[i].delta};

		g_array_append_val(batch->cells, cell);
	}
	g_array_append_val(batch->changes, change);
}

bool
bank_head_is_maximum(uint32_t head_cell)
{
	return head_cell >= MODEL_HEAD_MAXIMA;
}

static void
sink_head(void *context, const struct model_cell *cells, size_t count)
{
	struct batch *batch = context;

	batch_add(batch, change_of(batch, STORE_SLOTS, BANK_HEAD_KEY, strlen(BANK_HEAD_KEY)), cells,
	    count);
	for (guint i = batch->cells->len - (guint)count; i < batch->cells->len; i++) {
		struct store_cell *cell = &g_array_index(batch->cells, struct store_cell, i);

		if (bank_head_is_maximum(cell->index))
			cell->op = STORE_MAX;
	}
}

static void
sink_token(void *context, const struct model_token *token, int32_t spam, int32_t ham, uint32_t day)
{
	struct batch *batch = context;
	struct change change = change_of(batch, STORE_TOKENS, token->text, token->length);
	const struct store_cell cells[] = {
	    {BANK_TOKEN_SPAM, STORE_ADD, spam},
	    {BANK_TOKEN_HAM, STORE_ADD, ham},
	    {BANK_TOKEN_DAY, STORE_MAX, (int32_t)day},
	};

	change.first_cell = batch->cells->len;
	change.n_cells = G_N_ELEMENTS(cells);
	g_array_append_vals(batch->cells, cells, G_N_ELEMENTS(cells));
	g_array_append_val(batch->changes, change);
}

static void
sink_page(
    void *context, unsigned table, uint32_t page, const struct model_cell *cells, size_t count)
{
	struct batch *batch = context;
	uint8_t key[BANK_PAGE_KEY];

	page_key(table, page, key);
	batch_add(batch, change_of(batch, STORE_SLOTS, key, sizeof key), cells, count);
}

void
bank_batch_entry(struct batch *batch, const uint8_t digest[CANONICAL_DIGEST_SIZE],
    const struct model_entry *entry)
{
	struct change change = change_of(batch, STORE_MESSAGES, digest, CANONICAL_DIGEST_SIZE);
	uint8_t bytes[REGISTRY_ENTRY_MAX];

	if (entry)
		batch_put(batch, change, bytes, registry_encode(entry, bytes));
	else
		batch_delete(batch, change);
}

static void
sink_entry(
    void *context, const uint8_t digest[CANONICAL_DIGEST_SIZE], const struct model_entry *entry)
{
	struct batch *batch = context;
	struct bank_entry all = {.found = entry != NULL};

	if (!batch->merges) {
		bank_batch_entry(batch, digest, entry);
		return;
	}
	memcpy(all.digest, digest, sizeof all.digest);
	if (entry)
		all.entry = *entry;
	g_array_append_val(batch->entries, all);
}

static void
sink_memory(void *context, const uint8_t digest[CANONICAL_DIGEST_SIZE], bool spam,
    const uint8_t *slots, size_t length)
{
	struct batch *batch = context;
	uint8_t key[BANK_MEMORY_KEY];
	struct change change;

	memory_key(spam, digest, key);
	change = change_of(batch, STORE_MEMORY, key, sizeof key);
	if (slots)
		batch_put(batch, change, slots, length);
	else
		batch_delete(batch, change);
}

/* -- the commit -- */

static void
say_change(const struct batch *batch, const struct change *c, struct store_change *change)
{
	const uint8_t *bytes = batch->bytes->data;
	struct store_bytes key = {bytes + c->key, c->key_length};

	if (c->put) {
		store_change_also_put(change, c->space, key,
		    (struct store_bytes){bytes + c->value, c->value_length}, 0);
	} else if (c->delete) {
		store_change_also_delete(change, c->space, key);
	} else {
		struct store_delta delta = {
		    .space = c->space,
		    .key = key,
		    .cells = &g_array_index(batch->cells, struct store_cell, c->first_cell),
		    .n_cells = c->n_cells,
		};

		store_change_also_add(change, &delta);
	}
}

void
bank_batch_say(const struct batch *batch, struct store_change *change)
{
	for (guint i = 0; i < batch->changes->len; i++)
		say_change(batch, &g_array_index(batch->changes, struct change, i), change);
}

static void
say_batch(const struct store_bytes *old G_GNUC_UNUSED, struct store_change *change, void *job)
{
	bank_batch_say(job, change);
}

static void
committed(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	*(enum store_result *)context = result;
}

/* Keys of the tokens that a message was taken from (GBytes): some may be in no message any more. */
static GPtrArray *
maybe_unused(const struct batch *batch)
{
	GPtrArray *keys = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);

	for (guint i = 0; i < batch->changes->len; i++) {
		const struct change *c = &g_array_index(batch->changes, struct change, i);
		const struct store_cell *cells =
		    &g_array_index(batch->cells, struct store_cell, c->first_cell);

		if (c->space == STORE_TOKENS && c->n_cells == BANK_TOKEN_CELLS &&
		    (cells[BANK_TOKEN_SPAM].delta < 0 || cells[BANK_TOKEN_HAM].delta < 0))
			g_ptr_array_add(
			    keys, g_bytes_new(batch->bytes->data + c->key, c->key_length));
	}
	return keys;
}

static void
delete_if_unused(
    const struct store_bytes *old, struct store_change *change, void *job G_GNUC_UNUSED)
{
	if (old && store_cell_get(old, BANK_TOKEN_SPAM) == 0 &&
	    store_cell_get(old, BANK_TOKEN_HAM) == 0)
		store_change_delete(change);
}

/* A token that stays because this failed counts for nothing, so that it is no error. */
static void
delete_unused(struct store *store, const GPtrArray *keys)
{
	const struct store_call call = {0};

	for (guint i = 0; i < keys->len; i++) {
		gsize length;
		const void *key = g_bytes_get_data(g_ptr_array_index(keys, i), &length);

		store_update(store, STORE_TOKENS, (struct store_bytes){key, length},
		    delete_if_unused, NULL, NULL, &call);
	}
	if (keys->len)
		store_wait(store);
}

void
bank_delete_unused(struct store *store, const struct batch *batch)
{
	g_autoptr(GPtrArray) keys = maybe_unused(batch);

	delete_unused(store, keys);
}

/* The store frees the batch. */
static enum store_result
commit_embedded(struct bank *bank, struct batch *batch)
{
	enum store_result result = STORE_UNAVAILABLE;
	struct store_call call = {.done = committed, .context = &result};
	g_autoptr(GPtrArray) unused = maybe_unused(batch);

	store_update(bank->store, STORE_SLOTS,
	    (struct store_bytes){BANK_HEAD_KEY, strlen(BANK_HEAD_KEY)}, say_batch, batch,
	    (GDestroyNotify)bank_batch_free, &call);
	store_wait(bank->store);
	if (result == STORE_OK)
		delete_unused(bank->store, unused);
	return result;
}

static bool
tell(enum store_result result, GError **error)
{
	if (result == STORE_OK)
		return true;
	if (error && !*error)
		g_set_error(error, BANK_ERROR, BANK_FAILED, "cannot write what was learned: %s",
		    store_result_text(result));
	return false;
}

bool
bank_wait(struct bank *bank, GError **error)
{
	GError *problem = NULL;
	bool done = !bank->shared || tell(bank_shared_finish_commit(bank, &problem), &problem);

	if (problem)
		g_propagate_error(error, problem);
	return done;
}

bool
bank_begin_commit(struct bank *bank, struct model *model, GError **error)
{
	struct batch *batch = batch_new();
	const struct model_sink sink = {
	    .context = batch,
	    .head = sink_head,
	    .token = sink_token,
	    .page = sink_page,
	    .entry = sink_entry,
	    .memory = sink_memory,
	};

	batch->merges = bank->shared != NULL;
	model_drain(model, &sink);
	if (batch->changes->len == 0 && batch->entries->len == 0) {
		bank_batch_free(batch);
		return bank_wait(bank, error);
	}
	if (!bank->shared)
		return tell(commit_embedded(bank, batch), error);
	if (!bank_wait(bank, error)) {
		bank_batch_free(batch);
		return false;
	}
	return bank_shared_begin_commit(bank, batch) == BANK_FLIES || bank_wait(bank, error);
}

bool
bank_commit(struct bank *bank, struct model *model, GError **error)
{
	return bank_begin_commit(bank, model, error) && bank_wait(bank, error);
}
