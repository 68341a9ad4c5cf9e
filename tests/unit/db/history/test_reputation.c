/* Reputation as a function of values: sums, their bounds, and what they mean at RCPT. */
#include "config.h"

#include <math.h>
#include <string.h>
#include <glib.h>

#include "db/history/reputation.h"
#include "tests/unit/db/bytes.h"

#define T0  1795000000
#define DAY 86400

#define MESSAGES(n) ((uint32_t)((n)*REPUTATION_MESSAGE))

static const struct reputation_rules rules = {
    .use = true,
    .half_life = 30 * DAY,
    .remember = 30 * DAY,
    .lifetime = 35 * DAY,
    .ham = MESSAGES(0.5),
    .spam = MESSAGES(5),
    .max_spam = 0.2,
    .factor = 2,
    .delay_max = REPUTATION_DELAY_MAX,
};

static const uint8_t hash_key[KEYEDHASH_KEY_SIZE] = {1, 2, 3};

static void
add(struct reputation *r, bool *have, bool spam, bool back, int64_t time, int64_t now)
{
	struct reputation_verdict verdict = {.spam = spam, .back = back, .time = time};
	struct reputation after;

	if (reputation_add(&rules, *have ? r : NULL, &verdict, now, &after)) {
		*r = after;
		*have = true;
	}
}

/* N verdicts, EVERY seconds one. */
static struct reputation
history(unsigned ham, unsigned spam, int64_t every)
{
	struct reputation r;
	bool have = false;
	int64_t now = T0;

	for (unsigned i = 0; i < MAX(ham, spam); i++, now += every) {
		if (i < ham)
			add(&r, &have, false, false, now, now);
		if (i < spam)
			add(&r, &have, true, false, now, now);
	}
	g_assert_true(have);
	return r;
}

static void
assert_near(uint32_t sum, double messages)
{
	g_assert_cmpfloat_with_epsilon((double)sum / REPUTATION_MESSAGE, messages, 0.0005);
}

/* -- sums -- */

static void
test_half_life(void)
{
	struct reputation r = history(1, 0, 0), later;

	assert_near(r.ham, 1);
	later = reputation_decayed(&rules, &r, T0 + rules.half_life);
	assert_near(later.ham, 0.5);
	later = reputation_decayed(&rules, &later, T0 + 3 * rules.half_life);
	assert_near(later.ham, 0.125);
	/* A clock that went back neither adds nor decays, and does not stop decay for ever. */
	later = reputation_decayed(&rules, &r, T0 - 100 * DAY);
	assert_near(later.ham, 1);
	later = reputation_decayed(&rules, &later, T0 - 100 * DAY + rules.half_life);
	assert_near(later.ham, 0.5);
}

/* Decay in many small steps is that of one large step. */
static void
test_small_steps(void)
{
	struct reputation r = history(3, 0, 0);

	for (int64_t t = T0; t <= T0 + rules.half_life; t += 37)
		r = reputation_decayed(&rules, &r, t);
	g_assert_cmpfloat_with_epsilon((double)r.ham / REPUTATION_MESSAGE, 1.5, 0.01);
}

static void
test_taken_back(void)
{
	struct reputation r = history(2, 1, 0);
	bool have = true;

	add(&r, &have, false, true, T0, T0 + 10 * DAY);
	assert_near(r.ham, exp2(-10.0 / 30));
	assert_near(r.spam, exp2(-10.0 / 30));
	g_assert_cmpint(r.last_ham, !=, 0);
	add(&r, &have, false, true, T0, T0 + 10 * DAY);
	assert_near(r.ham, 0);
	g_assert_cmpint(r.last_ham, ==, 0);
	/* Never below nothing. */
	add(&r, &have, true, true, T0 + 10 * DAY, T0 + 10 * DAY);
	g_assert_cmpuint(r.spam, ==, 0);
}

static void
test_nothing_to_take_back(void)
{
	struct reputation r;
	bool have = false;

	add(&r, &have, true, true, T0, T0);
	g_assert_false(have);
}

/* A million verdicts within a minute move a record no further than an hour's bound. */
static void
test_bound_in_an_hour(void)
{
	struct reputation r = history(1000000, 0, 0);

	assert_near(r.ham, REPUTATION_HOURLY);
	g_assert_cmpuint(r.in_hour, ==, REPUTATION_HOURLY);
}

/* A million verdicts over years move it no further than the bound in all, and what came last
 * has the say. */
