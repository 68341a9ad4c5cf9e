/*
 * A record as it is stored (db/record.h gives the form), for bob@example.org writing to
 * al@example.net, first seen 1795000000 from 192.0.2.0/24, passed 61 s later:
 *
 *	01                                                version
 *	   01 0f 62 6f 62 40 ... 72 67                    1 sender
 *	   02 0e 61 6c 40 ... 65 74                       2 recipient
 *	   05 11                                          5 a sighting, of 17 bytes:
 *	         01 04 18 c0 00 02                          1 network: length in bits, 3 bytes
 *	         03 04 6a fd 86 c0                          3 first
 *	         04 01 3d                                   4 last, in seconds after the first
 *	         05 01 3d                                   5 passed, in seconds after the first, +
 *0
 *	         ...
 *
 * Fields with their usual value are left out: no pool, last = first, one attempt. Early retries
 * are one field of numbers, each the seconds since the one before, in groups of 7 bits from the
 * lowest on, all but a number's last with bit 7 set: 08 03 0a a0 01 is 10 s and 170 s.
 */
#include "config.h"

#include "policyd/decide/triplet.h"

#include <string.h>
#include <glib.h>

#include "db/record.h"

#define TRIPLET_VERSION 1

enum triplet_tag {
	TAG_SENDER = 1,
	TAG_RECIPIENT,
	TAG_SENDER_HASH,
	TAG_RECIPIENT_HASH,
	TAG_SIGHTING,
	TAG_OVERFLOW_UNTIL,
};

enum sighting_tag {
	TAG_NETWORK = 1,
	TAG_POOL,
	TAG_FIRST,
	TAG_LAST,
	TAG_PASSED, /* seconds after the first, plus one, so that it is never 0 */
	TAG_ATTEMPTS,
	TAG_FLAGS,
	TAG_EARLY,
};

enum sighting_flag { FLAG_IPV6 = 1, FLAG_MOVED = 2, FLAG_OBSERVED = 4, FLAG_OTHERS = 8 };

const uint32_t triplet_ages[TRIPLET_EARLY] = {1, 30, 60, 120, 300, 600, 1800, 3600};

static const char *const state_names[TRIPLET_STATES] = {
    [TRIPLET_GREYLISTED] = "greylisted",
    [TRIPLET_PASSED] = "passed",
    [TRIPLET_OBSERVED] = "observed",
};

const char *
triplet_state_name(enum triplet_state state)
{
	return state_names[state];
}

enum triplet_state
sighting_state(const struct sighting *sighting)
{
	if (!sighting->passed)
		return TRIPLET_GREYLISTED;
	return sighting->observed ? TRIPLET_OBSERVED : TRIPLET_PASSED;
}

/* -- early retries -- */

/* Which interval an age lies in, from 1 on; 0 for none. */
static unsigned
interval_of(uint32_t age)
{
	unsigned i = 0;

	while (i < TRIPLET_EARLY && age >= triplet_ages[i])
		i++;
	return i;
}

void
sighting_add_early(struct sighting *s, int64_t age)
{
	uint32_t offset = (uint32_t)CLAMP(age, 0, INT32_MAX);
	unsigned last = s->n_early ? interval_of(s->early[s->n_early - 1]) : 0;

	if (interval_of(offset) > last)
		s->early[s->n_early++] = offset;
}

unsigned
sighting_offsets(const struct sighting *s, uint32_t ret_offsets[TRIPLET_OFFSETS])
{
	uint32_t passed = (uint32_t)CLAMP(s->passed - s->first, 0, INT32_MAX);
	unsigned n = s->n_early;

	memcpy(ret_offsets, s->early, n * sizeof *ret_offsets);
	if (s->passed && !s->observed && (n == 0 || passed > ret_offsets[n - 1]))
		ret_offsets[n++] = passed;
	return n;
}

/* False for what is no list of numbers, or a list of too many. */
static bool
early_decode(const struct record_field *field, struct sighting *s)
{
	uint64_t age = 0, step = 0;
	unsigned shift = 0;

	for (size_t i = 0; i < field->length; i++) {
		step |= (uint64_t)(field->bytes[i] & 0x7f) << shift;
		shift += 7;
		if (field->bytes[i] & 0x80 && shift < 35)
			continue;
		age += step;
		if (field->bytes[i] & 0x80 || age > INT32_MAX || s->n_early == TRIPLET_EARLY)
			return false;
		sighting_add_early(s, (int64_t)age);
		step = shift = 0;
	}
	return shift == 0;
}

