/*
 * greylagctl's records: JSON and back without loss, merging that never weakens, other servers'
 * dumps, filters as people type them.
 */
#include "config.h"

#include <string.h>
#include <time.h>
#include <glib.h>

#include "policyd/ctl/ctl.h"
#include "policyd/ctl/filter.h"
#include "policyd/ctl/foreign.h"
#include "policyd/ctl/json.h"
#include "policyd/decide/domains.h"
#include "policyd/decide/merge.h"

#define T0 1795000000

static const uint8_t our_key[KEYEDHASH_KEY_SIZE] = "our secret here",
		     other_key[KEYEDHASH_KEY_SIZE] = "their secret";

static const struct greylist_rules rules = {.delay = 60,
    .retry_window = 86400,
    .lifetime = 35 * 86400,
    .ipv4_prefix = 24,
    .ipv6_prefix = 64,
    .auto_whitelist_after = 5};

static void
assert_bytes(const void *a, size_t a_length, const void *b, size_t b_length)
{
	g_assert_cmpuint(a_length, ==, b_length);
	g_assert_true(a_length == 0 || memcmp(a, b, a_length) == 0);
}

static struct store_bytes
text_bytes(const char *text)
{
	return (struct store_bytes){text, strlen(text)};
}

static struct prefix
network_of(const char *text)
{
	struct prefix network;

	g_assert_true(prefix_parse(text, &network));
	return network;
}

static struct sighting
sighting_of(const char *network, int64_t first, int64_t passed)
{
	return (struct sighting){.network = network_of(network),
	    .first = first,
	    .last = passed ? passed : first,
	    .passed = passed,
	    .attempts = 1 + (passed != 0)};
}

/* -- JSON -- */

/* The line of a record, read by a store with the hash key READER. */
static bool
through_json(const uint8_t *writer, const uint8_t *reader, enum store_space space,
    const struct store_bytes *key, const struct store_bytes *value, struct ctl_record *record)
{
	json_t *header = ctl_json_header(writer, T0);
	json_t *object = ctl_json_record(writer, space, key, value, T0 + 5);
	g_autofree char *header_line = json_dumps(header, JSON_COMPACT);
	g_autofree char *line = json_dumps(object, JSON_COMPACT);
	struct ctl_json_reader state = {.hash_key = reader};
	bool is_header, good;

	json_decref(header);
	json_decref(object);
	g_assert_true(
	    ctl_json_read(&state, header_line, strlen(header_line), record, &is_header, NULL));
	g_assert_true(is_header);
	g_assert_cmpint(state.same_secret, ==, memcmp(writer, reader, KEYEDHASH_KEY_SIZE) == 0);
	good = ctl_json_read(&state, line, strlen(line), record, &is_header, NULL);
	g_assert_true(!good || (!is_header && record->expires == T0 + 5));
	return good;
}

static void
assert_triplet_survives(const uint8_t *reader, const struct triplet *t, const uint8_t *key)
{
	uint8_t bytes[TRIPLET_RECORD_MAX], again[TRIPLET_RECORD_MAX];
	struct store_bytes value = {bytes, triplet_encode(t, bytes)};
	struct ctl_record record;

	ctl_record_init(&record);
	g_assert_true(through_json(our_key, reader, STORE_TRIPLETS,
	    &(struct store_bytes){key, KEYEDHASH_SIZE}, &value, &record));
	g_assert_cmpint(record.space, ==, STORE_TRIPLETS);
	assert_bytes(again, triplet_encode(&record.triplet, again), value.data, value.length);
	if (reader == our_key)
		assert_bytes(record.key, record.key_length, key, KEYEDHASH_SIZE);
	ctl_record_clear(&record);
}

static struct triplet
full_triplet(void)
{
	struct triplet t = {.sender = text_bytes("bob@example.org"),
	    .recipient = text_bytes("al@example.net"),
	    .overflow_until = T0 + 77,
	    .n_sightings = 3};

	t.sightings[0] = sighting_of("192.0.2.0/24", T0, T0 + 61);
	t.sightings[0].pool = text_bytes("example.org");
	t.sightings[0].moved = true;
	t.sightings[0].attempts = 4000000000U;
	sighting_add_early(&t.sightings[0], 20);
	sighting_add_early(&t.sightings[0], 45);
	t.sightings[1] = sighting_of("2001:db8::/64", T0, 0);
	sighting_add_early(&t.sightings[1], 20);
	t.sightings[1].others = true;
	t.sightings[2] = sighting_of("198.51.100.0/24", T0, T0);
	t.sightings[2].observed = true;
	return t;
}

