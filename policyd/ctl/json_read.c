/* The way back: a line into a record. Whatever the line is, it is either a record or an error. */
#include "config.h"

#include "policyd/ctl/json.h"

#include <string.h>

#include "policyd/ctl/ctl.h"
#include "policyd/decide/domains.h"
#include "policyd/decide/envelope.h"
#include "policyd/stats/tally.h"

#define TIME_MAX (((int64_t)1 << 40) - 1)

void
ctl_record_init(struct ctl_record *record)
{
	memset(record, 0, sizeof *record);
	record->strings = g_string_chunk_new(4096);
}

void
ctl_record_clear(struct ctl_record *record)
{
	g_string_chunk_free(record->strings);
	record->strings = NULL;
}

/* Fields say what is wrong with them; a missing one has its default. */
static bool
read_number(json_t *object, const char *name, int64_t maximum, int64_t *ret_number, GError **error)
{
	json_t *value = json_object_get(object, name);

	if (!value)
		return true;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > maximum)
		return ctl_fail(
		    error, "\"%s\" is no number from 0 to %" G_GINT64_FORMAT, name, maximum);
	*ret_number = json_integer_value(value);
	return true;
}

/* A string, {"hex": ...}, or where HASHED is given {"hash": ...}. */
static bool
read_bytes(struct ctl_record *record, json_t *object, const char *name, size_t maximum,
    bool *ret_hashed, struct store_bytes *ret_bytes, GError **error)
{
	json_t *value = json_object_get(object, name);
	const char *hash = ret_hashed ? json_string_value(json_object_get(value, "hash")) : NULL;
	const char *hex = hash ? hash : json_string_value(json_object_get(value, "hex"));
	char bytes[ENVELOPE_ADDRESS_SIZE];
	size_t length;

	if (json_is_string(value)) {
		length = json_string_length(value);
		if (length > maximum || strlen(json_string_value(value)) != length)
			return ctl_fail(error, "\"%s\" is too long or has a NUL", name);
		memcpy(bytes, json_string_value(value), length);
	} else {
		length = hex ? strlen(hex) / 2 : 0;
		if (!hex || length > maximum || !ctl_parse_hex(hex, bytes, length) ||
		    (!hash && memchr(bytes, '\0', length)))
			return ctl_fail(error, "\"%s\" is neither a string nor bytes in hex", name);
		if (hash && length != TRIPLET_ADDRESS_HASH_SIZE)
			return ctl_fail(error, "\"%s\" is no hash of an address", name);
	}
	if (ret_hashed)
		*ret_hashed = hash != NULL;
	ret_bytes->data = g_string_chunk_insert_len(record->strings, bytes, (gssize)length);
	ret_bytes->length = length;
	return true;
}

static bool
read_network(json_t *object, const char *name, struct prefix *ret_network, GError **error)
{
	const char *text = json_string_value(json_object_get(object, name));

	return (text && prefix_parse(text, ret_network)) ||
	       ctl_fail(error, "\"%s\" is no network", name);
}

static bool
read_early(json_t *object, struct sighting *s, GError **error)
{
	json_t *early = json_object_get(object, "early"), *one;
	size_t i;

	if (early && (!json_is_array(early) || json_array_size(early) > TRIPLET_EARLY))
		return ctl_fail(error, "\"early\" is no list of at most %d", TRIPLET_EARLY);
	json_array_foreach(early, i, one)
	{
		if (!json_is_integer(one))
			return ctl_fail(error, "\"early\" has something that is no number");
		sighting_add_early(s, json_integer_value(one));
	}
	return true;
}

static bool
read_sighting(
    struct ctl_record *record, json_t *object, struct sighting *ret_sighting, GError **error)
{
	struct sighting s = {0};
	int64_t attempts = 1;

	if (!read_network(object, "network", &s.network, error) ||
	    !read_number(object, "first", TIME_MAX, &s.first, error))
		return false;
	s.last = s.first;
	if (!read_number(object, "last", TIME_MAX, &s.last, error) ||
	    !read_number(object, "passed", TIME_MAX, &s.passed, error) ||
	    !read_number(object, "attempts", UINT32_MAX, &attempts, error))
		return false;
	if (json_object_get(object, "pool") &&
	    !read_bytes(record, object, "pool", CLIENTNAME_SIZE - 1, NULL, &s.pool, error))
		return false;
	if (s.last < s.first || (s.passed && s.passed < s.first))
		return ctl_fail(error, "a time is before the first attempt's");
	s.attempts = (uint32_t)attempts;
	s.moved = json_is_true(json_object_get(object, "moved"));
	s.observed = json_is_true(json_object_get(object, "observed"));
	s.others = json_is_true(json_object_get(object, "others"));
	if (!read_early(object, &s, error))
		return false;
	*ret_sighting = s;
	return true;
}

static bool
read_sightings(struct ctl_record *record, json_t *object, GError **error)
{
	json_t *array = json_object_get(object, "sightings"), *one;
	struct triplet *t = &record->triplet;
	size_t i;

	if (!json_is_array(array) || json_array_size(array) > TRIPLET_SIGHTINGS)
		return ctl_fail(error, "\"sightings\" is no list of at most %d", TRIPLET_SIGHTINGS);
	json_array_foreach(
	    array, i, one) if (!read_sighting(record, one, &t->sightings[t->n_sightings++],
				   error)) return false;
	return true;
}

