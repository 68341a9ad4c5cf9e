/* greylag filter: whatever happens, the message comes out. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "classifier/cli/cli.h"
#include "classifier/mail/rewrite.h"

/* What is read of standard input at a time. */
#define CHUNK 65536

/* Conflicts with other trainers before a message is not learned. */
#define CONFLICTS 10

static bool
read_input(GByteArray *message)
{
	for (;;) {
		guint before = message->len;
		ssize_t n;

		g_byte_array_set_size(message, before + CHUNK);
		n = read(STDIN_FILENO, message->data + before, CHUNK);
		g_byte_array_set_size(message, before + (guint)MAX(n, 0));
		if (n == 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
	}
}

static bool
write_output(const uint8_t *bytes, size_t length)
{
	while (length) {
		ssize_t n = write(STDOUT_FILENO, bytes, length);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			bytes += n;
			length -= (size_t)n;
		}
	}
	return true;
}

/* False if there is nothing to be committed. */
static bool
learn_verdict(struct model *model, const struct reading *reading, const struct model_score *score)
{
	return model_learn(model, &reading->tokens, &reading->features,
		   score->verdict == VERDICT_SPAM, cli_today(), NULL) == MODEL_LEARNED;
}

/* With -u a sure verdict is learned. Another trainer is not waited for: mail goes first. If another
 * host has trained the same messages meanwhile, it is learned by what the store has then. */
static void
learn(struct cli *cli, struct model **model, const GByteArray *message,
    const struct model_score *score)
{
	struct reader *reader;
	struct reading *reading;
	bool learned = false;
	GError *error = NULL;

	if (score->verdict == VERDICT_UNSURE || !bank_try_lock(cli->bank))
		return;
	reader = reader_new(cli->settings);
	reader_set_bank(reader, cli->bank);
	reading = reader_read(reader, message->data, message->len);
	for (unsigned i = 0;
	     i < CONFLICTS && !learned && *model && learn_verdict(*model, reading, score); i++) {
		g_clear_error(&error);
		if (bank_commit(cli->bank, *model, &error)) {
			cli_count_learned(
			    cli, score->verdict == VERDICT_HAM, score->verdict == VERDICT_SPAM, 0);
			learned = true;
			continue;
		}
		g_clear_pointer(model, model_free);
		if (g_error_matches(error, BANK_ERROR, BANK_CONFLICT))
			*model = bank_model(cli->bank);
	}
	if (error)
		cli_fail(error);
	g_clear_error(&error);
	reading_free(reading);
	reader_free(reader);
}

/* What the child tells of the message first; then its origin (struct origin). */
struct filtered {
	enum verdict verdict;
	double probability;
	bool counts; /* there is a store to count it in */
};

static void
write_origin(struct cli *cli, const struct message *message, int out)
{
	struct suffix_list *suffixes = NULL;
	g_autoptr(GError) error = NULL;
	struct origin origin = {.client = {.family = ADDRESS_NONE}};

	if (message->canonical.handover) {
		suffixes = suffix_list_load(&error);
		if (error)
			cli_fail(error);
	}
	if (suffixes)
		origin_read(message, settings_list(cli->settings, SETTING_CLASSIFIER_AUTHSERV_IDS),
		    suffixes, &origin);
	suffix_list_free(suffixes);
	/* Who does not read it goes without. */
	if (write(out, &origin, sizeof origin) != (ssize_t)sizeof origin)
		return;
}

/* The child: tells the verdict, and learns only then. */
static void
judge(struct cli *cli, struct model *model, const GByteArray *message, bool update, int out)
{
	struct reader *reader = reader_new(cli->settings);
	struct reading *reading;
	struct model_score score;

	reader_follow(reader, model);
	reading = reader_begin(reader, message->data, message->len);
	reader_set_bank(reader, cli->bank);
	reader_recall(reader, reading);
	reader_finish(reader, reading);
	if (model_judge(model, &reading->tokens, &reading->features, &score)) {
		const struct filtered filtered = {score.verdict, score.probability, !cli->missing};

		if (write(out, &filtered, sizeof filtered) == (ssize_t)sizeof filtered) {
			write_origin(cli, reading->message, out);
			if (update)
				learn(cli, &model, message, &score);
		}
	} else {
		cli_bank_fail(cli);
	}
	reading_free(reading);
	model_free(model);
	reader_free(reader);
}

static struct model *
open_to_learn(struct cli *cli)
{
	struct model *model = NULL;

	if (cli_open(cli, BANK_LEARN | BANK_AT_ONCE) && !(model = bank_model(cli->bank)))
		cli_bank_fail(cli);
	return model;
}

