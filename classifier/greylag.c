/*
 * greylag: the classifier on the command line. Wires its commands together.
 */
#include "config.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <glib.h>

#include "classifier/cli/cli.h"
#include "lib/log.h"

#define PATHS "PATH... [--files-from FILE|-]"

static const struct cli_command commands[] = {
    {"train", cli_train, "ham|spam " PATHS ", or --ham PATH... --spam PATH...",
	"Learn messages; each once, however often it is given"},
    {"untrain", cli_untrain, PATHS, "Forget messages, exactly"},
    {"classify", cli_classify, PATHS " [--terse | --json]", "Judge messages, a line each"},
    {"filter", cli_filter, "[-e] [-u] [--tempfail] < MESSAGE > MESSAGE",
	"Pass a message through, with its verdict in the header"},
    {"explain", cli_explain, "PATH [--all] [--json]", "Show why a message is judged so"},
    {"tokens", cli_tokens, PATHS, "Show the tokens of messages, one a line"},
    {"dump", cli_dump, "[FILE|-]", "Write all that was learned as text"},
    {"load", cli_load, "[FILE|-]", "Add what was dumped"},
    {"import", cli_import, "bogofilter FILE|- [--again]", "Add the word list of another filter"},
    {"status", cli_status, "[--json]", "Show what was learned, and how well it judges"},
    {"expire", cli_expire, "[--days DAYS]", "Forget words seen once and long ago"},
    {"evaluate", cli_evaluate,
	"INDEX | --ham PATH... --spam PATH... [--chunk N] [--folds N] [--report FILE] [--json]",
	"Measure the accuracy on labelled messages"},
    {"tune", cli_tune, "INDEX | --ham PATH... --spam PATH... [--ham-loss PERCENT] [--write]",
	"Propose cut-offs for a wished-for loss of ham"},
};

static const struct cli_command *
find_command(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void
print_help(void)
{
	printf("usage: greylag [-d URI|DIR] [-c FILE] [-o SECTION.KEY=VALUE] COMMAND ...\n\n"
	       "The classifier of greylag: learns ham and spam, and judges messages.\n\n");
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		printf("  %-9s %s\n", commands[i].name, commands[i].help);
	printf("\nEach command takes --help. PATH is a file, a folder, a Maildir, an mbox, an MH "
	       "folder,\n"
	       "or - for standard input.\n");
}

/* The options before the command; those that belong to it are left for it. */
static bool
parse_arguments(struct cli *cli, int *argc, char ***argv, int *ret_status)
{
	gboolean version = FALSE, help = FALSE;
	const GOptionEntry entries[] = {
	    {"store", 'd', 0, G_OPTION_ARG_FILENAME, &cli->store, "", NULL},
	    {"config", 'c', 0, G_OPTION_ARG_FILENAME, &cli->config, "", NULL},
	    {"option", 'o', 0, G_OPTION_ARG_STRING_ARRAY, &cli->assignments, "", NULL},
	    {"version", 0, 0, G_OPTION_ARG_NONE, &version, "", NULL},
	    {"help", 'h', 0, G_OPTION_ARG_NONE, &help, "", NULL},
	    G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GError) error = NULL;

	g_option_context_set_strict_posix(context, TRUE);
	g_option_context_set_help_enabled(context, FALSE);
	g_option_context_add_main_entries(context, entries, NULL);
	*ret_status = CLI_DONE;
	if (!g_option_context_parse(context, argc, argv, &error)) {
		*ret_status = cli_usage(cli, "%s", error->message);
		return false;
	}
	if (version)
		printf("greylag %s\n", PACKAGE_VERSION);
	else if (help)
		print_help();
	if (version || help)
		return false;
	if (*argc >= 2)
		cli->command = find_command((*argv)[1]);
	if (!cli->command) {
		*ret_status = *argc < 2
				  ? cli_usage(cli, "no command; see greylag --help")
				  : cli_usage(cli, "there is no command \"%s\"; see greylag --help",
					(*argv)[1]);
		return false;
	}
	(*argc)--;
	(*argv)++;
	return true;
}

/* What GLib ends the program for, a library that is missing or memory that is out, is a failure as
 * any other. */
static void
take_log(const char *domain, GLogLevelFlags level, const char *text, G_GNUC_UNUSED gpointer unused)
{
	if (!(level & G_LOG_LEVEL_ERROR)) {
		g_log_default_handler(domain, level, text, NULL);
		return;
	}
	fprintf(stderr, "greylag: %s\n", text);
	_exit(CLI_FAILED);
}

/* A page of the store's map that its file does not have. */
static void
take_bus_error(G_GNUC_UNUSED int signal)
{
	static const char text[] =
	    "greylag: the store's file is shorter than it was written, or cannot be read";
	const char *const parts[] = {text, store_remedy(STORE_CORRUPT), "\n"};

	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		G_GNUC_UNUSED ssize_t written = write(STDERR_FILENO, parts[i], strlen(parts[i]));
	}
	_exit(CLI_FAILED);
}

int
main(int argc, char **argv)
{
	struct cli cli = {0};
	int status;

	/* Only what characters are matters, and each further category costs a file to open. */
	setlocale(LC_CTYPE, "C.UTF-8");
	g_set_prgname("greylag");
	g_log_set_default_handler(take_log, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGBUS, take_bus_error);
	if (parse_arguments(&cli, &argc, &argv, &status))
		status = cli.command->run(&cli, argc, argv);
	if ((fflush(stdout) != 0 || ferror(stdout)) && status != CLI_USAGE) {
		fprintf(stderr, "greylag: cannot write to standard output\n");
		status = CLI_FAILED;
	}
	bank_close(cli.bank);
	settings_free(cli.settings);
	g_strfreev(cli.assignments);
	g_free(cli.config);
	g_free(cli.store);
	g_free(cli.uri);
	ownconf_read_clear(&cli.read);
	return status;
}
