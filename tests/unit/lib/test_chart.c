/* Charts: how values become places and words; tests/system/web_browser.py looks at them. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/chart.h"

static struct chart *
chart_new(enum chart_shape shape, unsigned n, const double *values)
{
	struct chart *chart = g_new0(struct chart, 1);

	*chart = (struct chart){.id = "c",
	    .title = "A < B",
	    .description = "What it says",
	    .nothing = "There is nothing.",
	    .column = "Column",
	    .unit = "",
	    .shape = shape,
	    .n_columns = n,
	    .n_series = 1,
	    .n_ticks = 2};
	chart->series[0].name = "Values";
	chart->series[0].css_class = "passed";
	for (unsigned i = 0; i < n; i++) {
		chart->series[0].values[i] = values[i];
		g_snprintf(chart->labels[i], sizeof chart->labels[i], "label %u", i);
	}
	return chart;
}

static void
has(const GString *html, const char *text)
{
	if (!strstr(html->str, text))
		g_error("%s is not in %s", text, html->str);
}

/* One step from nothing to 1, and one for each power of ten. */
static void
powers_are_steps(void)
{
	const double values[] = {0, 1, 10, 100, NAN};
	g_autofree struct chart *chart = chart_new(CHART_STACKED, G_N_ELEMENTS(values), values);
	g_autoptr(GString) html = g_string_new(NULL), empty = g_string_new(NULL);

	chart->powers = true;
	chart_card(chart, "half", html, empty);
	g_assert_cmpstr(empty->str, ==, "");
	has(html, "<span>100</span><span>10</span><span>1</span><span>0</span>");
	has(html, "x=\"11.20\" y=\"66.67\" width=\"7.60\" height=\"33.33\"");
	has(html, "x=\"21.20\" y=\"33.33\" width=\"7.60\" height=\"66.67\"");
	has(html, "x=\"31.20\" y=\"0.00\" width=\"7.60\" height=\"100.00\"");
	g_assert_null(strstr(html->str, "x=\"1.20\""));
	g_assert_null(strstr(html->str, "x=\"41.20\""));
}

static void
lines_have_gaps(void)
{
	const double values[] = {0, 50, NAN, 100};
	g_autofree struct chart *chart = chart_new(CHART_LINES, G_N_ELEMENTS(values), values);
	g_autoptr(GString) html = g_string_new(NULL), empty = g_string_new(NULL);

	chart->top = 100;
	chart->unit = "%";
	chart->digits = 1;
	chart_card(chart, "half", html, empty);
	has(html, "viewBox=\"0 0 30 100\"");
	has(html, "<path class=\"l-passed\" d=\"M0.00 100.00L10.00 50.00M30.00 0.00\"/>");
	has(html, "<td class=\"n\">50.0%</td>");
	has(html, "<span>100%</span><span>50%</span><span>0%</span>");
}

static void
series_stand_beside_each_other(void)
{
	const double values[] = {4, 2};
	g_autofree struct chart *chart = chart_new(CHART_BESIDE, G_N_ELEMENTS(values), values);
	g_autoptr(GString) html = g_string_new(NULL), empty = g_string_new(NULL);

	chart->series[1] = chart->series[0];
	chart->series[1].css_class = "failed";
	chart->n_series = 2;
	chart_card(chart, "half", html, empty);
	has(html, "<span>4</span><span>2</span><span>0</span>");
	has(html, "<rect class=\"s-passed\" x=\"1.20\" y=\"0.00\" width=\"3.80\"");
	has(html, "<rect class=\"s-failed\" x=\"5.00\" y=\"0.00\" width=\"3.80\"");
}

/* Noughts are nothing, unless the axis is given: a share of nought is told. */
static void
nothing_is_a_line(void)
{
	const double noughts[] = {0, 0, NAN}, unknown[] = {NAN, NAN, NAN};
	const struct {
		enum chart_shape shape;
		unsigned n;
		const double *values;
		double top;
		bool line;
	} cases[] = {
	    {CHART_STACKED, 3, noughts, 0, true},
	    {CHART_STACKED, 3, noughts, 100, false},
	    {CHART_STACKED, 3, unknown, 100, true},
	    {CHART_LINES, 1, noughts, 100, true},
	    {CHART_LINES, 2, noughts, 100, false},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree struct chart *chart =
		    chart_new(cases[i].shape, cases[i].n, cases[i].values);
		g_autoptr(GString) html = g_string_new(NULL), empty = g_string_new(NULL);

		chart->top = cases[i].top;
		chart_card(chart, "half", html, empty);
		g_assert_cmpint(html->len == 0, ==, cases[i].line);
		g_assert_cmpint(empty->len > 0, ==, cases[i].line);
		if (cases[i].line)
			has(empty, "<h2>A &lt; B</h2><p>There is nothing.</p>");
	}
}

static void
hours_are_moments(void)
{
	const double values[] = {1, 2, 3, 4};
	g_autofree struct chart *chart = chart_new(CHART_STACKED, G_N_ELEMENTS(values), values);
	g_autoptr(GString) html = g_string_new(NULL), empty = g_string_new(NULL);

	chart->hour_0 = 482136; /* 2025-01-01 00:00 UTC */
	g_strlcpy(chart->ticks[1], "now", sizeof chart->ticks[1]);
	chart_card(chart, "half", html, empty);
	has(html, "<th scope=\"row\"><time datetime=\"2025-01-01T03:00Z\">label 3</time></th>");
	has(html, "<title>label 3 UTC, Values 4</title>");
	has(html, ">UTC</div><div class=\"xs\" aria-hidden=\"true\"><span><time "
		  "datetime=\"2025-01-01T00:00Z\">label 0</time></span><span>now</span></div>");
}

static void
names_part_at_their_joints(void)
{
	static const struct {
		const char *name, *html;
	} cases[] = {
	    {"", "<code></code>"},
	    {"word", "<code>word</code>"},
	    {"/var/mail", "<code>/<wbr>var/<wbr>mail</code>"},
	    {"a.example.", "<code>a.<wbr>example.</code>"},
	    {"2001:db8::/64", "<code>2001:<wbr>db8::/<wbr>64</code>"},
	    {"<\xff@x", "<code>&lt;\xef\xbf\xbd@<wbr>x</code>"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GString) html = g_string_new(NULL);

		chart_name(html, cases[i].name);
		g_assert_cmpstr(html->str, ==, cases[i].html);
	}
}

/* What a browser sees is what the file says, without indentation and comments. */
static void
style_is_whole(void)
{
	g_assert_true(g_str_has_prefix(chart_style, ":root {\ncolor-scheme: light dark;\n"));
	g_assert_true(g_str_has_suffix(chart_style, "}\n"));
	g_assert_nonnull(strstr(chart_style, "'Segoe UI'"));
	g_assert_null(strstr(chart_style, "/*"));
	g_assert_null(strstr(chart_style, "url("));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/chart/powers-are-steps", powers_are_steps);
	g_test_add_func("/chart/lines-have-gaps", lines_have_gaps);
	g_test_add_func("/chart/series-stand-beside-each-other", series_stand_beside_each_other);
	g_test_add_func("/chart/nothing-is-a-line", nothing_is_a_line);
	g_test_add_func("/chart/hours-are-moments", hours_are_moments);
	g_test_add_func("/chart/names-part-at-their-joints", names_part_at_their_joints);
	g_test_add_func("/chart/style-is-whole", style_is_whole);
	return g_test_run();
}
