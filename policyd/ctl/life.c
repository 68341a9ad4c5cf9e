#include "config.h"

#include "policyd/ctl/life.h"

#include <stdio.h>
#include <string.h>
#include <glib.h>

#include "policyd/ctl/ctl.h"
#include "policyd/ctl/probe.h"

#define PROBE_TIME 2000 /* milliseconds */

/* What Postfix does without an answer, as the manual has it in main.cf. */
#define LETS_IN "Postfix lets all mail in (default_action)"

/* -- taking -- */

static enum pidfile_result
take(const struct settings *settings, const char *program, struct runstate *ret_state,
    char **ret_problem)
{
	g_autoptr(GError) error = NULL;
	enum pidfile_result result =
	    pidfile_read(program, settings_text(settings, SETTING_STORE_URI), ret_state, &error);

	*ret_problem = error ? g_strdup(error->message) : NULL;
	return result;
}

void
life_take(const struct settings *settings, struct life *ret_life)
{
	struct life life = {.settings = settings};
	g_autoptr(GError) error = NULL;

	life.daemon = take(settings, "greylagd", &life.daemon_state, &life.daemon_problem);
	life.milter = take(settings, "greylag-milter", &life.milter_state, &life.milter_problem);
	if (!probe_policy(
		settings_list(settings, SETTING_POLICY_LISTEN), PROBE_TIME, &life.answers, &error))
		life.silence = g_strdup(error->message);
	*ret_life = life;
}

void
life_clear(struct life *life)
{
	g_free(life->daemon_problem);
	g_free(life->milter_problem);
	g_free(life->silence);
}

/* -- judging -- */

/* It runs and tells how it is. */
static enum life_status
status_of(const struct runstate *state)
{
	return condition_row(state->condition)->bad || state->refusal[0] ? LIFE_DEGRADED
									 : LIFE_WELL;
}

static enum life_status
daemon_status(const struct life *life)
{
	if (!life->answers)
		return LIFE_DOWN;
	return life->daemon == PIDFILE_RUNS ? status_of(&life->daemon_state) : LIFE_DEGRADED;
}

/* Somebody has set it up. */
static bool
has_milter(const struct life *life)
{
	for (unsigned i = 0; i < SETTING_COUNT; i++)
		if (strcmp(settings_row(i)->section, "milter") == 0 &&
		    settings_origin(life->settings, i))
			return true;
	return life->milter != PIDFILE_NONE;
}

static enum life_status
milter_status(const struct life *life)
{
	static const enum life_status statuses[] = {
	    [PIDFILE_SILENT] = LIFE_DEGRADED,
	    [PIDFILE_STOPPED] = LIFE_DOWN,
	    [PIDFILE_NONE] = LIFE_DOWN,
	    [PIDFILE_UNKNOWN] = LIFE_DEGRADED,
	};

	if (!has_milter(life))
		return LIFE_WELL;
	return life->milter == PIDFILE_RUNS ? status_of(&life->milter_state)
					    : statuses[life->milter];
}

enum life_status
life_status(const struct life *life)
{
	return MAX(daemon_status(life), milter_status(life));
}

/* -- sentences -- */

/* A program that runs and tells how it is. */
static char *
running_sentence(const char *program, const struct runstate *state)
{
	const struct condition_row *row = condition_row(state->condition);
	char time[CTL_TIME_SIZE];

	if (row->bad)
		return g_strdup_printf("%s %s since %s because %s", program, row->words,
		    ctl_time(state->since, time), state->reason);
	return g_strdup_printf(
	    "%s runs since %s, %s", program, ctl_time(state->started, time), row->words);
}

static char *
silent_sentence(const char *program, const struct runstate *state)
{
	return g_strdup_printf("%s runs (process %" G_GINT64_FORMAT
			       "), and its pid file says nothing of how it is",
	    program, state->pid);
}

static char *
deaf_sentence(const struct life *life)
{
	if (life->daemon == PIDFILE_STOPPED || life->daemon == PIDFILE_NONE)
		return g_strdup("greylagd is not running: " LETS_IN);
	if (life->daemon == PIDFILE_UNKNOWN)
		return g_strdup_printf("greylagd does not answer (%s), and whether it runs cannot "
				       "be read (%s): " LETS_IN,
		    life->silence, life->daemon_problem);
	return g_strdup_printf("greylagd runs (process %" G_GINT64_FORMAT
			       ") and does not answer (%s): " LETS_IN,
	    life->daemon_state.pid, life->silence);
}

