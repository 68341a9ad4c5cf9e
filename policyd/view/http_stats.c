#include "config.h"

#include "policyd/view/http_stats.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "policyd/view/http_report_json.h"

/* Domains of the report that are told; "greylagctl report" has all. */
#define REPORT_ROWS 20

const enum setting http_shown_settings[] = {SETTING_GREYLIST_MODE, SETTING_GREYLIST_WHEN,
    SETTING_GREYLIST_DELAY, SETTING_GREYLIST_RETRY_WINDOW, SETTING_GREYLIST_LIFETIME,
    SETTING_GREYLIST_AUTO_WHITELIST_AFTER, SETTING_GREYLIST_IPV4_PREFIX,
    SETTING_GREYLIST_IPV6_PREFIX, SETTING_GREYLIST_MATCH_BY_NAME, SETTING_GREYLIST_NULL_SENDER,
    SETTING_GREYLIST_ACTION, SETTING_GREYLIST_PRIVACY, SETTING_STORE_MAX_TRIPLETS,
    SETTING_STORE_TIMEOUT, SETTING_STORE_FALLBACK, SETTING_STORE_WAIT_REPLICAS, SETTING_STORE_CACHE,
    SETTING_STORE_CACHE_TTL, SETTING_COUNT};

static json_t *
whole(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* null where there is nothing to tell. */
static json_t *
real(double value)
{
	return isnan(value) ? json_null() : json_real(value);
}

static json_t *
moment(int64_t at)
{
	return at ? json_integer(at) : json_null();
}

/* From mail, or from wherever: made valid. */
static json_t *
text(const char *value)
{
	g_autofree char *valid = value ? g_utf8_make_valid(value, -1) : NULL;

	return valid ? json_string(valid) : json_null();
}

static json_t *
histogram_json(const struct histogram_scale *scale, const struct histogram *h)
{
	json_t *buckets = json_array();

	for (unsigned i = 0; i <= scale->n_bounds; i++)
		json_array_append_new(
		    buckets, json_pack("{s:o, s:o}", "le",
				 i < scale->n_bounds ? json_real(scale->bounds[i]) : json_null(),
				 "count", whole(h->counts[i])));
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "count", whole(histogram_count(scale, h)),
	    "median_seconds", real(histogram_quantile(scale, h, 0.5)), "p95_seconds",
	    real(histogram_quantile(scale, h, 0.95)), "p99_seconds",
	    real(histogram_quantile(scale, h, 0.99)), "buckets", buckets);
}

static json_t *
counts_json(const struct summary *s)
{
	return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "start",
	    (json_int_t)(s->first * 3600), "hours", (json_int_t)s->hours, "deferred",
	    whole(s->deferred), "passed", whole(s->passed), "may_be_new", whole(s->may_be_new),
	    "spared", whole(s->spared), "failed", whole(s->failed), "observed", whole(s->observed),
	    "early", whole(s->early), "first_attempts", whole(s->firsts), "returned",
	    whole(s->returned));
}

static json_t *
period_json(const struct summary *s)
{
	json_t *period = counts_json(s), *reasons = json_object();

	for (unsigned i = 0; i < REASONS; i++)
		json_object_set_new(
		    reasons, reason_row((enum reason)i)->name, whole(s->by_reason[i]));
	json_object_set_new(period, "by_reason", reasons);
	json_object_set_new(period, "delay", histogram_json(&histogram_delay, &s->delays));
	json_object_set_new(period, "answer", histogram_json(&histogram_latency, &s->latencies));
	return period;
}

static json_t *
list_json(const struct summary *summaries, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, counts_json(&summaries[i]));
	return list;
}

static json_t *
top_json(const GArray *items)
{
	json_t *list = json_array();

	for (guint i = 0; items && i < items->len; i++) {
		const struct sketch_item *item = &g_array_index(items, struct sketch_item, i);

		json_array_append_new(
		    list, json_pack("{s:o, s:o, s:o}", "name", text(item->key), "count",
			      whole(item->count), "error", whole(item->error)));
	}
	return list;
}

