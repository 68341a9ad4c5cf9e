#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "policyd/ctl/ctl.h"
#include "policyd/program/pidfile.h"

#define PATIENCE (G_USEC_PER_SEC * 30)
#define PAUSE    20000 /* microseconds from one look at a pid file to the next */

static const char *const programs[] = {"greylagd", "greylag-milter"};

#define PROGRAMS G_N_ELEMENTS(programs)

struct reload {
	enum pidfile_result result;
	struct runstate before;
};

/* -- what they say -- */

/* VALUE comes from a file of the daemon's user's, who may write anything there. */
static void
say(const char *program, const char *sentence, const char *value)
{
	g_autoptr(GString) line = g_string_new(NULL);
	struct store_bytes bytes = {value, strlen(value)};

	g_string_append_printf(line, "%s: %s", program, sentence);
	ctl_append_safe(line, &bytes);
	puts(line->str);
}

static bool
say_answer(const char *program, const struct runstate *state)
{
	g_auto(GStrv) faults = g_strsplit(state->refusal, "\n", -1);

	for (char **fault = faults; *fault; fault++)
		say(program, "refused, the old one stays in force: ", *fault);
	if (state->refusal[0])
		return false;
	if (state->restart[0])
		say(program, "the new configuration is in force, but a restart is needed for: ",
		    state->restart);
	else
		say(program, "the new configuration is in force", "");
	return true;
}

/* -- asking -- */

/* True if there is nothing to wait for, or it was told. */
static bool
begin(const char *program, const char *uri, struct reload *reload)
{
	g_autoptr(GError) error = NULL;

	reload->result = pidfile_read(program, uri, &reload->before, &error);
	if (error)
		say(program, "cannot be found: ", error->message);
	else if (reload->result == PIDFILE_SILENT)
		say(program, "runs, and its pid file says nothing", "");
	if (reload->result != PIDFILE_RUNS)
		return !error && reload->result != PIDFILE_SILENT;
	if (kill((pid_t)reload->before.pid, SIGHUP) == 0)
		return true;
	reload->result = PIDFILE_UNKNOWN;
	say(program, "cannot be signalled: ", g_strerror(errno));
	return false;
}

static bool
finish(const char *program, const char *uri, const struct reload *reload, gint64 deadline)
{
	struct runstate now;

	do {
		enum pidfile_result result = pidfile_read(program, uri, &now, NULL);

		if (result == PIDFILE_STOPPED || result == PIDFILE_NONE ||
		    (result == PIDFILE_RUNS && now.pid != reload->before.pid)) {
			say(program, "has ended meanwhile", "");
			return false;
		}
		if (result == PIDFILE_RUNS && now.reloads != reload->before.reloads)
			return say_answer(program, &now);
		g_usleep(PAUSE);
	} while (g_get_monotonic_time() < deadline);
	say(program, "does not answer", "");
	return false;
}

/* The programs say themselves what becomes of it: they read it as the user that they are. */
bool
ctl_reload(struct ctl *ctl, int argc, char **argv, GError **error)
{
	struct reload reloads[PROGRAMS] = {0};
	gint64 deadline = g_get_monotonic_time() + PATIENCE;
	unsigned running = 0;
	bool good = true;
	const char *uri;

	if (!ctl_parse(ctl, NULL, 0, 0, &argc, &argv, error))
		return false;
	uri = settings_text(ctl->settings, SETTING_STORE_URI);
	for (size_t i = 0; i < PROGRAMS; i++)
		good = begin(programs[i], uri, &reloads[i]) && good;
	for (size_t i = 0; i < PROGRAMS; i++) {
		if (reloads[i].result != PIDFILE_RUNS)
			continue;
		running++;
		good = finish(programs[i], uri, &reloads[i], deadline) && good;
	}
	if (!good)
		return ctl_fail(error, "the new configuration is not in force everywhere");
	return running ||
	       ctl_fail(error, "neither greylagd nor greylag-milter is running on %s", uri);
}
