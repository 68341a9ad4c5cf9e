#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <glib.h>

#include "classifier/features/ngrams.h"
#include "tests/unit/db/bytes.h"

/* -- the naive way: every n bytes hashed for themselves, sorted, doubles out -- */

static uint32_t
naive_slot(const uint8_t *bytes, unsigned n, enum voice_name voice)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < n; i++)
		number = number * 256 + bytes[i];
	/* The upper bits of the product with 2^64 over the golden ratio. */
	return (uint32_t)((number * 11400714819323198485u) >> (64 - ngrams_slot_bits(voice)));
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static GArray *
sorted(GArray *slots)
{
	guint unique = 0;
	uint32_t *list = (uint32_t *)(void *)slots->data;

	if (slots->len == 0)
		return slots;
	qsort(list, slots->len, sizeof(*list), compare);
	for (guint i = 1; i < slots->len; i++)
		if (list[i] != list[unique])
			list[++unique] = list[i];
	return g_array_set_size(slots, unique + 1);
}

static GArray *
naive_grams(const uint8_t *bytes, size_t length, unsigned n, enum voice_name voice)
{
	GArray *slots = g_array_new(FALSE, FALSE, sizeof(uint32_t));

	for (size_t i = 0; i + n <= length; i++) {
		uint32_t slot = naive_slot(bytes + i, n, voice);

		g_array_append_val(slots, slot);
	}
	return sorted(slots);
}

static GArray *
naive_words(const struct tokens *tokens)
{
	GArray *slots = g_array_new(FALSE, FALSE, sizeof(uint32_t));

	for (size_t i = 0; i < tokens->count; i++) {
		uint32_t slot = (uint32_t)(tokens->list[i].hash >> 44);

		g_array_append_val(slots, slot);
	}
	return sorted(slots);
}

/* Words of the body and the subject: all that have no other mark. */
static GArray *
naive_content(const struct tokens *tokens)
{
	GArray *slots = g_array_new(FALSE, FALSE, sizeof(uint32_t));

	for (size_t i = 0; i < tokens->count; i++) {
		g_autofree char *text = g_strndup(tokens_text(tokens, i), tokens->list[i].length);
		uint32_t slot = (uint32_t)(tokens->list[i].hash >> 47);

		if (!strchr(text, ':') || g_str_has_prefix(text, "subj:"))
			g_array_append_val(slots, slot);
	}
	return sorted(slots);
}

static void
assert_slots(const struct slots *slots, GArray *expected)
{
	assert_same_bytes(slots->list, slots->count * sizeof(uint32_t), expected->data,
	    expected->len * sizeof(uint32_t));
	for (size_t i = 0; i < slots->count; i++) {
		g_assert_cmpuint(slots->list[i], <, NGRAMS_SLOTS);
		g_assert_true(i == 0 || slots->list[i - 1] < slots->list[i]);
	}
	g_array_free(expected, TRUE);
}

/* -- messages -- */

static struct message *
read_message(const char *text)
{
	const struct message_options options = message_options_default();

	return message_read((const uint8_t *)text, strlen(text), &options);
}

static void
read_features(struct ngrams *ngrams, const char *text, struct features *ret_features)
{
	const struct token_options options = token_options_default();
	struct message *message = read_message(text);
	struct tokens tokens = {0};

	tokens_init(&tokens);
	tokens_read(&tokens, message, &options);
	ngrams_read(ngrams, message, &tokens, ret_features);
	tokens_clear(&tokens);
	message_free(message);
}

static void
assert_as_naive(struct ngrams *ngrams, const char *text)
{
	const struct token_options options = token_options_default();
	struct message *message = read_message(text);
	g_autoptr(GString) lead = g_string_new(NULL);
	const uint8_t *bytes = message->canonical.bytes;
	size_t raw = MIN(message->canonical.length, NGRAMS_RAW_BYTES);
	size_t header = MIN(message->canonical.header_length, raw);
	struct tokens tokens = {0};
	struct features features;

	tokens_init(&tokens);
	tokens_read(&tokens, message, &options);
	message_lead(message, NGRAMS_TEXT_BYTES, lead);
	ngrams_read(ngrams, message, &tokens, &features);
	assert_slots(&features.voices[VOICE_WORDS], naive_words(&tokens));
	assert_slots(&features.voices[VOICE_RAW], naive_grams(bytes, raw, 4, VOICE_RAW));
	assert_slots(&features.voices[VOICE_TEXT],
	    naive_grams((const uint8_t *)lead->str, lead->len, 5, VOICE_TEXT));
	assert_slots(&features.voices[VOICE_HEADER], naive_grams(bytes, header, 4, VOICE_HEADER));
	assert_slots(&features.voices[VOICE_CONTENT], naive_content(&tokens));
	g_assert_cmpmem(features.digest, sizeof(features.digest), message->canonical.digest,
	    sizeof(message->canonical.digest));
	features_clear(&features);
	tokens_clear(&tokens);
	message_free(message);
}

