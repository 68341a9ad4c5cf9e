#include "config.h"

#include "classifier/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of each chart, in SVG's units. */
#define WIDTH  560
#define HEIGHT 260
#define LEFT   52
#define BOTTOM 34
#define TOP    12
#define RIGHT  12

#define BINS     40
#define MISTAKES 20

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1d2733;--soft:#5b6b7d;--paper:#fbfbf9;--line:#d9dee4;"
    "--spam:#c2542d;--ham:#2d7f72}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4e8ec;--soft:#9aa8b6;--paper:#171b20;"
    "--line:#343c46;--spam:#ef8a62;--ham:#5fc0b0}}"
    "body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);"
    "max-width:72rem;margin:2rem auto;padding:0 1rem}"
    "h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2rem}"
    ".n{display:flex;flex-wrap:wrap;gap:1rem;padding:0}.n li{list-style:none;border:1px solid "
    "var(--line);border-radius:8px;padding:.7rem 1rem;min-width:9rem}"
    ".n b{display:block;font-size:1.5rem}.n span,figcaption,td small{color:var(--soft)}"
    "figure{margin:0}.g{display:grid;gap:2rem;grid-template-columns:repeat(auto-fit,minmax(20rem,"
    "1fr))}svg{width:100%;height:auto}svg text{fill:var(--soft);font-size:12px}"
    "svg .a{stroke:var(--line);fill:none}svg .s{stroke:var(--spam);fill:none;stroke-width:2}"
    "svg .h{stroke:var(--ham);fill:none;stroke-width:2}svg .fs{fill:var(--spam)}svg .fh{fill:var("
    "--ham)}svg .c{stroke:var(--soft);stroke-dasharray:4 4}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .6rem;border-"
    "bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}td.r,th.r{text-align:"
    "right;font-variant-numeric:tabular-nums}";

static void
append_escaped(GString *html, const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	g_autofree char *escaped = g_markup_escape_text(valid, -1);

	g_string_append(html, escaped);
}

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

static double
x_of(double share)
{
	return LEFT + share * (WIDTH - LEFT - RIGHT);
}

static double
y_of(double share)
{
	return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP);
}

static void
begin_chart(GString *html, const char *title, const char *x, const char *y)
{
	g_string_append_printf(html,
	    "<figure><svg viewBox=\"0 0 %d %d\" role=\"img\"><title>%s</title>"
	    "<path class=\"a\" d=\"M%d %dV%dH%d\"/><text x=\"%d\" y=\"%d\" "
	    "text-anchor=\"end\">%s</text>"
	    "<text x=\"%d\" y=\"%d\">%s</text>",
	    WIDTH, HEIGHT, title, LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT, WIDTH - RIGHT,
	    HEIGHT - 4, x, 4, TOP + 8, y);
}

static void
end_chart(GString *html, const char *caption)
{
	g_string_append_printf(html, "</svg><figcaption>%s</figcaption></figure>\n", caption);
}

static void
append_number(GString *html, double number)
{
	char text[G_ASCII_DTOSTR_BUF_SIZE];

	g_string_append(html, g_ascii_formatd(text, sizeof text, "%.1f", number));
}

static void
append_point(GString *html, double x, double y)
{
	g_string_append_c(html, ' ');
	append_number(html, x_of(x));
	g_string_append_c(html, ',');
	append_number(html, y_of(y));
}

static int
by_evidence_falling(const void *a, const void *b)
{
	const struct sample *x = *(const struct sample *const *)a;
	const struct sample *y = *(const struct sample *const *)b;

	return (x->score.evidence < y->score.evidence) - (x->score.evidence > y->score.evidence);
}

/* Ham lost from 0.01 % to 100 % on a scale of powers of ten: all that matters is at its left. */
static double
log_share(double share)
{
	return share <= 1e-4 ? 0 : 1 + log10(share) / 4;
}

