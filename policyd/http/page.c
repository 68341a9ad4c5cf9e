#include "config.h"

#include "policyd/http/page.h"

#include <math.h>
#include <string.h>

#include "lib/chart.h"
#include "policyd/http/assets.h"
#include "policyd/http/charts.h"
#include "policyd/http/report.h"
#include "policyd/view/http_stats.h"
#include "policyd/http/words.h"

/* -- head and figures at a glance -- */

static const char *
mode_text(const struct view *view)
{
	static const char *const texts[] = {
	    [GREYLIST_ENFORCE] = "enforcing",
	    [GREYLIST_OBSERVE] = "observing only",
	    [GREYLIST_OFF] = "greylisting is off",
	};

	return texts[settings_number(view->settings, SETTING_GREYLIST_MODE)];
}

static void
render_header(const struct view *view, GString *out)
{
	g_string_append(out, "<header><h1>greylag <span>on ");
	chart_escape(out, view->host);
	g_string_append_printf(out, "</span></h1><span class=\"pill %s\">%s</span>",
	    view->problem ? "bad" : "good", view->problem ? "Trouble" : "Healthy");
	g_string_append_printf(
	    out, "<span class=\"pill\">%s</span><p class=\"soft\">", mode_text(view));
	words_time(out, view->now, "%-d %B %Y, %H:%M UTC");
	g_string_append(out, "</p></header>");
}

/* What was replayed or imported is in the report, and in no counter of requests. */
static void
render_nobody_asked(const struct view *view, GString *out)
{
	if (view->report && !report_is_empty(view->report))
		g_string_append(out,
		    "<p class=\"banner\">Nobody has asked this server about mail in 30 days. What "
		    "is counted under <a href=\"#report\">What greylisting did</a> comes from "
		    "elsewhere: from recorded traffic (greylagctl replay --learn), from an import, "
		    "or from the classifier alone.</p>");
	else
		g_string_append(out,
		    "<p class=\"banner\">There is no data yet: nobody has asked "
		    "this server about mail. Numbers appear here a few seconds after "
		    "the first request of Postfix.</p>");
}

static void
render_banners(const struct view *view, GString *out)
{
	if (view->problem) {
		g_string_append(out, "<p class=\"banner bad\" role=\"alert\">The store does not "
				     "work: ");
		chart_escape(out, view->problem);
		g_string_append(out, ". Mail is let in without greylisting until it does.</p>");
	} else if (summary_all(&view->month) == 0) {
		render_nobody_asked(view, out);
	}
}

static void
kpi(GString *out, const char *title, const char *dot)
{
	g_string_append(out, "<section class=\"card\"><h2>");
	if (dot)
		g_string_append_printf(out, "<span class=\"dot d-%s\"></span>", dot);
	g_string_append_printf(out, "%s</h2><p class=\"kpi\">", title);
}

static void
kpi_note(GString *out, const char *note)
{
	g_string_append(out, "</p><p class=\"soft\">");
	g_string_append(out, note);
	g_string_append(out, "</p></section>");
}

static void
kpi_share(GString *out, double share)
{
	if (isnan(share))
		g_string_append(out, "\xe2\x80\x93");
	else
		g_string_append_printf(out, "%.1f<small>\xe2\x80\xaf%%</small>", share * 100);
}

static void
render_kpis(const struct view *view, GString *out, GString *empty)
{
	double median = histogram_quantile(&histogram_delay, &view->day.delays, 0.5);
	double p95 = histogram_quantile(&histogram_delay, &view->day.delays, 0.95);
	g_autoptr(GString) note = g_string_new("of passed mail; 95\xe2\x80\xaf% within ");

	if (summary_all(&view->day) == 0) {
		chart_line(empty, "The last 24 hours", "Nobody has asked about mail.");
		return;
	}
	if (isnan(median))
		g_string_assign(note, "no mail has passed in 24 hours");
	else
		words_duration_or_dash(note, p95);
	g_string_append(out, "<div class=\"kpis\">");
	kpi(out, "Deferred", "deferred");
	words_stat(out, "last_24_hours.deferred", view->day.deferred);
	kpi_note(out, "asked to come again, in 24 hours");
	kpi(out, "Passed", "passed");
	words_stat(out, "last_24_hours.passed", view->day.passed);
	kpi_note(out, "came back and were let in");
	kpi(out, "Spared", "spared");
	words_stat(out, "last_24_hours.spared", view->day.spared);
	kpi_note(out, "let in without delay");
	kpi(out, "Never came back", NULL);
	kpi_share(out, summary_gone(&view->ripe));
	kpi_note(out, "of the first attempts whose retry window ended in the last 24 hours");
	kpi(out, "Median delay", NULL);
	words_duration_or_dash(out, median);
	kpi_note(out, note->str);
	g_string_append(out, "</div>");
}

