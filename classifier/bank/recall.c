#include "config.h"

#include "classifier/bank/recall.h"

#include "classifier/bank/state.h"
#include "classifier/features/dialogue.h"
#include "classifier/bank/registry.h"

struct recall {
	struct bank *bank;
	struct store *own; /* NULL where it reads by the bank's, or cannot read */
};

struct recall *
recall_new(struct bank *bank)
{
	struct recall *recall = g_new(struct recall, 1);

	*recall = (struct recall){.bank = bank};
	if (bank_is_shared(bank))
		recall->own = bank_open_again(bank);
	return recall;
}

void
recall_free(struct recall *recall)
{
	if (!recall)
		return;
	store_close(&recall->own);
	g_free(recall);
}

/* What the registry and the deliveries say. */
struct look {
	struct recalled found;
	uint16_t delivered_with;
};

static void
take_entry(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct look *look = context;
	struct model_entry entry;

	look->found.learned = result == STORE_OK && registry_decode(value, &entry);
	if (look->found.learned)
		look->found.dialogue = entry.dialogue;
}

static void
take_delivery(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct look *look = context;
	struct delivery_record record;

	look->found.delivered = result == STORE_OK && delivery_decode(value, &record);
	if (!look->found.delivered)
		return;
	look->delivered_with = dialogue_code(&record.greylist);
	look->found.judged = record.judged;
	look->found.score = record.score;
	look->found.time = record.time;
}

struct recalled
recall_message(struct recall *recall, const uint8_t digest[CANONICAL_DIGEST_SIZE])
{
	struct look look = {0};
	struct store_bytes key = {digest, CANONICAL_DIGEST_SIZE};
	struct store *store = recall->own ? recall->own : bank_store(recall->bank);
	unsigned limit = recall->own ? BANK_SHARED_LIMIT : 0;

	if (bank_is_shared(recall->bank) && !recall->own)
		return (struct recalled){0};
	/* Asked for together, they take a server one round trip. */
	store_get(store, STORE_MESSAGES, key, limit, take_entry, &look);
	store_get(store, STORE_DELIVERIES, key, limit, take_delivery, &look);
	if (recall->own)
		store_wait(store);
	if (!look.found.learned)
		look.found.dialogue = look.delivered_with;
	return look.found;
}
