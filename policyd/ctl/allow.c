#include "config.h"

#include "policyd/ctl/allow.h"

#include <stdio.h>
#include <string.h>

#include "policyd/decide/allowed.h"
#include "policyd/ctl/json.h"
#include "policyd/ctl/table.h"

struct list {
	const struct filter *filter;
	bool json;
	struct ctl_table *table;
	uint64_t matched, unknown, malformed;
};

static const char *const titles[] = {"EXCEPTION", "SINCE", "UNTIL", NULL};

static void
put_row(const struct list *list, const GString *what, int64_t since, int64_t until)
{
	char from[CTL_TIME_SIZE], to[CTL_TIME_SIZE];

	ctl_table_cell(list->table, what->str);
	ctl_table_cell(list->table, ctl_time(since, from));
	ctl_table_cell(list->table, ctl_time(until, to));
}

static void
show_expected(const struct list *list, const struct expected_entry *e)
{
	g_autoptr(GString) text = g_string_new("expected ");

	if (list->json) {
		ctl_json_print(ctl_json_expected(e));
		return;
	}
	ctl_append_address(text, &e->sender, e->hashed);
	if (e->recipient.length) {
		g_string_append(text, " for ");
		ctl_append_address(text, &e->recipient, e->hashed);
	}
	put_row(list, text, e->since, e->until);
}

static void
show_exception(
    const struct list *list, const struct store_bytes *key, const struct allowed_entry *entry)
{
	g_autoptr(GString) text = g_string_new(NULL);

	if (list->json) {
		ctl_json_print(json_pack("{s:o, s:I, s:I}", "entry", ctl_json_bytes(key), "since",
		    (json_int_t)entry->since, "until", (json_int_t)entry->until));
		return;
	}
	ctl_append_safe(text, key);
	put_row(list, text, entry->since, entry->until);
}

static bool
show_entry(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	struct list *list = context;
	bool is_expected = expected_is_key(key);
	struct allowed_entry entry = {0};
	struct expected_entry expected = {0};
	enum selector_match match;
	int64_t until;

	if (!filter_match_allowed(list->filter, key, value, &match)) {
		list->malformed++;
		return true;
	}
	if (is_expected)
		expected_decode(key, value, &expected);
	else
		allowed_decode(value, &entry);
	until = is_expected ? expected.until : entry.until;
	if (until && until <= list->filter->now)
		return true;
	list->unknown += match == SELECTOR_UNKNOWN;
	if (match != SELECTOR_MATCHES)
		return true;
	list->matched++;
	if (is_expected)
		show_expected(list, &expected);
	else
		show_exception(list, key, &entry);
	return true;
}

bool
ctl_allow_list(struct ctl *ctl, const struct filter *filter, const struct filter_text *text,
    bool json, GError **error)
{
	struct list list = {.filter = filter, .json = json, .table = ctl_table_new(titles)};
	bool done = ctl_scan(ctl, STORE_ALLOWED, show_entry, NULL, &list, error);

	ctl_table_free(list.table);
	if (!done)
		return false;
	if (!ctl_whole(list.malformed, error))
		return false;
	if (!list.matched && !filter_text_given(text))
		fprintf(stderr, "greylagctl: there are no exceptions\n");
	return filter_end(text, "exception", list.matched, list.unknown, error);
}

/* -- changes -- */

struct job {
	struct allowed_entry entry;
	bool erase, was_there;
};

static void
update(const struct store_bytes *old, struct store_change *change, void *data)
{
	struct job *job = data;
	uint8_t bytes[ALLOWED_RECORD_MAX];

	job->was_there = old != NULL;
	if (!job->erase)
		store_change_put(
		    change, bytes, allowed_encode(&job->entry, bytes), job->entry.until);
	else if (old)
		store_change_delete(change);
}

static void
settled(void *context, void *data)
{
	const struct job *job = data;
	bool *ret_was_there = context;

	*ret_was_there = job->was_there;
}

static bool
change_entry(
    struct ctl *ctl, const char *key, const struct job *change, bool *ret_was_there, GError **error)
{
	struct ctl_batch batch = {
	    .store = ctl->store, .settled = settled, .context = ret_was_there};
	struct job *job = g_new(struct job, 1);

	*job = *change;
	ctl_batch_update(
	    &batch, STORE_ALLOWED, (struct store_bytes){key, strlen(key)}, update, job, g_free);
	return ctl_batch_end(&batch, error);
}

bool
ctl_allow_erase(struct ctl *ctl, const char *text, uint64_t *ret_count, GError **error)
{
	g_autofree char *key = NULL;
	g_autoptr(GError) wrong = NULL;
	struct job job = {.erase = true};
	bool was_there = false;

	if (!allowed_parse(text, &key, &wrong))
		return ctl_usage(error, "--allowed %s", wrong->message);
	if (!change_entry(ctl, key, &job, &was_there, error))
		return false;
	*ret_count = was_there;
	return true;
}

static bool
allow(struct ctl *ctl, const char *text, const char *duration, GError **error)
{
	g_autofree char *key = NULL;
	g_autoptr(GError) wrong = NULL;
	struct job job = {0};
	char until[CTL_TIME_SIZE];
	bool was_there;
	int64_t seconds = 0;

	if (!allowed_parse(text, &key, &wrong))
		return ctl_usage(error, "%s", wrong->message);
	if (strchr(key, '@') && settings_on(ctl->settings, SETTING_GREYLIST_PRIVACY))
		return ctl_usage(error,
		    "with greylist.privacy no address is written down: allow its domain, or "
		    "\"expect\" the address");
	if (duration && !ctl_parse_duration(duration, &seconds))
		return ctl_usage(
		    error, "--for %s: it is a duration like 90s, 5m, 24h, 35d", duration);
	if (!ctl_open(ctl, CTL_WRITE, error))
		return false;
	job.entry.since = ctl->now;
	job.entry.until = duration ? ctl->now + seconds : 0;
	if (!change_entry(ctl, key, &job, &was_there, error))
		return false;
	if (duration)
		printf("%s is allowed until %s\n", key, ctl_time(job.entry.until, until));
	else
		printf("%s is allowed for good\n", key);
	return true;
}

static bool
list_all(struct ctl *ctl, bool json, GError **error)
{
	const struct filter all = {.state = -1, .now = ctl->now};
	const struct filter_text nothing = {0};

	return ctl_allow_list(ctl, &all, &nothing, json, error);
}

bool
ctl_allow(struct ctl *ctl, int argc, char **argv, GError **error)
{
	g_autofree char *duration = NULL;
	gboolean list = FALSE, json = FALSE;
	const GOptionEntry entries[] = {
	    {"for", 0, 0, G_OPTION_ARG_STRING, &duration, "For so long (90s, 5m, 24h, 35d)",
		"DURATION"},
	    {"list", 0, 0, G_OPTION_ARG_NONE, &list, "List the exceptions", NULL},
	    {"json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON Lines, with --list", NULL},
	    G_OPTION_ENTRY_NULL,
	};

	if (!ctl_parse(ctl, entries, 0, 1, &argc, &argv, error))
		return false;
	if (list == (argc == 2))
		return ctl_usage(error, "allow takes either what to exempt, or --list");
	if (!list)
		return allow(ctl, argv[1], duration, error);
	return ctl_open(ctl, CTL_READ, error) && list_all(ctl, json, error);
}
