/* Where a message came from, by what one's own hosts wrote into it. */
#include "config.h"

#include <string.h>
#include <glib.h>

#include "classifier/features/origin.h"

static const struct {
	const char *value, *client, *name; /* client NULL: nothing */
} fields[] = {
    {"from mx.example.org (mx.example.org [192.0.2.1]) by own.example (Postfix) with ESMTP id 1",
	"192.0.2.1", "mx.example.org"},
    {" from [10.0.0.1]\n\t(mx.example.org [192.0.2.1])\n\tby own.example", "192.0.2.1",
	"mx.example.org"},
    {"from friend (unknown [192.0.2.1]) by own.example", "192.0.2.1", ""},
    {"from friend (UNKNOWN [192.0.2.1]) by own.example", "192.0.2.1", ""},
    {"from mx.example.org (mx.example.org [IPv6:2001:db8::1]) by own.example", "2001:db8::1",
	"mx.example.org"},
    {"from mx.example.org (mx.example.org [192.0.2.1] (may be forged)) by own.example", "192.0.2.1",
	""},
    {"from mx.example.org ([192.0.2.1] helo=friend) by own.example with esmtp (Exim 4)",
	"192.0.2.1", ""},
    {"from friend (mx.]example [192.0.2.1]) by own.example", "192.0.2.1", ""},
    /* What the client says is one word, and nothing in it is believed. */
    {"from x(forged.example [198.51.100.1]) (mx.example.org [192.0.2.1]) by own.example", NULL,
	NULL},
    {"from (forged.example [198.51.100.1]) by own.example", NULL, NULL},
    {"from mx.example.org by own.example", NULL, NULL},
    {"from mx.example.org (comment) (mx.example.org [192.0.2.1]) by own.example", NULL, NULL},
    {"from localhost (localhost [nonsense]) by own.example", NULL, NULL},
    {"from a (b [192.0.2.1", NULL, NULL},
    {"by own.example (Postfix, from userid 1000) id 1", NULL, NULL},
    {"from", NULL, NULL},
    {"", NULL, NULL},
};

static void
test_received(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
		struct address client = {.family = ADDRESS_NONE}, expected;
		char name[CLIENTNAME_SIZE] = "";

		g_test_message("%s", fields[i].value);
		g_assert_cmpint(origin_read_received(fields[i].value, &client, name), ==,
		    fields[i].client != NULL);
		if (!fields[i].client)
			continue;
		g_assert_true(address_parse(fields[i].client, &expected));
		g_assert_true(address_equal(&client, &expected));
		g_assert_cmpstr(name, ==, fields[i].name);
	}
}

static struct origin
read_text(const char *text)
{
	static const char *const own[] = {"own.example", NULL}, *const trusted[] = {
								    "own.example", NULL};
	struct message_options options = message_options_default();
	struct suffix_list *suffixes = suffix_list_load(NULL);
	struct message *message;
	struct origin origin;

	options.own_hosts = own;
	message = message_read((const uint8_t *)text, strlen(text), &options);
	origin_read(message, trusted, suffixes, &origin);
	message_free(message);
	suffix_list_free(suffixes);
	return origin;
}

#define BODY "From: a@example.org\nSubject: x\n\nbody\n"

static void
test_message(void)
{
	struct origin origin = read_text("Received: from mx (mx7.example.org [192.0.2.1])\n"
					 "\tby mail.own.example (Postfix) with ESMTP id 1\n"
					 "Received: from forged (forged.example [198.51.100.1])\n"
					 "\tby mx7.example.org with ESMTP id 2\n"
					 "Authentication-Results: own.example;\n"
					 "\tdkim=pass header.d=example.net; spf=fail "
					 "smtp.mailfrom=a@example.com\n"
					 "Authentication-Results: elsewhere.example;\n"
					 "\tdkim=pass header.d=example.edu\n" BODY);
	struct delivery_record record;
	struct address expected;

	g_assert_true(address_parse("192.0.2.1", &expected));
	g_assert_true(address_equal(&origin.client, &expected));
	g_assert_cmpstr(origin.name, ==, "example.org");
	g_assert_cmpuint(origin.auth.n, ==, 1);
	g_assert_cmpstr(origin.auth.domains[0], ==, "example.net");
	origin_delivery(&origin, VERDICT_SPAM, 0.9874, 1795000000, &record);
	g_assert_cmpint(record.verdict, ==, DELIVERY_SPAM);
	g_assert_cmpuint(record.score, ==, 987);
	g_assert_cmpuint(record.n_auth, ==, 1);
	g_assert_cmpuint(record.name.length, ==, strlen("example.org"));
	g_assert_cmpint(record.greylist.contact, ==, DELIVERY_UNKNOWN);
}

/* Without a field that an own host wrote nothing in the message is believed. */
static void
test_no_handover(void)
{
	struct origin origin =
	    read_text("Received: from mx (mx.example.org [192.0.2.1]) by mx.example\n"
		      "Authentication-Results: own.example; dkim=pass "
		      "header.d=example.net\n" BODY);

	g_assert_cmpint(origin.client.family, ==, ADDRESS_NONE);
	g_assert_cmpstr(origin.name, ==, "");
	g_assert_cmpuint(origin.auth.n, ==, 0);
}

static void
test_dynamic_name(void)
{
	struct origin origin =
	    read_text("Received: from x (192-0-2-1.dsl.example.org [192.0.2.1])\n"
		      "\tby own.example (Postfix) with ESMTP id 1\n" BODY);

	g_assert_cmpint(origin.client.family, ==, ADDRESS_IPV4);
	g_assert_cmpstr(origin.name, ==, "");
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/origin/received-fields", test_received);
	g_test_add_func("/origin/of-a-message", test_message);
	g_test_add_func("/origin/nothing-without-own-hosts", test_no_handover);
	g_test_add_func("/origin/a-dynamic-name-is-none", test_dynamic_name);
	return g_test_run();
}