static void
test_bound_in_all(void)
{
	struct reputation r = history(1000000, 0, 240);
	bool have = true;
	int64_t now = T0 + 1000000 * (int64_t)240;

	g_assert_cmpuint(r.ham + r.spam, <=, MESSAGES(REPUTATION_MESSAGES_MAX));
	assert_near(r.ham, REPUTATION_MESSAGES_MAX);
	for (int i = 0; i < 200; i++, now += 600)
		add(&r, &have, true, false, now, now);
	g_assert_cmpuint(r.ham + r.spam, <=, MESSAGES(REPUTATION_MESSAGES_MAX));
	g_assert_cmpuint(r.spam, >, 10 * r.ham);
}

/* A busy sender's share of spam stays what it is, though the record is full. */
static void
test_share_is_kept(void)
{
	struct reputation r;
	bool have = false;
	double share;

	for (int i = 0; i < 10000; i++)
		add(&r, &have, i % 10 == 0, false, T0 + i * 200, T0 + i * 200);
	share = (double)r.spam / (double)(r.ham + r.spam);
	g_assert_cmpfloat_with_epsilon(share, 0.1, 0.03);
}

/* Ham that does not count any more in its hour is seen all the same. */
static void
test_ham_in_a_full_hour(void)
{
	struct reputation r = history(0, 1000, 0);
	bool have = true;

	g_assert_cmpint(r.last_ham, ==, 0);
	add(&r, &have, false, false, T0 + 1, T0 + 1);
	g_assert_cmpuint(r.ham, ==, 0);
	g_assert_cmpint(r.last_ham, ==, T0 + 1);
}

/* -- records -- */

static void
test_round_trip(void)
{
	struct reputation r = history(3, 2, 1000), back;
	uint8_t bytes[REPUTATION_RECORD_MAX];
	struct store_bytes encoded = {bytes, reputation_encode(&r, bytes)};

	g_assert_true(reputation_decode(&encoded, &back));
	g_assert_cmpuint(back.ham, ==, r.ham);
	g_assert_cmpuint(back.spam, ==, r.spam);
	g_assert_cmpint(back.at, ==, r.at);
	g_assert_cmpint(back.first, ==, r.first);
	g_assert_cmpint(back.last, ==, r.last);
	g_assert_cmpint(back.last_ham, ==, r.last_ham);
	g_assert_cmpuint(back.hour, ==, r.hour);
	g_assert_cmpuint(back.in_hour, ==, r.in_hour);
}

/* The example at the head of reputation.c. */
static void
test_example(void)
{
	static const uint8_t example[] = {0x01, 0x01, 0x03, 0x1e, 0x2b, 0x48, 0x03, 0x04, 0x6a,
	    0xfd, 0x86, 0xc0, 0x04, 0x04, 0x6a, 0xfc, 0x35, 0x40, 0x05, 0x04, 0x6a, 0xfd, 0x86,
	    0xc0, 0x06, 0x04, 0x6a, 0xfd, 0x86, 0xc0, 0x07, 0x03, 0x07, 0x9b, 0xb3, 0x08, 0x01,
	    0x01};
	struct reputation r;
	uint8_t bytes[REPUTATION_RECORD_MAX];
	bool have = false;

	add(&r, &have, false, false, T0 - DAY, T0 - DAY);
	add(&r, &have, false, false, T0, T0);
	assert_same_bytes(bytes, reputation_encode(&r, bytes), example, sizeof example);
}

static void
test_malformed(void)
{
	static const struct {
		const char *bytes;
		size_t length;
	} cases[] = {
	    {"", 0}, {"\0\1\1\1", 4},          /* no version */
	    {"\1\1\5\1", 4},                   /* cut */
	    {"\1\1\4\xff\xff\xff\xff", 7},     /* more than a record holds */
	    {"\1\3\6\1\0\0\0\0\0", 9},         /* a time past the year 36000 */
	    {"\1\1\11\0\0\0\0\0\0\0\0\1", 12}, /* no number */
	};
	struct reputation r;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		g_assert_false(
		    reputation_decode(&(struct store_bytes){cases[i].bytes, cases[i].length}, &r));
	/* A later version's field is skipped. */
	g_assert_true(reputation_decode(&(struct store_bytes){"\1\1\1\5\x63\3abc", 9}, &r));
	g_assert_cmpuint(r.ham, ==, 5);
}

