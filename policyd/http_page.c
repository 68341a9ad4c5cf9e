#include "policyd/http_page.h"

#include <math.h>
#include <string.h>

#include "policyd/http_assets.h"
#include "policyd/http_chart.h"
#include "policyd/http_stats.h"

#define TICKS 7

/* -- words and numbers -- */

char *
http_page_duration(double seconds)
{
	static const struct {
		double size, part;
		const char *name, *part_name;
	} units[] = {{86400, 3600, "d", "h"}, {3600, 60, "h", "min"}, {60, 1, "min", "s"}};
	double whole = floor(seconds + 0.5);

	for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
		int n = (int)(whole / units[i].size);
		int rest = (int)((whole - n * units[i].size) / units[i].part);

		if (n > 0 && rest > 0)
			return g_strdup_printf("%d\xc2\xa0%s %d\xc2\xa0%s", n, units[i].name, rest,
			    units[i].part_name);
		if (n > 0)
			return g_strdup_printf("%d\xc2\xa0%s", n, units[i].name);
	}
	if (seconds >= 1 || seconds == 0)
		return g_strdup_printf("%d\xc2\xa0s", (int)whole);
	if (seconds >= 0.0009995)
		return g_strdup_printf("%.1f\xc2\xa0ms", seconds * 1e3);
	return g_strdup_printf("%.0f\xc2\xa0\xc2\xb5s", seconds * 1e6);
}

static void
duration_or_dash(GString *out, double seconds)
{
	g_autofree char *text = isnan(seconds) ? NULL : http_page_duration(seconds);

	chart_escape(out, text ? text : "\xe2\x80\x93");
}

/* Times are those of UTC, in which hours and days are counted. */
static char *
time_text(int64_t at, const char *format)
{
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(at);
	char *text = time ? g_date_time_format(time, format) : NULL;

	return text ? text : g_strdup("?");
}

static void
append_time(GString *out, int64_t at, const char *format)
{
	g_autofree char *text = time_text(at, format);

	chart_escape(out, text);
}

static void
append_time_or_never(GString *out, int64_t at)
{
	if (at)
		append_time(out, at, "%-d %b %H:%M UTC");
	else
		g_string_append(out, "not yet");
}

/* A number that stands in /stats under NAME. */
static void
stat(GString *out, const char *name, uint64_t n)
{
	g_string_append_printf(out, "<span data-stat=\"%s\">", name);
	chart_number(out, n);
	g_string_append(out, "</span>");
}

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
	append_time(out, view->now, "%-d %B %Y, %H:%M UTC");
	g_string_append(out, "</p></header>");
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
		g_string_append(out,
		    "<p class=\"banner\">There is no data yet: nobody has asked "
		    "this server about mail. Numbers appear here a few seconds after "
		    "the first request of Postfix.</p>");
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
render_kpis(const struct view *view, GString *out)
{
	double median = histogram_quantile(&histogram_delay, view->day.delays, 0.5);
	double p95 = histogram_quantile(&histogram_delay, view->day.delays, 0.95);
	g_autoptr(GString) note = g_string_new("of passed mail; 95\xe2\x80\xaf% within ");

	if (isnan(median))
		g_string_assign(note, "no mail has passed in 24 hours");
	else
		duration_or_dash(note, p95);
	g_string_append(out, "<div class=\"kpis\">");
	kpi(out, "Deferred", "deferred");
	stat(out, "last_24_hours.deferred", view->day.deferred);
	kpi_note(out, "asked to come again, in 24 hours");
	kpi(out, "Passed", "passed");
	stat(out, "last_24_hours.passed", view->day.passed);
	kpi_note(out, "came back and were let in");
	kpi(out, "Spared", "spared");
	stat(out, "last_24_hours.spared", view->day.spared);
	kpi_note(out, "let in without delay");
	kpi(out, "Never came back", NULL);
	kpi_share(out, summary_gone(&view->ripe));
	kpi_note(out, "of the first attempts whose retry window ended in the last 24 hours");
	kpi(out, "Median delay", NULL);
	duration_or_dash(out, median);
	kpi_note(out, note->str);
	g_string_append(out, "</div>");
}

