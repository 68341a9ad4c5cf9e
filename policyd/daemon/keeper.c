#include "config.h"

#include "policyd/daemon/keeper.h"

#include <ev.h>
#include <glib.h>

#include "db/open/open.h"
#include "lib/log.h"
#include "policyd/decide/allowed.h"
#include "policyd/decide/merge.h"

#define FLUSH_INTERVAL  1.0              /* counters */
#define CARE_INTERVAL   ALLOWED_TAKEN_UP /* exceptions; opening the store again */
#define EXPIRE_INTERVAL 0.1
#define EXPIRE_RECORDS  500  /* looked at in a step: some hundred microseconds */
#define EXPIRE_TIMEOUT  2000 /* milliseconds; a stop does not wait for longer */
#define QUIET           60   /* seconds without a failure until trouble is over */
#define PASS_INTERVAL   600  /* seconds from the end of a pass over all records to the next */

/* The spaces of which the daemon lets records go, in turn. */
static const enum store_space expiring[] = {STORE_TRIPLETS, STORE_CLIENTS, STORE_ALLOWED,
    STORE_HOURS, STORE_REPUTATION, STORE_DELIVERIES, STORE_DOMAINS};

struct keeper {
	struct ev_loop *loop;
	struct policy *policy;
	struct stats *stats;
	struct census *census;
	struct reporter *reporter;
	char *uri, *password_file, *fallback, *tls_ca, *tls_cert, *tls_key;
	struct store_options options;
	struct store *store;
	char *problem; /* why it cannot be opened */
	int64_t problem_since;
	struct ev_io completions;
	struct ev_timer flush, care, expire;

	unsigned space; /* index into expiring[] */
	struct store_cursor cursor;
	bool step_under_way;
	uint64_t step_expired, expired;
	int64_t last_pass;
};

int64_t
keeper_now(const struct keeper *keeper)
{
	return keeper->store ? store_now(keeper->store) : (int64_t)ev_now(keeper->loop);
}

static void
on_completions(struct ev_loop *loop G_GNUC_UNUSED, struct ev_io *watcher, int events G_GNUC_UNUSED)
{
	struct keeper *keeper = watcher->data;

	store_dispatch(keeper->store);
}

/* By the rules as they are now: a reload may have changed them. */
static void
merge_by_rules(void *context, enum store_space space, const struct store_bytes *old,
    const struct store_bytes *new, int64_t now, struct store_change *change)
{
	const struct keeper *keeper = context;

	merge_record(&policy_rules(keeper->policy)->greylist, space, old, new, now, change);
}

static void
note_problem(struct keeper *keeper, const char *message)
{
	if (!keeper->problem)
		keeper->problem_since = keeper_now(keeper);
	g_free(keeper->problem);
	keeper->problem = g_strdup_printf("the store cannot be opened: %s", message);
}

static void
try_open(struct keeper *keeper)
{
	g_autoptr(GError) error = NULL;

	keeper->store = store_open(&keeper->options, &error);
	if (!keeper->store) {
		note_problem(keeper, error->message);
		log_limited(
		    LOG_LEVEL_ERROR, "store", "%s; mail is let in until it opens", error->message);
		stats_failed(keeper->stats, keeper_now(keeper), error->message);
		return;
	}
	ev_io_init(&keeper->completions, on_completions, store_poll_fd(keeper->store), EV_READ);
	keeper->completions.data = keeper;
	ev_io_start(keeper->loop, &keeper->completions);
	policy_set_store(keeper->policy, keeper->store);
	/* What failed until now failed for want of it. */
	g_clear_pointer(&keeper->problem, g_free);
	stats_settle(keeper->stats);
	log_line(LOG_LEVEL_INFO, "store %s is open", keeper->uri);
}

/* Mail that fails is counted, so that there is always something to write: once that has been
 * written and no request has failed for a while, the trouble is over. */
static void
settle(struct keeper *keeper)
{
	const struct stats_trouble trouble = stats_trouble(keeper->stats);

	if (trouble.first && keeper_now(keeper) - trouble.last >= QUIET &&
	    tally_is_written(stats_tally(keeper->stats)))
		stats_settle(keeper->stats);
}