static void
test_json_lossless(void)
{
	static const char *const addresses[] = {"bob@example.org", "", "\"a b\"@x.org",
	    "\xff\xfe\x01@x.org", "j\xc3\xbcrgen@example.org", "{\"hex\":\"00\"}@x.org",
	    "back\\slash\t\x7f@x.org"};
	struct triplet t = full_triplet();
	uint8_t key[KEYEDHASH_SIZE];

	for (size_t i = 0; i < G_N_ELEMENTS(addresses); i++) {
		t.sender = text_bytes(addresses[i]);
		triplet_key(our_key, addresses[i], "al@example.net", NULL, NULL, key);
		assert_triplet_survives(our_key, &t, key);
		assert_triplet_survives(other_key, &t, key);
	}
}

static void
test_json_hashed(void)
{
	struct triplet t = full_triplet();
	uint8_t hash[2][TRIPLET_ADDRESS_HASH_SIZE], key[KEYEDHASH_SIZE];
	uint8_t bytes[TRIPLET_RECORD_MAX];
	struct store_bytes value;
	struct ctl_record record;

	triplet_key(our_key, "bob@example.org", "al@example.net", NULL, NULL, key);
	triplet_address_hash(our_key, "bob@example.org", hash[0]);
	triplet_address_hash(our_key, "al@example.net", hash[1]);
	t.hashed = true;
	t.sender = (struct store_bytes){hash[0], sizeof hash[0]};
	t.recipient = (struct store_bytes){hash[1], sizeof hash[1]};
	assert_triplet_survives(our_key, &t, key);
	/* Another store could never find it: refused, not imported in vain. */
	value = (struct store_bytes){bytes, triplet_encode(&t, bytes)};
	ctl_record_init(&record);
	g_assert_false(through_json(our_key, other_key, STORE_TRIPLETS,
	    &(struct store_bytes){key, sizeof key}, &value, &record));
	ctl_record_clear(&record);
}

/* Into a store with another secret each record gets the key under which it is looked up there. */
static void
test_json_places(void)
{
	struct triplet t = full_triplet();
	const struct {
		const struct prefix *network;
		const struct store_bytes *pool;
	} places[] = {{NULL, NULL}, {&t.sightings[0].network, NULL},
	    {&t.sightings[1].network, NULL}, {&t.sightings[1].network, &t.sightings[0].pool}};
	uint8_t bytes[TRIPLET_RECORD_MAX], ours[KEYEDHASH_SIZE], theirs[KEYEDHASH_SIZE];
	struct store_bytes value = {bytes, triplet_encode(&t, bytes)};

	for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
		struct ctl_record record;

		triplet_key(our_key, "bob@example.org", "al@example.net", places[i].network,
		    places[i].pool, ours);
		triplet_key(other_key, "bob@example.org", "al@example.net", places[i].network,
		    places[i].pool, theirs);
		ctl_record_init(&record);
		g_assert_true(through_json(our_key, other_key, STORE_TRIPLETS,
		    &(struct store_bytes){ours, sizeof ours}, &value, &record));
		assert_bytes(record.key, record.key_length, theirs, sizeof theirs);
		ctl_record_clear(&record);
	}
}

static void
test_json_other_records(void)
{
	struct address address;
	struct client client = {.passes = 7, .counted = T0};
	struct allowed_entry entry = {.since = T0, .until = T0 + 3600};
	uint8_t key[CLIENT_KEY_MAX], bytes[64], again[64];
	static const uint8_t hour[] = {0, 7, 0x9c, 0x4e},
			     cells[] = {0, 0, 0, 3, 0x7f, 0xff, 0xff, 0xff};
	uint8_t domain[DOMAINS_KEY_MAX];
	struct store_bytes value;
	struct ctl_record record;

	ctl_record_init(&record);
	g_assert_true(address_parse("2001:db8::1", &address));
	value = (struct store_bytes){bytes, client_encode(&client, bytes)};
	g_assert_true(through_json(our_key, other_key, STORE_CLIENTS,
	    &(struct store_bytes){key, client_key(&address, key)}, &value, &record));
	assert_bytes(again, client_encode(&record.client, again), value.data, value.length);
	assert_bytes(record.key, record.key_length, key, 9);

	value = (struct store_bytes){bytes, allowed_encode(&entry, bytes)};
	g_assert_true(through_json(our_key, other_key, STORE_ALLOWED,
	    &(struct store_bytes){"192.0.2.0/24", 12}, &value, &record));
	assert_bytes(again, allowed_encode(&record.allowed, again), value.data, value.length);
	assert_bytes(record.key, record.key_length, "192.0.2.0/24", 12);

	g_assert_true(
	    through_json(our_key, other_key, STORE_HOURS, &(struct store_bytes){hour, sizeof hour},
		&(struct store_bytes){cells, sizeof cells}, &record));
	assert_bytes(record.key, record.key_length, hour, sizeof hour);
	g_assert_cmpuint(record.n_cells, ==, 2);
	g_assert_cmpint(record.cells[0].delta, ==, 3);
	g_assert_cmpint(record.cells[1].delta, ==, INT32_MAX);
	g_assert_cmpint(record.cells[1].op, ==, STORE_MAX);

	g_assert_true(through_json(our_key, other_key, STORE_DOMAINS,
	    &(struct store_bytes){domain, domains_key(20775, "example.net", domain)},
	    &(struct store_bytes){cells, sizeof cells}, &record));
	assert_bytes(record.key, record.key_length, domain, 4 + strlen("example.net"));
	g_assert_cmpuint(record.n_cells, ==, 2);
	ctl_record_clear(&record);
}

