#include "config.h"

#include <math.h>
#include <string.h>
#include "classifier/model/rehearsal.h"

#define FORMAT 1

/* The golden ratio's fraction by 2^64: multiples of it spread evenly. */
#define STEP UINT64_C(0x9e3779b97f4a7c15)

static uint64_t
read_number(const uint8_t bytes[8])
{
	uint64_t number;
	memcpy(&number, bytes, sizeof(number));
	return GUINT64_FROM_BE(number);
}

/* S. Vigna's splitmix64: every bit of the result depends on every bit of the number. */
static uint64_t
mix(uint64_t number)
{
	number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
	return number ^ number >> 31;
}

void
rehearsal_point(const uint8_t digest[CANONICAL_DIGEST_SIZE], unsigned draw,
    uint8_t ret_point[CANONICAL_DIGEST_SIZE])
{
	uint64_t number = GUINT64_TO_BE(mix(read_number(digest) + STEP * (draw + 1)));
	memset(ret_point, 0, CANONICAL_DIGEST_SIZE);
	memcpy(ret_point, &number, sizeof(number));
}

/* The second half of the digest decides here, the first where the draws fall. */
bool
rehearsal_keeps(const uint8_t digest[CANONICAL_DIGEST_SIZE], unsigned lowerings)
{
	double rank = (double)(mix(read_number(digest + 8)) >> 11) * 0x1p-53;
	return rank <= pow(0.9, lowerings);
}

#define NUMBER_BYTES 5

/* Nearly all take one byte or two, and which of them no processor can foretell: so without a branch
 * for that, here and below. */
static uint8_t *
put_number(uint8_t *at, uint32_t number)
{
	if (number < 1u << 14) {
		uint32_t two = number >= 0x80;
		at[0] = (uint8_t)(number | two << 7);
		at[1] = (uint8_t)(number >> 7);
		return at + 1 + two;
	}
	for (; number >= 0x80; number >>= 7)
		*at++ = (uint8_t)(number | 0x80);
	*at++ = (uint8_t)number;
	return at;
}

void
rehearsal_encode(const struct features *features, GByteArray *ret_bytes)
{
	guint before = ret_bytes->len;
	size_t numbers = 1;
	for (unsigned voice = 0; voice < VOICES; voice++)
		numbers += 1 + features->voices[voice].count;
	g_byte_array_set_size(ret_bytes, before + (guint)(numbers * NUMBER_BYTES));
	uint8_t *at = put_number(ret_bytes->data + before, FORMAT);
	for (unsigned voice = 0; voice < VOICES; voice++) {
		const struct slots *slots = &features->voices[voice];
		uint32_t next = 0;
		at = put_number(at, (uint32_t)slots->count);
		for (size_t i = 0; i < slots->count; i++) {
			at = put_number(at, slots->list[i] - next);
			next = slots->list[i] + 1;
		}
	}
	g_byte_array_set_size(ret_bytes, (guint)(at - ret_bytes->data));
}

struct reader {
	const uint8_t *at, *end;
	bool bad;
};

static inline uint32_t
take_number(struct reader *reader)
{
	uint32_t number = 0;
	if (reader->end - reader->at >= 2) {
		uint32_t two = reader->at[0] >> 7, second = reader->at[1];
		if ((two & second >> 7) == 0) {
			number = (reader->at[0] & 0x7fu) | (second << 7 & -two);
			reader->at += 1 + two;
			return number;
		}
	}
	for (unsigned shift = 0; shift < 28 && reader->at < reader->end; shift += 7) {
		uint8_t byte = *reader->at++;
		number |= (uint32_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return number;
	}
	reader->bad = true;
	return 0;
}

static void
take_slots(struct reader *reader, uint32_t *list, struct slots *ret_slots)
{
	size_t count = take_number(reader);
	uint32_t next = 0;
	/* Each takes a byte at least. */
	if (count > (size_t)(reader->end - reader->at))
		reader->bad = true;
	for (size_t i = 0; i < count && !reader->bad; i++) {
		list[i] = next + take_number(reader);
		next = list[i] + 1;
		if (list[i] >= NGRAMS_SLOTS)
			reader->bad = true;
	}
	*ret_slots = (struct slots){.list = list, .count = count};
}

bool
rehearsal_decode(const uint8_t *bytes, size_t length, struct features *ret_features)
{
	struct reader reader = {.at = bytes, .end = bytes + length};
	struct features features = {.block = g_new(uint32_t, length + 1)};
	uint32_t *list = features.block;
	reader.bad = take_number(&reader) != FORMAT || reader.bad;
	for (unsigned voice = 0; voice < VOICES && !reader.bad; voice++) {
		take_slots(&reader, list, &features.voices[voice]);
		list += features.voices[voice].count;
	}
	if (reader.bad || reader.at != reader.end) {
		features_clear(&features);
		return false;
	}
	*ret_features = features;
	return true;
}
