#include "config.h"

#include "classifier/cli/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/chart.h"

#define BINS     40
#define MISTAKES 20

/* The curve from 0.01 % to 100 % of ham lost, on a scale of powers of ten: all that matters is at
 * its left. */
#define ROC_DECADES 4
#define ROC_STEPS   15 /* a decade */
#define ROC_POINTS  (ROC_DECADES * ROC_STEPS + 1)

#define SPACE "\xe2\x80\xaf" /* before a sign of per cent; no line breaks there */
#define DASH  "\xe2\x80\x93"

static const char style[] =
#include "classifier/cli/report.cssi"
    ;

static const struct sample *
sample_at(const GPtrArray *samples, size_t i)
{
	return g_ptr_array_index(samples, i);
}

size_t
report_next_segment(size_t end, size_t samples)
{
	static const double steps[] = {2, 2.5, 2};
	size_t next = 100;

	for (unsigned i = 0; next <= end; i++)
		next = (size_t)((double)next * steps[i % G_N_ELEMENTS(steps)]);
	return MIN(next, samples);
}

/* -- charts -- */

static int
by_evidence_falling(const void *a, const void *b)
{
	const struct sample *x = *(const struct sample *const *)a;
	const struct sample *y = *(const struct sample *const *)b;

	return (x->score.evidence < y->score.evidence) - (x->score.evidence > y->score.evidence);
}

/* Share of the spam, in per cent, that each of the points' loss of ham lets catch. */
static void
roc_values(const GPtrArray *samples, size_t first, double *ret_values)
{
	g_autoptr(GPtrArray) sorted = g_ptr_array_new();
	struct accuracy a = accuracy_of(samples, first, samples->len);
	size_t spam = 0, ham = 0;
	guint next = 0;

	for (size_t i = first; i < samples->len; i++)
		g_ptr_array_add(sorted, g_ptr_array_index(samples, i));
	g_ptr_array_sort(sorted, by_evidence_falling);
	for (unsigned i = 0; i < ROC_POINTS; i++) {
		double loss = pow(10, (double)i / ROC_STEPS - ROC_DECADES);

		for (; next < sorted->len; next++) {
			const struct sample *s = sample_at(sorted, next);

			if (!s->spam && (double)(ham + 1) > loss * (double)a.ham + 1e-9)
				break;
			spam += s->spam;
			ham += !s->spam;
		}
		ret_values[i] = a.spam ? 100 * (double)spam / (double)a.spam : NAN;
	}
}

static void
append_roc(GString *html, GString *empty, const GPtrArray *samples, size_t first)
{
	g_autofree struct chart *chart = g_new0(struct chart, 1);

	*chart = (struct chart){.id = "roc",
	    .title = "Spam caught for ham lost",
	    .note = "Over all cut-offs: how much spam is caught (upwards) by the one that loses so "
		    "much ham (to the right, by powers of ten).",
	    .description = "The ROC curve, of spam caught by ham lost.",
	    .nothing = "It takes spam and ham.",
	    .column = "Ham lost",
	    .unit = SPACE "%",
	    .digits = 1,
	    .shape = CHART_LINES,
	    .top = 100,
	    .n_columns = ROC_POINTS,
	    .n_series = 1,
	    .n_ticks = ROC_DECADES + 1};
	chart->series[0].name = "Spam caught";
	chart->series[0].css_class = "deferred";
	roc_values(samples, first, chart->series[0].values);
	for (unsigned i = 0; i < ROC_POINTS; i++)
		g_snprintf(chart->labels[i], sizeof chart->labels[i], "%.3g" SPACE "%%",
		    100 * pow(10, (double)i / ROC_STEPS - ROC_DECADES));
	for (unsigned i = 0; i <= ROC_DECADES; i++)
		g_strlcpy(chart->ticks[i], chart->labels[i * ROC_STEPS], sizeof chart->ticks[i]);
	chart_card(chart, "half", html, empty);
}

