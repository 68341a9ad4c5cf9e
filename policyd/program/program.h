/*
 * What greylagd and greylag-milter do alike around their work: the command line, the settings and
 * rules in force and their replacement, the log, the pid file, the way into the background, and
 * words with the service manager. It knows nothing of what either of them serves.
 *
 * A main calls program_parse(), program_load() and, unless program_print() was all that is wanted,
 * the others as it needs them; program_free() in any case.
 */
#ifndef GREYLAG_POLICYD_PROGRAM_PROGRAM_H
#define GREYLAG_POLICYD_PROGRAM_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

#include "lib/settings.h"
#include "policyd/program/privileges.h"
#include "policyd/decide/rules.h"
#include "policyd/program/runstate.h"

struct program {
	/* Given by the main. */
	const char *name;
	const char *purpose; /* behind the name, in the help */
	enum settings_program which;
	bool listens, shows; /* see policyd/program/preflight.h */

	/* The command line: for the log and the background; the rest is private. */
	gboolean foreground, check_config, show_config, version;
	char *config;
	char **assignments;

	/* In force, from program_load() on. */
	struct settings *settings;
	struct rules *rules;
	struct suffix_list *suffixes;

	/* Private. */
	struct settings *began; /* those of the start, which hold for what a reload cannot change */
	struct identity identity; /* who it becomes */
	GString *bearable;        /* faults of the start that the log is to tell */
	struct runstate state;    /* what the pid file tells */
	int pid_file;             /* or -1 */
};

/*
 * Reads the options that all programs have and those of this one: MODES, which tell how it serves,
 * and PRINTS, which make it print something and exit (either may be NULL). False if the program is
 * over, with *RET_STATUS as its exit status: the version was printed, or what is wrong.
 */
bool program_parse(struct program *program, const GOptionEntry *modes, const GOptionEntry *prints,
    int argc, char **argv, int *ret_status);

/* The settings, and the rules with the lists they name. An error has a line for each fault. */
bool program_load(struct program *program, GError **error);

/* Asks for all that a start needs of this machine (policyd/program/preflight.h), and finds out who
 * it becomes. What is bearable is told by program_open_log(). */
bool program_check(struct program *program, GError **error);

/* Answers the options that only print or check what was loaded. True if there was one; with an
 * error if the check has found a fault. */
bool program_print(struct program *program, GError **error);

/* Tells the error on standard error, with the program's name, and returns the exit status. */
int program_fail(const struct program *program, const GError *error);

/* Opens the log: standard error in the foreground, else TARGET (see log_open()). A file that root
 * makes is the daemon's user's, who is to open it again. */
bool program_open_log(const struct program *program, const char *target, GError **error);

/* Warns of what keeps Postfix from the unix: sockets among ADDRESSES, which the program listens at
 * by now: with default_action=DUNNO nobody else would. */
void program_warn_of_obstacles(const char *const *addresses, enum setting mode);

/* As root: makes the store's folders and the pid file, gives them to the user of policy.user, and
 * becomes it. FALLBACK_URI may be empty. Without TELLS there is no pid file. */
bool program_drop(struct program *program, const char *fallback_uri, bool tells, GError **error);

/* Goes to the background, unless it shall stay in the foreground. Before any thread is begun. */
bool program_detach(const struct program *program, GError **error);

/* From here on the pid file tells that it runs, and how; see pidfile.h. Letting go of it twice, or
 * in a child, does no harm. */
void program_hold_pid_file(struct program *program);
void program_release_pid_file(struct program *program);

/* What mail experiences since SINCE, and of a bad condition why. Writes only what is new. */
void program_tell(
    struct program *program, enum condition condition, int64_t since, const char *reason);

/*
 * Reopens the log and loads again; with a fault, which is logged, the old settings and rules stay
 * in force. Else APPLY puts those in force that are now in the program, and the old ones are freed
 * after that.
 */
void program_reload(struct program *program, void (*apply)(void *context), void *context);

/* A state for the service manager, as of sd_notify(3); to nobody where there is none. */
void program_notify(const char *state);

/* Microseconds between two signs of life ("WATCHDOG=1") that the service manager wants; 0: none. */
uint64_t program_watchdog(void);

/* Frees what it holds, not the program, and closes the log. */
void program_free(struct program *program);

#endif
