#include "config.h"

#include "policyd/program.h"

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
#include "policyd/pidfile.h"

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

bool
program_print(const struct program *program)
{
	if (program->show_config)
		settings_print(program->settings, stdout);
	else if (program->check_config)
		printf("the configuration is good\n");
	else
		return false;
	return true;
}

int
program_fail(const struct program *program, const GError *error)
{
	fprintf(stderr, "%s: %s\n", program->name, error->message);
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
	return program->suffixes && load(program, &program->settings, &program->rules, error);
}

/* What was opened at the start stays as it was until a restart. */
static void
warn_of_restart(const struct program *p, const struct settings *new)
{
	for (size_t i = 0; i < p->n_fixed; i++) {
		g_autofree char *a = settings_format(p->settings, p->fixed[i]);
		g_autofree char *b = settings_format(new, p->fixed[i]);
		const struct setting_row *row = settings_row(p->fixed[i]);

		if (strcmp(a, b) != 0)
			log_line(LOG_LEVEL_WARNING, "%s.%s has changed: restart to put it in force",
			    row->section, row->key);
	}
}

/* A line of the log for each fault. */
static void
log_faults(const char *faults)
{
	g_auto(GStrv) lines = g_strsplit(faults, "\n", -1);

	for (char **line = lines; *line; line++)
		log_line(LOG_LEVEL_ERROR, "%s", *line);
	log_line(LOG_LEVEL_ERROR, "the old configuration stays in force");
}

static void
reopen_log(void)
{
	g_autoptr(GError) error = NULL;

	if (!log_reopen(&error))
		log_line(LOG_LEVEL_ERROR, "%s", error->message);
}

void
program_reload(struct program *program, void (*apply)(void *context), void *context)
{
	g_autoptr(GError) error = NULL;
	struct settings *old_settings = program->settings, *settings;
	struct rules *old_rules = program->rules, *rules;

	program_notify("RELOADING=1");
	reopen_log();
	if (load(program, &settings, &rules, &error)) {
		warn_of_restart(program, settings);
		program->settings = settings;
		program->rules = rules;
		apply(context);
		settings_free(old_settings);
		rules_unref(old_rules);
		log_line(LOG_LEVEL_INFO, "the configuration was read again");
	} else {
		log_faults(error->message);
	}
	log_flush();
	program_notify("READY=1");
}

/* -- surroundings -- */

bool
program_open_log(const struct program *program, const char *target, GError **error)
{
	return log_open(program->name, program->foreground ? "stderr" : target,
	    (enum log_level)settings_number(program->settings, SETTING_LOG_LEVEL), error);
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
	program->pid_file =
	    pidfile_hold(program->name, settings_text(program->settings, SETTING_STORE_URI));
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
	settings_free(program->settings);
	suffix_list_free(program->suffixes);
	g_strfreev(program->assignments);
	g_free(program->config);
	log_close();
}