static void
append_histogram(GString *html, GString *empty, const GPtrArray *samples, size_t first,
    const struct mixture_options *cutoffs)
{
	g_autofree struct chart *chart = g_new0(struct chart, 1);
	g_autofree char *note =
	    g_strdup_printf("By powers of ten. Spam from %.4g on (dashed), ham up to %.4g "
			    "(dotted), unsure between.",
		cutoffs->spam_cutoff, cutoffs->ham_cutoff);

	*chart = (struct chart){.id = "scores",
	    .title = "Scores",
	    .note = note,
	    .description = "Messages by score, ham and spam apart.",
	    .nothing = "There is no message that counts.",
	    .column = "Score",
	    .unit = "",
	    .shape = CHART_BESIDE,
	    .powers = true,
	    .n_columns = BINS,
	    .n_series = 2,
	    .n_ticks = 5,
	    .n_marks = 2,
	    .marks = {{"spam cut-off", cutoffs->spam_cutoff * BINS},
		{"ham cut-off", cutoffs->ham_cutoff * BINS}}};
	chart->series[0].name = "Ham";
	chart->series[0].css_class = "passed";
	chart->series[1].name = "Spam";
	chart->series[1].css_class = "failed";
	for (size_t i = first; i < samples->len; i++) {
		const struct sample *s = sample_at(samples, i);

		chart->series[s->spam]
		    .values[(unsigned)CLAMP(s->score.probability * BINS, 0, BINS - 1)]++;
	}
	for (unsigned i = 0; i < BINS; i++)
		g_snprintf(chart->labels[i], sizeof chart->labels[i], "%.3f" DASH "%.3f",
		    (double)i / BINS, (i + 1.0) / BINS);
	for (unsigned i = 0; i < chart->n_ticks; i++)
		g_snprintf(chart->ticks[i], sizeof chart->ticks[i], "%.2f",
		    i / (double)(chart->n_ticks - 1));
	chart_card(chart, "half", html, empty);
}

/* A number of messages below the axis: 6046, 20k, 1M. */
static void
short_number(size_t n, char *ret_text, size_t size)
{
	if (n >= 1000000)
		g_snprintf(ret_text, size, "%.3gM", (double)n / 1e6);
	else if (n >= 10000)
		g_snprintf(ret_text, size, "%.3gk", (double)n / 1e3);
	else
		g_snprintf(ret_text, size, "%zu", n);
}

static void
append_curve(GString *html, GString *empty, const GPtrArray *samples)
{
	g_autofree struct chart *chart = g_new0(struct chart, 1);
	unsigned n = 0;

	*chart = (struct chart){.id = "learning",
	    .title = "Learning curve",
	    .note = "Each stretch by the number of messages that were learned at its end.",
	    .description = "Spam caught and sure verdicts by the number of messages learned.",
	    .nothing = "It takes more than 100 messages.",
	    .column = "Messages learned",
	    .unit = SPACE "%",
	    .digits = 1,
	    .shape = CHART_LINES,
	    .top = 100,
	    .n_series = 2};
	chart->series[0].name = "Spam caught";
	chart->series[0].css_class = "failed";
	chart->series[1].name = "Sure verdicts";
	chart->series[1].css_class = "passed";
	for (size_t start = 0; start < samples->len && n < CHART_TICKS_MAX; n++) {
		size_t end = report_next_segment(start, samples->len);
		struct accuracy a = accuracy_of(samples, start, end);

		chart->series[0].values[n] = a.spam ? 100 * a.spam_caught : NAN;
		chart->series[1].values[n] = 100 * (1 - a.unsure);
		g_snprintf(chart->labels[n], sizeof chart->labels[n], "%zu", end);
		short_number(end, chart->ticks[n], sizeof chart->ticks[n]);
		start = end;
	}
	chart->n_columns = chart->n_ticks = n;
	chart_card(chart, "wide", html, empty);
}

/* -- tables -- */

static void
append_share(GString *html, bool known, int digits, double share)
{
	if (known)
		g_string_append_printf(html,
		    "<td class=\"n\">%.*f" SPACE "%%"
		    "</td>",
		    digits, 100 * share);
	else
		g_string_append(html, "<td class=\"n\">" DASH "</td>");
}

static void
append_segments(GString *html, const GPtrArray *samples)
{
	static const char *const heads[] = {
	    "Messages", "1-ROCA", "Ham lost", "Spam caught", "Unsure", NULL};

	g_string_append(html, "<section class=\"card\"><h2 id=\"segments\">While it learned</h2>");
	chart_table_begin(html, "segments", heads);
	for (size_t start = 0; start < samples->len;) {
		size_t end = report_next_segment(start, samples->len);
		struct accuracy a = accuracy_of(samples, start, end);

		g_string_append(html, "<tr><th scope=\"row\">");
		chart_number(html, start + 1);
		g_string_append(html, " to ");
		chart_number(html, end);
		g_string_append(html, "</th>");
		append_share(html, a.spam && a.ham, 3, a.roca);
		append_share(html, a.ham, 2, a.ham_lost);
		append_share(html, a.spam, 1, a.spam_caught);
		append_share(html, true, 1, a.unsure);
		g_string_append(html, "</tr>\n");
		start = end;
	}
	chart_table_end(html);
	g_string_append(html, "</section>\n");
}

static int
by_wrongness(const void *a, const void *b)
{
	double x = sample_wrongness(*(const struct sample *const *)a);
	double y = sample_wrongness(*(const struct sample *const *)b);

	return (x < y) - (x > y);
}

