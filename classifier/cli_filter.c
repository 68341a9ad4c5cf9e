/* greylag filter: whatever happens, the message comes out. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "classifier/cli.h"
#include "classifier/rewrite.h"

/* What is read of standard input at a time. */
#define CHUNK 65536

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

/* With -u a sure verdict is learned. Another trainer is not waited for: mail goes first. */
static void
learn(struct cli *cli, struct model *model, const struct reading *reading,
    const struct model_score *score)
{
	g_autoptr(GError) error = NULL;

	if (score->verdict == VERDICT_UNSURE || !bank_try_lock(cli->bank))
		return;
	if (model_learn(model, &reading->tokens, &reading->features, score->verdict == VERDICT_SPAM,
		cli_today(), NULL) == MODEL_LEARNED &&
	    !bank_commit(cli->bank, model, &error))
		cli_fail(error);
}

static bool
judge(struct cli *cli, const GByteArray *message, bool update, struct model_score *ret_score)
{
	struct reader *reader;
	struct model *model;
	bool judged = false;

	if (!cli_configure(cli) || !cli_open(cli, update ? BANK_LEARN : BANK_READ))
		return false;
	reader = reader_new(cli->settings);
	model = bank_model(cli->bank);
	if (model) {
		struct reading *reading = reader_read(reader, message->data, message->len);

		judged = model_judge(model, &reading->tokens, &reading->features, ret_score);
		if (judged && update)
			learn(cli, model, reading, ret_score);
		reading_free(reading);
	}
	model_free(model);
	reader_free(reader);
	return judged;
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
	struct model_score score;
	g_autofree char *value = NULL;
	int status;
	bool usable = cli_parse(cli, entries, &argc, &argv, &status);

	if (!usable && status == CLI_USAGE)
		return status;
	if (!read_input(message)) {
		fprintf(stderr, "greylag: cannot read the message: %s\n", g_strerror(errno));
		return CLI_TEMPFAIL;
	}
	if (!usable || !judge(cli, message, update, &score))
		return pass_through(message,
		    "error, no verdict could be had, version=" PACKAGE_VERSION,
		    tempfail ? CLI_TEMPFAIL : CLI_FAILED);
	value = g_strdup_printf("%s, score=%.6f, version=" PACKAGE_VERSION,
	    verdict_name(score.verdict), score.probability);
	return pass_through(message, value, verdict_status(score.verdict, always_zero));
}