/* -- charts -- */

static void
set_counts(struct chart *chart, const struct summary *summaries, unsigned n)
{
	static const char *const names[] = {"Deferred", "Passed", "Spared", "Undecided"};
	static const char *const classes[] = {"deferred", "passed", "spared", "failed"};
	bool failed = false;

	chart->n_columns = n;
	for (unsigned s = 0; s < G_N_ELEMENTS(names); s++) {
		chart->series[s].name = names[s];
		chart->series[s].css_class = classes[s];
	}
	for (unsigned i = 0; i < n; i++) {
		chart->series[0].values[i] = (double)summaries[i].deferred;
		chart->series[1].values[i] = (double)summaries[i].passed;
		chart->series[2].values[i] = (double)summaries[i].spared;
		chart->series[3].values[i] = (double)summaries[i].failed;
		failed |= summaries[i].failed > 0;
	}
	chart->n_series = failed ? 4 : 3;
}

static void
set_times(struct chart *chart, int64_t first, int64_t step, const char *format)
{
	unsigned columns = chart->n_columns / (TICKS - 1);

	for (unsigned i = 0; i < chart->n_columns; i++) {
		g_autofree char *text = time_text(first + i * step, format);

		g_strlcpy(chart->labels[i], text, sizeof chart->labels[i]);
	}
	chart->n_ticks = TICKS;
	for (unsigned i = 0; i < TICKS - 1; i++)
		g_strlcpy(chart->ticks[i], chart->labels[i * columns], sizeof chart->ticks[i]);
	g_strlcpy(chart->ticks[TICKS - 1], step == 3600 ? "now" : "today",
	    sizeof chart->ticks[TICKS - 1]);
}

static void
render_hours(const struct view *view, GString *out)
{
	struct chart *chart = g_new0(struct chart, 1);
	g_autofree char *description = g_strdup_printf(
	    "Requests by hour. In 48 hours %" G_GUINT64_FORMAT " were deferred, %" G_GUINT64_FORMAT
	    " passed after a delay, %" G_GUINT64_FORMAT " were let in without one.",
	    view->two_days.deferred, view->two_days.passed, view->two_days.spared);

	*chart = (struct chart){.id = "hours",
	    .title = "The last 48 hours",
	    .column = "Hour (UTC)",
	    .unit = "",
	    .description = description};
	set_counts(chart, view->hours, VIEW_HOURS);
	set_times(chart, view->hours[0].first * 3600, 3600, "%a %H:%M");
	g_string_append(out, "<section class=\"card wide\">");
	chart_render(chart, out);
	g_string_append(out, "</section>");
	g_free(chart);
}

static void
render_days(const struct view *view, GString *out)
{
	struct chart *chart = g_new0(struct chart, 1);

	*chart = (struct chart){.id = "days",
	    .title = "The last 30 days",
	    .column = "Day (UTC)",
	    .unit = "",
	    .description = "Requests by day: deferred, passed after a delay, and let in "
			   "without one."};
	set_counts(chart, view->days, VIEW_DAYS);
	set_times(chart, view->days[0].first * 3600, 86400, "%-d %b");
	g_string_append(out, "<section class=\"card half\">");
	chart_render(chart, out);
	g_string_append(out, "</section>");
	g_free(chart);
}

