/* greylag classify */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <jansson.h>

#include "classifier/cli/cli.h"
#include "classifier/cli/pipeline.h"

/* Each has all tables in memory, 32 MiB. */
#define JUDGES_MAX 4

enum format { FORMAT_TEXT, FORMAT_TERSE, FORMAT_JSON };

struct judge {
	struct reader *reader;
	struct model *model;
	struct store *store;
};

struct judged {
	struct model_score score;
	bool failed;
	char *problem; /* of the store's */
};

struct classifying {
	enum format format;
	unsigned messages, failed;
	enum verdict last;
};

static gpointer
judge_message(gpointer data, gpointer item)
{
	struct judge *judge = data;
	const struct cli_message *message = item;
	struct judged *judged = g_new0(struct judged, 1);
	struct reading *reading;

	judged->failed = message->error != NULL;
	if (judged->failed)
		return judged;
	reader_follow(judge->reader, judge->model);
	reading = reader_read(judge->reader, message->bytes, message->length);
	judged->failed =
	    !model_judge(judge->model, &reading->tokens, &reading->features, &judged->score);
	reading_free(reading);
	if (judged->failed)
		judged->problem = store_explain_last(judge->store);
	return judged;
}

static void
print_text(const struct cli_message *message, const struct judged *judged)
{
	g_autofree char *name = cli_safe(message->name, strlen(message->name));

	if (judged->failed)
		printf("error   -         %s: %s\n", name,
		    message->error ? message->error : judged->problem);
	else
		printf("%-7s %.6f  %s%s\n", verdict_name(judged->score.verdict),
		    judged->score.probability, name,
		    judged->score.young ? "  (too little was learned to be sure)" : "");
}

static void
print_terse(const struct cli_message *message, const struct judged *judged)
{
	if (judged->failed)
		printf("E\t\t\t%s\n", message->name);
	else
		cli_print_terse(message->name, &judged->score);
}

/* JSON wants UTF-8; a name that is none is given with its bytes escaped. */
static json_t *
json_name(const char *name)
{
	g_autofree char *safe = cli_safe(name, strlen(name));

	return json_string(g_utf8_validate(name, -1, NULL) ? name : safe);
}

static void
print_json(const struct cli_message *message, const struct judged *judged)
{
	json_t *line = json_object();

	json_object_set_new(line, "path", json_name(message->name));
	if (judged->failed) {
		json_object_set_new(
		    line, "error", json_string(message->error ? message->error : judged->problem));
	} else {
		const struct model_score *s = &judged->score;

		json_object_set_new(line, "verdict", json_string(verdict_name(s->verdict)));
		json_object_set_new(line, "score", json_real(s->probability));
		json_object_set_new(line, "evidence", json_real(s->evidence));
		json_object_set_new(line, "young", json_boolean(s->young));
	}
	json_dumpf(line, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(line);
}

static void
take_judged(gpointer context, gpointer item, gpointer result)
{
	static void (*const print[])(const struct cli_message *, const struct judged *) = {
	    [FORMAT_TEXT] = print_text,
	    [FORMAT_TERSE] = print_terse,
	    [FORMAT_JSON] = print_json,
	};
	struct classifying *c = context;
	struct judged *judged = result;

	print[c->format](item, judged);
	c->messages++;
	c->failed += judged->failed;
	c->last = judged->score.verdict;
	cli_message_free(item);
	g_free(judged->problem);
	g_free(judged);
}

/* One message's verdict is the exit status, as bogofilter's. */
static int
exit_status(const struct classifying *c)
{
	static const int statuses[] = {
	    [VERDICT_SPAM] = CLI_SPAM, [VERDICT_HAM] = CLI_HAM, [VERDICT_UNSURE] = CLI_UNSURE};

	if (c->failed)
		return CLI_FAILED;
	return c->messages == 1 ? statuses[c->last] : CLI_DONE;
}

static void
run_judges(struct classifying *c, struct judge *judges, unsigned n, struct cli_feed *feed,
    struct cli_message *first)
{
	const struct pipeline_functions functions = {
	    .work = judge_message, .done = take_judged, .context = c};
	g_autofree gpointer *contexts = g_new(gpointer, n);
	struct pipeline *pipeline;

	for (unsigned i = 0; i < n; i++)
		contexts[i] = &judges[i];
	pipeline = pipeline_new(&functions, contexts, n);
	for (struct cli_message *m = first; m; m = cli_feed_next(feed))
		pipeline_push(pipeline, m, m->length);
	pipeline_finish(pipeline);
}

/* MODEL, the first judge's, is freed. A single message is judged without threads: that is the
 * start-up a mail filter pays for. */
static int
classify(struct cli *cli, struct model *model, char **paths, enum format format)
{
	struct classifying c = {.format = format};
	struct cli_feed *feed = cli_feed_new(paths, 0);
	struct cli_message *first = cli_feed_next(feed), *second = cli_feed_next(feed);
	unsigned n = second ? MIN(pipeline_threads(), JUDGES_MAX) : 1;
	g_autofree struct judge *judges = g_new0(struct judge, n);
	bool ready = true, can_read = !second || cli_prepare_reading();

	for (unsigned i = 0; i < n; i++) {
		judges[i].reader = reader_new(cli->settings);
		reader_set_bank(judges[i].reader, cli->bank);
		judges[i].store = bank_store(cli->bank);
		judges[i].model = i ? bank_model(cli->bank) : model;
		ready &= judges[i].model != NULL &&
			 (!second || bank_preload(cli->bank, judges[i].model));
	}
	if (!ready)
		cli_bank_fail(cli);
	ready &= can_read;
	if (ready && first)
		take_judged(&c, first, judge_message(&judges[0], first));
	else
		cli_message_free(first);
	if (ready && second)
		run_judges(&c, judges, n, feed, second);
	else
		cli_message_free(second);
	cli_feed_free(feed);
	for (unsigned i = 0; i < n; i++) {
		reader_free(judges[i].reader);
		model_free(judges[i].model);
	}
	return ready ? exit_status(&c) : CLI_FAILED;
}

int
cli_classify(struct cli *cli, int argc, char **argv)
{
	gboolean terse = FALSE, json = FALSE;
	g_autofree char *files_from = NULL;
	const GOptionEntry entries[] = {
	    {"terse", 't', 0, G_OPTION_ARG_NONE, &terse,
		"S|H|U, score, evidence and path, with tabs between", NULL},
	    {"json", 0, 0, G_OPTION_ARG_NONE, &json, "JSON Lines", NULL},
	    CLI_FILES_FROM(&files_from),
	    G_OPTION_ENTRY_NULL,
	};
	g_auto(GStrv) paths = NULL;
	struct model *model;
	int status;

	if (!cli_parse_paths(cli, entries, &files_from, argc, argv, &paths, &status))
		return status;
	model = cli_open_to_judge(cli, 0);
	if (!model)
		return CLI_FAILED;
	return classify(cli, model, paths, terse ? FORMAT_TERSE : json ? FORMAT_JSON : FORMAT_TEXT);
}
