/* What greylag-milter is made of, without libmilter. */
#include "config.h"

#include "policyd/milter/action.h"
#include "policyd/milter/grey.h"
#include "policyd/milter/message.h"
#include "policyd/milter/note.h"

#include <string.h>
#include <glib.h>

/* -- a message's bytes -- */

static struct milter_client
client_of(const char *address)
{
	struct milter_client client = {.name = NULL};

	g_assert_true(address_parse(address, &client.address));
	client.helo = g_strdup("helo.example");
	client.host = g_strdup("mx.example.net");
	return client;
}

static struct milter_message
message_of(struct milter_budget *budget, size_t limit)
{
	struct milter_message message = {.budget = budget, .limit = limit};

	milter_message_sender(&message, "<a@b.example>", 1000000000);
	milter_message_recipient(&message, "<c@d.example>", true);
	return message;
}

static void
assert_bytes(const struct milter_message *message, const char *expected)
{
	g_autofree char *bytes = g_strndup((const char *)message->bytes, message->length);

	g_assert_cmpstr(bytes, ==, expected);
}

static void
body(struct milter_message *message, const char *text)
{
	milter_message_body(message, (const uint8_t *)text, strlen(text));
}

static void
test_bytes(void)
{
	struct milter_message message = message_of(NULL, 100000);

	milter_message_field(&message, "From", " a@b.example", true);
	milter_message_field(&message, "Subject", "  two\r\n\tlines ", true);
	milter_message_field(&message, "To", "c@d.example", false);
	milter_message_end_of_header(&message);
	body(&message, "one\r");
	body(&message, "\ntwo\r");
	body(&message, "three\r\r\n\n");
	body(&message, "\r\nfour\r");
	body(&message, "\n");
	assert_bytes(&message, "From: a@b.example\nSubject:  two\n\tlines \nTo: c@d.example\n\n"
			       "one\ntwo\rthree\r\n\n\nfour\n");
	g_assert_false(message.cut);
	g_assert_cmpstr(message.sender, ==, "a@b.example");
	g_assert_cmpstr(message.recipients[0].address, ==, "c@d.example");
	milter_message_clear(&message);
	g_assert_null(message.bytes);
	g_assert_cmpuint(message.limit, ==, 100000);
}

static void
test_received(void)
{
	struct milter_message message = message_of(NULL, 100000);
	struct milter_client client = client_of("2001:db8::1");

	message.id = g_strdup("4XQ");
	milter_message_received(&message, &client);
	assert_bytes(&message, "Received: from helo.example (unknown [IPv6:2001:db8::1])\n"
			       "\tby mx.example.net (Postfix) with ESMTP id 4XQ\n"
			       "\tfor <c@d.example>; Sun, 9 Sep 2001 01:46:40 +0000\n");
	milter_message_sender(&message, "", 1000000000);
	g_assert_cmpstr(message.sender, ==, "");
	client.name = g_strdup("mail.example");
	client.tls = true;
	message.user = g_strdup("al");
	milter_message_recipient(&message, "a@b", false);
	milter_message_recipient(&message, "c@d", false);
	milter_message_received(&message, &client);
	assert_bytes(&message, "Received: from helo.example (mail.example [IPv6:2001:db8::1])\n"
			       "\tby mx.example.net (Postfix) with ESMTPSA id none; "
			       "Sun, 9 Sep 2001 01:46:40 +0000\n");
	milter_message_clear(&message);
	milter_client_clear(&client);
}

static void
test_forged(void)
{
	struct milter_message message = message_of(NULL, 100000);

	milter_message_field(&message, "X-Greylag", " ham", true);
	milter_message_field(&message, "x-greylag \t", " ham", true);
	milter_message_field(&message, "X-Greylag-Other", " kept", true);
	milter_message_field(&message, "X-Greyla", " kept", true);
	g_assert_cmpuint(message.forged, ==, 2);
	assert_bytes(&message, "X-Greylag-Other: kept\nX-Greyla: kept\n");
	milter_message_clear(&message);
}

