/*
 * Where a record is in a Redis server. Private to the Redis driver.
 *
 *	most spaces          the key greylag:{ENVIRONMENT}:SPACE:KEY
 *	tokens, messages     a field of a hash, greylag:{token}:SPACE:BUCKET with BUCKET in hex: a
 *	                     key of its own would take more room than the record
 *
 * Of slots and memory the keys stand in a sorted set besides, greylag:{token}:SPACE, so that a scan
 * goes in order; and slots are packed (store_redis_pack.h).
 */
#ifndef GREYLAG_DB_REDIS_PLACE_H
#define GREYLAG_DB_REDIS_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <glib.h>

#include "db/store.h"

/* POLICY_TAG is the hash tag of the policy environment's keys: "policy", but for a cluster. */

/* How many hashes the space's records lie in; 0: each has a key of its own. */
unsigned redis_buckets(enum store_space space);
bool redis_is_ordered(enum store_space space);
bool redis_is_packed(enum store_space space);

/* greylag:{ENVIRONMENT}:SPACE: */
char *redis_space_prefix(const char *policy_tag, enum store_space space);
/* The sorted set of an ordered space. */
char *redis_space_index(const char *policy_tag, enum store_space space);
/* Counts the changes to what is read, changed and written back by a batch. */
char *redis_turn_key(const char *policy_tag, enum store_environment environment);

/* The hash that a record of a space with buckets is in, from 0. */
unsigned redis_bucket(enum store_space space, struct store_bytes key);

/* The key in the server. */
struct redis_key {
	size_t length;
	size_t bare; /* where the record's own key begins in it; LENGTH if that is a field */
	char bytes[64 + STORE_KEY_MAX];
};

void redis_key_of(const char *policy_tag, enum store_space space, struct store_bytes key,
    struct redis_key *ret_key);

#endif
