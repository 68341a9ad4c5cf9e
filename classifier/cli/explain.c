/* greylag explain, tokens */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "classifier/cli/cli.h"
#include "lib/terminal.h"

/* Words shown without --all: the ones that weigh most. */
#define SHOWN_WORDS 25

struct word {
	const char *text;
	size_t length;
	struct model_reason reason;
	bool dialogue; /* not the sender's: one's own hosts wrote it, or greylisting saw it */
};

struct explained {
	struct model_score score;
	struct word *words; /* by weight, the heaviest first */
	size_t n, n_dialogue;
	struct model_score sent; /* of what its sender wrote alone */
	const struct reading *reading;
	bool own_hosts; /* are known */
};

/* Of words that weigh the same, as all do while an imported list alone decides, those that are
 * farther from even. */
static int
compare_words(const void *a, const void *b)
{
	const struct model_reason *x = &((const struct word *)a)->reason;
	const struct model_reason *y = &((const struct word *)b)->reason;
	double p = fabs(x->weight), q = fabs(y->weight);

	if (p != q)
		return p < q ? 1 : -1;
	p = x->used ? fabs(x->word - 0.5) : 0;
	q = y->used ? fabs(y->word - 0.5) : 0;
	return (p < q) - (p > q);
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

/* By what it speaks for. */
static enum terminal_style
style_of(const struct model_reason *reason)
{
	static const double faint = 0.005;

	if (fabs(reason->weight) < faint && !reason->used)
		return TERMINAL_FAINT;
	return reason->weight > faint    ? TERMINAL_BAD
	       : reason->weight < -faint ? TERMINAL_GOOD
					 : TERMINAL_PLAIN;
}

static void
print_words(const struct explained *e, size_t shown, const struct terminal *terminal)
{
	printf("\n%s  %-36s %8s %8s %8s %9s%s\n", terminal_begin(terminal, TERMINAL_TITLE), "token",
	    "in spam", "in ham", "f(w)", "weight", terminal_end(terminal, TERMINAL_TITLE));
	for (size_t i = 0; i < e->n; i++) {
		const struct model_reason *r = &e->words[i].reason;
		enum terminal_style style = style_of(r);
		g_autofree char *text = cli_safe(e->words[i].text, e->words[i].length);

		/* What only the dialogue shows is always shown. */
		if (i < shown || e->words[i].dialogue)
			printf("%s  %-36s %8u %8u %7.3f%s %+9.4f%s%s\n",
			    terminal_begin(terminal, style), text, r->counts.spam, r->counts.ham,
			    r->word, r->used ? "*" : " ", r->weight,
			    e->words[i].dialogue ? " d" : "", terminal_end(terminal, style));
	}
	if (e->n > shown)
		printf("  ... of %zu (--all shows them)\n", e->n);
	printf("  * counts in Fisher's voice; a positive weight speaks for spam\n");
	if (e->n_dialogue)
		printf("  d only the dialogue shows it: one's own hosts wrote it, or greylisting "
		       "saw it\n");
}

static const char *
delivery_verdict_name(enum delivery_verdict verdict)
{
	static const enum verdict verdicts[DELIVERY_VERDICTS] = {[DELIVERY_HAM] = VERDICT_HAM,
	    [DELIVERY_SPAM] = VERDICT_SPAM,
	    [DELIVERY_UNSURE] = VERDICT_UNSURE};

	return verdict_name(verdicts[verdict]);
}

/* How it was judged when it came in, and what of that is not seen here. */
static void
print_delivery(const struct explained *e)
{
	const struct delivery_seen *seen = &e->reading->delivery;
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(seen->time);
	g_autofree char *text = time ? g_date_time_format(time, "%F %T UTC") : NULL;

	if (!e->reading->delivered)
		return;
	printf("\nOn delivery, %s, it was %s, probability %.3f.\n", text ? text : "?",
	    delivery_verdict_name(seen->judged), seen->score / 1000.0);
	if (!e->own_hosts)
		printf("Which Received field one's own host wrote is not known: "
		       "classifier.own_hosts is not set.\n");
	else if (!e->reading->message->canonical.handover)
		printf("The Received field that one's own host wrote is not in this copy: its "
		       "words spoke then, not here.\n");
	printf("What was learned since then counts here.\n");
}

static void
print_text(const char *name, const struct explained *e, bool all)
{
	const struct model_score *s = &e->score;
	struct terminal terminal = terminal_of(stdout);
	static const enum terminal_style styles[] = {[VERDICT_HAM] = TERMINAL_GOOD,
	    [VERDICT_SPAM] = TERMINAL_BAD,
	    [VERDICT_UNSURE] = TERMINAL_WAITING};

	printf("%s: %s%s%s, probability %.6f that it is spam (log-odds %+.3f)\n", name,
	    terminal_begin(&terminal, styles[s->verdict]), verdict_name(s->verdict),
	    terminal_end(&terminal, styles[s->verdict]), s->probability, s->evidence);
	if (s->young)
		printf("Too little was learned to be sure of anything.\n");
	if (s->imported)
		printf("Only counts of words are known: bogofilter's spamicity %.6f decides.\n",
		    s->fisher.spamicity);
	print_voices(s);
	print_words(e, all ? e->n : SHOWN_WORDS, &terminal);
	if (e->n_dialogue)
		printf("\nAs its sender wrote it, without d: %s, probability %.6f (log-odds "
		       "%+.3f)\n",
		    verdict_name(e->sent.verdict), e->sent.probability, e->sent.evidence);
	print_delivery(e);
}

static json_t *
json_words(const struct explained *e)
{
	json_t *words = json_array();

	for (size_t i = 0; i < e->n; i++) {
		const struct model_reason *r = &e->words[i].reason;

		json_array_append_new(words,
		    json_pack("{s:o, s:i, s:i, s:f, s:b, s:f, s:b}", "token",
			json_stringn(e->words[i].text, e->words[i].length), "spam",
			(int)r->counts.spam, "ham", (int)r->counts.ham, "f", r->word, "used",
			(int)r->used, "weight", r->weight, "dialogue", (int)e->words[i].dialogue));
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
	all = json_pack("{s:s, s:s, s:f, s:f, s:f, s:b, s:o, s:o, s:{s:s, s:f, s:f}}", "path", name,
	    "verdict", verdict_name(s->verdict), "score", s->probability, "evidence", s->evidence,
	    "stuffing", s->lift, "young", (int)s->young, "voices", voices, "words", json_words(e),
	    "sent", "verdict", verdict_name(e->sent.verdict), "score", e->sent.probability,
	    "evidence", e->sent.evidence);
	if (e->reading->delivered)
		json_object_set_new(all, "delivery",
		    json_pack("{s:s, s:f, s:I}", "verdict",
			delivery_verdict_name(e->reading->delivery.judged), "score",
			e->reading->delivery.score / 1000.0, "time",
			(json_int_t)e->reading->delivery.time));
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
}

/* Those words that the reading of what the sender wrote has not. */
static void
mark_dialogue(struct explained *e, const struct tokens *sent)
{
	g_autoptr(GHashTable) hashes = g_hash_table_new(g_int64_hash, g_int64_equal);

	for (size_t i = 0; i < sent->count; i++)
		g_hash_table_add(hashes, &sent->list[i].hash);
	for (size_t i = 0; i < e->n; i++) {
		e->words[i].dialogue =
		    !g_hash_table_contains(hashes, &e->reading->tokens.list[i].hash);
		e->n_dialogue += e->words[i].dialogue;
	}
}

static bool
read_words(struct model *model, struct reader *reader, struct explained *e)
{
	const struct reading *reading = e->reading;
	const struct tokens *tokens = &reading->tokens;
	g_autofree struct model_reason *reasons = g_new0(struct model_reason, e->n + 1);
	struct reading *sent = reader_read_sent(reader, reading);
	bool read = model_judge(model, tokens, &reading->features, &e->score) &&
		    model_judge(model, &sent->tokens, &sent->features, &e->sent) &&
		    model_explain(model, tokens, &reading->features, reasons);

	for (size_t i = 0; read && i < e->n; i++)
		e->words[i] = (struct word){
		    tokens_text(tokens, i), tokens->list[i].length, reasons[i], false};
	if (read)
		mark_dialogue(e, &sent->tokens);
	qsort(e->words, e->n, sizeof *e->words, compare_words);
	reading_free(sent);
	return read;
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
	reading = reader_begin(reader, message->bytes, message->length);
	reader_recall(reader, reading);
	reader_finish(reader, reading);
	e.reading = reading;
	e.own_hosts = *settings_list(cli->settings, SETTING_CLASSIFIER_OWN_HOSTS) != NULL;
	e.n = reading->tokens.count;
	e.words = g_new0(struct word, e.n + 1);
	read = read_words(model, reader, &e);
	if (!read)
		cli_bank_fail(cli);
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
	model = cli_open_to_judge(cli, 0);
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
