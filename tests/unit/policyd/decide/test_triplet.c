#include "config.h"

#include <string.h>
#include <glib.h>

#include "tests/unit/db/bytes.h"
#include "policyd/decide/triplet.h"

static const uint8_t hash_key[KEYEDHASH_KEY_SIZE] = {1, 2, 3};

static struct sighting
sighting(const char *network)
{
	struct sighting s = {.first = 1795000000, .last = 1795000000, .attempts = 1};

	g_assert_true(prefix_parse(network, &s.network));
	return s;
}

static void
assert_same_sighting(const struct sighting *a, const struct sighting *b)
{
	g_assert_true(prefix_equal(&a->network, &b->network));
	assert_same_bytes(a->pool.data, a->pool.length, b->pool.data, b->pool.length);
	g_assert_cmpint(a->first, ==, b->first);
	g_assert_cmpint(a->last, ==, b->last);
	g_assert_cmpint(a->passed, ==, b->passed);
	g_assert_cmpuint(a->attempts, ==, b->attempts);
	g_assert_cmpint(a->moved, ==, b->moved);
	g_assert_cmpint(a->observed, ==, b->observed);
	g_assert_cmpint(a->others, ==, b->others);
	g_assert_cmpuint(a->n_early, ==, b->n_early);
	for (unsigned i = 0; i < a->n_early; i++)
		g_assert_cmpuint(a->early[i], ==, b->early[i]);
}

static void
assert_round_trip(const struct triplet *t)
{
	uint8_t bytes[TRIPLET_RECORD_MAX];
	struct store_bytes encoded = {bytes, triplet_encode(t, bytes)};
	struct triplet back;

	g_assert_true(triplet_decode(&encoded, &back));
	assert_same_bytes(t->sender.data, t->sender.length, back.sender.data, back.sender.length);
	assert_same_bytes(
	    t->recipient.data, t->recipient.length, back.recipient.data, back.recipient.length);
	g_assert_cmpint(t->hashed, ==, back.hashed);
	g_assert_cmpint(t->overflow_until, ==, back.overflow_until);
	g_assert_cmpuint(t->n_sightings, ==, back.n_sightings);
	for (unsigned i = 0; i < t->n_sightings; i++)
		assert_same_sighting(&t->sightings[i], &back.sightings[i]);
}

static struct triplet
full_triplet(void)
{
	static char sender[511], recipient[511], pool[255];
	struct triplet t = {.sender = {sender, sizeof sender},
	    .recipient = {recipient, sizeof recipient},
	    .overflow_until = 1800000000,
	    .n_sightings = TRIPLET_SIGHTINGS};

	memset(sender, 's', sizeof sender);
	memset(recipient, 'r', sizeof recipient);
	memset(pool, 'p', sizeof pool);
	for (unsigned i = 0; i < t.n_sightings; i++) {
		t.sightings[i] = sighting(i % 2 ? "2001:db8:1:2::/64" : "192.0.2.0/24");
		t.sightings[i].pool = (struct store_bytes){pool, sizeof pool};
		t.sightings[i].last += 0xffffffff;
		t.sightings[i].passed = t.sightings[i].first + i;
		t.sightings[i].attempts = UINT32_MAX;
		t.sightings[i].moved = i & 1;
		t.sightings[i].observed = i & 2;
		t.sightings[i].others = i & 4;
		for (unsigned j = 0; j < TRIPLET_EARLY; j++)
			sighting_add_early(&t.sightings[i],
			    j < TRIPLET_EARLY - 1 ? triplet_ages[j] + i : INT32_MAX);
		g_assert_cmpuint(t.sightings[i].n_early, ==, TRIPLET_EARLY);
	}
	return t;
}

static void
test_round_trip(void)
{
	struct triplet t = {.sender = {"bob@example.org", 15}, .recipient = {"al@example.net", 14}};

	assert_round_trip(&t);
	t.n_sightings = 1;
	t.sightings[0] = sighting("192.0.2.0/24");
	assert_round_trip(&t);
	t.sightings[0].passed = t.sightings[0].first; /* passed at once, as observe mode lets in */
	assert_round_trip(&t);
	t.sightings[0] = sighting("0.0.0.0/0");
	assert_round_trip(&t);
	t = full_triplet();
	assert_round_trip(&t);
}

/* The example at the head of triplet.c. */
static void
test_documented_bytes(void)
{
	static const uint8_t expected[] = {0x01, 0x01, 0x0f, 'b', 'o', 'b', '@', 'e', 'x', 'a', 'm',
	    'p', 'l', 'e', '.', 'o', 'r', 'g', 0x02, 0x0e, 'a', 'l', '@', 'e', 'x', 'a', 'm', 'p',
	    'l', 'e', '.', 'n', 'e', 't', 0x05, 0x12, 0x01, 0x04, 0x18, 0xc0, 0x00, 0x02, 0x03,
	    0x04, 0x6a, 0xfd, 0x86, 0xc0, 0x04, 0x01, 0x3d, 0x05, 0x01, 0x3e};
	struct triplet t = {.sender = {"bob@example.org", 15},
	    .recipient = {"al@example.net", 14},
	    .n_sightings = 1,
	    .sightings = {sighting("192.0.2.0/24")}};
	uint8_t bytes[TRIPLET_RECORD_MAX];

	t.sightings[0].passed = t.sightings[0].last = t.sightings[0].first + 61;
	assert_same_bytes(bytes, triplet_encode(&t, bytes), expected, sizeof expected);
}

