#include "config.h"

#include "policyd/ctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "db/open/open.h"
#include "policyd/program/privileges.h"

/* -- errors -- */

static void set_error(GError **error, enum ctl_error code, const char *format, va_list arguments)
    G_GNUC_PRINTF(3, 0);

static void
set_error(GError **error, enum ctl_error code, const char *format, va_list arguments)
{
	g_autofree char *message = g_strdup_vprintf(format, arguments);

	g_set_error_literal(error, CTL_ERROR, code, message);
}

bool
ctl_usage(GError **error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	set_error(error, CTL_USAGE, format, arguments);
	va_end(arguments);
	return false;
}

bool
ctl_fail(GError **error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	set_error(error, CTL_FAILED, format, arguments);
	va_end(arguments);
	return false;
}

bool
ctl_store_fail(struct store *store, enum store_result result, GError **error)
{
	g_autofree char *text = store_explain(store, result);

	return ctl_fail(error, "%s", text);
}

bool
ctl_whole(uint64_t malformed, GError **error)
{
	return malformed == 0 ||
	       ctl_fail(error,
		   "%" G_GUINT64_FORMAT " damaged records were left out; see greylagctl check",
		   malformed);
}

/* -- beginning -- */

bool
ctl_options(struct ctl *ctl, GOptionContext *context, const GOptionEntry *entries, int *argc,
    char ***argv, GError **error)
{
	const GOptionEntry common[] = {
	    {"config", 'c', 0, G_OPTION_ARG_FILENAME, &ctl->config, "Read this configuration",
		"FILE"},
	    {"option", 'o', 0, G_OPTION_ARG_STRING_ARRAY, &ctl->assignments,
		"Set one value; wins over the file (repeatable)", "SECTION.KEY=VALUE"},
	    G_OPTION_ENTRY_NULL,
	};
	g_auto(GStrv) before = g_steal_pointer(&ctl->assignments);
	g_autoptr(GPtrArray) all = g_ptr_array_new();

	if (entries)
		g_option_context_add_main_entries(context, entries, NULL);
	g_option_context_add_main_entries(context, common, NULL);
	if (!g_option_context_parse(context, argc, argv, error))
		return false;
	/* Those before the command, then those after it. */
	for (char **a = before; a && *a; a++)
		g_ptr_array_add(all, g_strdup(*a));
	for (char **a = ctl->assignments; a && *a; a++)
		g_ptr_array_add(all, g_strdup(*a));
	g_ptr_array_add(all, NULL);
	g_strfreev(ctl->assignments);
	ctl->assignments = (char **)g_ptr_array_steal(all, NULL);
	return true;
}

bool
ctl_parse(struct ctl *ctl, const GOptionEntry *entries, int minimum, int maximum, int *argc,
    char ***argv, GError **error)
{
	g_autofree char *usage =
	    g_strdup_printf("%s %s", ctl->command->name, ctl->command->arguments);
	g_autoptr(GOptionContext) context = g_option_context_new(usage);

	g_option_context_set_summary(context, ctl->command->help);
	if (!ctl_options(ctl, context, entries, argc, argv, error))
		return false;
	if (*argc > 1 && strcmp((*argv)[1], "--") == 0) {
		(*argv)++;
		(*argc)--;
	}
	if (*argc - 1 < minimum || *argc - 1 > maximum)
		return ctl_usage(error, "%s arguments; usage: greylagctl %s",
		    *argc - 1 < minimum ? "too few" : "too many", usage);
	ctl->settings = settings_load(ctl->config, (const char *const *)ctl->assignments, error);
	return ctl->settings != NULL;
}

bool
ctl_read_rules(struct ctl *ctl, GError **error)
{
	ctl->suffixes = suffix_list_load(error);
	if (!ctl->suffixes)
		return false;
	ctl->rules = rules_new(ctl->settings, ctl->suffixes, error);
	return ctl->rules != NULL;
}

