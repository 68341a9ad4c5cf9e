/*
 * All that is shown, gathered at one moment, so that the page, /stats and /metrics tell the same.
 */
#ifndef GREYLAG_POLICYD_VIEW_VIEW_H
#define GREYLAG_POLICYD_VIEW_VIEW_H

#include "lib/settings.h"
#include "policyd/daemon/census.h"
#include "policyd/daemon/keeper.h"
#include "policyd/stats/learned.h"
#include "policyd/daemon/server.h"
#include "policyd/stats/stats.h"
#include "policyd/stats/summary.h"

#define VIEW_HOURS 48
#define VIEW_DAYS  30
#define VIEW_TOP   10

/* Where the numbers come from. They belong to the main. */
struct view_sources {
	const struct settings *settings;
	struct stats *stats;
	struct series *series, *verdicts;
	struct learned *learned;
	const struct server *server;
	const struct keeper *keeper;
};

struct view_disk {
	bool known;           /* the store lies in a folder of this machine */
	uint64_t free, total; /* bytes; free for the store's owner */
};

struct view {
	int64_t now, started;
	const char *host, *release;
	const struct settings *settings;
	const struct series *series, *verdicts;
	const struct tally *tally;
	double delay_sum, latency_sum;
	struct server_status server;

	const char *problem; /* why the store does not work; NULL if it does */
	bool have_store;     /* the store's status is known */
	struct store_status store;
	struct view_disk disk;
	uint64_t expired;
	int64_t last_pass; /* of expiry; 0: none yet */
	struct census_result census;
	struct known_status cache;
	const struct report_result *report; /* NULL: none has been made yet */
	struct learned_counts learned;      /* messages, by class */
	struct stats_error error;

	GArray *top[STATS_TOPS]; /* struct sketch_item */
	int64_t top_since;
	unsigned http_connections;
	uint64_t http_requests;

	/* Sums; the hours end with the present one, days are those of UTC. */
	/* Those of the series have counts alone. */
	struct summary hours[VIEW_HOURS], days[VIEW_DAYS];
	/* The present hour, the last 24 and 48 hours, and all days. */
	struct summary hour, day, two_days, month;
	/* A day's hours whose retry window is over: what has not come back never will. */
	struct summary ripe;

	struct judged judged_hours[VIEW_HOURS], judged_days[VIEW_DAYS];
	struct judged judged_day, judged_two_days, judged_month;
};

/* Asks the store whether it answers; the numbers may be some seconds old. The view is to be
 * cleared, and is valid until the loop goes on. */
void view_take(const struct view_sources *sources, int64_t now, struct view *ret_view);
void view_clear(struct view *view);

/* What the store alone tells, for a program that is not the daemon. STORE answers reads at once,
 * or is waited for. */
struct view_stored {
	const struct settings *settings;
	struct store *store;
	struct series *series, *verdicts;
	struct learned *learned;
};

void view_take_stored(const struct view_stored *sources, int64_t now, struct view *ret_view);

/* The sums of a view that has its series, settings and time. */
void view_sum(struct view *view);

/* Why the store does not work, as view->problem, asked anew. */
const char *view_problem(const struct view_sources *sources, int64_t now);

#endif
