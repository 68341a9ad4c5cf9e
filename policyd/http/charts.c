#include "config.h"

#include "policyd/http/charts.h"

#include <math.h>

#include "lib/chart.h"
#include "policyd/http/words.h"

#define TICKS 7

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
		g_autofree char *text = words_format_time(first + i * step, format);

		g_strlcpy(chart->labels[i], text, sizeof chart->labels[i]);
	}
	chart->n_ticks = TICKS;
	for (unsigned i = 0; i < TICKS - 1; i++)
		g_strlcpy(chart->ticks[i], chart->labels[i * columns], sizeof chart->ticks[i]);
	g_strlcpy(chart->ticks[TICKS - 1], step == 3600 ? "now" : "today",
	    sizeof chart->ticks[TICKS - 1]);
}

void
http_charts_hours(const struct view *view, GString *out, GString *empty)
{
	struct chart *chart = g_new0(struct chart, 1);
	g_autofree char *description = g_strdup_printf(
	    "Requests by hour. In 48 hours %" G_GUINT64_FORMAT " were deferred, %" G_GUINT64_FORMAT
	    " passed after a delay, %" G_GUINT64_FORMAT " were let in without one.",
	    view->two_days.deferred, view->two_days.passed, view->two_days.spared);

	*chart = (struct chart){.id = "hours",
	    .title = "The last 48 hours",
	    .nothing = "Nobody has asked about mail.",
	    .column = "Hour (UTC)",
	    .hour_0 = view->hours[0].first,
	    .unit = "",
	    .description = description};
	set_counts(chart, view->hours, VIEW_HOURS);
	set_times(chart, view->hours[0].first * 3600, 3600, "%a %H:%M");
	chart_card(chart, "wide", out, empty);
	g_free(chart);
}

void
http_charts_days(const struct view *view, GString *out, GString *empty)
{
	struct chart *chart = g_new0(struct chart, 1);

	*chart = (struct chart){.id = "days",
	    .title = "The last 30 days",
	    .nothing = "Nobody has asked about mail.",
	    .column = "Day (UTC)",
	    .unit = "",
	    .description = "Requests by day: deferred, passed after a delay, and let in "
			   "without one."};
	set_counts(chart, view->days, VIEW_DAYS);
	set_times(chart, view->days[0].first * 3600, 86400, "%-d %b");
	chart_card(chart, "half", out, empty);
	g_free(chart);
}

