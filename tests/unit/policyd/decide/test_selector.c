/* What people name mail by: what is understood as what, and what is refused with which words. */
#include "config.h"

#include <string.h>
#include <glib.h>

#include "policyd/decide/allowed.h"
#include "policyd/decide/selector.h"

static const struct {
	const char *text;
	enum selector_kind kind; /* SELECTOR_NONE: refused */
	const char *sender, *recipient;
} rows[] = {
    {"carol@bank.example", SELECTOR_ADDRESS, "carol@bank.example", "carol@bank.example"},
    {"<Carol@Bank.Example.>", SELECTOR_ADDRESS, "carol@bank.example", "carol@bank.example"},
    {"carol+x@bank.example", SELECTOR_ADDRESS, "carol@bank.example", "carol@bank.example"},
    {"list-1234567@l.example", SELECTOR_ADDRESS, "list-#@l.example", "list-1234567@l.example"},
    {"prvs=1234abcdef=carol@bank.example", SELECTOR_ADDRESS, "carol@bank.example",
	"prvs=1234abcdef=carol@bank.example"},
    {"SRS0=HHH=TT=bank.example=carol@relay.example", SELECTOR_ADDRESS, "carol@bank.example",
	"srs0=hhh=tt=bank.example=carol@relay.example"},
    {"\"a b\"@x.example", SELECTOR_ADDRESS, "\"a b\"@x.example", "\"a b\"@x.example"},
    {"root@localhost", SELECTOR_ADDRESS, "root@localhost", "root@localhost"},
    {"Postmaster", SELECTOR_LOCAL, "postmaster", "postmaster"},
    {"", SELECTOR_NULL, "", ""},
    {"<>", SELECTOR_NULL, "", ""},
    {"bank.example", SELECTOR_DOMAIN, "bank.example", "bank.example"},
    {"@bank.example", SELECTOR_DOMAIN, "bank.example", "bank.example"},
    {"Bank.Example.", SELECTOR_DOMAIN, "bank.example", "bank.example"},
    {"xn--bnk-qla.example", SELECTOR_DOMAIN, "xn--bnk-qla.example", "xn--bnk-qla.example"},
    {"192.0.2.7", SELECTOR_NETWORK, NULL, NULL},
    {"192.0.2.0/24", SELECTOR_NETWORK, NULL, NULL},
    {"2001:db8::/32", SELECTOR_NETWORK, NULL, NULL},
    {"hash:0123456789abcdef", SELECTOR_HASH, NULL, NULL},
    {"hash:0123456789abcde", SELECTOR_NONE, NULL, NULL},
    {"hash:0123456789abcdeg", SELECTOR_NONE, NULL, NULL},
    {"192.0.2.1/24", SELECTOR_NONE, NULL, NULL},
    {"192.0.2.300", SELECTOR_NONE, NULL, NULL},
    {"192.0.2", SELECTOR_NONE, NULL, NULL},
    {"2001:db8::/129", SELECTOR_NONE, NULL, NULL},
    {"@", SELECTOR_NONE, NULL, NULL},
    {"@nodot", SELECTOR_NONE, NULL, NULL},
    {"@@bank.example", SELECTOR_NONE, NULL, NULL},
    {"<@bank.example>", SELECTOR_NONE, NULL, NULL},
    {"carol@", SELECTOR_NONE, NULL, NULL},
    {".bank.example", SELECTOR_NONE, NULL, NULL},
    {"bank..example", SELECTOR_NONE, NULL, NULL},
    {"two words.example", SELECTOR_NONE, NULL, NULL},
    {"two words", SELECTOR_NONE, NULL, NULL},
};

