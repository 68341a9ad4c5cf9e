#include "classifier/recall.h"

#include "classifier/bank_state.h"
#include "classifier/dialogue.h"
#include "classifier/registry.h"

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

static void
take_entry(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct recalled *recalled = context;
	struct model_entry entry;

	recalled->learned = result == STORE_OK && registry_decode(value, &entry);
	if (recalled->learned)
		recalled->dialogue = entry.dialogue;
}

static void
take_delivery(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct recalled *recalled = context;
	struct delivery_record record;

	recalled->delivered = result == STORE_OK && delivery_decode(value, &record);
	if (recalled->delivered && !recalled->learned)
		recalled->dialogue = dialogue_code(&record.greylist);
}

static void
look_up(struct recall *recall, enum store_space space, struct store_bytes key, store_value_fn value,
    void *context)
{
	struct store *store = recall->own ? recall->own : bank_store(recall->bank);

	store_get(store, space, key, recall->own ? BANK_SHARED_LIMIT : 0, value, context);
	if (recall->own)
		store_wait(store);
}

struct recalled
recall_message(struct recall *recall, const uint8_t digest[CANONICAL_DIGEST_SIZE])
{
	struct recalled recalled = {0};
	struct store_bytes key = {digest, CANONICAL_DIGEST_SIZE};

	if (bank_is_shared(recall->bank) && !recall->own)
		return recalled;
	look_up(recall, STORE_MESSAGES, key, take_entry, &recalled);
	look_up(recall, STORE_DELIVERIES, key, take_delivery, &recalled);
	return recalled;
}
