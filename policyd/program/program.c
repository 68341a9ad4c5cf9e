#include "config.h"

#include "policyd/program/program.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "lib/clientname.h"
#include "lib/log.h"
#include "policyd/program/listener.h"
#include "policyd/program/pidfile.h"
#include "policyd/program/preflight.h"

/* As whom Postfix's daemons come. */
#define POSTFIX_USER "postfix"

/* The exit status after an error that is told. */
#define FAILED 2

/* -- command line -- */

static bool
parse(struct program *p, const GOptionEntry *modes, const GOptionEntry *prints, int *argc,
    char ***argv, GError **error)
{
	const GOptionEntry common_modes[] = {
	    {"config", 'c', 0, G_OPTION_ARG_FILENAME, &p->config, "Read this configuration",
		"FILE"},
	    {"option", 'o', 0, G_OPTION_ARG_STRING_ARRAY, &p->assignments,
		"Set one value; wins over the file (repeatable)", "SECTION.KEY=VALUE"},
	    {"foreground", 'f', 0, G_OPTION_ARG_NONE, &p->foreground,
		"Stay in the foreground and log to standard error", NULL},
	    G_OPTION_ENTRY_NULL,
	};
	const GOptionEntry common_prints[] = {
	    {"check-config", 0, 0, G_OPTION_ARG_NONE, &p->check_config,
		"Check the configuration and the lists it names, then exit", NULL},
	    {"show-config", 0, 0, G_OPTION_ARG_NONE, &p->show_config,
		"Print all settings as they are in force, then exit", NULL},
	    G_OPTION_ENTRY_NULL,
	};
	const GOptionEntry version[] = {
	    {"version", 0, 0, G_OPTION_ARG_NONE, &p->version, "Print the version, then exit", NULL},
	    G_OPTION_ENTRY_NULL,
	};
	/* As they stand in the help. */
	const GOptionEntry *const tables[] = {common_modes, modes, common_prints, prints, version};
	g_autoptr(GOptionContext) context = g_option_context_new(p->purpose);

	for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
		if (tables[i])
			g_option_context_add_main_entries(context, tables[i], NULL);
	if (!g_option_context_parse(context, argc, argv, error))
		return false;
	if (*argc > 1) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
		    "unexpected argument \"%s\"; see %s --help", (*argv)[1], p->name);
		return false;
	}
	return true;
}

bool
program_parse(struct program *program, const GOptionEntry *modes, const GOptionEntry *prints,
    int argc, char **argv, int *ret_status)
{
	g_autoptr(GError) error = NULL;

	setlocale(LC_ALL, "C");
	program->pid_file = -1;
	if (!parse(program, modes, prints, &argc, &argv, &error)) {
		*ret_status = program_fail(program, error);
		return false;
	}
	if (program->version) {
		printf("%s %s\n", program->name, PACKAGE_VERSION);
		*ret_status = EXIT_SUCCESS;
		return false;
	}
	return true;
}

int
program_fail(const struct program *program, const GError *error)
{
	g_auto(GStrv) lines = g_strsplit(error->message, "\n", -1);

	for (char **line = lines; *line; line++)
		fprintf(stderr, "%s%s: %s\n", log_error_prefix(), program->name, *line);
	return FAILED;
}

/* -- configuration -- */

static bool
load(const struct program *p, struct settings **ret_settings, struct rules **ret_rules,
    GError **error)
{
	struct settings *settings =
	    settings_load(p->config, (const char *const *)p->assignments, error);
	struct rules *rules = settings ? rules_new(settings, p->suffixes, error) : NULL;

	if (!rules) {
		settings_free(settings);
		return false;
	}
	*ret_settings = settings;
	*ret_rules = rules;
	return true;
}

bool
program_load(struct program *program, GError **error)
{
	program->suffixes = suffix_list_load(error);
	if (!program->suffixes || !load(program, &program->settings, &program->rules, error))
		return false;
	program->began = program->settings;
	return true;
}

/* -- what a start needs -- */

static void
look(const struct program *p, const struct settings *settings, bool running, GString *ret_fatal,
    GString *ret_bearable)
{
	const struct preflight preflight = {
	    .settings = settings,
	    .program = p->which,
	    .running = running,
	    .listens = p->listens,
	    .shows = p->shows,
	    .foreground = p->foreground,
	};

	preflight_check(&preflight, ret_fatal, ret_bearable);
}

