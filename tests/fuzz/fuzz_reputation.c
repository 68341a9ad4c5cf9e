/*
 * Records of reputation and of deliveries: what decodes is the same when it is encoded and decoded
 * again, and neither a verdict nor a merge brings it out of its bounds.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>
#include <glib.h>

#include "db/history/deliveries.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1795000000

static const struct reputation_rules rules = {.use = true,
    .half_life = 86400,
    .remember = 86400,
    .lifetime = 86400,
    .ham = REPUTATION_MESSAGE / 2,
    .spam = 5 * REPUTATION_MESSAGE,
    .max_spam = 0.2,
    .factor = 2,
    .delay_max = REPUTATION_DELAY_MAX};

static void
check_bounds(const struct reputation *r)
{
	g_assert_cmpuint(r->ham, <=, REPUTATION_MESSAGES_MAX * REPUTATION_MESSAGE);
	g_assert_cmpuint(r->spam, <=, REPUTATION_MESSAGES_MAX * REPUTATION_MESSAGE);
	g_assert_cmpuint(
	    (uint64_t)r->ham + r->spam, <=, REPUTATION_MESSAGES_MAX * REPUTATION_MESSAGE);
}

static void
try_reputation(const struct store_bytes *given)
{
	uint8_t bytes[REPUTATION_RECORD_MAX];
	struct store_bytes encoded = {bytes, 0};
	struct reputation r, again, after;
	struct reputation_found found = {0};
	struct reputation_opinion opinion;
	const struct address client = {.family = ADDRESS_IPV4, .bytes = {192, 0, 2, 1}};

	if (!reputation_decode(given, &r))
		return;
	check_bounds(&r);
	encoded.length = reputation_encode(&r, bytes);
	g_assert_true(reputation_decode(&encoded, &again));
	g_assert_true(memcmp(&r, &again, sizeof r) == 0);
	for (int i = 0; i < 4; i++) {
		struct reputation_verdict verdict = {.spam = i & 1, .back = i & 2, .time = NOW};

		if (reputation_add(&rules, &r, &verdict, NOW, &after))
			check_bounds(&after);
	}
	for (int i = REPUTATION_NETWORK; i < REPUTATION_KINDS; i++) {
		found.have[i] = true;
		found.of[i] = r;
	}
	reputation_opinion(&rules, &found, &client, "example.org", 60, NOW, &opinion);
	g_assert_true(opinion.delay == 60 || opinion.delay == 120);
}

static void
try_delivery(const struct store_bytes *given)
{
	static uint8_t bytes[DELIVERY_RECORD_MAX], merged_bytes[DELIVERY_RECORD_MAX];
	struct store_bytes encoded = {bytes, 0}, merged_encoded = {merged_bytes, 0};
	struct delivery_record record, again, merged;

	if (!delivery_decode(given, &record))
		return;
	g_assert_cmpuint(record.n_auth, <=, DELIVERY_AUTH_MAX);
	g_assert_cmpuint(record.n_recipients, <=, DELIVERY_RECIPIENTS_MAX);
	g_assert_cmpuint(record.greylist.n_offsets, <=, DELIVERY_OFFSETS_MAX);
	encoded.length = delivery_encode(&record, bytes);
	g_assert_true(delivery_decode(&encoded, &again));
	delivery_merge(&record, &again, &merged);
	merged_encoded.length = delivery_encode(&merged, merged_bytes);
	g_assert_true(delivery_decode(&merged_encoded, &again));
	g_assert_cmpint(again.verdict, ==, record.verdict);
	g_assert_cmpuint(again.n_recipients, ==, record.n_recipients);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store_bytes given = {data, size};

	try_reputation(&given);
	try_delivery(&given);
	(void)reputation_key_kind(&given);
	return 0;
}
