/*
 * greylagctl: the postmaster's tool. Wires its commands together.
 */
#include "config.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <glib.h>

#include "lib/log.h"
#include "policyd/ctl/ctl.h"
#include "policyd/ctl/life.h"

static const struct ctl_command commands[] = {
    {"status", ctl_status, "[--json]",
	"Show what mail experiences, records, size and the last hours' decisions"},
    {"list", ctl_list,
	"[--client CLIENT] [--sender SENDER] [--recipient RECIPIENT] [--state STATE] "
	"[--clients | --allowed] [--json]",
	"List what is remembered, a line for each place that mail was seen from"},
    {"why", ctl_why,
	"CLIENT SENDER RECIPIENT [--name NAME] [--helo HELO] [--json], or --log LINE|-, or "
	"[WHAT [WHAT]] [--client CLIENT] [--sender SENDER] [--recipient RECIPIENT] [--json]",
	"Show how a request would be answered now, or mail of the records that match"},
    {"allow", ctl_allow, "CLIENT|SENDER [--for DURATION], or --list [--json]",
	"Exempt a network, a domain or a sender from greylisting, for good or for a while"},
    {"expect", ctl_expect, "SENDER [RECIPIENT] [--for DURATION]",
	"Do not delay a code or a login link that somebody waits for"},
    {"forget", ctl_forget,
	"[--client CLIENT] [--sender SENDER] [--recipient RECIPIENT] [--allowed CLIENT|SENDER] "
	"[--expected SENDER]",
	"Erase what is remembered, or an exception"},
    {"export", ctl_export, "[FILE|-]", "Write all policy records as JSON Lines"},
    {"import", ctl_import, "[FILE|-], or --from postgrey DIR|DUMP, or --from greyfix FILE|-",
	"Merge exported records, or those of another greylisting server, into the store"},
    {"replay", ctl_replay, "[FILE|-] [--learn] [--summary]",
	"Answer recorded or simulated requests, each at its own time=SECONDS"},
    {"report", ctl_report, "[--since DURATION] [--json]",
	"Show what greylisting did against what became of the mail, and whether it pays"},
    {"check", ctl_check, "", "Check the integrity of the store and of every record"},
    {"backup", ctl_backup, "FILE", "Make a copy of the store while it is in use"},
    {"reload", ctl_reload, "",
	"Have greylagd and greylag-milter read their configuration again, and tell their answers"},
};

static const struct ctl_command *
find_command(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static char *
describe_commands(void)
{
	g_autoptr(GString) text = g_string_new("Commands (each takes --help):\n");

	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		g_string_append_printf(text, "  %-8s %s\n", commands[i].name, commands[i].help);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/* The options before the command. */
static bool
parse_arguments(struct ctl *ctl, int *argc, char ***argv, gboolean *version, GError **error)
{
	const GOptionEntry entries[] = {
	    {"version", 0, 0, G_OPTION_ARG_NONE, version, "Print the version, then exit", NULL},
	    G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) context = g_option_context_new("COMMAND ...");
	g_autofree char *description = describe_commands();

	g_option_context_set_strict_posix(context, TRUE);
	g_option_context_set_summary(context, "The postmaster's tool of greylag.");
	g_option_context_set_description(context, description);
	if (!ctl_options(ctl, context, entries, argc, argv, error))
		return false;
	if (*version)
		return true;
	if (*argc < 2)
		return ctl_usage(error, "no command; see greylagctl --help");
	ctl->command = find_command((*argv)[1]);
	if (!ctl->command)
		return ctl_usage(
		    error, "there is no command \"%s\"; see greylagctl --help", (*argv)[1]);
	(*argc)--;
	(*argv)++;
	return true;
}

static bool
flush_output(GError **error)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	return ctl_fail(error, "cannot write to standard output");
}

/* Of "status" 2 says that mail is let in, so wrong usage must be something else. */
static int
exit_status(const struct ctl *ctl, const GError *error)
{
	bool monitors = ctl->command && ctl->command->run == ctl_status;

	if (!error)
		return ctl->status;
	fprintf(stderr, "greylagctl: %s\n", error->message);
	if (error->domain == G_OPTION_ERROR || g_error_matches(error, CTL_ERROR, CTL_USAGE))
		return monitors ? LIFE_UNKNOWN : CTL_USAGE;
	return MAX(ctl->status, CTL_FAILED);
}

int
main(int argc, char **argv)
{
	struct ctl ctl = {.now = g_get_real_time() / G_USEC_PER_SEC};
	g_autoptr(GError) error = NULL;
	gboolean version = FALSE;

	setlocale(LC_ALL, "C");
	g_set_prgname("greylagctl");
	log_open("greylagctl", "stderr", LOG_LEVEL_WARNING, NULL);
	if (parse_arguments(&ctl, &argc, &argv, &version, &error)) {
		if (version)
			printf("greylagctl %s\n", PACKAGE_VERSION);
		else if (ctl.command->run(&ctl, argc, argv, &error))
			flush_output(&error);
	}
	if (ctl.store)
		store_close(&ctl.store);
	rules_unref(ctl.rules);
	suffix_list_free(ctl.suffixes);
	settings_free(ctl.settings);
	g_strfreev(ctl.assignments);
	g_free(ctl.config);
	log_close();
	return exit_status(&ctl, error);
}