/* A child judges: whatever a damaged store or a message does to it, the message is still here. */
static pid_t
start_child(struct cli *cli, const GByteArray *message, bool update, int *ret_in)
{
	int ends[2];
	pid_t child;

	if (pipe(ends) != 0)
		return -1;
	child = fork();
	if (child == 0) {
		struct model *model;

		close(ends[0]);
		model = update ? open_to_learn(cli) : cli_open_to_judge(cli, BANK_AT_ONCE);
		if (model)
			judge(cli, model, message, update, ends[1]);
		bank_close(cli->bank);
		_exit(0);
	}
	close(ends[1]);
	if (child < 0)
		close(ends[0]);
	else
		*ret_in = ends[0];
	return child;
}

/* False if the child came to its end without a verdict. */
static bool
read_verdict(int in, struct filtered *ret_filtered)
{
	ssize_t n;

	do
		n = read(in, ret_filtered, sizeof *ret_filtered);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof *ret_filtered;
}

/* Nothing is known of it if the child came to its end before. */
static void
read_origin(int in, struct origin *ret_origin)
{
	ssize_t n;

	do
		n = read(in, ret_origin, sizeof *ret_origin);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof *ret_origin)
		memset(ret_origin, 0, sizeof *ret_origin);
}

static int
pass_through(const GByteArray *message, const char *value, int status)
{
	g_autoptr(GByteArray) out = g_byte_array_new();

	rewrite_message(message->data, message->len, value, out);
	if (write_output(out->data, out->len))
		return status;
	fprintf(stderr, "greylag: cannot write the message: %s\n", g_strerror(errno));
	return CLI_TEMPFAIL;
}

static int
verdict_status(enum verdict verdict, bool always_zero)
{
	static const int statuses[] = {
	    [VERDICT_SPAM] = CLI_SPAM, [VERDICT_HAM] = CLI_HAM, [VERDICT_UNSURE] = CLI_UNSURE};

	return always_zero ? CLI_DONE : statuses[verdict];
}

/* The message with its verdict, or marked as having none; the exit status. */
static int
pass_judged(const GByteArray *message, const struct filtered *filtered, bool always_zero)
{
	g_autofree char *value = rewrite_verdict(filtered->verdict, filtered->probability);

	return pass_through(message, value, verdict_status(filtered->verdict, always_zero));
}

static int
pass_failed(const GByteArray *message, int status)
{
	g_autofree char *value = rewrite_no_verdict();

	return pass_through(message, value, status);
}

static void
wait_for_child(pid_t child)
{
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

/* What could not be passed on will come again. */
static void
count(struct cli *cli, const struct filtered *filtered, const struct origin *origin)
{
	const struct cli_judged judged = {
	    .verdict = filtered->verdict, .score = filtered->probability, .origin = *origin};

	cli_count_verdict(cli, &judged);
}

static int
filter(struct cli *cli, const GByteArray *message, bool update, bool always_zero, int failure)
{
	struct filtered filtered;
	struct origin origin;
	int in = -1, status;
	pid_t child = start_child(cli, message, update, &in);
	bool judged;

	judged = child > 0 && read_verdict(in, &filtered);
	if (judged)
		status = pass_judged(message, &filtered, always_zero);
	else
		status = pass_failed(message, failure);
	if (judged)
		read_origin(in, &origin);
	if (child > 0) {
		close(in);
		wait_for_child(child);
	}
	if (judged && filtered.counts && status != CLI_TEMPFAIL)
		count(cli, &filtered, &origin);
	return status;
}

int
cli_filter(struct cli *cli, int argc, char **argv)
{
	gboolean always_zero = FALSE, update = FALSE, tempfail = FALSE;
	const GOptionEntry entries[] = {
	    {"exit-zero", 'e', 0, G_OPTION_ARG_NONE, &always_zero, "Exit 0 whatever the verdict",
		NULL},
	    {"update", 'u', 0, G_OPTION_ARG_NONE, &update, "Learn from a sure verdict", NULL},
	    {"tempfail", 0, 0, G_OPTION_ARG_NONE, &tempfail,
		"Exit 75 instead of 3 if no verdict could be had", NULL},
	    G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GByteArray) message = g_byte_array_new();
	int failure = CLI_FAILED;
	bool usable = cli_parse(cli, entries, &argc, &argv, &failure);

	if (usable && argc > 1) {
		failure = cli_usage(cli, "\"%s\": the message comes by standard input", argv[1]);
		usable = false;
	}
	/* A person at a terminal waits for the usage, not for a message. */
	if (!usable && isatty(STDIN_FILENO))
		return failure;
	if (failure != CLI_USAGE && tempfail)
		failure = CLI_TEMPFAIL;
	if (!read_input(message)) {
		fprintf(stderr, "greylag: cannot read the message: %s\n", g_strerror(errno));
		return CLI_TEMPFAIL;
	}
	return usable ? filter(cli, message, update, always_zero, failure)
		      : pass_failed(message, failure);
}
