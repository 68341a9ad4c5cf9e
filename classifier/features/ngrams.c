#include "config.h"

#include <string.h>
#include <glib.h>
#include "classifier/features/ngrams.h"

#define RAW_GRAM  4
#define TEXT_GRAM 5

/* A set of slots: a bit each, and above it a bit for each word of those that is not zero, so that
 * reading out in ascending order and clearing costs no more than what is in it. */
#define SET_WORDS   (NGRAMS_SLOTS / 64)
#define SET_SUMMARY (SET_WORDS / 64)

struct ngrams {
	uint64_t bits[SET_WORDS];
	uint64_t summary[SET_SUMMARY];
	GString *lead;
};

static const unsigned slot_bits[VOICES] = {
    [VOICE_WORDS] = NGRAMS_SLOT_BITS,
    [VOICE_RAW] = 19,
    [VOICE_TEXT] = 19,
    [VOICE_HEADER] = 18,
    [VOICE_CONTENT] = 17,
};

unsigned
ngrams_slot_bits(enum voice_name voice)
{
	return slot_bits[voice];
}

struct ngrams *
ngrams_new(void)
{
	struct ngrams *ngrams = g_new0(struct ngrams, 1);
	ngrams->lead = g_string_sized_new(NGRAMS_TEXT_BYTES + 1);
	return ngrams;
}

void
ngrams_free(struct ngrams *ngrams)
{
	if (ngrams == NULL)
		return;
	g_string_free(ngrams->lead, TRUE);
	g_free(ngrams);
}

static void
set_add(struct ngrams *set, uint32_t slot)
{
	uint64_t *word = &set->bits[slot / 64];
	uint64_t bit = UINT64_C(1) << (slot % 64);
	*word |= bit;
	set->summary[slot / 4096] |= UINT64_C(1) << (slot / 64 % 64);
}

/* Writes the set out in ascending order and empties it. How many there were. */
static size_t
set_take(struct ngrams *set, uint32_t *ret_slots)
{
	size_t count = 0;
	for (uint32_t high = 0; high < SET_SUMMARY; high++) {
		for (uint64_t words = set->summary[high]; words != 0; words &= words - 1) {
			uint32_t word = high * 64 + (uint32_t)__builtin_ctzll(words);
			for (uint64_t bits = set->bits[word]; bits != 0; bits &= bits - 1)
				ret_slots[count++] = word * 64 + (uint32_t)__builtin_ctzll(bits);
			set->bits[word] = 0;
		}
		set->summary[high] = 0;
	}
	return count;
}

/* Multiplicative hashing (D. Knuth, The Art of Computer Programming 3, 6.4) by 2^64 over the
 * golden ratio. */
static uint32_t
hash_slot(uint64_t value, enum voice_name voice)
{
	return (uint32_t)((value * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - slot_bits[voice]));
}

/* N bytes as a number each, big-endian, from one byte to the next. */
static void
add_grams(
    struct ngrams *set, const uint8_t *bytes, size_t length, unsigned n, enum voice_name voice)
{
	const uint64_t mask = (UINT64_C(1) << (8 * n)) - 1;
	uint64_t gram = 0;
	for (size_t i = 0; i < length; i++) {
		gram = (gram << 8 | bytes[i]) & mask;
		if (i + 1 >= n)
			set_add(set, hash_slot(gram, voice));
	}
}

/* Whether a token is a word of the body or the subject. */
static bool
is_content(const char *text, size_t length)
{
	return memchr(text, ':', length) == NULL ||
	       (length > strlen("subj:") && memcmp(text, "subj:", strlen("subj:")) == 0);
}

/* So that of a remembered word it can be told whether it was one of the text. */
uint32_t
content_slot(uint32_t word_slot)
{
	return word_slot >> (slot_bits[VOICE_WORDS] - slot_bits[VOICE_CONTENT]);
}

static void
add_content(struct ngrams *set, const struct tokens *tokens)
{
	for (size_t i = 0; i < tokens->count; i++) {
		const struct token *token = &tokens->list[i];
		if (is_content(tokens_text(tokens, i), token->length))
			set_add(set, content_slot(token_slot(token->hash)));
	}
}

