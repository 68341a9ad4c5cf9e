#include "config.h"

#include "policyd/ctl/json.h"

#include <stdio.h>
#include <string.h>

#include "policyd/ctl/ctl.h"
#include "policyd/decide/domains.h"
#include "policyd/decide/envelope.h"
#include "policyd/stats/tally.h"

#define FORMAT_NAME "greylag policy records"

void
ctl_json_secret(const uint8_t hash_key[KEYEDHASH_KEY_SIZE], uint8_t ret_secret[KEYEDHASH_SIZE])
{
	keyedhash(hash_key, FORMAT_NAME, strlen(FORMAT_NAME), ret_secret);
}

/* -- places -- */

static void
copy_text(const struct store_bytes *bytes, char text[ENVELOPE_ADDRESS_SIZE])
{
	size_t length = MIN(bytes->length, ENVELOPE_ADDRESS_SIZE - 1);

	if (length)
		memcpy(text, bytes->data, length);
	text[length] = '\0';
}

void
place_key(const uint8_t hash_key[KEYEDHASH_KEY_SIZE], const struct triplet *triplet,
    const struct place *place, uint8_t ret_key[KEYEDHASH_SIZE])
{
	char sender[ENVELOPE_ADDRESS_SIZE], recipient[ENVELOPE_ADDRESS_SIZE];

	copy_text(&triplet->sender, sender);
	copy_text(&triplet->recipient, recipient);
	triplet_key(hash_key, sender, recipient, place->has_network ? &place->network : NULL,
	    &place->pool, ret_key);
}

bool
place_find(const uint8_t hash_key[KEYEDHASH_KEY_SIZE], const struct triplet *triplet,
    const struct store_bytes *key, struct place *ret_place)
{
	uint8_t tried[KEYEDHASH_SIZE];

	if (triplet->hashed || key->length != KEYEDHASH_SIZE)
		return false;
	/* The pair's own; then each sighting's network, and its pool. */
	for (unsigned i = 0; i < 1 + 2 * triplet->n_sightings; i++) {
		const struct sighting *s = i ? &triplet->sightings[(i - 1) / 2] : NULL;
		struct place place = {0};

		if (s && i % 2)
			place = (struct place){.has_network = true, .network = s->network};
		else if (s && s->pool.length)
			place.pool = s->pool;
		place_key(hash_key, triplet, &place, tried);
		if (memcmp(tried, key->data, sizeof tried) == 0) {
			*ret_place = place;
			return true;
		}
	}
	return false;
}

/* -- writing -- */

static json_t *
hex(const void *bytes, size_t length)
{
	g_autoptr(GString) text = g_string_new(NULL);

	ctl_append_hex(text, bytes, length);
	return json_string(text->str);
}

json_t *
ctl_json_bytes(const struct store_bytes *bytes)
{
	json_t *string = NULL;

	if (bytes->length == 0)
		return json_string("");
	if (!memchr(bytes->data, '\0', bytes->length))
		string = json_stringn(bytes->data, bytes->length);
	return string ? string : json_pack("{s:o}", "hex", hex(bytes->data, bytes->length));
}

json_t *
ctl_json_address(const struct store_bytes *address, bool hashed)
{
	return hashed ? json_pack("{s:o}", "hash", hex(address->data, address->length))
		      : ctl_json_bytes(address);
}

json_t *
ctl_json_network(const struct prefix *network)
{
	char text[PREFIX_TEXT_SIZE];

	return json_string(prefix_format(network, text));
}

static json_t *
early_json(const struct sighting *s)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < s->n_early; i++)
		json_array_append_new(list, json_integer(s->early[i]));
	return list;
}

json_t *
ctl_json_sighting(const struct sighting *s)
{
	json_t *object =
	    json_pack("{s:o, s:I, s:I, s:I, s:b, s:b}", "network", ctl_json_network(&s->network),
		"first", (json_int_t)s->first, "last", (json_int_t)s->last, "attempts",
		(json_int_t)s->attempts, "moved", (int)s->moved, "observed", (int)s->observed);

	if (s->pool.length)
		json_object_set_new(object, "pool", ctl_json_bytes(&s->pool));
	if (s->passed)
		json_object_set_new(object, "passed", json_integer(s->passed));
	if (s->others)
		json_object_set_new(object, "others", json_true());
	if (s->n_early)
		json_object_set_new(object, "early", early_json(s));
	return object;
}

json_t *
ctl_json_place(const struct triplet *record, const struct sighting *sighting, const char *state)
{
	json_t *object = ctl_json_sighting(sighting);

	json_object_set_new(object, "sender", ctl_json_address(&record->sender, record->hashed));
	json_object_set_new(
	    object, "recipient", ctl_json_address(&record->recipient, record->hashed));
	json_object_set_new(object, "state", json_string(state));
	if (sighting->passed && !sighting->observed)
		json_object_set_new(
		    object, "delay", json_integer(sighting->passed - sighting->first));
	return object;
}

json_t *
ctl_json_header(const uint8_t hash_key[KEYEDHASH_KEY_SIZE], int64_t now)
{
	uint8_t secret[KEYEDHASH_SIZE];

	ctl_json_secret(hash_key, secret);
	return json_pack("{s:s, s:s, s:i, s:o, s:I}", "type", "header", "format", FORMAT_NAME,
	    "version", CTL_JSON_VERSION, "secret", hex(secret, sizeof secret), "exported",
	    (json_int_t)now);
}