void
http_charts_gone(const struct view *view, GString *out, GString *empty)
{
	struct chart *chart = g_new0(struct chart, 1);
	double *values = chart->series[0].values;
	int64_t window = settings_number(view->settings, SETTING_GREYLIST_RETRY_WINDOW);

	*chart = (struct chart){.id = "gone",
	    .title = "First attempts that never came back",
	    .nothing = "No first attempt is older than its retry window yet.",
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
	chart_card(chart, "half", out, empty);
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

void
http_charts_delays(const struct view *view, GString *out, GString *empty)
{
	const struct histogram_scale *scale = &histogram_delay;
	const struct histogram *delays = &view->two_days.delays;
	struct chart *chart = g_new0(struct chart, 1);
	double median = histogram_quantile(scale, delays, 0.5);
	double p95 = histogram_quantile(scale, delays, 0.95);
	g_autoptr(GString) note = g_string_new("48 hours. Median ");

	words_duration_or_dash(note, median);
	g_string_append(note, " (dashed), 95\xe2\x80\xaf% within ");
	words_duration_or_dash(note, p95);
	g_string_append(note, " (dotted).");
	*chart = (struct chart){.id = "delays",
	    .title = "How long passed mail was delayed",
	    .nothing = "No mail has passed after a delay in 48 hours.",
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
		g_autofree char *label = words_duration(scale->bounds[i]);

		g_strlcpy(chart->labels[i], label, sizeof chart->labels[i]);
		chart->series[0].values[i] = (double)delays->counts[i];
	}
	/* What took longer than the last bound shares its column. */
	g_strlcpy(chart->labels[scale->n_bounds - 1], "more", sizeof chart->labels[0]);
	chart->series[0].values[scale->n_bounds - 1] += (double)delays->counts[scale->n_bounds];
	g_strlcpy(chart->ticks[0], "0", sizeof chart->ticks[0]);
	for (unsigned i = 1; i < TICKS; i++)
		g_strlcpy(chart->ticks[i], chart->labels[i * scale->n_bounds / (TICKS - 1) - 1],
		    sizeof chart->ticks[i]);
	chart_card(chart, "half", out, empty);
	g_free(chart);
}

/* -- charts of the classifier -- */

void
http_charts_scores(const struct view *view, GString *out, GString *empty)
{
	struct chart *chart = g_new0(struct chart, 1);
	double ham = settings_decimal(view->settings, SETTING_CLASSIFIER_HAM_CUTOFF);
	double spam = settings_decimal(view->settings, SETTING_CLASSIFIER_SPAM_CUTOFF);
	g_autofree char *note = g_strdup_printf(
	    "48 hours. Spam from %.2f on (dashed), ham up to %.2f (dotted), unsure between.", spam,
	    ham);

	*chart = (struct chart){.id = "scores",
	    .title = "Spam scores of mail",
	    .nothing = "The classifier has judged no mail in 48 hours.",
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
	chart_card(chart, "half", out, empty);
	g_free(chart);
}

/* Hours of some of the classifier's cells. */
struct judged_chart {
	const char *id, *title, *note, *nothing;
	struct {
		const char *name, *css_class;
		enum verdicts_cell cell;
	} series[3];
};

static void
render_judged(
    const struct view *view, const struct judged_chart *what, GString *out, GString *empty)
{
	struct chart *chart = g_new0(struct chart, 1);

	*chart = (struct chart){.id = what->id,
	    .title = what->title,
	    .note = what->note,
	    .nothing = what->nothing,
	    .description = what->note,
	    .column = "Hour (UTC)",
	    .hour_0 = view->hours[0].first,
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
	chart_card(chart, "half", out, empty);
	g_free(chart);
}

void
http_charts_verdicts(const struct view *view, GString *out, GString *empty)
{
	const uint64_t *cells = view->judged_two_days.cells;
	g_autofree char *description = g_strdup_printf(
	    "In 48 hours %" G_GUINT64_FORMAT " messages were judged spam, %" G_GUINT64_FORMAT
	    " ham, %" G_GUINT64_FORMAT " unsure.",
	    cells[VERDICTS_SPAM], cells[VERDICTS_HAM], cells[VERDICTS_UNSURE]);
	const struct judged_chart chart = {"verdicts", "Verdicts, 48 hours", description,
	    "The classifier has judged no mail.",
	    {{"Spam", "failed", VERDICTS_SPAM}, {"Ham", "passed", VERDICTS_HAM},
		{"Unsure", "spared", VERDICTS_UNSURE}}};

	render_judged(view, &chart, out, empty);
}

/* What was moved was learned, too: it is told, not stacked. */
void
http_charts_trainings(const struct view *view, GString *out, GString *empty)
{
	const uint64_t *cells = view->judged_two_days.cells;
	g_autofree char *description = g_strdup_printf(
	    "In 48 hours %" G_GUINT64_FORMAT " messages were learned as spam, %" G_GUINT64_FORMAT
	    " as ham; %" G_GUINT64_FORMAT " of them had been learned as the other before.",
	    cells[VERDICTS_LEARNED_SPAM], cells[VERDICTS_LEARNED_HAM], cells[VERDICTS_MOVED]);
	const struct judged_chart chart = {"trainings", "Trainings, 48 hours", description,
	    "The classifier has learned nothing.",
	    {{"Spam", "failed", VERDICTS_LEARNED_SPAM}, {"Ham", "passed", VERDICTS_LEARNED_HAM}}};

	render_judged(view, &chart, out, empty);
}
