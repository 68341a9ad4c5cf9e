#include "config.h"

#include "policyd/stats/learned.h"

#include <string.h>

#include "classifier/bank/bank.h"

struct learned {
	struct learned_counts counts;
	bool under_way;
};

struct learned *
learned_new(void)
{
	return g_new0(struct learned, 1);
}

void
learned_free(struct learned *learned)
{
	g_free(learned);
}

static uint64_t
cell(const struct store_bytes *value, uint32_t index)
{
	return (uint64_t)MAX(store_cell_get(value, index), 0);
}

static void
on_head(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct learned *learned = context;

	learned->under_way = false;
	if (result == STORE_OK)
		learned->counts = (struct learned_counts){
		    .spam = cell(value, MODEL_HEAD_SPAM), .ham = cell(value, MODEL_HEAD_HAM)};
	else if (result == STORE_NOT_FOUND)
		learned->counts = (struct learned_counts){0};
}

void
learned_refresh(struct learned *learned, struct store *store, unsigned timeout)
{
	const struct store_bytes key = {BANK_HEAD_KEY, strlen(BANK_HEAD_KEY)};

	if (learned->under_way)
		return;
	learned->under_way = true;
	store_get(store, STORE_SLOTS, key, timeout, on_head, learned);
}

struct learned_counts
learned_counts(const struct learned *learned)
{
	return learned->counts;
}
