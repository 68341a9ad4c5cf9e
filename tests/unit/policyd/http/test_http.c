/*
 * What the statistics promise: counts in bounded memory, quantiles, hours that add up, and that
 * nothing from mail gets out of its place in HTML, JSON and OpenMetrics.
 */
#include "config.h"

#include <math.h>
#include <string.h>
#include <glib.h>
#include <jansson.h>

#include "db/open/open.h"
#include "policyd/daemon/census.h"
#include "policyd/decide/greylist.h"
#include "policyd/http/host.h"
#include "policyd/http/metrics.h"
#include "policyd/http/page.h"
#include "policyd/http/words.h"
#include "policyd/view/http_stats.h"
#include "policyd/view/view.h"

#define NOW    INT64_C(1800000000)
#define HOUR   (NOW / 3600)
#define WICKED "\"><script>alert('x')</script>&\xff\n\\"

/* -- sketch -- */

static uint64_t
count_of(const GArray *items, const char *key)
{
	for (guint i = 0; i < items->len; i++)
		if (strcmp(g_array_index(items, struct sketch_item, i).key, key) == 0)
			return g_array_index(items, struct sketch_item, i).count;
	return 0;
}

static void
sketch_keeps_the_frequent(void)
{
	struct sketch *sketch = sketch_new();
	g_autoptr(GArray) top = NULL;

	for (int i = 0; i < 50000; i++) {
		g_autofree char *rare = g_strdup_printf("rare-%d", i);

		sketch_add(sketch, rare);
		if (i % 10 == 0)
			sketch_add(sketch, "often");
		if (i % 20 == 0)
			sketch_add(sketch, "less");
	}
	top = sketch_top(sketch, NULL, 1000);
	g_assert_cmpuint(top->len, ==, SKETCH_SIZE);
	g_assert_cmpstr(g_array_index(top, struct sketch_item, 0).key, ==, "often");
	g_assert_cmpstr(g_array_index(top, struct sketch_item, 1).key, ==, "less");
	for (guint i = 0; i < 2; i++) {
		const struct sketch_item *item = &g_array_index(top, struct sketch_item, i);
		uint64_t truth = i ? 2500 : 5000;

		g_assert_cmpuint(item->count, >=, truth);
		g_assert_cmpuint(item->count - item->error, <=, truth);
	}
	sketch_free(sketch);
}

static void
sketches_add_up(void)
{
	struct sketch *a = sketch_new(), *b = sketch_new();
	g_autoptr(GArray) top = NULL;

	sketch_add(a, "x");
	sketch_add(a, "x");
	sketch_add(a, "a");
	sketch_add(b, "x");
	sketch_add(b, "b");
	top = sketch_top(a, b, 10);
	g_assert_cmpuint(top->len, ==, 3);
	g_assert_cmpuint(count_of(top, "x"), ==, 3);
	g_assert_cmpuint(count_of(top, "a"), ==, 1);
	g_assert_cmpuint(count_of(top, "b"), ==, 1);
	sketch_free(a);
	sketch_free(b);
}

/* -- tally and series -- */

static void
hours_of_several_daemons_add_up(void)
{
	struct store_options options = {.uri = "mem:", .create = true};
	struct store *store = store_open(&options, NULL);
	struct tally *one = tally_new(), *two = tally_new();
	struct series *series = series_new(STORE_HOURS, TALLY_CELLS);

	for (int i = 0; i < 3; i++)
		tally_count(one, REASON_FIRST);
	tally_count(two, REASON_FIRST);
	tally_add_at(two, HOUR - 5, TALLY_RETURNED, 2);
	tally_add_at(two, HOUR - 5, TALLY_RETURNED, 1);
	tally_flush(one, store, NOW);
	tally_flush(two, store, NOW);
	store_wait(store);
	tally_flush(one, store, NOW); /* nothing is left */
	store_wait(store);
	series_refresh(series, store, NOW, 2, 100);
	g_assert_cmpint(series_result(series), ==, STORE_OK);
	g_assert_cmpuint(series_sum(series, HOUR, 1, REASON_FIRST), ==, 4);
	g_assert_cmpuint(series_sum(series, HOUR - 5, 1, TALLY_RETURNED), ==, 3);
	g_assert_cmpuint(series_sum(series, HOUR - 47, 48, TALLY_RETURNED), ==, 3);
	g_assert_cmpuint(tally_total(two, TALLY_RETURNED), ==, 3);
	store_close(&store);
	series_free(series);
	tally_free(one);
	tally_free(two);
}

