/* Deliveries: their records, and on every driver what they add to the reputation. */
#include "config.h"

#include <string.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "db/history/deliveries.h"
#include "db/open/open.h"
#include "tests/unit/db/bytes.h"
#include "tests/unit/db/redis_server.h"
#include "tests/unit/db/store_drivers.h"

/* Years from now: a server that expires by its own clock keeps what the tests put. */
#define NOW G_GINT64_CONSTANT(4000000000)
#define DAY 86400

#define BYTES(text) ((struct store_bytes){(text), sizeof(text) - 1})

static const struct reputation_rules rules = {
    .use = true,
    .half_life = 30 * DAY,
    .remember = 30 * DAY,
    .lifetime = 35 * DAY,
    .ham = REPUTATION_MESSAGE / 2,
    .spam = 5 * REPUTATION_MESSAGE,
    .max_spam = 0.2,
    .factor = 2,
    .delay_max = REPUTATION_DELAY_MAX,
};

static const uint8_t digest[DELIVERY_KEY_SIZE] = "message number 1";

static struct delivery_record
record_from(const char *client, enum delivery_verdict verdict)
{
	struct delivery_record record = {
	    .time = NOW, .judged = verdict, .verdict = verdict, .score = 500};

	if (client)
		g_assert_true(address_parse(client, &record.client));
	return record;
}

static struct delivery_record
full_record(void)
{
	static char domains[DELIVERY_AUTH_MAX + DELIVERY_RECIPIENTS_MAX][DELIVERY_DOMAIN_MAX];
	struct delivery_record record = record_from("2001:db8::1", DELIVERY_UNSURE);

	for (size_t i = 0; i < G_N_ELEMENTS(domains); i++)
		memset(domains[i], (int)('a' + i), DELIVERY_DOMAIN_MAX);
	record.name = (struct store_bytes){domains[0], DELIVERY_DOMAIN_MAX};
	for (unsigned i = 0; i < DELIVERY_AUTH_MAX; i++)
		delivery_add_auth(&record, (struct store_bytes){domains[i], DELIVERY_DOMAIN_MAX});
	for (unsigned i = 0; i < DELIVERY_RECIPIENTS_MAX; i++)
		g_assert_true(delivery_add_recipient(&record,
		    (struct store_bytes){domains[DELIVERY_AUTH_MAX + i], DELIVERY_DOMAIN_MAX},
		    UINT32_MAX));
	record.verdict = DELIVERY_HAM;
	record.corrected = true;
	record.score = 1000;
	record.greylist = (struct delivery_greylist){.contact = DELIVERY_FIRST,
	    .delayed = UINT32_MAX,
	    .attempts = UINT32_MAX,
	    .moved = true,
	    .n_offsets = DELIVERY_OFFSETS_MAX};
	for (unsigned i = 0; i < DELIVERY_OFFSETS_MAX; i++)
		record.greylist.offsets[i] = UINT32_MAX - i;
	return record;
}

static void
assert_same_record(const struct delivery_record *a, const struct delivery_record *b)
{
	g_assert_cmpint(a->time, ==, b->time);
	g_assert_true(address_equal(&a->client, &b->client));
	assert_same_bytes(a->name.data, a->name.length, b->name.data, b->name.length);
	g_assert_cmpuint(a->n_auth, ==, b->n_auth);
	for (unsigned i = 0; i < a->n_auth; i++)
		assert_same_bytes(
		    a->auth[i].data, a->auth[i].length, b->auth[i].data, b->auth[i].length);
	g_assert_cmpint(a->judged, ==, b->judged);
	g_assert_cmpint(a->verdict, ==, b->verdict);
	g_assert_cmpint(a->corrected, ==, b->corrected);
	g_assert_cmpuint(a->score, ==, b->score);
	g_assert_cmpuint(a->n_recipients, ==, b->n_recipients);
	for (unsigned i = 0; i < a->n_recipients; i++) {
		assert_same_bytes(a->recipients[i].domain.data, a->recipients[i].domain.length,
		    b->recipients[i].domain.data, b->recipients[i].domain.length);
		g_assert_cmpuint(a->recipients[i].count, ==, b->recipients[i].count);
	}
	g_assert_cmpint(a->greylist.contact, ==, b->greylist.contact);
	g_assert_cmpuint(a->greylist.delayed, ==, b->greylist.delayed);
	g_assert_cmpuint(a->greylist.attempts, ==, b->greylist.attempts);
	g_assert_cmpint(a->greylist.moved, ==, b->greylist.moved);
	g_assert_cmpuint(a->greylist.n_offsets, ==, b->greylist.n_offsets);
	for (unsigned i = 0; i < a->greylist.n_offsets; i++)
		g_assert_cmpuint(a->greylist.offsets[i], ==, b->greylist.offsets[i]);
}

