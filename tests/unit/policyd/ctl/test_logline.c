/* A line of the log, read back: what lib/log.h has written, behind any syslog's prefix. */
#include "config.h"

#include <string.h>
#include <glib.h>

#include "lib/log.h"
#include "policyd/ctl/logline.h"

/* What log_fields_bytes() writes is what comes back, with other fields round it. */
static void
test_round_trip(void)
{
	static const char *const values[] = {"carol@bank.example", "", "a b@x.example",
	    "\"a \\ b\"@x.example", "x\" recipient=eve@example.net y=\"@x.example",
	    "\xff\x01\x7f@x.example", "back\\x41slash@x.example", "ends=in=\\", "..."};

	for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
		struct log_fields fields;
		struct logline logline;
		g_autofree char *line = NULL;

		log_fields_init(&fields);
		log_fields_text(&fields, "client", "2001:db8::1");
		log_fields_text(&fields, "sender", values[i]);
		log_fields_text(&fields, "recipient", "bob@dest.example");
		log_fields_text(&fields, "evidence", values[i]);
		log_fields_text(&fields, "reason", "first");
		line = g_strdup_printf(
		    "Nov 24 12:00:00 mx1 greylagd[4711]: %.*s\n", (int)fields.used, fields.text);
		g_test_message("%s", line);
		g_assert_true(logline_parse(line, &logline, NULL));
		g_assert_cmpstr(logline.value[LOGLINE_CLIENT], ==, "2001:db8::1");
		g_assert_cmpstr(logline.value[LOGLINE_SENDER], ==, values[i]);
		g_assert_cmpstr(logline.value[LOGLINE_RECIPIENT], ==, "bob@dest.example");
		g_assert_cmpstr(logline.value[LOGLINE_REASON], ==, "first");
		g_assert_null(logline.value[LOGLINE_NAME]);
		logline_clear(&logline);
	}
}

static void
test_prefixes(void)
{
	static const char *const prefixes[] = {"", "greylagd: ",
	    "2026-11-24T12:00:00+0100 greylagd: ", "<22>Nov 24 12:00:00 mx1 greylagd[1]: ",
	    "2026-11-24T12:00:00.123456+01:00 mx1 greylagd[4711]: ",
	    "Nov 24 12:00:00 o\"mx a=b greylagd[4711]: ", "\t"};

	for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++) {
		g_autofree char *line = g_strconcat(
		    prefixes[i], "client=192.0.2.7 sender=\"\" recipient=bob@dest.example", NULL);
		struct logline logline;

		g_test_message("%s", line);
		g_assert_true(logline_parse(line, &logline, NULL));
		g_assert_cmpstr(logline.value[LOGLINE_CLIENT], ==, "192.0.2.7");
		g_assert_cmpstr(logline.value[LOGLINE_SENDER], ==, "");
		logline_clear(&logline);
	}
}

static void
test_refused(void)
{
	static const struct {
		const char *line, *message;
	} rows[] = {
	    {"", "there is no client=, sender= or recipient= in it"},
	    {"postfix/smtpd[1]: connect from mx1", "there is no client="},
	    {"action=DUNNO reason=known", "there is no client="},
	    {"client=192.0.2.7 sender=\"a b", "the line ends within quotes"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		struct logline logline;

		g_assert_false(logline_parse(rows[i].line, &logline, &error));
		g_assert_true(g_str_has_prefix(error->message, rows[i].message));
	}
}

/* A value that the log has cut is another one. */
static void
test_cut(void)
{
	g_autofree char *longest = g_strnfill(296, ' '), *longer = g_strnfill(400, ' ');
	const char *values[] = {longest, longer};

	for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *line = NULL;
		struct log_fields fields;
		struct logline logline;
		bool good;

		log_fields_init(&fields);
		log_fields_text(&fields, "sender", values[i]);
		line = g_strndup(fields.text, fields.used);
		good = logline_parse(line, &logline, &error);
		g_assert_cmpint(good, ==, i == 0);
		if (good) {
			g_assert_cmpstr(logline.value[LOGLINE_SENDER], ==, values[i]);
			logline_clear(&logline);
		} else {
			g_assert_true(
			    g_str_has_prefix(error->message, "sender= is cut in the log"));
		}
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/logline/what-was-written-comes-back", test_round_trip);
	g_test_add_func("/logline/prefixes-are-skipped", test_prefixes);
	g_test_add_func("/logline/refused", test_refused);
	g_test_add_func("/logline/cut-values-are-refused", test_cut);
	return g_test_run();
}
