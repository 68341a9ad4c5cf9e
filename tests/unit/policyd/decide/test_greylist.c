/*
 * The decision, as tables of attempts with simulated time. Each record is encoded and decoded
 * again between two attempts, as it is in the store. Numbers in brackets are the statements of
 * RFC 6647.
 */
#include "config.h"

#include <string.h>
#include <glib.h>

#include "policyd/decide/greylist.h"

#define T0 1795000000

static const struct greylist_rules usual = {
    .delay = 60,
    .retry_window = 86400,
    .lifetime = 35 * 86400,
    .ipv4_prefix = 24,
    .ipv6_prefix = 64,
    .auto_whitelist_after = 5,
};

/* -- a record that is kept between attempts as the store keeps it -- */

struct world {
	struct greylist_rules rules;
	uint8_t bytes[TRIPLET_RECORD_MAX];
	size_t length; /* 0: no record */
	unsigned writes;
};

static struct greylist_outcome
attempt(struct world *world, int64_t time, const char *client, const char *pool)
{
	struct store_bytes bytes = {world->bytes, world->length};
	struct triplet before, after;
	struct greylist_outcome outcome;
	struct address address;
	struct greylist_attempt a = {.pool = {pool, pool ? strlen(pool) : 0}, .now = time};

	g_assert_true(address_parse(client, &address));
	a.network = prefix_of(&address, world->rules.ipv4_prefix, world->rules.ipv6_prefix);
	if (world->length)
		g_assert_true(triplet_decode(&bytes, &before));
	greylist_decide(&world->rules, world->length ? &before : NULL, &a, &after, &outcome);
	if (outcome.write) {
		uint8_t encoded[TRIPLET_RECORD_MAX];

		world->length = triplet_encode(&after, encoded);
		memcpy(world->bytes, encoded, world->length);
		world->writes++;
	}
	return outcome;
}

struct step {
	int64_t after; /* seconds after T0 */
	const char *client, *pool;
	enum greylist_verdict verdict;
	int64_t value; /* wait or delay */
};

static void
play(const struct greylist_rules *rules, const struct step *steps, size_t n_steps)
{
	struct world world = {.rules = *rules};

	for (size_t i = 0; i < n_steps; i++) {
		const struct step *s = &steps[i];
		struct greylist_outcome o = attempt(&world, T0 + s->after, s->client, s->pool);

		g_test_message("step %zu: %s", i, greylist_verdict_text(o.verdict));
		g_assert_cmpint(o.verdict, ==, s->verdict);
		g_assert_cmpint(greylist_defers(o.verdict) ? o.wait : o.delayed, ==, s->value);
	}
}

#define A  "192.0.2.1"
#define B  "198.51.100.7"
#define V6 "2001:db8:1:2::3"

