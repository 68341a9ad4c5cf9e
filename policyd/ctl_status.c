#include "config.h"

#include <stdio.h>

#include "policyd/ctl.h"
#include "policyd/ctl_json.h"
#include "policyd/tally.h"

#define STATUS_VERSION 1 /* of the JSON */

/* Spans of time, in hours; the one that is under way counts as one. */
static const struct {
	const char *name, *title;
	int64_t hours;
} spans[] = {{"hour", "this hour", 1}, {"day", "24 h", 24}, {"two_days", "48 h", 48}};

static const char *const effects[] = {
    [REASON_DEFERS] = "asked to come again",
    [REASON_PASSES] = "let in after a delay",
    [REASON_SPARES] = "let in without one",
    [REASON_FAILS] = "let in undecided",
};
static const char *const effect_names[] = {
    [REASON_DEFERS] = "deferred",
    [REASON_PASSES] = "passed",
    [REASON_SPARES] = "spared",
    [REASON_FAILS] = "failed",
};

struct sums {
	int64_t hour; /* the present one */
	uint64_t by_reason[G_N_ELEMENTS(spans)][REASONS];
	uint64_t by_effect[G_N_ELEMENTS(spans)][G_N_ELEMENTS(effects)];
};

static bool
add_hour(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	struct sums *sums = context;
	int64_t age = sums->hour - tally_key_hour(key);

	for (size_t i = 0; i < G_N_ELEMENTS(spans); i++) {
		if (age < 0 || age >= spans[i].hours)
			continue;
		for (unsigned reason = 0; reason < REASONS; reason++) {
			int32_t n = store_cell_get(value, reason);

			sums->by_reason[i][reason] += (uint64_t)MAX(n, 0);
			sums->by_effect[i][reason_row(reason)->effect] += (uint64_t)MAX(n, 0);
		}
	}
	return true;
}

static void
print_row(const char *indent, const char *title, const uint64_t counts[G_N_ELEMENTS(spans)])
{
	printf("%s%-*s", indent, indent[0] ? 22 : 24, title);
	for (size_t i = 0; i < G_N_ELEMENTS(spans); i++)
		printf("%12" G_GUINT64_FORMAT, counts[i]);
	putchar('\n');
}

static void
print_reasons(const struct sums *sums, size_t effect)
{
	uint64_t counts[G_N_ELEMENTS(spans)];
	const size_t longest = G_N_ELEMENTS(spans) - 1;

	for (unsigned reason = 0; reason < REASONS; reason++) {
		if (reason_row(reason)->effect != effect || !sums->by_reason[longest][reason])
			continue;
		for (size_t i = 0; i < G_N_ELEMENTS(spans); i++)
			counts[i] = sums->by_reason[i][reason];
		print_row("  ", reason_row(reason)->name, counts);
	}
}

static void
print_text(const char *uri, const struct store_status *status, const struct sums *sums)
{
	uint64_t counts[G_N_ELEMENTS(spans)];

	printf("store %s (%s), %.1f MB\n", uri, status->driver,
	    (double)status->bytes_used / (1024 * 1024));
	for (int i = 0; i < STORE_SPACES; i++)
		printf("  %-12s%12" G_GUINT64_FORMAT "%s\n", store_spaces[i].name,
		    status->records[i], status->approximate ? " or so" : "");
	printf("%-24s", "decisions");
	for (size_t i = 0; i < G_N_ELEMENTS(spans); i++)
		printf("%12s", spans[i].title);
	putchar('\n');
	for (size_t effect = 0; effect < G_N_ELEMENTS(effects); effect++) {
		for (size_t i = 0; i < G_N_ELEMENTS(spans); i++)
			counts[i] = sums->by_effect[i][effect];
		print_row("", effects[effect], counts);
		print_reasons(sums, effect);
	}
}

static json_t *
span_json(const struct sums *sums, size_t span)
{
	json_t *by_reason = json_object(), *by_effect = json_object();

	for (unsigned reason = 0; reason < REASONS; reason++)
		json_object_set_new(by_reason, reason_row(reason)->name,
		    json_integer((json_int_t)sums->by_reason[span][reason]));
	for (size_t effect = 0; effect < G_N_ELEMENTS(effects); effect++)
		json_object_set_new(by_effect, effect_names[effect],
		    json_integer((json_int_t)sums->by_effect[span][effect]));
	return json_pack("{s:I, s:o, s:o}", "hours", (json_int_t)spans[span].hours, "by_effect",
	    by_effect, "by_reason", by_reason);
}

static void
print_json(const char *uri, const struct store_status *status, const struct sums *sums)
{
	json_t *records = json_object(), *decisions = json_object();

	for (int i = 0; i < STORE_SPACES; i++)
		json_object_set_new(
		    records, store_spaces[i].name, json_integer((json_int_t)status->records[i]));
	for (size_t i = 0; i < G_N_ELEMENTS(spans); i++)
		json_object_set_new(decisions, spans[i].name, span_json(sums, i));
	ctl_json_print(json_pack("{s:i, s:s, s:s, s:I, s:b, s:o, s:o}", "version", STATUS_VERSION,
	    "store", uri, "driver", status->driver, "bytes", (json_int_t)status->bytes_used,
	    "approximate", (int)status->approximate, "records", records, "decisions", decisions));
}

bool
ctl_status(struct ctl *ctl, int argc, char **argv, GError **error)
{
	struct sums sums = {0};
	struct store_status status;
	enum store_result result;
	gboolean json = FALSE;
	const GOptionEntry entries[] = {
	    {"json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL},
	    G_OPTION_ENTRY_NULL,
	};
	const char *uri;

	if (!ctl_parse(ctl, entries, 0, 0, &argc, &argv, error) || !ctl_open(ctl, CTL_READ, error))
		return false;
	sums.hour = ctl->now / 3600;
	result = store_status(ctl->store, &status);
	if (result != STORE_OK)
		return ctl_store_fail(error, result);
	if (!ctl_scan(ctl, STORE_HOURS, add_hour, NULL, &sums, error))
		return false;
	uri = settings_text(ctl->settings, SETTING_STORE_URI);
	(json ? print_json : print_text)(uri, &status, &sums);
	return true;
}
