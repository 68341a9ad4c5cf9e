#include "config.h"

#include <string.h>
#include <glib.h>

#include "policyd/daemon/known.h"

#define T0 1795000000

static struct known_key
key_of(const char *client, const char *triplet)
{
	uint8_t bytes[KEYEDHASH_SIZE] = {0};
	struct address address;

	g_assert_true(address_parse(client, &address));
	if (triplet)
		memcpy(bytes, triplet, strlen(triplet));
	return known_key(&address, triplet ? bytes : NULL);
}

static bool
has(struct known *known, const char *client, const char *triplet, int64_t now)
{
	struct known_key key = key_of(client, triplet);
	struct known_entry entry;

	return known_find(known, &key, now, &entry);
}

static void
put(struct known *known, const char *client, const char *triplet, int64_t now)
{
	struct known_key key = key_of(client, triplet);
	struct known_entry entry = {.client.passes = 7, .have_client = true};

	known_put(known, &key, now, &entry);
}

static void
test_found(void)
{
	struct known *known = known_new(100, 60);
	struct known_key key = key_of("192.0.2.1", "a");
	struct known_entry entry;

	put(known, "192.0.2.1", "a", T0);
	g_assert_true(known_find(known, &key, T0, &entry));
	g_assert_cmpuint(entry.client.passes, ==, 7);
	g_assert_false(has(known, "192.0.2.2", "a", T0));
	g_assert_false(has(known, "192.0.2.1", "b", T0));
	g_assert_false(has(known, "192.0.2.1", NULL, T0));
	put(known, "2001:db8:0:1::5", NULL, T0);
	/* Trust goes by the /64. */
	g_assert_true(has(known, "2001:db8:0:1::6", NULL, T0));
	g_assert_false(has(known, "2001:db8:0:2::5", NULL, T0));
	g_assert_cmpuint(known_status(known).used, ==, 2);
	known_clear(known);
	g_assert_false(has(known, "192.0.2.1", "a", T0));
	g_assert_cmpuint(known_status(known).used, ==, 0);
	known_free(known);
}

static void
test_time(void)
{
	struct known *known = known_new(100, 60);

	put(known, "192.0.2.1", "a", T0);
	g_assert_true(has(known, "192.0.2.1", "a", T0 + 59));
	g_assert_false(has(known, "192.0.2.1", "a", T0 + 60));
	/* A clock that went back makes nothing live longer. */
	g_assert_false(has(known, "192.0.2.1", "a", T0 - 1));
	/* Being found makes it no younger; being read again does. */
	put(known, "192.0.2.1", "a", T0 + 59);
	g_assert_true(has(known, "192.0.2.1", "a", T0 + 118));
	g_assert_cmpuint(known_status(known).used, ==, 1);
	known_free(known);
}

static void
test_bound(void)
{
	struct known *known = known_new(1000, 60);
	unsigned found = 0;

	g_assert_cmpuint(known_status(known).entries, >=, 1000);
	g_assert_cmpuint(known_status(known).entries, <, 2100);
	for (int i = 0; i < 20000; i++) {
		g_autofree char *client = g_strdup_printf("10.1.%d.%d", i >> 8, i & 255);

		put(known, client, "a", T0 + i / 1000);
	}
	g_assert_cmpuint(known_status(known).used, <=, known_status(known).entries);
	for (int i = 0; i < 20000; i++) {
		g_autofree char *client = g_strdup_printf("10.1.%d.%d", i >> 8, i & 255);

		found += has(known, client, "a", T0 + 20);
	}
	g_assert_cmpuint(found, ==, known_status(known).used);
	/* It is full, nearly, and has the youngest. */
	g_assert_cmpuint(found, >, known_status(known).entries * 9 / 10);
	g_assert_true(has(known, "10.1.78.31", "a", T0 + 20));
	known_free(known);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/known/by-client-or-by-client-and-triplet", test_found);
	g_test_add_func("/known/for-so-long-and-no-longer", test_time);
	g_test_add_func("/known/of-bounded-size", test_bound);
	return g_test_run();
}