static void
test_round_trip(void)
{
	struct delivery_record records[] = {record_from(NULL, DELIVERY_HAM),
	    record_from("192.0.2.1", DELIVERY_SPAM), full_record()};

	for (size_t i = 0; i < G_N_ELEMENTS(records); i++) {
		uint8_t bytes[DELIVERY_RECORD_MAX];
		struct store_bytes encoded = {bytes, delivery_encode(&records[i], bytes)};
		struct delivery_record back;

		g_assert_true(delivery_decode(&encoded, &back));
		assert_same_record(&records[i], &back);
	}
}

/* The example at the head of deliveries.c. */
static void
test_example(void)
{
	static const uint8_t example[] = {0x01, 0x01, 0x04, 0x6a, 0xfd, 0x86, 0xc0, 0x02, 0x04,
	    0xc0, 0x00, 0x02, 0x01, 0x05, 0x01, 0x01, 0x08, 0x02, 0x03, 0xdb, 0x09, 0x10, 0x01,
	    0x0b, 0x65, 0x78, 0x61, 0x6d, 0x70, 0x6c, 0x65, 0x2e, 0x6f, 0x72, 0x67, 0x02, 0x01,
	    0x02, 0x0a, 0x01, 0x01, 0x0b, 0x01, 0x41, 0x0c, 0x01, 0x02, 0x0e, 0x00, 0x0e, 0x01,
	    0x41};
	struct delivery_record record = record_from("192.0.2.1", DELIVERY_SPAM);
	uint8_t bytes[DELIVERY_RECORD_MAX];

	record.time = 1795000000;
	record.score = 987;
	g_assert_true(delivery_add_recipient(&record, BYTES("example.org"), 2));
	record.greylist = (struct delivery_greylist){.contact = DELIVERY_FIRST,
	    .delayed = 65,
	    .attempts = 2,
	    .n_offsets = 2,
	    .offsets = {0, 65}};
	assert_same_bytes(bytes, delivery_encode(&record, bytes), example, sizeof example);
}

static void
test_malformed(void)
{
	static const struct store_bytes cases[] = {
	    {"", 0}, {"\0\1\1\1", 4}, {"\1\1\5\1", 4}, /* cut */
	    {"\1\1\6\1\0\0\0\0\0", 9},                 /* a time past the year 36000 */
	    {"\1\2\3\1\2\3", 6},                       /* an address of three bytes */
	    {"\1\3\0", 3},                             /* a name without a byte */
	    {"\1\5\1\3", 4},                           /* no verdict */
	    {"\1\10\2\3\351", 5},                      /* a score of 1001 */
	    {"\1\11\3\2\1\1", 6},                      /* recipients of no domain */
	    {"\1\12\1\11", 4},                         /* no contact */
	};
	struct delivery_record record;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		g_assert_false(delivery_decode(&cases[i], &record));
	g_assert_true(delivery_decode(&(struct store_bytes){"\1\x63\1\1", 4}, &record));
}

