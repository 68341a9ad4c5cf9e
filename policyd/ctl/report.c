#include "config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "db/open/open.h"
#include "policyd/ctl/ctl.h"
#include "policyd/ctl/json.h"
#include "policyd/view/http_report_json.h"
#include "policyd/stats/report_words.h"

#define DAY          86400
#define SINCE        (30 * (int64_t)DAY)
#define ROWS_SHOWN   12
#define POOLS_SHOWN  8
#define DOMAIN_WIDTH 22
#define LINE_WIDTH   78

/* -- words -- */

/* At most six characters: 45s, 4m, 1h05m, 3d2h; "-" for NaN. */
static const char *
short_duration(double seconds, char text[16])
{
	int64_t s = isnan(seconds) ? 0 : (int64_t)(seconds + 0.5);
	int64_t minutes = (s + 30) / 60, hours = (s + 1800) / 3600;

	if (isnan(seconds))
		g_strlcpy(text, "-", 16);
	else if (s < 100)
		g_snprintf(text, 16, "%ds", (int)s);
	else if (minutes < 60)
		g_snprintf(text, 16, "%dm", (int)minutes);
	else if (minutes < 24 * 60)
		g_snprintf(text, 16, "%dh%02dm", (int)(minutes / 60), (int)(minutes % 60));
	else
		g_snprintf(text, 16, "%dd%dh", (int)(hours / 24), (int)(hours % 24));
	return text;
}

static const char *
share_text(uint64_t part, uint64_t whole, char text[16])
{
	char percent[REPORT_WORDS_SIZE];

	if (whole)
		g_snprintf(text, 16, "%s %%", report_words_percent(part, whole, percent));
	else
		g_strlcpy(text, "-", 16);
	return text;
}

static const char *
day_text(int64_t time, char text[CTL_TIME_SIZE])
{
	ctl_time(time, text);
	text[strcspn(text, "T")] = '\0';
	return text;
}

/* A range of two counts as one column. */
static const char *
range_text(uint64_t least, uint64_t most, char text[48])
{
	if (least == most)
		g_snprintf(text, 48, "%" G_GUINT64_FORMAT, least);
	else
		g_snprintf(text, 48, "%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT, least, most);
	return text;
}

static void paragraph(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* Text in lines of a terminal. */
static void
paragraph(const char *format, ...)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) words = NULL;
	size_t column = 0;
	va_list arguments;

	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	words = g_strsplit(text, " ", -1);
	for (char **word = words; *word; word++) {
		size_t length = strlen(*word);

		if (column && column + 1 + length > LINE_WIDTH) {
			putchar('\n');
			column = 0;
		}
		column += (size_t)printf("%s%s", column ? " " : "", *word);
	}
	putchar('\n');
}

/* -- sections -- */

static void
print_head(const struct report_result *r)
{
	char from[CTL_TIME_SIZE], to[CTL_TIME_SIZE];

	printf("Greylisting from %s to %s (days of UTC)\n\n", day_text(r->period.from, from),
	    day_text(r->period.now, to));
}

static void
print_count(const char *title, uint64_t n)
{
	printf("%-34s%12" G_GUINT64_FORMAT "\n", title, n);
}

/* Messages that passed as retries, and may be new ones. */
static void
print_new(const char *title, uint64_t n)
{
	if (n)
		print_count(title, n);
}

static void
print_share(const char *title, uint64_t part, uint64_t whole, const char *of_what)
{
	char share[16];

	printf("%-34s%12" G_GUINT64_FORMAT "%9s of the %s\n", title, part,
	    share_text(part, whole, share), of_what);
}

static void
print_duration(const char *title, double seconds)
{
	char text[16];

	printf("%-34s%12s\n", title, short_duration(seconds, text));
}

static void
print_all(const struct report_result *r)
{
	const struct report_row *all = &r->all;
	char hours[REPORT_WORDS_SIZE];

	print_count("first attempts", all->firsts);
	print_share(
	    "  never came back", all->firsts - all->returned, all->firsts, "first attempts");
	print_count("  may come back yet, left out", all->open);
	print_count("messages judged",
	    all->judged[DELIVERY_HAM] + all->judged[DELIVERY_SPAM] + all->judged[DELIVERY_UNSURE]);
	print_share("  spam that came back", all->delayed[DELIVERY_SPAM],
	    all->judged[DELIVERY_SPAM], "spam");
	print_new("    may be new, left out", all->may_be_new[DELIVERY_SPAM]);
	print_share("  ham delayed", all->delayed[DELIVERY_HAM], all->judged[DELIVERY_HAM], "ham");
	print_new("    may be new, left out", all->may_be_new[DELIVERY_HAM]);
	if (!all->ham.n)
		return;
	print_duration("    median delay", all->ham.median);
	print_duration("    95 % within", all->ham.p95);
	print_duration("    worst", all->ham.worst);
	printf("%-34s%10s h\n", "    all of them together",
	    report_words_hours(all->ham.seconds, hours));
}

