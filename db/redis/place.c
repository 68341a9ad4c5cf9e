#include "config.h"

#include "db/redis/place.h"

#include <string.h>

/*
 * A hash of at most hash-max-listpack-entries fields is a plain list of bytes in the server: 0.8
 * million tokens by the server's default of 128, three million by the 512 of contrib/redis. With
 * more it is a table, which takes three times the room, and works as well.
 */
static const struct {
	unsigned buckets;
	bool ordered, packed;
} shapes[STORE_SPACES] = {
    [STORE_TOKENS] = {.buckets = 8192},
    [STORE_MESSAGES] = {.buckets = 1024},
    [STORE_SLOTS] = {.ordered = true, .packed = true},
    [STORE_MEMORY] = {.ordered = true},
};

unsigned
redis_buckets(enum store_space space)
{
	return shapes[space].buckets;
}

bool
redis_is_ordered(enum store_space space)
{
	return shapes[space].ordered;
}

bool
redis_is_packed(enum store_space space)
{
	return shapes[space].packed;
}

static const char *
tag_of(const char *policy_tag, enum store_environment environment)
{
	return environment == STORE_POLICY ? policy_tag : "token";
}

static const char *
space_tag(const char *policy_tag, enum store_space space)
{
	return tag_of(policy_tag, store_spaces[space].environment);
}

char *
redis_space_prefix(const char *policy_tag, enum store_space space)
{
	return g_strdup_printf(
	    "greylag:{%s}:%s:", space_tag(policy_tag, space), store_spaces[space].name);
}

char *
redis_space_index(const char *policy_tag, enum store_space space)
{
	return g_strdup_printf(
	    "greylag:{%s}:%s", space_tag(policy_tag, space), store_spaces[space].name);
}

char *
redis_turn_key(const char *policy_tag, enum store_environment environment)
{
	return g_strdup_printf("greylag:{%s}:turn", tag_of(policy_tag, environment));
}

/* FNV-1a, and the end of MurmurHash3, after which each bit depends on all. What is stored goes by
 * it. */
unsigned
redis_bucket(enum store_space space, struct store_bytes key)
{
	const uint8_t *b = key.data;
	uint32_t hash = 2166136261U;

	for (size_t i = 0; i < key.length; i++)
		hash = (hash ^ b[i]) * 16777619U;
	hash = (hash ^ hash >> 16) * 0x85ebca6bU;
	hash = (hash ^ hash >> 13) * 0xc2b2ae35U;
	return (hash ^ hash >> 16) % shapes[space].buckets;
}

void
redis_key_of(const char *policy_tag, enum store_space space, struct store_bytes key,
    struct redis_key *ret_key)
{
	int n;

	if (redis_buckets(space)) {
		n = g_snprintf(ret_key->bytes, sizeof ret_key->bytes, "greylag:{%s}:%s:%x",
		    space_tag(policy_tag, space), store_spaces[space].name,
		    redis_bucket(space, key));
		ret_key->length = ret_key->bare = (size_t)n;
		return;
	}
	n = g_snprintf(ret_key->bytes, sizeof ret_key->bytes,
	    "greylag:{%s}:%s:", space_tag(policy_tag, space), store_spaces[space].name);
	ret_key->bare = (size_t)n;
	ret_key->length = ret_key->bare + MIN(key.length, STORE_KEY_MAX);
	memcpy(ret_key->bytes + ret_key->bare, key.data, ret_key->length - ret_key->bare);
}