static void
render_gone(const struct view *view, GString *out)
{
	struct chart *chart = g_new0(struct chart, 1);
	double *values = chart->series[0].values;
	int64_t window = settings_number(view->settings, SETTING_GREYLIST_RETRY_WINDOW);

	*chart = (struct chart){.id = "gone",
	    .title = "First attempts that never came back",
	    .note =
		"Share of each day's first attempts; days whose retry window is open are left out.",
	    .column = "Day (UTC)",
	    .unit = "\xe2\x80\xaf%",
	    .top = 100,
	    .n_columns = VIEW_DAYS,
	    .n_series = 1,
	    .description = "By day, the share of first attempts without a successful retry."};
	values = chart->series[0].values;
	chart->series[0].name = "Never came back";
	chart->series[0].css_class = "gone";
	for (unsigned i = 0; i < VIEW_DAYS; i++) {
		const struct summary *day = &view->days[i];
		bool ripe = (day->first + 24) * 3600 + window <= view->now;

		values[i] = ripe ? 100 * summary_gone(day) : NAN;
	}
	set_times(chart, view->days[0].first * 3600, 86400, "%-d %b");
	g_string_append(out, "<section class=\"card half\">");
	chart_render(chart, out);
	g_string_append(out, "</section>");
	g_free(chart);
}

/* Where a value lies on an axis of buckets of equal width. */
static double
position(const struct histogram_scale *scale, double value)
{
	unsigned i = histogram_bucket(scale, value);
	double lower = i ? scale->bounds[i - 1] : 0;

	if (isnan(value))
		return -1;
	if (i == scale->n_bounds)
		return i;
	return i + (value - lower) / (scale->bounds[i] - lower);
}

static void
render_delays(const struct view *view, GString *out)
{
	const struct histogram_scale *scale = &histogram_delay;
	const uint64_t *counts = view->two_days.delays;
	struct chart *chart = g_new0(struct chart, 1);
	double median = histogram_quantile(scale, counts, 0.5);
	double p95 = histogram_quantile(scale, counts, 0.95);
	g_autoptr(GString) note = g_string_new("48 hours. ");

	if (isnan(median)) {
		g_string_append(note, "No mail has passed yet.");
	} else {
		g_string_append(note, "Median ");
		duration_or_dash(note, median);
		g_string_append(note, " (dashed), 95\xe2\x80\xaf% within ");
		duration_or_dash(note, p95);
		g_string_append(note, " (dotted).");
	}
	*chart = (struct chart){.id = "delays",
	    .title = "How long passed mail was delayed",
	    .note = note->str,
	    .description = note->str,
	    .column = "Delay up to",
	    .unit = "",
	    .n_columns = scale->n_bounds,
	    .n_series = 1,
	    .n_ticks = TICKS,
	    .n_marks = 2,
	    .marks = {{"median", position(scale, median)}, {"p95", position(scale, p95)}}};
	chart->series[0].name = "Passed";
	chart->series[0].css_class = "passed";
	for (unsigned i = 0; i < scale->n_bounds; i++) {
		g_autofree char *label = http_page_duration(scale->bounds[i]);

		g_strlcpy(chart->labels[i], label, sizeof chart->labels[i]);
		chart->series[0].values[i] = (double)counts[i];
	}
	/* What took longer than the last bound shares its column. */
	g_strlcpy(chart->labels[scale->n_bounds - 1], "more", sizeof chart->labels[0]);
	chart->series[0].values[scale->n_bounds - 1] += (double)counts[scale->n_bounds];
	g_strlcpy(chart->ticks[0], "0", sizeof chart->ticks[0]);
	for (unsigned i = 1; i < TICKS; i++)
		g_strlcpy(chart->ticks[i], chart->labels[i * scale->n_bounds / (TICKS - 1) - 1],
		    sizeof chart->ticks[i]);
	g_string_append(out, "<section class=\"card half\">");
	chart_render(chart, out);
	g_string_append(out, "</section>");
	g_free(chart);
}

/* -- charts of the classifier -- */

