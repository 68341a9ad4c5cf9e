#include "policyd/http_chart.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define WIDTH  10  /* units of a column, with its gap */
#define HEIGHT 100 /* units of the axis */

void
chart_escape(GString *out, const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	g_autofree char *escaped = g_markup_escape_text(valid, -1);

	g_string_append(out, escaped);
}

void
chart_number(GString *out, uint64_t number)
{
	char digits[24];
	size_t n = (size_t)g_snprintf(digits, sizeof digits, "%" PRIu64, number);

	for (size_t i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			g_string_append(out, "\xe2\x80\xaf"); /* narrow no-break space */
		g_string_append_c(out, digits[i]);
	}
}

double
chart_round_up(double value)
{
	static const double steps[] = {1, 2, 4, 6, 8, 10};
	double decade = 1;

	while (decade * 10 < value)
		decade *= 10;
	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++)
		if (value <= steps[i] * decade)
			return steps[i] * decade;
	return value;
}

static void
append_number(GString *out, double value)
{
	char text[G_ASCII_DTOSTR_BUF_SIZE];

	g_string_append(out, g_ascii_formatd(text, sizeof text, "%.2f", value));
}

/* An attribute with a number for its value. */
static void
attribute(GString *out, const char *name, double value)
{
	g_string_append_printf(out, " %s=\"", name);
	append_number(out, value);
	g_string_append_c(out, '"');
}

/* An element with four numbers, which NAMES tells. */
static void
element(GString *out, const char *tag, const char *css_class, const char *const names[4],
    const double values[4])
{
	g_string_append_printf(out, "<%s class=\"%s\"", tag, css_class);
	for (int i = 0; i < 4; i++)
		attribute(out, names[i], values[i]);
	g_string_append(out, "/>");
}

static void
line(GString *out, const char *css_class, double x1, double y1, double x2, double y2)
{
	static const char *const names[] = {"x1", "y1", "x2", "y2"};

	element(out, "line", css_class, names, (const double[]){x1, y1, x2, y2});
}

static void
rectangle(GString *out, const char *css_class, double x, double y, double width, double height)
{
	static const char *const names[] = {"x", "y", "width", "height"};

	element(out, "rect", css_class, names, (const double[]){x, y, width, height});
}

static void
value_text(const struct chart *chart, double value, GString *out)
{
	if (isnan(value))
		g_string_append(out, "\xe2\x80\x93");
	else
		chart_number(out, (uint64_t)(value + 0.5));
	if (!isnan(value))
		chart_escape(out, chart->unit);
}

static double
top_of(const struct chart *chart)
{
	double top = 1;

	if (chart->top > 0)
		return chart->top;
	for (unsigned i = 0; i < chart->n_columns; i++) {
		double sum = 0;

		for (unsigned s = 0; s < chart->n_series; s++)
			if (!isnan(chart->series[s].values[i]))
				sum += chart->series[s].values[i];
		top = MAX(top, sum);
	}
	return chart_round_up(top);
}

/* One column, with what it stands for shown when the pointer rests on it. */
static void
column(const struct chart *chart, unsigned i, double top, GString *out)
{
	double y = HEIGHT;

	g_string_append(out, "<g class=\"col\"><title>");
	chart_escape(out, chart->labels[i]);
	for (unsigned s = 0; s < chart->n_series; s++) {
		g_string_append(out, ", ");
		chart_escape(out, chart->series[s].name);
		g_string_append_c(out, ' ');
		value_text(chart, chart->series[s].values[i], out);
	}
	g_string_append(out, "</title>");
	rectangle(out, "hit", i * WIDTH, 0, WIDTH, HEIGHT);
	for (unsigned s = 0; s < chart->n_series; s++) {
		double value = chart->series[s].values[i];
		double height = isnan(value) ? 0 : HEIGHT * MIN(value / top, 1);
		g_autofree char *css = g_strdup_printf("s-%s", chart->series[s].css_class);

		if (height <= 0)
			continue;
		y -= height;
		rectangle(out, css, i * WIDTH + 1.2, y, WIDTH - 2.4, height);
	}
	g_string_append(out, "</g>");
}

static void
axis(const struct chart *chart, double top, GString *out)
{
	g_string_append(out, "<div class=\"ys\" aria-hidden=\"true\">");
	for (int i = 2; i >= 0; i--) {
		g_string_append(out, "<span>");
		if (i == 1 && top < 2)
			g_string_append(out, "&#160;");
		else
			value_text(chart, top * i / 2, out);
		g_string_append(out, "</span>");
	}
	g_string_append(out, "</div>");
}