/* -- tables -- */

static void
render_reasons(const struct view *view, GString *out, GString *empty)
{
	static const char *const classes[] = {[REASON_DEFERS] = "deferred",
	    [REASON_PASSES] = "passed",
	    [REASON_SPARES] = "spared",
	    [REASON_FAILS] = "failed"};
	uint64_t top = 0;

	for (unsigned i = 0; i < REASONS; i++)
		top = MAX(top, view->day.by_reason[i]);
	if (!top) {
		chart_line(empty, "Why, in 24 hours", "Nothing has been decided.");
		return;
	}
	g_string_append(out, "<section class=\"card\"><h2 id=\"reasons\">Why, in 24 hours</h2>"
			     "<table aria-labelledby=\"reasons\"><tbody>");
	for (unsigned i = 0; i < REASONS; i++) {
		const struct reason_row *row = reason_row((enum reason)i);
		g_autofree char *name = g_strdup_printf("last_24_hours.by_reason.%s", row->name);

		if (!view->day.by_reason[i])
			continue;
		g_string_append_printf(out,
		    "<tr><th scope=\"row\">%s<div class=\"soft\">%s</div></th><td class=\"bar\">",
		    row->name, row->help);
		chart_bar(out, (double)view->day.by_reason[i], (double)top, classes[row->effect]);
		g_string_append(out, "</td><td class=\"n\">");
		words_stat(out, name, view->day.by_reason[i]);
		g_string_append(out, "</td></tr>");
	}
	g_string_append(out, "</tbody></table></section>");
}

static void
top_table(const GArray *items, const char *id, const char *title, GString *out)
{
	if (!items->len)
		return;
	g_string_append_printf(
	    out, "<h3 id=\"%s\">%s</h3><table aria-labelledby=\"%s\"><tbody>", id, title, id);
	for (guint i = 0; i < items->len; i++) {
		const struct sketch_item *item = &g_array_index(items, struct sketch_item, i);
		const struct sketch_item *first = &g_array_index(items, struct sketch_item, 0);

		g_string_append(out, "<tr><th scope=\"row\">");
		chart_name(out, item->key);
		g_string_append(out, "</th><td class=\"bar\">");
		chart_bar(out, (double)item->count, (double)first->count, "deferred");
		g_string_append(out, "</td><td class=\"n\">");
		chart_number(out, item->count);
		g_string_append(out, "</td></tr>");
	}
	g_string_append(out, "</tbody></table>");
}

static void
render_top(const struct view *view, GString *out, GString *empty)
{
	static const char title[] = "Deferred most often";
	const GArray *networks = view->top[STATS_NETWORKS], *domains = view->top[STATS_DOMAINS];

	if (settings_on(view->settings, SETTING_GREYLIST_PRIVACY)) {
		chart_line(empty, title, "Not kept: <code>greylist.privacy</code> is on.");
		return;
	}
	if (!networks->len && !domains->len) {
		chart_line(empty, title, "Nobody since the start.");
		return;
	}
	g_string_append_printf(
	    out, "<section class=\"card\"><h2>%s</h2><p class=\"soft\">Since ", title);
	words_time(out, view->top_since, "%-d %b %H:%M UTC");
	g_string_append(out, ".</p>");
	top_table(networks, "top-networks", "Networks of clients", out);
	top_table(domains, "top-domains", "Domains of senders", out);
	g_string_append(out, "</section>");
}

/* -- store, classifier, settings -- */