static json_t *
health_json(const struct view *view)
{
	json_t *error = json_null();

	if (view->error.at)
		error = json_pack("{s:I, s:o}", "time", (json_int_t)view->error.at, "text",
		    text(view->error.what));
	return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "ok", view->problem == NULL,
	    "problem", text(view->problem), "last_error", error, "disk_free_bytes",
	    view->disk.known ? whole(view->disk.free) : json_null(), "disk_total_bytes",
	    view->disk.known ? whole(view->disk.total) : json_null(), "last_expiry",
	    moment(view->last_pass), "expired", whole(view->expired));
}

static json_t *
process_json(const struct view *view)
{
	const struct server_status *s = &view->server;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "connections", whole(s->connections),
	    "accepted", whole(s->accepted), "requests", whole(s->requests), "malformed",
	    whole(s->malformed), "timed_out", whole(s->timed_out), "made_room",
	    whole(s->made_room));
}

/* null where no local store stands in for a server. */
static json_t *
fallback_json(const struct store_fallback_status *f)
{
	if (!f->configured)
		return json_null();
	return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o}", "active", (int)f->active, "since",
	    moment(f->since), "switches", whole(f->switches), "answers", whole(f->answers),
	    "merged", whole(f->merged), "waiting", whole(f->waiting));
}

static json_t *
store_json(const struct view *view)
{
	json_t *records = json_object();

	if (!view->have_store) {
		json_decref(records);
		return json_null();
	}
	for (int i = 0; i < STORE_SPACES; i++)
		json_object_set_new(records, store_spaces[i].name, whole(view->store.records[i]));
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "driver", view->store.driver,
	    "bytes", whole(view->store.bytes_used), "commits", whole(view->store.commits),
	    "updates", whole(view->store.updates), "evicted", whole(view->store.evicted),
	    "approximate", (int)view->store.approximate, "records", records, "fallback",
	    fallback_json(&view->store.fallback));
}

/* null where nothing is remembered. */
static json_t *
cache_json(const struct view *view)
{
	if (!view->cache.entries)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o}", "entries", whole(view->cache.entries), "used",
	    whole(view->cache.used), "hits", whole(view->cache.hits), "misses",
	    whole(view->cache.misses));
}

static json_t *
triplets_json(const struct view *view)
{
	json_t *states;

	if (!view->census.at)
		return json_null();
	states = json_pack("{s:I}", "counted", (json_int_t)view->census.at);
	for (int i = 0; i < TRIPLET_STATES; i++)
		json_object_set_new(states, triplet_state_name((enum triplet_state)i),
		    whole(view->census.states[i]));
	return states;
}

/* null before the first message is trained. */
static json_t *
classifier_json(const struct view *view)
{
	const uint64_t *records = view->store.records;

	if (!view->have_store || (!records[STORE_TOKENS] && !records[STORE_MESSAGES]))
		return json_null();
	return json_pack("{s:o, s:o, s:{s:o, s:o}}", "tokens", whole(records[STORE_TOKENS]),
	    "messages", whole(records[STORE_MESSAGES]), "trained", "spam",
	    whole(view->learned.spam), "ham", whole(view->learned.ham));
}

static json_t *
judged_json(const struct judged *j)
{
	return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "start",
	    (json_int_t)(j->first * 3600), "hours", (json_int_t)j->hours, "spam",
	    whole(j->cells[VERDICTS_SPAM]), "ham", whole(j->cells[VERDICTS_HAM]), "unsure",
	    whole(j->cells[VERDICTS_UNSURE]), "trained_spam",
	    whole(j->cells[VERDICTS_LEARNED_SPAM]), "trained_ham",
	    whole(j->cells[VERDICTS_LEARNED_HAM]), "moved", whole(j->cells[VERDICTS_MOVED]),
	    "failed", whole(j->cells[VERDICTS_FAILED]));
}

static json_t *
judged_period_json(const struct judged *j)
{
	json_t *period = judged_json(j), *scores = json_array();

	for (unsigned i = 0; i < VERDICTS_BINS; i++)
		json_array_append_new(
		    scores, json_pack("{s:o, s:o}", "lt", json_real((i + 1) * VERDICTS_BIN_WIDTH),
				"count", whole(j->cells[VERDICTS_SCORES + i])));
	json_object_set_new(period, "scores", scores);
	return period;
}

static json_t *
judged_list_json(const struct judged *all, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, judged_json(&all[i]));
	return list;
}

