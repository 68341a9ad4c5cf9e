#include "config.h"

#include "policyd/decide/delivery.h"

#include <string.h>
#include <glib.h>

void
delivery_set_recipient(struct delivery *delivery, const char *recipient)
{
	delivery->recipient = recipient;
	envelope_recipient(recipient, strlen(recipient), delivery->recipient_key);
}

void
delivery_init(struct delivery *delivery, const struct policy_request *request)
{
	const char *name = request->value[POLICY_CLIENT_NAME];

	if (!address_parse(request->value[POLICY_CLIENT_ADDRESS], &delivery->client))
		delivery->client = (struct address){.family = ADDRESS_NONE};
	delivery->name = *name && g_ascii_strcasecmp(name, "unknown") != 0 ? name : NULL;
	delivery->helo = request->value[POLICY_HELO_NAME];
	delivery->sender = request->value[POLICY_SENDER];
	delivery->instance = request->value[POLICY_INSTANCE];
	envelope_sender(delivery->sender, request->length[POLICY_SENDER], delivery->sender_key);
	delivery->null_sender = delivery->sender_key[0] == '\0';
	delivery->recipient = request->value[POLICY_RECIPIENT];
	envelope_recipient(
	    delivery->recipient, request->length[POLICY_RECIPIENT], delivery->recipient_key);
}

bool
delivery_to_itself(const struct delivery *delivery)
{
	return g_ascii_strcasecmp(delivery->sender, delivery->recipient) == 0 ||
	       strcmp(delivery->sender_key, delivery->recipient_key) == 0;
}

void
delivery_pool(const struct delivery *delivery, const struct suffix_list *suffixes,
    char ret_pool[CLIENTNAME_SIZE])
{
	ret_pool[0] = '\0';
	if (!delivery->name || delivery->null_sender || delivery_to_itself(delivery))
		return;
	clientname_pool(suffixes, delivery->name, &delivery->client, ret_pool);
}

void
delivery_triplet_key(const struct delivery *delivery, const uint8_t hash_key[KEYEDHASH_KEY_SIZE],
    const struct greylist_attempt *attempt, bool overflow, uint8_t ret_key[KEYEDHASH_SIZE])
{
	bool of_place = overflow || delivery->null_sender;

	triplet_key(hash_key, delivery->sender_key, delivery->recipient_key,
	    of_place ? &attempt->network : NULL, overflow ? &attempt->pool : NULL, ret_key);
}

bool
delivery_suspicious(const struct delivery *delivery, const struct suffix_list *suffixes)
{
	return !delivery->name ||
	       clientname_looks_dynamic(suffixes, delivery->name, &delivery->client) ||
	       !clientname_helo_fits(delivery->helo, delivery->name, &delivery->client);
}
