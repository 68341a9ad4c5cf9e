/* What a model hands over, gathered and written. */
#include "config.h"

#include "classifier/bank/state.h"

#include <string.h>

#include "classifier/bank/registry.h"

/* -- the sink -- */

static struct batch *
batch_new(void)
{
	struct batch *batch = g_new(struct batch, 1);

	batch->changes = g_array_new(FALSE, FALSE, sizeof(struct change));
	batch->cells = g_array_new(FALSE, FALSE, sizeof(struct store_cell));
	batch->bytes = g_byte_array_new();
	batch->entries = g_array_new(FALSE, FALSE, sizeof(struct bank_entry));
	batch->pages = g_ptr_array_new_with_free_func(g_free);
	return batch;
}

void
bank_batch_free(struct batch *batch)
{
	g_array_unref(batch->changes);
	g_array_unref(batch->cells);
	g_byte_array_unref(batch->bytes);
	g_array_unref(batch->entries);
	g_ptr_array_unref(batch->pages);
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
	g_array_set_size(batch->cells, batch->cells->len + (guint)count);
	for (size_t i = 0; i < count; i++)
		g_array_index(batch->cells, struct store_cell, change.first_cell + i) =
		    (struct store_cell){cells[i].index, STORE_ADD, cells[i].delta};
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

void
bank_batch_raise(struct batch *batch, uint32_t head_cell, int32_t value)
{
	const struct model_cell cell = {head_cell, value};

	sink_head(batch, &cell, 1);
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

	bank_page_key(table, page, key);
	batch_add(batch, change_of(batch, STORE_SLOTS, key, sizeof key), cells, count);
}

static void
sink_whole_page(void *context, unsigned table, uint32_t page, const int32_t *cells, size_t count)
{
	struct batch *batch = context;
	struct change change;
	uint8_t key[BANK_PAGE_KEY];

	bank_page_key(table, page, key);
	change = change_of(batch, STORE_SLOTS, key, sizeof key);
	change.whole = cells;
	if (batch->copies) {
		change.whole = g_memdup2(cells, count * sizeof *cells);
		g_ptr_array_add(batch->pages, (gpointer)change.whole);
	}
	change.n_cells = count;
	g_array_append_val(batch->changes, change);
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

	bank_memory_key(spam, digest, key);
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
	} else if (c->whole) {
		store_change_also_put_cells(change, c->space, key, c->whole, c->n_cells);
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

GPtrArray *
bank_maybe_unused(const struct batch *batch)
{
	GPtrArray *keys = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);

	for (guint i = 0; i < batch->changes->len; i++) {
		const struct change *c = &g_array_index(batch->changes, struct change, i);
		const struct store_cell *cells;

		if (c->space != STORE_TOKENS || c->n_cells != BANK_TOKEN_CELLS)
			continue;
		cells = &g_array_index(batch->cells, struct store_cell, c->first_cell);
		if (cells[BANK_TOKEN_SPAM].delta < 0 || cells[BANK_TOKEN_HAM].delta < 0)
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
void
bank_delete_unused(struct store *store, const GPtrArray *keys)
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

static bool
tell(struct store *store, enum store_result result, GError **error)
{
	g_autofree char *text = NULL;

	if (result == STORE_OK)
		return true;
	text = store_explain(store, result);
	if (error && !*error)
		g_set_error(
		    error, BANK_ERROR, BANK_FAILED, "cannot write what was learned: %s", text);
	return false;
}

bool
bank_wait(struct bank *bank, GError **error)
{
	GError *problem = NULL;
	enum store_result result = bank->shared ? bank_shared_finish_commit(bank, &problem)
						: bank_embedded_finish_commit(bank);
	bool done = tell(bank->store, result, &problem);

	if (problem)
		g_propagate_error(error, problem);
	return done;
}

/* STAYS says that the model does not learn on before it is written. */
static bool
begin_commit(struct bank *bank, struct model *model, bool stays, GError **error)
{
	struct batch *batch = batch_new();
	const struct model_sink sink = {
	    .context = batch,
	    .head = sink_head,
	    .token = sink_token,
	    .page = sink_page,
	    .whole_page = sink_whole_page,
	    .entry = sink_entry,
	    .memory = sink_memory,
	};
	bool done;

	batch->merges = bank->shared != NULL;
	batch->copies = !stays;
	model_drain(model, &sink);
	done = bank_wait(bank, error);
	if (!done || (batch->changes->len == 0 && batch->entries->len == 0)) {
		bank_batch_free(batch);
		return done;
	}
	if (bank->shared)
		return bank_shared_begin_commit(bank, batch) == BANK_FLIES ||
		       bank_wait(bank, error);
	bank_embedded_begin_commit(bank, batch);
	return true;
}

bool
bank_begin_commit(struct bank *bank, struct model *model, GError **error)
{
	return begin_commit(bank, model, false, error);
}

bool
bank_commit(struct bank *bank, struct model *model, GError **error)
{
	return begin_commit(bank, model, true, error) && bank_wait(bank, error);
}
