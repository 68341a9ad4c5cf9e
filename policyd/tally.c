#include "policyd/tally.h"

#include <glib.h>

struct tally {
	uint64_t totals[REASONS];
	uint32_t waiting[REASONS]; /* not yet handed to the store */
	uint32_t handed[REASONS];  /* under way */
	bool under_way;
};

struct tally *
tally_new(void)
{
	return g_new0(struct tally, 1);
}

void
tally_free(struct tally *tally)
{
	g_free(tally);
}

void
tally_count(struct tally *tally, enum reason reason)
{
	tally->totals[reason]++;
	tally->waiting[reason]++;
}

uint64_t
tally_total(const struct tally *tally, enum reason reason)
{
	return tally->totals[reason];
}

void
tally_key(int64_t hour, uint8_t ret_key[TALLY_KEY_SIZE])
{
	uint32_t big_endian = GUINT32_TO_BE((uint32_t)hour);

	for (int i = 0; i < TALLY_KEY_SIZE; i++)
		ret_key[i] = ((const uint8_t *)&big_endian)[i];
}

int64_t
tally_key_hour(const struct store_bytes *key)
{
	const uint8_t *b = key->data;

	if (key->length != TALLY_KEY_SIZE)
		return -1;
	return (int64_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
}

/* What was certainly not written waits again; what may have been is not counted twice. */
static void
flushed(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct tally *tally = context;

	for (unsigned i = 0; i < REASONS; i++) {
		if (result != STORE_OK && result != STORE_UNCERTAIN)
			tally->waiting[i] += tally->handed[i];
		tally->handed[i] = 0;
	}
	tally->under_way = false;
}

void
tally_flush(struct tally *tally, struct store *store, int64_t now)
{
	struct store_cell cells[REASONS];
	uint8_t key[TALLY_KEY_SIZE];
	struct store_delta delta = {
	    .space = STORE_HOURS,
	    .key = {key, sizeof key},
	    .cells = cells,
	    .expires = now + TALLY_DAYS * 86400,
	};
	struct store_call call = {.done = flushed, .context = tally};

	if (tally->under_way || !store)
		return;
	for (unsigned i = 0; i < REASONS; i++) {
		if (!tally->waiting[i])
			continue;
		tally->handed[i] = MIN(tally->waiting[i], INT32_MAX);
		tally->waiting[i] -= tally->handed[i];
		cells[delta.n_cells++] = (struct store_cell){
		    .index = i, .op = STORE_ADD, .delta = (int32_t)tally->handed[i]};
	}
	if (!delta.n_cells)
		return;
	tally->under_way = true;
	tally_key(now / 3600, key);
	store_add_many(store, &delta, 1, &call);
}