static const struct {
	const char *name, *value;
	bool automatic;
} automatic_cases[] = {
    {"Subject", "auto-replied", false},
    {"Auto-Submitted", " no", false},
    {"Auto-Submitted", "No (really)", false},
    {"Auto-Submitted", " auto-replied", true},
    {"AUTO-SUBMITTED", "nobody", true},
    {"Precedence", " Bulk", true},
    {"Precedence", " first-class", false},
    {"Precedence", " listless", false},
    {"List-Id", "", true},
};

static void
test_automatic(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(automatic_cases); i++) {
		struct milter_message message = message_of(NULL, 1000);

		milter_message_field(
		    &message, automatic_cases[i].name, automatic_cases[i].value, true);
		g_assert_cmpint(message.automatic, ==, automatic_cases[i].automatic);
		milter_message_clear(&message);
	}
}

static void
test_limits(void)
{
	struct milter_message message = message_of(NULL, 10);

	milter_message_field(&message, "To", " abcdefghij", true);
	assert_bytes(&message, "To: abcdef");
	g_assert_true(message.cut);
	g_assert_false(milter_message_body(&message, (const uint8_t *)"x", 1));
	milter_message_clear(&message);
	for (unsigned i = 0; i < 10000; i++)
		milter_message_recipient(&message, "<r@d.example>", true);
	g_assert_cmpuint(message.n_recipients, ==, MILTER_RECIPIENTS);
	g_assert_cmpuint(message.all_recipients, ==, 10000);
	milter_message_clear(&message);
}

/* However many come: beyond its own 64 KiB each takes of the common memory, and gives it back. */
static void
test_budget(void)
{
	struct milter_budget budget = {.limit = 200000};
	struct milter_message messages[4];
	g_autofree uint8_t *bytes = g_malloc0(150000);
	unsigned whole = 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(messages); i++) {
		messages[i] = message_of(&budget, 1000000);
		for (unsigned j = 0; j < 15; j++)
			milter_message_body(&messages[i], bytes + j, 10000);
		whole += !messages[i].cut;
		g_assert_cmpuint(messages[i].length, >=, 65536);
		g_assert_cmpuint(budget.used, <=, budget.limit);
	}
	g_assert_cmpuint(whole, ==, 1);
	for (unsigned i = 0; i < G_N_ELEMENTS(messages); i++)
		milter_message_clear(&messages[i]);
	g_assert_cmpuint(budget.used, ==, 0);
}

/* -- actions -- */

struct action_case {
	const char *on_spam, *on_unsure, *first_timers;
	struct milter_judged judged;
	unsigned forged;
	enum milter_deed deed;
	const char *field, *status;
};

#define SPAM                                                                                       \
	{                                                                                          \
		.verdict = VERDICT_SPAM, .probability = 0.99                                       \
	}
#define UNSURE                                                                                     \
	{                                                                                          \
		.verdict = VERDICT_UNSURE, .probability = 0.5                                      \
	}
#define HAM                                                                                        \
	{                                                                                          \
		.verdict = VERDICT_HAM, .probability = 0.01                                        \
	}
#define NEW(v, p)                                                                                  \
	{                                                                                          \
		.verdict = v, .probability = p, .first_timer = true                                \
	}

