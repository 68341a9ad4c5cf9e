#include "config.h"

#include <string.h>
#include <glib.h>

#include "policyd/decide/envelope.h"

static const struct {
	const char *sender, *normalised;
} senders[] = {
    /* plain */
    {"", ""},
    {"<>", ""},
    {"Anna@Example.ORG", "anna@example.org"},
    {"anna@example.org.", "anna@example.org"},
    {"<anna@example.org>", "anna@example.org"},
    {"john.smith@example.org", "john.smith@example.org"},
    {"john.smyth@example.org", "john.smyth@example.org"},
    {"a1@example.org", "a1@example.org"},
    {"b2@example.org", "b2@example.org"},
    {"root", "root"},
    {"Root+1", "root+1"},
    {"@example.org", "@example.org"},
    {"anna@", "anna@"},
    {"anna@163.com", "anna@163.com"},
    {"a@b@example.org", "a@b@example.org"},
    {"\"A@b+1\"@c.example", "\"a@b+1\"@c.example"},
    {"j\xc3\xbcrgen@example.org", "j\xc3\xbcrgen@example.org"},
    /* people whose names are hex digits, or have numbers in them, stay apart */
    {"deb1985@example.org", "deb1985@example.org"},
    {"abe1986@example.org", "abe1986@example.org"},
    {"ab123456@uni.example", "ab123456@uni.example"},
    {"s1234567@uni.example", "s1234567@uni.example"},
    {"christopherjohnson1985@example.org", "christopherjohnson1985@example.org"},
    {"r2d2@example.org", "r2d2@example.org"},
    {"info_42a@example.org", "info_42a@example.org"},
    /* numbers as whole words */
    {"news-123@example.org", "news-#@example.org"},
    {"bounce_4711_99@example.org", "bounce_#_#@example.org"},
    {"12345678@qq.com", "#@qq.com"},
    {"no-reply-123456@svc7.example", "no-reply-#@svc7.example"},
    {"msg.20260401.7@example.org", "msg.#.#@example.org"},
    /* extensions */
    {"anna+shop@example.org", "anna@example.org"},
    {"+shop@example.org", "+shop@example.org"},
    {"bounces+123-abcd-user=dom.tld@em.example.org", "bounces@em.example.org"},
    {"list-bounces+user=dom.tld@lists.example.org", "list-bounces@lists.example.org"},
    {"group+bncBC7PD4WQJQIBBW4U7K2AMGQE@googlegroups.com", "group@googlegroups.com"},
    {"notification+zrdoevcf@facebookmail.com", "notification@facebookmail.com"},
    /* VERP */
    {"list-return-123-user=dom.tld@list.example", "list-return-#@list.example"},
    {"list-owner-anna-maria=dom.tld@list.example", "list-owner-anna@list.example"},
    {"return=user=dom.tld@list.example", "return@list.example"},
    {"user=dom.tld@gateway.example", "user=dom.tld@gateway.example"},
    {"a-b=c@gateway.example", "a-b=c@gateway.example"},
    {"bounce-mc.us1_123.456-user=dom.tld@mail1.suw11.mcdlv.net",
	"bounce-mc.us1_#.#@mail1.suw11.mcdlv.net"},
    {"bounce-mc.us1_12345.678901-user=dom.tld@mail1.suw11.mcdlv.net",
	"bounce-mc.us1_#.#@mail1.suw11.mcdlv.net"},
    /* SRS */
    {"SRS0=4Xbc=TT=example.org=anna@fwd.example", "anna@example.org"},
    {"SRS0+4Xbc=TT=example.org=anna@fwd.example", "anna@example.org"},
    {"SRS0-4Xbc=TT=example.org=anna@fwd.example", "anna@example.org"},
    {"SRS0=+/bc=T7=example.org=anna=b@fwd.example", "anna=b@example.org"},
    {"srs0=4xbc=tt=example.org=anna+x@fwd.example", "anna@example.org"},
    {"SRS1=AbCd=relay.example==4Xbc=TT=example.org=anna@fwd.example", "anna@example.org"},
    {"SRS1=AbCd=relay.example=+4Xbc=TT=example.org=anna@fwd.example", "anna@example.org"},
    {"SRS1+AbCd=relay.example=-4Xbc=TT=example.org=anna@fwd.example", "anna@example.org"},
    {"SRS0=4Xbc=TT=example.org=list-return-7-u=d.tld@fwd.example", "list-return-#@example.org"},
    {"SRS0=4Xbc=TT=example.org=@fwd.example", "srs0=4xbc=tt=example.org=@fwd.example"},
    {"srs0@fwd.example", "srs0@fwd.example"},
    /* BATV and its kin */
    {"prvs=1234abcdef=anna@example.org", "anna@example.org"},
    {"prvs=anna=1234abcdef@example.org", "anna@example.org"},
    {"prvs=01234567ab=news-7@example.org", "news-#@example.org"},
    {"msprvs1=19000abcdefgh=bounces-263241-11@bounces.example.org",
	"bounces-#-#@bounces.example.org"},
    {"btv1==066d3c5f0d1==anna@example.org", "anna@example.org"},
    {"prvs=@example.org", "prvs=@example.org"},
    {"prvs=anna@example.org", "prvs=anna@example.org"},
    /* tokens */
    {"0102018f1a2b3c4d-5e6f7a8b-1234-4abc-9def-0123456789ab-000000@eu-west-1.amazonses.com",
	"#-#-#-#-#-#-#@eu-west-1.amazonses.com"},
    {"0100018e9f8e7d6c-1a2b3c4d-abcd-4ef0-8abc-ba9876543210-000000@amazonses.com",
	"#-#-#-#-#-#-#@amazonses.com"},
    {"s-2b8rmfg1mnk7x@bounce.linkedin.com", "s-#@bounce.linkedin.com"},
    {"msgid.1a2b3c4d5e6f@example.org", "msgid.#@example.org"},
};

