#include "config.h"

#include "policyd/daemon/known.h"

#include <string.h>
#include <glib.h>

/* An entry may lie in so many places; the oldest of them makes room. */
#define WAYS 4

struct slot {
	struct known_key key;
	bool used;
	int64_t since;
	struct known_entry entry;
};

struct known {
	struct slot *slots;
	unsigned sets; /* a power of two */
	int64_t seconds;
	struct known_status status;
};

struct known *
known_new(unsigned entries, int64_t seconds)
{
	struct known *known = g_new0(struct known, 1);

	known->sets = 1;
	while (known->sets * WAYS < entries)
		known->sets *= 2;
	/* Memory that no entry has been put in takes none of the machine's. */
	known->slots = g_new0(struct slot, known->sets * WAYS);
	known->seconds = seconds;
	known->status.entries = known->sets * WAYS;
	return known;
}

void
known_free(struct known *known)
{
	if (!known)
		return;
	g_free(known->slots);
	g_free(known);
}

void
known_clear(struct known *known)
{
	memset(known->slots, 0, (size_t)known->status.entries * sizeof *known->slots);
	known->status.used = 0;
}

struct known_key
known_key(const struct address *client, const uint8_t *triplet)
{
	struct known_key key = {.bytes = {triplet ? 'T' : 'C'}};

	if (triplet)
		memcpy(key.bytes + 1, triplet, KEYEDHASH_SIZE);
	client_key(client, key.bytes + 1 + KEYEDHASH_SIZE);
	return key;
}

/* The triplet's half is a keyed hash already; the client's is not, so both are mixed well. */
static struct slot *
set_of(const struct known *known, const struct known_key *key)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < sizeof key->bytes; i++)
		hash = (hash ^ key->bytes[i]) * 1099511628211u;
	return known->slots + ((hash ^ hash >> 32) & (known->sets - 1)) * WAYS;
}

static bool
same(const struct slot *slot, const struct known_key *key)
{
	return slot->used && memcmp(slot->key.bytes, key->bytes, sizeof key->bytes) == 0;
}

void
known_put(
    struct known *known, const struct known_key *key, int64_t now, const struct known_entry *entry)
{
	struct slot *set = set_of(known, key), *place = set;

	for (unsigned i = 0; i < WAYS; i++) {
		struct slot *slot = &set[i];

		if (same(slot, key)) {
			place = slot;
			break;
		}
		if (!slot->used || (place->used && slot->since < place->since))
			place = slot;
	}
	known->status.used += !place->used;
	*place = (struct slot){*key, true, now, *entry};
}

bool
known_find(
    struct known *known, const struct known_key *key, int64_t now, struct known_entry *ret_entry)
{
	struct slot *set = set_of(known, key);

	for (unsigned i = 0; i < WAYS; i++) {
		const struct slot *slot = &set[i];

		/* A clock that went back makes nothing live longer. */
		if (!same(slot, key) || now < slot->since || now - slot->since >= known->seconds)
			continue;
		*ret_entry = slot->entry;
		return true;
	}
	return false;
}

void
known_count(struct known *known, bool hit)
{
	if (hit)
		known->status.hits++;
	else
		known->status.misses++;
}

struct known_status
known_status(const struct known *known)
{
	return known ? known->status : (struct known_status){0};
}