static const struct action_case action_cases[] = {
    {"header", "header", "accept", SPAM, 0, MILTER_PASS, "spam, score=0.990000", NULL},
    {"accept", "header", "accept", SPAM, 3, MILTER_PASS, NULL, NULL},
    {"reject", "header", "accept", SPAM, 0, MILTER_REJECT, "spam", "5.7.1"},
    {"reject", "header", "accept", UNSURE, 0, MILTER_PASS, "unsure, score=0.500000", NULL},
    {"reject", "reject", "tempfail", HAM, 0, MILTER_PASS, "ham, score=0.010000", NULL},
    {"quarantine", "header", "accept", SPAM, 0, MILTER_QUARANTINE, "spam", NULL},
    {"header", "tempfail", "accept", UNSURE, 0, MILTER_TEMPFAIL, "unsure", "4.7.1"},
    {"header", "header", "tempfail", NEW(VERDICT_SPAM, 0.99), 0, MILTER_TEMPFAIL, "spam", "4.7.1"},
    {"header", "accept", "tempfail", NEW(VERDICT_UNSURE, 0.5), 0, MILTER_TEMPFAIL, NULL, "4.7.1"},
    {"header", "header", "tempfail", NEW(VERDICT_HAM, 0.01), 0, MILTER_PASS, "ham", NULL},
    {"header", "header", "accept", NEW(VERDICT_SPAM, 0.99), 0, MILTER_PASS, "spam", NULL},
    {"reject", "header", "tempfail", NEW(VERDICT_SPAM, 0.99), 0, MILTER_REJECT, "spam", "5.7.1"},
    {"reject", "reject", "tempfail", {.failed = true, .first_timer = true}, 1, MILTER_PASS,
	"error,", NULL},
    {"header", "header", "accept", HAM, MILTER_FORGED_MAX, MILTER_PASS, "ham", NULL},
    {"header", "header", "accept", HAM, MILTER_FORGED_MAX + 1, MILTER_REJECT, NULL, "5.6.0"},
};

static void
set(struct settings *settings, const char *key, const char *value)
{
	g_autofree char *assignment = g_strdup_printf("milter.%s=%s", key, value);

	g_assert_true(settings_assign(settings, assignment, NULL));
}

static void
test_actions(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(action_cases); i++) {
		const struct action_case *row = &action_cases[i];
		struct settings *settings = settings_new();
		struct milter_result result;

		set(settings, "on_spam", row->on_spam);
		set(settings, "on_unsure", row->on_unsure);
		set(settings, "first_timers", row->first_timers);
		milter_decide(settings, &row->judged, row->forged, &result);
		g_test_message("case %zu", i);
		g_assert_cmpint(result.deed, ==, row->deed);
		g_assert_cmpstr(result.status, ==, row->status);
		g_assert_cmpuint(result.forged, ==, row->forged);
		if (row->field)
			g_assert_true(g_str_has_prefix(result.field, row->field));
		else
			g_assert_null(result.field);
		g_assert_cmpint(result.text != NULL, ==, row->deed != MILTER_PASS);
		milter_result_clear(&result);
		settings_free(settings);
	}
}

/* -- facts of greylisting -- */

static const struct greylist_rules rules = {.delay = 60, .retry_window = 86400, .lifetime = 864000};

static void
test_facts(void)
{
	struct sighting s = {.first = 1000, .last = 1300, .attempts = 4, .moved = true};
	struct grey_facts facts;

	grey_facts_of(&rules, NULL, 1300, &facts);
	g_assert_cmpint(facts.greylist.contact, ==, DELIVERY_UNKNOWN);
	grey_facts_of(&rules, &s, 1300, &facts);
	g_assert_cmpint(facts.greylist.contact, ==, DELIVERY_UNKNOWN);
	s.passed = 1300;
	grey_facts_of(&rules, &s, 1300, &facts);
	g_assert_cmpint(facts.greylist.contact, ==, DELIVERY_FIRST);
	g_assert_cmpuint(facts.greylist.delayed, ==, 300);
	g_assert_cmpuint(facts.greylist.attempts, ==, 4);
	g_assert_true(facts.greylist.moved);
	g_assert_cmpuint(facts.greylist.n_offsets, >=, 2);
	g_assert_cmpuint(facts.greylist.offsets[0], ==, 0);
	g_assert_cmpuint(facts.greylist.offsets[facts.greylist.n_offsets - 1], ==, 300);
	g_assert_false(facts.young);
	/* A later message of the same. */
	grey_facts_of(&rules, &s, 5000, &facts);
	g_assert_cmpint(facts.greylist.contact, ==, DELIVERY_KNOWN);
	g_assert_cmpuint(facts.greylist.delayed, ==, 0);
	g_assert_cmpuint(facts.greylist.n_offsets, ==, 0);
	/* Let in at once by observe mode. */
	s = (struct sighting){
	    .first = 1000, .last = 1000, .passed = 1000, .attempts = 1, .observed = true};
	grey_facts_of(&rules, &s, 1000, &facts);
	g_assert_cmpint(facts.greylist.contact, ==, DELIVERY_FIRST);
	g_assert_true(facts.young);
	grey_facts_of(&rules, &s, 1059, &facts);
	g_assert_true(facts.young);
	grey_facts_of(&rules, &s, 1060, &facts);
	g_assert_false(facts.young);
}