static void
test_table(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(senders); i++) {
		char address[ENVELOPE_ADDRESS_SIZE];
		size_t length =
		    envelope_sender(senders[i].sender, strlen(senders[i].sender), address);
		g_assert_cmpstr(address, ==, senders[i].normalised);
		g_assert_cmpuint(length, ==, strlen(address));
		envelope_sender(senders[i].normalised, length, address);
		g_assert_cmpstr(address, ==, senders[i].normalised);
	}
}

/* What postgrey stores for a sender: do_sender_substitutions() of postgrey 1.37. */
static char *
postgrey_sender(const char *sender)
{
	g_auto(GStrv) halves = g_strsplit(sender, "@", 2);
	g_auto(GStrv) batv = NULL;
	g_autofree char *user = NULL, *bare = NULL, *digits = NULL;
	g_autoptr(GRegex) tag = g_regex_new("^[0-9a-z]{10}", 0, 0, NULL);
	g_autoptr(GRegex) extension = g_regex_new("\\+.*", G_REGEX_RAW | G_REGEX_DOTALL, 0, NULL);
	g_autoptr(GRegex) number = g_regex_new("\\b\\d+\\b", G_REGEX_RAW, 0, NULL);

	if (!halves[0] || !halves[1])
		return g_strdup(sender);
	user = g_strdup(halves[0]);
	batv = g_strsplit(user, "=", 0);
	if (g_str_has_prefix(user, "prvs=") && g_strv_length(batv) == 3) {
		bool second =
		    g_regex_match(tag, batv[2], 0, NULL) && !g_regex_match(tag, batv[1], 0, NULL);
		g_free(user);
		user = g_strdup(batv[second ? 1 : 2]);
	}
	bare = g_regex_replace(extension, user, -1, 0, "", 0, NULL);
	digits = g_regex_replace(number, bare, -1, 0, "#", 0, NULL);
	return g_strconcat(digits, "@", halves[1], NULL);
}

/* Senders of which postgrey keeps too little. */
static bool
postgrey_loses(const char *sender)
{
	static const char *const starts[] = {
	    "SRS0+", "SRS1+", "+", "SRS0=+", "SRS1=AbCd=relay.example=+"};

	for (size_t i = 0; i < G_N_ELEMENTS(starts); i++) {
		if (g_str_has_prefix(sender, starts[i]))
			return true;
	}
	return sender[0] == '"' || sender[0] == '<';
}

static void
test_postgrey(void)
{
	size_t tested = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(senders); i++) {
		g_autofree char *stored = postgrey_sender(senders[i].sender);
		char address[ENVELOPE_ADDRESS_SIZE];
		if (postgrey_loses(senders[i].sender))
			continue;
		envelope_sender(stored, strlen(stored), address);
		g_assert_cmpstr(address, ==, senders[i].normalised);
		tested++;
	}
	g_assert_cmpuint(tested, >=, 40);
}

