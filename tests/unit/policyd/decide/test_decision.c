#include "config.h"

#include <string.h>
#include <unistd.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "lib/log.h"
#include "policyd/decide/decision.h"

/* Tue, 17 Nov 2026 */
#define NOON 1794916800

static void
test_outcomes(void)
{
	static const struct {
		enum greylist_verdict verdict;
		enum reason reason;
		enum policy_action action;
	} rows[] = {
	    {GREYLIST_FIRST, REASON_FIRST, POLICY_DEFER},
	    {GREYLIST_EARLY, REASON_EARLY, POLICY_DEFER},
	    {GREYLIST_WINDOW_OVER, REASON_WINDOW_OVER, POLICY_DEFER},
	    {GREYLIST_NO_ROOM, REASON_FIRST, POLICY_DEFER},
	    {GREYLIST_PASSED, REASON_PASSED, POLICY_PREPEND},
	    {GREYLIST_KNOWN, REASON_KNOWN, POLICY_DUNNO},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct greylist_outcome outcome = {.verdict = rows[i].verdict,
		    .wait = 12,
		    .delayed = 345,
		    .attempts = 6,
		    .by_name = true};
		struct rules rules = {.mode = GREYLIST_ENFORCE};
		struct policy_decision d = decision_of(&rules, &outcome);

		g_assert_cmpint(d.reason, ==, rows[i].reason);
		g_assert_cmpint(d.action, ==, rows[i].action);
		g_assert_cmpint(d.wait, ==, 12);
		g_assert_cmpint(d.delayed, ==, 345);
		g_assert_cmpuint(d.attempts, ==, 6);
		g_assert_true(d.by_name);
		rules.greylist.observe = true;
		d = decision_of(&rules, &outcome);
		g_assert_cmpint(d.reason, ==, rows[i].reason);
		g_assert_cmpint(d.action, ==, POLICY_DUNNO);
	}
}