static void
test_lists(void)
{
	struct delivery_record record = record_from(NULL, DELIVERY_HAM);

	delivery_add_auth(&record, BYTES("a.example"));
	delivery_add_auth(&record, BYTES("a.example"));
	delivery_add_auth(&record, BYTES(""));
	g_assert_cmpuint(record.n_auth, ==, 1);
	g_assert_true(delivery_add_recipient(&record, BYTES("b.example"), 2));
	g_assert_true(delivery_add_recipient(&record, BYTES("b.example"), 3));
	g_assert_cmpuint(record.n_recipients, ==, 1);
	g_assert_cmpuint(record.recipients[0].count, ==, 5);
	g_assert_true(delivery_add_recipient(&record, BYTES("b.example"), UINT32_MAX));
	g_assert_cmpuint(record.recipients[0].count, ==, UINT32_MAX);
}

static void
test_merge(void)
{
	struct delivery_record old = record_from("192.0.2.1", DELIVERY_HAM), new, merged;

	old.time = NOW - 100;
	old.name = BYTES("a.example");
	old.greylist.contact = DELIVERY_KNOWN;
	g_assert_true(delivery_add_recipient(&old, BYTES("b.example"), 2));
	/* Who does not know the client leaves it. */
	new = record_from(NULL, DELIVERY_SPAM);
	delivery_merge(&old, &new, &merged);
	g_assert_cmpint(merged.time, ==, NOW - 100);
	g_assert_true(address_equal(&merged.client, &old.client));
	g_assert_cmpuint(merged.name.length, ==, 9);
	g_assert_cmpint(merged.verdict, ==, DELIVERY_SPAM);
	g_assert_cmpint(merged.greylist.contact, ==, DELIVERY_KNOWN);
	g_assert_cmpuint(merged.recipients[0].count, ==, 2);
	/* A person's word stands. */
	old.corrected = true;
	delivery_merge(&old, &new, &merged);
	g_assert_cmpint(merged.judged, ==, DELIVERY_SPAM);
	g_assert_cmpint(merged.verdict, ==, DELIVERY_HAM);
	g_assert_true(merged.corrected);
	/* Another client's is a delivery of its own. */
	new = record_from("192.0.2.2", DELIVERY_SPAM);
	new.greylist.contact = DELIVERY_FIRST;
	g_assert_true(delivery_add_recipient(&new, BYTES("b.example"), 1));
	delivery_merge(&old, &new, &merged);
	g_assert_cmpint(merged.time, ==, NOW);
	g_assert_true(address_equal(&merged.client, &new.client));
	g_assert_cmpint(merged.greylist.contact, ==, DELIVERY_FIRST);
	g_assert_cmpuint(merged.recipients[0].count, ==, 3);
}

/* -- in a store -- */

struct fixture {
	const struct driver *driver;
	char *uri;
	struct store *store;
};

static void
set_up(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	struct store_options options = {.create = true, .map_size = 64 << 20};

	f->driver = data;
	f->uri = f->driver->make_uri();
	options.uri = f->uri;
	f->store = store_open(&options, &error);
	g_assert_no_error(error);
}

static void
tear_down(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	store_close(&f->store);
	f->driver->remove(f->uri);
	g_free(f->uri);
}

struct answer {
	unsigned calls;
	enum store_result result;
};

static void
on_answer(void *context, enum store_result result, void *job)
{
	struct answer *answer = context;

	g_assert_null(job);
	answer->calls++;
	answer->result = result;
}

static enum store_result
settled(struct fixture *f, struct answer *answer)
{
	while (!answer->calls)
		store_wait(f->store);
	store_wait(f->store);
	g_assert_cmpuint(answer->calls, ==, 1);
	return answer->result;
}

static void
note(struct fixture *f, const struct delivery_record *record)
{
	struct answer answer = {0};
	struct store_call call = {.done = on_answer, .context = &answer};

	delivery_note(f->store, &rules, digest, record, NOW, &call);
	g_assert_cmpint(settled(f, &answer), ==, STORE_OK);
}

static enum store_result
correct(struct fixture *f, enum delivery_verdict verdict)
{
	struct answer answer = {0};
	struct store_call call = {.done = on_answer, .context = &answer};

	delivery_correct(f->store, &rules, digest, verdict, NOW, &call);
	return settled(f, &answer);
}