static bool
read_place(struct ctl_record *record, json_t *object, struct place *ret_place, GError **error)
{
	json_t *place = json_object_get(object, "place");
	struct place p = {0};

	if (json_object_get(place, "pool")) {
		if (!read_bytes(record, place, "pool", CLIENTNAME_SIZE - 1, NULL, &p.pool, error))
			return false;
	} else if (json_object_get(place, "network")) {
		p.has_network = true;
		if (!read_network(place, "network", &p.network, error))
			return false;
	} else if (!json_is_null(place)) {
		return ctl_fail(error,
		    "it can be imported only into the store that it was exported from (its key "
		    "cannot be made anew); use greylagctl backup to move such a store");
	}
	*ret_place = p;
	return true;
}

/* The key: as it is in the same store, else from the addresses and this store's hash key. */
static bool
read_triplet_key(
    const struct ctl_json_reader *reader, struct ctl_record *record, json_t *object, GError **error)
{
	const char *key = json_string_value(json_object_get(object, "key"));
	struct place place;

	record->key_length = KEYEDHASH_SIZE;
	if (reader->same_secret && key)
		return ctl_parse_hex(key, record->key, KEYEDHASH_SIZE) ||
		       ctl_fail(error, "\"key\" is no key");
	if (record->triplet.hashed)
		return ctl_fail(error,
		    "its addresses are hashed with another store's secret; use greylagctl backup "
		    "to move such a store");
	if (!read_place(record, object, &place, error))
		return false;
	place_key(reader->hash_key, &record->triplet, &place, record->key);
	return true;
}

static bool
read_triplet(
    const struct ctl_json_reader *reader, struct ctl_record *record, json_t *object, GError **error)
{
	struct triplet *t = &record->triplet;
	bool sender_hashed, recipient_hashed;
	const size_t max = ENVELOPE_ADDRESS_SIZE - 1;

	memset(t, 0, sizeof *t);
	if (!read_bytes(record, object, "sender", max, &sender_hashed, &t->sender, error) ||
	    !read_bytes(record, object, "recipient", max, &recipient_hashed, &t->recipient, error))
		return false;
	if (sender_hashed != recipient_hashed)
		return ctl_fail(error, "one address is hashed, the other is not");
	t->hashed = sender_hashed;
	return read_number(object, "overflow_until", TIME_MAX, &t->overflow_until, error) &&
	       read_sightings(record, object, error) &&
	       read_triplet_key(reader, record, object, error);
}

static bool
read_client(const struct ctl_json_reader *reader G_GNUC_UNUSED, struct ctl_record *record,
    json_t *object, GError **error)
{
	struct prefix network, trusted;
	int64_t passes = 0;

	if (!read_network(object, "network", &network, error) ||
	    !read_number(object, "passes", UINT32_MAX, &passes, error) ||
	    !read_number(object, "counted", TIME_MAX, &record->client.counted, error))
		return false;
	trusted = client_trusted(&network.address);
	if (!prefix_equal(&network, &trusted))
		return ctl_fail(error, "a client is an IPv4 address or an IPv6 /64");
	record->client.passes = (uint32_t)passes;
	record->key_length = client_key(&network.address, record->key);
	return true;
}

static bool
read_allowed(const struct ctl_json_reader *reader G_GNUC_UNUSED, struct ctl_record *record,
    json_t *object, GError **error)
{
	const char *text = json_string_value(json_object_get(object, "entry"));
	g_autofree char *key = NULL;

	record->allowed = (struct allowed_entry){0};
	if (!text)
		return ctl_fail(error, "\"entry\" is missing");
	if (!allowed_parse(text, &key, error) ||
	    !read_number(object, "since", TIME_MAX, &record->allowed.since, error) ||
	    !read_number(object, "until", TIME_MAX, &record->allowed.until, error))
		return false;
	record->key_length = strlen(key);
	memcpy(record->key, key, record->key_length);
	return true;
}

static bool
read_expected(
    const struct ctl_json_reader *reader, struct ctl_record *record, json_t *object, GError **error)
{
	struct expected_entry *e = &record->expected;
	const size_t max = ENVELOPE_ADDRESS_SIZE - 1;
	bool recipient_hashed;

	*e = (struct expected_entry){0};
	record->is_expected = true;
	if (!read_bytes(record, object, "sender", max, &e->hashed, &e->sender, error))
		return false;
	recipient_hashed = e->hashed;
	if (json_object_get(object, "recipient") &&
	    !read_bytes(record, object, "recipient", max, &recipient_hashed, &e->recipient, error))
		return false;
	if (recipient_hashed != e->hashed)
		return ctl_fail(error, "one address is hashed, the other is not");
	if (!read_number(object, "since", TIME_MAX, &e->since, error) ||
	    !read_number(object, "until", TIME_MAX, &e->until, error))
		return false;
	if (!e->sender.length || e->until <= e->since)
		return ctl_fail(error, "it has no sender, or ends before it begins");
	if (e->hashed && !reader->same_secret)
		return ctl_fail(error, "its addresses are hashed with another store's secret");
	expected_key(reader->hash_key, e, record->key);
	record->key_length = EXPECTED_KEY_SIZE;
	return true;
}