static void
test_keys(void)
{
	struct address v4, v6, none = {.family = ADDRESS_NONE};
	uint8_t key[REPUTATION_KEY_MAX], other[REPUTATION_KEY_MAX];
	struct prefix network;
	char text[PREFIX_TEXT_SIZE];
	size_t length;
	g_autofree char *longest = g_strnfill(255, 'a'), *longer = g_strnfill(256, 'a');

	g_assert_true(address_parse("192.0.2.1", &v4) && address_parse("2001:db8::1", &v6));
	length = reputation_network_key(&v4, key);
	assert_same_bytes(key, length, "\xc0\0\2\1\1", 5);
	g_assert_cmpint(
	    reputation_key_kind(&(struct store_bytes){key, length}), ==, REPUTATION_NETWORK);
	length = reputation_network_key(&v6, key);
	assert_same_bytes(key, length, "\x20\1\r\xb8\0\0\0\0\1", 9);
	g_assert_cmpint(
	    reputation_key_kind(&(struct store_bytes){key, length}), ==, REPUTATION_NETWORK);
	g_assert_true(reputation_key_network(&(struct store_bytes){key, length}, &network));
	g_assert_cmpstr(prefix_format(&network, text), ==, "2001:db8::/64");
	g_assert_cmpuint(reputation_network_key(&none, key), ==, 0);
	g_assert_false(reputation_key_network(&(struct store_bytes){"abcd\2", 5}, &network));
	length = reputation_domain_key(REPUTATION_NAME, "example.org", 11, key);
	assert_same_bytes(key, length, "example.org\2", 12);
	g_assert_cmpuint(reputation_domain_key(REPUTATION_NAME, "", 0, key), ==, 0);
	g_assert_cmpuint(reputation_domain_key(REPUTATION_NAME, longest, 255, key), ==, 256);
	g_assert_cmpuint(reputation_domain_key(REPUTATION_NAME, longer, 256, key), ==, 0);
	length = reputation_pair_key(hash_key, "a@example.org", "b@own.example", key);
	g_assert_cmpint(
	    reputation_key_kind(&(struct store_bytes){key, length}), ==, REPUTATION_PAIR);
	reputation_pair_key(hash_key, "b@own.example", "a@example.org", other);
	g_assert_true(memcmp(key, other, length) != 0);
	g_assert_cmpuint(reputation_pair_key(hash_key, "", "b@own.example", key), ==, 0);
	g_assert_cmpint(reputation_key_kind(&(struct store_bytes){"abc\1", 4}), ==, 0);
	g_assert_cmpint(reputation_key_kind(&(struct store_bytes){"abcd\x63", 5}), ==, 0);
	g_assert_cmpint(reputation_key_kind(&(struct store_bytes){"\1", 1}), ==, 0);
}

/* -- opinions -- */

/* -1: there is no such record. */
struct opinion_case {
	const char *what;
	double network_ham, network_spam, name_ham, name_spam, auth_ham, auth_spam;
	enum reputation_advice advice;
	enum reputation_kind kind;
};

static void
set(struct reputation_found *found, enum reputation_kind kind, double ham, double spam)
{
	found->have[kind] = ham >= 0;
	found->of[kind] = (struct reputation){.ham = MESSAGES(MAX(ham, 0)),
	    .spam = MESSAGES(spam),
	    .at = T0,
	    .first = T0,
	    .last = T0,
	    .last_ham = ham > 0 ? T0 : 0};
}

static struct reputation_opinion
opinion_on(const struct reputation_found *found, int64_t delay, int64_t now)
{
	struct reputation_opinion opinion;
	struct address client;

	g_assert_true(address_parse("192.0.2.1", &client));
	reputation_opinion(&rules, found, &client, "example.org", delay, now, &opinion);
	return opinion;
}