static void
on_flush(struct ev_loop *loop G_GNUC_UNUSED, struct ev_timer *timer, int events G_GNUC_UNUSED)
{
	struct keeper *keeper = timer->data;

	if (keeper->store)
		tally_flush(stats_tally(keeper->stats), keeper->store, keeper_now(keeper));
	settle(keeper);
	log_flush();
}

static void
on_care(struct ev_loop *loop G_GNUC_UNUSED, struct ev_timer *timer, int events G_GNUC_UNUSED)
{
	struct keeper *keeper = timer->data;

	if (!keeper->store)
		try_open(keeper);
	if (keeper->store)
		policy_read_allowed(keeper->policy, keeper_now(keeper));
}

/* -- expiry -- */

static void
next_space(struct keeper *keeper)
{
	keeper->cursor = (struct store_cursor){0};
	if (++keeper->space < G_N_ELEMENTS(expiring))
		return;
	keeper->space = 0;
	keeper->last_pass = keeper_now(keeper);
}

/* A training run may have the token environment for a while: there is another pass. */
static bool
is_taken(const struct keeper *keeper, enum store_result result)
{
	return store_spaces[expiring[keeper->space]].environment == STORE_TOKEN &&
	       (result == STORE_UNAVAILABLE || result == STORE_UNCERTAIN);
}

static void
on_expired(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct keeper *keeper = context;

	keeper->step_under_way = false;
	if (is_taken(keeper, result)) {
		next_space(keeper);
		return;
	}
	if (result != STORE_OK) {
		log_limited(LOG_LEVEL_WARNING, "expiry", "cannot expire records: %s",
		    store_result_text(result));
		stats_failed(keeper->stats, keeper_now(keeper), store_result_text(result));
		return;
	}
	keeper->expired += keeper->step_expired;
	tally_add(stats_tally(keeper->stats), TALLY_EXPIRED, (uint32_t)keeper->step_expired);
	if (keeper->cursor.end)
		next_space(keeper);
}

static void
on_expire(struct ev_loop *loop G_GNUC_UNUSED, struct ev_timer *timer, int events G_GNUC_UNUSED)
{
	struct keeper *keeper = timer->data;
	struct store_call call = {.timeout = EXPIRE_TIMEOUT, .done = on_expired, .context = keeper};
	bool resting = keeper->space == 0 && keeper->cursor.length == 0 && keeper->last_pass &&
		       keeper_now(keeper) - keeper->last_pass < PASS_INTERVAL;

	if (keeper->store) {
		census_step(keeper->census, keeper->store, keeper_now(keeper));
		reporter_step(keeper->reporter, keeper->store, keeper_now(keeper),
		    policy_rules(keeper->policy)->greylist.retry_window);
	}
	if (!keeper->store || keeper->step_under_way || resting)
		return;
	keeper->step_under_way = true;
	keeper->step_expired = 0;
	store_expire(keeper->store, expiring[keeper->space], &keeper->cursor, EXPIRE_RECORDS,
	    keeper_now(keeper), &keeper->step_expired, &call);
}

/* -- life -- */

static void
start_timer(struct keeper *keeper, struct ev_timer *timer,
    void (*callback)(struct ev_loop *, struct ev_timer *, int), ev_tstamp interval)
{
	ev_timer_init(timer, callback, interval, interval);
	timer->data = keeper;
	ev_timer_start(keeper->loop, timer);
}

struct keeper *
keeper_new(struct ev_loop *loop, const struct settings *settings, struct policy *policy,
    struct stats *stats)
{
	struct keeper *keeper = g_new0(struct keeper, 1);

