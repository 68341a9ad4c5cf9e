#include "config.h"

#include "policyd/http/report.h"

#include <math.h>

#include "lib/chart.h"
#include "policyd/http/words.h"
#include "policyd/stats/report_words.h"

#define ROWS_SHOWN  12
#define POOLS_SHOWN 8

#define DASH "\xe2\x80\x93"

#define TITLE "What greylisting did, and does it pay"

/* -- cells of tables -- */

static void
count_cell(GString *out, uint64_t n)
{
	g_string_append(out, "<td class=\"n\">");
	chart_number(out, n);
	g_string_append(out, "</td>");
}

static void
range_cell(GString *out, uint64_t least, uint64_t most)
{
	g_string_append(out, "<td class=\"n\">");
	chart_number(out, least);
	if (most != least) {
		g_string_append(out, DASH);
		chart_number(out, most);
	}
	g_string_append(out, "</td>");
}

static void
share_cell(GString *out, uint64_t part, uint64_t whole)
{
	char percent[REPORT_WORDS_SIZE];

	if (whole)
		g_string_append_printf(out, "<td class=\"n\">%s\xe2\x80\xaf%%</td>",
		    report_words_percent(part, whole, percent));
	else
		g_string_append(out, "<td class=\"n\">" DASH "</td>");
}

static void
duration_cell(GString *out, double seconds)
{
	g_string_append(out, "<td class=\"n\">");
	words_duration_or_dash(out, seconds);
	g_string_append(out, "</td>");
}

static void
name_cell(GString *out, const char *name)
{
	g_string_append(out, "<tr><th scope=\"row\">");
	if (*name)
		chart_name(out, name);
	else
		g_string_append(out, "others");
	g_string_append(out, "</th>");
}

/* -- whether it pays -- */

static void
render_worth(const struct report_result *r, GString *out)
{
	g_autofree char *worth = report_words_worth(r);

	g_string_append_printf(
	    out, "<p class=\"banner%s\">", report_words_worth_is_bad(r) ? " bad" : "");
	chart_escape(out, worth);
	g_string_append(out, "</p>");
}

static void
render_left_out(const struct report_row *row, GString *out)
{
	g_autofree char *left_out = report_words_left_out(row);

	if (!left_out)
		return;
	g_string_append(out, "<p class=\"soft\">");
	chart_escape(out, left_out);
	g_string_append(out, "</p>");
}

/* -- cards -- */

static void
fact(GString *out, const char *name, const char *path, uint64_t n)
{
	g_string_append_printf(out, "<div><dt>%s</dt><dd>", name);
	words_stat(out, path, n);
	g_string_append(out, "</dd></div>");
}

static void
duration_fact(GString *out, const char *name, double seconds)
{
	g_string_append_printf(out, "<div><dt>%s</dt><dd>", name);
	words_duration_or_dash(out, seconds);
	g_string_append(out, "</dd></div>");
}

static void
hours_fact(GString *out, const char *name, uint64_t seconds)
{
	char hours[REPORT_WORDS_SIZE];

	g_string_append_printf(out, "<div><dt>%s</dt><dd>%s\xc2\xa0h</dd></div>", name,
	    report_words_hours(seconds, hours));
}

static void
render_all(const struct report_result *r, GString *out)
{
	const struct report_row *all = &r->all;

	g_string_append(out, "<section class=\"card worth\"><h2 id=\"report\">" TITLE "</h2>"
			     "<p class=\"soft\">First attempts and verdicts of 30 days, from ");
	words_date(out, r->period.from);
	g_string_append(out, " on, as of ");
	words_time(out, r->period.now, "%-d %b %H:%M UTC");
	g_string_append(out, ".</p>");
	render_worth(r, out);
	g_string_append(out, "<dl class=\"figures\" aria-labelledby=\"report\">");
	fact(out, "First attempts", "report.all.first_attempts.count", all->firsts);
	fact(out, "Never came back", "report.all.first_attempts.never_returned",
	    all->firsts - all->returned);
	fact(out, "May come back yet, left out", "report.all.first_attempts.open", all->open);
	fact(out, "Spam judged", "report.all.judged.spam", all->judged[DELIVERY_SPAM]);
	fact(out, "Spam that came back", "report.all.delayed.spam", all->delayed[DELIVERY_SPAM]);
	fact(out, "Ham judged", "report.all.judged.ham", all->judged[DELIVERY_HAM]);
	fact(out, "Ham delayed", "report.all.delayed.ham", all->delayed[DELIVERY_HAM]);
	duration_fact(out, "Median delay of ham", all->ham.median);
	duration_fact(out, "95\xe2\x80\xaf% of ham within", all->ham.p95);
	duration_fact(out, "Worst delay of ham", all->ham.worst);
	hours_fact(out, "All delays of ham", all->ham.seconds);
	g_string_append(out, "</dl>");
	render_left_out(all, out);
	g_string_append(out, "</section>");
}