static void
test_json_refused(void)
{
#define TRIPLET   "{\"type\":\"triplet\",\"place\":null,\"sender\":\"a@b\",\"recipient\":"
#define SIGHTINGS "\"c@d\",\"sightings\":"
	static const char *const lines[] = {
	    "",
	    "[]",
	    "17",
	    "{}",
	    "{\"type\":\"message\"}",
	    "{\"type\":\"client\"}",
	    "{\"type\":\"client\",\"network\":\"192.0.2.0/24\",\"passes\":1}",
	    "{\"type\":\"client\",\"network\":\"192.0.2.1\",\"passes\":-1}",
	    "{\"type\":\"client\",\"network\":\"192.0.2.1\",\"passes\":\"5\"}",
	    "{\"type\":\"client\",\"network\":\"192.0.2.1\",\"counted\":1099511627776}",
	    "{\"type\":\"hour\",\"hour\":4294967296,\"cells\":[]}",
	    "{\"type\":\"hour\",\"hour\":1,\"cells\":[2147483648]}",
	    "{\"type\":\"allowed\",\"entry\":\"no domain\"}",
	    TRIPLET "{\"hex\":\"0\"}}",
	    TRIPLET "{\"hex\":\"00\"},\"sightings\":[]}",
	    TRIPLET "{\"hash\":\"0011223344556677\"},\"sightings\":[]}",
	    TRIPLET "\"c\\u0000@d\",\"sightings\":[]}",
	    TRIPLET SIGHTINGS "7}",
	    TRIPLET SIGHTINGS "[{\"network\":\"192.0.2.1/24\"}]}",
	    TRIPLET SIGHTINGS "[{\"network\":\"192.0.2.0/24\",\"first\":2,\"last\":1}]}",
	    TRIPLET SIGHTINGS "[{\"network\":\"192.0.2.0/24\",\"first\":2,\"passed\":1}]}",
	    TRIPLET SIGHTINGS "[0,0,0,0,0,0,0,0,0]}",
	    TRIPLET "\"c@d\",\"sightings\":[],\"place\":\"unknown\"}",
	    "{\"type\":\"header\",\"format\":\"another\",\"version\":1}",
	    "{\"type\":\"header\",\"format\":\"greylag policy records\",\"version\":2}",
	};
	static const char good[] = TRIPLET SIGHTINGS "[]}";
	struct ctl_json_reader reader = {.hash_key = our_key};
	struct ctl_record record;
	bool header;

	ctl_record_init(&record);
	g_assert_false(ctl_json_read(&reader, good, strlen(good), &record, &header, NULL));
	reader.begun = true;
	g_assert_true(ctl_json_read(&reader, good, strlen(good), &record, &header, NULL));
	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_autoptr(GError) error = NULL;

		g_test_message("%s", lines[i]);
		g_assert_false(
		    ctl_json_read(&reader, lines[i], strlen(lines[i]), &record, &header, &error));
		g_assert_nonnull(error);
	}
	ctl_record_clear(&record);
}

/* -- merging -- */

static struct sighting
merge_one(int64_t now, struct sighting old, struct sighting new)
{
	struct triplet a = {.n_sightings = 1, .sightings = {old}};
	struct triplet b = {.n_sightings = 1, .sightings = {new}};
	struct triplet merged, again;
	unsigned dropped;

	merge_triplet(&rules, now, &a, &b, &merged, &dropped);
	g_assert_cmpuint(merged.n_sightings, ==, 1);
	g_assert_cmpuint(dropped, ==, 0);
	/* The same once more changes nothing. */
	merge_triplet(&rules, now, &merged, &b, &again, &dropped);
	g_assert_cmpint(again.sightings[0].first, ==, merged.sightings[0].first);
	g_assert_cmpint(again.sightings[0].last, ==, merged.sightings[0].last);
	g_assert_cmpint(again.sightings[0].passed, ==, merged.sightings[0].passed);
	g_assert_cmpint(again.sightings[0].attempts, ==, merged.sightings[0].attempts);
	g_assert_cmpint(again.sightings[0].observed, ==, merged.sightings[0].observed);
	return merged.sightings[0];
}

