/* greylag explain, tokens */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "classifier/cli.h"

/* Words shown without --all: the ones that weigh most. */
#define SHOWN_WORDS 25

struct word {
	const char *text;
	size_t length;
	struct model_reason reason;
};

struct explained {
	struct model_score score;
	struct word *words; /* by weight, the heaviest first */
	size_t n;
};

/* How much a word matters: what it adds to the voice of words, or its distance from even. */
static double
importance(const struct model_reason *reason)
{
	return fabs(reason->weight) + (reason->used ? fabs(reason->word - 0.5) : 0);
}

static int
compare_words(const void *a, const void *b)
{
	double x = importance(&((const struct word *)a)->reason);
	double y = importance(&((const struct word *)b)->reason);

	return (x < y) - (x > y);
}

static void
print_voices(const struct model_score *s)
{
	printf("\n  voice    evidence     share\n");
	for (unsigned v = 0; v < MIXTURE_VOICES; v++) {
		if (s->logits.present[v])
			printf("  %-8s %+8.3f  %+8.3f\n", mixture_voice_name(v), s->logits.voice[v],
			    s->shares[v]);
		else
			printf("  %-8s has not learned yet\n", mixture_voice_name(v));
	}
	if (s->lift > 0)
		printf(
		    "  stuffing           %+8.3f  words of the text most like ham were set aside\n",
		    s->lift);
	printf("  Fisher's tails: ln %.2f for spam, ln %.2f for ham, of %zu telling words\n",
	    s->fisher.ln_spam_tail, s->fisher.ln_ham_tail, s->fisher.used);
}

static void
print_words(const struct explained *e, size_t shown)
{
	printf("\n  %-36s %8s %8s %8s %9s\n", "token", "in spam", "in ham", "f(w)", "weight");
	for (size_t i = 0; i < MIN(e->n, shown); i++) {
		const struct model_reason *r = &e->words[i].reason;
		g_autofree char *text = cli_safe(e->words[i].text, e->words[i].length);

		printf("  %-36s %8u %8u %7.3f%s %+9.4f\n", text, r->counts.spam, r->counts.ham,
		    r->word, r->used ? "*" : " ", r->weight);
	}
	if (e->n > shown)
		printf("  ... %zu more (--all shows them)\n", e->n - shown);
	printf("  * counts in Fisher's voice; a positive weight speaks for spam\n");
}

static void
print_text(const char *name, const struct explained *e, bool all)
{
	const struct model_score *s = &e->score;

	printf("%s: %s, probability %.6f that it is spam (log-odds %+.3f)\n", name,
	    verdict_name(s->verdict), s->probability, s->evidence);
	if (s->young)
		printf("Too little was learned to be sure of anything.\n");
	if (s->imported)
		printf("Only counts of words are known: bogofilter's spamicity %.6f decides.\n",
		    s->fisher.spamicity);
	print_voices(s);
	print_words(e, all ? e->n : SHOWN_WORDS);
}

static json_t *
json_words(const struct explained *e)
{
	json_t *words = json_array();

	for (size_t i = 0; i < e->n; i++) {
		const struct model_reason *r = &e->words[i].reason;

		json_array_append_new(
		    words, json_pack("{s:o, s:i, s:i, s:f, s:b, s:f}", "token",
			       json_stringn(e->words[i].text, e->words[i].length), "spam",
			       (int)r->counts.spam, "ham", (int)r->counts.ham, "f", r->word, "used",
			       (int)r->used, "weight", r->weight));
	}
	return words;
}

static void
print_json(const char *name, const struct explained *e)
{
	const struct model_score *s = &e->score;
	json_t *voices = json_object(), *all;

	for (unsigned v = 0; v < MIXTURE_VOICES; v++)
		json_object_set_new(voices, mixture_voice_name(v),
		    json_pack("{s:b, s:f, s:f}", "learned", (int)s->logits.present[v], "evidence",
			s->logits.voice[v], "share", s->shares[v]));
	all = json_pack("{s:s, s:s, s:f, s:f, s:f, s:b, s:o, s:o}", "path", name, "verdict",
	    verdict_name(s->verdict), "score", s->probability, "evidence", s->evidence, "stuffing",
	    s->lift, "young", (int)s->young, "voices", voices, "words", json_words(e));
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
}