static const struct {
	const char *promise;
	struct step steps[6];
	size_t n;
} stories[] = {
    {"a-first-attempt-waits-and-a-retry-inside-the-window-passes (5.2)",
	{{0, A, NULL, GREYLIST_FIRST, 60}, {61, A, NULL, GREYLIST_PASSED, 61},
	    {62, A, NULL, GREYLIST_KNOWN, 0}},
	3},
    {"a-retry-before-the-delay-is-early-and-does-not-start-anew",
	{{0, A, NULL, GREYLIST_FIRST, 60}, {1, A, NULL, GREYLIST_EARLY, 59},
	    {59, A, NULL, GREYLIST_EARLY, 1}, {60, A, NULL, GREYLIST_PASSED, 60}},
	4},
    {"a-retry-at-the-end-of-the-window-passes (5.2)",
	{{0, A, NULL, GREYLIST_FIRST, 60}, {86400, A, NULL, GREYLIST_PASSED, 86400}}, 2},
    {"a-retry-after-the-window-starts-anew (5.2)",
	{{0, A, NULL, GREYLIST_FIRST, 60}, {86401, A, NULL, GREYLIST_WINDOW_OVER, 60},
	    {86402, A, NULL, GREYLIST_EARLY, 59}, {86461, A, NULL, GREYLIST_PASSED, 60}},
	4},
    {"what-has-passed-is-forgotten-after-the-lifetime-without-mail (5.3)",
	{{0, A, NULL, GREYLIST_FIRST, 60}, {60, A, NULL, GREYLIST_PASSED, 60},
	    {60 + 35 * 86400, A, NULL, GREYLIST_KNOWN, 0},
	    {60 + 70 * 86400, A, NULL, GREYLIST_KNOWN, 0},
	    {61 + 105 * 86400, A, NULL, GREYLIST_WINDOW_OVER, 60}},
	5},
    {"a-retry-from-the-same-ipv4-24-matches (5.5)",
	{{0, "192.0.2.1", NULL, GREYLIST_FIRST, 60},
	    {60, "192.0.2.250", NULL, GREYLIST_PASSED, 60}},
	2},
    {"a-retry-from-another-ipv4-24-does-not-match",
	{{0, "192.0.2.1", NULL, GREYLIST_FIRST, 60}, {60, "192.0.3.1", NULL, GREYLIST_FIRST, 60}},
	2},
    {"a-retry-from-the-same-ipv6-64-matches",
	{{0, V6, NULL, GREYLIST_FIRST, 60},
	    {60, "2001:db8:1:2:ffff::1", NULL, GREYLIST_PASSED, 60}},
	2},
    {"a-retry-from-another-ipv6-64-does-not-match",
	{{0, V6, NULL, GREYLIST_FIRST, 60}, {60, "2001:db8:1:3::1", NULL, GREYLIST_FIRST, 60}}, 2},
    {"a-retry-from-elsewhere-in-the-pool-passes (4)",
	{{0, A, "example.com", GREYLIST_FIRST, 60}, {70, B, "example.com", GREYLIST_PASSED, 70},
	    {80, V6, "example.com", GREYLIST_KNOWN, 0}},
	3},
    {"another-pool-does-not-match",
	{{0, A, "example.com", GREYLIST_FIRST, 60}, {70, B, "example.net", GREYLIST_FIRST, 60}}, 2},
    {"no-pool-never-matches-no-pool",
	{{0, A, "", GREYLIST_FIRST, 60}, {70, B, "", GREYLIST_FIRST, 60}}, 2},
    {"what-passed-speaks-louder-than-a-fresh-attempt-of-the-same-pool",
	{{0, A, NULL, GREYLIST_FIRST, 60}, {60, A, NULL, GREYLIST_PASSED, 60},
	    {100, B, "example.com", GREYLIST_FIRST, 60}, {101, A, "example.com", GREYLIST_KNOWN, 0},
	    {102, B, "example.com", GREYLIST_EARLY, 58}},
	5},
    {"a-clock-that-goes-back-makes-nobody-wait-longer-than-the-delay",
	{{0, A, NULL, GREYLIST_FIRST, 60}, {-5000, A, NULL, GREYLIST_EARLY, 60},
	    {-4940, A, NULL, GREYLIST_PASSED, 60}, {-90000, A, NULL, GREYLIST_KNOWN, 0}},
	4},
};

static void
test_story(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);

	play(&usual, stories[i].steps, stories[i].n);
}

static void
test_known_costs_no_write(void)
{
	struct world world = {.rules = usual};

	attempt(&world, T0, A, NULL);
	attempt(&world, T0 + 60, A, NULL);
	g_assert_cmpuint(world.writes, ==, 2);
	for (int i = 0; i < 100; i++)
		attempt(&world, T0 + 61 + i, A, NULL);
	g_assert_cmpuint(world.writes, ==, 2);
	attempt(&world, T0 + 60 + 3600, A, NULL);
	g_assert_cmpuint(world.writes, ==, 3);
}

static void
test_early_retries_are_counted(void)
{
	struct world world = {.rules = usual};

	attempt(&world, T0, A, NULL);
	for (int i = 1; i <= 4; i++)
		g_assert_cmpuint(attempt(&world, T0 + i, A, NULL).attempts, ==, 1 + i);
	g_assert_cmpuint(attempt(&world, T0 + 60, A, NULL).attempts, ==, 6);
}

/* A retry follows an attempt within the hours in which senders try again; what passes later, from
 * wherever, may be a new message. */
static void
test_a_wait_is_what_a_retry_proves(void)
{
	static const struct {
		int64_t early[2], pass; /* seconds after the first attempt */
		const char *client;
		bool may_be_new;
	} cases[] = {
	    {{0}, 60, A, false},
	    {{0}, GREYLIST_RETRY_GAP, A, false},
	    {{0}, GREYLIST_RETRY_GAP + 1, A, true},
	    {{30}, GREYLIST_RETRY_GAP + 30, A, false},
	    {{0}, 67272, B, true},
	    {{0}, 300, B, false},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct world world = {.rules = usual};
		struct greylist_outcome o = attempt(&world, T0, A, "example.com");

		g_assert_false(o.may_be_new);
		for (int j = 0; j < 2 && cases[i].early[j]; j++)
			g_assert_false(
			    attempt(&world, T0 + cases[i].early[j], A, "example.com").may_be_new);
		o = attempt(&world, T0 + cases[i].pass, cases[i].client, "example.com");
		g_assert_cmpint(o.verdict, ==, GREYLIST_PASSED);
		g_assert_cmpint(o.may_be_new, ==, cases[i].may_be_new);
		g_assert_cmpint(o.delayed, ==, cases[i].pass);
		o = attempt(&world, T0 + cases[i].pass + 1, A, "example.com");
		g_assert_false(o.may_be_new);
	}
}