static bool
read_cells(struct ctl_record *record, json_t *object, GError **error)
{
	json_t *cells = json_object_get(object, "cells"), *cell;
	size_t i;

	if (!json_is_array(cells) || json_array_size(cells) > STORE_CELLS_MAX)
		return ctl_fail(error, "\"cells\" is no list of at most %d", STORE_CELLS_MAX);
	record->n_cells = 0;
	json_array_foreach(cells, i, cell)
	{
		json_int_t number = json_integer_value(cell);

		if (!json_is_integer(cell) || number < 0 || number > INT32_MAX)
			return ctl_fail(error, "\"cells\" has something that is no count");
		record->cells[record->n_cells++] = (struct store_cell){
		    .index = (uint32_t)i, .op = STORE_MAX, .delta = (int32_t)number};
	}
	return true;
}

static bool
read_hour(const struct ctl_json_reader *reader G_GNUC_UNUSED, struct ctl_record *record,
    json_t *object, GError **error)
{
	int64_t hour = 0;

	if (!read_number(object, "hour", UINT32_MAX, &hour, error) ||
	    !read_cells(record, object, error))
		return false;
	tally_key(hour, record->key);
	record->key_length = TALLY_KEY_SIZE;
	return true;
}

static bool
read_domain(const struct ctl_json_reader *reader G_GNUC_UNUSED, struct ctl_record *record,
    json_t *object, GError **error)
{
	struct store_bytes domain;
	int64_t day = 0;

	if (!read_number(object, "day", UINT32_MAX, &day, error) ||
	    !read_bytes(record, object, "domain", DOMAINS_NAME_SIZE - 1, NULL, &domain, error) ||
	    !read_cells(record, object, error))
		return false;
	record->key_length = domains_key(day, domain.data, record->key);
	return true;
}

static bool
read_header(struct ctl_json_reader *reader, json_t *object, GError **error)
{
	const char *format = json_string_value(json_object_get(object, "format"));
	const char *secret = json_string_value(json_object_get(object, "secret"));
	json_int_t version = json_integer_value(json_object_get(object, "version"));
	uint8_t theirs[KEYEDHASH_SIZE], ours[KEYEDHASH_SIZE];

	if (!format || strcmp(format, "greylag policy records") != 0)
		return ctl_fail(error, "it is the header of another format");
	if (version < 1 || version > CTL_JSON_VERSION)
		return ctl_fail(error,
		    "its version is %" JSON_INTEGER_FORMAT "; this greylagctl reads up to %d",
		    version, CTL_JSON_VERSION);
	ctl_json_secret(reader->hash_key, ours);
	reader->begun = true;
	reader->same_secret = secret && ctl_parse_hex(secret, theirs, sizeof theirs) &&
			      memcmp(ours, theirs, sizeof ours) == 0;
	return true;
}

static bool
read_record(
    const struct ctl_json_reader *reader, json_t *object, struct ctl_record *record, GError **error)
{
	static const struct {
		const char *type;
		enum store_space space;
		bool (*read)(const struct ctl_json_reader *reader, struct ctl_record *record,
		    json_t *object, GError **error);
	} types[] = {
	    {"triplet", STORE_TRIPLETS, read_triplet},
	    {"client", STORE_CLIENTS, read_client},
	    {"allowed", STORE_ALLOWED, read_allowed},
	    {"expected", STORE_ALLOWED, read_expected},
	    {"hour", STORE_HOURS, read_hour},
	    {"domain", STORE_DOMAINS, read_domain},
	};
	const char *type = json_string_value(json_object_get(object, "type"));

	for (size_t i = 0; type && i < G_N_ELEMENTS(types); i++) {
		if (strcmp(type, types[i].type) != 0)
			continue;
		g_string_chunk_clear(record->strings);
		record->space = types[i].space;
		record->expires = 0;
		record->is_expected = false;
		return read_number(object, "expires", TIME_MAX, &record->expires, error) &&
		       types[i].read(reader, record, object, error);
	}
	return ctl_fail(
	    error, "\"type\" is none of header, triplet, client, allowed, expected, hour, domain");
}

bool
ctl_json_read(struct ctl_json_reader *reader, const char *line, size_t length,
    struct ctl_record *record, bool *ret_header, GError **error)
{
	json_error_t fault;
	json_t *object = json_loadb(line, length, JSON_REJECT_DUPLICATES, &fault);
	const char *type = json_string_value(json_object_get(object, "type"));
	bool header = type && strcmp(type, "header") == 0, good;

	if (!object)
		return ctl_fail(error, "it is no JSON: %s", fault.text);
	if (header)
		good = read_header(reader, object, error);
	else if (!reader->begun)
		good = ctl_fail(error, "there is no header before it");
	else
		good = read_record(reader, object, record, error);
	json_decref(object);
	if (good)
		*ret_header = header;
	return good;
}