static void
test_merge_never_weakens(void)
{
	const char *net = "192.0.2.0/24";
	struct sighting waiting = sighting_of(net, T0, 0), passed = sighting_of(net, T0, T0 + 70);
	struct sighting stale = sighting_of(net, T0 - 2 * 86400, 0);
	struct sighting later = sighting_of(net, T0 + 100, 0);
	struct sighting observed = sighting_of(net, T0 - 5, T0 - 5), s;

	observed.observed = true;
	s = merge_one(T0 + 100, passed, waiting);
	g_assert_cmpint(s.passed, ==, T0 + 70);
	s = merge_one(T0 + 100, waiting, passed);
	g_assert_cmpint(s.passed, ==, T0 + 70);
	/* The older attempt counts, so that nobody waits anew; but not one whose window is over. */
	g_assert_cmpint(merge_one(T0 + 110, later, waiting).first, ==, T0);
	g_assert_cmpint(merge_one(T0 + 110, waiting, stale).first, ==, T0);
	g_assert_cmpint(merge_one(T0 + 110, stale, waiting).first, ==, T0);
	/* A real retry outweighs what observe mode let in. */
	s = merge_one(T0 + 100, observed, passed);
	g_assert_false(s.observed);
	g_assert_cmpint(s.passed, ==, T0 + 70);
	g_assert_cmpint(s.first, ==, T0 - 5);
	s = merge_one(T0 + 100, observed, waiting);
	g_assert_true(s.observed);
	g_assert_cmpint(s.passed, ==, T0 - 5);
}

static void
test_merge_room(void)
{
	struct triplet old = {.n_sightings = TRIPLET_SIGHTINGS}, merged;
	struct triplet new = {.n_sightings = 1};
	unsigned dropped;

	new.sightings[0] = sighting_of("203.0.113.0/24", T0, T0 + 70);
	for (unsigned i = 0; i < TRIPLET_SIGHTINGS; i++) {
		g_autofree char *net = g_strdup_printf("10.0.%u.0/24", i);

		old.sightings[i] = sighting_of(net, T0, T0 + 70);
	}
	merge_triplet(&rules, T0 + 100, &old, &new, &merged, &dropped);
	g_assert_cmpuint(dropped, ==, 1);
	assert_bytes(
	    &merged.sightings, sizeof merged.sightings, &old.sightings, sizeof old.sightings);
	/* One whose time is over makes room. */
	old.sightings[3].last = old.sightings[3].passed = old.sightings[3].first = T0 - 36 * 86400;
	merge_triplet(&rules, T0 + 100, &old, &new, &merged, &dropped);
	g_assert_cmpuint(dropped, ==, 0);
	g_assert_true(prefix_equal(&merged.sightings[3].network, &new.sightings[0].network));
}

static void
test_merge_others(void)
{
	struct client a = {5, T0}, b = {3, T0 + 9}, c;
	struct allowed_entry e = {T0, T0 + 9}, f = {T0 - 4, 0}, g;

	merge_client(&a, &b, &c);
	g_assert_cmpuint(c.passes, ==, 5);
	g_assert_cmpint(c.counted, ==, T0 + 9);
	merge_allowed(&e, &f, &g);
	g_assert_cmpint(g.since, ==, T0 - 4);
	g_assert_cmpint(g.until, ==, 0);
	f.until = T0 + 3;
	merge_allowed(&f, &e, &g);
	g_assert_cmpint(g.until, ==, T0 + 9);
}

/* -- other servers -- */

static const struct foreign postgrey = {
    .delay = FOREIGN_POSTGREY_DELAY, .rules = &rules, .hash_key = our_key};

static void
test_postgrey_triplets(void)
{
	/* Keys and values as postgrey 1.37 writes them. */
	static const struct {
		const char *key, *value, *sender, *recipient, *network;
		bool passed;
	} rows[] = {
	    {"192.0.2.0/bob@example.org/al@example.net", "1795000000,1795000300", "bob@example.org",
		"al@example.net", "192.0.2.0/24", true},
	    {"192.0.2.0/bob@example.org/al@example.net", "1795000000,1795000299", "bob@example.org",
		"al@example.net", "192.0.2.0/24", false},
	    {"192.0.2.0/list-#-bob@example.org/al+x@example.net", "1795000000,1795000301",
		"list-#-bob@example.org", "al@example.net", "192.0.2.0/24", true},
	    {"192.0.2.0//al@example.net", "1795000000,1795000000", "", "al@example.net",
		"192.0.2.0/24", false},
	    {"2001:db8:0:0:0:0:0:0/bob@example.org/al@example.net", "1795000000,1795000300",
		"bob@example.org", "al@example.net", "2001:db8::/64", true},
	    {"192.0.2.0/a/b@example.org/c/d@example.net", "1795000000,1795000300,mx.example.org",
		"a/b@example.org", "c/d@example.net", "192.0.2.0/24", true},
	    {"192.0.2.7/root/al@example.net", "1795000000,1795000300", "root", "al@example.net",
		"192.0.2.0/24", true},
	};
	struct ctl_record record;

	ctl_record_init(&record);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct prefix network = network_of(rows[i].network);
		const struct triplet *t = &record.triplet;
		uint8_t key[KEYEDHASH_SIZE];

		g_test_message("%s", rows[i].key);
		g_assert_true(
		    foreign_postgrey(&postgrey, rows[i].key, rows[i].value, &record, NULL));
		g_assert_cmpint(record.space, ==, STORE_TRIPLETS);
		assert_bytes(
		    t->sender.data, t->sender.length, rows[i].sender, strlen(rows[i].sender));
		assert_bytes(t->recipient.data, t->recipient.length, rows[i].recipient,
		    strlen(rows[i].recipient));
		g_assert_true(prefix_equal(&t->sightings[0].network, &network));
		g_assert_cmpint(t->sightings[0].passed, ==, rows[i].passed ? T0 + 300 : 0);
		/* The key under which the daemon looks. */
		triplet_key(our_key, rows[i].sender, rows[i].recipient,
		    *rows[i].sender ? NULL : &network, NULL, key);
		assert_bytes(record.key, record.key_length, key, sizeof key);
	}
	ctl_record_clear(&record);
}

