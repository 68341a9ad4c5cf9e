/*
 * Commits to an embedded store, which this process alone writes meanwhile (bank_lock()). While one
 * is on its way to the disk the model learns on, and reads the store as it was before. Of what is
 * on its way it needs the entries alone to see that it has learned a message; who asks for one of
 * these, or for anything else, waits for the disk.
 */
#include "config.h"

#include "classifier/bank/state.h"

#include <string.h>

struct bank_embedded {
	bool flies;
	enum store_result result; /* of the last commit */
	GHashTable *entries;      /* digests, in the batch, which the store frees when it landed */
	GPtrArray *unused;        /* as bank_maybe_unused() */
};

struct bank_embedded *
bank_embedded_new(void)
{
	struct bank_embedded *embedded = g_new0(struct bank_embedded, 1);

	embedded->entries = g_hash_table_new(bank_digest_hash, bank_digest_equal);
	return embedded;
}

void
bank_embedded_free(struct bank_embedded *embedded)
{
	if (!embedded)
		return;
	g_hash_table_unref(embedded->entries);
	if (embedded->unused)
		g_ptr_array_unref(embedded->unused);
	g_free(embedded);
}

static void
say_batch(const struct store_bytes *old G_GNUC_UNUSED, struct store_change *change, void *job)
{
	store_change_by_reference(change);
	bank_batch_say(job, change);
}

static void
landed(void *context, enum store_result result, void *batch)
{
	struct bank_embedded *embedded = context;

	embedded->flies = false;
	embedded->result = result;
	g_hash_table_remove_all(embedded->entries);
	if (batch)
		embedded->unused = bank_maybe_unused(batch);
}

static void
note_entries(struct bank_embedded *embedded, const struct batch *batch)
{
	for (guint i = 0; i < batch->changes->len; i++) {
		const struct change *c = &g_array_index(batch->changes, struct change, i);

		if (c->space == STORE_MESSAGES)
			g_hash_table_add(embedded->entries, batch->bytes->data + c->key);
	}
}

void
bank_embedded_begin_commit(struct bank *bank, struct batch *batch)
{
	struct bank_embedded *embedded = bank->embedded;
	struct store_call call = {.done = landed, .context = embedded};

	embedded->flies = true;
	note_entries(embedded, batch);
	store_update(bank->store, STORE_SLOTS,
	    (struct store_bytes){BANK_HEAD_KEY, strlen(BANK_HEAD_KEY)}, say_batch, batch,
	    (GDestroyNotify)bank_batch_free, &call);
}

enum store_result
bank_embedded_finish_commit(struct bank *bank)
{
	struct bank_embedded *embedded = bank->embedded;
	enum store_result result;

	if (embedded->flies)
		store_wait(bank->store);
	if (embedded->unused) {
		bank_delete_unused(bank->store, embedded->unused);
		g_clear_pointer(&embedded->unused, g_ptr_array_unref);
	}
	/* Once told, it is over: another model may try again. */
	result = embedded->result;
	embedded->result = STORE_OK;
	return result;
}

bool
bank_embedded_shows(struct bank *bank, const uint8_t *digest)
{
	struct bank_embedded *embedded = bank->embedded;

	if (!embedded || !embedded->flies ||
	    (digest && !g_hash_table_contains(embedded->entries, digest)))
		return true;
	store_wait(bank->store);
	return embedded->result == STORE_OK;
}