static json_t *
verdicts_json(const struct view *view)
{
	const struct settings *s = view->settings;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "spam_cutoff",
	    json_real(settings_decimal(s, SETTING_CLASSIFIER_SPAM_CUTOFF)), "ham_cutoff",
	    json_real(settings_decimal(s, SETTING_CLASSIFIER_HAM_CUTOFF)), "last_24_hours",
	    judged_period_json(&view->judged_day), "last_48_hours",
	    judged_period_json(&view->judged_two_days), "last_30_days",
	    judged_period_json(&view->judged_month), "hours",
	    judged_list_json(view->judged_hours, VIEW_HOURS), "days",
	    judged_list_json(view->judged_days, VIEW_DAYS));
}

static json_t *
settings_json(const struct view *view)
{
	json_t *all = json_object();

	for (const enum setting *s = http_shown_settings; *s != SETTING_COUNT; s++) {
		const struct setting_row *row = settings_row(*s);
		g_autofree char *name = g_strdup_printf("%s.%s", row->section, row->key);
		g_autofree char *value = settings_format(view->settings, *s);

		json_object_set_new(all, name, text(value));
	}
	return all;
}

static json_t *
retry_json(const struct view *view)
{
	return json_pack("{s:I, s:I, s:o, s:o, s:o}", "start",
	    (json_int_t)(view->ripe.first * 3600), "hours", (json_int_t)view->ripe.hours,
	    "first_attempts", whole(view->ripe.firsts), "returned", whole(view->ripe.returned),
	    "never_returned_share", real(summary_gone(&view->ripe)));
}

/* What the store tells, whoever reads it. */
static void
add_stored(json_t *root, const struct view *view)
{
	json_object_set_new(root, "last_24_hours", period_json(&view->day));
	json_object_set_new(root, "last_48_hours", period_json(&view->two_days));
	json_object_set_new(root, "last_30_days", period_json(&view->month));
	json_object_set_new(root, "retry", retry_json(view));
	json_object_set_new(root, "hours", list_json(view->hours, VIEW_HOURS));
	json_object_set_new(root, "days", list_json(view->days, VIEW_DAYS));
	json_object_set_new(root, "store", store_json(view));
	json_object_set_new(root, "classifier", classifier_json(view));
	json_object_set_new(root, "verdicts", verdicts_json(view));
	json_object_set_new(root, "settings", settings_json(view));
}

static json_t *
root_json(const struct view *view, const char *program)
{
	return json_pack("{s:i, s:s, s:o, s:o, s:I}", "version", HTTP_STATS_VERSION, "program",
	    program, "release", text(view->release), "host", text(view->host), "now",
	    (json_int_t)view->now);
}

/* Takes the document. */
static void
append_json(json_t *root, GString *out)
{
	char *dump = json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(10));

	g_string_append(out, dump);
	g_string_append_c(out, '\n');
	free(dump);
	json_decref(root);
}

void
http_stats_render(const struct view *view, GString *out)
{
	json_t *root = root_json(view, "greylagd");

	json_object_set_new(root, "started", json_integer(view->started));
	json_object_set_new(root, "health", health_json(view));
	json_object_set_new(root, "process", process_json(view));
	json_object_set_new(root, "cache", cache_json(view));
	add_stored(root, view);
	json_object_set_new(root, "most_deferred",
	    json_pack("{s:I, s:o, s:o}", "since", (json_int_t)view->top_since, "networks",
		top_json(view->top[STATS_NETWORKS]), "sender_domains",
		top_json(view->top[STATS_DOMAINS])));
	json_object_set_new(root, "triplets", triplets_json(view));
	json_object_set_new(
	    root, "report", view->report ? report_json(view->report, REPORT_ROWS) : json_null());
	append_json(root, out);
}

void
http_stats_render_stored(const struct view *view, const char *program, GString *out)
{
	json_t *root = root_json(view, program);

	json_object_set_new(root, "health",
	    json_pack("{s:b, s:o, s:o, s:o}", "ok", view->problem == NULL, "problem",
		text(view->problem), "disk_free_bytes",
		view->disk.known ? whole(view->disk.free) : json_null(), "disk_total_bytes",
		view->disk.known ? whole(view->disk.total) : json_null()));
	add_stored(root, view);
	append_json(root, out);
}