static void
picture(const struct chart *chart, double top, GString *out)
{
	g_string_append_printf(out,
	    "<svg role=\"img\" aria-labelledby=\"%s-t %s-d\" viewBox=\"0 0 %u %d\" "
	    "preserveAspectRatio=\"none\"><title id=\"%s-t\">",
	    chart->id, chart->id, chart->n_columns * WIDTH, HEIGHT, chart->id);
	chart_escape(out, chart->title);
	g_string_append_printf(out, "</title><desc id=\"%s-d\">", chart->id);
	chart_escape(out, chart->description);
	g_string_append(out, "</desc>");
	for (int i = 0; i < 2; i++)
		line(out, "gridline", 0, HEIGHT * i / 2.0, chart->n_columns * WIDTH,
		    HEIGHT * i / 2.0);
	for (unsigned i = 0; i < chart->n_columns; i++)
		column(chart, i, top, out);
	for (unsigned i = 0; i < chart->n_marks; i++)
		if (chart->marks[i].at >= 0)
			line(out, i ? "mark two" : "mark", chart->marks[i].at * WIDTH, 0,
			    chart->marks[i].at * WIDTH, HEIGHT);
	line(out, "base", 0, HEIGHT, chart->n_columns * WIDTH, HEIGHT);
	g_string_append(out, "</svg>");
}

static void
table(const struct chart *chart, GString *out)
{
	g_string_append_printf(out,
	    "<details id=\"%s-n\"><summary id=\"%s-s\">Numbers</summary><div class=\"scroll\" "
	    "id=\"%s-b\" tabindex=\"0\" role=\"group\" aria-labelledby=\"%s-t\">"
	    "<table><thead><tr><th scope=\"col\">",
	    chart->id, chart->id, chart->id, chart->id);
	chart_escape(out, chart->column);
	for (unsigned s = 0; s < chart->n_series; s++) {
		g_string_append(out, "</th><th scope=\"col\" class=\"n\">");
		chart_escape(out, chart->series[s].name);
	}
	g_string_append(out, "</th></tr></thead><tbody>");
	for (unsigned i = 0; i < chart->n_columns; i++) {
		g_string_append(out, "<tr><th scope=\"row\">");
		chart_escape(out, chart->labels[i]);
		g_string_append(out, "</th>");
		for (unsigned s = 0; s < chart->n_series; s++) {
			g_string_append(out, "<td class=\"n\">");
			value_text(chart, chart->series[s].values[i], out);
			g_string_append(out, "</td>");
		}
		g_string_append(out, "</tr>");
	}
	g_string_append(out, "</tbody></table></div></details>");
}

static void
legend(const struct chart *chart, GString *out)
{
	if (chart->n_series < 2)
		return;
	g_string_append(out, "<ul class=\"legend\">");
	for (unsigned s = 0; s < chart->n_series; s++) {
		g_string_append_printf(
		    out, "<li><span class=\"dot d-%s\"></span>", chart->series[s].css_class);
		chart_escape(out, chart->series[s].name);
		g_string_append(out, "</li>");
	}
	g_string_append(out, "</ul>");
}

void
chart_render(const struct chart *chart, GString *out)
{
	double top = top_of(chart);

	g_string_append(out, "<figure><h2>");
	chart_escape(out, chart->title);
	g_string_append(out, "</h2>");
	if (chart->note) {
		g_string_append(out, "<p class=\"soft\">");
		chart_escape(out, chart->note);
		g_string_append(out, "</p>");
	}
	legend(chart, out);
	g_string_append(out, "<div class=\"plot\">");
	axis(chart, top, out);
	picture(chart, top, out);
	g_string_append(out, "<div class=\"xs\" aria-hidden=\"true\">");
	for (unsigned i = 0; i < chart->n_ticks; i++) {
		g_string_append(out, "<span>");
		chart_escape(out, chart->ticks[i]);
		g_string_append(out, "</span>");
	}
	g_string_append(out, "</div></div>");
	table(chart, out);
	g_string_append(out, "</figure>");
}

void
chart_bar(GString *out, double value, double top, const char *css_class)
{
	g_autofree char *css = g_strdup_printf("s-%s", css_class);

	g_string_append(
	    out, "<svg aria-hidden=\"true\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\">");
	rectangle(out, css, 0, 0, top > 0 ? 100 * MIN(value / top, 1) : 0, 8);
	g_string_append(out, "</svg>");
}