static void
series_forgets_old_hours(void)
{
	struct store_options options = {.uri = "mem:", .create = true};
	struct store *store = store_open(&options, NULL);
	struct tally *tally = tally_new();
	struct series *series = series_new(STORE_HOURS, TALLY_CELLS);
	int64_t later = NOW + SERIES_HOURS * 3600;

	tally_count(tally, REASON_FIRST);
	tally_flush(tally, store, NOW);
	store_wait(store);
	series_refresh(series, store, NOW, 2, 100);
	g_assert_cmpuint(series_sum(series, HOUR, 1, REASON_FIRST), ==, 1);
	series_refresh(series, store, later, 2, 100);
	g_assert_cmpuint(series_sum(series, HOUR, 1, REASON_FIRST), ==, 0);
	g_assert_cmpuint(series_sum(series, later / 3600, 1, REASON_FIRST), ==, 0);
	series_refresh(series, NULL, later, 2, 100);
	g_assert_cmpint(series_result(series), ==, STORE_UNAVAILABLE);
	store_close(&store);
	series_free(series);
	tally_free(tally);
}

/* A counter may not fall, nor rise by what was there before. */
static void
growth_counts_from_the_first_reading(void)
{
	struct store_options options = {.uri = "mem:", .create = true};
	struct store *store = store_open(&options, NULL);
	struct series *series = series_new(STORE_VERDICTS, VERDICTS_CELLS);
	struct verdicts spam = {{0}};

	verdicts_judged(&spam, VERDICT_SPAM, 1);
	g_assert_true(verdicts_add(store, &spam, NOW, 100));
	series_refresh(series, store, NOW, 2, 100);
	g_assert_cmpuint(series_grown(series, VERDICTS_SPAM), ==, 0);
	g_assert_true(verdicts_add(store, &spam, NOW, 100));
	g_assert_true(verdicts_add(store, &spam, NOW + 3600, 100));
	series_refresh(series, store, NOW + 3600, 2, 100);
	g_assert_cmpuint(series_grown(series, VERDICTS_SPAM), ==, 2);
	g_assert_cmpuint(series_grown(series, VERDICTS_SCORES + 19), ==, 2);
	/* Hours whose place another takes are not lost from it. */
	series_refresh(series, store, NOW + SERIES_HOURS * 3600 * 2, 2, 100);
	g_assert_cmpuint(series_sum(series, HOUR, 1, VERDICTS_SPAM), ==, 0);
	g_assert_cmpuint(series_grown(series, VERDICTS_SPAM), ==, 2);
	store_close(&store);
	series_free(series);
}

/* -- views -- */

static void
set_cell(uint8_t *bytes, unsigned cell, uint32_t n)
{
	n = GUINT32_TO_BE(n);
	memcpy(bytes + cell * 4, &n, 4);
}

struct fixture {
	struct settings *settings;
	struct series *series, *verdicts;
	struct stats *stats;
	struct report_result *report;
	struct view view;
};