static void
facts_begin(GString *out, const char *id, const char *title)
{
	g_string_append_printf(out,
	    "<section class=\"card\"><h2 id=\"%s\">%s</h2><dl class=\"facts\" "
	    "aria-labelledby=\"%s\">",
	    id, title, id);
}

static void
facts_end(GString *out)
{
	g_string_append(out, "</dl></section>");
}

static void
fact(GString *out, const char *name)
{
	g_string_append_printf(out, "<div><dt>%s</dt><dd>", name);
}

static void
fact_end(GString *out)
{
	g_string_append(out, "</dd></div>");
}

static void
fact_bytes(GString *out, const char *name, uint64_t bytes)
{
	g_autofree char *text = g_format_size_full(bytes, G_FORMAT_SIZE_IEC_UNITS);

	fact(out, name);
	chart_escape(out, text);
	fact_end(out);
}

static void
fact_stat(GString *out, const char *name, const char *path, uint64_t n)
{
	fact(out, name);
	words_stat(out, path, n);
	fact_end(out);
}

static void
render_error(const struct view *view, GString *out)
{
	fact(out, "Last error");
	if (view->error.at) {
		words_time(out, view->error.at, "%-d %b %H:%M UTC");
		g_string_append(out, ": ");
		chart_escape(out, view->error.what);
	} else {
		g_string_append(out, "none since the start");
	}
	fact_end(out);
}

static void
render_store(const struct view *view, GString *out)
{
	const struct store_status *store = &view->store;

	facts_begin(out, "store", "Store and server");
	fact(out, "Store");
	chart_escape(out, view->problem ? view->problem : "answers");
	fact_end(out);
	if (view->have_store && store->fallback.configured) {
		fact(out, "Answers now");
		chart_escape(out, store->fallback.active ? "the local store" : "the server");
		fact_end(out);
		fact_stat(out, "To be merged", "store.fallback.waiting", store->fallback.waiting);
	}
	if (view->have_store) {
		fact_stat(out, "Triplet records", "store.records.triplets",
		    store->records[STORE_TRIPLETS]);
		fact_stat(
		    out, "Clients known", "store.records.clients", store->records[STORE_CLIENTS]);
	}
	for (int i = 0; view->census.at && i < TRIPLET_STATES; i++) {
		g_autofree char *path =
		    g_strdup_printf("triplets.%s", triplet_state_name((enum triplet_state)i));
		g_autofree char *name =
		    g_strdup_printf("Triplets %s", triplet_state_name((enum triplet_state)i));

		fact_stat(out, name, path, view->census.states[i]);
	}
	if (view->census.at) {
		fact(out, "Counted by state");
		words_time_or_never(out, view->census.at);
		fact_end(out);
	}
	if (view->have_store)
		fact_bytes(out, "Size of the store", store->bytes_used);
	if (view->disk.known)
		fact_bytes(out, "Free on its disk", view->disk.free);
	fact(out, "Last expiry");
	words_time_or_never(out, view->last_pass);
	fact_end(out);
	fact(out, "Answers in 24 h, 99\xe2\x80\xaf% within");
	words_duration_or_dash(
	    out, histogram_quantile(&histogram_latency, &view->day.latencies, 0.99));
	fact_end(out);
	fact(out, "Running for");
	words_duration_or_dash(out, (double)(view->now - view->started));
	fact_end(out);
	render_error(view, out);
	facts_end(out);
}

