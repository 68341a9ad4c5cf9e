#include "config.h"

#include <string.h>
#include <glib.h>

#include "classifier/model/rehearsal.h"
#include "tests/unit/db/bytes.h"

/* Slots of a voice from a list that ends with UINT32_MAX. */
#define END UINT32_MAX

static struct slots
make_slots(uint32_t *list)
{
	struct slots slots = {.list = list};

	while (list[slots.count] != END)
		slots.count++;
	return slots;
}

static void
assert_same(const struct features *a, const struct features *b)
{
	for (unsigned voice = 0; voice < VOICES; voice++)
		assert_same_bytes(a->voices[voice].list, a->voices[voice].count * sizeof(uint32_t),
		    b->voices[voice].list, b->voices[voice].count * sizeof(uint32_t));
}

/* As the header gives it. */
static void
test_documented_form(void)
{
	static const uint8_t expected[] = {
	    0x01, 0x01, 0x05, 0x03, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00};
	uint32_t words[] = {5, END}, raw[] = {1, 3, 4, END};
	const struct features features = {
	    .voices = {[VOICE_WORDS] = make_slots(words), [VOICE_RAW] = make_slots(raw)}};
	g_autoptr(GByteArray) bytes = g_byte_array_new();

	rehearsal_encode(&features, bytes);
	assert_same_bytes(bytes->data, bytes->len, expected, sizeof(expected));
}

/* COUNT of them, in order, of a table that small or that large. */
static struct slots
random_slots(GRand *random, size_t count, uint32_t below, uint32_t *list)
{
	size_t taken = 0;

	for (uint32_t slot = 0; slot < below && taken < count; slot++)
		if ((uint32_t)g_rand_int_range(random, 0, (gint32)(below - slot)) <
		    (uint32_t)(count - taken))
			list[taken++] = slot;
	return (struct slots){.list = list, .count = taken};
}

static void
test_round_trip(void)
{
	static const size_t counts[][VOICES] = {
	    {0}, {1}, {0, 0, 0, 0, 1}, {10, 3000, 1000, 2000, 150}, {3000, 1, 0, 0, 2}};
	g_autoptr(GRand) random = g_rand_new_with_seed(3);
	g_autofree uint32_t *room = g_new(uint32_t, 3000 * VOICES);

	for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
		g_autoptr(GByteArray) bytes = g_byte_array_new();
		struct features features = {0}, back;

		for (unsigned voice = 0; voice < VOICES; voice++)
			features.voices[voice] = random_slots(random, counts[i][voice],
			    voice == VOICE_WORDS ? 5000 : NGRAMS_SLOTS, room + 3000 * voice);
		rehearsal_encode(&features, bytes);
		g_assert_true(rehearsal_decode(bytes->data, bytes->len, &back));
		assert_same(&features, &back);
		features_clear(&back);
	}
}

static void
test_ends_of_the_table(void)
{
	uint32_t words[] = {0, 1, NGRAMS_SLOTS - 2, NGRAMS_SLOTS - 1, END}, none[] = {END};
	const struct features features = {
	    .voices = {make_slots(words), make_slots(none), make_slots(words)}};
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	struct features back;

	rehearsal_encode(&features, bytes);
	g_assert_true(rehearsal_decode(bytes->data, bytes->len, &back));
	assert_same(&features, &back);
	features_clear(&back);
}

static void
test_damaged(void)
{
	static const struct {
		const char *what;
		uint8_t bytes[12];
		size_t length;
	} rows[] = {
	    {"nothing", {0}, 0},
	    {"another version", {2, 0, 0, 0}, 4},
	    {"a voice is missing", {1, 0, 0}, 3},
	    {"bytes behind the end", {1, 0, 0, 0, 0}, 5},
	    {"fewer slots than said", {1, 2, 5}, 3},
	    {"more slots than bytes", {1, 0xff, 0xff, 0x3f, 5, 0, 0}, 7},
	    {"a number that does not end", {1, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0}, 9},
	    {"a slot beyond the table", {1, 1, 0x80, 0x80, 0x40, 0, 0}, 7},
	    {"slots that run beyond it", {1, 2, 0xff, 0xff, 0x3f, 0, 0, 0}, 8},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct features features = {.block = GUINT_TO_POINTER(1)};

		g_test_message("%s", rows[i].what);
		g_assert_false(rehearsal_decode(rows[i].bytes, rows[i].length, &features));
		g_assert_true(features.block == GUINT_TO_POINTER(1));
	}
}

