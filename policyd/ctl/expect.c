#include "config.h"

#include <stdio.h>
#include <string.h>

#include "policyd/decide/allowed.h"
#include "policyd/ctl/ctl.h"

#define DEFAULT_WINDOW (15 * 60)

struct window {
	char sender[ENVELOPE_ADDRESS_SIZE], recipient[ENVELOPE_ADDRESS_SIZE];
	int64_t seconds;
};

static bool
parse_window(int argc, char **argv, const char *duration, struct window *window, GError **error)
{
	g_autoptr(GError) wrong = NULL;

	*window = (struct window){.seconds = DEFAULT_WINDOW};
	if (!expected_parse(argv[1], SELECTOR_SENDER, window->sender, &wrong))
		return ctl_usage(error, "sender %s", wrong->message);
	if (argc > 2 && !expected_parse(argv[2], SELECTOR_RECIPIENT, window->recipient, &wrong))
		return ctl_usage(error, "recipient %s", wrong->message);
	if (duration && (!ctl_parse_duration(duration, &window->seconds) ||
			    window->seconds > EXPECTED_DURATION_MAX))
		return ctl_usage(error,
		    "--for %s: it is a duration like 90s, 5m, 2h, of at most a day (for longer "
		    "there is allow)",
		    duration);
	return true;
}

/* -- the record -- */

struct job {
	uint8_t key[EXPECTED_KEY_SIZE], bytes[EXPECTED_RECORD_MAX];
	size_t length;
	int64_t until;
};

/* A window that is open for longer stays open. */
static void
update(const struct store_bytes *old, struct store_change *change, void *data)
{
	struct job *job = data;
	struct store_bytes key = {job->key, sizeof job->key};
	struct expected_entry before;

	if (old && expected_decode(&key, old, &before) && before.until > job->until)
		job->until = before.until;
	else
		store_change_put(change, job->bytes, job->length, job->until);
}

static void
settled(void *context, void *data)
{
	const struct job *job = data;
	int64_t *ret_until = context;

	*ret_until = job->until;
}

static struct job *
job_new(const struct ctl *ctl, const struct window *window)
{
	struct job *job = g_new(struct job, 1);
	struct expected_entry entry = {
	    .since = ctl->now,
	    .until = ctl->now + window->seconds,
	    .sender = {window->sender, strlen(window->sender)},
	    .recipient = {window->recipient, strlen(window->recipient)},
	};

	expected_key(store_hash_key(ctl->store), &entry, job->key);
	entry.hashed = settings_on(ctl->settings, SETTING_GREYLIST_PRIVACY);
	job->length = expected_encode(&entry, job->bytes);
	job->until = entry.until;
	return job;
}

struct count {
	int64_t now;
	unsigned open;
};

static bool
count_open(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	struct count *count = context;
	struct expected_entry entry;

	if (expected_decode(key, value, &entry) && entry.until > count->now)
		count->open++;
	return true;
}

static bool
open_window(struct ctl *ctl, const struct window *window, int64_t *ret_until, GError **error)
{
	struct ctl_batch batch = {.store = ctl->store, .settled = settled, .context = ret_until};
	struct count count = {.now = ctl->now};
	struct job *job;

	if (!ctl_scan(ctl, STORE_ALLOWED, count_open, NULL, &count, error))
		return false;
	if (count.open >= EXPECTED_MAX)
		return ctl_fail(error, "%u windows are open already", count.open);
	job = job_new(ctl, window);
	ctl_batch_update(&batch, STORE_ALLOWED, (struct store_bytes){job->key, sizeof job->key},
	    update, job, g_free);
	return ctl_batch_end(&batch, error);
}

static void
tell(const struct window *window, int64_t until)
{
	char time[CTL_TIME_SIZE];
	g_autoptr(GString) text = g_string_new("mail of ");

	ctl_append_safe(text, &(struct store_bytes){window->sender, strlen(window->sender)});
	if (*window->recipient) {
		g_string_append(text, " to ");
		ctl_append_safe(
		    text, &(struct store_bytes){window->recipient, strlen(window->recipient)});
	}
	printf("%s is not delayed until %s\nThe daemon takes this up within %d seconds: wait so "
	       "long before you ask for the code.\n",
	    text->str, ctl_time(until, time), ALLOWED_TAKEN_UP);
}

bool
ctl_expect(struct ctl *ctl, int argc, char **argv, GError **error)
{
	g_autofree char *duration = NULL;
	const GOptionEntry entries[] = {
	    {"for", 0, 0, G_OPTION_ARG_STRING, &duration, "For so long (90s, 5m, 2h; default: 15m)",
		"DURATION"},
	    G_OPTION_ENTRY_NULL,
	};
	struct window window;
	int64_t until;

	if (!ctl_parse(ctl, entries, 1, 2, &argc, &argv, error) ||
	    !parse_window(argc, argv, duration, &window, error) ||
	    !ctl_open(ctl, CTL_WRITE, error) || !open_window(ctl, &window, &until, error))
		return false;
	tell(&window, until);
	return true;
}
