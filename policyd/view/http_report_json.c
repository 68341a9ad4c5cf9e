#include "config.h"

#include "policyd/view/http_report_json.h"

#include <math.h>

static json_t *
whole(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *
moment(int64_t at)
{
	return at ? json_integer(at) : json_null();
}

static json_t *
seconds(double value)
{
	return isnan(value) ? json_null() : json_integer((json_int_t)value);
}

/* null for NaN */
static json_t *
real(double value)
{
	return isnan(value) ? json_null() : json_real(value);
}

static json_t *
delays_json(const struct report_delays *d)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:f}", "count", whole(d->n), "median_seconds",
	    seconds(d->median), "p95_seconds", seconds(d->p95), "worst_seconds", seconds(d->worst),
	    "hours", (double)d->seconds / 3600);
}

static json_t *
counts_json(const uint64_t counts[DELIVERY_VERDICTS])
{
	return json_pack("{s:o, s:o, s:o}", "ham", whole(counts[DELIVERY_HAM]), "spam",
	    whole(counts[DELIVERY_SPAM]), "unsure", whole(counts[DELIVERY_UNSURE]));
}

static json_t *
row_json(const struct report_row *row)
{
	return json_pack("{s:{s:o, s:o, s:o, s:o}, s:o, s:o, s:o, s:o}", "first_attempts", "count",
	    whole(row->firsts), "returned", whole(row->returned), "never_returned",
	    whole(row->firsts - row->returned), "open", whole(row->open), "judged",
	    counts_json(row->judged), "delayed", counts_json(row->delayed), "may_be_new",
	    counts_json(row->may_be_new), "ham_delay", delays_json(&row->ham));
}

static json_t *
rows_json(const GPtrArray *rows, size_t limit)
{
	json_t *list = json_array();

	for (guint i = 0; i < rows->len && (!limit || i < limit); i++) {
		const struct report_row *row = rows->pdata[i];
		json_t *object = row_json(row);

		/* Domains come from requests: whatever their bytes are. */
		g_autofree char *domain = g_utf8_make_valid(row->domain, -1);

		json_object_set_new(
		    object, "domain", *row->domain ? json_string(domain) : json_null());
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *
what_if_json(const struct report_result *result)
{
	json_t *list = json_array();

	for (int i = 0; i < DOMAINS_DELAYS; i++) {
		const struct report_what_if *w = &result->what_if[i];

		json_array_append_new(
		    list, json_pack("{s:I, s:{s:o, s:o}, s:{s:o, s:o}, s:o, s:o}", "delay_seconds",
			      (json_int_t)w->delay, "never_returned", "least", whole(w->away),
			      "most", whole(w->away_max), "spam_through", "least", whole(w->spam),
			      "most", whole(w->spam_max), "ham_delay_at_least",
			      delays_json(&w->ham), "ham_unknown", whole(w->ham_unknown)));
	}
	return list;
}

static json_t *
pools_json(const GPtrArray *pools, size_t limit)
{
	json_t *list = json_array();

	for (guint i = 0; i < pools->len && (!limit || i < limit); i++) {
		const struct report_pool *pool = pools->pdata[i];
		g_autofree char *domain = g_utf8_make_valid(pool->domain, -1);

		json_array_append_new(
		    list, json_pack("{s:s, s:i, s:o}", "domain", domain, "addresses",
			      (int)pool->addresses, "ham_delay", delays_json(&pool->delays)));
	}
	return list;
}

static json_t *
worth_json(const struct report_result *result)
{
	const struct report_account *a = &result->account;

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f}", "verdict",
	    report_worth_name(result->worth), "first_attempts", whole(a->firsts), "never_returned",
	    whole(a->away), "corrected", whole(a->corrected), "spam", whole(a->spam), "spam_missed",
	    a->corrected ? whole(a->missed) : json_null(), "missed_share",
	    real(report_missed_share(a)), "kept_out", real(report_kept_out(a)), "ham_hours",
	    (double)a->ham_seconds / 3600);
}

json_t *
report_json(const struct report_result *result, size_t limit)
{
	const struct report_period *p = &result->period;

	return json_pack("{s:{s:I, s:I, s:I, s:o, s:o}, s:o, s:o, s:o, s:o, s:o}", "period", "from",
	    (json_int_t)p->from, "to", (json_int_t)p->now, "retry_window_over_before",
	    (json_int_t)p->ripe, "first_attempts_since", moment(result->first_day),
	    "verdicts_since", moment(result->first_delivery), "all", row_json(&result->all),
	    "domains", rows_json(result->rows, limit), "other_delays", what_if_json(result),
	    "worth_whitelisting", pools_json(result->pools, limit), "pays", worth_json(result));
}
