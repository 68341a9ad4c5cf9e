/*
 * How a delivery stands with the reputation (db/history/reputation.h): what is to be asked of it,
 * what it says, and whether that spares the delay or lengthens it. Pure; the policy and "greylagctl
 * why" do the reading.
 */
#ifndef GREYLAG_POLICYD_DECIDE_STANDING_H
#define GREYLAG_POLICYD_DECIDE_STANDING_H

#include "db/history/reputation.h"
#include "policyd/decide/rules.h"

struct standing {
	char name[CLIENTNAME_SIZE]; /* organisational domain of the client's name; "" for none */
	struct reputation_query query;
	struct reputation_found found;
	struct reputation_opinion opinion; /* after standing_weigh() */
};

/*
 * What is to be read: one store_get_many() of the keys in standing->query. The client's name says
 * something unless it looks dynamic, or the sender is the recipient (bots that forge the
 * recipient's own address hide behind big providers' names). POOL is delivery_pool(), or "" if
 * that was not asked for. Not to be moved after.
 */
void standing_init(struct standing *standing, const struct rules *rules,
    const struct delivery *delivery, const char *pool, const uint8_t hash_key[KEYEDHASH_KEY_SIZE]);

/* Takes what was read for the key of that INDEX; what could not be read is as none. */
void standing_take(struct standing *standing, size_t index, enum store_result result,
    const struct store_bytes *value);

void standing_weigh(struct standing *standing, const struct rules *rules,
    const struct delivery *delivery, int64_t now);

/* Whether it spares the delay, and for which reason. */
bool standing_spares(const struct standing *standing, enum reason *ret_reason);

#endif
