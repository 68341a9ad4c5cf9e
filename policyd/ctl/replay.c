#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "policyd/ctl/ctl.h"
#include "policyd/ctl/aftermath.h"
#include "policyd/daemon/policy.h"

/* Expiry: in each simulated hour so many records are looked at, from where the last step ended. */
#define EXPIRE_RECORDS 5000

#define BUFFER_SIZE (2 * POLICY_REQUEST_MAX)

static const enum store_space expiring[] = {
    STORE_TRIPLETS, STORE_CLIENTS, STORE_REPUTATION, STORE_DELIVERIES, STORE_DOMAINS};

struct replay {
	struct ctl *ctl;
	struct policy *policy;
	struct aftermath *aftermath;
	const char *name, *host;
	int in;
	gboolean learn, summary;

	char *buffer;
	size_t used;
	uint64_t requests, offset; /* whole ones so far, and where the next begins */

	int64_t now;
	bool have_time;
	int64_t next_step;
	struct store_cursor cursors[G_N_ELEMENTS(expiring)];
	uint64_t expired;
	uint64_t counts[REASONS];
};

static bool
fault(const struct replay *replay, GError **error, const char *what)
{
	return ctl_fail(error,
	    "%s: request %" G_GUINT64_FORMAT ", at byte %" G_GUINT64_FORMAT ": %s", replay->name,
	    replay->requests + 1, replay->offset, what);
}

/* -- time -- */

static void
expire_step(struct replay *replay)
{
	struct store_call nobody = {0};

	for (size_t i = 0; i < G_N_ELEMENTS(expiring); i++) {
		if (replay->cursors[i].end)
			replay->cursors[i] = (struct store_cursor){0};
		store_expire(replay->ctl->store, expiring[i], &replay->cursors[i], EXPIRE_RECORDS,
		    replay->now, &replay->expired, &nobody);
		store_wait(replay->ctl->store);
	}
}

/* As simulated hours pass. The configured store's own daemon keeps it clean, by its own clock. */
static void
time_passes(struct replay *replay)
{
	if (replay->now < replay->next_step)
		return;
	replay->next_step = replay->now + 3600;
	if (replay->learn)
		policy_read_allowed(replay->policy, replay->now);
	else
		expire_step(replay);
}

static bool
take_time(struct replay *replay, const char *text, GError **error)
{
	if (*text) {
		if (!ctl_parse_time(text, &replay->now))
			return fault(replay, error, "time= is no number of seconds since 1970");
		replay->have_time = true;
	}
	if (!replay->have_time)
		return fault(replay, error, "no time=, and none before it");
	if (replay->learn && replay->now > replay->ctl->now)
		return fault(replay, error, "time= is in the future, which is not to be learned");
	time_passes(replay);
	return true;
}

/* -- answers -- */

static void
answer(void *context, struct rules *rules, const struct policy_decision *decision)
{
	struct replay *replay = context;
	char reply[POLICY_REPLY_MAX];
	size_t length = decision_reply(decision, rules, replay->host, replay->now, reply);

	fwrite(reply, 1, length, stdout);
	replay->counts[decision->reason]++;
}

/* What became of a message, or a question that may be followed by that. */
static bool
heed_verdict(struct replay *replay, const struct policy_request *request, GError **error)
{
	const char *wrong;

	if (!aftermath_is_verdict(request)) {
		aftermath_asked(replay->aftermath, request, replay->now);
		return true;
	}
	wrong = aftermath_judged(
	    replay->aftermath, request, replay->ctl->store, replay->ctl->rules, replay->now);
	return !wrong || fault(replay, error, wrong);
}

static bool
decide(struct replay *replay, const struct policy_request *request, GError **error)
{
	if (!take_time(replay, request->value[POLICY_TIME], error) ||
	    !heed_verdict(replay, request, error))
		return false;
	policy_decide(replay->policy, request, replay->now, answer, replay);
	if (store_outstanding(replay->ctl->store))
		store_wait(replay->ctl->store);
	return true;
}

