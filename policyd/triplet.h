/*
 * What is remembered of a sender and a recipient: where their mail was seen to come from, and
 * when. One record a keyed hash of both addresses, with a bounded list of sightings, so that a
 * retry from elsewhere in a pool finds its first attempt by one read.
 */
#ifndef GREYLAG_POLICYD_TRIPLET_H
#define GREYLAG_POLICYD_TRIPLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/store.h"
#include "lib/address.h"
#include "lib/keyedhash.h"

/* Sightings in a record. When all are in use, a further place gets a record of its own. */
#define TRIPLET_SIGHTINGS 8

/* Room for an encoded record: two addresses, eight sightings with names of 255 bytes. */
#define TRIPLET_RECORD_MAX 4096

#define TRIPLET_ADDRESS_HASH_SIZE 8

/* Attempts from one network. Times are seconds since 1970. */
struct sighting {
	struct prefix network;   /* of the first attempt */
	struct store_bytes pool; /* organisational domain of the verified name; empty if none */
	int64_t first;           /* first attempt */
	int64_t last;            /* last attempt or delivery that was written down */
	int64_t passed;          /* when a retry first passed; 0 while none has */
	uint32_t attempts;       /* the first one and the retries that came too early */
	bool moved;              /* a retry came from another network than the first attempt */
	bool observed;           /* let in by observe mode, without having had to retry */
};

struct triplet {
	/* Both addresses as text, or both as hashes of TRIPLET_ADDRESS_HASH_SIZE bytes. */
	struct store_bytes sender, recipient;
	bool hashed;
	/* Until then, places that found no room may have records of their own; 0 for none. */
	int64_t overflow_until;
	unsigned n_sightings;
	struct sighting sightings[TRIPLET_SIGHTINGS];
};

/* What a sighting stands for, for lists and statistics. */
enum triplet_state { TRIPLET_GREYLISTED, TRIPLET_PASSED, TRIPLET_OBSERVED, TRIPLET_STATES };

const char *triplet_state_name(enum triplet_state state);
enum triplet_state sighting_state(const struct sighting *sighting);

/* The record's key. PLACE is NULL for the pair's own record; a null sender's key has the client's
 * network in it (its bounces have nothing else that tells them apart), and so has an overflow
 * record's key the pool or network it is for. */
void triplet_key(const uint8_t hash_key[KEYEDHASH_KEY_SIZE], const char *sender,
    const char *recipient, const struct prefix *network, const struct store_bytes *pool,
    uint8_t ret_key[KEYEDHASH_SIZE]);

/* What stands for an address where addresses are not to be kept. */
void triplet_address_hash(const uint8_t hash_key[KEYEDHASH_KEY_SIZE], const char *address,
    uint8_t ret_hash[TRIPLET_ADDRESS_HASH_SIZE]);

/* Pointers of *RET_TRIPLET point into the bytes. False for a malformed record. */
bool triplet_decode(const struct store_bytes *bytes, struct triplet *ret_triplet);
size_t triplet_encode(const struct triplet *triplet, uint8_t ret_bytes[TRIPLET_RECORD_MAX]);

#endif
