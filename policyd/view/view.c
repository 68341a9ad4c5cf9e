#include "config.h"

#include "policyd/view/view.h"

#include <string.h>
#include <sys/statvfs.h>

/* The counters of the store are read again when they are so old, in seconds. */
#define MAX_AGE 2

static unsigned
store_timeout(const struct view_sources *sources)
{
	return (unsigned)settings_number(sources->settings, SETTING_STORE_TIMEOUT);
}

/* Of a store in a folder. False if the folder is gone. */
static bool
disk_of(const struct settings *settings, struct view_disk *ret_disk)
{
	const char *uri = settings_text(settings, SETTING_STORE_URI);
	struct statvfs fs;

	*ret_disk = (struct view_disk){0};
	if (!g_str_has_prefix(uri, "lmdb:"))
		return true;
	if (statvfs(uri + strlen("lmdb:"), &fs) != 0)
		return false;
	*ret_disk = (struct view_disk){
	    .known = true,
	    .free = (uint64_t)fs.f_bavail * fs.f_frsize,
	    .total = (uint64_t)fs.f_blocks * fs.f_frsize,
	};
	return true;
}

/* What of the store does not work, whoever looks; NULL if all does. */
static const char *
store_problem(const struct settings *settings, const struct store *store,
    const struct series *series, struct view_disk *ret_disk)
{
	if (!store)
		return "the store cannot be opened";
	if (!disk_of(settings, ret_disk))
		return "the store's folder is gone";
	if (series_result(series) != STORE_OK)
		return store_result_text(series_result(series));
	return NULL;
}

static const char *
find_problem(const struct view_sources *sources, int64_t now, int64_t max_age)
{
	struct store *store = keeper_store(sources->keeper);
	enum store_result written = tally_result(stats_tally(sources->stats));
	struct view_disk disk;
	const char *problem;

	series_refresh(sources->series, store, now, max_age, store_timeout(sources));
	series_refresh(sources->verdicts, store, now, max_age, store_timeout(sources));
	problem = store_problem(sources->settings, store, sources->series, &disk);
	if (problem)
		return problem;
	return written == STORE_OK ? NULL : store_result_text(written);
}

const char *
view_problem(const struct view_sources *sources, int64_t now)
{
	return find_problem(sources, now, 1);
}

void
view_sum(struct view *view)
{
	int64_t hour = view->now / 3600, day = view->now / 86400;
	int64_t window = settings_number(view->settings, SETTING_GREYLIST_RETRY_WINDOW);
	int64_t ripe = hour - (window + 3599) / 3600;
	int64_t first_day = (day - VIEW_DAYS + 1) * 24;

	for (int i = 0; i < VIEW_HOURS; i++) {
		int64_t first = hour - VIEW_HOURS + 1 + i;

		view->hours[i] = summary_counts(view->series, first, 1);
		view->judged_hours[i] = summary_judged(view->verdicts, first, 1);
	}
	for (int i = 0; i < VIEW_DAYS; i++) {
		int64_t first = first_day + (int64_t)i * 24;

		view->days[i] = summary_counts(view->series, first, 24);
		view->judged_days[i] = summary_judged(view->verdicts, first, 24);
	}
	view->hour = summary_of(view->series, hour, 1);
	view->day = summary_of(view->series, hour - 23, 24);
	view->two_days = summary_of(view->series, hour - 47, 48);
	view->month = summary_of(view->series, first_day, VIEW_DAYS * 24);
	view->ripe = summary_counts(view->series, ripe - 24, 24);
	view->judged_day = summary_judged(view->verdicts, hour - 23, 24);
	view->judged_two_days = summary_judged(view->verdicts, hour - 47, 48);
	view->judged_month = summary_judged(view->verdicts, first_day, VIEW_DAYS * 24);
}

void
view_take(const struct view_sources *sources, int64_t now, struct view *ret_view)
{
	struct store *store = keeper_store(sources->keeper);
	struct view view = {
	    .now = now,
	    .started = stats_started(sources->stats),
	    .host = g_get_host_name(),
	    .release = PACKAGE_VERSION,
	    .settings = sources->settings,
	    .series = sources->series,
	    .verdicts = sources->verdicts,
	    .tally = stats_tally(sources->stats),
	    .delay_sum = stats_delay_sum(sources->stats),
	    .latency_sum = stats_latency_sum(sources->stats),
	    .server = server_status(sources->server),
	    .problem = find_problem(sources, now, MAX_AGE),
	    .expired = keeper_expired(sources->keeper),
	    .last_pass = keeper_last_pass(sources->keeper),
	    .census = keeper_census(sources->keeper),
	    .report = keeper_report(sources->keeper),
	    .cache = keeper_cache(sources->keeper),
	    .error = stats_last_error(sources->stats),
	};

	if (store)
		learned_refresh(sources->learned, store, store_timeout(sources));
	view.learned = learned_counts(sources->learned);
	view.have_store = store && store_status(store, &view.store) == STORE_OK;
	disk_of(sources->settings, &view.disk);
	for (int i = 0; i < STATS_TOPS; i++)
		view.top[i] = stats_most_deferred(
		    sources->stats, (enum stats_top)i, now, VIEW_TOP, &view.top_since);
	view_sum(&view);
	*ret_view = view;
}

void
view_take_stored(const struct view_stored *sources, int64_t now, struct view *ret_view)
{
	unsigned timeout = (unsigned)settings_number(sources->settings, SETTING_STORE_TIMEOUT);
	struct view view = {
	    .now = now,
	    .host = g_get_host_name(),
	    .release = PACKAGE_VERSION,
	    .settings = sources->settings,
	    .series = sources->series,
	    .verdicts = sources->verdicts,
	};

	series_refresh(sources->series, sources->store, now, 0, timeout);
	series_refresh(sources->verdicts, sources->store, now, 0, timeout);
	learned_refresh(sources->learned, sources->store, timeout);
	store_wait(sources->store);
	view.learned = learned_counts(sources->learned);
	view.have_store = store_status(sources->store, &view.store) == STORE_OK;
	view.problem =
	    store_problem(sources->settings, sources->store, sources->series, &view.disk);
	view_sum(&view);
	*ret_view = view;
}

void
view_clear(struct view *view)
{
	for (int i = 0; i < STATS_TOPS; i++)
		g_clear_pointer(&view->top[i], g_array_unref);
}