static void
test_postgrey_clients(void)
{
	struct ctl_record record;
	struct prefix network;

	ctl_record_init(&record);
	g_assert_true(
	    foreign_postgrey(&postgrey, "2001:DB8:0:0:0:0:0:1", "7,1795000000", &record, NULL));
	g_assert_cmpint(record.space, ==, STORE_CLIENTS);
	g_assert_cmpuint(record.client.passes, ==, 7);
	g_assert_cmpint(record.client.counted, ==, T0);
	g_assert_true(
	    client_key_decode(&(struct store_bytes){record.key, record.key_length}, &network));
	ctl_record_clear(&record);
	g_assert_true(foreign_postgrey_hashed("da39a3ee5e6b4b0d3255bfef95601890afd80709"));
	g_assert_false(foreign_postgrey_hashed("192.0.2.0/bob@example.org/al@example.net"));
}

static void
test_foreign_refused(void)
{
	static const struct {
		const char *key, *value;
	} rows[] = {{"192.0.2.0/bob@example.org", "1,2"}, {"here/a@b/c@d", "1,2"},
	    {"192.0.2.0/a@b/c@d", "1"}, {"192.0.2.0/a@b/c@d", "one,two"},
	    {"192.0.2.0/a@b/c@d", "1,99999999999999999999"}, {"192.0.2.1", "4294967296,1"},
	    {"", ""}};
	static const char *const lines[] = {"", "192.0.2.0\ta@b\tc@d\t1\t2\t3\t4",
	    "here\ta@b\tc@d\tTue Nov 24 12:00:00 2026\tTue Nov 24 12:00:00 2026\t1\t1",
	    "192.0.2.0\ta@b\tc@d\tTue Nov 24 12:00:00 2026\tTue Nov 24 12:00:00 2026\t1"};
	struct ctl_record record;

	ctl_record_init(&record);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		g_assert_false(
		    foreign_postgrey(&postgrey, rows[i].key, rows[i].value, &record, NULL));
	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++)
		g_assert_false(foreign_greyfix(&postgrey, lines[i], &record, NULL));
	ctl_record_clear(&record);
}

static void
test_greyfix(void)
{
	const struct foreign greyfix = {
	    .delay = FOREIGN_GREYFIX_DELAY, .rules = &rules, .hash_key = our_key, .privacy = true};
	time_t first = T0, last = T0 + 4000;
	g_autofree char *from = g_strdup(g_strchomp(ctime(&first)));
	g_autofree char *to = g_strdup(g_strchomp(ctime(&last)));
	g_autofree char *line =
	    g_strdup_printf("192.0.2\tBob@example.org\tal@example.net\t%s\t%s\t3\t2", from, to);
	uint8_t hash[TRIPLET_ADDRESS_HASH_SIZE];
	const struct sighting *s;
	struct ctl_record record;
	struct prefix network = network_of("192.0.2.0/24");

	ctl_record_init(&record);
	g_assert_true(foreign_greyfix(&greyfix, line, &record, NULL));
	s = &record.triplet.sightings[0];
	g_assert_true(prefix_equal(&s->network, &network));
	g_assert_cmpint(s->first, ==, T0);
	g_assert_cmpint(s->last, ==, T0 + 4000);
	g_assert_cmpint(s->passed, ==, T0 + FOREIGN_GREYFIX_DELAY);
	g_assert_cmpuint(s->attempts, ==, 4);
	/* With privacy on no address is written down. */
	triplet_address_hash(our_key, "bob@example.org", hash);
	g_assert_true(record.triplet.hashed);
	assert_bytes(record.triplet.sender.data, record.triplet.sender.length, hash, sizeof hash);
	ctl_record_clear(&record);
}