/* What the numbers do not tell, so that nobody reads them as more than they are. */
static void
print_missing(const struct ctl *ctl, const struct report_result *r)
{
	char day[CTL_TIME_SIZE];
	g_autofree char *left_out = report_words_left_out(&r->all);
	enum greylist_mode mode =
	    (enum greylist_mode)settings_number(ctl->settings, SETTING_GREYLIST_MODE);

	putchar('\n');
	if (mode != GREYLIST_ENFORCE)
		paragraph("greylist.mode is %s: nobody is asked to come again, so no first "
			  "attempt is counted now.",
		    mode == GREYLIST_OBSERVE ? "observe" : "off");
	if (!r->first_day)
		paragraph("No first attempt was deferred in this time.");
	else if (r->first_day > r->period.from)
		paragraph("First attempts are counted since %s only.", day_text(r->first_day, day));
	if (!r->first_delivery)
		paragraph("No message was judged in this time, neither by greylag-milter nor by "
			  "\"greylag filter\": what became of the mail is not known.");
	else if (r->first_delivery >= r->period.from + DAY)
		paragraph("Messages are judged since %s only.", day_text(r->first_delivery, day));
	else if (store_is_shared(settings_text(ctl->settings, SETTING_STORE_URI)))
		paragraph("The store is on Redis, where greylag-milter does not see what "
			  "greylisting did: which of the messages were delayed is not known.");
	if (left_out)
		paragraph("%s", left_out);
	if (settings_on(ctl->settings, SETTING_GREYLIST_PRIVACY))
		paragraph("greylist.privacy is on: first attempts are not counted by domain.");
}

static void
print_row(const struct report_row *row)
{
	g_autoptr(GString) domain = g_string_new(NULL);
	char share[16], median[16], p95[16], worst[16];

	if (*row->domain)
		ctl_append_safe(domain, &(struct store_bytes){row->domain, strlen(row->domain)});
	else
		g_string_append(domain, "(others)");
	if (domain->len > DOMAIN_WIDTH) {
		g_string_truncate(domain, DOMAIN_WIDTH - 2);
		g_string_append(domain, "..");
	}
	printf("%-*s%8" G_GUINT64_FORMAT "%8s%8" G_GUINT64_FORMAT "%9" G_GUINT64_FORMAT
	       "%8s%7s%7s\n",
	    DOMAIN_WIDTH, domain->str, row->firsts,
	    share_text(row->firsts - row->returned, row->firsts, share),
	    row->delayed[DELIVERY_SPAM], row->delayed[DELIVERY_HAM],
	    short_duration(row->ham.median, median), short_duration(row->ham.p95, p95),
	    short_duration(row->ham.worst, worst));
}

static void
print_rows(const struct report_result *r)
{
	if (!r->rows->len)
		return;
	printf("\n%-*s%8s%8s%8s%9s%8s%7s\n", DOMAIN_WIDTH, "", "first", "never", "spam", "ham", "",
	    "95 %");
	printf("%-*s%8s%8s%8s%9s%8s%7s%7s\n", DOMAIN_WIDTH, "to domain", "tries", "back", "back",
	    "delayed", "median", "within", "worst");
	for (guint i = 0; i < r->rows->len && i < ROWS_SHOWN; i++)
		print_row(r->rows->pdata[i]);
	if (r->rows->len > ROWS_SHOWN)
		printf("and %u more; --json has all\n", r->rows->len - ROWS_SHOWN);
}

