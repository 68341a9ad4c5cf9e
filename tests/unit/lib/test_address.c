#include "config.h"

#include <string.h>
#include <glib.h>

#include "lib/address.h"

/* NULL for text that is no address. */
static const struct {
	const char *text, *formatted;
	enum address_family family;
} addresses[] = {
    {"192.0.2.1", "192.0.2.1", ADDRESS_IPV4},
    {"0.0.0.0", "0.0.0.0", ADDRESS_IPV4},
    {"255.255.255.255", "255.255.255.255", ADDRESS_IPV4},
    {"2001:DB8::1", "2001:db8::1", ADDRESS_IPV6},
    {"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1", ADDRESS_IPV6},
    {"::", "::", ADDRESS_IPV6},
    {"::ffff:192.0.2.1", "192.0.2.1", ADDRESS_IPV4},
    {"::FFFF:c000:201", "192.0.2.1", ADDRESS_IPV4},
    {"::192.0.2.1", "::192.0.2.1", ADDRESS_IPV6},
    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	ADDRESS_IPV6},
    {"", NULL, ADDRESS_NONE},
    {"unknown", NULL, ADDRESS_NONE},
    {"192.0.2", NULL, ADDRESS_NONE},
    {"192.0.2.1.", NULL, ADDRESS_NONE},
    {"192.0.2.256", NULL, ADDRESS_NONE},
    {"192.0.2.01", NULL, ADDRESS_NONE},
    {"0x7f.0.0.1", NULL, ADDRESS_NONE},
    {"3221225985", NULL, ADDRESS_NONE},
    {" 192.0.2.1", NULL, ADDRESS_NONE},
    {"192.0.2.1 ", NULL, ADDRESS_NONE},
    {"192.0.2.1/32", NULL, ADDRESS_NONE},
    {"[2001:db8::1]", NULL, ADDRESS_NONE},
    {"fe80::1%eth0", NULL, ADDRESS_NONE},
    {"1::2::3", NULL, ADDRESS_NONE},
    {"12345::", NULL, ADDRESS_NONE},
};

static void
test_parse(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(addresses); i++) {
		struct address address = {.family = 99};
		char text[ADDRESS_TEXT_SIZE];

		g_test_message("%s", addresses[i].text);
		if (!addresses[i].formatted) {
			g_assert_false(address_parse(addresses[i].text, &address));
			g_assert_cmpint(address.family, ==, 99);
			continue;
		}
		g_assert_true(address_parse(addresses[i].text, &address));
		g_assert_cmpint(address.family, ==, addresses[i].family);
		g_assert_cmpuint(
		    address_size(&address), ==, addresses[i].family == ADDRESS_IPV4 ? 4 : 16);
		g_assert_cmpstr(address_format(&address, text), ==, addresses[i].formatted);
	}
}

static void
test_none(void)
{
	struct address none = {0}, one;
	char text[ADDRESS_TEXT_SIZE];

	g_assert_true(address_parse("0.0.0.0", &one));
	g_assert_cmpstr(address_format(&none, text), ==, "unknown");
	g_assert_cmpuint(address_size(&none), ==, 0);
	g_assert_true(address_equal(&none, &none));
	g_assert_false(address_equal(&none, &one));
	g_assert_false(address_is_loopback(&none));
}

static void
test_loopback(void)
{
	static const struct {
		const char *text;
		bool loopback;
	} rows[] = {
	    {"127.0.0.1", true},
	    {"127.255.255.255", true},
	    {"::1", true},
	    {"::ffff:127.0.0.1", true},
	    {"128.0.0.1", false},
	    {"126.255.255.255", false},
	    {"::2", false},
	    {"::", false},
	    {"::127.0.0.1", false},
	};
	struct address address;

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_test_message("%s", rows[i].text);
		g_assert_true(address_parse(rows[i].text, &address));
		g_assert_cmpint(address_is_loopback(&address), ==, rows[i].loopback);
	}
}

static void
test_prefix(void)
{
	static const struct {
		const char *text, *formatted;
	} rows[] = {
	    {"192.0.2.0/24", "192.0.2.0/24"},
	    {"192.0.2.1", "192.0.2.1"},
	    {"192.0.2.1/32", "192.0.2.1"},
	    {"0.0.0.0/0", "0.0.0.0/0"},
	    {"::/0", "::/0"},
	    {"128.0.0.0/1", "128.0.0.0/1"},
	    {"192.0.2.254/31", "192.0.2.254/31"},
	    {"2001:db8::/32", "2001:db8::/32"},
	    {"2001:db8:0:8000::/49", "2001:db8:0:8000::/49"},
	    {"2001:db8::1", "2001:db8::1"},
	    {"::ffff:192.0.2.0/120", "192.0.2.0/24"},
	    {"::ffff:192.0.2.1", "192.0.2.1"},
	    {"::ffff:0.0.0.0/96", "0.0.0.0/0"},
	    {"::ffff:192.0.2.0/24", NULL},
	    {"192.0.2.1/24", NULL},
	    {"192.0.2.0/33", NULL},
	    {"2001:db8::/129", NULL},
	    {"2001:db8::1/64", NULL},
	    {"192.0.2.0/", NULL},
	    {"192.0.2.0/-1", NULL},
	    {"192.0.2.0/+24", NULL},
	    {"192.0.2.0/ 24", NULL},
	    {"192.0.2.0/24/24", NULL},
	    {"192.0.2.0/4294967320", NULL},
	    {"192.0.2/24", NULL},
	    {"/24", NULL},
	    {"", NULL},
	    {"0000000000000000000000000000000000000000000000000000000000/8", NULL},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct prefix prefix = {.length = 77}, again;
		char text[PREFIX_TEXT_SIZE];

		g_test_message("%s", rows[i].text);
		if (!rows[i].formatted) {
			g_assert_false(prefix_parse(rows[i].text, &prefix));
			g_assert_cmpuint(prefix.length, ==, 77);
			continue;
		}
		g_assert_true(prefix_parse(rows[i].text, &prefix));
		g_assert_cmpstr(prefix_format(&prefix, text), ==, rows[i].formatted);
		g_assert_true(prefix_parse(text, &again));
		g_assert_true(prefix_equal(&prefix, &again));
	}
}