static void
test_dump(void)
{
	static const char *const lines[] = {"VERSION=3", "format=print", "type=btree", "HEADER=END",
	    " a\\\\b\\ffc", " 1,2", "DATA=END", "VERSION=3", "format=bytevalue", "HEADER=END",
	    " 6162", " 31"};
	struct foreign_dump dump = {0};
	g_autoptr(GString) pairs = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_autofree char *value = NULL;
		enum foreign_dump_result result = foreign_dump_line(&dump, lines[i], &value, NULL);

		g_assert_cmpint(result, !=, FOREIGN_ERROR);
		if (result == FOREIGN_PAIR)
			g_string_append_printf(pairs, "%s=%s;", dump.key, value);
	}
	g_assert_cmpstr(pairs->str, ==,
	    "a\\b\xff"
	    "c=1,2;ab=1;");
	g_assert_false(foreign_dump_end(&dump));
	g_assert_cmpint(foreign_dump_line(&dump, "no space", NULL, NULL), ==, FOREIGN_ERROR);
	foreign_dump_clear(&dump);
	g_assert_cmpint(foreign_dump_line(&dump, "Received: here", NULL, NULL), ==, FOREIGN_ERROR);
}

/* -- filters, text -- */

/* Of the sighting from 192.0.2.0/24, whose client was a host of example.org. With the addresses
 * hashed a domain says nothing. */
static const struct {
	struct filter_text text;
	enum selector_match plain, hashed;
} filters[] = {
    {{0}, SELECTOR_MATCHES, SELECTOR_MATCHES},
    {{.sender = (char *)"BOB+news@Example.ORG."}, SELECTOR_MATCHES, SELECTOR_MATCHES},
    {{.sender = (char *)"<bob@example.org>", .recipient = (char *)"Al+x@example.net"},
	SELECTOR_MATCHES, SELECTOR_MATCHES},
    {{.sender = (char *)"bo@example.org"}, SELECTOR_MISSES, SELECTOR_MISSES},
    {{.sender = (char *)""}, SELECTOR_MISSES, SELECTOR_MISSES},
    {{.sender = (char *)"example.org"}, SELECTOR_MATCHES, SELECTOR_UNKNOWN},
    {{.sender = (char *)"@Example.org"}, SELECTOR_MATCHES, SELECTOR_UNKNOWN},
    {{.sender = (char *)"ample.org"}, SELECTOR_MISSES, SELECTOR_UNKNOWN},
    {{.sender = (char *)"mail.example.org"}, SELECTOR_MISSES, SELECTOR_UNKNOWN},
    {{.sender = (char *)"example.org", .recipient = (char *)"eve@example.net"}, SELECTOR_MISSES,
	SELECTOR_MISSES},
    {{.recipient = (char *)"bob@example.org"}, SELECTOR_MISSES, SELECTOR_MISSES},
    {{.recipient = (char *)"example.net"}, SELECTOR_MATCHES, SELECTOR_UNKNOWN},
    {{.client = (char *)"192.0.2.77"}, SELECTOR_MATCHES, SELECTOR_MATCHES},
    {{.client = (char *)"192.0.0.0/16"}, SELECTOR_MATCHES, SELECTOR_MATCHES},
    {{.client = (char *)"192.0.3.0/24"}, SELECTOR_MISSES, SELECTOR_MISSES},
    {{.client = (char *)"::/0"}, SELECTOR_MISSES, SELECTOR_MISSES},
    {{.client = (char *)"example.org"}, SELECTOR_MATCHES, SELECTOR_MATCHES},
    {{.client = (char *)"mx1.example.org"}, SELECTOR_MATCHES, SELECTOR_MATCHES},
    {{.client = (char *)"notexample.org"}, SELECTOR_MISSES, SELECTOR_MISSES},
    {{.any = {(char *)"al@example.net"}}, SELECTOR_MATCHES, SELECTOR_MATCHES},
    {{.any = {(char *)"192.0.2.77", (char *)"bob@example.org"}}, SELECTOR_MATCHES,
	SELECTOR_MATCHES},
    {{.any = {(char *)"192.0.2.77", (char *)"eve@example.org"}}, SELECTOR_MISSES, SELECTOR_MISSES},
    {{.any = {(char *)"example.net"}}, SELECTOR_MATCHES, SELECTOR_UNKNOWN},
    {{.state = (char *)"passed"}, SELECTOR_MATCHES, SELECTOR_MATCHES},
    {{.state = (char *)"greylisted"}, SELECTOR_MISSES, SELECTOR_MISSES},
};