/* The set becomes one voice's list, in the block behind those before it. */
static void
take_voice(struct ngrams *ngrams, enum voice_name voice, struct features *features, size_t *used)
{
	struct slots *slots = &features->voices[voice];
	slots->list = features->block + *used;
	slots->count = set_take(ngrams, slots->list);
	*used += slots->count;
}

void
ngrams_read(struct ngrams *ngrams, const struct message *message, const struct tokens *tokens,
    struct features *ret_features)
{
	struct features features = {0};
	const uint8_t *bytes = message->canonical.bytes;
	size_t raw = MIN(message->canonical.length, NGRAMS_RAW_BYTES);
	size_t header = MIN(message->canonical.header_length, raw);
	size_t used = 0;
	memcpy(features.digest, message->canonical.digest, sizeof(features.digest));
	g_string_truncate(ngrams->lead, 0);
	message_lead(message, NGRAMS_TEXT_BYTES, ngrams->lead);
	features.block = g_new(uint32_t, 2 * tokens->count + raw + header + ngrams->lead->len + 1);

	for (size_t i = 0; i < tokens->count; i++)
		set_add(ngrams, token_slot(tokens->list[i].hash));
	take_voice(ngrams, VOICE_WORDS, &features, &used);
	add_grams(ngrams, bytes, raw, RAW_GRAM, VOICE_RAW);
	take_voice(ngrams, VOICE_RAW, &features, &used);
	add_grams(
	    ngrams, (const uint8_t *)ngrams->lead->str, ngrams->lead->len, TEXT_GRAM, VOICE_TEXT);
	take_voice(ngrams, VOICE_TEXT, &features, &used);
	add_grams(ngrams, bytes, header, RAW_GRAM, VOICE_HEADER);
	take_voice(ngrams, VOICE_HEADER, &features, &used);
	add_content(ngrams, tokens);
	take_voice(ngrams, VOICE_CONTENT, &features, &used);
	*ret_features = features;
}

void
features_clear(struct features *features)
{
	g_free(features->block);
	*features = (struct features){0};
}

void
features_shrink(struct features *features)
{
	size_t used = 0;
	for (unsigned voice = 0; voice < VOICES; voice++)
		used += features->voices[voice].count;
	features->block = g_renew(uint32_t, features->block, used + 1);
	used = 0;
	for (unsigned voice = 0; voice < VOICES; voice++) {
		features->voices[voice].list = features->block + used;
		used += features->voices[voice].count;
	}
}

static uint64_t
checksum_on(uint64_t sum, const struct slots *slots, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		sum = (sum ^ sum >> 29 ^ slots->list[i]) * UINT64_C(0x9e3779b97f4a7c15);
	return sum;
}

uint32_t
slots_checksum(const struct slots *slots)
{
	return (uint32_t)(checksum_on(slots->count, slots, 0, slots->count) >> 32);
}

/* Of two lists at once: each step waits for the one before, so that two take no longer than one. */
static void
checksum_two(const struct slots *a, const struct slots *b, uint32_t *ret_a, uint32_t *ret_b)
{
	size_t both = MIN(a->count, b->count);
	uint64_t x = a->count, y = b->count;
	for (size_t i = 0; i < both; i++) {
		x = (x ^ x >> 29 ^ a->list[i]) * UINT64_C(0x9e3779b97f4a7c15);
		y = (y ^ y >> 29 ^ b->list[i]) * UINT64_C(0x9e3779b97f4a7c15);
	}
	*ret_a = (uint32_t)(checksum_on(x, a, both, a->count) >> 32);
	*ret_b = (uint32_t)(checksum_on(y, b, both, b->count) >> 32);
}

void
features_checksums(const struct features *features, uint32_t ret_checksums[VOICES])
{
	const struct slots *of = features->voices;
	checksum_two(
	    &of[VOICE_RAW], &of[VOICE_TEXT], &ret_checksums[VOICE_RAW], &ret_checksums[VOICE_TEXT]);
	checksum_two(&of[VOICE_WORDS], &of[VOICE_HEADER], &ret_checksums[VOICE_WORDS],
	    &ret_checksums[VOICE_HEADER]);
	ret_checksums[VOICE_CONTENT] = slots_checksum(&of[VOICE_CONTENT]);
}
