/*
 * Records of triplets: what decodes lies inside the bytes, and is the same when it is encoded and
 * decoded again.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>
#include <glib.h>

#include "tests/unit/db/bytes.h"
#include "policyd/decide/triplet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The longest that is ever encoded: an address of a request and a name of the DNS. */
#define ADDRESS_MAX 512
#define POOL_MAX    255

static void
check_inside(const struct store_bytes *part, const uint8_t *data, size_t size)
{
	const uint8_t *start = part->data;

	g_assert_true(!start || (start >= data && start + part->length <= data + size));
}

static bool
is_encodable(const struct triplet *t)
{
	for (unsigned i = 0; i < t->n_sightings; i++)
		if (t->sightings[i].pool.length > POOL_MAX)
			return false;
	return t->sender.length <= ADDRESS_MAX && t->recipient.length <= ADDRESS_MAX;
}

static void
check_same(const struct triplet *a, const struct triplet *b)
{
	assert_same_bytes(a->sender.data, a->sender.length, b->sender.data, b->sender.length);
	assert_same_bytes(
	    a->recipient.data, a->recipient.length, b->recipient.data, b->recipient.length);
	g_assert_cmpint(a->hashed, ==, b->hashed);
	g_assert_true(a->overflow_until == b->overflow_until);
	g_assert_cmpuint(a->n_sightings, ==, b->n_sightings);
	for (unsigned i = 0; i < a->n_sightings; i++) {
		const struct sighting *s = &a->sightings[i], *z = &b->sightings[i];

		g_assert_true(prefix_equal(&s->network, &z->network));
		assert_same_bytes(s->pool.data, s->pool.length, z->pool.data, z->pool.length);
		g_assert_true(s->first == z->first && s->last == z->last && s->passed == z->passed);
		g_assert_cmpuint(s->attempts, ==, z->attempts);
		g_assert_true(s->moved == z->moved && s->observed == z->observed);
		g_assert_true(s->others == z->others && s->n_early == z->n_early);
		g_assert_true(memcmp(s->early, z->early, s->n_early * sizeof *s->early) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[TRIPLET_RECORD_MAX];
	struct store_bytes given = {data, size}, encoded = {bytes, 0};
	struct triplet t, again;

	if (!triplet_decode(&given, &t))
		return 0;
	g_assert_cmpuint(t.n_sightings, <=, TRIPLET_SIGHTINGS);
	check_inside(&t.sender, data, size);
	check_inside(&t.recipient, data, size);
	for (unsigned i = 0; i < t.n_sightings; i++) {
		check_inside(&t.sightings[i].pool, data, size);
		g_assert_true(sighting_state(&t.sightings[i]) < TRIPLET_STATES);
		g_assert_cmpuint(t.sightings[i].n_early, <=, TRIPLET_EARLY);
	}
	if (is_encodable(&t)) {
		encoded.length = triplet_encode(&t, bytes);
		g_assert_true(triplet_decode(&encoded, &again));
		check_same(&t, &again);
	}
	return 0;
}
