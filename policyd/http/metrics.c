#include "config.h"

#include "policyd/http/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct metrics_writer {
	GString *out;
	enum metrics_format format;
	const struct metric_row *row;
};

const char *const metrics_content_types[] = {
    [METRICS_PROMETHEUS] = "text/plain; version=0.0.4; charset=utf-8",
    [METRICS_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/* -- negotiation -- */

/* The weight of a media range such as "text/plain;version=0.0.4;q=0.5"; 1 without q. */
static double
weight_of(const char *range)
{
	const char *q = strstr(range, ";q=");

	return q ? g_ascii_strtod(q + strlen(";q="), NULL) : 1;
}

enum metrics_format
metrics_negotiate(const char *accept)
{
	g_auto(GStrv) ranges = g_strsplit(accept ? accept : "", ",", 32);
	double open = 0, text = 0;

	for (char **r = ranges; *r; r++) {
		g_autofree char *range = g_ascii_strdown(*r, -1);
		char *to = range;

		for (const char *from = range; *from; from++)
			if (!g_ascii_isspace(*from))
				*to++ = *from;
		*to = '\0';
		if (g_str_has_prefix(range, "application/openmetrics-text"))
			open = MAX(open, weight_of(range));
		else if (g_str_has_prefix(range, "text/plain"))
			text = MAX(text, weight_of(range));
	}
	return open > 0 && open >= text ? METRICS_OPENMETRICS : METRICS_PROMETHEUS;
}

/* -- the text -- */

void
metrics_escape(GString *out, const char *value)
{
	g_autofree char *valid = g_utf8_make_valid(value, -1);

	for (const char *c = valid; *c; c++) {
		if (*c == '\n')
			g_string_append(out, "\\n");
		else if (*c == '"' || *c == '\\')
			g_string_append_printf(out, "\\%c", *c);
		else
			g_string_append_c(out, *c);
	}
}

static void
head(const struct metrics_writer *w)
{
	static const char *const types[] = {
	    [METRIC_COUNTER] = "counter",
	    [METRIC_GAUGE] = "gauge",
	    [METRIC_HISTOGRAM] = "histogram",
	    [METRIC_INFO] = "info",
	};
	const struct metric_row *row = w->row;
	bool open = w->format == METRICS_OPENMETRICS;
	/* The older text knows no families: a type is that of the samples' name. */
	const char *suffix = open                          ? ""
			     : row->type == METRIC_COUNTER ? "_total"
			     : row->type == METRIC_INFO    ? "_info"
							   : "";
	const char *type = !open && row->type == METRIC_INFO ? "gauge" : types[row->type];

	g_string_append_printf(w->out, "# TYPE %s%s %s\n", row->name, suffix, type);
	if (open && row->unit)
		g_string_append_printf(w->out, "# UNIT %s %s\n", row->name, row->unit);
	g_string_append_printf(w->out, "# HELP %s%s %s\n", row->name, suffix, row->help);
}

static void
name_and_label(
    const struct metrics_writer *w, const char *suffix, const char *label, const char *value)
{
	g_string_append_printf(w->out, "%s%s", w->row->name, suffix);
	if (label) {
		g_string_append_printf(w->out, "{%s=\"", label);
		metrics_escape(w->out, value);
		g_string_append(w->out, "\"}");
	}
	g_string_append_c(w->out, ' ');
}

static const char *
suffix_of(const struct metrics_writer *w)
{
	return w->row->type == METRIC_COUNTER ? "_total" : "";
}

static void
labelled(struct metrics_writer *w, const char *label, const char *value, uint64_t n)
{
	name_and_label(w, suffix_of(w), label, value);
	g_string_append_printf(w->out, "%" PRIu64 "\n", n);
}

static void
plain(struct metrics_writer *w, uint64_t n)
{
	labelled(w, NULL, NULL, n);
}

static void
number(GString *out, double value)
{
	char text[G_ASCII_DTOSTR_BUF_SIZE];

	g_string_append(out, g_ascii_formatd(text, sizeof text, "%.10g", value));
}

/* So many in all up to the bound. */
static void
bucket(struct metrics_writer *w, double le, uint64_t n)
{
	char bound[G_ASCII_DTOSTR_BUF_SIZE] = "+Inf";

	if (!isinf(le)) {
		g_ascii_formatd(bound, sizeof bound, "%.10g", le);
		if (!strpbrk(bound, ".e"))
			g_strlcat(bound, ".0", sizeof bound);
	}
	name_and_label(w, "_bucket", "le", bound);
	g_string_append_printf(w->out, "%" PRIu64 "\n", n);
}

static void
histogram_end(struct metrics_writer *w, uint64_t n, double sum)
{
	name_and_label(w, "_count", NULL, NULL);
	g_string_append_printf(w->out, "%" PRIu64 "\n", n);
	name_and_label(w, "_sum", NULL, NULL);
	number(w->out, sum);
	g_string_append_c(w->out, '\n');
}

static void
histogram(struct metrics_writer *w, const struct view *view, const struct histogram_scale *scale,
    unsigned cell, double sum)
{
	uint64_t n = 0;

	for (unsigned i = 0; i <= scale->n_bounds; i++) {
		n += tally_total(view->tally, cell + i);
		bucket(w, i < scale->n_bounds ? scale->bounds[i] : INFINITY, n);
	}
	histogram_end(w, n, sum);
}

/* -- metrics -- */

static void
write_build(struct metrics_writer *w, const struct view *view)
{
	g_string_append_printf(w->out, "%s_info{version=\"", w->row->name);
	metrics_escape(w->out, view->release);
	g_string_append(w->out, "\",driver=\"");
	metrics_escape(w->out, view->have_store ? view->store.driver : "");
	g_string_append(w->out, "\"} 1\n");
}

static void
write_start(struct metrics_writer *w, const struct view *view)
{
	plain(w, (uint64_t)view->started);
}

static void
write_decisions(struct metrics_writer *w, const struct view *view)
{
	for (unsigned i = 0; i < REASONS; i++)
		labelled(w, "reason", reason_row((enum reason)i)->name,
		    tally_total(view->tally, TALLY_REASONS + i));
}

static void
write_replies(struct metrics_writer *w, const struct view *view)
{
	static const char *const actions[] = {
	    [POLICY_DUNNO] = "dunno", [POLICY_DEFER] = "defer", [POLICY_PREPEND] = "prepend"};

	for (unsigned i = 0; i < G_N_ELEMENTS(actions); i++)
		labelled(w, "action", actions[i], tally_total(view->tally, TALLY_ACTIONS + i));
}

static void
write_latency(struct metrics_writer *w, const struct view *view)
{
	histogram(w, view, &histogram_latency, TALLY_LATENCIES, view->latency_sum);
}

static void
write_delay(struct metrics_writer *w, const struct view *view)
{
	histogram(w, view, &histogram_delay, TALLY_DELAYS, view->delay_sum);
}

static void
write_unproven(struct metrics_writer *w, const struct view *view)
{
	plain(w, tally_total(view->tally, TALLY_MAY_BE_NEW));
}

static void
write_by_name(struct metrics_writer *w, const struct view *view)
{
	plain(w, tally_total(view->tally, TALLY_BY_NAME));
}

static void
write_observed(struct metrics_writer *w, const struct view *view)
{
	plain(w, tally_total(view->tally, TALLY_OBSERVED));
}

static void
write_connections(struct metrics_writer *w, const struct view *view)
{
	plain(w, view->server.connections);
}

static void
write_accepted(struct metrics_writer *w, const struct view *view)
{
	plain(w, view->server.accepted);
}

static void
write_closed(struct metrics_writer *w, const struct view *view)
{
	labelled(w, "cause", "idle", view->server.timed_out);
	labelled(w, "cause", "room", view->server.made_room);
}

static void
write_requests(struct metrics_writer *w, const struct view *view)
{
	plain(w, view->server.requests);
}

static void
write_errors(struct metrics_writer *w, const struct view *view)
{
	labelled(w, "kind", "malformed-request", view->server.malformed);
	for (unsigned i = 0; i < REASONS; i++)
		if (reason_row((enum reason)i)->effect == REASON_FAILS)
			labelled(w, "kind", reason_row((enum reason)i)->name,
			    tally_total(view->tally, TALLY_REASONS + i));
}

static void
write_up(struct metrics_writer *w, const struct view *view)
{
	plain(w, view->problem ? 0 : 1);
}

static void
write_size(struct metrics_writer *w, const struct view *view)
{
	if (view->have_store)
		plain(w, view->store.bytes_used);
}

static void
write_disk(struct metrics_writer *w, const struct view *view)
{
	if (view->disk.known)
		plain(w, view->disk.free);
}

static void
write_records(struct metrics_writer *w, const struct view *view)
{
	for (int i = 0; view->have_store && i < STORE_SPACES; i++)
		labelled(w, "space", store_spaces[i].name, view->store.records[i]);
}

static void
write_commits(struct metrics_writer *w, const struct view *view)
{
	if (view->have_store)
		plain(w, view->store.commits);
}

static void
write_updates(struct metrics_writer *w, const struct view *view)
{
	if (view->have_store)
		plain(w, view->store.updates);
}

static void
write_evicted(struct metrics_writer *w, const struct view *view)
{
	if (view->have_store)
		plain(w, view->store.evicted);
}

static void
write_waiting(struct metrics_writer *w, const struct view *view)
{
	if (view->have_store)
		plain(w, view->store.waiting);
}

static bool
has_fallback(const struct view *view)
{
	return view->have_store && view->store.fallback.configured;
}

static void
write_fallback_active(struct metrics_writer *w, const struct view *view)
{
	if (has_fallback(view))
		plain(w, view->store.fallback.active);
}

static void
write_fallback_switches(struct metrics_writer *w, const struct view *view)
{
	if (has_fallback(view))
		plain(w, view->store.fallback.switches);
}

static void
write_fallback_answers(struct metrics_writer *w, const struct view *view)
{
	if (has_fallback(view))
		plain(w, view->store.fallback.answers);
}

static void
write_fallback_merged(struct metrics_writer *w, const struct view *view)
{
	if (has_fallback(view))
		plain(w, view->store.fallback.merged);
}

static void
write_fallback_waiting(struct metrics_writer *w, const struct view *view)
{
	if (has_fallback(view))
		plain(w, view->store.fallback.waiting);
}

static void
write_cache_entries(struct metrics_writer *w, const struct view *view)
{
	if (view->cache.entries)
		plain(w, view->cache.used);
}

static void
write_cache_hits(struct metrics_writer *w, const struct view *view)
{
	if (view->cache.entries)
		plain(w, view->cache.hits);
}

static void
write_cache_misses(struct metrics_writer *w, const struct view *view)
{
	if (view->cache.entries)
		plain(w, view->cache.misses);
}

static void
write_triplets(struct metrics_writer *w, const struct view *view)
{
	for (int i = 0; view->census.at && i < TRIPLET_STATES; i++)
		labelled(
		    w, "state", triplet_state_name((enum triplet_state)i), view->census.states[i]);
}

static void
write_census(struct metrics_writer *w, const struct view *view)
{
	if (view->census.at)
		plain(w, (uint64_t)view->census.at);
}

static void
write_learned(struct metrics_writer *w, const struct view *view)
{
	labelled(w, "class", "spam", view->learned.spam);
	labelled(w, "class", "ham", view->learned.ham);
}

static void
write_verdicts(struct metrics_writer *w, const struct view *view)
{
	for (unsigned i = VERDICTS_HAM; i <= VERDICTS_UNSURE; i++)
		labelled(w, "verdict", verdict_name((enum verdict)(i - VERDICTS_HAM)),
		    series_grown(view->verdicts, i));
}

static void
write_trained(struct metrics_writer *w, const struct view *view)
{
	labelled(w, "class", "spam", series_grown(view->verdicts, VERDICTS_LEARNED_SPAM));
	labelled(w, "class", "ham", series_grown(view->verdicts, VERDICTS_LEARNED_HAM));
}

static void
write_moved(struct metrics_writer *w, const struct view *view)
{
	plain(w, series_grown(view->verdicts, VERDICTS_MOVED));
}

static void
write_failed(struct metrics_writer *w, const struct view *view)
{
	plain(w, series_grown(view->verdicts, VERDICTS_FAILED));
}

static void
write_scores(struct metrics_writer *w, const struct view *view)
{
	double sum = (double)series_grown(view->verdicts, VERDICTS_SCORE_SUM) / 1000;
	uint64_t n = 0;

	for (unsigned i = 0; i < VERDICTS_BINS; i++) {
		n += series_grown(view->verdicts, VERDICTS_SCORES + i);
		bucket(w, (i + 1) * VERDICTS_BIN_WIDTH, n);
	}
	bucket(w, INFINITY, n);
	histogram_end(w, n, sum);
}

static void
write_report_firsts(struct metrics_writer *w, const struct view *view)
{
	const struct report_row *all = view->report ? &view->report->all : NULL;

	if (!all)
		return;
	labelled(w, "outcome", "returned", all->returned);
	labelled(w, "outcome", "never-returned", all->firsts - all->returned);
	labelled(w, "outcome", "open", all->open);
}

static void
write_verdict_counts(
    struct metrics_writer *w, const struct view *view, const uint64_t counts[DELIVERY_VERDICTS])
{
	if (!view->report)
		return;
	labelled(w, "verdict", "ham", counts[DELIVERY_HAM]);
	labelled(w, "verdict", "spam", counts[DELIVERY_SPAM]);
	labelled(w, "verdict", "unsure", counts[DELIVERY_UNSURE]);
}

static void
write_report_judged(struct metrics_writer *w, const struct view *view)
{
	write_verdict_counts(w, view, view->report ? view->report->all.judged : NULL);
}

static void
write_report_delayed(struct metrics_writer *w, const struct view *view)
{
	write_verdict_counts(w, view, view->report ? view->report->all.delayed : NULL);
}

static void
write_report_may_be_new(struct metrics_writer *w, const struct view *view)
{
	write_verdict_counts(w, view, view->report ? view->report->all.may_be_new : NULL);
}

/* Whole seconds; none where no ham was delayed. */
static void
write_report_delay(struct metrics_writer *w, const struct view *view)
{
	const struct report_delays *ham = view->report ? &view->report->all.ham : NULL;

	if (!ham || !ham->n)
		return;
	labelled(w, "within", "0.5", (uint64_t)ham->median);
	labelled(w, "within", "0.95", (uint64_t)ham->p95);
	labelled(w, "within", "1", (uint64_t)ham->worst);
}

static void
write_report_wait(struct metrics_writer *w, const struct view *view)
{
	if (view->report)
		plain(w, view->report->all.ham.seconds);
}

static void
write_report_pays(struct metrics_writer *w, const struct view *view)
{
	for (int i = 0; view->report && i <= REPORT_PAYS; i++)
		labelled(w, "verdict", report_worth_name((enum report_worth)i),
		    view->report->worth == (enum report_worth)i);
}

static void
write_report_made(struct metrics_writer *w, const struct view *view)
{
	if (view->report)
		plain(w, (uint64_t)view->report->period.now);
}

static void
write_expired(struct metrics_writer *w, const struct view *view)
{
	plain(w, view->expired);
}

static void
write_last_pass(struct metrics_writer *w, const struct view *view)
{
	if (view->last_pass)
		plain(w, (uint64_t)view->last_pass);
}

static void
write_http_connections(struct metrics_writer *w, const struct view *view)
{
	plain(w, view->http_connections);
}

static void
write_http_requests(struct metrics_writer *w, const struct view *view)
{
	plain(w, view->http_requests);
}

const struct metric_row http_metrics[] = {
    {"greylag_build", METRIC_INFO, NULL, "version, driver",
	"Version of greylagd, and driver of the store.", write_build},
    {"greylag_start_time_seconds", METRIC_GAUGE, "seconds", "",
	"When this process started, in seconds since 1970.", write_start},
    {"greylag_decisions", METRIC_COUNTER, NULL, "reason",
	"Decisions, by the reason that the log gives.", write_decisions},
    {"greylag_replies", METRIC_COUNTER, NULL, "action",
	"Replies, by action: dunno, defer, or prepend for mail let in after a delay.",
	write_replies},
    {"greylag_observed", METRIC_COUNTER, NULL, "",
	"Attempts that would have been deferred, but for observe mode.", write_observed},
    {"greylag_passed_by_name", METRIC_COUNTER, NULL, "",
	"Retries from another network, known by the verified name of their pool.", write_by_name},
    {"greylag_passed_unproven", METRIC_COUNTER, NULL, "",
	"Retries that came so late that they may be new messages; greylag_delay_seconds has the "
	"others.",
	write_unproven},
    {"greylag_request_duration_seconds", METRIC_HISTOGRAM, "seconds", "le",
	"Time from a whole request to its reply.", write_latency},
    {"greylag_delay_seconds", METRIC_HISTOGRAM, "seconds", "le",
	"Time from the first attempt of mail to the retry that was let in.", write_delay},
    {"greylag_requests", METRIC_COUNTER, NULL, "", "Requests on the policy protocol.",
	write_requests},
    {"greylag_connections", METRIC_GAUGE, NULL, "", "Open policy connections.", write_connections},
    {"greylag_connections_accepted", METRIC_COUNTER, NULL, "", "Policy connections accepted.",
	write_accepted},
    {"greylag_connections_closed", METRIC_COUNTER, NULL, "cause",
	"Policy connections closed by the server: for having been idle, or to make room.",
	write_closed},
    {"greylag_errors", METRIC_COUNTER, NULL, "kind",
	"Requests that could not be read, or be decided for the store's sake.", write_errors},
    {"greylag_store_up", METRIC_GAUGE, NULL, "", "1 if the store answers, else 0.", write_up},
    {"greylag_store_size_bytes", METRIC_GAUGE, "bytes", "",
	"Size of the store on disk, or in its server's memory.", write_size},
    {"greylag_store_disk_free_bytes", METRIC_GAUGE, "bytes", "",
	"Free space on the disk that the store is on.", write_disk},
    {"greylag_store_records", METRIC_GAUGE, NULL, "space", "Records in the store.", write_records},
    {"greylag_store_commits", METRIC_COUNTER, NULL, "",
	"Transactions committed; one holds all updates that waited.", write_commits},
    {"greylag_store_updates", METRIC_COUNTER, NULL, "", "Updates of records.", write_updates},
    {"greylag_store_evicted", METRIC_COUNTER, NULL, "",
	"Records that made room for new ones: triplets (store.max_triplets), and those of the "
	"reputation.",
	write_evicted},
    {"greylag_store_waiting", METRIC_GAUGE, NULL, "", "Updates that wait to be committed.",
	write_waiting},
    {"greylag_fallback_active", METRIC_GAUGE, NULL, "",
	"1 while the local store answers in place of the server (store.fallback), else 0.",
	write_fallback_active},
    {"greylag_fallback_switches", METRIC_COUNTER, NULL, "", "How often the local store took over.",
	write_fallback_switches},
    {"greylag_fallback_answers", METRIC_COUNTER, NULL, "",
	"Reads and updates that the local store answered.", write_fallback_answers},
    {"greylag_fallback_merged", METRIC_COUNTER, NULL, "",
	"Records and counters of the local store that were merged into the server.",
	write_fallback_merged},
    {"greylag_fallback_waiting", METRIC_GAUGE, NULL, "",
	"Records and counters of the local store that wait for the server.",
	write_fallback_waiting},
    {"greylag_cache_entries", METRIC_GAUGE, NULL, "",
	"Known triplets and clients that are remembered (store.cache).", write_cache_entries},
    {"greylag_cache_hits", METRIC_COUNTER, NULL, "",
	"Requests that were answered by what is remembered.", write_cache_hits},
    {"greylag_cache_misses", METRIC_COUNTER, NULL, "",
	"Requests for which the server had to be asked.", write_cache_misses},
    {"greylag_triplets", METRIC_GAUGE, NULL, "state",
	"Triplets by state, as of greylag_triplets_counted_timestamp_seconds.", write_triplets},
    {"greylag_triplets_counted_timestamp_seconds", METRIC_GAUGE, "seconds", "",
	"When the triplets were last counted by state, in seconds since 1970.", write_census},
    {"greylag_report_first_attempts", METRIC_GAUGE, NULL, "outcome",
	"First attempts of 30 days that were deferred: returned, never-returned, or open, whose "
	"retry window is not over.",
	write_report_firsts},
    {"greylag_report_messages", METRIC_GAUGE, NULL, "verdict",
	"Messages of 30 days, by the verdict that holds.", write_report_judged},
    {"greylag_report_delayed_messages", METRIC_GAUGE, NULL, "verdict",
	"Messages of 30 days that greylisting delayed, by the verdict that holds.",
	write_report_delayed},
    {"greylag_report_unproven_messages", METRIC_GAUGE, NULL, "verdict",
	"Messages of 30 days that passed so late that they may be new ones, by the verdict that "
	"holds; they are not among the delayed.",
	write_report_may_be_new},
    {"greylag_report_ham_delay_seconds", METRIC_GAUGE, "seconds", "within",
	"Delay that the share of the delayed ham of 30 days did not exceed.", write_report_delay},
    {"greylag_report_ham_waited_seconds", METRIC_GAUGE, "seconds", "",
	"Delays of all ham of 30 days together.", write_report_wait},
    {"greylag_report_pays", METRIC_GAUGE, NULL, "verdict",
	"1 for whether greylisting pays: too-little (to tell), no-verdicts, no-corrections, "
	"nobody-leaves, filter-does, or pays; 0 for the others.",
	write_report_pays},
    {"greylag_report_timestamp_seconds", METRIC_GAUGE, "seconds", "",
	"When the report of 30 days was begun, in seconds since 1970.", write_report_made},
    {"greylag_expired_records", METRIC_COUNTER, NULL, "", "Records whose time was over.",
	write_expired},
    {"greylag_expiry_timestamp_seconds", METRIC_GAUGE, "seconds", "",
	"When the last search for expired records ended, in seconds since 1970.", write_last_pass},
    {"greylag_trained_messages", METRIC_GAUGE, NULL, "class",
	"Messages that the classifier has learned, by class: spam or ham.", write_learned},
    {"greylag_classifier_verdicts", METRIC_COUNTER, NULL, "verdict",
	"Verdicts of greylag-milter and greylag filter: ham, spam or unsure.", write_verdicts},
    {"greylag_classifier_trained", METRIC_COUNTER, NULL, "class",
	"Messages that were learned, by class: spam or ham.", write_trained},
    {"greylag_classifier_moved", METRIC_COUNTER, NULL, "",
	"Messages that were learned as one class after the other.", write_moved},
    {"greylag_classifier_score", METRIC_HISTOGRAM, NULL, "le",
	"Spam scores, from 0 to 1, of the mail that was judged.", write_scores},
    {"greylag_classifier_failures", METRIC_COUNTER, NULL, "",
	"Mail that greylag-milter let in without a verdict, since none could be had.",
	write_failed},
    {"greylag_http_connections", METRIC_GAUGE, NULL, "", "Open HTTP connections.",
	write_http_connections},
    {"greylag_http_requests", METRIC_COUNTER, NULL, "", "HTTP requests.", write_http_requests},
};

const size_t n_http_metrics = G_N_ELEMENTS(http_metrics);

void
metrics_render(const struct view *view, enum metrics_format format, GString *out)
{
	struct metrics_writer w = {.out = out, .format = format};

	for (size_t i = 0; i < n_http_metrics; i++) {
		w.row = &http_metrics[i];
		head(&w);
		w.row->write(&w, view);
	}
	if (format == METRICS_OPENMETRICS)
		g_string_append(out, "# EOF\n");
}