static void
render_scores(const struct view *view, GString *out)
{
	struct chart *chart = g_new0(struct chart, 1);
	double ham = settings_decimal(view->settings, SETTING_CLASSIFIER_HAM_CUTOFF);
	double spam = settings_decimal(view->settings, SETTING_CLASSIFIER_SPAM_CUTOFF);
	bool none = summary_verdicts(&view->judged_two_days) == 0;
	g_autofree char *note =
	    none ? g_strdup("48 hours. greylag filter has judged no mail yet.")
		 : g_strdup_printf("48 hours. Spam from %.2f on (dashed), ham up to %.2f (dotted), "
				   "unsure between.",
		       spam, ham);

	*chart = (struct chart){.id = "scores",
	    .title = "Spam scores of mail",
	    .note = note,
	    .description = note,
	    .column = "Score",
	    .unit = "",
	    .n_columns = VERDICTS_BINS,
	    .n_series = 1,
	    .n_ticks = 5,
	    .n_marks = 2,
	    .marks = {
		{"spam cut-off", spam * VERDICTS_BINS}, {"ham cut-off", ham * VERDICTS_BINS}}};
	chart->series[0].name = "Messages";
	chart->series[0].css_class = "deferred";
	for (unsigned i = 0; i < VERDICTS_BINS; i++) {
		g_snprintf(chart->labels[i], sizeof chart->labels[i], "%.2f\xe2\x80\x93%.2f",
		    i * VERDICTS_BIN_WIDTH, (i + 1) * VERDICTS_BIN_WIDTH);
		chart->series[0].values[i] =
		    (double)view->judged_two_days.cells[VERDICTS_SCORES + i];
	}
	for (unsigned i = 0; i < chart->n_ticks; i++)
		g_snprintf(chart->ticks[i], sizeof chart->ticks[i], "%.2f",
		    i / (double)(chart->n_ticks - 1));
	g_string_append(out, "<section class=\"card half\">");
	chart_render(chart, out);
	g_string_append(out, "</section>");
	g_free(chart);
}

/* Hours of some of the classifier's cells. */
struct judged_chart {
	const char *id, *title, *note, *description;
	struct {
		const char *name, *css_class;
		enum verdicts_cell cell;
	} series[3];
};

static void
render_judged(const struct view *view, const struct judged_chart *what, GString *out)
{
	struct chart *chart = g_new0(struct chart, 1);

	*chart = (struct chart){.id = what->id,
	    .title = what->title,
	    .note = what->note,
	    .description = what->description,
	    .column = "Hour (UTC)",
	    .unit = "",
	    .n_columns = VIEW_HOURS};
	for (unsigned s = 0; s < G_N_ELEMENTS(what->series) && what->series[s].name; s++) {
		chart->n_series = s + 1;
		chart->series[s].name = what->series[s].name;
		chart->series[s].css_class = what->series[s].css_class;
		for (unsigned i = 0; i < VIEW_HOURS; i++)
			chart->series[s].values[i] =
			    (double)view->judged_hours[i].cells[what->series[s].cell];
	}
	set_times(chart, view->hours[0].first * 3600, 3600, "%a %H:%M");
	g_string_append(out, "<section class=\"card half\">");
	chart_render(chart, out);
	g_string_append(out, "</section>");
	g_free(chart);
}

static void
render_verdicts(const struct view *view, GString *out)
{
	const uint64_t *cells = view->judged_two_days.cells;
	g_autofree char *description = g_strdup_printf(
	    "In 48 hours %" G_GUINT64_FORMAT " messages were judged spam, %" G_GUINT64_FORMAT
	    " ham, %" G_GUINT64_FORMAT " unsure.",
	    cells[VERDICTS_SPAM], cells[VERDICTS_HAM], cells[VERDICTS_UNSURE]);
	const struct judged_chart chart = {"verdicts", "Verdicts, 48 hours", description,
	    description,
	    {{"Spam", "failed", VERDICTS_SPAM}, {"Ham", "passed", VERDICTS_HAM},
		{"Unsure", "spared", VERDICTS_UNSURE}}};

	render_judged(view, &chart, out);
}

