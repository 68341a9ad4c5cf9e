/* greylag filter: whatever happens, the message comes out. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "classifier/cli.h"
#include "classifier/rewrite.h"

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
learn(struct cli *cli, struct model **model, const struct reading *reading,
    const struct model_score *score)
{
	GError *error = NULL;

	if (score->verdict == VERDICT_UNSURE || !bank_try_lock(cli->bank))
		return;
	for (unsigned i = 0; i < CONFLICTS && *model && learn_verdict(*model, reading, score);
	     i++) {
		g_clear_error(&error);
		if (bank_commit(cli->bank, *model, &error)) {
			cli_count_learned(
			    cli, score->verdict == VERDICT_HAM, score->verdict == VERDICT_SPAM, 0);
			return;
		}
		g_clear_pointer(model, model_free);
		if (g_error_matches(error, BANK_ERROR, BANK_CONFLICT))
			*model = bank_model(cli->bank);
	}
	if (error)
		cli_fail(error);
	g_clear_error(&error);
}

/* What the child tells of the message. */
struct filtered {
	enum verdict verdict;
	double probability;
};

/* The child: tells the verdict, and learns only then. */
static void
judge(struct cli *cli, const GByteArray *message, bool update, int out)
{
	struct reader *reader = reader_new(cli->settings);
	struct model *model = bank_model(cli->bank);
	struct reading *reading = reader_read(reader, message->data, message->len);
	struct model_score score;

	if (model && model_judge(model, &reading->tokens, &reading->features, &score)) {
		const struct filtered filtered = {score.verdict, score.probability};

		if (write(out, &filtered, sizeof filtered) == (ssize_t)sizeof filtered && update)
			learn(cli, &model, reading, &score);
	} else {
		fprintf(stderr, "greylag: the store cannot be read\n");
	}
	reading_free(reading);
	model_free(model);
	reader_free(reader);
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
		close(ends[0]);
		if (cli_open(cli, update ? BANK_LEARN : BANK_READ))
			judge(cli, message, update, ends[1]);
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
	close(in);
	return n == (ssize_t)sizeof *ret_filtered;
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

static int
filter(struct cli *cli, const GByteArray *message, bool update, bool always_zero, int failure)
{
	struct filtered filtered;
	int in = -1, status;
	pid_t child = start_child(cli, message, update, &in);
	bool judged;

	judged = child > 0 && read_verdict(in, &filtered);
	if (judged)
		status = pass_judged(message, &filtered, always_zero);
	else
		status = pass_failed(message, failure);
	if (child > 0)
		wait_for_child(child);
	/* What could not be passed on will come again. */
	if (judged && status != CLI_TEMPFAIL)
		cli_count_verdict(cli, filtered.verdict, filtered.probability);
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
