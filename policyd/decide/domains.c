#include "config.h"

#include "policyd/decide/domains.h"

#include <string.h>
#include <glib.h>

#define DAY 86400

const int64_t domains_delays[DOMAINS_DELAYS] = {60, 120, 300, 600};

/* -- keys -- */

size_t
domains_key(int64_t day, const char *domain, uint8_t ret_key[DOMAINS_KEY_MAX])
{
	size_t length = MIN(strlen(domain), DOMAINS_NAME_SIZE - 1);

	store_hour_key(day, ret_key);
	memcpy(ret_key + STORE_HOUR_KEY_SIZE, domain, length);
	return STORE_HOUR_KEY_SIZE + length;
}

bool
domains_key_decode(
    const struct store_bytes *key, int64_t *ret_day, char ret_domain[DOMAINS_NAME_SIZE])
{
	const uint8_t *b = key->data;
	size_t length = key->length - STORE_HOUR_KEY_SIZE;

	if (key->length < STORE_HOUR_KEY_SIZE || length >= DOMAINS_NAME_SIZE)
		return false;
	if (length)
		memcpy(ret_domain, b + STORE_HOUR_KEY_SIZE, length);
	ret_domain[length] = '\0';
	*ret_day = (int64_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
	return true;
}

/* -- counting -- */

struct domains {
	int64_t day;
	GHashTable *names;
};

struct domains *
domains_new(void)
{
	struct domains *domains = g_new0(struct domains, 1);

	domains->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return domains;
}

void
domains_free(struct domains *domains)
{
	if (!domains)
		return;
	g_hash_table_unref(domains->names);
	g_free(domains);
}

bool
domains_by_name(struct domains *domains, const char *domain, int64_t now)
{
	int64_t day = now / DAY;

	if (day != domains->day)
		g_hash_table_remove_all(domains->names);
	domains->day = day;
	if (g_hash_table_contains(domains->names, domain))
		return true;
	if (g_hash_table_size(domains->names) >= DOMAINS_NAMED)
		return false;
	g_hash_table_add(domains->names, g_strdup(domain));
	return true;
}

static void
count_cell(struct store_delta *delta, struct store_cell *cells, uint32_t cell)
{
	cells[delta->n_cells++] = (struct store_cell){cell, STORE_ADD, 1};
}

/* The delays that it is the first retry to come as late as, and those that it passed before. */
static void
count_retry(
    const struct greylist_outcome *outcome, struct store_delta *delta, struct store_cell *cells)
{
	bool passed = outcome->verdict == GREYLIST_PASSED;

	if (passed)
		count_cell(delta, cells, DOMAINS_RETURNED);
	for (uint32_t i = 0; i < DOMAINS_DELAYS; i++) {
		if (outcome->age >= domains_delays[i]) {
			if (outcome->age_before < domains_delays[i])
				count_cell(delta, cells, DOMAINS_REACHED + i);
		} else if (passed) {
			count_cell(delta, cells, DOMAINS_BEFORE + i);
		}
	}
}

void
domains_count(
    struct store_change *change, const struct greylist_outcome *outcome, const char *domain)
{
	struct store_cell cells[DOMAINS_CELLS];
	uint8_t key[DOMAINS_KEY_MAX];
	int64_t day = outcome->first / DAY;
	struct store_delta delta = {
	    .space = STORE_DOMAINS, .cells = cells, .expires = (day + 1 + DOMAINS_DAYS) * DAY};

	switch (outcome->verdict) {
	case GREYLIST_FIRST:
	case GREYLIST_WINDOW_OVER: count_cell(&delta, cells, DOMAINS_FIRSTS); break;
	case GREYLIST_EARLY:
	case GREYLIST_PASSED: count_retry(outcome, &delta, cells); break;
	default: break;
	}
	if (!delta.n_cells)
		return;
	delta.key = (struct store_bytes){key, domains_key(day, outcome->others ? "" : domain, key)};
	store_change_also_add(change, &delta);
}
