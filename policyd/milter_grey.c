#include "config.h"

#include "policyd/milter_grey.h"

#include <string.h>

#include "policyd/delivery.h"

/* The clocks of two processes, and the time between RCPT and what is written for it. */
#define SLACK 2

/* Of a message's recipients so many are looked at: the first may be exempt from greylisting. */
#define RECIPIENTS 5

void
grey_facts_of(const struct greylist_rules *rules, const struct sighting *s, int64_t began,
    struct grey_facts *ret_facts)
{
	struct grey_facts facts = {.young = false};
	struct delivery_greylist *greylist = &facts.greylist;

	if (s && s->passed) {
		greylist->contact = s->passed >= began - SLACK ? DELIVERY_FIRST : DELIVERY_KNOWN;
		facts.young = began - s->first < rules->delay;
	}
	if (greylist->contact == DELIVERY_FIRST) {
		greylist->delayed = (uint32_t)MIN(s->passed - s->first, UINT32_MAX);
		greylist->attempts = s->attempts;
		greylist->moved = s->moved;
	}
	*ret_facts = facts;
}

/* A look-up under way. */
struct look {
	const struct rules *rules;
	const struct greylist_attempt *attempt;
	int64_t began;
	struct grey_facts facts;
	bool overflow; /* the place may have a record of its own */
};

static void
take_record(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct look *look = context;
	struct triplet record;

	if (result != STORE_OK || !triplet_decode(value, &record))
		return;
	look->overflow = record.overflow_until > look->began;
	grey_facts_of(&look->rules->greylist,
	    greylist_sighting(&look->rules->greylist, &record, look->attempt), look->began,
	    &look->facts);
}

static void
look_up(struct store *store, const struct delivery *delivery, struct look *look)
{
	uint8_t key[KEYEDHASH_SIZE];

	for (int overflow = 0; overflow < 2; overflow++) {
		look->overflow = false;
		delivery_triplet_key(delivery, store_hash_key(store), look->attempt, overflow, key);
		store_get(store, STORE_TRIPLETS, (struct store_bytes){key, sizeof key}, 0,
		    take_record, look);
		if (look->facts.greylist.contact != DELIVERY_UNKNOWN || !look->overflow)
			return;
	}
}

static void
set_value(struct policy_request *request, enum policy_attribute attribute, const char *value)
{
	request->value[attribute] = value ? value : "";
	request->length[attribute] = (uint32_t)strlen(request->value[attribute]);
}

/* The request that smtpd made for the recipient. */
static void
set_request(struct policy_request *request, const struct milter_client *client,
    const struct milter_message *message, const char *recipient, const char *address)
{
	for (unsigned i = 0; i < POLICY_ATTRIBUTES; i++)
		set_value(request, i, NULL);
	set_value(request, POLICY_CLIENT_ADDRESS, address);
	set_value(request, POLICY_CLIENT_NAME, client->name);
	set_value(request, POLICY_HELO_NAME, client->helo);
	set_value(request, POLICY_SENDER, message->sender);
	set_value(request, POLICY_RECIPIENT, recipient);
}

static void
look_for_recipient(struct store *store, const struct policy_request *request, struct look *look)
{
	struct delivery delivery;
	struct greylist_attempt attempt = {.now = look->began};
	char pool[CLIENTNAME_SIZE] = "";

	delivery_init(&delivery, request);
	attempt.network = prefix_of(
	    &delivery.client, look->rules->greylist.ipv4_prefix, look->rules->greylist.ipv6_prefix);
	if (look->rules->match_by_name)
		delivery_pool(&delivery, look->rules->suffixes, pool);
	attempt.pool = (struct store_bytes){pool, strlen(pool)};
	look->attempt = &attempt;
	look_up(store, &delivery, look);
}

void
grey_facts_read(struct store *store, const struct rules *rules, const struct milter_client *client,
    const struct milter_message *message, struct grey_facts *ret_facts)
{
	struct look look = {.rules = rules, .began = message->began};
	struct policy_request request;
	char address[ADDRESS_TEXT_SIZE];
	unsigned n = MIN(message->n_recipients, RECIPIENTS);

	address_format(&client->address, address);
	for (unsigned i = 0; store && i < n && look.facts.greylist.contact == DELIVERY_UNKNOWN;
	     i++) {
		set_request(&request, client, message, message->recipients[i].address, address);
		look_for_recipient(store, &request, &look);
	}
	*ret_facts = look.facts;
}