static void
test_filter(void)
{
	struct triplet t = full_triplet(), hashed;
	uint8_t hash[2][TRIPLET_ADDRESS_HASH_SIZE];

	triplet_address_hash(our_key, "bob@example.org", hash[0]);
	triplet_address_hash(our_key, "al@example.net", hash[1]);
	hashed = t;
	hashed.hashed = true;
	hashed.sender = (struct store_bytes){hash[0], sizeof hash[0]};
	hashed.recipient = (struct store_bytes){hash[1], sizeof hash[1]};
	for (size_t i = 0; i < G_N_ELEMENTS(filters); i++) {
		struct filter filter;

		g_test_message("row %zu", i);
		g_assert_true(
		    filter_init(&filter, &filters[i].text, &rules, our_key, T0 + 99, NULL));
		g_assert_cmpint(filter_match(&filter, &t, &t.sightings[0]), ==, filters[i].plain);
		g_assert_cmpint(
		    filter_match(&filter, &hashed, &t.sightings[0]), ==, filters[i].hashed);
	}
}

/* What is shown of a hashed address finds it, and the record of before greylist.privacy, too. */
static void
test_filter_hash(void)
{
	struct triplet t = full_triplet();
	g_autoptr(GString) shown = g_string_new(NULL);
	uint8_t hash[TRIPLET_ADDRESS_HASH_SIZE];
	struct store_bytes bytes = {hash, sizeof hash};
	struct filter_text text = {0};
	struct filter filter;

	triplet_address_hash(our_key, "bob@example.org", hash);
	ctl_append_address(shown, &bytes, true);
	text.sender = shown->str;
	g_assert_true(filter_init(&filter, &text, &rules, our_key, T0, NULL));
	g_assert_cmpint(filter_match_any(&filter, &t), ==, SELECTOR_MATCHES);
	t.hashed = true;
	t.sender = bytes;
	g_assert_cmpint(filter_match_any(&filter, &t), ==, SELECTOR_MATCHES);
	hash[0] ^= 1;
	g_assert_cmpint(filter_match_any(&filter, &t), ==, SELECTOR_MISSES);
}

/* Exceptions and what is expected, by the same selectors. */
static void
test_filter_allowed(void)
{
	static const struct {
		const char *exception;
		struct filter_text text;
		enum selector_match match;
	} rows[] = {
	    {"bank.example", {0}, SELECTOR_MATCHES},
	    {"bank.example", {.sender = (char *)"bank.example"}, SELECTOR_MATCHES},
	    {"mail.bank.example", {.sender = (char *)"bank.example"}, SELECTOR_MATCHES},
	    {"carol@bank.example", {.sender = (char *)"bank.example"}, SELECTOR_MATCHES},
	    {"carol@bank.example", {.sender = (char *)"carol@bank.example"}, SELECTOR_MATCHES},
	    {"carol@bank.example", {.client = (char *)"bank.example"}, SELECTOR_MISSES},
	    {"bank.example", {.client = (char *)"mx.bank.example"}, SELECTOR_MATCHES},
	    {"bank.example", {.recipient = (char *)"bank.example"}, SELECTOR_MISSES},
	    {"192.0.2.0/24", {.client = (char *)"192.0.2.7"}, SELECTOR_MATCHES},
	    {"192.0.2.0/24", {.client = (char *)"bank.example"}, SELECTOR_MISSES},
	    {"192.0.2.0/24", {.sender = (char *)"bank.example"}, SELECTOR_MISSES},
	};
	uint8_t bytes[ALLOWED_RECORD_MAX];
	struct allowed_entry entry = {.since = T0};
	struct store_bytes value = {bytes, allowed_encode(&entry, bytes)};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct store_bytes key = text_bytes(rows[i].exception);
		enum selector_match match;
		struct filter filter;

		g_test_message("row %zu", i);
		g_assert_true(filter_init(&filter, &rows[i].text, &rules, our_key, T0, NULL));
		g_assert_true(filter_match_allowed(&filter, &key, &value, &match));
		g_assert_cmpint(match, ==, rows[i].match);
	}
}