/* -- reading -- */

/* Whole requests in the buffer. */
static bool
decide_buffered(struct replay *replay, GError **error)
{
	struct policy_parser parser = {0};
	struct policy_request request;
	size_t start = 0, length;
	enum policy_parse_result result;

	while ((result = policy_parse(&parser, replay->buffer + start, replay->used - start,
		    &request, &length)) == POLICY_PARSE_DONE) {
		if (!decide(replay, &request, error))
			return false;
		replay->requests++;
		replay->offset += length;
		start += length;
	}
	if (result != POLICY_PARSE_MORE)
		return fault(replay, error, policy_parse_text(result));
	replay->used -= start;
	memmove(replay->buffer, replay->buffer + start, replay->used);
	return true;
}

/* What has been asked is answered before more is read. */
static bool
replay_all(struct replay *replay, GError **error)
{
	for (;;) {
		ssize_t n;

		if (fflush(stdout) != 0)
			return ctl_fail(error, "cannot write answers: %s", g_strerror(errno));
		n = read(replay->in, replay->buffer + replay->used, BUFFER_SIZE - replay->used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ctl_fail(error, "%s: %s", replay->name, g_strerror(errno));
		if (n == 0)
			break;
		replay->used += (size_t)n;
		if (!decide_buffered(replay, error))
			return false;
	}
	return replay->used == 0 || fault(replay, error, "it has no end");
}

static void
print_summary(const struct replay *replay)
{
	fprintf(stderr, "%" G_GUINT64_FORMAT " requests\n", replay->requests);
	for (int i = 0; i < REASONS; i++)
		if (replay->counts[i])
			fprintf(stderr, "%10" G_GUINT64_FORMAT " %s\n", replay->counts[i],
			    reason_row((enum reason)i)->name);
}

static bool
open_input(struct replay *replay, const char *name, GError **error)
{
	if (!name || strcmp(name, "-") == 0) {
		replay->name = "standard input";
		replay->in = STDIN_FILENO;
		return true;
	}
	replay->name = name;
	replay->in = open(name, O_RDONLY | O_CLOEXEC);
	return replay->in >= 0 || ctl_fail(error, "%s: %s", name, g_strerror(errno));
}

static bool
open_store(struct replay *replay, GError **error)
{
	struct ctl *ctl = replay->ctl;

	if (!replay->learn && !settings_assign(ctl->settings, "store.uri=mem:", error))
		return false;
	return ctl_read_rules(ctl, error) && ctl_open(ctl, CTL_WRITE, error);
}

static bool
replay_opened(struct replay *replay, GError **error)
{
	struct ctl *ctl = replay->ctl;
	bool done;

	if (!open_store(replay, error))
		return false;
	replay->policy = policy_new(ctl->store, ctl->rules, POLICY_MESSAGES_SERVER);
	replay->aftermath = aftermath_new();
	replay->buffer = g_malloc(BUFFER_SIZE);
	done = replay_all(replay, error);
	store_wait(ctl->store);
	if (replay->summary)
		print_summary(replay);
	policy_free(replay->policy);
	aftermath_free(replay->aftermath);
	g_free(replay->buffer);
	return done;
}

bool
ctl_replay(struct ctl *ctl, int argc, char **argv, GError **error)
{
	struct replay replay = {.ctl = ctl, .in = -1, .host = g_get_host_name()};
	const GOptionEntry entries[] = {
	    {"learn", 0, 0, G_OPTION_ARG_NONE, &replay.learn,
		"On the configured store instead of one in memory", NULL},
	    {"summary", 0, 0, G_OPTION_ARG_NONE, &replay.summary,
		"Print the decisions by reason to standard error at the end", NULL},
	    G_OPTION_ENTRY_NULL,
	};
	bool done = ctl_parse(ctl, entries, 0, 1, &argc, &argv, error) &&
		    open_input(&replay, argv[1], error) && replay_opened(&replay, error);

	if (replay.in > STDIN_FILENO)
		close(replay.in);
	return done;
}