/* A flood from many networks, forging one sender, must not push out who waits for his retry. */
static void
test_flood_pushes_nobody_out(void)
{
	struct world world = {.rules = usual};
	char client[ADDRESS_TEXT_SIZE];

	attempt(&world, T0, A, NULL);
	for (int i = 0; i < 1000; i++) {
		struct greylist_outcome o;

		g_snprintf(client, sizeof client, "10.%d.%d.1", i / 250, i % 250);
		o = attempt(&world, T0 + 1 + i / 100, client, NULL);
		g_assert_cmpint(
		    o.verdict, ==, i < TRIPLET_SIGHTINGS - 1 ? GREYLIST_FIRST : GREYLIST_NO_ROOM);
	}
	/* The mark that there are further records costs one write, not a thousand. */
	g_assert_cmpuint(world.writes, ==, TRIPLET_SIGHTINGS + 1);
	g_assert_cmpint(attempt(&world, T0 + 60, A, NULL).verdict, ==, GREYLIST_PASSED);
}

/* Once a place may have a record of its own, it is asked there until all such records are gone. */
static void
test_overflow_is_remembered(void)
{
	struct world world = {.rules = usual};
	char client[ADDRESS_TEXT_SIZE];

	for (int i = 0; i <= TRIPLET_SIGHTINGS; i++) {
		g_snprintf(client, sizeof client, "10.0.%d.1", i);
		attempt(&world, T0, client, NULL);
	}
	/* Two days later all sightings are over, but a place that had overflowed may have passed.
	 */
	g_assert_cmpint(attempt(&world, T0 + 2 * 86400, B, NULL).verdict, ==, GREYLIST_NO_ROOM);
	g_assert_cmpint(attempt(&world, T0 + usual.lifetime * 2 + 3 * 86400, B, NULL).verdict, ==,
	    GREYLIST_FIRST);
}

static void
test_room_of_what_is_over_is_used_again(void)
{
	struct world world = {.rules = usual};
	char client[ADDRESS_TEXT_SIZE];

	for (int i = 0; i < TRIPLET_SIGHTINGS; i++) {
		g_snprintf(client, sizeof client, "10.0.%d.1", i);
		attempt(&world, T0, client, NULL);
	}
	g_assert_cmpint(attempt(&world, T0 + 86401, B, NULL).verdict, ==, GREYLIST_FIRST);
	g_assert_cmpint(attempt(&world, T0 + 86401 + 60, B, NULL).verdict, ==, GREYLIST_PASSED);
}

/* What observe mode let in counts as known after the switch to enforce, but proves nothing. */
static void
test_observed_counts_as_known(void)
{
	struct world world = {.rules = usual};
	struct greylist_outcome o;

	world.rules.observe = true;
	g_assert_cmpint(attempt(&world, T0, A, NULL).verdict, ==, GREYLIST_FIRST);
	g_assert_cmpint(attempt(&world, T0 + 1, A, NULL).verdict, ==, GREYLIST_KNOWN);
	world.rules.observe = false;
	o = attempt(&world, T0 + 2, A, NULL);
	g_assert_cmpint(o.verdict, ==, GREYLIST_KNOWN);
	g_assert_false(o.proven);
}

static void
test_a_real_retry_proves(void)
{
	struct world world = {.rules = usual};

	g_assert_false(attempt(&world, T0, A, NULL).proven);
	g_assert_true(attempt(&world, T0 + 60, A, NULL).proven);
	g_assert_true(attempt(&world, T0 + 70, A, NULL).proven);
}

static void
test_match_by_name_is_told(void)
{
	struct world world = {.rules = usual};

	attempt(&world, T0, A, "example.com");
	g_assert_false(attempt(&world, T0 + 5, A, "example.com").by_name);
	g_assert_true(attempt(&world, T0 + 60, B, "example.com").by_name);
}

/* A record goes when nothing in it has a meaning any more, and not before. */
static void
test_expiry(void)
{
	struct world world = {.rules = usual};
	struct triplet record;

	attempt(&world, T0, A, NULL);
	triplet_decode(&(struct store_bytes){world.bytes, world.length}, &record);
	g_assert_cmpint(greylist_expires(&usual, &record), ==, T0 + usual.retry_window + 1);
	attempt(&world, T0 + 100, A, NULL);
	triplet_decode(&(struct store_bytes){world.bytes, world.length}, &record);
	g_assert_cmpint(greylist_expires(&usual, &record), ==, T0 + 100 + usual.lifetime + 1);
}