static void
test_network_of(void)
{
	static const struct {
		const char *address;
		unsigned ipv4, ipv6;
		const char *network;
	} rows[] = {
	    {"192.0.2.77", 24, 64, "192.0.2.0/24"},
	    {"192.0.2.77", 32, 64, "192.0.2.77"},
	    {"192.0.2.77", 25, 64, "192.0.2.0/25"},
	    {"192.0.2.177", 25, 64, "192.0.2.128/25"},
	    {"192.0.2.77", 0, 64, "0.0.0.0/0"},
	    {"2001:db8:1:2:3:4:5:6", 24, 64, "2001:db8:1:2::/64"},
	    {"2001:db8:1:2:3:4:5:6", 24, 128, "2001:db8:1:2:3:4:5:6"},
	    {"2001:db8:1:ff:3:4:5:6", 24, 60, "2001:db8:1:f0::/60"},
	    {"::ffff:192.0.2.77", 24, 64, "192.0.2.0/24"},
	};
	char text[PREFIX_TEXT_SIZE];
	struct address address;
	struct prefix prefix;

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_assert_true(address_parse(rows[i].address, &address));
		prefix = prefix_of(&address, rows[i].ipv4, rows[i].ipv6);
		g_assert_cmpstr(prefix_format(&prefix, text), ==, rows[i].network);
		g_assert_true(prefix_contains(&prefix, &address));
	}
}

static void
test_contains(void)
{
	static const struct {
		const char *prefix, *address;
		bool contains;
	} rows[] = {
	    {"192.0.2.0/25", "192.0.2.127", true},
	    {"192.0.2.0/25", "192.0.2.128", false},
	    {"0.0.0.0/0", "255.1.2.3", true},
	    {"0.0.0.0/0", "::", false},
	    {"::/0", "192.0.2.1", false},
	    {"::/0", "2001:db8::", true},
	    {"2001:db8::/33", "2001:db8:7fff::", true},
	    {"2001:db8::/33", "2001:db8:8000::", false},
	};
	struct address address;
	struct prefix prefix;

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_test_message("%s in %s", rows[i].address, rows[i].prefix);
		g_assert_true(prefix_parse(rows[i].prefix, &prefix));
		g_assert_true(address_parse(rows[i].address, &address));
		g_assert_cmpint(prefix_contains(&prefix, &address), ==, rows[i].contains);
	}
}

static void
test_set(void)
{
	static const char *const members[] = {"192.0.2.0/24", "192.0.2.128/25", "192.0.2.200",
	    "10.0.0.0/8", "2001:db8::/32", "2001:db8:1::/48", "192.0.2.0/24"};
	static const struct {
		const char *address, *longest;
	} rows[] = {
	    {"192.0.2.1", "192.0.2.0/24"},
	    {"192.0.2.129", "192.0.2.128/25"},
	    {"192.0.2.200", "192.0.2.200"},
	    {"10.255.0.1", "10.0.0.0/8"},
	    {"2001:db8:2::1", "2001:db8::/32"},
	    {"2001:db8:1::1", "2001:db8:1::/48"},
	    {"11.0.0.0", NULL},
	    {"2001:db9::", NULL},
	    {"::10.0.0.1", NULL},
	};
	struct prefix_set *set = prefix_set_new();
	struct address address = {0};
	struct prefix prefix;
	char text[PREFIX_TEXT_SIZE];

	g_assert_false(prefix_set_match(set, &address, &prefix));
	for (size_t i = 0; i < G_N_ELEMENTS(members); i++) {
		g_assert_true(prefix_parse(members[i], &prefix));
		prefix_set_add(set, &prefix);
	}
	g_assert_cmpuint(prefix_set_size(set), ==, 6);
	g_assert_false(prefix_set_match(set, &address, &prefix));
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		bool found;

		g_test_message("%s", rows[i].address);
		g_assert_true(address_parse(rows[i].address, &address));
		found = prefix_set_match(set, &address, &prefix);
		g_assert_cmpint(found, ==, rows[i].longest != NULL);
		if (found)
			g_assert_cmpstr(prefix_format(&prefix, text), ==, rows[i].longest);
	}
	prefix_set_free(set);
	prefix_set_free(NULL);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/address/literal-text-alone-is-an-address", test_parse);
	g_test_add_func("/address/no-address-is-unknown", test_none);
	g_test_add_func("/address/loopback-in-both-families", test_loopback);
	g_test_add_func("/address/prefix-has-no-host-bits-and-prints-back", test_prefix);
	g_test_add_func("/address/network-of-an-address-by-its-family", test_network_of);
	g_test_add_func("/address/prefix-contains-its-own-family-alone", test_contains);
	g_test_add_func("/address/set-finds-the-longest-prefix", test_set);
	return g_test_run();
}