/* Root would make a store that the daemon cannot read: the folder is its user's, or not made. */
static bool
make_folder(const struct settings *settings, GError **error)
{
	const char *uri = settings_text(settings, SETTING_STORE_URI);
	struct identity identity;
	bool made;

	if (geteuid() != 0 || !privileges_would_make(uri))
		return true;
	if (!identity_find(settings_text(settings, SETTING_POLICY_USER), &identity, error)) {
		g_prefix_error(error,
		    "no store is made in %s, since nobody else could read it: policy.user: ",
		    uri + strlen("lmdb:"));
		return false;
	}
	made = privileges_make_folder(uri, &identity, error);
	identity_clear(&identity);
	return made;
}

bool
ctl_open(struct ctl *ctl, enum ctl_access access, GError **error)
{
	const struct settings *s = ctl->settings;
	struct store_options options = {
	    .uri = settings_text(s, SETTING_STORE_URI),
	    .password_file = settings_text(s, SETTING_STORE_PASSWORD_FILE),
	    .tls = {settings_text(s, SETTING_STORE_TLS_CA),
		settings_text(s, SETTING_STORE_TLS_CERT), settings_text(s, SETTING_STORE_TLS_KEY)},
	    .create = access == CTL_WRITE,
	    .read_only = access == CTL_READ,
	    .map_size = (uint64_t)settings_number(s, SETTING_STORE_MAP_SIZE),
	    .max_triplets = (uint64_t)settings_number(s, SETTING_STORE_MAX_TRIPLETS),
	    .patience = (unsigned)settings_number(s, SETTING_STORE_PATIENCE) * 1000,
	};
	g_autoptr(GError) wrong = NULL;

	if ((options.create && !make_folder(s, error)) || !store_become_owner(options.uri, error))
		return false;
	ctl->store = store_open(&options, &wrong);
	if (!ctl->store) {
		bool missing = g_error_matches(wrong, STORE_ERROR, ENOENT);

		g_propagate_prefixed_error(error, g_steal_pointer(&wrong), "%s",
		    missing ? "there is no store yet (store.uri; greylagd makes it): " : "");
		return false;
	}
	ctl->now = store_now(ctl->store);
	return true;
}

/* -- the store -- */

/* A scan has one context for its records and for its end. */
struct scan {
	store_record_fn record;
	void *context;
	enum store_result result;
	bool stopped;
};

static bool
on_record(
    void *context, const struct store_bytes *key, const struct store_bytes *value, int64_t expires)
{
	struct scan *scan = context;

	scan->stopped = !scan->record(scan->context, key, value, expires);
	return !scan->stopped;
}

static void
on_scanned(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct scan *scan = context;

	scan->result = result;
}

bool
ctl_scan(struct ctl *ctl, enum store_space space, store_record_fn record,
    void (*between)(void *context), void *context, GError **error)
{
	struct store_cursor cursor = {0};
	struct scan scan = {.record = record, .context = context};
	struct store_call call = {.done = on_scanned, .context = &scan};

	while (!cursor.end && !scan.stopped && scan.result == STORE_OK) {
		store_scan(ctl->store, space, &cursor, CTL_BATCH, on_record, &call);
		store_wait(ctl->store);
		if (between)
			between(context);
	}
	return scan.result == STORE_OK || ctl_store_fail(ctl->store, scan.result, error);
}

static void
on_updated(void *context, enum store_result result, void *job)
{
	struct ctl_batch *batch = context;

	if (result == STORE_OK && batch->settled)
		batch->settled(batch->context, job);
	if (result != STORE_OK && batch->result == STORE_OK)
		batch->result = result;
}

/* Deltas settle nothing: their job is the store's own. */
static void
on_added(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct ctl_batch *batch = context;

	if (result != STORE_OK && batch->result == STORE_OK)
		batch->result = result;
}