/* Domains of recipients and of clients are as wicked as the rest. */
static struct report_result *
wicked_report(void)
{
	struct report_period period = report_period(30 * 86400, NOW, 86400);
	struct report *report = report_new(&period);
	struct report_result *result;
	uint8_t key[DOMAINS_KEY_MAX], bytes[DELIVERY_RECORD_MAX], firsts[] = {0, 0, 1, 0};

	report_add_day(report,
	    &(struct store_bytes){key, domains_key(NOW / 86400 - 3, WICKED, key)},
	    &(struct store_bytes){firsts, sizeof firsts});
	for (uint8_t i = 0; i < 6; i++) {
		struct delivery_record d = {.time = NOW - 1000,
		    .client = {.family = ADDRESS_IPV4, .bytes = {192, 0, 2, i}},
		    .name = {WICKED, strlen(WICKED)},
		    .corrected = true,
		    .greylist = {.delayed = 900 + i, .n_offsets = 1, .offsets = {900 + i}}};

		delivery_add_recipient(&d, d.name, 1);
		report_add_delivery(
		    report, &(struct store_bytes){bytes, delivery_encode(&d, bytes)});
	}
	result = report_result(report);
	report_free(report);
	return result;
}

static void
fixture_set_up(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	uint8_t bytes[TALLY_CELLS * 4] = {0};
	uint8_t scores[VERDICTS_CELLS * 4] = {0};
	struct store_bytes value = {bytes, sizeof bytes}, score_value = {scores, sizeof scores};
	struct sketch *sketch = sketch_new();

	f->settings = settings_new();
	f->report = wicked_report();
	f->series = series_new(STORE_HOURS, TALLY_CELLS);
	f->verdicts = series_new(STORE_VERDICTS, VERDICTS_CELLS);
	f->stats = stats_new(NOW);
	set_cell(bytes, REASON_FIRST, 100);
	set_cell(bytes, REASON_EARLY, 7);
	set_cell(bytes, REASON_PASSED, 20);
	set_cell(bytes, REASON_KNOWN, 50);
	set_cell(bytes, REASON_STORE_FULL, 3);
	set_cell(bytes, TALLY_OBSERVED, 10);
	set_cell(bytes, TALLY_RETURNED, 30);
	set_cell(bytes, TALLY_DELAYS + 3, 20);
	series_set(f->series, HOUR - 30, &value);
	series_set(f->series, HOUR, &value);
	set_cell(scores, VERDICTS_SPAM, 4);
	set_cell(scores, VERDICTS_HAM, 5);
	set_cell(scores, VERDICTS_UNSURE, 1);
	set_cell(scores, VERDICTS_LEARNED_SPAM, 6);
	set_cell(scores, VERDICTS_MOVED, 2);
	set_cell(scores, VERDICTS_SCORES + 19, 4);
	series_set(f->verdicts, HOUR - 30, &score_value);
	series_set(f->verdicts, HOUR, &score_value);
	sketch_add(sketch, WICKED);
	f->view = (struct view){
	    .now = NOW,
	    .started = NOW - 100,
	    .host = WICKED,
	    .release = WICKED,
	    .settings = f->settings,
	    .series = f->series,
	    .verdicts = f->verdicts,
	    .tally = stats_tally(f->stats),
	    .problem = WICKED,
	    .have_store = true,
	    .store = {.driver = WICKED},
	    .error = {.at = NOW},
	    .report = f->report,
	};
	g_strlcpy(f->view.error.what, WICKED, sizeof f->view.error.what);
	for (int i = 0; i < STATS_TOPS; i++)
		f->view.top[i] = sketch_top(sketch, NULL, 10);
	view_sum(&f->view);
	sketch_free(sketch);
}

static void
fixture_tear_down(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	view_clear(&f->view);
	report_result_free(f->report);
	settings_free(f->settings);
	series_free(f->series);
	series_free(f->verdicts);
	stats_free(f->stats);
}

static void
sums_tell_effects_apart(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	const struct summary *day = &f->view.day;

	g_assert_cmpuint(day->deferred, ==, 97); /* 100 first and 7 early, 10 only observed */
	g_assert_cmpuint(day->observed, ==, 10);
	g_assert_cmpuint(day->passed, ==, 20);
	g_assert_cmpuint(day->spared, ==, 60);
	g_assert_cmpuint(day->failed, ==, 3);
	g_assert_cmpuint(f->view.two_days.deferred, ==, 194);
	g_assert_cmpuint(f->view.month.passed, ==, 40);
}

