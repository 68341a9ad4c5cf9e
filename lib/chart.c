#include "config.h"

#include "lib/chart.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define WIDTH  10  /* units of a column, with its gap */
#define HEIGHT 100 /* units of the axis */

/* Where a name may go on in the next line: after one of these. */
#define JOINTS "/.:_@=,-"

#define NUMBER_SPACE "\xe2\x80\xaf" /* narrow, and no line breaks there */
#define DASH         "\xe2\x80\x93"

const char chart_style[] =
#include "lib/page.cssi"
    ;

/* -- words and numbers -- */

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
			g_string_append(out, NUMBER_SPACE);
		g_string_append_c(out, digits[i]);
	}
}

void
chart_name(GString *out, const char *name)
{
	g_string_append(out, "<code>");
	while (*name) {
		size_t n = strcspn(name, JOINTS);
		g_autofree char *part = NULL;

		n += strspn(name + n, JOINTS);
		part = g_strndup(name, n);
		chart_escape(out, part);
		name += n;
		if (*name)
			g_string_append(out, "<wbr>");
	}
	g_string_append(out, "</code>");
}

void
chart_line(GString *out, const char *title, const char *text)
{
	g_string_append(out, "<section class=\"none\"><h2>");
	chart_escape(out, title);
	g_string_append_printf(out, "</h2><p>%s</p></section>", text);
}

/* The box is reached by the keyboard, which scrolls it. */
static void
scrolled_begin(GString *out, const char *css_class, const char *id, const char *label)
{
	g_string_append_printf(out,
	    "<div class=\"%s\" id=\"%s-b\" tabindex=\"0\" role=\"group\" "
	    "aria-labelledby=\"%s\"><table><thead><tr>",
	    css_class, id, label);
}

void
chart_table_begin(GString *out, const char *id, const char *const *heads)
{
	scrolled_begin(out, "sideways", id, id);
	for (int i = 0; heads[i]; i++)
		g_string_append_printf(
		    out, "<th scope=\"col\"%s>%s</th>", i ? " class=\"n\"" : "", heads[i]);
	g_string_append(out, "</tr></thead><tbody>");
}

void
chart_table_end(GString *out)
{
	g_string_append(out, "</tbody></table></div>");
}

/* -- elements of pictures -- */

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

/* -- the axis -- */

static void
value_text(const struct chart *chart, double value, GString *out)
{
	if (isnan(value))
		g_string_append(out, DASH);
	else if (chart->digits)
		g_string_append_printf(out, "%.*f", (int)chart->digits, value);
	else
		chart_number(out, (uint64_t)(value + 0.5));
	if (!isnan(value))
		chart_escape(out, chart->unit);
}

struct axis {
	double top;
	unsigned steps; /* between its labels, which are evenly spaced */
	bool powers;
};

static double
highest(const struct chart *chart)
{
	double top = 1;

	for (unsigned i = 0; i < chart->n_columns; i++) {
		double sum = 0;

		for (unsigned s = 0; s < chart->n_series; s++) {
			double value = chart->series[s].values[i];

			if (!isnan(value))
				sum = chart->shape == CHART_STACKED ? sum + value : MAX(sum, value);
		}
		top = MAX(top, sum);
	}
	return top;
}

static struct axis
axis_of(const struct chart *chart)
{
	struct axis axis = {.top = chart->top > 0 ? chart->top : highest(chart)};

	axis.powers = chart->powers;
	if (axis.powers) {
		axis.steps = MAX((unsigned)ceil(log10(axis.top) - 1e-9), 1) + 1;
		axis.top = pow(10, axis.steps - 1);
	} else {
		axis.steps = 2;
		axis.top = chart->top > 0 ? axis.top : chart_round_up(axis.top);
	}
	return axis;
}

/* By powers of ten, 1 stands one step above nothing. */
static double
share_of(const struct axis *axis, double value)
{
	if (isnan(value) || value <= 0)
		return 0;
	if (axis->powers)
		return CLAMP((log10(value) + 1) / axis->steps, 0, 1);
	return MIN(value / axis->top, 1);
}