/* Cut or changed anywhere: refused, or slots that are in order and within the table. */
static void
assert_harmless(const uint8_t *bytes, size_t length)
{
	struct features features;

	if (!rehearsal_decode(bytes, length, &features))
		return;
	for (unsigned voice = 0; voice < VOICES; voice++) {
		const struct slots *slots = &features.voices[voice];

		for (size_t i = 0; i < slots->count; i++) {
			g_assert_cmpuint(slots->list[i], <, NGRAMS_SLOTS);
			g_assert_true(i == 0 || slots->list[i - 1] < slots->list[i]);
		}
	}
	features_clear(&features);
}

static void
test_harmless(void)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(4);
	uint32_t words[] = {7, 90, 70000, END}, raw[] = {1, 2, 3, 1000000, END}, text[] = {0, END};
	const struct features features = {
	    .voices = {make_slots(words), make_slots(raw), make_slots(text)}};
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	struct features back;

	rehearsal_encode(&features, bytes);
	for (size_t length = 0; length < bytes->len; length++)
		g_assert_false(rehearsal_decode(bytes->data, length, &back));
	for (unsigned round = 0; round < 20000; round++) {
		g_autofree uint8_t *copy = g_memdup2(bytes->data, bytes->len);

		copy[g_rand_int_range(random, 0, (gint32)bytes->len)] = (uint8_t)g_rand_int(random);
		copy[g_rand_int_range(random, 0, (gint32)bytes->len)] = (uint8_t)g_rand_int(random);
		assert_harmless(copy, bytes->len);
	}
}

static void
make_digest(GRand *random, uint8_t digest[CANONICAL_DIGEST_SIZE])
{
	for (unsigned i = 0; i < CANONICAL_DIGEST_SIZE; i++)
		digest[i] = (uint8_t)g_rand_int(random);
}

/* splitmix64, computed apart from the code for the first half 01..08. */
static void
test_points(void)
{
	static const uint8_t digest[CANONICAL_DIGEST_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8, 99};
	static const uint8_t expected[][CANONICAL_DIGEST_SIZE] = {
	    {0x0a, 0xcc, 0x9c, 0x17, 0x54, 0x58, 0xd4, 0x09},
	    {0xc8, 0x34, 0xf4, 0x14, 0xdc, 0x07, 0x65, 0x71},
	    {0x5d, 0x4a, 0xd8, 0xfa, 0x95, 0xc4, 0x4e, 0x03},
	};

	for (unsigned draw = 0; draw < G_N_ELEMENTS(expected); draw++) {
		uint8_t point[CANONICAL_DIGEST_SIZE];

		rehearsal_point(digest, draw, point);
		g_assert_cmpmem(point, sizeof(point), expected[draw], sizeof(expected[draw]));
	}
}

/* Of many digests, and of digests that lie close together. */
static void
test_points_are_even(void)
{
	unsigned buckets[16] = {0};

	for (unsigned i = 0; i < 16000; i++) {
		uint8_t digest[CANONICAL_DIGEST_SIZE] = {
		    0, 0, 0, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i};
		uint8_t point[CANONICAL_DIGEST_SIZE];

		rehearsal_point(digest, i % REHEARSAL_DRAWS, point);
		buckets[point[0] / 16]++;
	}
	for (unsigned i = 0; i < 16; i++) {
		g_assert_cmpuint(buckets[i], >, 850);
		g_assert_cmpuint(buckets[i], <, 1150);
	}
}

/* A tenth less with each lowering, and never again what was once let go. */
static void
test_keeps(void)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(6);
	unsigned kept[4] = {0};

	for (unsigned i = 0; i < 10000; i++) {
		uint8_t digest[CANONICAL_DIGEST_SIZE];
		bool before = true;

		make_digest(random, digest);
		for (unsigned lowerings = 0; lowerings < 4; lowerings++) {
			bool keeps = rehearsal_keeps(digest, lowerings);

			g_assert_true(before || !keeps);
			kept[lowerings] += keeps;
			before = keeps;
		}
		g_assert_false(rehearsal_keeps(digest, 10000));
	}
	g_assert_cmpuint(kept[0], ==, 10000);
	g_assert_cmpfloat_with_epsilon(kept[1], 9000, 150);
	g_assert_cmpfloat_with_epsilon(kept[3], 7290, 200);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/rehearsal/written-as-documented", test_documented_form);
	g_test_add_func("/rehearsal/round-trip", test_round_trip);
	g_test_add_func("/rehearsal/the-ends-of-the-table", test_ends_of_the_table);
	g_test_add_func("/rehearsal/damaged-bytes-are-refused", test_damaged);
	g_test_add_func("/rehearsal/no-damage-does-harm", test_harmless);
	g_test_add_func("/rehearsal/points-are-the-same-everywhere", test_points);
	g_test_add_func("/rehearsal/points-are-evenly-spread", test_points_are_even);
	g_test_add_func("/rehearsal/each-lowering-keeps-nine-tenths", test_keeps);
	return g_test_run();
}