static void
append_roc(GString *html, const GPtrArray *samples, size_t first)
{
	g_autoptr(GPtrArray) sorted = g_ptr_array_new();
	struct accuracy a = accuracy_of(samples, first, samples->len);
	size_t spam = 0, ham = 0;

	for (size_t i = first; i < samples->len; i++)
		g_ptr_array_add(sorted, g_ptr_array_index(samples, i));
	g_ptr_array_sort(sorted, by_evidence_falling);
	begin_chart(html, "ROC curve", "ham lost, 0.01 % to 100 %", "spam caught");
	g_string_append(html, "<polyline class=\"s\" points=\"");
	for (guint i = 0; i < sorted->len && a.spam && a.ham; i++) {
		const struct sample *s = sample_at(sorted, i);

		spam += s->spam;
		ham += !s->spam;
		/* Points where a ham comes are enough: in between the curve only rises. */
		if (!s->spam || i + 1 == sorted->len)
			append_point(html, log_share((double)ham / (double)a.ham),
			    (double)spam / (double)a.spam);
	}
	g_string_append(html, "\"/>");
	for (int power = -4; power <= 0; power++)
		g_string_append_printf(html,
		    "<text x=\"%.0f\" y=\"%d\" text-anchor=\"middle\">%g %%</text>",
		    x_of(1 + power / 4.0), HEIGHT - BOTTOM + 16, pow(10, power + 2));
	end_chart(html, "How much spam is caught for how much ham lost, over all cut-offs.");
}

static void
append_bars(GString *html, const unsigned *bins, unsigned highest, const char *class, double shift)
{
	double width = (double)(WIDTH - LEFT - RIGHT) / BINS / 2.2;

	for (unsigned i = 0; i < BINS; i++) {
		double share = bins[i] ? log1p(bins[i]) / log1p(highest) : 0;

		g_string_append_printf(html, "<rect class=\"%s\" x=\"", class);
		append_number(html, x_of((double)i / BINS) + shift * width);
		g_string_append(html, "\" y=\"");
		append_number(html, y_of(share));
		g_string_append(html, "\" width=\"");
		append_number(html, width);
		g_string_append(html, "\" height=\"");
		append_number(html, y_of(0) - y_of(share));
		g_string_append_printf(html, "\"><title>%u</title></rect>", bins[i]);
	}
}

static void
append_histogram(
    GString *html, const GPtrArray *samples, size_t first, const struct mixture_options *cutoffs)
{
	unsigned spam[BINS] = {0}, ham[BINS] = {0}, highest = 1;
	const double marks[] = {cutoffs->ham_cutoff, cutoffs->spam_cutoff};

	for (size_t i = first; i < samples->len; i++) {
		const struct sample *s = sample_at(samples, i);
		unsigned bin = (unsigned)CLAMP(s->score.probability * BINS, 0, BINS - 1);
		unsigned *count = s->spam ? &spam[bin] : &ham[bin];

		highest = MAX(highest, ++*count);
	}
	begin_chart(html, "Scores", "score, 0 to 1", "messages, log scale");
	append_bars(html, ham, highest, "fh", 0);
	append_bars(html, spam, highest, "fs", 1);
	for (size_t i = 0; i < G_N_ELEMENTS(marks); i++)
		g_string_append_printf(html, "<path class=\"c\" d=\"M%.0f %dV%d\"/>",
		    x_of(marks[i]), TOP, HEIGHT - BOTTOM);
	end_chart(
	    html, "Ham (green) and spam (orange) by score; the dashed lines are the cut-offs.");
}

static void
append_curve(GString *html, const GPtrArray *samples)
{
	double last = log10(MAX((double)samples->len, 101)) - 2;
	g_autoptr(GString) caught = g_string_new(NULL), sure = g_string_new(NULL);

	for (size_t start = 0; start < samples->len;) {
		size_t end = report_next_segment(start, samples->len);
		struct accuracy a = accuracy_of(samples, start, end);
		double x = (log10((double)MAX(end, 100)) - 2) / last;

		append_point(caught, x, a.spam_caught);
		append_point(sure, x, 1 - a.unsure);
		start = end;
	}
	begin_chart(
	    html, "Learning curve", "messages learned, 100 to all, log scale", "0 to 100 %");
	g_string_append_printf(html,
	    "<polyline class=\"s\" points=\"%s\"/><polyline class=\"h\" points=\"%s\"/>",
	    caught->str, sure->str);
	end_chart(html, "Spam caught (orange) and share of messages with a sure verdict (green).");
}