/* What was moved was learned, too: it is told, not stacked. */
static void
render_trainings(const struct view *view, GString *out)
{
	const uint64_t *cells = view->judged_two_days.cells;
	g_autofree char *description = g_strdup_printf(
	    "In 48 hours %" G_GUINT64_FORMAT " messages were learned as spam, %" G_GUINT64_FORMAT
	    " as ham; %" G_GUINT64_FORMAT " of them had been learned as the other before.",
	    cells[VERDICTS_LEARNED_SPAM], cells[VERDICTS_LEARNED_HAM], cells[VERDICTS_MOVED]);
	const struct judged_chart chart = {"trainings", "Trainings, 48 hours", description,
	    description,
	    {{"Spam", "failed", VERDICTS_LEARNED_SPAM}, {"Ham", "passed", VERDICTS_LEARNED_HAM}}};

	render_judged(view, &chart, out);
}

/* -- tables -- */

static void
render_reasons(const struct view *view, GString *out)
{
	static const char *const classes[] = {[REASON_DEFERS] = "deferred",
	    [REASON_PASSES] = "passed",
	    [REASON_SPARES] = "spared",
	    [REASON_FAILS] = "failed"};
	uint64_t top = 0;

	for (unsigned i = 0; i < REASONS; i++)
		top = MAX(top, view->day.by_reason[i]);
	g_string_append(
	    out, "<section class=\"card half\"><h2 id=\"reasons\">Why, in 24 hours</h2>");
	if (!top)
		g_string_append(out, "<p class=\"soft\">No decision yet.</p></section>");
	if (!top)
		return;
	g_string_append(out, "<table aria-labelledby=\"reasons\"><tbody>");
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
		stat(out, name, view->day.by_reason[i]);
		g_string_append(out, "</td></tr>");
	}
	g_string_append(out, "</tbody></table></section>");
}

static void
top_table(const GArray *items, const char *title, GString *out)
{
	g_string_append_printf(out, "<h3>%s</h3><table><tbody>", title);
	for (guint i = 0; i < items->len; i++) {
		const struct sketch_item *item = &g_array_index(items, struct sketch_item, i);
		const struct sketch_item *first = &g_array_index(items, struct sketch_item, 0);

		g_string_append(out, "<tr><th scope=\"row\"><code>");
		chart_escape(out, item->key);
		g_string_append(out, "</code></th><td class=\"bar\">");
		chart_bar(out, (double)item->count, (double)first->count, "deferred");
		g_string_append(out, "</td><td class=\"n\">");
		chart_number(out, item->count);
		g_string_append(out, "</td></tr>");
	}
	g_string_append(out, "</tbody></table>");
}

static void
render_top(const struct view *view, GString *out)
{
	g_string_append(out, "<section class=\"card half\"><h2>Deferred most often</h2>"
			     "<p class=\"soft\">Since ");
	append_time(out, view->top_since, "%-d %b %H:%M UTC");
	g_string_append(out, ".</p>");
	if (settings_on(view->settings, SETTING_GREYLIST_PRIVACY)) {
		g_string_append(out, "<p class=\"soft\">Not kept: greylist.privacy is on.</p>");
	} else if (!view->top[STATS_NETWORKS]->len && !view->top[STATS_DOMAINS]->len) {
		g_string_append(out, "<p class=\"soft\">Nobody yet.</p>");
	} else {
		top_table(view->top[STATS_NETWORKS], "Networks of clients", out);
		top_table(view->top[STATS_DOMAINS], "Domains of senders", out);
	}
	g_string_append(out, "</section>");
}

/* -- store, classifier, settings -- */

static void
fact(GString *out, const char *name)
{
	g_string_append_printf(out, "<tr><th scope=\"row\">%s</th><td class=\"n\">", name);
}

static void
fact_end(GString *out)
{
	g_string_append(out, "</td></tr>");
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
	stat(out, path, n);
	fact_end(out);
}