static void
test_kinds(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct selector s = {.kind = SELECTOR_NONE};
		bool good = selector_parse(rows[i].text, SELECTOR_ALL, &s, NULL);

		g_test_message("%s", rows[i].text);
		g_assert_cmpint(good, ==, rows[i].kind != SELECTOR_NONE);
		g_assert_cmpint(s.kind, ==, rows[i].kind);
		if (!rows[i].sender)
			continue;
		g_assert_cmpstr(s.text[SELECTOR_SENDER], ==, rows[i].sender);
		g_assert_cmpstr(s.text[SELECTOR_RECIPIENT], ==, rows[i].recipient);
	}
}

/* The message says what was typed and what is taken instead. */
static void
test_refused(void)
{
	static const struct {
		const char *text;
		unsigned kinds;
		const char *message;
	} refused[] = {
	    {"192.0.2.7", SELECTOR_OF_SENDER,
		"\"192.0.2.7\" is a client's address or a network; what is taken here: an address "
		"like carol@bank.example, <> for the null sender, or a domain like bank.example"},
	    {"<>", SELECTOR_OF_RECIPIENT,
		"\"<>\" is the null sender; what is taken here: an address like "
		"carol@bank.example, or a domain like bank.example"},
	    {"carol@bank.example", SELECTOR_OF_CLIENT,
		"\"carol@bank.example\" is an address; what is taken here: a domain like "
		"bank.example, or a client's address like 192.0.2.7 or a network like "
		"192.0.2.0/24"},
	    {"192.0.2.1/24", SELECTOR_DOMAIN,
		"\"192.0.2.1/24\" is no address, no domain and no network; what is taken here: a "
		"domain like bank.example"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
		g_autoptr(GError) error = NULL;
		struct selector s = {.kind = SELECTOR_NONE};

		g_assert_false(selector_parse(refused[i].text, refused[i].kinds, &s, &error));
		g_assert_cmpstr(error->message, ==, refused[i].message);
		g_assert_cmpint(s.kind, ==, SELECTOR_NONE);
	}
}

static void
test_exceptions(void)
{
	static const struct {
		const char *text, *key; /* NULL: refused */
	} exceptions[] = {{"192.0.2.7", "192.0.2.7"}, {"2001:DB8::/32", "2001:db8::/32"},
	    {"@Bank.example", "bank.example"}, {"Carol+x@bank.example", "carol@bank.example"},
	    {"<>", NULL}, {"postmaster", NULL}, {"hash:0123456789abcdef", NULL},
	    {"\"a b\"@x.example", NULL}};

	for (size_t i = 0; i < G_N_ELEMENTS(exceptions); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *key = NULL;

		g_assert_cmpint(
		    allowed_parse(exceptions[i].text, &key, &error), ==, exceptions[i].key != NULL);
		g_assert_cmpstr(key, ==, exceptions[i].key);
		g_assert_true(key != NULL || error != NULL);
		g_assert_true(!key || allowed_is_key(key));
	}
}

/* Every kind against every side; domains and hashes of records are in test_ctl_records.c. */
static void
test_nothing_named(void)
{
	struct selector none = {.kind = SELECTOR_NONE};
	struct store_bytes empty = {NULL, 0}, name = {"example.org", 11};
	struct prefix network;

	g_assert_true(prefix_parse("192.0.2.0/24", &network));
	g_assert_cmpint(
	    selector_match_address(&none, SELECTOR_SENDER, &empty, false), ==, SELECTOR_MATCHES);
	g_assert_true(selector_match_network(&none, &network));
	g_assert_true(selector_match_name(&none, &name));
	g_assert_true(selector_match_name(&none, &empty));
	g_assert_true(selector_parse("example.org", SELECTOR_ALL, &none, NULL));
	g_assert_false(selector_match_network(&none, &network));
	g_assert_false(selector_match_name(&none, &empty));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/selector/kinds", test_kinds);
	g_test_add_func("/selector/refusals-name-what-is-taken", test_refused);
	g_test_add_func("/selector/exceptions", test_exceptions);
	g_test_add_func("/selector/nothing-named-matches-all", test_nothing_named);
	return g_test_run();
}