static void
render_classifier(const struct view *view, GString *out, GString *empty)
{
	uint64_t tokens = view->store.records[STORE_TOKENS];
	uint64_t messages = view->store.records[STORE_MESSAGES];

	if (!view->have_store || (!tokens && !messages)) {
		chart_line(empty, "Classifier",
		    "No classifier data yet; <code>greylag train "
		    "<span class=\"nobr\">--ham FOLDER</span> "
		    "<span class=\"nobr\">--spam FOLDER</span></code> "
		    "begins.");
		return;
	}
	facts_begin(out, "classifier", "Classifier");
	fact_stat(out, "Tokens", "classifier.tokens", tokens);
	fact_stat(out, "Messages known", "classifier.messages", messages);
	fact_stat(out, "Learned as spam", "classifier.trained.spam", view->learned.spam);
	fact_stat(out, "Learned as ham", "classifier.trained.ham", view->learned.ham);
	fact_stat(out, "Judged spam in 24 h", "verdicts.last_24_hours.spam",
	    view->judged_day.cells[VERDICTS_SPAM]);
	fact_stat(out, "Judged ham in 24 h", "verdicts.last_24_hours.ham",
	    view->judged_day.cells[VERDICTS_HAM]);
	fact_stat(out, "Unsure in 24 h", "verdicts.last_24_hours.unsure",
	    view->judged_day.cells[VERDICTS_UNSURE]);
	fact_stat(out, "Learned in 48 h as spam", "verdicts.last_48_hours.trained_spam",
	    view->judged_two_days.cells[VERDICTS_LEARNED_SPAM]);
	fact_stat(out, "Learned in 48 h as ham", "verdicts.last_48_hours.trained_ham",
	    view->judged_two_days.cells[VERDICTS_LEARNED_HAM]);
	facts_end(out);
}

static void
render_settings(const struct view *view, GString *out)
{
	facts_begin(out, "settings", "Settings");
	for (const enum setting *s = http_shown_settings; *s != SETTING_COUNT; s++) {
		const struct setting_row *row = settings_row(*s);
		g_autofree char *name = g_strdup_printf("%s.%s", row->section, row->key);
		g_autofree char *value = settings_format(view->settings, *s);

		g_string_append(out, "<div><dt>");
		chart_name(out, name);
		g_string_append(out, "</dt><dd>");
		if (*value)
			chart_name(out, value);
		else
			g_string_append(out, "none");
		fact_end(out);
	}
	facts_end(out);
}

/* -- the page -- */

static void
render_charts(const struct view *view, GString *out, GString *empty)
{
	g_string_append(out, "<div class=\"grid\">");
	http_charts_hours(view, out, empty);
	g_string_append(out, "</div><div class=\"grid\">");
	http_charts_days(view, out, empty);
	http_charts_gone(view, out, empty);
	http_charts_delays(view, out, empty);
	http_charts_scores(view, out, empty);
	http_charts_verdicts(view, out, empty);
	http_charts_trainings(view, out, empty);
	g_string_append(out, "</div><div class=\"grid\">");
	http_report_domains(view, out);
	g_string_append(out, "</div>");
}

static void
render_tables(const struct view *view, GString *out, GString *empty)
{
	render_reasons(view, out, empty);
	render_top(view, out, empty);
	http_report_tables(view, out, empty);
	render_classifier(view, out, empty);
	render_store(view, out);
	render_settings(view, out);
}

/* First what greylisting did, then the numbers that this rests on; what has nothing to show is
 * told in lines before the tables. */
static void
render_main(const struct view *view, GString *out)
{
	g_autoptr(GString) empty = g_string_new(NULL), tables = g_string_new(NULL);

	render_header(view, out);
	render_banners(view, out);
	http_report_worth(view, out, empty);
	render_kpis(view, out, empty);
	render_charts(view, out, empty);
	render_tables(view, tables, empty);
	if (empty->len)
		g_string_append_printf(out, "<div class=\"card lines\">%s</div>", empty->str);
	g_string_append_printf(out, "<div class=\"tables\">%s</div>", tables->str);
}

void
http_page_render(const struct view *view, GString *out)
{
	g_string_append(out,
	    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
	    "<title>greylag</title><link rel=\"icon\" href=\"data:,\"><style>");
	g_string_append_printf(out, "%s</style><style>%s", chart_style, http_style);
	g_string_append(out, "</style></head><body><p class=\"lost\" role=\"status\">The server "
			     "does not answer; these are its last numbers.</p><main>");
	render_main(view, out);
	g_string_append(out, "<footer>greylagd ");
	chart_escape(out, view->release);
	g_string_append(out,
	    ". The same numbers for machines: <a href=\"/stats\">/stats</a> (JSON), "
	    "<a href=\"/metrics\">/metrics</a> (Prometheus, OpenMetrics), "
	    "<a href=\"/healthz\">/healthz</a>.</footer></main><script>");
	g_string_append(out, http_script);
	g_string_append(out, "</script></body></html>\n");
}