static bool
read_words(struct model *model, const struct reading *reading, struct explained *e)
{
	const struct tokens *tokens = &reading->tokens;
	g_autofree struct model_reason *reasons = g_new0(struct model_reason, e->n + 1);

	if (!model_judge(model, tokens, &reading->features, &e->score) ||
	    !model_explain(model, tokens, &reading->features, reasons))
		return false;
	for (size_t i = 0; i < e->n; i++)
		e->words[i] =
		    (struct word){tokens_text(tokens, i), tokens->list[i].length, reasons[i]};
	qsort(e->words, e->n, sizeof *e->words, compare_words);
	return true;
}

static bool
explain_message(
    struct cli *cli, struct model *model, const struct cli_message *message, bool all, bool json)
{
	struct reader *reader = reader_new(cli->settings);
	struct reading *reading;
	struct explained e = {0};
	g_autofree char *name = cli_safe(message->name, strlen(message->name));
	bool read;

	reader_set_bank(reader, cli->bank);
	reader_follow(reader, model);
	reading = reader_read(reader, message->bytes, message->length);
	e.n = reading->tokens.count;
	e.words = g_new0(struct word, e.n + 1);
	read = read_words(model, reading, &e);
	if (!read)
		cli_fail_to_read(cli);
	else if (json)
		print_json(name, &e);
	else
		print_text(name, &e, all);
	g_free(e.words);
	reading_free(reading);
	reader_free(reader);
	return read;
}

int
cli_explain(struct cli *cli, int argc, char **argv)
{
	gboolean all = FALSE, json = FALSE;
	const GOptionEntry entries[] = {
	    {"all", 0, 0, G_OPTION_ARG_NONE, &all, "Show all words", NULL},
	    {"json", 0, 0, G_OPTION_ARG_NONE, &json, "As JSON", NULL},
	    G_OPTION_ENTRY_NULL,
	};
	g_auto(GStrv) paths = NULL;
	struct cli_feed *feed;
	struct cli_message *message;
	struct model *model;
	int status;

	if (!cli_parse_paths(cli, entries, NULL, argc, argv, &paths, &status))
		return status;
	model = cli_open_to_judge(cli);
	if (!model)
		return CLI_FAILED;
	status = CLI_DONE;
	feed = cli_feed_new(paths, 0);
	while ((message = cli_feed_next(feed))) {
		if (cli_tell_unreadable(message) ||
		    !explain_message(cli, model, message, all, json))
			status = CLI_FAILED;
		cli_message_free(message);
	}
	cli_feed_free(feed);
	model_free(model);
	return status;
}

int
cli_tokens(struct cli *cli, int argc, char **argv)
{
	g_autofree char *files_from = NULL;
	const GOptionEntry entries[] = {
	    CLI_FILES_FROM(&files_from),
	    G_OPTION_ENTRY_NULL,
	};
	g_auto(GStrv) paths = NULL;
	struct cli_message *message;
	struct cli_feed *feed;
	struct reader *reader;
	int status;

	if (!cli_parse_paths(cli, entries, &files_from, argc, argv, &paths, &status))
		return status;
	status = CLI_DONE;
	reader = reader_new(cli->settings);
	feed = cli_feed_new(paths, 0);
	while ((message = cli_feed_next(feed))) {
		if (cli_tell_unreadable(message)) {
			status = CLI_FAILED;
		} else {
			struct reading *r = reader_read(reader, message->bytes, message->length);

			for (size_t i = 0; i < r->tokens.count; i++)
				printf("%.*s\n", (int)r->tokens.list[i].length,
				    tokens_text(&r->tokens, i));
			reading_free(r);
		}
		cli_message_free(message);
	}
	cli_feed_free(feed);
	reader_free(reader);
	return status;
}