static void
test_opinions(void)
{
	static const struct opinion_case cases[] = {
	    {"nothing known", -1, 0, -1, 0, -1, 0, REPUTATION_NEUTRAL, 0},
	    {"one ham", 1, 0, -1, 0, -1, 0, REPUTATION_SPARES, REPUTATION_NETWORK},
	    {"too little ham", 0.4, 0, -1, 0, -1, 0, REPUTATION_NEUTRAL, 0},
	    {"ham with few spam", 4, 1, -1, 0, -1, 0, REPUTATION_SPARES, REPUTATION_NETWORK},
	    {"ham with some spam", 4, 1.1, -1, 0, -1, 0, REPUTATION_NEUTRAL, 0},
	    {"ham of the name", -1, 0, 1, 0, -1, 0, REPUTATION_SPARES, REPUTATION_NAME},
	    {"ham signed by the name", -1, 0, -1, 0, 1, 0, REPUTATION_SPARES, REPUTATION_AUTH},
	    {"ham of the name, a little spam here", 0, 1, 9, 1, -1, 0, REPUTATION_SPARES,
		REPUTATION_NAME},
	    {"ham of the name, much spam here", 0, 6, 9, 1, -1, 0, REPUTATION_NEUTRAL, 0},
	    {"signed ham, but the name is for spam", -1, 0, 0, 9, 5, 0, REPUTATION_NEUTRAL, 0},
	    {"some spam", 0, 4.9, -1, 0, -1, 0, REPUTATION_NEUTRAL, 0},
	    {"much spam", 0, 5, -1, 0, -1, 0, REPUTATION_LENGTHENS, REPUTATION_NETWORK},
	    {"much spam of the name", -1, 0, 0, 5, -1, 0, REPUTATION_LENGTHENS, REPUTATION_NAME},
	    {"a forwarder of both", 0.02, 50, -1, 0, -1, 0, REPUTATION_NEUTRAL, 0},
	    {"spam here, ham of the name", 0, 50, 0.1, 40, -1, 0, REPUTATION_NEUTRAL, 0},
	    {"spam here, signed ham", 0, 50, -1, 0, 0.1, 40, REPUTATION_NEUTRAL, 0},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const struct opinion_case *c = &cases[i];
		struct reputation_found found = {0};
		struct reputation_opinion opinion;

		g_test_message("%s", c->what);
		set(&found, REPUTATION_NETWORK, c->network_ham, c->network_spam);
		set(&found, REPUTATION_NAME, c->name_ham, c->name_spam);
		set(&found, REPUTATION_AUTH, c->auth_ham, c->auth_spam);
		opinion = opinion_on(&found, 60, T0);
		g_assert_cmpint(opinion.advice, ==, c->advice);
		g_assert_cmpint(opinion.kind, ==, c->kind);
		g_assert_cmpint(opinion.delay, ==, c->advice == REPUTATION_LENGTHENS ? 120 : 60);
		g_assert_cmpint(opinion.evidence[0] == '\0', ==, opinion.kind == 0);
	}
}

static void
test_evidence(void)
{
	struct reputation_found found = {0};

	set(&found, REPUTATION_NETWORK, 3, 0.25);
	g_assert_cmpstr(opinion_on(&found, 60, T0 + 30 * DAY).evidence, ==,
	    "network 192.0.2.1: ham 1.5, spam 0.1");
	set(&found, REPUTATION_NETWORK, -1, 0);
	set(&found, REPUTATION_NAME, 2, 0);
	g_assert_cmpstr(
	    opinion_on(&found, 60, T0).evidence, ==, "name example.org: ham 2.0, spam 0.0");
	found.have[REPUTATION_CORRESPONDENT] = true;
	found.of[REPUTATION_CORRESPONDENT].last = T0 - 3 * DAY;
	g_assert_cmpstr(opinion_on(&found, 60, T0).evidence, ==,
	    "correspondent example.org: written to 3 days ago");
}

/* Whatever the delay is, an hour is the end. */
static void
test_cap(void)
{
	static const int64_t delays[][2] = {
	    {0, 0}, {60, 120}, {1800, 3600}, {2400, 3600}, {3600, 3600}, {7200, 7200}};
	struct reputation_found found = {0};

	set(&found, REPUTATION_NETWORK, 0, 50);
	for (size_t i = 0; i < G_N_ELEMENTS(delays); i++)
		g_assert_cmpint(opinion_on(&found, delays[i][0], T0).delay, ==, delays[i][1]);
}

/* A forwarder's ham long ago: two half-lives protect it, whatever the volume of spam. */
static void
test_ham_protects(void)
{
	struct reputation_found found = {0};

	set(&found, REPUTATION_NETWORK, 0, 50);
	found.of[REPUTATION_NETWORK].last_ham = T0 - 60 * DAY + 1;
	g_assert_cmpint(opinion_on(&found, 60, T0).advice, ==, REPUTATION_NEUTRAL);
	found.of[REPUTATION_NETWORK].last_ham = T0 - 60 * DAY;
	g_assert_cmpint(opinion_on(&found, 60, T0).advice, ==, REPUTATION_LENGTHENS);
}

static void
test_contacts(void)
{
	static const enum reputation_kind kinds[] = {REPUTATION_PAIR, REPUTATION_CORRESPONDENT};

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		struct reputation_found found = {0};

		/* It spares in spite of a bad history. */
		set(&found, REPUTATION_NETWORK, 0, 50);
		found.have[kinds[i]] = true;
		g_assert_true(reputation_written_to(&rules, NULL, T0, &found.of[kinds[i]]));
		g_assert_cmpint(opinion_on(&found, 60, T0 + 35 * DAY).advice, ==, REPUTATION_WROTE);
		g_assert_cmpint(opinion_on(&found, 60, T0 + 35 * DAY).kind, ==, kinds[i]);
		g_assert_cmpint(
		    opinion_on(&found, 60, T0 + 35 * DAY + 1).advice, ==, REPUTATION_LENGTHENS);
	}
}