static void
axis_labels(const struct chart *chart, const struct axis *axis, GString *out)
{
	g_string_append(out, "<div class=\"ys\" aria-hidden=\"true\">");
	for (unsigned i = axis->steps + 1; i-- > 0;) {
		double value =
		    axis->powers ? (i ? pow(10, i - 1.0) : 0) : axis->top * i / axis->steps;

		g_string_append(out, "<span>");
		if (value > 0 && value < 1)
			g_string_append(out, "&#160;");
		else if (isnan(value) || chart->digits == 0)
			value_text(chart, value, out);
		else
			g_string_append_printf(out, "%g%s", value, chart->unit);
		g_string_append(out, "</span>");
	}
	g_string_append(out, "</div>");
}

/* -- the picture -- */

static double
width_of(const struct chart *chart)
{
	return WIDTH * (chart->shape == CHART_LINES ? chart->n_columns - 1 : chart->n_columns);
}

static void
column_title(const struct chart *chart, unsigned i, GString *out)
{
	g_string_append(out, "<title>");
	chart_escape(out, chart->labels[i]);
	if (chart->hour_0)
		g_string_append(out, " UTC");
	for (unsigned s = 0; s < chart->n_series; s++) {
		g_string_append(out, ", ");
		chart_escape(out, chart->series[s].name);
		g_string_append_c(out, ' ');
		value_text(chart, chart->series[s].values[i], out);
	}
	g_string_append(out, "</title>");
}

/* One column, with what it stands for shown when the pointer rests on it. */
static void
column(const struct chart *chart, const struct axis *axis, unsigned i, GString *out)
{
	double left = chart->shape == CHART_LINES ? (i - 0.5) * WIDTH : i * WIDTH;
	bool beside = chart->shape == CHART_BESIDE;
	double width = (WIDTH - 2.4) / (beside ? chart->n_series : 1), y = HEIGHT;

	g_string_append(out, "<g class=\"col\">");
	column_title(chart, i, out);
	rectangle(out, "hit", left, 0, WIDTH, HEIGHT);
	for (unsigned s = 0; chart->shape != CHART_LINES && s < chart->n_series; s++) {
		double height = HEIGHT * share_of(axis, chart->series[s].values[i]);
		g_autofree char *css = g_strdup_printf("s-%s", chart->series[s].css_class);

		if (height <= 0)
			continue;
		y = beside ? HEIGHT - height : y - height;
		rectangle(out, css, left + 1.2 + (beside ? s * width : 0), y, width, height);
	}
	g_string_append(out, "</g>");
}

/* Through all that is known; a dot alone is a line of no length with round ends. */
static void
line_of_series(const struct chart *chart, const struct axis *axis, unsigned series, GString *out)
{
	const struct chart_series *s = &chart->series[series];
	bool on = false;

	g_string_append_printf(out, "<path class=\"l-%s\" d=\"", s->css_class);
	for (unsigned i = 0; i < chart->n_columns; i++) {
		if (!isnan(s->values[i])) {
			g_string_append(out, on ? "L" : "M");
			append_number(out, i * WIDTH);
			g_string_append_c(out, ' ');
			append_number(out, HEIGHT * (1 - share_of(axis, s->values[i])));
		}
		on = !isnan(s->values[i]);
	}
	g_string_append(out, "\"/>");
}

static void
picture(const struct chart *chart, const struct axis *axis, GString *out)
{
	double width = width_of(chart);

	g_string_append_printf(out,
	    "<svg role=\"img\" aria-labelledby=\"%s-t %s-d\" viewBox=\"0 0 %.0f %d\" "
	    "preserveAspectRatio=\"none\"><title id=\"%s-t\">",
	    chart->id, chart->id, width, HEIGHT, chart->id);
	chart_escape(out, chart->title);
	g_string_append_printf(out, "</title><desc id=\"%s-d\">", chart->id);
	chart_escape(out, chart->description);
	g_string_append(out, "</desc>");
	for (unsigned i = 0; i < axis->steps; i++)
		line(out, "gridline", 0, HEIGHT * (double)i / axis->steps, width,
		    HEIGHT * (double)i / axis->steps);
	for (unsigned i = 0; i < chart->n_columns; i++)
		column(chart, axis, i, out);
	for (unsigned s = 0; chart->shape == CHART_LINES && s < chart->n_series; s++)
		line_of_series(chart, axis, s, out);
	for (unsigned i = 0; i < chart->n_marks; i++)
		if (chart->marks[i].at >= 0)
			line(out, i ? "mark two" : "mark", chart->marks[i].at * WIDTH, 0,
			    chart->marks[i].at * WIDTH, HEIGHT);
	line(out, "base", 0, HEIGHT, width, HEIGHT);
	g_string_append(out, "</svg>");
}

