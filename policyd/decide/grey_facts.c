#include "config.h"

#include "policyd/decide/grey_facts.h"

#include <string.h>
#include <glib.h>

#include "policyd/decide/delivery.h"

/* The clocks of two processes, and the time between RCPT and what is written for it. */
#define SLACK 2

static void
take_offsets(const struct sighting *s, struct delivery_greylist *greylist)
{
	uint32_t offsets[TRIPLET_OFFSETS];
	unsigned n = sighting_offsets(s, offsets);

	G_STATIC_ASSERT(TRIPLET_OFFSETS < DELIVERY_OFFSETS_MAX);
	greylist->offsets[greylist->n_offsets++] = 0;
	for (unsigned i = 0; i < n; i++)
		greylist->offsets[greylist->n_offsets++] = offsets[i];
}

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
		take_offsets(s, greylist);
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
	bool arrived;
};

static void
take_record(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct look *look = context;
	struct triplet record;

	look->arrived = true;
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
		look->overflow = look->arrived = false;
		delivery_triplet_key(delivery, store_hash_key(store), look->attempt, overflow, key);
		store_get(store, STORE_TRIPLETS, (struct store_bytes){key, sizeof key}, 0,
		    take_record, look);
		if (!look->arrived)
			store_wait(store);
		if (look->facts.greylist.contact != DELIVERY_UNKNOWN || !look->overflow)
			return;
	}
}

void
grey_facts_read(struct store *store, const struct rules *rules,
    const struct policy_request *request, int64_t began, struct grey_facts *ret_facts)
{
	struct look look = {.rules = rules, .began = began};
	struct greylist_attempt attempt = {.now = began};
	struct delivery delivery;
	char pool[CLIENTNAME_SIZE] = "";

	delivery_init(&delivery, request);
	if (store && delivery.client.family != ADDRESS_NONE) {
		attempt.network = prefix_of(
		    &delivery.client, rules->greylist.ipv4_prefix, rules->greylist.ipv6_prefix);
		if (rules->match_by_name)
			delivery_pool(&delivery, rules->suffixes, pool);
		attempt.pool = (struct store_bytes){pool, strlen(pool)};
		look.attempt = &attempt;
		look_up(store, &delivery, &look);
	}
	*ret_facts = look.facts;
}