/* -- whom own users write to -- */

struct contact_case {
	const char *sender, *user, *field;
	bool sender_inner;
	const char *contacts; /* NULL: teaches nothing */
};

static const struct contact_case contact_cases[] = {
    {"al@example.net", "al", NULL, false, "bo@partner.example"},
    {"al@example.net", NULL, NULL, true, "bo@partner.example"},
    {"al@example.net", NULL, NULL, false, NULL},
    {"", "al", NULL, true, NULL},
    {"SRS0=aaaa=bb=far.example=x@example.net", NULL, NULL, true, NULL},
    {"al@example.net", "al", "Auto-Submitted: auto-replied", true, NULL},
    {"al@example.net", "al", "Precedence: list", true, NULL},
    {"al@partner.example", "al", NULL, true, NULL},
    {"al", "al", NULL, true, NULL},
};

static void
test_contacts(void)
{
	struct rules policy = {.suffixes = suffix_list_load(NULL)};

	for (size_t i = 0; i < G_N_ELEMENTS(contact_cases); i++) {
		const struct contact_case *row = &contact_cases[i];
		struct milter_message message = {.limit = 1000};
		struct milter_note *note;

		milter_message_sender(&message, row->sender, 1000);
		milter_message_recipient(&message, "<Bo+tag@Partner.example>", false);
		milter_message_recipient(&message, "<cy@example.net>", true);
		milter_message_recipient(&message, "<nonsense>", false);
		message.user = g_strdup(row->user);
		message.sender_inner = row->sender_inner;
		if (row->field) {
			g_auto(GStrv) parts = g_strsplit(row->field, ":", 2);

			milter_message_field(&message, parts[0], parts[1], true);
		}
		note = milter_note_contacts(&policy, &message);
		g_test_message("case %zu", i);
		g_assert_cmpint(note != NULL, ==, row->contacts != NULL);
		if (note) {
			g_assert_cmpstr(milter_note_addresses(note)[0], ==, row->contacts);
			g_assert_null(milter_note_addresses(note)[1]);
		}
		milter_note_free(note);
		milter_message_clear(&message);
	}
	suffix_list_free((struct suffix_list *)policy.suffixes);
}

/* A letter to very many is no correspondence. */
static void
test_newsletter(void)
{
	struct rules policy = {.suffixes = suffix_list_load(NULL)};
	struct milter_message message = {.limit = 1000};
	struct milter_note *note;

	milter_message_sender(&message, "al@example.net", 1000);
	message.user = g_strdup("al");
	for (unsigned i = 0; i < MILTER_RECIPIENTS; i++)
		milter_message_recipient(&message, "x@partner.example", false);
	note = milter_note_contacts(&policy, &message);
	g_assert_nonnull(note);
	milter_note_free(note);
	milter_message_recipient(&message, "x@partner.example", false);
	g_assert_null(milter_note_contacts(&policy, &message));
	milter_message_clear(&message);
	suffix_list_free((struct suffix_list *)policy.suffixes);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/milter/message/bytes-as-in-the-mailbox", test_bytes);
	g_test_add_func("/milter/message/received-as-postfix-writes-it", test_received);
	g_test_add_func("/milter/message/forged-fields-are-counted-and-left-out", test_forged);
	g_test_add_func("/milter/message/automatic", test_automatic);
	g_test_add_func("/milter/message/limits", test_limits);
	g_test_add_func("/milter/message/budget", test_budget);
	g_test_add_func("/milter/action/table", test_actions);
	g_test_add_func("/milter/grey/facts", test_facts);
	g_test_add_func("/milter/note/contacts", test_contacts);
	g_test_add_func("/milter/note/newsletter", test_newsletter);
	return g_test_run();
}
