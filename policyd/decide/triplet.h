/*
 * What is remembered of a sender and a recipient: where their mail was seen to come from, and
 * when. One record a keyed hash of both addresses, with a bounded list of sightings, so that a
 * retry from elsewhere in a pool finds its first attempt by one read.
 */
#ifndef GREYLAG_POLICYD_DECIDE_TRIPLET_H
#define GREYLAG_POLICYD_DECIDE_TRIPLET_H

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

/*
 * Of the retries that came too early a sighting keeps the first one in each interval between
 * these ages, in seconds: from 1 to 29, from 30 to 59, ... from 3600 on. So the first attempt
 * that came no earlier than one of these ages is always known, up to the one that passed, however
 * often a client knocks.
 */
#define TRIPLET_EARLY 8
extern const uint32_t triplet_ages[TRIPLET_EARLY];

/* The early ones, and the one that passed. */
#define TRIPLET_OFFSETS (TRIPLET_EARLY + 1)

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
	bool others;             /* its first attempt is counted among the other domains' */
	/* When early retries came, in seconds after the first attempt, ascending. */
	unsigned n_early;
	uint32_t early[TRIPLET_EARLY];
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

/* Remembers an early retry, AGE seconds after the first attempt, if it is the first of its
 * interval. */
void sighting_add_early(struct sighting *sighting, int64_t age);

/* When retries came, the one that passed among them, ascending and each once, in seconds after the
 * first attempt. Returns how many. */
unsigned sighting_offsets(const struct sighting *sighting, uint32_t ret_offsets[TRIPLET_OFFSETS]);

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