static void
test_written_to(void)
{
	struct reputation r, again;

	g_assert_true(reputation_written_to(&rules, NULL, T0, &r));
	g_assert_false(reputation_written_to(&rules, &r, T0 + DAY, &again));
	g_assert_true(reputation_written_to(&rules, &r, T0 + 2 * DAY, &again));
	g_assert_cmpint(again.first, ==, T0);
	g_assert_cmpint(again.last, ==, T0 + 2 * DAY);
	g_assert_cmpint(reputation_expires(&rules, REPUTATION_PAIR, &again), ==, T0 + 37 * DAY + 1);
}

static unsigned
kinds_asked(const char *name, const char *sender)
{
	struct reputation_query query;
	struct address client;
	unsigned kinds = 0;

	g_assert_true(address_parse("192.0.2.1", &client));
	reputation_query_init(&query, hash_key, &client, name, sender, "b@own.example");
	for (unsigned i = 0; i < query.n; i++) {
		g_assert_cmpint(reputation_key_kind(&query.keys[i]), ==, query.kinds[i]);
		kinds |= 1u << query.kinds[i];
	}
	return kinds;
}

/* Nothing is asked of a sender's domain without a verified name in it. */
static void
test_query(void)
{
	unsigned network = 1u << REPUTATION_NETWORK, pair = 1u << REPUTATION_PAIR,
		 name = 1u << REPUTATION_NAME | 1u << REPUTATION_AUTH,
		 correspondent = 1u << REPUTATION_CORRESPONDENT;

	g_assert_cmpuint(kinds_asked("", ""), ==, network);
	g_assert_cmpuint(kinds_asked("", "a@example.org"), ==, network | pair);
	g_assert_cmpuint(kinds_asked("example.com", "a@example.org"), ==, network | name | pair);
	g_assert_cmpuint(kinds_asked("example.org", "a@badexample.org"), ==, network | name | pair);
	g_assert_cmpuint(kinds_asked("example.org", "example.org"), ==, network | name | pair);
	g_assert_cmpuint(
	    kinds_asked("example.org", "a@example.org"), ==, network | name | pair | correspondent);
	g_assert_cmpuint(kinds_asked("example.org", "a@lists.example.org"), ==,
	    network | name | pair | correspondent);
}

static void
test_rules(void)
{
	struct settings *settings = settings_new();
	struct reputation_rules r = reputation_rules_of(settings);

	g_assert_true(r.use);
	g_assert_cmpint(r.half_life, ==, 30 * DAY);
	g_assert_cmpint(r.lifetime, ==, 35 * DAY);
	assert_near(r.ham, 0.5);
	assert_near(r.spam, 5);
	g_assert_cmpfloat(r.factor, ==, 2);
	g_assert_cmpint(r.delay_max, ==, 3600);
	/* A longer delay never outlasts the time for retries. */
	g_assert_true(settings_assign(settings, "greylist.retry_window=10m", NULL));
	g_assert_cmpint(reputation_rules_of(settings).delay_max, ==, 300);
	settings_free(settings);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/reputation/half-life", test_half_life);
	g_test_add_func("/reputation/small-steps-decay-alike", test_small_steps);
	g_test_add_func("/reputation/taken-back-as-it-decayed", test_taken_back);
	g_test_add_func("/reputation/nothing-to-take-back", test_nothing_to_take_back);
	g_test_add_func("/reputation/volume-in-an-hour-is-bounded", test_bound_in_an_hour);
	g_test_add_func("/reputation/volume-in-all-is-bounded", test_bound_in_all);
	g_test_add_func("/reputation/bounds-keep-the-share", test_share_is_kept);
	g_test_add_func("/reputation/ham-is-seen-in-a-full-hour", test_ham_in_a_full_hour);
	g_test_add_func("/reputation/round-trip", test_round_trip);
	g_test_add_func("/reputation/documented-example", test_example);
	g_test_add_func("/reputation/malformed", test_malformed);
	g_test_add_func("/reputation/keys", test_keys);
	g_test_add_func("/reputation/opinions", test_opinions);
	g_test_add_func("/reputation/evidence", test_evidence);
	g_test_add_func("/reputation/hard-cap", test_cap);
	g_test_add_func("/reputation/who-sends-ham-is-not-punished", test_ham_protects);
	g_test_add_func("/reputation/who-was-written-to-is-spared", test_contacts);
	g_test_add_func("/reputation/written-to-is-freshened", test_written_to);
	g_test_add_func("/reputation/what-is-asked", test_query);
	g_test_add_func("/reputation/rules", test_rules);
	return g_test_run();
}
