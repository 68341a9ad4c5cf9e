#include "config.h"

#include <string.h>
#include <glib.h>

#include "policyd/decide/client.h"

#define T0   1795000000
#define HOUR 3600

static const struct greylist_rules rules = {.lifetime = 35 * 86400, .auto_whitelist_after = 5};

/* Passes at the given times; the client as it is then. */
static struct client
pass_at(const int64_t *times, size_t n)
{
	struct client client, after;
	bool have = false;

	for (size_t i = 0; i < n; i++)
		if (client_pass(&rules, have ? &client : NULL, times[i], &after)) {
			client = after;
			have = true;
		}
	g_assert_true(have);
	return client;
}

static void
test_known_after_passes(void)
{
	const int64_t times[] = {T0, T0 + HOUR, T0 + 2 * HOUR, T0 + 3 * HOUR, T0 + 4 * HOUR};
	struct client four = pass_at(times, 4), five = pass_at(times, 5);

	g_assert_false(client_known(&rules, NULL, T0));
	g_assert_false(client_known(&rules, &four, T0 + 3 * HOUR));
	g_assert_true(client_known(&rules, &five, T0 + 4 * HOUR));
}

static void
test_at_most_once_an_hour(void)
{
	int64_t times[100];
	struct client client;

	for (int i = 0; i < 100; i++)
		times[i] = T0 + i * 60;
	client = pass_at(times, 100);
	g_assert_cmpuint(client.passes, ==, 2);
}

static void
test_forgotten(void)
{
	struct client client = {.passes = 9, .counted = T0}, after;

	g_assert_true(client_known(&rules, &client, T0 + rules.lifetime));
	g_assert_false(client_known(&rules, &client, T0 + rules.lifetime + 1));
	g_assert_true(client_pass(&rules, &client, T0 + rules.lifetime + 1, &after));
	g_assert_cmpuint(after.passes, ==, 1);
	g_assert_cmpint(client_expires(&rules, &client), ==, T0 + rules.lifetime + 1);
}

static void
test_never(void)
{
	struct greylist_rules never = rules;
	struct client client = {.passes = 9, .counted = T0};

	never.auto_whitelist_after = 0;
	g_assert_false(client_known(&never, &client, T0));
}

/* A clock that goes back must not let a burst count as a history. */
static void
test_clock(void)
{
	struct client client = {.passes = 2, .counted = T0}, after;

	g_assert_true(client_pass(&rules, &client, T0 - 90000, &after));
	g_assert_cmpuint(after.passes, ==, 2);
	g_assert_cmpint(after.counted, ==, T0 - 90000);
}

static void
test_trust_by_exact_address(void)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
	    {"192.0.2.1", "192.0.2.1", true},
	    {"192.0.2.1", "192.0.2.2", false},
	    {"192.0.2.1", "::ffff:192.0.2.1", true},
	    {"2001:db8::1", "2001:db8::ffff:1", true},
	    {"2001:db8::1", "2001:db8:0:1::1", false},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		uint8_t a[CLIENT_KEY_MAX], b[CLIENT_KEY_MAX];
		struct address address;
		struct prefix prefix;
		size_t n, m;

		g_assert_true(address_parse(cases[i].a, &address));
		n = client_key(&address, a);
		g_assert_true(client_key_decode(&(struct store_bytes){a, n}, &prefix));
		g_assert_true(prefix_contains(&prefix, &address));
		g_assert_true(address_parse(cases[i].b, &address));
		m = client_key(&address, b);
		g_assert_cmpint(n == m && memcmp(a, b, n) == 0, ==, cases[i].same);
	}
}

static void
test_round_trip(void)
{
	struct client client = {.passes = UINT32_MAX, .counted = T0}, back;
	uint8_t bytes[CLIENT_RECORD_MAX];
	size_t length = client_encode(&client, bytes);

	g_assert_true(client_decode(&(struct store_bytes){bytes, length}, &back));
	g_assert_cmpuint(back.passes, ==, client.passes);
	g_assert_cmpint(back.counted, ==, client.counted);
	g_assert_false(client_decode(&(struct store_bytes){bytes, length - 1}, &back));
	g_assert_false(client_decode(&(struct store_bytes){bytes, 0}, &back));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/known-after-so-many-passes", test_known_after_passes);
	g_test_add_func("/client/a-pass-counts-at-most-once-an-hour", test_at_most_once_an_hour);
	g_test_add_func("/client/forgotten-after-the-lifetime", test_forgotten);
	g_test_add_func("/client/never-with-zero", test_never);
	g_test_add_func("/client/a-clock-that-goes-back-counts-nothing", test_clock);
	g_test_add_func("/client/trust-goes-by-exact-address-or-64", test_trust_by_exact_address);
	g_test_add_func("/client/round-trip", test_round_trip);
	return g_test_run();
}
