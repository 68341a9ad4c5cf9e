#include "config.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "db/open/open.h"
#include "policyd/ctl/ctl.h"
#include "policyd/ctl/life.h"
#include "policyd/view/http_stats.h"
#include "policyd/view/view.h"

/* Spans of time that the tables have columns of; the hour that is under way counts as one. */
static const char *const titles[] = {"this hour", "24 h", "48 h"};

#define SPANS G_N_ELEMENTS(titles)

struct spans {
	const struct summary *mail[SPANS];
	const struct judged *judged[SPANS];
};

static struct spans
spans_of(const struct view *view)
{
	return (struct spans){
	    .mail = {&view->hour, &view->day, &view->two_days},
	    .judged = {&view->judged_hours[VIEW_HOURS - 1], &view->judged_day,
		&view->judged_two_days},
	};
}

/* -- rows -- */

static void
print_title(const char *title)
{
	printf("\n%-26s", title);
	for (size_t i = 0; i < SPANS; i++)
		printf("%12s", titles[i]);
	putchar('\n');
}

static void
print_row(const char *indent, const char *title, const uint64_t counts[SPANS])
{
	printf("%s%-*s", indent, indent[0] ? 24 : 26, title);
	for (size_t i = 0; i < SPANS; i++)
		printf("%12" G_GUINT64_FORMAT, counts[i]);
	putchar('\n');
}

/* Seconds, in a unit that suits them; "-" for NaN. */
static char *
duration_text(double seconds)
{
	if (isnan(seconds))
		return g_strdup("-");
	if (seconds < 1)
		return g_strdup_printf("%.2f ms", seconds * 1e3);
	if (seconds < 600)
		return g_strdup_printf("%.0f s", seconds);
	if (seconds < 36000)
		return g_strdup_printf("%.0f min", seconds / 60);
	return g_strdup_printf("%.1f h", seconds / 3600);
}

static void
print_quantile(const char *title, const struct histogram_scale *scale,
    const struct histogram *const histograms[SPANS], double q)
{
	printf("  %-24s", title);
	for (size_t i = 0; i < SPANS; i++) {
		g_autofree char *text = duration_text(histogram_quantile(scale, histograms[i], q));

		printf("%12s", text);
	}
	putchar('\n');
}

/* -- mail -- */

static void
print_reasons(const struct spans *spans, enum reason_effect effect)
{
	for (unsigned reason = 0; reason < REASONS; reason++) {
		uint64_t counts[SPANS];

		if (reason_row((enum reason)reason)->effect != effect ||
		    !spans->mail[SPANS - 1]->by_reason[reason])
			continue;
		for (size_t i = 0; i < SPANS; i++)
			counts[i] = spans->mail[i]->by_reason[reason];
		print_row("  ", reason_row((enum reason)reason)->name, counts);
	}
}

static void
print_mail(const struct spans *spans)
{
	static const struct {
		const char *title;
		size_t offset; /* in struct summary */
		enum reason_effect effect;
	} rows[] = {
	    {"deferred", offsetof(struct summary, deferred), REASON_DEFERS},
	    {"passed after a delay", offsetof(struct summary, passed), REASON_PASSES},
	    {"spared any delay", offsetof(struct summary, spared), REASON_SPARES},
	    {"let in undecided", offsetof(struct summary, failed), REASON_FAILS},
	};
	uint64_t counts[SPANS];

	print_title("mail");
	for (size_t row = 0; row < G_N_ELEMENTS(rows); row++) {
		for (size_t i = 0; i < SPANS; i++)
			counts[i] = *(const uint64_t *)(const void *)((const char *)spans->mail[i] +
								      rows[row].offset);
		print_row("", rows[row].title, counts);
		print_reasons(spans, rows[row].effect);
	}
	for (size_t i = 0; i < SPANS; i++)
		counts[i] = spans->mail[i]->observed;
	if (counts[SPANS - 1])
		print_row("", "only observed, not deferred", counts);
}