/* Whatever comes, in whatever order: nobody is asked to wait longer than the delay, nobody passes
 * before it, and whoever has passed is known within the lifetime. */
static void
test_any_sequence(void)
{
	static const char *const clients[] = {A, B, V6, "203.0.113.9"};
	static const char *const pools[] = {NULL, "example.com", "example.net"};
	GRand *random = g_rand_new_with_seed(6647);

	for (int round = 0; round < 300; round++) {
		struct world world = {.rules = usual};
		int64_t time = T0, first = 0;

		for (int i = 0; i < 60; i++) {
			struct greylist_outcome o;

			time += g_rand_int_range(random, 0, 40);
			first = first ? first : time;
			o = attempt(&world, time, clients[g_rand_int_range(random, 0, 4)],
			    pools[g_rand_int_range(random, 0, 3)]);
			g_assert_cmpint(o.wait, >=, 0);
			g_assert_cmpint(o.wait, <=, usual.delay);
			if (o.verdict == GREYLIST_PASSED) {
				g_assert_cmpint(o.delayed, >=, usual.delay);
				g_assert_cmpint(o.delayed, <=, time - first);
			}
			g_assert_cmpint(o.verdict, !=, GREYLIST_WINDOW_OVER);
		}
	}
	g_rand_free(random);
}

/* Whenever a client knocks: the first attempt at or after each age is known, as is how old the
 * attempt is and the one before it. */
static void
test_ages(void)
{
	GRand *random = g_rand_new_with_seed(6);

	for (int round = 0; round < 300; round++) {
		struct world world = {.rules = usual};
		struct triplet t;
		struct greylist_outcome o = attempt(&world, T0, A, NULL);
		int64_t all[400], age = 0;
		unsigned n = 0, n_offsets;
		uint32_t offsets[TRIPLET_OFFSETS];

		world.rules.delay = g_rand_int_range(random, 0, 8000);
		do {
			int64_t before = age;

			age += g_rand_int_range(random, 0, round % 3 ? 600 : 40);
			o = attempt(&world, T0 + age, A, NULL);
			all[n++] = age;
			g_assert_cmpint(o.first, ==, T0);
			g_assert_cmpint(o.age, ==, age);
			g_assert_cmpint(o.age_before, ==, before);
		} while (o.verdict == GREYLIST_EARLY && n < G_N_ELEMENTS(all));
		g_assert_true(triplet_decode(&(struct store_bytes){world.bytes, world.length}, &t));
		n_offsets = sighting_offsets(&t.sightings[0], offsets);
		for (unsigned i = 0; i < TRIPLET_EARLY; i++) {
			int64_t expected = -1, got = -1;

			for (unsigned j = n; j-- > 0;)
				expected = all[j] >= triplet_ages[i] ? all[j] : expected;
			for (unsigned j = n_offsets; j-- > 0;)
				got = offsets[j] >= triplet_ages[i] ? offsets[j] : got;
			g_assert_cmpint(got, ==, expected);
		}
	}
	g_rand_free(random);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(stories); i++) {
		g_autofree char *path = g_strconcat("/greylist/", stories[i].promise, NULL);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_story);
	}
	g_test_add_func("/greylist/a-known-triplet-costs-no-write", test_known_costs_no_write);
	g_test_add_func("/greylist/early-retries-are-counted", test_early_retries_are_counted);
	g_test_add_func(
	    "/greylist/a-wait-is-what-a-retry-proves", test_a_wait_is_what_a_retry_proves);
	g_test_add_func("/greylist/a-flood-pushes-nobody-out", test_flood_pushes_nobody_out);
	g_test_add_func("/greylist/overflow-is-remembered", test_overflow_is_remembered);
	g_test_add_func("/greylist/room-of-what-is-over-is-used-again",
	    test_room_of_what_is_over_is_used_again);
	g_test_add_func("/greylist/observed-counts-as-known", test_observed_counts_as_known);
	g_test_add_func("/greylist/a-real-retry-proves", test_a_real_retry_proves);
	g_test_add_func("/greylist/a-match-by-name-is-told", test_match_by_name_is_told);
	g_test_add_func("/greylist/a-record-goes-when-all-in-it-is-over", test_expiry);
	g_test_add_func("/greylist/any-sequence-keeps-the-bounds", test_any_sequence);
	g_test_add_func("/greylist/ages", test_ages);
	return g_test_run();
}