/* Retries are kept by their interval, and cost a record without early ones nothing. */
static void
test_early(void)
{
	static const uint8_t expected[] = {0x08, 0x03, 0x0a, 0xa0, 0x01};
	struct triplet t = {.sender = {"bob@example.org", 15},
	    .recipient = {"al@example.net", 14},
	    .n_sightings = 1,
	    .sightings = {sighting("192.0.2.0/24")}};
	struct sighting *s = &t.sightings[0];
	uint8_t bytes[TRIPLET_RECORD_MAX];
	uint32_t offsets[TRIPLET_OFFSETS];
	size_t without;

	s->attempts = 4;
	s->last = s->first + 400;
	s->passed = s->first + 400;
	without = triplet_encode(&t, bytes);
	sighting_add_early(s, 0);
	g_assert_cmpuint(triplet_encode(&t, bytes), ==, without);
	sighting_add_early(s, 10);
	sighting_add_early(s, 29);
	sighting_add_early(s, 170);
	sighting_add_early(s, 100);
	g_assert_cmpuint(triplet_encode(&t, bytes), ==, without + sizeof expected);
	assert_same_bytes(bytes + without, sizeof expected, expected, sizeof expected);
	assert_round_trip(&t);
	g_assert_cmpuint(sighting_offsets(s, offsets), ==, 3);
	g_assert_cmpuint(offsets[0], ==, 10);
	g_assert_cmpuint(offsets[1], ==, 170);
	g_assert_cmpuint(offsets[2], ==, 400);
	s->observed = true;
	g_assert_cmpuint(sighting_offsets(s, offsets), ==, 2);
}

/* Any bytes are a record or are not; none read past their end (the sanitizers look on). */
static void
test_damaged_records_are_refused(void)
{
	struct triplet t = full_triplet(), back;
	uint8_t bytes[TRIPLET_RECORD_MAX];
	size_t length = triplet_encode(&t, bytes);
	GRand *random = g_rand_new_with_seed(1);
	unsigned refused = 0;

	for (size_t cut = 0; cut < length; cut++) {
		g_autofree uint8_t *copy = g_memdup2(bytes, cut);

		refused += !triplet_decode(&(struct store_bytes){copy, cut}, &back);
	}
	g_assert_cmpuint(refused, >, length - 20);
	for (int i = 0; i < 20000; i++) {
		g_autofree uint8_t *copy = g_memdup2(bytes, length);

		copy[g_rand_int_range(random, 0, (gint32)length)] = (uint8_t)g_rand_int(random);
		copy[g_rand_int_range(random, 0, 64)] = (uint8_t)g_rand_int(random);
		if (triplet_decode(&(struct store_bytes){copy, length}, &back))
			assert_round_trip(&back);
	}
	g_rand_free(random);
}

static void
test_keys(void)
{
	struct prefix net;
	struct store_bytes pool = {"example.com", 11};
	uint8_t keys[6][KEYEDHASH_SIZE];

	prefix_parse("192.0.2.0/24", &net);
	triplet_key(hash_key, "a", "bc", NULL, NULL, keys[0]);
	triplet_key(hash_key, "ab", "c", NULL, NULL, keys[1]);
	triplet_key(hash_key, "a", "bc", &net, NULL, keys[2]);
	triplet_key(hash_key, "a", "bc", &net, &pool, keys[3]);
	triplet_key((const uint8_t[KEYEDHASH_KEY_SIZE]){9}, "a", "bc", NULL, NULL, keys[4]);
	triplet_key(hash_key, "", "abc", NULL, NULL, keys[5]);
	for (int i = 0; i < 6; i++)
		for (int j = 0; j < i; j++)
			g_assert_cmpint(memcmp(keys[i], keys[j], KEYEDHASH_SIZE), !=, 0);
	triplet_key(hash_key, "a", "bc", &net, &(struct store_bytes){NULL, 0}, keys[4]);
	assert_same_bytes(keys[2], KEYEDHASH_SIZE, keys[4], KEYEDHASH_SIZE);
}

/* What an entry may cost: the value of a usual triplet, with text and without (issue: 300 and
 * 150 bytes on the disk, of which 16 are the key and some 20 LMDB's). */
static void
test_size(void)
{
	struct triplet t = {.sender = {"firstname.lastname@example.com", 30},
	    .recipient = {"someone@recipient.example", 25},
	    .n_sightings = 1,
	    .sightings = {sighting("192.0.2.0/24")}};
	uint8_t bytes[TRIPLET_RECORD_MAX];

	t.sightings[0].pool = (struct store_bytes){"example.com", 11};
	t.sightings[0].last += 5000;
	g_assert_cmpuint(triplet_encode(&t, bytes), <=, 100);
	t.hashed = true;
	t.sender.length = t.recipient.length = TRIPLET_ADDRESS_HASH_SIZE;
	g_assert_cmpuint(triplet_encode(&t, bytes), <=, 60);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/triplet/round-trip-loses-nothing", test_round_trip);
	g_test_add_func("/triplet/bytes-are-as-documented", test_documented_bytes);
	g_test_add_func("/triplet/early-retries-are-kept-by-their-interval", test_early);
	g_test_add_func("/triplet/damaged-records-are-refused", test_damaged_records_are_refused);
	g_test_add_func("/triplet/keys-differ-by-every-part", test_keys);
	g_test_add_func("/triplet/records-are-small", test_size);
	return g_test_run();
}