/* Only hours whose retry window is over tell who never came back. */
static void
only_ripe_hours_tell_who_is_gone(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_assert_cmpuint(f->view.ripe.firsts, ==, 90);
	g_assert_cmpuint(f->view.ripe.returned, ==, 30);
	g_assert_cmpfloat_with_epsilon(summary_gone(&f->view.ripe), 2.0 / 3, 1e-9);
}

static void
nothing_gets_out_of_html(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autoptr(GString) out = g_string_new(NULL);

	http_page_render(&f->view, out);
	g_assert_null(strstr(out->str, "<script>alert"));
	g_assert_nonnull(strstr(out->str, "&quot;&gt;&lt;script&gt;alert(&apos;x&apos;)"));
	/* The last error is words, which must not widen the page. */
	g_assert_nonnull(strstr(out->str, "<dl class=\"facts\""));
	g_assert_nonnull(strstr(out->str, "<dt>Last error</dt><dd>"));
	g_assert_true(g_utf8_validate(out->str, (gssize)out->len, NULL));
	g_assert_null(strstr(out->str, " style="));
}

static void
json_is_valid_whatever_is_in_it(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autoptr(GString) out = g_string_new(NULL);
	g_autofree char *valid = g_utf8_make_valid(WICKED, -1);
	const json_t *domains;
	json_t *root;

	http_stats_render(&f->view, out);
	root = json_loads(out->str, 0, NULL);
	g_assert_nonnull(root);
	g_assert_cmpint(
	    json_integer_value(json_object_get(root, "version")), ==, HTTP_STATS_VERSION);
	domains = json_object_get(json_object_get(root, "most_deferred"), "sender_domains");
	g_assert_cmpstr(
	    json_string_value(json_object_get(json_array_get(domains, 0), "name")), ==, valid);
	g_assert_cmpint(
	    json_integer_value(json_object_get(json_object_get(root, "last_24_hours"), "deferred")),
	    ==, 97);
	domains = json_object_get(json_object_get(root, "report"), "domains");
	g_assert_cmpstr(
	    json_string_value(json_object_get(json_array_get(domains, 0), "domain")), ==, valid);
	domains = json_object_get(json_object_get(root, "report"), "worth_whitelisting");
	g_assert_cmpstr(
	    json_string_value(json_object_get(json_array_get(domains, 0), "domain")), ==, valid);
	json_decref(root);
}

static void
report_is_told_everywhere(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autoptr(GString) out = g_string_new(NULL);

	http_page_render(&f->view, out);
	g_assert_nonnull(strstr(out->str, "data-stat=\"report.all.first_attempts.count\">256<"));
	g_assert_nonnull(strstr(out->str, "Does it pay? Yes. Of 256 first"));
	metrics_render(&f->view, METRICS_OPENMETRICS, g_string_truncate(out, 0));
	g_assert_nonnull(
	    strstr(out->str, "\ngreylag_report_first_attempts{outcome=\"never-returned\"} 256\n"));
	g_assert_nonnull(
	    strstr(out->str, "\ngreylag_report_delayed_messages{verdict=\"ham\"} 6\n"));
	g_assert_nonnull(
	    strstr(out->str, "\ngreylag_report_ham_delay_seconds{within=\"1\"} 905\n"));
	/* Before the first walk there is nothing to tell, and nothing is told. */
	f->view.report = NULL;
	metrics_render(&f->view, METRICS_OPENMETRICS, g_string_truncate(out, 0));
	g_assert_null(strstr(out->str, "\ngreylag_report_pays{"));
	http_page_render(&f->view, g_string_truncate(out, 0));
	g_assert_nonnull(strstr(out->str, "Not counted yet"));
}