static void
render_what_if(const struct report_result *r, GString *out, GString *empty)
{
	static const char *const heads[] = {
	    "Delay", "Never back", "Spam through", "Ham, median", "95\xe2\x80\xaf% within", NULL};
	bool unknown = false;

	if (!r->all.firsts) {
		chart_line(empty, "The same traffic at other delays",
		    "No first attempt in 30 days is older than its retry window.");
		return;
	}
	g_string_append(out, "<section class=\"card\"><h2 id=\"other-delays\">The same traffic at "
			     "other delays</h2>");
	chart_table_begin(out, "other-delays", heads);
	for (int i = 0; i < DOMAINS_DELAYS; i++) {
		const struct report_what_if *w = &r->what_if[i];
		g_autofree char *delay = words_duration((double)w->delay);

		unknown |= w->away != w->away_max || w->spam != w->spam_max || w->ham_unknown;
		g_string_append_printf(out, "<tr><th scope=\"row\">%s</th>", delay);
		range_cell(out, w->away, w->away_max);
		range_cell(out, w->spam, w->spam_max);
		duration_cell(out, w->ham.median);
		duration_cell(out, w->ham.p95);
		g_string_append(out, "</tr>");
	}
	chart_table_end(out);
	if (unknown)
		g_string_append(out,
		    "<p class=\"soft\">Nobody comes again after having passed: of who passed "
		    "before "
		    "a delay is not known when, and whether, it would have come again. Counts are "
		    "then from" DASH "to, and delays of ham are those they had at least.</p>");
	g_string_append(out, "</section>");
}

static void
render_pools(const struct report_result *r, GString *out, GString *empty)
{
	static const char *const heads[] = {
	    "Client domain", "Addresses", "Ham delayed", "Median", NULL};

	if (!r->pools->len) {
		chart_line(empty, "Worth whitelisting",
		    "No client domain sends wanted mail from many addresses that waits for long.");
		return;
	}
	g_string_append(out, "<section class=\"card\"><h2 id=\"pools\">Worth whitelisting</h2>"
			     "<p class=\"soft\">No spam, many addresses, long delays.</p>");
	chart_table_begin(out, "pools", heads);
	for (guint i = 0; i < r->pools->len && i < POOLS_SHOWN; i++) {
		const struct report_pool *pool = r->pools->pdata[i];

		name_cell(out, pool->domain);
		count_cell(out, pool->addresses);
		count_cell(out, pool->delays.n);
		duration_cell(out, pool->delays.median);
		g_string_append(out, "</tr>");
	}
	chart_table_end(out);
	g_string_append(out, "</section>");
}

void
http_report_domains(const struct view *view, GString *out)
{
	static const char *const heads[] = {"Recipients' domain", "First attempts", "Never back",
	    "Spam back", "Ham delayed", "Median", "95\xe2\x80\xaf% within", "Worst", NULL};
	const struct report_result *r = view->report;

	if (!r || !r->rows->len)
		return;
	g_string_append(out, "<section class=\"card wide\"><h2 id=\"by-domain\">By domain of "
			     "recipients, 30 days</h2>");
	chart_table_begin(out, "by-domain", heads);
	for (guint i = 0; i < r->rows->len && i < ROWS_SHOWN; i++) {
		const struct report_row *row = r->rows->pdata[i];

		name_cell(out, row->domain);
		count_cell(out, row->firsts);
		share_cell(out, row->firsts - row->returned, row->firsts);
		count_cell(out, row->delayed[DELIVERY_SPAM]);
		count_cell(out, row->delayed[DELIVERY_HAM]);
		duration_cell(out, row->ham.median);
		duration_cell(out, row->ham.p95);
		duration_cell(out, row->ham.worst);
		g_string_append(out, "</tr>");
	}
	chart_table_end(out);
	if (r->rows->len > ROWS_SHOWN)
		g_string_append_printf(out,
		    "<p class=\"soft\">And %u more: <code>greylagctl report --json</code>.</p>",
		    r->rows->len - ROWS_SHOWN);
	g_string_append(out, "</section>");
}

void
http_report_worth(const struct view *view, GString *out, GString *empty)
{
	const struct report_result *r = view->report;

	if (!r)
		chart_line(empty, TITLE, "Not counted yet: a minute after the start.");
	else if (report_is_empty(r))
		chart_line(empty, TITLE, "No first attempt and no verdict in 30 days.");
	else
		render_all(r, out);
}

void
http_report_tables(const struct view *view, GString *out, GString *empty)
{
	if (!view->report)
		return;
	render_what_if(view->report, out, empty);
	render_pools(view->report, out, empty);
}
