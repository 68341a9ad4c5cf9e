#include "config.h"

#include "policyd/decide/standing.h"

#include <string.h>
#include <glib.h>

static bool
name_is_heard(const struct delivery *delivery)
{
	return delivery->name && (delivery->null_sender || !delivery_to_itself(delivery));
}

void
standing_init(struct standing *standing, const struct rules *rules, const struct delivery *delivery,
    const char *pool, const uint8_t hash_key[KEYEDHASH_KEY_SIZE])
{
	standing->name[0] = '\0';
	memset(standing->found.have, 0, sizeof standing->found.have);
	if (*pool)
		g_strlcpy(standing->name, pool, sizeof standing->name);
	else if (name_is_heard(delivery))
		clientname_pool(rules->suffixes, delivery->name, &delivery->client, standing->name);
	reputation_query_init(&standing->query, hash_key, &delivery->client, standing->name,
	    delivery->sender_key, delivery->recipient_key);
}

void
standing_take(struct standing *standing, size_t index, enum store_result result,
    const struct store_bytes *value)
{
	enum reputation_kind kind = standing->query.kinds[index];

	standing->found.have[kind] =
	    result == STORE_OK && reputation_decode(value, &standing->found.of[kind]);
}

void
standing_weigh(struct standing *standing, const struct rules *rules,
    const struct delivery *delivery, int64_t now)
{
	reputation_opinion(&rules->reputation, &standing->found, &delivery->client, standing->name,
	    rules->greylist.delay, now, &standing->opinion);
}

bool
standing_spares(const struct standing *standing, enum reason *ret_reason)
{
	switch (standing->opinion.advice) {
	case REPUTATION_SPARES: *ret_reason = REASON_REPUTATION; return true;
	case REPUTATION_WROTE: *ret_reason = REASON_CORRESPONDENT; return true;
	default: return false;
	}
}