static json_t *
place_json(const uint8_t *hash_key, const struct triplet *t, const struct store_bytes *key)
{
	struct place place;

	if (!place_find(hash_key, t, key, &place))
		return json_string("unknown");
	if (place.pool.length)
		return json_pack("{s:o}", "pool", ctl_json_bytes(&place.pool));
	if (place.has_network)
		return json_pack("{s:o}", "network", ctl_json_network(&place.network));
	return json_null();
}

static json_t *
triplet_json(
    const uint8_t *hash_key, const struct store_bytes *key, const struct store_bytes *value)
{
	struct triplet t;
	json_t *object, *sightings;

	if (!triplet_decode(value, &t) || key->length != KEYEDHASH_SIZE)
		return NULL;
	sightings = json_array();
	for (unsigned i = 0; i < t.n_sightings; i++)
		json_array_append_new(sightings, ctl_json_sighting(&t.sightings[i]));
	object = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "type", "triplet", "key",
	    hex(key->data, key->length), "place", place_json(hash_key, &t, key), "sender",
	    ctl_json_address(&t.sender, t.hashed), "recipient",
	    ctl_json_address(&t.recipient, t.hashed), "sightings", sightings);
	if (t.overflow_until)
		json_object_set_new(object, "overflow_until", json_integer(t.overflow_until));
	return object;
}

static json_t *
client_json(const uint8_t *hash_key G_GNUC_UNUSED, const struct store_bytes *key,
    const struct store_bytes *value)
{
	struct client client;
	struct prefix network;

	if (!client_key_decode(key, &network) || !client_decode(value, &client))
		return NULL;
	return json_pack("{s:s, s:o, s:I, s:I}", "type", "client", "network",
	    ctl_json_network(&network), "passes", (json_int_t)client.passes, "counted",
	    (json_int_t)client.counted);
}

json_t *
ctl_json_expected(const struct expected_entry *e)
{
	json_t *object =
	    json_pack("{s:o, s:I, s:I}", "sender", ctl_json_address(&e->sender, e->hashed), "since",
		(json_int_t)e->since, "until", (json_int_t)e->until);

	if (e->recipient.length)
		json_object_set_new(
		    object, "recipient", ctl_json_address(&e->recipient, e->hashed));
	return object;
}

static json_t *
expected_json(const struct store_bytes *key, const struct store_bytes *value)
{
	struct expected_entry entry;
	json_t *object;

	if (!expected_decode(key, value, &entry))
		return NULL;
	object = ctl_json_expected(&entry);
	json_object_set_new(object, "type", json_string("expected"));
	return object;
}

static json_t *
allowed_json(const uint8_t *hash_key G_GNUC_UNUSED, const struct store_bytes *key,
    const struct store_bytes *value)
{
	struct allowed_entry entry;

	if (expected_is_key(key))
		return expected_json(key, value);
	if (!allowed_decode(value, &entry))
		return NULL;
	return json_pack("{s:s, s:o, s:I, s:I}", "type", "allowed", "entry", ctl_json_bytes(key),
	    "since", (json_int_t)entry.since, "until", (json_int_t)entry.until);
}

static json_t *
cells_json(const struct store_bytes *value)
{
	json_t *cells = json_array();

	for (uint32_t i = 0; i < value->length / 4; i++)
		json_array_append_new(cells, json_integer(store_cell_get(value, i)));
	return cells;
}

static json_t *
hour_json(const uint8_t *hash_key G_GNUC_UNUSED, const struct store_bytes *key,
    const struct store_bytes *value)
{
	if (tally_key_hour(key) < 0 || value->length % 4)
		return NULL;
	return json_pack("{s:s, s:I, s:o}", "type", "hour", "hour", (json_int_t)tally_key_hour(key),
	    "cells", cells_json(value));
}

static json_t *
domain_json(const uint8_t *hash_key G_GNUC_UNUSED, const struct store_bytes *key,
    const struct store_bytes *value)
{
	char domain[DOMAINS_NAME_SIZE];
	int64_t day;

	if (!domains_key_decode(key, &day, domain) || value->length % 4)
		return NULL;
	return json_pack("{s:s, s:I, s:o, s:o}", "type", "domain", "day", (json_int_t)day, "domain",
	    ctl_json_bytes(&(struct store_bytes){domain, strlen(domain)}), "cells",
	    cells_json(value));
}

json_t *
ctl_json_record(const uint8_t hash_key[KEYEDHASH_KEY_SIZE], enum store_space space,
    const struct store_bytes *key, const struct store_bytes *value, int64_t expires)
{
	static json_t *(*const writers[])(const uint8_t *hash_key, const struct store_bytes *key,
	    const struct store_bytes *value) = {
	    [STORE_TRIPLETS] = triplet_json,
	    [STORE_CLIENTS] = client_json,
	    [STORE_ALLOWED] = allowed_json,
	    [STORE_HOURS] = hour_json,
	    [STORE_DOMAINS] = domain_json,
	};
	json_t *object = writers[space](hash_key, key, value);

	if (object)
		json_object_set_new(object, "expires", json_integer(expires));
	return object;
}

void
ctl_json_print(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}