/* All with the same memory to work in: nothing of one message is left for the next. */
static void
test_naive(void)
{
	struct ngrams *ngrams = ngrams_new();
	g_autoptr(GString) long_one = g_string_new("From: a@example.org\nSubject: x\n\n");
	static const char *const texts[] = {
	    "",
	    "\n",
	    "abc",
	    "From: b@example.org\nSubject: aaaaaaaa\n\naaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
	    "From: c@example.org\nSubject: =?UTF-8?B?w4RwZmVs?=\n"
	    "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
	    "Gr\xc3\xbc\xc3\x9f Gott, \xe4\xbd\xa0\xe5\xa5\xbd\n",
	    "From: d@example.org\n\nshort\n",
	};

	for (unsigned i = 0; i < 2000; i++)
		g_string_append_printf(long_one, "word%u ", i * i);
	assert_as_naive(ngrams, long_one->str);
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		assert_as_naive(ngrams, texts[i]);
	assert_as_naive(ngrams, long_one->str);
	ngrams_free(ngrams);
}

/* Padding far behind the beginning changes words, and no n-grams. */
static void
test_padding(void)
{
	struct ngrams *ngrams = ngrams_new();
	g_autoptr(GString) text = g_string_new("From: a@example.org\nSubject: x\n\n");
	struct features plain, padded;

	for (unsigned i = 0; i < 1000; i++)
		g_string_append_printf(text, "word%u ", i);
	g_string_append(text, "\n");
	read_features(ngrams, text->str, &plain);
	g_string_append(text, "many innocent words at the end\n");
	read_features(ngrams, text->str, &padded);
	for (enum voice_name voice = VOICE_RAW; voice <= VOICE_TEXT; voice++)
		assert_same_bytes(plain.voices[voice].list,
		    plain.voices[voice].count * sizeof(uint32_t), padded.voices[voice].list,
		    padded.voices[voice].count * sizeof(uint32_t));
	g_assert_cmpuint(plain.voices[VOICE_WORDS].count, <, padded.voices[VOICE_WORDS].count);
	features_clear(&plain);
	features_clear(&padded);
	ngrams_free(ngrams);
}

static void
test_checksum(void)
{
	uint32_t list[] = {1, 7, 4096, 65536, NGRAMS_SLOTS - 1};
	struct slots slots = {.list = list, .count = G_N_ELEMENTS(list)};
	const uint32_t whole = slots_checksum(&slots);

	g_assert_cmpuint(slots_checksum(&slots), ==, whole);
	for (size_t i = 0; i < G_N_ELEMENTS(list); i++) {
		list[i]++;
		g_assert_cmpuint(slots_checksum(&slots), !=, whole);
		list[i]--;
	}
	slots.count--;
	g_assert_cmpuint(slots_checksum(&slots), !=, whole);
	slots.count = 0;
	g_assert_cmpuint(slots_checksum(&slots), !=, whole);
}

static void
test_checksums(void)
{
	struct ngrams *ngrams = ngrams_new();
	struct features features;
	uint32_t checksums[VOICES];

	read_features(ngrams, "Subject: a word\n\nand some more words\n", &features);
	features_checksums(&features, checksums);
	for (enum voice_name voice = 0; voice < VOICES; voice++)
		g_assert_cmpuint(checksums[voice], ==, slots_checksum(&features.voices[voice]));
	features_clear(&features);
	ngrams_free(ngrams);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/ngrams/slots-are-those-of-the-naive-way-in-order-and-once", test_naive);
	g_test_add_func("/ngrams/padding-at-the-end-does-not-count", test_padding);
	g_test_add_func("/ngrams/checksum-tells-slots-apart", test_checksum);
	g_test_add_func("/ngrams/checksums-of-all-are-those-of-each", test_checksums);
	return g_test_run();
}