static void
early_encode(struct record_writer *writer, const struct sighting *s)
{
	uint8_t bytes[TRIPLET_EARLY * 5];
	size_t used = 0;

	for (unsigned i = 0; i < s->n_early; i++) {
		uint32_t step = s->early[i] - (i ? s->early[i - 1] : 0);

		for (; step > 0x7f; step >>= 7)
			bytes[used++] = (uint8_t)(step | 0x80);
		bytes[used++] = (uint8_t)step;
	}
	if (used)
		record_write_bytes(writer, TAG_EARLY, bytes, used);
}

/* -- keys -- */

/* Parts with their lengths before them, so that no two lists of parts give the same bytes. */
struct key_text {
	uint8_t bytes[2048];
	size_t used;
};

static void
key_text_add(struct key_text *text, const void *part, size_t length)
{
	if (length > sizeof text->bytes / 4)
		length = sizeof text->bytes / 4;
	text->bytes[text->used++] = (uint8_t)(length >> 8);
	text->bytes[text->used++] = (uint8_t)length;
	if (length)
		memcpy(text->bytes + text->used, part, length);
	text->used += length;
}

void
triplet_key(const uint8_t hash_key[KEYEDHASH_KEY_SIZE], const char *sender, const char *recipient,
    const struct prefix *network, const struct store_bytes *pool, uint8_t ret_key[KEYEDHASH_SIZE])
{
	struct key_text text;

	text.used = 0;
	key_text_add(&text, sender, strlen(sender));
	key_text_add(&text, recipient, strlen(recipient));
	if (pool && pool->length) {
		key_text_add(&text, pool->data, pool->length);
	} else if (network) {
		key_text_add(&text, &network->length, 1);
		key_text_add(&text, network->address.bytes, address_size(&network->address));
	}
	keyedhash(hash_key, text.bytes, text.used, ret_key);
}

void
triplet_address_hash(const uint8_t hash_key[KEYEDHASH_KEY_SIZE], const char *address,
    uint8_t ret_hash[TRIPLET_ADDRESS_HASH_SIZE])
{
	uint8_t hash[KEYEDHASH_SIZE];

	keyedhash(hash_key, address, strlen(address), hash);
	memcpy(ret_hash, hash, TRIPLET_ADDRESS_HASH_SIZE);
}

/* -- decoding -- */

static bool
network_decode(const struct record_field *field, struct prefix *network)
{
	size_t size = field->length - 1;

	if (field->length < 1 || size > sizeof network->address.bytes)
		return false;
	network->length = field->bytes[0];
	memcpy(network->address.bytes, field->bytes + 1, size);
	return true;
}

/* LAST and PASSED are as stored: seconds after the first attempt, PASSED plus one, or 0 for never.
 * No time reaches as far as 2^40 s: larger numbers are no times, and would overflow. */
static bool
set_times(struct sighting *s, uint64_t last, uint64_t passed)
{
	if (s->first < 0 || (uint64_t)s->first >> 40 || last >> 40 || passed >> 40)
		return false;
	s->last = s->first + (int64_t)last;
	s->passed = passed ? s->first + (int64_t)passed - 1 : 0;
	return true;
}

static bool
set_flags(struct sighting *s, uint64_t flags)
{
	s->network.address.family = flags & FLAG_IPV6 ? ADDRESS_IPV6 : ADDRESS_IPV4;
	if (s->network.length > 8 * address_size(&s->network.address))
		return false;
	s->network = prefix_of(&s->network.address, s->network.length, s->network.length);
	s->moved = flags & FLAG_MOVED;
	s->observed = flags & FLAG_OBSERVED;
	s->others = flags & FLAG_OTHERS;
	return true;
}

static bool
sighting_decode(const struct record_field *field, struct sighting *ret_sighting)
{
	struct sighting s = {.attempts = 1};
	struct record_reader reader;
	struct record_field f;
	uint64_t flags = 0, last = 0, passed = 0;

	record_reader_nested(&reader, field);
	while (record_next(&reader, &f)) {
		switch (f.tag) {
		case TAG_NETWORK:
			if (!network_decode(&f, &s.network))
				return false;
			break;
		case TAG_POOL: s.pool = (struct store_bytes){f.bytes, f.length}; break;
		case TAG_FIRST: s.first = (int64_t)record_number(&reader, &f); break;
		case TAG_LAST: last = record_number(&reader, &f); break;
		case TAG_PASSED: passed = record_number(&reader, &f); break;
		case TAG_ATTEMPTS: s.attempts = (uint32_t)record_number(&reader, &f); break;
		case TAG_FLAGS: flags = record_number(&reader, &f); break;
		case TAG_EARLY:
			s.n_early = 0;
			if (!early_decode(&f, &s))
				return false;
			break;
		}
	}
	if (reader.broken || !set_times(&s, last, passed) || !set_flags(&s, flags))
		return false;
	*ret_sighting = s;
	return true;
}