	keeper->loop = loop;
	keeper->policy = policy;
	keeper->stats = stats;
	keeper->census = census_new();
	keeper->reporter = reporter_new();
	keeper->uri = g_strdup(settings_text(settings, SETTING_STORE_URI));
	keeper->password_file = g_strdup(settings_text(settings, SETTING_STORE_PASSWORD_FILE));
	keeper->tls_ca = g_strdup(settings_text(settings, SETTING_STORE_TLS_CA));
	keeper->tls_cert = g_strdup(settings_text(settings, SETTING_STORE_TLS_CERT));
	keeper->tls_key = g_strdup(settings_text(settings, SETTING_STORE_TLS_KEY));
	keeper->fallback = g_strdup(settings_text(settings, SETTING_STORE_FALLBACK));
	keeper->options = (struct store_options){
	    .uri = keeper->uri,
	    .password_file = keeper->password_file,
	    .tls = {keeper->tls_ca, keeper->tls_cert, keeper->tls_key},
	    .create = true,
	    .map_size = (uint64_t)settings_number(settings, SETTING_STORE_MAP_SIZE),
	    .max_triplets = (uint64_t)settings_number(settings, SETTING_STORE_MAX_TRIPLETS),
	    .timeout = (unsigned)settings_number(settings, SETTING_STORE_TIMEOUT),
	    .wait_replicas = (unsigned)settings_number(settings, SETTING_STORE_WAIT_REPLICAS),
	    .fallback = keeper->fallback,
	    .merge = merge_by_rules,
	    .merge_context = keeper,
	};
	try_open(keeper);
	if (keeper->store)
		policy_read_allowed(policy, keeper_now(keeper));
	start_timer(keeper, &keeper->flush, on_flush, FLUSH_INTERVAL);
	start_timer(keeper, &keeper->care, on_care, CARE_INTERVAL);
	start_timer(keeper, &keeper->expire, on_expire, EXPIRE_INTERVAL);
	return keeper;
}

void
keeper_free(struct keeper *keeper)
{
	if (!keeper)
		return;
	ev_timer_stop(keeper->loop, &keeper->flush);
	ev_timer_stop(keeper->loop, &keeper->care);
	ev_timer_stop(keeper->loop, &keeper->expire);
	if (keeper->store) {
		store_wait(keeper->store);
		tally_flush(stats_tally(keeper->stats), keeper->store, keeper_now(keeper));
		ev_io_stop(keeper->loop, &keeper->completions);
		store_close(&keeper->store);
	}
	policy_set_store(keeper->policy, NULL);
	census_free(keeper->census);
	reporter_free(keeper->reporter);
	g_free(keeper->problem);
	g_free(keeper->uri);
	g_free(keeper->password_file);
	g_free(keeper->tls_ca);
	g_free(keeper->tls_cert);
	g_free(keeper->tls_key);
	g_free(keeper->fallback);
	g_free(keeper);
}

struct store *
keeper_store(const struct keeper *keeper)
{
	return keeper->store;
}

/* The local store answers in place of the server. */
static bool
falls_back(const struct keeper *keeper, int64_t *ret_since)
{
	struct store_status status;

	if (!*keeper->fallback || store_status(keeper->store, &status) != STORE_OK ||
	    !status.fallback.active)
		return false;
	*ret_since = status.fallback.since;
	return true;
}

static enum condition
by_rules(const struct keeper *keeper)
{
	static const enum condition modes[] = {
	    [GREYLIST_ENFORCE] = CONDITION_GREYLISTING,
	    [GREYLIST_OBSERVE] = CONDITION_OBSERVING,
	    [GREYLIST_OFF] = CONDITION_OFF,
	};

	return modes[policy_rules(keeper->policy)->mode];
}

enum condition
keeper_condition(struct keeper *keeper, int64_t *ret_since, const char **ret_reason)
{
	const struct stats_trouble trouble = stats_trouble(keeper->stats);
	enum condition condition = by_rules(keeper);

	*ret_since = keeper_now(keeper);
	*ret_reason = "";
	if (condition == CONDITION_OFF)
		return condition;
	if (!keeper->store) {
		*ret_since = keeper->problem_since;
		*ret_reason = keeper->problem;
		return CONDITION_LETTING_ALL_IN;
	}
	if (trouble.first) {
		*ret_since = trouble.first;
		*ret_reason = trouble.what;
		return CONDITION_LETTING_IN;
	}
	if (falls_back(keeper, ret_since)) {
		*ret_reason = "the server does not answer";
		return CONDITION_FALLBACK;
	}
	return condition;
}

uint64_t
keeper_expired(const struct keeper *keeper)
{
	return keeper->expired;
}

int64_t
keeper_last_pass(const struct keeper *keeper)
{
	return keeper->last_pass;
}

struct census_result
keeper_census(const struct keeper *keeper)
{
	return census_result(keeper->census);
}

const struct report_result *
keeper_report(const struct keeper *keeper)
{
	return reporter_result(keeper->reporter);
}

struct known_status
keeper_cache(const struct keeper *keeper)
{
	return policy_cache(keeper->policy);
}