/* Pieces that the steps look for, put together at random. */
static void
test_idempotent(void)
{
	static const char *const pieces[] = {"srs0=", "SRS1+", "prvs=", "btv1==", "=", "==", "-",
	    "+", "@", ".", "<", ">", "\"", "#", "#-", "abcd-", "1234", "a1b2c3d4e5", "x", "dom.tld",
	    "\xc3\xa9", "\xff", "_", "/", "deadbeef1-", "0", "Z"};

	for (unsigned round = 0; round < 20000; round++) {
		g_autoptr(GString) text = g_string_new(NULL);
		char once[ENVELOPE_ADDRESS_SIZE], twice[ENVELOPE_ADDRESS_SIZE];
		size_t length;
		for (int count = g_test_rand_int_range(0, round % 50 ? 16 : 400); count > 0;
		     count--)
			g_string_append(
			    text, pieces[g_test_rand_int_range(0, G_N_ELEMENTS(pieces))]);
		length = envelope_sender(text->str, text->len, once);
		g_assert_cmpuint(length, ==, strlen(once));
		envelope_sender(once, length, twice);
		g_assert_cmpstr(once, ==, twice);
		length = envelope_recipient(text->str, text->len, once);
		envelope_recipient(once, length, twice);
		g_assert_cmpstr(once, ==, twice);
	}
}

static void
test_bound(void)
{
	g_autofree char *local = g_strnfill(5000, 'x');
	g_autofree char *long_local = g_strconcat(local, "@example.org", NULL);
	g_autofree char *long_domain = g_strconcat("anna@", local, NULL);
	g_autofree char *no_domain = g_strdup(local);
	char address[ENVELOPE_ADDRESS_SIZE];

	g_assert_cmpuint(envelope_sender(long_local, strlen(long_local), address), ==,
	    ENVELOPE_ADDRESS_SIZE - 1);
	g_assert_true(g_str_has_suffix(address, "x@example.org"));
	g_assert_cmpuint(envelope_sender(long_domain, strlen(long_domain), address), ==, 5 + 255);
	g_assert_true(g_str_has_prefix(address, "anna@x"));
	g_assert_cmpuint(
	    envelope_recipient(no_domain, 5000, address), ==, ENVELOPE_ADDRESS_SIZE - 1);
	g_assert_cmpuint(envelope_sender("an\0na@example.org", 17, address), ==, 2);
	g_assert_cmpstr(address, ==, "an");
}

static void
test_recipient(void)
{
	static const struct {
		const char *recipient, *normalised;
	} recipients[] = {
	    {"Bob@Example.NET", "bob@example.net"},
	    {"bob+lists@example.net.", "bob@example.net"},
	    {"bob-123@example.net", "bob-123@example.net"},
	    {"+x@example.net", "+x@example.net"},
	    {"\"b+c\"@example.net", "\"b+c\"@example.net"},
	    {"postmaster", "postmaster"},
	    {"", ""},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(recipients); i++) {
		char address[ENVELOPE_ADDRESS_SIZE];
		envelope_recipient(
		    recipients[i].recipient, strlen(recipients[i].recipient), address);
		g_assert_cmpstr(address, ==, recipients[i].normalised);
	}
}

static void
test_domain(void)
{
	g_assert_cmpstr(envelope_domain("anna@example.org"), ==, "example.org");
	g_assert_cmpstr(envelope_domain("a@b@example.org"), ==, "example.org");
	g_assert_cmpstr(envelope_domain("anna"), ==, "");
	g_assert_cmpstr(envelope_domain(""), ==, "");
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/envelope/one-time-senders-match-people-stay-apart", test_table);
	g_test_add_func("/envelope/what-postgrey-stored-maps-to-ours", test_postgrey);
	g_test_add_func("/envelope/normalised-stays-as-it-is", test_idempotent);
	g_test_add_func("/envelope/long-ones-keep-their-domain", test_bound);
	g_test_add_func("/envelope/recipient-loses-extension-only", test_recipient);
	g_test_add_func("/envelope/domain-past-the-last-at", test_domain);
	return g_test_run();
}