static void
print_times(const struct spans *spans)
{
	const struct histogram *delays[SPANS], *latencies[SPANS];
	uint64_t may_be_new[SPANS];

	for (size_t i = 0; i < SPANS; i++) {
		delays[i] = &spans->mail[i]->delays;
		latencies[i] = &spans->mail[i]->latencies;
		may_be_new[i] = spans->mail[i]->may_be_new;
	}
	print_title("time");
	print_quantile("delay, median", &histogram_delay, delays, 0.5);
	print_quantile("delay, 95 % within", &histogram_delay, delays, 0.95);
	print_quantile("delay, 99 % within", &histogram_delay, delays, 0.99);
	if (may_be_new[SPANS - 1])
		print_row("  ", "may be new, left out", may_be_new);
	print_quantile("answer, median", &histogram_latency, latencies, 0.5);
	print_quantile("answer, 99 % within", &histogram_latency, latencies, 0.99);
}

static void
print_gone(const struct summary *ripe)
{
	printf("\nnever came back: ");
	if (ripe->firsts)
		printf("%.1f %% of the %" G_GUINT64_FORMAT
		       " first attempts in the last 24 hours whose retry window is over\n",
		    summary_gone(ripe) * 100, ripe->firsts);
	else
		printf("no retry window has ended in 24 hours\n");
}

/* -- classifier -- */

static void
print_classifier(const struct view *view, const struct spans *spans)
{
	static const struct {
		const char *title;
		enum verdicts_cell cell;
	} rows[] = {
	    {"judged spam", VERDICTS_SPAM},
	    {"judged ham", VERDICTS_HAM},
	    {"unsure", VERDICTS_UNSURE},
	    {"without a verdict", VERDICTS_FAILED},
	    {"learned as spam", VERDICTS_LEARNED_SPAM},
	    {"learned as ham", VERDICTS_LEARNED_HAM},
	    {"moved to the other class", VERDICTS_MOVED},
	};

	print_title("classifier");
	for (size_t row = 0; row < G_N_ELEMENTS(rows); row++) {
		uint64_t counts[SPANS];

		for (size_t i = 0; i < SPANS; i++)
			counts[i] = spans->judged[i]->cells[rows[row].cell];
		print_row("", rows[row].title, counts);
	}
	printf("knows %" G_GUINT64_FORMAT " tokens, %" G_GUINT64_FORMAT
	       " messages learned as spam, %" G_GUINT64_FORMAT " as ham\n",
	    view->store.records[STORE_TOKENS], view->learned.spam, view->learned.ham);
}

/* -- the store -- */

static void
print_store(const struct view *view)
{
	const struct store_status *store = &view->store;

	printf("store %s (%s), %.1f MB: %s\n", settings_text(view->settings, SETTING_STORE_URI),
	    store->driver, (double)store->bytes_used / (1024 * 1024),
	    view->problem ? view->problem : "can be read");
	if (view->disk.known)
		printf("disk: %.1f of %.1f GB free\n", (double)view->disk.free / (1 << 30),
		    (double)view->disk.total / (1 << 30));
	for (int i = 0; i < STORE_SPACES; i++)
		printf("  %-12s%12" G_GUINT64_FORMAT "%s\n", store_spaces[i].name,
		    store->records[i], store->approximate ? " or so" : "");
}

/* What a local store has that the server has not got yet. */
static void
print_fallback(const struct view *view, bool answers)
{
	struct store_options options = {
	    .uri = settings_text(view->settings, SETTING_STORE_FALLBACK), .read_only = true};
	struct store_status status;
	uint64_t waiting = 0;
	struct store *store = *options.uri ? store_open(&options, NULL) : NULL;

	if (!*options.uri)
		return;
	if (store && store_status(store, &status) == STORE_OK && status.records[STORE_JOURNAL])
		waiting = status.records[STORE_JOURNAL] - 1;
	store_close(&store);
	printf("fallback %s: %s; %" G_GUINT64_FORMAT " records and counters wait to be merged\n",
	    options.uri, answers ? "answers in place of the server" : "stands by", waiting);
}