static void
on_reputation(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct reputation *r = context;

	if (result == STORE_OK)
		g_assert_true(reputation_decode(value, r));
	else
		g_assert_cmpint(result, ==, STORE_NOT_FOUND);
}

static void
assert_sums(struct fixture *f, const uint8_t *key, size_t length, unsigned ham, unsigned spam)
{
	struct reputation r = {0};

	store_get(
	    f->store, STORE_REPUTATION, (struct store_bytes){key, length}, 0, on_reputation, &r);
	store_wait(f->store);
	g_assert_cmpuint(r.ham, ==, ham * REPUTATION_MESSAGE);
	g_assert_cmpuint(r.spam, ==, spam * REPUTATION_MESSAGE);
}

static void
assert_client(struct fixture *f, const char *client, unsigned ham, unsigned spam)
{
	uint8_t key[REPUTATION_KEY_MAX];
	struct address address;

	g_assert_true(address_parse(client, &address));
	assert_sums(f, key, reputation_network_key(&address, key), ham, spam);
}

static void
assert_domain(
    struct fixture *f, enum reputation_kind kind, const char *domain, unsigned ham, unsigned spam)
{
	uint8_t key[REPUTATION_KEY_MAX];

	assert_sums(f, key, reputation_domain_key(kind, domain, strlen(domain), key), ham, spam);
}

static void
on_delivery(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct delivery_record *record = context;

	g_assert_cmpint(result, ==, STORE_OK);
	g_assert_true(delivery_decode(value, record));
	/* Its bytes are gone after the call. */
	record->n_auth = record->n_recipients = 0;
	record->name.length = 0;
}

static struct delivery_record
stored(struct fixture *f)
{
	struct delivery_record record = {0};

	store_get(f->store, STORE_DELIVERIES, (struct store_bytes){digest, sizeof digest}, 0,
	    on_delivery, &record);
	store_wait(f->store);
	return record;
}

static struct delivery_record
signed_record(enum delivery_verdict verdict)
{
	struct delivery_record record = record_from("192.0.2.1", verdict);

	record.name = BYTES("name.example");
	delivery_add_auth(&record, BYTES("one.example"));
	delivery_add_auth(&record, BYTES("two.example"));
	return record;
}

static void
assert_signed(struct fixture *f, unsigned ham, unsigned spam)
{
	assert_client(f, "192.0.2.1", ham, spam);
	assert_domain(f, REPUTATION_NAME, "name.example", ham, spam);
	assert_domain(f, REPUTATION_AUTH, "one.example", ham, spam);
	assert_domain(f, REPUTATION_AUTH, "two.example", ham, spam);
}

static void
test_counts(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct delivery_record record = signed_record(DELIVERY_SPAM);

	note(f, &record);
	assert_signed(f, 0, 1);
	assert_domain(f, REPUTATION_NAME, "one.example", 0, 0);
	g_assert_cmpint(stored(f).verdict, ==, DELIVERY_SPAM);
}

static void
test_unsure(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct delivery_record record = signed_record(DELIVERY_UNSURE);

	note(f, &record);
	assert_signed(f, 0, 0);
	g_assert_cmpint(stored(f).verdict, ==, DELIVERY_UNSURE);
}

static void
test_second_verdict(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct delivery_record record = signed_record(DELIVERY_SPAM);

	note(f, &record);
	note(f, &record);
	assert_signed(f, 0, 1);
	record = signed_record(DELIVERY_HAM);
	note(f, &record);
	assert_signed(f, 1, 0);
	g_assert_cmpint(stored(f).verdict, ==, DELIVERY_HAM);
}

static void
test_other_client(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct delivery_record record = record_from("192.0.2.1", DELIVERY_SPAM);

	note(f, &record);
	record = record_from("2001:db8::1", DELIVERY_SPAM);
	note(f, &record);
	assert_client(f, "192.0.2.1", 0, 1);
	assert_client(f, "2001:db8::2", 0, 1);
}