bool
program_check(struct program *program, GError **error)
{
	g_autoptr(GString) fatal = g_string_new(NULL);

	program->bearable = g_string_new(NULL);
	look(program, program->settings, false, fatal, program->bearable);
	if (fatal->len == 0)
		return identity_find(settings_text(program->settings, SETTING_POLICY_USER),
		    &program->identity, error);
	g_set_error_literal(error, SETTINGS_ERROR, 0, fatal->str);
	return false;
}

/* Here a fault is a fault, whether a start would bear it or not. */
static bool
check_all(const struct program *p, GError **error)
{
	g_autoptr(GString) fatal = g_string_new(NULL), bearable = g_string_new(NULL);

	look(p, p->settings, false, fatal, bearable);
	if (bearable->len)
		g_string_append_printf(fatal, "%s%s", fatal->len ? "\n" : "", bearable->str);
	if (fatal->len == 0)
		return true;
	g_set_error_literal(error, SETTINGS_ERROR, 0, fatal->str);
	return false;
}

bool
program_print(struct program *program, GError **error)
{
	if (program->show_config)
		settings_print(program->settings, stdout);
	else if (program->check_config && check_all(program, error))
		printf("the configuration is good\n");
	return program->show_config || program->check_config;
}

/* -- reload -- */

/* What was opened at the start stays as it was until a restart. */
static void
warn_of_restart(struct program *p, const struct settings *new)
{
	g_autoptr(GString) names = g_string_new(NULL);

	for (unsigned i = 0; i < SETTING_COUNT; i++) {
		const struct setting_row *row = settings_row(i);
		g_autofree char *a = settings_format(p->began, i);
		g_autofree char *b = settings_format(new, i);

		if (!(row->restart & p->which) || strcmp(a, b) == 0)
			continue;
		log_line(LOG_LEVEL_WARNING, "%s.%s has changed: restart to put it in force",
		    row->section, row->key);
		g_string_append_printf(
		    names, "%s%s.%s", names->len ? " " : "", row->section, row->key);
	}
	g_strlcpy(p->state.restart, names->str, sizeof p->state.restart);
}

/* A line of the log for each fault. */
static void
log_faults(const char *faults)
{
	g_auto(GStrv) lines = g_strsplit(faults, "\n", -1);

	for (char **line = lines; *line; line++)
		log_line(LOG_LEVEL_ERROR, "%s", *line);
}

static void
reopen_log(void)
{
	g_autoptr(GError) error = NULL;

	if (!log_reopen(&error))
		log_line(LOG_LEVEL_ERROR, "%s", error->message);
}

/* What is loaded, and good for this machine. */
static bool
load_good(const struct program *p, struct settings **ret_settings, struct rules **ret_rules,
    GError **error)
{
	g_autoptr(GString) fatal = g_string_new(NULL), bearable = g_string_new(NULL);
	struct settings *settings;
	struct rules *rules;

	if (!load(p, &settings, &rules, error))
		return false;
	look(p, settings, true, fatal, bearable);
	if (bearable->len)
		log_faults(bearable->str);
	if (fatal->len) {
		rules_unref(rules);
		settings_free(settings);
		g_set_error_literal(error, SETTINGS_ERROR, 0, fatal->str);
		return false;
	}
	*ret_settings = settings;
	*ret_rules = rules;
	return true;
}

static void
write_state(const struct program *p)
{
	if (p->pid_file >= 0 && !pidfile_write(p->pid_file, &p->state))
		log_limited(LOG_LEVEL_WARNING, "pid-file", "the pid file cannot be written: %s",
		    g_strerror(errno));
}

/* REFUSAL is "" if the new configuration is in force. */
static void
tell_reload(struct program *p, const char *refusal)
{
	p->state.generation += !*refusal;
	p->state.reloads++;
	p->state.reloaded = g_get_real_time() / G_USEC_PER_SEC;
	g_strlcpy(p->state.refusal, refusal, sizeof p->state.refusal);
	write_state(p);
}

static void
replace(struct program *p, struct settings *settings, struct rules *rules,
    void (*apply)(void *context), void *context)
{
	struct settings *old_settings = p->settings;
	struct rules *old_rules = p->rules;

	warn_of_restart(p, settings);
	p->settings = settings;
	p->rules = rules;
	apply(context);
	if (old_settings != p->began)
		settings_free(old_settings);
	rules_unref(old_rules);
}

void
program_reload(struct program *program, void (*apply)(void *context), void *context)
{
	g_autoptr(GError) error = NULL;
	struct settings *settings;
	struct rules *rules;

	program_notify("RELOADING=1");
	reopen_log();
	if (load_good(program, &settings, &rules, &error)) {
		replace(program, settings, rules, apply, context);
		log_line(LOG_LEVEL_INFO, "the configuration was read again");
	} else {
		log_faults(error->message);
		log_line(LOG_LEVEL_ERROR, "the old configuration stays in force");
	}
	tell_reload(program, error ? error->message : "");
	log_flush();
	program_notify("READY=1");
}