/* One field of the record; what an older reader does not know is skipped. */
static bool
triplet_field(struct triplet *triplet, struct record_reader *reader, const struct record_field *f)
{
	struct store_bytes bytes = {f->bytes, f->length};

	switch (f->tag) {
	case TAG_SENDER: triplet->sender = bytes; break;
	case TAG_RECIPIENT: triplet->recipient = bytes; break;
	case TAG_SENDER_HASH:
		triplet->sender = bytes;
		triplet->hashed = true;
		break;
	case TAG_RECIPIENT_HASH:
		triplet->recipient = bytes;
		triplet->hashed = true;
		break;
	case TAG_OVERFLOW_UNTIL: triplet->overflow_until = (int64_t)record_number(reader, f); break;
	case TAG_SIGHTING:
		if (triplet->n_sightings == TRIPLET_SIGHTINGS)
			return true;
		return sighting_decode(f, &triplet->sightings[triplet->n_sightings++]);
	}
	return true;
}

bool
triplet_decode(const struct store_bytes *bytes, struct triplet *ret_triplet)
{
	struct record_reader reader;
	struct record_field field;
	uint8_t version;

	record_reader_init(&reader, bytes->data, bytes->length, &version);
	if (version == 0)
		return false;
	ret_triplet->sender = ret_triplet->recipient = (struct store_bytes){NULL, 0};
	ret_triplet->hashed = false;
	ret_triplet->overflow_until = 0;
	ret_triplet->n_sightings = 0;
	while (record_next(&reader, &field))
		if (!triplet_field(ret_triplet, &reader, &field))
			return false;
	return !reader.broken;
}

/* -- encoding -- */

static void
network_encode(struct record_writer *writer, const struct prefix *network)
{
	uint8_t bytes[17];
	size_t size = (network->length + 7u) / 8;

	bytes[0] = network->length;
	memcpy(bytes + 1, network->address.bytes, size);
	record_write_bytes(writer, TAG_NETWORK, bytes, size + 1);
}

static void
sighting_encode(struct record_writer *writer, const struct sighting *s)
{
	uint8_t bytes[512];
	struct record_writer w;
	unsigned flags = (s->network.address.family == ADDRESS_IPV6 ? FLAG_IPV6 : 0u) |
			 (s->moved ? FLAG_MOVED : 0u) | (s->observed ? FLAG_OBSERVED : 0u) |
			 (s->others ? FLAG_OTHERS : 0u);

	record_writer_init(&w, bytes, sizeof bytes);
	network_encode(&w, &s->network);
	if (s->pool.length)
		record_write_bytes(&w, TAG_POOL, s->pool.data, s->pool.length);
	record_write_number(&w, TAG_FIRST, (uint64_t)s->first);
	if (s->last > s->first)
		record_write_number(&w, TAG_LAST, (uint64_t)(s->last - s->first));
	if (s->passed)
		record_write_number(&w, TAG_PASSED, (uint64_t)(s->passed - s->first) + 1);
	if (s->attempts != 1)
		record_write_number(&w, TAG_ATTEMPTS, s->attempts);
	if (flags)
		record_write_number(&w, TAG_FLAGS, flags);
	early_encode(&w, s);
	record_write_bytes(writer, TAG_SIGHTING, bytes, w.used);
}

size_t
triplet_encode(const struct triplet *triplet, uint8_t ret_bytes[TRIPLET_RECORD_MAX])
{
	struct record_writer w;
	bool hashed = triplet->hashed;

	record_writer_init(&w, ret_bytes, TRIPLET_RECORD_MAX);
	record_write_version(&w, TRIPLET_VERSION);
	record_write_bytes(&w, hashed ? TAG_SENDER_HASH : TAG_SENDER, triplet->sender.data,
	    triplet->sender.length);
	record_write_bytes(&w, hashed ? TAG_RECIPIENT_HASH : TAG_RECIPIENT, triplet->recipient.data,
	    triplet->recipient.length);
	if (triplet->overflow_until)
		record_write_number(&w, TAG_OVERFLOW_UNTIL, (uint64_t)triplet->overflow_until);
	for (unsigned i = 0; i < triplet->n_sightings; i++)
		sighting_encode(&w, &triplet->sightings[i]);
	return w.used;
}