static void
test_replies(void)
{
	static char defer[] = "DEFER_IF_PERMIT", code450[] = "450", code451[] = "451",
		    plain[] = "DEFER", text[] = "4.2.0 Greylisted, try again in %s seconds",
		    enhanced[] = "4.7.1 come back", bare[] = "%s", empty[] = "",
		    foreign[] = "sp\xc3\xa4ter\n\naction=OK";
	static const struct {
		enum policy_action kind;
		char *action, *text;
		int64_t wait;
		const char *reply;
	} rows[] = {
	    {POLICY_DEFER, defer, text, 60,
		"action=DEFER_IF_PERMIT 4.2.0 Greylisted, try again in 60 seconds\n\n"},
	    {POLICY_DEFER, plain, text, 1,
		"action=DEFER 4.2.0 Greylisted, try again in 1 seconds\n\n"},
	    {POLICY_DEFER, code450, text, 60,
		"action=450 4.2.0 Greylisted, try again in 60 seconds\n\n"},
	    {POLICY_DEFER, code451, enhanced, 60, "action=451 4.7.1 come back\n\n"},
	    {POLICY_DEFER, code451, bare, 0, "action=451 0\n\n"},
	    {POLICY_DEFER, defer, empty, 60, "action=DEFER_IF_PERMIT\n\n"},
	    {POLICY_DEFER, defer, foreign, 60, "action=DEFER_IF_PERMIT sp??ter??action=OK\n\n"},
	    {POLICY_PREPEND, defer, text, 0,
		"action=PREPEND X-Greylist: delayed 345 seconds by greylagd at mx.example; "
		"Tue, 17 Nov 2026 12:00:00 +0000\n\n"},
	    {POLICY_DUNNO, defer, text, 60, "action=DUNNO\n\n"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct rules rules = {.action = rows[i].action, .text = rows[i].text};
		struct policy_decision d = {
		    .action = rows[i].kind, .wait = rows[i].wait, .delayed = 345};
		char reply[POLICY_REPLY_MAX];
		size_t length = decision_reply(&d, &rules, "mx.example", NOON, reply);

		g_assert_cmpstr(reply, ==, rows[i].reply);
		g_assert_cmpuint(length, ==, strlen(rows[i].reply));
	}
}

static void
test_dates(void)
{
	static const struct {
		int64_t time;
		const char *date;
	} rows[] = {
	    {0, "; Thu, 1 Jan 1970 00:00:00 +0000\n\n"},
	    {1709251199, "; Thu, 29 Feb 2024 23:59:59 +0000\n\n"},
	    {4102444800, "; Fri, 1 Jan 2100 00:00:00 +0000\n\n"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct policy_decision d = {.action = POLICY_PREPEND};
		struct rules rules = {0};
		char reply[POLICY_REPLY_MAX];

		decision_reply(&d, &rules, "mx.example", rows[i].time, reply);
		g_assert_true(g_str_has_suffix(reply, rows[i].date));
	}
}

static void
test_long_host(void)
{
	g_autofree char *host = g_strnfill(5000, 'h');
	struct policy_decision d = {.action = POLICY_PREPEND};
	struct rules rules = {0};
	char reply[POLICY_REPLY_MAX];
	size_t length = decision_reply(&d, &rules, host, NOON, reply);

	g_assert_cmpuint(length, <, POLICY_REPLY_MAX);
	g_assert_true(g_str_has_suffix(reply, "h\n\n"));
}

static const char *
logged(const struct policy_decision *decision, const struct rules *rules, const char *sender,
    char text[4096])
{
	g_autofree char *folder = g_dir_make_tmp("greylag-decision-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "log", NULL), *bytes = NULL;
	struct policy_request request;

	for (unsigned i = 0; i < POLICY_ATTRIBUTES; i++) {
		request.value[i] = "";
		request.length[i] = 0;
	}
	request.value[POLICY_CLIENT_ADDRESS] = "192.0.2.1";
	request.length[POLICY_CLIENT_ADDRESS] = 9;
	request.value[POLICY_SENDER] = sender;
	request.length[POLICY_SENDER] = (uint32_t)strlen(sender);
	g_assert_true(log_open("p", path, LOG_LEVEL_INFO, NULL));
	decision_log(decision, rules, &request);
	log_close();
	g_assert_true(g_file_get_contents(path, &bytes, NULL, NULL));
	g_strlcpy(text, strstr(bytes, " p: ") + 4, 4096);
	g_unlink(path);
	g_rmdir(folder);
	return text;
}

static void
test_log(void)
{
	static char defer[] = "DEFER_IF_PERMIT";
	struct rules rules = {.action = defer};
	struct policy_decision early = {
	    .reason = REASON_EARLY, .action = POLICY_DEFER, .wait = 12, .attempts = 2};
	struct policy_decision came = {.reason = REASON_PASSED,
	    .action = POLICY_PREPEND,
	    .delayed = 345,
	    .attempts = 3,
	    .by_name = true};
	struct policy_decision listed = {
	    .reason = REASON_WHITELISTED_CLIENT, .action = POLICY_DUNNO, .evidence = "/^a b$/"};
	char text[4096];

	g_assert_cmpstr(logged(&early, &rules, "a@b", text), ==,
	    "client=192.0.2.1 name=\"\" sender=a@b recipient=\"\" action=DEFER_IF_PERMIT "
	    "reason=early delay=12 attempts=2\n");
	g_assert_cmpstr(logged(&came, &rules, "", text), ==,
	    "client=192.0.2.1 name=\"\" sender=\"\" recipient=\"\" action=PREPEND reason=passed "
	    "delay=345 attempts=3 by=name\n");
	g_assert_cmpstr(logged(&listed, &rules, "x\" action=OK\ny", text), ==,
	    "client=192.0.2.1 name=\"\" sender=\"x\\\" action=OK\\x0ay\" recipient=\"\" "
	    "action=DUNNO reason=whitelisted-client delay=0 evidence=\"/^a b$/\"\n");
	rules.mode = GREYLIST_OBSERVE;
	early.action = POLICY_DUNNO;
	early.wait = 12;
	g_assert_true(g_str_has_suffix(logged(&early, &rules, "a@b", text),
	    " action=DUNNO reason=early delay=0 attempts=2 mode=observe\n"));
}

static void
test_reasons(void)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

	for (unsigned i = 0; i < REASONS; i++) {
		const struct reason_row *row = reason_row(i);

		g_assert_nonnull(row->name);
		g_assert_nonnull(row->help);
		g_assert_true(g_hash_table_add(seen, (gpointer)row->name));
		g_assert_cmpuint(
		    strspn(row->name, "abcdefghijklmnopqrstuvwxyz-"), ==, strlen(row->name));
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/decision/each-outcome-has-its-reason-and-action", test_outcomes);
	g_test_add_func("/decision/reply-is-what-postfix-takes", test_replies);
	g_test_add_func("/decision/header-has-an-rfc-5322-date-in-utc", test_dates);
	g_test_add_func("/decision/reply-ends-however-long-the-host-is", test_long_host);
	g_test_add_func("/decision/log-line-tells-the-decision", test_log);
	g_test_add_func("/decision/each-reason-has-a-name-of-its-own", test_reasons);
	return g_test_run();
}