static char *
daemon_sentence(const struct life *life)
{
	if (!life->answers)
		return deaf_sentence(life);
	switch (life->daemon) {
	case PIDFILE_RUNS: return running_sentence("greylagd", &life->daemon_state);
	case PIDFILE_SILENT: return silent_sentence("greylagd", &life->daemon_state);
	case PIDFILE_UNKNOWN:
		return g_strdup_printf("greylagd answers at %s; how it is cannot be read: %s",
		    life->answers, life->daemon_problem);
	case PIDFILE_STOPPED:
	case PIDFILE_NONE: break;
	}
	return g_strdup_printf("a policy server answers at %s, and no greylagd runs on %s",
	    life->answers, settings_text(life->settings, SETTING_STORE_URI));
}

static char *
milter_sentence(const struct life *life)
{
	switch (life->milter) {
	case PIDFILE_RUNS: return running_sentence("greylag-milter", &life->milter_state);
	case PIDFILE_SILENT: return silent_sentence("greylag-milter", &life->milter_state);
	case PIDFILE_UNKNOWN:
		return g_strdup_printf(
		    "greylag-milter: whether it runs cannot be read: %s", life->milter_problem);
	case PIDFILE_STOPPED:
	case PIDFILE_NONE: break;
	}
	return g_strdup("greylag-milter is not running: Postfix does by milter_default_action");
}

/* -- printing -- */

/* The files are the daemon's user's, who may write anything there. */
static void
print_safe(const char *indent, const char *text)
{
	g_autoptr(GString) safe = g_string_new(indent);
	struct store_bytes bytes = {text, strlen(text)};

	ctl_append_safe(safe, &bytes);
	puts(safe->str);
}

static void
print_configuration(const struct runstate *state)
{
	g_auto(GStrv) faults = g_strsplit(state->refusal, "\n", -1);
	char time[CTL_TIME_SIZE];

	if (state->refusal[0])
		printf("  its configuration of %s was refused, the old one is in force:\n",
		    ctl_time(state->reloaded, time));
	for (char **fault = faults; *fault; fault++)
		print_safe("    ", *fault);
	if (state->restart[0]) {
		g_autofree char *text =
		    g_strdup_printf("has changed and waits for a restart: %s", state->restart);

		print_safe("  ", text);
	}
}

void
life_print(const struct life *life)
{
	g_autofree char *daemon = daemon_sentence(life);

	print_safe("", daemon);
	if (life->daemon == PIDFILE_RUNS)
		print_configuration(&life->daemon_state);
	if (has_milter(life)) {
		g_autofree char *milter = milter_sentence(life);

		print_safe("", milter);
		if (life->milter == PIDFILE_RUNS)
			print_configuration(&life->milter_state);
	}
}

/* -- JSON -- */

/* NULL where nothing is known, or it is no text. */
static json_t *
text(const char *value)
{
	json_t *json = value && *value ? json_string(value) : NULL;

	return json ? json : json_null();
}

static json_t *
time_or_null(int64_t time)
{
	return time ? json_integer(time) : json_null();
}

static json_t *
program_json(enum pidfile_result result, const struct runstate *state, const char *problem,
    const char *sentence, enum life_status status)
{
	const struct runstate none = {0};
	bool known = result == PIDFILE_RUNS;

	if (!known)
		state = &none;
	return json_pack("{s:i, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o}",
	    "status", (int)status, "sentence", text(sentence), "running",
	    known || result == PIDFILE_SILENT, "condition",
	    text(known ? condition_row(state->condition)->name : NULL), "condition_since",
	    time_or_null(state->since), "reason", text(state->reason), "started",
	    time_or_null(state->started), "version", text(state->version), "reloaded",
	    time_or_null(state->reloaded), "refusal", text(state->refusal), "waits_for_restart",
	    text(state->restart), "generation", (json_int_t)state->generation, "problem",
	    text(problem));
}

json_t *
life_json(const struct life *life)
{
	g_autofree char *daemon = daemon_sentence(life);
	g_autofree char *milter = has_milter(life) ? milter_sentence(life) : NULL;
	json_t *root = json_object();
	json_t *one = program_json(
	    life->daemon, &life->daemon_state, life->daemon_problem, daemon, daemon_status(life));

	json_object_set_new(one, "answers_at", text(life->answers));
	json_object_set_new(one, "silence", text(life->silence));
	json_object_set_new(root, "greylagd", one);
	json_object_set_new(root, "greylag-milter",
	    milter ? program_json(life->milter, &life->milter_state, life->milter_problem, milter,
			 milter_status(life))
		   : json_null());
	return root;
}