/* What was replayed stands in the report alone, and the page must not call that no data. */
static void
nobody_asked_is_not_no_data(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autoptr(GString) out = g_string_new(NULL);

	http_page_render(&f->view, out);
	g_assert_null(strstr(out->str, "Nobody has asked"));
	f->view.problem = NULL;
	f->view.month = (struct summary){0};
	http_page_render(&f->view, g_string_truncate(out, 0));
	g_assert_null(strstr(out->str, "no data yet"));
	g_assert_nonnull(strstr(out->str, "Nobody has asked this server about mail in 30 days"));
	g_assert_nonnull(strstr(out->str, "greylagctl replay --learn"));
	f->view.report = NULL;
	http_page_render(&f->view, g_string_truncate(out, 0));
	g_assert_nonnull(strstr(out->str, "There is no data yet"));
}

static json_int_t
number_at(const json_t *root, const char *section, const char *period, const char *name)
{
	const json_t *of = json_object_get(json_object_get(root, section), period);

	return json_integer_value(json_object_get(of, name));
}

/* Whoever shows them, the daemon or a program that reads the store. */
static void
json_has_the_verdicts(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	for (int stored = 0; stored < 2; stored++) {
		g_autoptr(GString) out = g_string_new(NULL);
		const json_t *scores;
		json_t *root;

		if (stored)
			http_stats_render_stored(&f->view, "test", out);
		else
			http_stats_render(&f->view, out);
		root = json_loads(out->str, 0, NULL);
		g_assert_cmpint(number_at(root, "verdicts", "last_24_hours", "spam"), ==, 4);
		g_assert_cmpint(number_at(root, "verdicts", "last_48_hours", "ham"), ==, 10);
		g_assert_cmpint(number_at(root, "verdicts", "last_30_days", "unsure"), ==, 2);
		g_assert_cmpint(
		    number_at(root, "verdicts", "last_24_hours", "trained_spam"), ==, 6);
		g_assert_cmpint(number_at(root, "verdicts", "last_24_hours", "moved"), ==, 2);
		scores = json_object_get(
		    json_object_get(json_object_get(root, "verdicts"), "last_24_hours"), "scores");
		g_assert_cmpuint(json_array_size(scores), ==, VERDICTS_BINS);
		g_assert_cmpint(json_integer_value(json_object_get(
				    json_array_get(scores, VERDICTS_BINS - 1), "count")),
		    ==, 4);
		json_decref(root);
	}
}

/* The cut-offs are where the settings say: 20 columns of 10 units. */
static void
cutoffs_are_marked(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	const char *chart, *end;

	g_assert_true(settings_assign(f->settings, "classifier.spam_cutoff=0.9", &error));
	g_assert_true(settings_assign(f->settings, "classifier.ham_cutoff=0.25", &error));
	http_page_render(&f->view, out);
	chart = strstr(out->str, "id=\"scores");
	g_assert_nonnull(chart);
	end = strstr(chart, "</svg>");
	g_assert_nonnull(end);
	g_string_truncate(out, (gsize)(end - out->str));
	g_assert_nonnull(strstr(chart, "<line class=\"mark\" x1=\"180.00\""));
	g_assert_nonnull(strstr(chart, "<line class=\"mark two\" x1=\"50.00\""));
}

static void
labels_are_escaped(struct fixture *f, gconstpointer data G_GNUC_UNUSED)
{
	g_autoptr(GString) out = g_string_new(NULL);

	metrics_render(&f->view, METRICS_OPENMETRICS, out);
	g_assert_nonnull(strstr(out->str, "{version=\"\\\"><script>alert('x')</script>&\xef\xbf\xbd"
					  "\\n\\\\\",driver="));
	g_assert_true(g_str_has_suffix(out->str, "\n# EOF\n"));
	g_string_truncate(out, 0);
	metrics_render(&f->view, METRICS_PROMETHEUS, out);
	g_assert_null(strstr(out->str, "# EOF"));
	g_assert_nonnull(strstr(out->str, "# TYPE greylag_decisions_total counter\n"));
	g_assert_null(strstr(out->str, " info\n"));
}