static void
print_text(const struct view *view, bool fallback_answers)
{
	const struct spans spans = spans_of(view);

	print_store(view);
	print_fallback(view, fallback_answers);
	print_mail(&spans);
	print_times(&spans);
	print_gone(&view->ripe);
	print_classifier(view, &spans);
}

/* VIEW may be NULL: what runs is known where the store cannot be read. */
static void
print_json(const struct view *view, const struct life *life)
{
	g_autoptr(GString) out = g_string_new(NULL);
	json_t *root = NULL;
	char *dump;

	if (view) {
		http_stats_render_stored(view, "greylagctl", out);
		root = json_loads(out->str, 0, NULL);
	}
	if (!root)
		root =
		    json_pack("{s:i, s:s}", "version", HTTP_STATS_VERSION, "program", "greylagctl");
	json_object_set_new(root, "programs", life_json(life));
	json_object_set_new(root, "status", json_integer(life_status(life)));
	dump = json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(10));
	puts(dump);
	free(dump);
	json_decref(root);
}

/* The server, or what stands in for it as long as nobody reaches it. */
static bool
open_what_answers(struct ctl *ctl, bool *ret_fallback, GError **error)
{
	const char *fallback = settings_text(ctl->settings, SETTING_STORE_FALLBACK);
	g_autofree char *assignment = g_strdup_printf("store.uri=%s", fallback);
	g_autoptr(GError) reason = NULL;

	*ret_fallback = false;
	if (ctl_open(ctl, CTL_READ, &reason))
		return true;
	if (!*fallback || !settings_assign(ctl->settings, assignment, NULL) ||
	    !ctl_open(ctl, CTL_READ, NULL)) {
		g_propagate_error(error, g_steal_pointer(&reason));
		return false;
	}
	fprintf(stderr, "greylagctl: %s\n", reason->message);
	*ret_fallback = true;
	return true;
}

static bool
can_read(struct ctl *ctl, GError **error)
{
	struct store_status status;
	enum store_result result = store_status(ctl->store, &status);

	return result == STORE_OK || ctl_store_fail(ctl->store, result, error);
}

static bool
show_store(struct ctl *ctl, const struct life *life, bool json, GError **error)
{
	struct view_stored sources = {0};
	enum store_result result;
	g_autofree struct view *view = NULL;
	bool fallback;

	if (!open_what_answers(ctl, &fallback, error) || !can_read(ctl, error)) {
		if (json)
			print_json(NULL, life);
		return false;
	}
	sources = (struct view_stored){
	    .settings = ctl->settings,
	    .store = ctl->store,
	    .series = series_new(STORE_HOURS, TALLY_CELLS),
	    .verdicts = series_new(STORE_VERDICTS, VERDICTS_CELLS),
	    .learned = learned_new(),
	};
	view = g_new(struct view, 1);
	view_take_stored(&sources, ctl->now, view);
	if (json)
		print_json(view, life);
	else
		print_text(view, fallback);
	result = series_result(sources.series);
	view_clear(view);
	learned_free(sources.learned);
	series_free(sources.series);
	series_free(sources.verdicts);
	return result == STORE_OK || ctl_store_fail(ctl->store, result, error);
}

/* What mail experiences comes first, and from those who know it: the store tells of the past. */
bool
ctl_status(struct ctl *ctl, int argc, char **argv, GError **error)
{
	gboolean json = FALSE;
	const GOptionEntry entries[] = {
	    {"json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL},
	    G_OPTION_ENTRY_NULL,
	};
	struct life life;
	bool good;

	if (!ctl_parse(ctl, entries, 0, 0, &argc, &argv, error))
		return false;
	life_take(ctl->settings, &life);
	ctl->status = life_status(&life);
	if (!json)
		life_print(&life);
	fflush(stdout);
	good = show_store(ctl, &life, json, error);
	life_clear(&life);
	return good;
}