static void
append_words(GString *html, const struct sample *s)
{
	if (!s->why || !s->why->len) {
		g_string_append(html, "<p class=\"soft\">None of its words weighed anything.</p>");
		return;
	}
	g_string_append(html, "<ul class=\"words\">");
	for (guint i = 0; i < s->why->len; i++) {
		const struct sample_word *word = &g_array_index(s->why, struct sample_word, i);

		g_string_append_printf(
		    html, "<li class=\"%s\"><b>", word->weight > 0 ? "spam" : "ham");
		chart_name(html, word->text);
		g_string_append_printf(html,
		    "</b> <small>%u spam, %u ham</small><span class=\"hidden\"> speaks for "
		    "%s</span></li>",
		    word->spam, word->ham, word->weight > 0 ? "spam" : "ham");
	}
	g_string_append(html, "</ul>");
}

static void
append_mistake(GString *html, const struct sample *s)
{
	bool sure = s->score.verdict == (s->spam ? VERDICT_HAM : VERDICT_SPAM);

	g_string_append_printf(html,
	    "<li><p class=\"head\"><span class=\"pill%s\">%s %s</span> <b>%.4f</b> ",
	    sure ? " bad" : "", s->spam ? "spam" : "ham",
	    !sure     ? "left unsure"
	    : s->spam ? "judged ham"
		      : "judged spam",
	    s->score.probability);
	chart_name(html, s->name);
	g_string_append(html, "</p>");
	append_words(html, s);
	g_string_append(html, "</li>\n");
}

static void
append_mistakes(GString *html, GString *empty, const GPtrArray *samples, size_t first)
{
	g_autoptr(GPtrArray) wrong = g_ptr_array_new();

	for (size_t i = first; i < samples->len; i++)
		if (sample_wrongness(sample_at(samples, i)) > 0)
			g_ptr_array_add(wrong, g_ptr_array_index(samples, i));
	if (!wrong->len) {
		chart_line(empty, "The worst mistakes", "No score leans to the wrong side.");
		return;
	}
	g_ptr_array_sort(wrong, by_wrongness);
	g_string_append(html,
	    "<section class=\"card\"><h2>The worst mistakes</h2><p class=\"soft\">Messages whose "
	    "score leans furthest to the wrong side, with the words that weighed most: red ones "
	    "spoke for spam, green ones for ham. Beside each word stands how many messages of each "
	    "kind it had been in by then.</p><ol class=\"mistakes\">\n");
	for (guint i = 0; i < MIN(wrong->len, MISTAKES); i++)
		append_mistake(html, sample_at(wrong, i));
	g_string_append(html, "</ol></section>\n");
}

/* -- the whole -- */

static void
append_figure(GString *html, const char *name, double percent, int digits)
{
	g_string_append_printf(html,
	    "<section class=\"card\"><h2>%s</h2><p class=\"kpi\">%.*f<small>" SPACE "%%"
	    "</small></p></section>",
	    name, digits, percent);
}

static void
append_head(GString *html, const char *title, const struct accuracy *a, size_t first)
{
	g_string_append(html,
	    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>");
	chart_escape(html, title);
	g_string_append_printf(html,
	    "</title><style>%s</style><style>%s</style></head><body><main><header><h1>",
	    chart_style, style);
	chart_escape(html, title);
	g_string_append(html, "</h1><p>");
	chart_number(html, a->spam);
	g_string_append(html, " spam and ");
	chart_number(html, a->ham);
	g_string_append(html, " ham, each judged before it was learned");
	if (first) {
		g_string_append(html, "; the first ");
		chart_number(html, first);
		g_string_append(html, " of all were learned and not counted");
	}
	g_string_append(html, ".</p></header>");
}

char *
report_html(const char *title, const GPtrArray *samples, size_t first,
    const struct mixture_options *cutoffs)
{
	struct accuracy a = accuracy_of(samples, first, samples->len);
	g_autoptr(GString) empty = g_string_new(NULL), tables = g_string_new(NULL);
	GString *html = g_string_new(NULL);

	append_head(html, title, &a, first);
	g_string_append(html, "<div class=\"kpis\">");
	append_figure(html, "1-ROCA", 100 * a.roca, 4);
	append_figure(html, "Ham lost", 100 * a.ham_lost, 3);
	append_figure(html, "Spam caught", 100 * a.spam_caught, 1);
	append_figure(html, "Unsure", 100 * a.unsure, 1);
	append_figure(html, "Spam missed at 0.1" SPACE "% ham lost", 100 * a.missed, 1);
	g_string_append(html, "</div><div class=\"grid\">");
	append_roc(html, empty, samples, first);
	append_histogram(html, empty, samples, first, cutoffs);
	append_curve(html, empty, samples);
	g_string_append(html, "</div>");
	append_segments(tables, samples);
	append_mistakes(tables, empty, samples, first);
	if (empty->len)
		g_string_append_printf(html, "<div class=\"card lines\">%s</div>", empty->str);
	g_string_append_printf(html, "%s</main></body></html>\n", tables->str);
	return g_string_free(html, FALSE);
}