/* -- surroundings -- */

bool
program_open_log(const struct program *program, const char *target, GError **error)
{
	if (!log_open(program->name, program->foreground ? "stderr" : target,
		(enum log_level)settings_number(program->settings, SETTING_LOG_LEVEL), error))
		return false;
	if (!program->foreground && target[0] == '/')
		privileges_give_file(target, &program->identity);
	if (program->bearable->len)
		log_faults(program->bearable->str);
	return true;
}

void
program_warn_of_obstacles(const char *const *addresses, enum setting mode)
{
	const struct setting_row *row = settings_row(mode);
	g_autofree char *name = g_strdup_printf("%s.%s", row->section, row->key);

	for (; *addresses; addresses++) {
		g_autofree char *obstacle = listener_obstacle(*addresses, POSTFIX_USER, name);

		if (obstacle)
			log_line(LOG_LEVEL_WARNING, "%s", obstacle);
	}
}

/* Where the store is a server's, the pid file has a folder of its own. Who may not make it tells
 * nothing of itself, and serves. */
static void
open_pid_file(struct program *p, const char *uri)
{
	if (!g_str_has_prefix(uri, "lmdb:"))
		privileges_make_folder("lmdb:" GREYLAG_STATEDIR, &p->identity, NULL);
	p->pid_file = pidfile_open(p->name, uri, p->identity.uid, p->identity.gid);
	if (p->pid_file < 0)
		log_line(LOG_LEVEL_WARNING,
		    "greylagctl status will not know how it is: there can be no pid file: %s",
		    g_strerror(errno));
}

bool
program_drop(struct program *program, const char *fallback_uri, bool tells, GError **error)
{
	const char *uri = settings_text(program->settings, SETTING_STORE_URI);

	privileges_gain_none();
	if (!privileges_make_folder(uri, &program->identity, error) ||
	    !privileges_make_folder(fallback_uri, &program->identity, error))
		return false;
	if (tells)
		open_pid_file(program, uri);
	return identity_become(&program->identity, error);
}

bool
program_detach(const struct program *program, GError **error)
{
	if (program->foreground || daemon(0, 0) == 0)
		return true;
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "cannot go to the background: %s",
	    g_strerror(errno));
	return false;
}

void
program_hold_pid_file(struct program *program)
{
	struct runstate *state = &program->state;

	state->pid = getpid();
	g_strlcpy(state->version, PACKAGE_VERSION, sizeof state->version);
	state->started = g_get_real_time() / G_USEC_PER_SEC;
	state->since = state->started;
	state->generation = 1;
	if (program->pid_file >= 0 && !pidfile_hold(program->pid_file)) {
		log_line(LOG_LEVEL_WARNING,
		    "another %s runs on this store: greylagctl status and reload know that one "
		    "alone",
		    program->name);
		program_release_pid_file(program);
	}
	write_state(program);
}

void
program_tell(struct program *program, enum condition condition, int64_t since, const char *reason)
{
	struct runstate *state = &program->state;

	if (state->condition == condition && strcmp(state->reason, reason) == 0)
		return;
	if (state->condition != condition)
		state->since = since;
	state->condition = condition;
	g_strlcpy(state->reason, reason, sizeof state->reason);
	write_state(program);
}

void
program_release_pid_file(struct program *program)
{
	if (program->pid_file >= 0)
		close(program->pid_file);
	program->pid_file = -1;
}

void
program_notify(const char *state)
{
#ifdef HAVE_SYSTEMD
	sd_notify(0, state);
#else
	(void)state;
#endif
}

uint64_t
program_watchdog(void)
{
	uint64_t interval = 0;

#ifdef HAVE_SYSTEMD
	/* Twice as often as it has to be. */
	if (sd_watchdog_enabled(0, &interval) <= 0)
		interval = 0;
#endif
	return interval / 2;
}

void
program_free(struct program *program)
{
	program_release_pid_file(program);
	rules_unref(program->rules);
	if (program->settings != program->began)
		settings_free(program->settings);
	settings_free(program->began);
	identity_clear(&program->identity);
	if (program->bearable)
		g_string_free(program->bearable, TRUE);
	suffix_list_free(program->suffixes);
	g_strfreev(program->assignments);
	g_free(program->config);
	log_close();
}
