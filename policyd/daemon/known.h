/*
 * What the daemon remembers of decisions that need neither a delay nor a write: known triplets and
 * auto-whitelisted clients of a store on a server, so that a busy host asks the server only when it
 * must. Of fixed size. What another host or the operator changes is known after the time to live
 * at the latest; nothing that is remembered ever asks anybody to come again.
 */
#ifndef GREYLAG_POLICYD_DAEMON_KNOWN_H
#define GREYLAG_POLICYD_DAEMON_KNOWN_H

#include "policyd/decide/client.h"
#include "policyd/decide/greylist.h"

struct known;

/* ENTRIES at most, for SECONDS each. */
struct known *known_new(unsigned entries, int64_t seconds);
void known_free(struct known *known); /* accepts NULL */
void known_clear(struct known *known);

#define KNOWN_KEY_MAX (1 + KEYEDHASH_SIZE + CLIENT_KEY_MAX)

/* What an entry is found by: the client alone, or with the key of a triplet's record. */
struct known_key {
	uint8_t bytes[KNOWN_KEY_MAX];
};

/* TRIPLET is NULL for the client alone. */
struct known_key known_key(const struct address *client, const uint8_t *triplet);

struct known_entry {
	struct client client; /* as it was read; valid with have_client */
	bool have_client;
	struct greylist_outcome outcome; /* of a triplet */
};

void known_put(
    struct known *known, const struct known_key *key, int64_t now, const struct known_entry *entry);
/* False if there is none, or none that is young enough. */
bool known_find(
    struct known *known, const struct known_key *key, int64_t now, struct known_entry *ret_entry);

struct known_status {
	unsigned entries; /* there is room for; 0 where nothing is remembered */
	unsigned used;
	uint64_t hits, misses;
};

/* Of requests: whether one was answered by an entry. */
void known_count(struct known *known, bool hit);

/* KNOWN may be NULL. */
struct known_status known_status(const struct known *known);

#endif