static void
metrics_formats_are_negotiated(void)
{
	static const struct {
		const char *accept;
		enum metrics_format format;
	} cases[] = {
	    {NULL, METRICS_PROMETHEUS},
	    {"", METRICS_PROMETHEUS},
	    {"*/*", METRICS_PROMETHEUS},
	    {"text/plain", METRICS_PROMETHEUS},
	    {"application/openmetrics-text", METRICS_OPENMETRICS},
	    {"Application/OpenMetrics-Text; version=1.0.0", METRICS_OPENMETRICS},
	    {"application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3",
		METRICS_OPENMETRICS},
	    {"application/openmetrics-text; q=0.2, text/plain; q=0.8", METRICS_PROMETHEUS},
	    {"application/openmetrics-text;q=0", METRICS_PROMETHEUS},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		g_assert_cmpint(metrics_negotiate(cases[i].accept), ==, cases[i].format);
}

static void
hosts(void)
{
	static const char *const names[] = {"stats.example.org", NULL};
	static const struct {
		const char *host;
		bool accepted;
	} cases[] = {
	    {"localhost", true},
	    {"LocalHost:1", true},
	    {"127.0.0.1", true},
	    {"127.1.2.3:6647", true},
	    {"[::1]:6647", true},
	    {"Stats.example.org:99", true},
	    {"", false},
	    {":6647", false},
	    {"[]", false},
	    {"[::1", false},
	    {"::1", false},
	    {"localhost:6647x", false},
	    {"localhost.attacker.example", false},
	    {"attacker.example", false},
	    {"127.0.0.1.attacker.example", false},
	    {"192.0.2.1", false},
	    {"0.0.0.0", false},
	    {"stats.example.org.", false},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		if (http_host_accepted(cases[i].host, names) != cases[i].accepted)
			g_error("Host \"%s\"", cases[i].host);
}

static void
durations_read_well(void)
{
	static const struct {
		double seconds;
		const char *text;
	} cases[] = {{0, "0 s"}, {0.00005, "50 \xc2\xb5s"}, {0.001, "1.0 ms"}, {59.6, "1 min"},
	    {61, "1 min 1 s"}, {3600, "1 h"}, {11100, "3 h 5 min"}, {187200, "2 d 4 h"}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = words_duration(cases[i].seconds);
		g_auto(GStrv) parts = g_strsplit(text, "\xc2\xa0", -1);
		g_autofree char *plain = g_strjoinv(" ", parts);

		g_assert_cmpstr(plain, ==, cases[i].text);
	}
}

/* Puts a record of N attempts, the last of which passes if there are two. */
static void
put_record(const struct store_bytes *old G_GNUC_UNUSED, struct store_change *change, void *job)
{
	const int *attempts = job;
	const struct greylist_rules rules = {.delay = 60,
	    .retry_window = 86400,
	    .lifetime = 86400 * 30,
	    .ipv4_prefix = 24,
	    .ipv6_prefix = 64};
	struct greylist_attempt attempt = {.now = NOW};
	struct greylist_outcome outcome;
	struct triplet before, after;
	uint8_t bytes[TRIPLET_RECORD_MAX];

	g_assert_true(prefix_parse("192.0.2.0/24", &attempt.network));
	greylist_decide(&rules, NULL, &attempt, &after, &outcome);
	after.sender = after.recipient = (struct store_bytes){"a@b", 3};
	if (*attempts > 1) {
		before = after;
		attempt.now += 100;
		greylist_decide(&rules, &before, &attempt, &after, &outcome);
	}
	store_change_put(change, bytes, triplet_encode(&after, bytes), NOW + 86400);
}

static void
census_counts_states(void)
{
	struct store_options options = {.uri = "mem:", .create = true};
	struct store *store = store_open(&options, NULL);
	struct census *census = census_new();
	struct census_result result;

	for (int i = 1; i <= 3; i++) {
		struct store_call call = {0};
		uint8_t key[KEYEDHASH_SIZE] = {(uint8_t)i};

		store_update(store, STORE_TRIPLETS, (struct store_bytes){key, sizeof key},
		    put_record, g_memdup2(&i, sizeof i), g_free, &call);
	}
	store_wait(store);
	g_assert_cmpint(census_result(census).at, ==, 0);
	for (int i = 0; i < 3; i++) {
		census_step(census, store, NOW);
		store_wait(store);
	}
	result = census_result(census);
	g_assert_cmpint(result.at, ==, NOW);
	g_assert_cmpuint(result.states[TRIPLET_GREYLISTED], ==, 1);
	g_assert_cmpuint(result.states[TRIPLET_PASSED], ==, 2);
	store_close(&store);
	census_free(census);
}

/* The manual has each row of the table, and its words. */
static void
manual_has_every_metric(void)
{
	g_autofree char *path =
	    g_build_filename(g_getenv("top_srcdir") ? g_getenv("top_srcdir") : ".",
		"policyd/greylag-metrics.5", NULL);
	g_autofree char *manual = NULL;
	size_t n = 0;

	g_assert_true(g_file_get_contents(path, &manual, NULL, NULL));
	for (size_t i = 0; i < n_http_metrics; i++) {
		g_autofree char *item = g_strdup_printf(".It Va %s\n", http_metrics[i].name);

		if (!strstr(manual, item))
			g_error("%s is not in %s", http_metrics[i].name, path);
	}
	for (const char *at = manual; (at = strstr(at, ".It Va greylag_")); at++)
		n++;
	g_assert_cmpuint(n, ==, n_http_metrics);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *path;
		void (*test)(struct fixture *, gconstpointer);
	} with_view[] = {
	    {"/stats/sums-tell-effects-apart", sums_tell_effects_apart},
	    {"/stats/only-ripe-hours-tell-who-is-gone", only_ripe_hours_tell_who_is_gone},
	    {"/http/nothing-from-mail-gets-out-of-html", nothing_gets_out_of_html},
	    {"/http/json-is-valid-whatever-is-in-it", json_is_valid_whatever_is_in_it},
	    {"/http/json-has-the-verdicts", json_has_the_verdicts},
	    {"/http/report-is-told-everywhere", report_is_told_everywhere},
	    {"/http/nobody-asked-is-not-no-data", nobody_asked_is_not_no_data},
	    {"/http/cut-offs-are-marked", cutoffs_are_marked},
	    {"/http/openmetrics-labels-are-escaped", labels_are_escaped},
	};

	g_test_init(&argc, &argv, NULL);
	g_test_add_func(
	    "/stats/sketch-keeps-the-frequent-in-bounded-memory", sketch_keeps_the_frequent);
	g_test_add_func("/stats/sketches-add-up", sketches_add_up);
	g_test_add_func("/stats/hours-of-several-daemons-add-up", hours_of_several_daemons_add_up);
	g_test_add_func("/stats/old-hours-are-forgotten", series_forgets_old_hours);
	g_test_add_func(
	    "/stats/growth-counts-from-the-first-reading", growth_counts_from_the_first_reading);
	g_test_add_func("/stats/census-counts-states", census_counts_states);
	g_test_add_func("/http/formats-are-negotiated", metrics_formats_are_negotiated);
	g_test_add_func("/http/foreign-hosts-are-refused", hosts);
	g_test_add_func("/http/durations-read-well", durations_read_well);
	g_test_add_func("/http/the-manual-has-every-metric", manual_has_every_metric);
	for (size_t i = 0; i < G_N_ELEMENTS(with_view); i++)
		g_test_add(with_view[i].path, struct fixture, NULL, fixture_set_up,
		    with_view[i].test, fixture_tear_down);
	return g_test_run();
}