/* Nothing is silent: what was named and is not there, and what could not be compared. */
static void
test_filter_end(void)
{
	static const struct {
		struct filter_text text;
		uint64_t matched, unknown;
		const char *message; /* NULL: it is good */
	} rows[] = {
	    {{0}, 0, 0, NULL},
	    {{.sender = (char *)"x.example"}, 1, 0, NULL},
	    {{.sender = (char *)"x.example", .state = (char *)"passed"}, 0, 0,
		"no record matches --sender x.example --state passed"},
	    {{.sender = (char *)""}, 0, 0, "no record matches --sender <>"},
	    {{.sender = (char *)"a\033[2J@x.example"}, 0, 0,
		"no record matches --sender a\\x1b[2J@x.example"},
	    {{.any = {(char *)"x.example"}}, 0, 2, "no record matches x.example; 2 records could "},
	    {{.sender = (char *)"x.example"}, 3, 2,
		"2 records could not be compared with a domain"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		bool good =
		    filter_end(&rows[i].text, "record", rows[i].matched, rows[i].unknown, &error);

		g_assert_cmpint(good, ==, rows[i].message == NULL);
		g_assert_true(good || g_str_has_prefix(error->message, rows[i].message));
	}
}

/* What is refused may come from a message, by way of the log. */
static void
test_filter_refused(void)
{
	struct filter_text text = {.sender = (char *)"\033[2J a b"};
	g_autoptr(GError) error = NULL;
	struct filter filter;

	g_assert_false(filter_init(&filter, &text, &rules, our_key, T0, &error));
	g_assert_true(g_error_matches(error, CTL_ERROR, CTL_USAGE));
	g_assert_true(g_str_has_prefix(
	    error->message, "--sender \"\\x1b[2J a b\" is no address, no domain and no network; "));
}

static void
test_filter_states(void)
{
	struct filter filter = {.rules = rules, .now = T0 + 86401, .state = -1};
	struct sighting waiting = sighting_of("192.0.2.0/24", T0, 0);

	g_assert_cmpstr(filter_state_name(filter_state(&filter, &waiting)), ==, "expired");
	filter.now = T0 + 86400;
	g_assert_cmpstr(filter_state_name(filter_state(&filter, &waiting)), ==, "greylisted");
}

static void
test_safe_text(void)
{
	static const struct {
		const char *bytes, *expected;
	} rows[] = {{"bob@example.org", "bob@example.org"}, {"a\x1b[2Jb", "a\\x1b[2Jb"},
	    {"tab\there\n", "tab\\x09here\\x0a"}, {"\xff", "\\xff"}, {"back\\x41", "back\\x5cx41"},
	    {"j\xc3\xbcrgen", "j\xc3\xbcrgen"}, {"\xc2\x9b", "\\xc2\\x9b"},
	    {"\xe2\x80\xae", "\\xe2\\x80\\xae"}, {"cut\xc3", "cut\\xc3"}};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GString) text = g_string_new(NULL);
		struct store_bytes bytes = text_bytes(rows[i].bytes);

		ctl_append_safe(text, &bytes);
		g_assert_cmpstr(text->str, ==, rows[i].expected);
	}
}

static void
test_durations(void)
{
	static const struct {
		const char *text;
		int64_t seconds; /* 0: refused */
	} rows[] = {{"90", 90}, {"90s", 90}, {"5m", 300}, {"24h", 86400}, {"35d", 35 * 86400},
	    {"", 0}, {"h", 0}, {"-5m", 0}, {"5w", 0}, {"1.5h", 0}, {"0", 0}, {"99999999999d", 0}};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		int64_t seconds = 0;

		g_assert_cmpint(
		    ctl_parse_duration(rows[i].text, &seconds), ==, rows[i].seconds != 0);
		g_assert_cmpint(seconds, ==, rows[i].seconds);
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/greylagctl/export-and-import-lose-nothing", test_json_lossless);
	g_test_add_func("/greylagctl/hashed-addresses-stay-in-their-store", test_json_hashed);
	g_test_add_func("/greylagctl/another-store-finds-what-it-imports", test_json_places);
	g_test_add_func("/greylagctl/clients-exceptions-hours-too", test_json_other_records);
	g_test_add_func("/greylagctl/faulty-lines-are-refused", test_json_refused);
	g_test_add_func("/greylagctl/import-never-weakens", test_merge_never_weakens);
	g_test_add_func("/greylagctl/import-pushes-nothing-out", test_merge_room);
	g_test_add_func("/greylagctl/import-merges-clients-and-exceptions", test_merge_others);
	g_test_add_func("/greylagctl/postgrey-triplets", test_postgrey_triplets);
	g_test_add_func("/greylagctl/postgrey-clients", test_postgrey_clients);
	g_test_add_func("/greylagctl/foreign-faults-are-refused", test_foreign_refused);
	g_test_add_func("/greylagctl/greyfix-triplets", test_greyfix);
	g_test_add_func("/greylagctl/berkeley-db-dump", test_dump);
	g_test_add_func("/greylagctl/filters-match-what-people-type", test_filter);
	g_test_add_func("/greylagctl/filters-match-hashes-as-they-are-shown", test_filter_hash);
	g_test_add_func("/greylagctl/filters-match-exceptions", test_filter_allowed);
	g_test_add_func("/greylagctl/no-search-ends-in-silence", test_filter_end);
	g_test_add_func("/greylagctl/what-is-refused-is-shown-safely", test_filter_refused);
	g_test_add_func("/greylagctl/a-closed-window-is-expired", test_filter_states);
	g_test_add_func("/greylagctl/terminals-get-no-control-bytes", test_safe_text);
	g_test_add_func("/greylagctl/durations", test_durations);
	return g_test_run();
}