/* -- tables -- */

static void
append_segments(GString *html, const GPtrArray *samples)
{
	g_string_append(html,
	    "<table><tr><th>Messages<th class=\"r\">1-ROCA %<th class=\"r\">Ham lost "
	    "%<th class=\"r\">Spam caught %<th class=\"r\">Unsure %</tr>\n");
	for (size_t start = 0; start < samples->len;) {
		size_t end = report_next_segment(start, samples->len);
		struct accuracy a = accuracy_of(samples, start, end);

		g_string_append_printf(html,
		    "<tr><td>%zu to %zu<td class=\"r\">%.3f<td class=\"r\">%.2f<td "
		    "class=\"r\">%.1f<td "
		    "class=\"r\">%.1f</tr>\n",
		    start + 1, end, 100 * a.roca, 100 * a.ham_lost, 100 * a.spam_caught,
		    100 * a.unsure);
		start = end;
	}
	g_string_append(html, "</table>\n");
}

static double
wrongness(const struct sample *s)
{
	return s->spam ? -s->score.evidence : s->score.evidence;
}

static int
by_wrongness(const void *a, const void *b)
{
	double x = wrongness(*(const struct sample *const *)a);
	double y = wrongness(*(const struct sample *const *)b);

	return (x < y) - (x > y);
}

static void
append_mistakes(GString *html, const GPtrArray *samples, size_t first)
{
	g_autoptr(GPtrArray) sorted = g_ptr_array_new();

	for (size_t i = first; i < samples->len; i++)
		g_ptr_array_add(sorted, g_ptr_array_index(samples, i));
	g_ptr_array_sort(sorted, by_wrongness);
	g_string_append(html,
	    "<table><tr><th>Message<th>Is<th class=\"r\">Score<th>Words that weighed most</tr>\n");
	for (guint i = 0; i < MIN(sorted->len, MISTAKES); i++) {
		const struct sample *s = sample_at(sorted, i);

		if (wrongness(s) <= 0)
			break;
		g_string_append(html, "<tr><td>");
		append_escaped(html, s->name);
		g_string_append_printf(html, "<td>%s<td class=\"r\">%.4f<td><small>",
		    s->spam ? "spam" : "ham", s->score.probability);
		append_escaped(html, s->why ? s->why : "");
		g_string_append(html, "</small></tr>\n");
	}
	g_string_append(html, "</table>\n");
}

static void
append_figure(GString *html, const char *name, double percent, int digits)
{
	g_string_append_printf(
	    html, "<li><span>%s</span><b>%.*f %%</b></li>", name, digits, percent);
}

char *
report_html(const char *title, const GPtrArray *samples, size_t first,
    const struct mixture_options *cutoffs)
{
	struct accuracy a = accuracy_of(samples, first, samples->len);
	GString *html =
	    g_string_new("<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><meta "
			 "name=\"viewport\" content=\"width=device-width\"><title>");

	append_escaped(html, title);
	g_string_append_printf(html, "</title><style>%s</style><h1>", style);
	append_escaped(html, title);
	g_string_append_printf(html,
	    "</h1><p>%zu spam and %zu ham, each judged before it was learned; the first %zu of all "
	    "were learned and not counted.</p><ul class=\"n\">",
	    a.spam, a.ham, first);
	append_figure(html, "1-ROCA", 100 * a.roca, 4);
	append_figure(html, "Ham lost", 100 * a.ham_lost, 3);
	append_figure(html, "Spam caught", 100 * a.spam_caught, 1);
	append_figure(html, "Unsure", 100 * a.unsure, 1);
	append_figure(html, "Spam missed at 0.1 % ham lost", 100 * a.missed, 1);
	g_string_append(html, "</ul><div class=\"g\">");
	append_roc(html, samples, first);
	append_histogram(html, samples, first, cutoffs);
	append_curve(html, samples);
	g_string_append(html, "</div><h2>While it learned</h2>");
	append_segments(html, samples);
	g_string_append(html, "<h2>The worst mistakes</h2>");
	append_mistakes(html, samples, first);
	return g_string_free(html, FALSE);
}
