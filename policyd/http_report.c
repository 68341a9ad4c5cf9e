#include "policyd/http_report.h"

#include <math.h>

#include "policyd/http_chart.h"
#include "policyd/http_words.h"
#include "policyd/report_words.h"

#define ROWS_SHOWN  12
#define POOLS_SHOWN 8

#define DASH "\xe2\x80\x93"

/* -- cells of tables -- */

static void
table_begin(GString *out, const char *id, const char *const *heads)
{
	g_string_append_printf(out,
	    "<div class=\"sideways\" id=\"%s-b\" tabindex=\"0\" role=\"group\" "
	    "aria-labelledby=\"%s\"><table><thead><tr>",
	    id, id);
	for (int i = 0; heads[i]; i++)
		g_string_append_printf(
		    out, "<th scope=\"col\"%s>%s</th>", i ? " class=\"n\"" : "", heads[i]);
	g_string_append(out, "</tr></thead><tbody>");
}

static void
table_end(GString *out)
{
	g_string_append(out, "</tbody></table></div>");
}

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
	if (*name) {
		g_string_append(out, "<code>");
		chart_escape(out, name);
		g_string_append(out, "</code>");
	} else {
		g_string_append(out, "others");
	}
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
	g_string_append_printf(out, "<tr><th scope=\"row\">%s</th><td class=\"n\">", name);
	words_stat(out, path, n);
	g_string_append(out, "</td></tr>");
}

static void
duration_fact(GString *out, const char *name, double seconds)
{
	g_string_append_printf(out, "<tr><th scope=\"row\">%s</th>", name);
	duration_cell(out, seconds);
	g_string_append(out, "</tr>");
}

static void
hours_fact(GString *out, const char *name, uint64_t seconds)
{
	char hours[REPORT_WORDS_SIZE];

	g_string_append_printf(out,
	    "<tr><th scope=\"row\">%s</th><td class=\"n\">%s\xc2\xa0h</td></tr>", name,
	    report_words_hours(seconds, hours));
}

static void
render_all(const struct report_result *r, GString *out)
{
	const struct report_row *all = &r->all;

	g_string_append(out, "<section class=\"card half\"><h2 id=\"report\">What greylisting did, "
			     "30 days</h2><p class=\"soft\">First attempts and verdicts from ");
	words_time(out, r->period.from, "%-d %b");
	g_string_append(out, " on, as of ");
	words_time(out, r->period.now, "%-d %b %H:%M UTC");
	g_string_append(out, ".</p>");
	render_worth(r, out);
	g_string_append(out, "<table aria-labelledby=\"report\"><tbody>");
	fact(out, "First attempts", "report.all.first_attempts.count", all->firsts);
	fact(out, "Never came back", "report.all.first_attempts.never_returned",
	    all->firsts - all->returned);
	fact(out, "May come back yet, left out", "report.all.first_attempts.open", all->open);
	fact(out, "Spam judged", "report.all.judged.spam", all->judged[DELIVERY_SPAM]);
	fact(out, "of it, came back after a delay", "report.all.delayed.spam",
	    all->delayed[DELIVERY_SPAM]);
	fact(out, "Ham judged", "report.all.judged.ham", all->judged[DELIVERY_HAM]);
	fact(out, "of it, delayed", "report.all.delayed.ham", all->delayed[DELIVERY_HAM]);
	duration_fact(out, "Its median delay", all->ham.median);
	duration_fact(out, "95\xe2\x80\xaf% within", all->ham.p95);
	duration_fact(out, "The worst", all->ham.worst);
	hours_fact(out, "All of them together", all->ham.seconds);
	g_string_append(out, "</tbody></table>");
	render_left_out(all, out);
	g_string_append(out, "</section>");
}

static void
render_what_if(const struct report_result *r, GString *out)
{
	static const char *const heads[] = {
	    "Delay", "Never back", "Spam through", "Ham, median", "95\xe2\x80\xaf% within", NULL};
	bool unknown = false;

	g_string_append(out, "<section class=\"card\"><h2 id=\"other-delays\">The same traffic at "
			     "other delays</h2>");
	table_begin(out, "other-delays", heads);
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
	table_end(out);
	if (unknown)
		g_string_append(out,
		    "<p class=\"soft\">Nobody comes again after having passed: of who passed "
		    "before "
		    "a delay is not known when, and whether, it would have come again. Counts are "
		    "then from" DASH "to, and delays of ham are those they had at least.</p>");
	g_string_append(out, "</section>");
}

static void
render_pools(const struct report_result *r, GString *out)
{
	static const char *const heads[] = {
	    "Client domain", "Addresses", "Ham delayed", "Median", NULL};

	g_string_append(out, "<section class=\"card\"><h2 id=\"pools\">Worth whitelisting</h2>");
	if (!r->pools->len) {
		g_string_append(out,
		    "<p class=\"soft\">No client domain sends wanted mail from many addresses that "
		    "waits for long.</p></section>");
		return;
	}
	g_string_append(out, "<p class=\"soft\">No spam, many addresses, long delays.</p>");
	table_begin(out, "pools", heads);
	for (guint i = 0; i < r->pools->len && i < POOLS_SHOWN; i++) {
		const struct report_pool *pool = r->pools->pdata[i];

		name_cell(out, pool->domain);
		count_cell(out, pool->addresses);
		count_cell(out, pool->delays.n);
		duration_cell(out, pool->delays.median);
		g_string_append(out, "</tr>");
	}
	table_end(out);
	g_string_append(out, "</section>");
}

static void
render_rows(const struct report_result *r, GString *out)
{
	static const char *const heads[] = {"Recipients' domain", "First attempts", "Never back",
	    "Spam back", "Ham delayed", "Median", "95\xe2\x80\xaf% within", "Worst", NULL};

	if (!r->rows->len)
		return;
	g_string_append(out, "<section class=\"card wide\"><h2 id=\"by-domain\">By domain of "
			     "recipients, 30 days</h2>");
	table_begin(out, "by-domain", heads);
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
	table_end(out);
	if (r->rows->len > ROWS_SHOWN)
		g_string_append_printf(out,
		    "<p class=\"soft\">And %u more: <code>greylagctl report --json</code>.</p>",
		    r->rows->len - ROWS_SHOWN);
	g_string_append(out, "</section>");
}

void
http_report_render(const struct view *view, GString *out)
{
	const struct report_result *r = view->report;

	if (!r) {
		g_string_append(out,
		    "<section class=\"card wide\"><h2>What greylisting did, 30 days</h2>"
		    "<p class=\"soft\">Not counted yet: a minute after the start.</p></section>");
		return;
	}
	render_all(r, out);
	g_string_append(out, "<div class=\"stack\">");
	render_what_if(r, out);
	render_pools(r, out);
	g_string_append(out, "</div>");
	render_rows(r, out);
}