/* -- round the picture -- */

/* Of a column; where columns are hours, the page's script puts the reader's own time to it. */
static void
label_text(const struct chart *chart, unsigned i, GString *out)
{
	g_autoptr(GDateTime) time =
	    chart->hour_0 ? g_date_time_new_from_unix_utc((chart->hour_0 + i) * 3600) : NULL;
	g_autofree char *at = time ? g_date_time_format(time, "%Y-%m-%dT%H:%MZ") : NULL;

	if (at)
		g_string_append_printf(out, "<time datetime=\"%s\">", at);
	chart_escape(out, chart->labels[i]);
	if (at)
		g_string_append(out, "</time>");
}

static void
ticks(const struct chart *chart, GString *out)
{
	unsigned step = chart->n_ticks > 1 ? chart->n_columns / (chart->n_ticks - 1) : 0;

	if (chart->hour_0)
		g_string_append(out, "<div class=\"zone\" aria-hidden=\"true\">UTC</div>");
	g_string_append(out, "<div class=\"xs\" aria-hidden=\"true\">");
	for (unsigned i = 0; i < chart->n_ticks; i++) {
		g_string_append(out, "<span>");
		if (chart->hour_0 && i + 1 < chart->n_ticks)
			label_text(chart, i * step, out);
		else
			chart_escape(out, chart->ticks[i]);
		g_string_append(out, "</span>");
	}
	g_string_append(out, "</div>");
}

static void
table(const struct chart *chart, GString *out)
{
	g_autofree char *title = g_strdup_printf("%s-t", chart->id);

	g_string_append_printf(out, "<details id=\"%s-n\"><summary id=\"%s-s\">Numbers</summary>",
	    chart->id, chart->id);
	scrolled_begin(out, "scroll", chart->id, title);
	g_string_append(out, "<th scope=\"col\">");
	chart_escape(out, chart->column);
	for (unsigned s = 0; s < chart->n_series; s++) {
		g_string_append(out, "</th><th scope=\"col\" class=\"n\">");
		chart_escape(out, chart->series[s].name);
	}
	g_string_append(out, "</th></tr></thead><tbody>");
	for (unsigned i = 0; i < chart->n_columns; i++) {
		g_string_append(out, "<tr><th scope=\"row\">");
		label_text(chart, i, out);
		g_string_append(out, "</th>");
		for (unsigned s = 0; s < chart->n_series; s++) {
			g_string_append(out, "<td class=\"n\">");
			value_text(chart, chart->series[s].values[i], out);
			g_string_append(out, "</td>");
		}
		g_string_append(out, "</tr>");
	}
	chart_table_end(out);
	g_string_append(out, "</details>");
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

static void
figure(const struct chart *chart, GString *out)
{
	struct axis axis = axis_of(chart);

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
	axis_labels(chart, &axis, out);
	picture(chart, &axis, out);
	ticks(chart, out);
	g_string_append(out, "</div>");
	table(chart, out);
	g_string_append(out, "</figure>");
}

static bool
has_values(const struct chart *chart)
{
	if (chart->shape == CHART_LINES && chart->n_columns < 2)
		return false;
	for (unsigned s = 0; s < chart->n_series; s++)
		for (unsigned i = 0; i < chart->n_columns; i++)
			if (chart->top > 0 ? !isnan(chart->series[s].values[i])
					   : chart->series[s].values[i] > 0)
				return true;
	return false;
}

void
chart_card(const struct chart *chart, const char *css_class, GString *cards, GString *empty)
{
	if (!has_values(chart)) {
		g_autoptr(GString) nothing = g_string_new(NULL);

		chart_escape(nothing, chart->nothing);
		chart_line(empty, chart->title, nothing->str);
		return;
	}
	g_string_append_printf(cards, "<section class=\"card %s\">", css_class);
	figure(chart, cards);
	g_string_append(cards, "</section>");
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