static void
render_error(const struct view *view, GString *out)
{
	fact(out, "Last error");
	if (view->error.at) {
		append_time(out, view->error.at, "%-d %b %H:%M UTC: ");
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

	g_string_append(out, "<section class=\"card half\"><h2 id=\"store\">Store and server</h2>"
			     "<table aria-labelledby=\"store\"><tbody>");
	fact(out, "Store");
	chart_escape(out, view->problem ? view->problem : "answers");
	fact_end(out);
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
		append_time_or_never(out, view->census.at);
		fact_end(out);
	}
	if (view->have_store)
		fact_bytes(out, "Size of the store", store->bytes_used);
	if (view->disk.known)
		fact_bytes(out, "Free on its disk", view->disk.free);
	fact(out, "Last expiry");
	append_time_or_never(out, view->last_pass);
	fact_end(out);
	fact(out, "Answers in 24 h, 99\xe2\x80\xaf% within");
	duration_or_dash(out, histogram_quantile(&histogram_latency, view->day.latencies, 0.99));
	fact_end(out);
	fact(out, "Running for");
	duration_or_dash(out, (double)(view->now - view->started));
	fact_end(out);
	render_error(view, out);
	g_string_append(out, "</tbody></table></section>");
}

static void
render_classifier(const struct view *view, GString *out)
{
	uint64_t tokens = view->store.records[STORE_TOKENS];
	uint64_t messages = view->store.records[STORE_MESSAGES];

	g_string_append(out, "<section class=\"card\"><h2 id=\"classifier\">Classifier</h2>");
	if (!view->have_store || (!tokens && !messages)) {
		g_string_append(out,
		    "<p class=\"soft\">No classifier data yet: no message has been trained. "
		    "<code>greylag train --ham FOLDER --spam FOLDER</code> begins.</p></section>");
		return;
	}
	g_string_append(out, "<table aria-labelledby=\"classifier\"><tbody>");
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
	g_string_append(out, "</tbody></table></section>");
}

static void
render_settings(const struct view *view, GString *out)
{
	g_string_append(out, "<section class=\"card half\"><h2 id=\"settings\">Settings</h2>"
			     "<table aria-labelledby=\"settings\"><tbody>");
	for (const enum setting *s = http_shown_settings; *s != SETTING_COUNT; s++) {
		const struct setting_row *row = settings_row(*s);
		g_autofree char *value = settings_format(view->settings, *s);

		g_string_append_printf(out,
		    "<tr><th scope=\"row\"><code>%s.%s</code></th><td class=\"n\"><code>",
		    row->section, row->key);
		chart_escape(out, value);
		g_string_append(out, "</code></td></tr>");
	}
	g_string_append(out, "</tbody></table></section>");
}

void
http_page_render(const struct view *view, GString *out)
{
	g_string_append(out,
	    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
	    "<title>greylag</title><link rel=\"icon\" href=\"data:,\"><style>");
	g_string_append(out, http_style);
	g_string_append(out, "</style></head><body><p class=\"lost\" role=\"status\">The server "
			     "does not answer; these are its last numbers.</p><main>");
	render_header(view, out);
	render_banners(view, out);
	render_kpis(view, out);
	g_string_append(out, "<div class=\"grid\">");
	render_hours(view, out);
	render_delays(view, out);
	render_gone(view, out);
	render_scores(view, out);
	render_verdicts(view, out);
	g_string_append(out, "<div class=\"stack\">");
	render_days(view, out);
	render_reasons(view, out);
	render_trainings(view, out);
	g_string_append(out, "</div><div class=\"stack\">");
	render_top(view, out);
	render_classifier(view, out);
	g_string_append(out, "</div>");
	render_store(view, out);
	render_settings(view, out);
	g_string_append(out, "</div><footer>greylagd ");
	chart_escape(out, view->release);
	g_string_append(out,
	    ". The same numbers for machines: <a href=\"/stats\">/stats</a> (JSON), "
	    "<a href=\"/metrics\">/metrics</a> (Prometheus, OpenMetrics), "
	    "<a href=\"/healthz\">/healthz</a>.</footer></main><script>");
	g_string_append(out, http_script);
	g_string_append(out, "</script></body></html>\n");
}