static void
batch_count(struct ctl_batch *batch)
{
	if (++batch->waiting < CTL_BATCH)
		return;
	store_wait(batch->store);
	batch->waiting = 0;
}

void
ctl_batch_update(struct ctl_batch *batch, enum store_space space, struct store_bytes key,
    store_update_fn update, void *job, GDestroyNotify free_job)
{
	struct store_call call = {.done = on_updated, .context = batch};

	store_update(batch->store, space, key, update, job, free_job, &call);
	batch_count(batch);
}

void
ctl_batch_add(struct ctl_batch *batch, const struct store_delta *delta)
{
	struct store_call call = {.done = on_added, .context = batch};

	store_add_many(batch->store, delta, 1, &call);
	batch_count(batch);
}

bool
ctl_batch_end(struct ctl_batch *batch, GError **error)
{
	store_wait(batch->store);
	batch->waiting = 0;
	return batch->result == STORE_OK || ctl_store_fail(batch->store, batch->result, error);
}

/* -- text -- */

const char *
ctl_time(int64_t time, char buffer[CTL_TIME_SIZE])
{
	time_t seconds = (time_t)time;
	struct tm tm;

	if (time == 0 || !gmtime_r(&seconds, &tm) ||
	    strftime(buffer, CTL_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		g_strlcpy(buffer, "-", CTL_TIME_SIZE);
	return buffer;
}

void
ctl_append_safe(GString *text, const struct store_bytes *bytes)
{
	const char *p = bytes->length ? bytes->data : "", *end = p + bytes->length;

	while (p < end) {
		gunichar c = g_utf8_get_char_validated(p, end - p);
		bool bad = c == (gunichar)-1 || c == (gunichar)-2;
		const char *next = bad ? p + 1 : g_utf8_next_char(p);

		if (!bad && c != '\\' && g_unichar_isprint(c))
			g_string_append_len(text, p, next - p);
		else
			for (const char *q = p; q < next; q++)
				g_string_append_printf(text, "\\x%02x", (unsigned char)*q);
		p = next;
	}
}

void
ctl_append_hex(GString *text, const void *bytes, size_t length)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < length; i++)
		g_string_append_printf(text, "%02x", b[i]);
}

bool
ctl_parse_hex(const char *text, void *ret_bytes, size_t length)
{
	uint8_t *bytes = ret_bytes;

	if (strlen(text) != 2 * length)
		return false;
	for (size_t i = 0; i < 2 * length; i++)
		if (!g_ascii_isxdigit(text[i]))
			return false;
	for (size_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(g_ascii_xdigit_value(text[2 * i]) << 4 |
				     g_ascii_xdigit_value(text[2 * i + 1]));
	return true;
}

void
ctl_append_address(GString *text, const struct store_bytes *address, bool hashed)
{
	if (hashed) {
		g_string_append(text, "hash:");
		ctl_append_hex(text, address->data, address->length);
	} else if (address->length == 0) {
		g_string_append(text, "<>");
	} else {
		ctl_append_safe(text, address);
	}
}

bool
ctl_parse_time(const char *text, int64_t *ret_time)
{
	guint64 value;

	if (!g_ascii_string_to_unsigned(
		text, 10, 0, (G_GUINT64_CONSTANT(1) << 40) - 1, &value, NULL))
		return false;
	*ret_time = (int64_t)value;
	return true;
}

bool
ctl_parse_duration(const char *text, int64_t *ret_seconds)
{
	static const struct {
		char letter;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	size_t length = strlen(text);
	g_autofree char *number = NULL;
	int64_t unit = 0, value;

	if (length == 0)
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
		if (text[length - 1] == units[i].letter)
			unit = units[i].seconds;
	number = g_strndup(text, unit ? length - 1 : length);
	if (!ctl_parse_time(number, &value) || value == 0 || value >> 30)
		return false;
	*ret_seconds = value * MAX(unit, 1);
	return true;
}
