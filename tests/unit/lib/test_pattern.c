#include "config.h"

#include <string.h>
#include <glib.h>

#include "lib/pattern.h"

static const struct {
	const char *expression, *subject;
	enum pattern_result result;
} matches[] = {
    {"^mail\\d+\\.example\\.org$", "mail12.example.org", PATTERN_MATCH},
    {"^mail\\d+\\.example\\.org$", "mail12.example.org.", PATTERN_NO_MATCH},
    {"^mail\\d+\\.example\\.org$", "mail.example.org", PATTERN_NO_MATCH},
    {"EXAMPLE", "mail.example.org", PATTERN_MATCH},
    {"example", "MAIL.EXAMPLE.ORG", PATTERN_MATCH},
    {"b", "abc", PATTERN_MATCH},
    {"", "", PATTERN_MATCH},
    {".", "", PATTERN_NO_MATCH},
    {"(?=a)ab", "cab", PATTERN_MATCH},
    {"\xe4", "M\xe4rz", PATTERN_MATCH},
    {"^.$", "\xff", PATTERN_MATCH},
    {"a/b", "a/b", PATTERN_MATCH},
};

static void
test_match(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(matches); i++) {
		g_autoptr(GError) error = NULL;
		struct pattern *pattern = pattern_new(matches[i].expression, &error);

		g_test_message("row %zu", i);
		g_assert_no_error(error);
		g_assert_cmpstr(pattern_text(pattern), ==, matches[i].expression);
		g_assert_cmpint(
		    pattern_match(pattern, matches[i].subject, strlen(matches[i].subject)), ==,
		    matches[i].result);
		pattern_free(pattern);
	}
	pattern_free(NULL);
}

static void
test_nul_in_subject(void)
{
	struct pattern *pattern = pattern_new("^a.b$", NULL);

	g_assert_cmpint(pattern_match(pattern, "a\0b", 3), ==, PATTERN_MATCH);
	g_assert_cmpint(pattern_match(pattern, "a\0b", 2), ==, PATTERN_NO_MATCH);
	pattern_free(pattern);
}

static void
test_errors(void)
{
	static const struct {
		const char *expression, *where;
	} rows[] = {
	    {"a(b", "character 4"},
	    {"*", "character 1"},
	    {"[z-a]", "character 4"},
	    {"\\C", "character"},     /* would look at halves of characters */
	    {"(*UTF)x", "character"}, /* subjects are any bytes */
	    {"(?<n>a)(?<n>b)", "character"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;

		g_test_message("/%s/", rows[i].expression);
		g_assert_null(pattern_new(rows[i].expression, &error));
		g_assert_nonnull(strstr(error->message, rows[i].expression));
		g_assert_nonnull(strstr(error->message, rows[i].where));
	}
}

/* Each takes a time exponential or of a high power in the subject's length, if it is let. */
static void
test_limit(void)
{
	static const char *const expressions[] = {
	    "^(a+)+$", "^(a|aa)+$", "^(a|a)*$", "(.*a){20}[^a!]", "^(\\w+\\s?)*$"};
	char subject[1001];

	memset(subject, 'a', sizeof subject);
	subject[sizeof subject - 1] = '!';
	for (size_t i = 0; i < G_N_ELEMENTS(expressions); i++) {
		struct pattern *pattern = pattern_new(expressions[i], NULL);
		gint64 start = g_get_monotonic_time(), took;

		g_test_message("/%s/", expressions[i]);
		g_assert_cmpint(pattern_match(pattern, subject, sizeof subject), ==, PATTERN_LIMIT);
		took = g_get_monotonic_time() - start;
		g_test_message("%" G_GINT64_FORMAT " us", took);
		/* Without the limit, longer than the universe is old. */
		g_assert_cmpint(took, <, 5 * G_USEC_PER_SEC);
		g_assert_cmpint(pattern_match(pattern, "b", 1), !=, PATTERN_LIMIT);
		pattern_free(pattern);
	}
}

/* Groups that remember each turn need more memory than the machine code has at first. */
static void
test_long_subject(void)
{
	static const char *const expressions[] = {"^((a)|b)+!$", "^(?:(a|b)(a|b)?)*!$", "^(.)*!$"};
	char subject[1001];

	memset(subject, 'a', sizeof subject);
	subject[sizeof subject - 1] = '!';
	for (size_t i = 0; i < G_N_ELEMENTS(expressions); i++) {
		struct pattern *pattern = pattern_new(expressions[i], NULL);

		g_assert_cmpint(pattern_match(pattern, subject, sizeof subject), ==, PATTERN_MATCH);
		pattern_free(pattern);
	}
}

static gpointer
match_often(gpointer data)
{
	const struct pattern *pattern = data;

	for (int i = 0; i < 2000; i++) {
		char subject[32];
		int length = g_snprintf(subject, sizeof subject, "mail%d.example.org", i);
		enum pattern_result expected = i % 2 ? PATTERN_NO_MATCH : PATTERN_MATCH;

		if (pattern_match(pattern, subject, (size_t)length) != expected)
			return GINT_TO_POINTER(1);
	}
	return NULL;
}

static void
test_threads(void)
{
	struct pattern *pattern = pattern_new("^mail\\d*[02468]\\.", NULL);
	GThread *threads[4];

	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("match", match_often, pattern);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		g_assert_null(g_thread_join(threads[i]));
	pattern_free(pattern);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/pattern/searches-caselessly-in-any-bytes", test_match);
	g_test_add_func("/pattern/nul-is-a-byte-of-the-subject", test_nul_in_subject);
	g_test_add_func("/pattern/error-tells-expression-and-place", test_errors);
	g_test_add_func("/pattern/catastrophic-expression-gives-up-quickly", test_limit);
	g_test_add_func("/pattern/honest-groups-match-a-long-subject", test_long_subject);
	g_test_add_func("/pattern/threads-share-a-pattern", test_threads);
	return g_test_run();
}