static void
print_what_if(const struct report_result *r, int64_t in_force)
{
	bool unknown = false;

	printf("\nThe same traffic at other delays (now: %d s)\n", (int)in_force);
	printf("%-10s%20s%20s%9s%8s%9s\n", "delay", "never back", "spam through", "median", "95 %",
	    "hours");
	for (int i = 0; i < DOMAINS_DELAYS; i++) {
		const struct report_what_if *w = &r->what_if[i];
		char away[48], spam[48], median[16], p95[16], hours[32], sum[REPORT_WORDS_SIZE];
		bool least = w->ham_unknown > 0;

		g_snprintf(hours, sizeof hours, "%s%s", least ? ">" : "",
		    report_words_hours(w->ham.seconds, sum));
		unknown |= least || w->away != w->away_max || w->spam != w->spam_max;
		printf("%3d min   %20s%20s%9s%8s%9s\n", (int)(w->delay / 60),
		    range_text(w->away, w->away_max, away), range_text(w->spam, w->spam_max, spam),
		    short_duration(w->ham.median, median), short_duration(w->ham.p95, p95), hours);
	}
	if (unknown)
		paragraph("Nobody comes again after having passed: of who passed before a delay "
			  "is not known when, and whether, it would have come again. Counts are "
			  "then from-to, and delays of ham are those they had at least.");
}

static void
print_pools(const struct report_result *r)
{
	if (!r->pools->len)
		return;
	printf(
	    "\nWorth whitelisting: no spam, many addresses, long delays\n%-32s%10s%10s%10s%10s\n",
	    "client domain", "addresses", "delayed", "median", "hours");
	for (guint i = 0; i < r->pools->len && i < POOLS_SHOWN; i++) {
		const struct report_pool *pool = r->pools->pdata[i];
		g_autoptr(GString) domain = g_string_new(NULL);
		char median[16], hours[REPORT_WORDS_SIZE];

		ctl_append_safe(domain, &(struct store_bytes){pool->domain, strlen(pool->domain)});
		printf("%-32s%10u%10" G_GUINT64_FORMAT "%10s%10s\n", domain->str, pool->addresses,
		    pool->delays.n, short_duration(pool->delays.median, median),
		    report_words_hours(pool->delays.seconds, hours));
	}
	if (r->pools->len > POOLS_SHOWN)
		printf("and %u more; --json has all\n", r->pools->len - POOLS_SHOWN);
}

static void
print_worth(const struct report_result *r)
{
	g_autofree char *worth = report_words_worth(r);

	putchar('\n');
	paragraph("%s", worth);
}

static void
print_text(const struct ctl *ctl, const struct report_result *r)
{
	print_head(r);
	print_all(r);
	print_missing(ctl, r);
	print_rows(r);
	if (r->all.firsts || r->all.ham.n || r->all.delayed[DELIVERY_SPAM])
		print_what_if(r, settings_number(ctl->settings, SETTING_GREYLIST_DELAY));
	print_pools(r);
	print_worth(r);
}

/* -- the command -- */

static bool
add_day(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	report_add_day(context, key, value);
	return true;
}

static bool
add_delivery(void *context, const struct store_bytes *key G_GNUC_UNUSED,
    const struct store_bytes *value, int64_t expires G_GNUC_UNUSED)
{
	report_add_delivery(context, value);
	return true;
}

static bool
print_report(struct ctl *ctl, int64_t since, bool json, GError **error)
{
	struct report_period period = report_period(
	    since, ctl->now, settings_number(ctl->settings, SETTING_GREYLIST_RETRY_WINDOW));
	struct report *report = report_new(&period);
	bool done = ctl_scan(ctl, STORE_DOMAINS, add_day, NULL, report, error) &&
		    ctl_scan(ctl, STORE_DELIVERIES, add_delivery, NULL, report, error);

	if (done) {
		struct report_result *result = report_result(report);

		if (json)
			ctl_json_print(report_json(result, 0));
		else
			print_text(ctl, result);
		report_result_free(result);
	}
	report_free(report);
	return done;
}

bool
ctl_report(struct ctl *ctl, int argc, char **argv, GError **error)
{
	g_autofree char *duration = NULL;
	gboolean json = FALSE;
	int64_t since = SINCE;
	const GOptionEntry entries[] = {
	    {"since", 0, 0, G_OPTION_ARG_STRING, &duration,
		"Of so long (24h, 7d; default: 30d), from the begin of a day on", "DURATION"},
	    {"json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL},
	    G_OPTION_ENTRY_NULL,
	};

	if (!ctl_parse(ctl, entries, 0, 0, &argc, &argv, error))
		return false;
	if (duration && !ctl_parse_duration(duration, &since))
		return ctl_usage(error, "--since %s: it is a duration like 24h or 7d", duration);
	return ctl_open(ctl, CTL_READ, error) && print_report(ctl, since, json, error);
}
