#include "config.h"

#include "policyd/stats/stats.h"

#include <string.h>

#include "lib/address.h"
#include "policyd/stats/histogram.h"

/* The present half day is counted, the one before it is kept. */
#define SKETCH_SECONDS (12 * 3600)

struct stats {
	struct tally *tally;
	int64_t started;
	double delay_sum, latency_sum;
	struct stats_trouble trouble;
	struct stats_error error;
	struct sketch *now[STATS_TOPS], *before[STATS_TOPS];
	int64_t half_day;     /* number of the one that is counted */
	int64_t before_since; /* when the counting of the one before began */
	int64_t now_since;
};

struct stats *
stats_new(int64_t now)
{
	struct stats *stats = g_new0(struct stats, 1);

	stats->tally = tally_new();
	stats->started = stats->now_since = stats->before_since = now;
	stats->half_day = now / SKETCH_SECONDS;
	for (int i = 0; i < STATS_TOPS; i++)
		stats->now[i] = sketch_new();
	return stats;
}

void
stats_free(struct stats *stats)
{
	if (!stats)
		return;
	for (int i = 0; i < STATS_TOPS; i++) {
		sketch_free(stats->now[i]);
		sketch_free(stats->before[i]);
	}
	tally_free(stats->tally);
	g_free(stats);
}

struct tally *
stats_tally(const struct stats *stats)
{
	return stats->tally;
}

int64_t
stats_started(const struct stats *stats)
{
	return stats->started;
}

double
stats_delay_sum(const struct stats *stats)
{
	return stats->delay_sum;
}

double
stats_latency_sum(const struct stats *stats)
{
	return stats->latency_sum;
}

void
stats_failed(struct stats *stats, int64_t now, const char *what)
{
	stats->error.at = now;
	g_strlcpy(stats->error.what, what, sizeof stats->error.what);
}

struct stats_error
stats_last_error(const struct stats *stats)
{
	return stats->error;
}

static void
count_trouble(struct stats *stats, int64_t now, const char *what)
{
	if (!stats->trouble.first)
		stats->trouble.first = now;
	stats->trouble.last = now;
	stats->trouble.what = what;
}

struct stats_trouble
stats_trouble(const struct stats *stats)
{
	return stats->trouble;
}

void
stats_settle(struct stats *stats)
{
	stats->trouble = (struct stats_trouble){0};
}

/* -- the most deferred -- */

/* Begins a new half day when the last one is over. */
static void
turn(struct stats *stats, int64_t now)
{
	int64_t half_day = now / SKETCH_SECONDS;
	bool next = half_day == stats->half_day + 1;

	if (half_day == stats->half_day)
		return;
	for (int i = 0; i < STATS_TOPS; i++) {
		sketch_free(stats->before[i]);
		if (!next)
			sketch_free(stats->now[i]);
		stats->before[i] = next ? stats->now[i] : NULL;
		stats->now[i] = sketch_new();
	}
	stats->before_since = next ? stats->now_since : half_day * SKETCH_SECONDS;
	stats->now_since = half_day * SKETCH_SECONDS;
	stats->half_day = half_day;
}

static void
count_deferred(struct stats *stats, const struct rules *rules, const struct policy_request *request)
{
	const char *sender = request->value[POLICY_SENDER], *at = strrchr(sender, '@');
	char text[PREFIX_TEXT_SIZE];
	struct address address;
	struct prefix network;

	if (address_parse(request->value[POLICY_CLIENT_ADDRESS], &address)) {
		network =
		    prefix_of(&address, rules->greylist.ipv4_prefix, rules->greylist.ipv6_prefix);
		sketch_add(stats->now[STATS_NETWORKS], prefix_format(&network, text));
	}
	if (at && at[1]) {
		g_autofree char *domain = g_ascii_strdown(at + 1, SKETCH_KEY_MAX);

		sketch_add(stats->now[STATS_DOMAINS], domain);
	} else if (!sender[0]) {
		sketch_add(stats->now[STATS_DOMAINS], "<>");
	}
}

GArray *
stats_most_deferred(
    struct stats *stats, enum stats_top top, int64_t now, size_t limit, int64_t *ret_since)
{
	turn(stats, now);
	*ret_since = stats->before_since;
	return sketch_top(stats->now[top], stats->before[top], limit);
}

/* -- decisions -- */

static void
count_passed(struct stats *stats, const struct policy_decision *decision, int64_t now)
{
	if (decision->may_be_new) {
		tally_add(stats->tally, TALLY_MAY_BE_NEW, 1);
	} else {
		stats->delay_sum += (double)decision->delayed;
		tally_value(stats->tally, &tally_delays, (double)decision->delayed);
	}
	tally_add_at(stats->tally, (now - decision->delayed) / 3600, TALLY_RETURNED, 1);
	if (decision->by_name)
		tally_add(stats->tally, TALLY_BY_NAME, 1);
}

void
stats_decided(struct stats *stats, const struct rules *rules, const struct policy_request *request,
    const struct policy_decision *decision, int64_t now, double seconds)
{
	enum reason_effect effect = reason_row(decision->reason)->effect;
	struct tally *tally = stats->tally;

	tally_count(tally, decision->reason);
	tally_add(tally, TALLY_ACTIONS + decision->action, 1);
	stats->latency_sum += seconds;
	tally_value(tally, &tally_latencies, seconds);
	if (effect == REASON_FAILS) {
		stats_failed(stats, now, reason_row(decision->reason)->help);
		count_trouble(stats, now, reason_row(decision->reason)->help);
	}
	if (decision->reason == REASON_PASSED)
		count_passed(stats, decision, now);
	if (effect != REASON_DEFERS)
		return;
	if (decision->action != POLICY_DEFER)
		tally_add(tally, TALLY_OBSERVED, 1);
	turn(stats, now);
	if (!rules->privacy)
		count_deferred(stats, rules, request);
}
