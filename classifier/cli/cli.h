/*
 * What the commands of greylag share: the command line, the configuration, the bank, and how
 * messages come from where people keep them. A command returns its exit status; errors that end
 * it are told by cli_fail().
 */
#ifndef GREYLAG_CLASSIFIER_CLI_CLI_H
#define GREYLAG_CLASSIFIER_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

#include "classifier/bank/bank.h"
#include "classifier/features/origin.h"
#include "classifier/cli/ownconf.h"
#include "classifier/bank/reader.h"
#include "lib/settings.h"

/* Exit statuses; the first three as bogofilter's, for one message that was classified. */
enum cli_status {
	CLI_SPAM = 0,
	CLI_HAM = 1,
	CLI_UNSURE = 2,
	CLI_FAILED = 3,
	CLI_DONE = 0,
	CLI_USAGE = 64, /* sysexits(3) */
	CLI_TEMPFAIL = 75,
};

struct cli;

struct cli_command {
	const char *name;
	int (*run)(struct cli *cli, int argc, char **argv);
	const char *arguments, *help;
};

struct cli {
	const struct cli_command *command;
	char *config, *store;
	char **assignments;
	struct ownconf_read read; /* without -c */
	struct settings *settings;
	char *uri;    /* of the store that was opened, or tried */
	bool missing; /* it is not there yet; BANK is an empty one */
	struct bank *bank;
};

int cli_train(struct cli *cli, int argc, char **argv);
int cli_untrain(struct cli *cli, int argc, char **argv);
int cli_classify(struct cli *cli, int argc, char **argv);
int cli_filter(struct cli *cli, int argc, char **argv);
int cli_explain(struct cli *cli, int argc, char **argv);
int cli_tokens(struct cli *cli, int argc, char **argv);
int cli_dump(struct cli *cli, int argc, char **argv);
int cli_load(struct cli *cli, int argc, char **argv);
int cli_import(struct cli *cli, int argc, char **argv);
int cli_status(struct cli *cli, int argc, char **argv);
int cli_expire(struct cli *cli, int argc, char **argv);
int cli_evaluate(struct cli *cli, int argc, char **argv);
int cli_tune(struct cli *cli, int argc, char **argv);

/* Tells the error, on standard error with the program's name, and returns CLI_FAILED. */
int cli_fail(const GError *error);
/* The same of what came of the store: of RESULT, or of what failed last in the bank's. */
int cli_store_fail(struct store *store, enum store_result result);
int cli_bank_fail(const struct cli *cli);
void cli_bank_error(const struct cli *cli, GError **error);
int cli_usage(const struct cli *cli, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* False when it has told that many messages cannot be read. */
bool cli_prepare_reading(void);

/* Parses a command's options (NULL for none besides the common ones) and reads the configuration.
 * False when it has told what is wrong, or printed the help (*RET_STATUS). */
bool cli_parse(
    struct cli *cli, const GOptionEntry *entries, int *argc, char ***argv, int *ret_status);

/* As cli_parse(), but leaves options that it does not know in their places among the arguments. */
bool cli_parse_some(
    struct cli *cli, const GOptionEntry *entries, int *argc, char ***argv, int *ret_status);

/* Reads the configuration; false when it has told what is wrong. */
bool cli_configure(struct cli *cli);

/* The store that the command line or the configuration names, or a plain user's own; opened as
 * its owner, for what bank_open() takes as ACCESS. False when it has told what is wrong. */
bool cli_open(struct cli *cli, unsigned access);

/* To read what was learned, and its model, the caller's. A store that is not there yet is as an
 * empty one; that nothing was learned is told. HOW is BANK_AT_ONCE or 0. NULL when it has told
 * what is wrong. */
struct model *cli_open_to_judge(struct cli *cli, unsigned how);

/* All paths: ARGV from 1 on and the lines of FILES_FROM. NULL when it has told what is wrong
 * (*RET_STATUS). */
char **cli_paths(struct cli *cli, int argc, char **argv, const char *files_from, int *ret_status);

/* The option of a command that takes paths from a file, too: a row of its GOptionEntry table, with
 * the variable (char *) for the file's name. */
#define CLI_FILES_FROM(variable)                                                                   \
	{                                                                                          \
		"files-from", 0, 0, G_OPTION_ARG_FILENAME, variable,                               \
		    "Take paths from this file as well, one a line", "FILE|-"                      \
	}

/* cli_parse(), then cli_paths() of what is left, with the file that ENTRIES put in *FILES_FROM
 * (NULL for a command without). False when it has told what is wrong (*RET_STATUS); else the caller
 * frees the paths. */
bool cli_parse_paths(struct cli *cli, const GOptionEntry *entries, char *const *files_from,
    int argc, char **argv, char ***ret_paths, int *ret_status);

enum cli_label { CLI_LABEL_HAM, CLI_LABEL_SPAM, CLI_LABELS };

/* "ham", "spam"; "" for others. */
const char *cli_label_name(unsigned label);

/* Paths (char *, not owned) by label. */
struct cli_labelled {
	GPtrArray *paths[CLI_LABELS];
};

/* Sorts "ham PATH...", or any sequence of "--ham PATH..." and "--spam PATH...", from ARGV[1] on.
 * *RET_LAST is the label that came last, CLI_LABELS for none. False when it has told what is
 * wrong. */
bool cli_sort_paths(
    struct cli *cli, int argc, char **argv, struct cli_labelled *labelled, unsigned *ret_last);

/* Counts in the store what was learned; the bank is open for BANK_LEARN. */
void cli_count_learned(struct cli *cli, unsigned ham, unsigned spam, unsigned moved);

/* A verdict on a message, and where the message came from. */
struct cli_judged {
	enum verdict verdict;
	double score;
	struct origin origin;
};

/* Counts the verdict on mail that has been passed on, and for the reputation of where it came from,
 * in a process of its own: neither this one nor its exit status waits for the store. Nothing can be
 * read or printed any more. */
void cli_count_verdict(struct cli *cli, const struct cli_judged *judged);

/* A line of "classify --terse". */
void cli_print_terse(const char *name, const struct model_score *score);

/* -- messages -- */

struct cli_message {
	char *name;
	uint8_t *bytes;
	size_t length;
	char *error;    /* what could not be read, with no bytes */
	unsigned label; /* the feed it came from */
};

void cli_message_free(struct cli_message *message);

/* Whether a message could not be read; that is told on standard error. */
bool cli_tell_unreadable(const struct cli_message *message);

/* The work of a pipeline (pipeline.h) with a reader for each thread: the reading of a message, NULL
 * of one that could not be read. */
gpointer cli_read_message(gpointer reader, gpointer message);

/* Paths that are read in a thread of their own, each message with the feed's label. */
struct cli_feed;

struct cli_feed *cli_feed_new(char **paths, unsigned label);
/* The next message, the caller's; NULL at the end. */
struct cli_message *cli_feed_next(struct cli_feed *feed);
void cli_feed_free(struct cli_feed *feed);

/* Becomes true with Ctrl-C or SIGTERM, once cli_catch_signals() was called. */
void cli_catch_signals(void);
bool cli_interrupted(void);

/* Today, in days since 1970. */
uint32_t cli_today(void);

/* Bytes as text for a line of a table: what is not printable as \xHH. */
char *cli_safe(const char *text, size_t length);

#endif
