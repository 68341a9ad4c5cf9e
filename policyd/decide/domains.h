/*
 * First attempts by the domain of their recipient, and what came of them: cells of a day in
 * STORE_DOMAINS, written in the transaction that writes the triplet, so that they are exact. All
 * is counted on the day of the first attempt, whenever the retry was.
 *
 * What other delays would have done follows from when retries came: up to the delay in force
 * every retry is seen, beyond it the one that passed is the last.
 */
#ifndef GREYLAG_POLICYD_DECIDE_DOMAINS_H
#define GREYLAG_POLICYD_DECIDE_DOMAINS_H

#include <stdbool.h>
#include <stdint.h>

#include "db/store.h"
#include "policyd/decide/greylist.h"

/* Days (of UTC) are kept for so many days. */
#define DOMAINS_DAYS 32

/* Domains that a daemon counts by name in a day; what is above that is counted as others. */
#define DOMAINS_NAMED 1000

/* Delays, in seconds, of which is counted whether a retry came so late. All are triplet_ages. */
#define DOMAINS_DELAYS 4
extern const int64_t domains_delays[DOMAINS_DELAYS];

/* What stands in the store keeps its place: append, never renumber. */
enum domains_cell {
	DOMAINS_FIRSTS,   /* first attempts that were asked to come again */
	DOMAINS_RETURNED, /* those of them that did, and passed */
	DOMAINS_REACHED,  /* DOMAINS_DELAYS: of which a retry came so late or later, up to the one
			     that passed, after which none is counted */
	DOMAINS_BEFORE = DOMAINS_REACHED + DOMAINS_DELAYS, /* DOMAINS_DELAYS: that passed before:
			     whether they would have come again so late is not known */
	DOMAINS_CELLS = DOMAINS_BEFORE + DOMAINS_DELAYS,
};

/* -- keys -- */

#define DOMAINS_NAME_SIZE 256
#define DOMAINS_KEY_MAX   (STORE_HOUR_KEY_SIZE + DOMAINS_NAME_SIZE)

/* DAY is seconds since 1970 / 86400; DOMAIN is "" for all others. Returns the key's length. */
size_t domains_key(int64_t day, const char *domain, uint8_t ret_key[DOMAINS_KEY_MAX]);
bool domains_key_decode(
    const struct store_bytes *key, int64_t *ret_day, char ret_domain[DOMAINS_NAME_SIZE]);

/* -- counting -- */

/* Which domains are counted by name today. */
struct domains;

struct domains *domains_new(void);
void domains_free(struct domains *domains);

/* Whether first attempts to the domain are counted by its name on the day of NOW. */
bool domains_by_name(struct domains *domains, const char *domain, int64_t now);

/* Adds what the outcome of an attempt changes. DOMAIN is the recipient's, which is counted among
 * the others where the outcome says so. */
void domains_count(
    struct store_change *change, const struct greylist_outcome *outcome, const char *domain);

#endif