static void
test_correction(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct delivery_record record = signed_record(DELIVERY_SPAM);

	g_assert_cmpint(correct(f, DELIVERY_HAM), ==, STORE_NOT_FOUND);
	note(f, &record);
	g_assert_cmpint(correct(f, DELIVERY_HAM), ==, STORE_OK);
	assert_signed(f, 1, 0);
	g_assert_true(stored(f).corrected);
	g_assert_cmpint(stored(f).verdict, ==, DELIVERY_HAM);
	g_assert_cmpint(stored(f).judged, ==, DELIVERY_SPAM);
	/* Again it changes nothing, and no later verdict is held against a person's. */
	g_assert_cmpint(correct(f, DELIVERY_HAM), ==, STORE_OK);
	note(f, &record);
	assert_signed(f, 1, 0);
	g_assert_cmpint(stored(f).verdict, ==, DELIVERY_HAM);
	/* The person takes it back. */
	g_assert_cmpint(correct(f, DELIVERY_UNSURE), ==, STORE_OK);
	assert_signed(f, 0, 1);
	g_assert_false(stored(f).corrected);
}

static void
test_contacts(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	static const uint8_t hash_key[KEYEDHASH_KEY_SIZE] = {1};
	uint8_t pair[REPUTATION_KEY_MAX], domain[REPUTATION_KEY_MAX];
	struct store_bytes keys[] = {
	    {pair, reputation_pair_key(hash_key, "a@example.org", "b@own.example", pair)},
	    {domain, reputation_domain_key(REPUTATION_CORRESPONDENT, "example.org", 11, domain)}};

	for (int round = 0; round < 2; round++) {
		struct answer answer = {0};
		struct store_call call = {.done = on_answer, .context = &answer};

		reputation_write_contacts(f->store, &rules, keys, 2, NOW, &call);
		g_assert_cmpint(settled(f, &answer), ==, STORE_OK);
	}
	for (int i = 0; i < 2; i++) {
		struct reputation r = {0};

		store_get(f->store, STORE_REPUTATION, keys[i], 0, on_reputation, &r);
		store_wait(f->store);
		g_assert_cmpint(r.last, ==, NOW);
	}
}

/* Through the store; for a million see test_reputation.c. */
static void
test_flood(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	struct delivery_record record = record_from("192.0.2.1", DELIVERY_SPAM);
	uint8_t bytes[DELIVERY_KEY_SIZE] = {0};
	struct store_call nobody = {0};

	for (uint32_t i = 0; i < 3000; i++) {
		memcpy(bytes, &i, sizeof i);
		delivery_note(f->store, &rules, bytes, &record, NOW, &nobody);
		if (i % 500 == 0)
			store_wait(f->store);
	}
	while (store_outstanding(f->store))
		store_wait(f->store);
	assert_client(f, "192.0.2.1", 0, REPUTATION_HOURLY);
}

static const struct {
	const char *promise;
	void (*test)(struct fixture *f, gconstpointer data);
} tests[] = {
    {"a-verdict-counts-for-network-name-and-domains", test_counts},
    {"unsure-counts-for-nobody", test_unsure},
    {"a-second-verdict-replaces-the-first", test_second_verdict},
    {"another-clients-counts-besides", test_other_client},
    {"a-correction-takes-the-verdict-back", test_correction},
    {"contacts-are-written-together", test_contacts},
    {"a-flood-moves-a-record-no-further-than-its-bound", test_flood},
};

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/deliveries/round-trip", test_round_trip);
	g_test_add_func("/deliveries/documented-example", test_example);
	g_test_add_func("/deliveries/malformed", test_malformed);
	g_test_add_func("/deliveries/lists-are-sets-and-bounded", test_lists);
	g_test_add_func("/deliveries/merge", test_merge);
	for (size_t d = 0; d < G_N_ELEMENTS(drivers); d++) {
		for (size_t i = 0; drivers[d].installed() && i < G_N_ELEMENTS(tests); i++) {
			g_autofree char *path =
			    g_strdup_printf("/deliveries/%s/%s", drivers[d].name, tests[i].promise);

			g_test_add(
			    path, struct fixture, &drivers[d], set_up, tests[i].test, tear_down);
		}
	}
	return g_test_run();
}
