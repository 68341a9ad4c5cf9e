/* greylag import */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "classifier/cli/load.h"
#include "classifier/bank/imports.h"
#include "classifier/mail/text.h"

/* A word list of bogofilter's (bogoutil -d): "token spam good [YYYYMMDD]", and lines .MSG_COUNT
 * and the like. Its words keep their case; ours are folded, so variants are added up. Its own
 * spellings are kept besides: as long as the list is all there is, they decide, as they did there.
 */
struct wordlist {
	GHashTable *words;   /* folded text -> struct word */
	GHashTable *spelled; /* text -> struct word */
	GChecksum *digest;   /* of all lines */
	int32_t spam, ham;
};

struct word {
	int32_t spam, ham, day;
};

static int32_t
day_of(const char *text)
{
	int32_t date;
	g_autoptr(GDateTime) time = NULL;

	if (!load_number(text, &date))
		return 0;
	time = g_date_time_new_utc(date / 10000, date / 100 % 100, date % 100, 0, 0, 0);
	return time ? (int32_t)(g_date_time_to_unix(time) / 86400) : 0;
}

static char *
fold_word(const char *text, unsigned flags)
{
	GString *folded = g_string_new(NULL);
	g_autofree char *valid = g_utf8_make_valid(text, -1);

	text_fold(valid, strlen(valid), flags, folded);
	g_strstrip(folded->str);
	return g_string_free(folded, FALSE);
}

/* Takes TEXT. */
static void
add_to(GHashTable *words, char *text, int32_t spam, int32_t ham, int32_t day)
{
	struct word *word = g_hash_table_lookup(words, text);

	if (!*text || strlen(text) > TOKENS_LENGTH_MAX) {
		g_free(text);
		return;
	}
	if (word) {
		g_free(text);
	} else {
		word = g_new0(struct word, 1);
		g_hash_table_insert(words, text, word);
	}
	word->spam = MIN(word->spam + MIN(spam, INT32_MAX / 2), INT32_MAX / 2);
	word->ham = MIN(word->ham + MIN(ham, INT32_MAX / 2), INT32_MAX / 2);
	word->day = MAX(word->day, day);
}

static void
add_word(struct wordlist *list, const char *text, int32_t spam, int32_t ham, int32_t day)
{
	add_to(list->words, fold_word(text, TEXT_FOLD_CASE), spam, ham, day);
	add_to(list->spelled, fold_word(text, 0), spam, ham, day);
}

static bool
take_bogofilter_line(void *context, char *text)
{
	struct wordlist *list = context;
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	int32_t spam, ham;

	g_checksum_update(list->digest, (const guchar *)text, (gssize)strlen(text) + 1);
	if (!words[0] || !words[1])
		return *text == '\0';
	if (words[0][0] == '.' && strcmp(words[0], ".MSG_COUNT") != 0)
		return true;
	if (!load_number(words[1], &spam) || !load_number(words[2], &ham) || spam < 0 || ham < 0)
		return false;
	if (words[0][0] == '.') {
		list->spam = spam;
		list->ham = ham;
	} else {
		add_word(list, words[0], spam, ham, words[3] ? day_of(words[3]) : 0);
	}
	return true;
}

/* Words learned between two commits. */
#define COMMIT_BYTES (32u << 20)

/* Whether the word says no more than what it is folded to. */
static bool
is_as_folded(const struct wordlist *list, const char *text, const struct word *word)
{
	const struct word *folded = g_hash_table_lookup(list->words, text);

	return folded && folded->spam == word->spam && folded->ham == word->ham;
}

static bool
write_words(
    struct cli *cli, struct model *model, const struct wordlist *list, bool spelled, GError **error)
{
	GHashTableIter iter;
	gpointer key, value;

	g_hash_table_iter_init(&iter, spelled ? list->spelled : list->words);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		const struct word *word = value;
		/* No word was in more messages than there were. */
		struct fisher_counts counts = {
		    .spam = (uint32_t)MIN(word->spam, list->spam),
		    .ham = (uint32_t)MIN(word->ham, list->ham),
		};

		if (!spelled)
			model_import_token(model, key, strlen(key), counts, (uint32_t)word->day);
		else if (!is_as_folded(list, key, word))
			model_import_spelling(model, key, strlen(key), counts, (uint32_t)word->day);
		if (model_waiting(model) > COMMIT_BYTES && !bank_commit(cli->bank, model, error))
			return false;
	}
	return true;
}

static bool
write_wordlist(struct cli *cli, struct model *model, const struct wordlist *list, GError **error)
{
	if (!write_words(cli, model, list, false, error) ||
	    !write_words(cli, model, list, true, error))
		return false;
	model_import_totals(model,
	    (struct fisher_counts){.spam = (uint32_t)list->spam, .ham = (uint32_t)list->ham});
	return bank_commit(cli->bank, model, error);
}

static bool
tell_store(enum store_result result, GError **error)
{
	if (result != STORE_OK)
		g_set_error(error, BANK_ERROR, BANK_FAILED,
		    "cannot write down what was imported: %s", store_result_text(result));
	return result == STORE_OK;
}

/* False, and the error says so, if the same list was imported before. */
static bool
begin_import(struct cli *cli, const char *digest, bool again, GError **error)
{
	struct import_note before;
	g_autoptr(GDateTime) time = NULL;
	g_autofree char *day = NULL;

	if (!tell_store(imports_begin(bank_store(cli->bank), digest, again, &before), error))
		return false;
	if (again || before.state == IMPORT_UNKNOWN)
		return true;
	time = g_date_time_new_from_unix_utc(before.time);
	day = time ? g_date_time_format(time, "%F") : g_strdup("?");
	if (before.state == IMPORT_DONE)
		g_set_error(error, BANK_ERROR, BANK_FAILED,
		    "this list was imported on %s: a second time its words would count twice "
		    "(--again does it all the same)",
		    day);
	else
		g_set_error(error, BANK_ERROR, BANK_FAILED,
		    "the import of this list was begun on %s and did not end, so that some of its "
		    "words may count already (--again adds all of them)",
		    day);
	return false;
}

static bool
write_all(struct cli *cli, const struct wordlist *list, bool again, GError **error)
{
	const char *digest = g_checksum_get_string(list->digest);
	struct model *model;
	bool good;

	if (!bank_lock(cli->bank, error) || !begin_import(cli, digest, again, error))
		return false;
	model = bank_model(cli->bank);
	if (!model)
		cli_bank_error(cli, error);
	good = model && write_wordlist(cli, model, list, error) &&
	       tell_store(imports_end(bank_store(cli->bank), digest), error);
	model_free(model);
	return good;
}

static int
import_wordlist(struct cli *cli, const struct wordlist *list, bool again)
{
	g_autoptr(GError) error = NULL;

	if (!cli_open(cli, BANK_LEARN))
		return CLI_FAILED;
	if (!write_all(cli, list, again, &error))
		return cli_fail(error);
	printf("%u words of %d spam and %d ham\n", g_hash_table_size(list->words), list->spam,
	    list->ham);
	return CLI_DONE;
}

static int
import_bogofilter(struct cli *cli, FILE *in, const char *name, bool again)
{
	struct wordlist list = {
	    .words = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
	    .spelled = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
	    .digest = g_checksum_new(G_CHECKSUM_SHA256)};
	int status = CLI_FAILED;

	if (load_lines(in, name, take_bogofilter_line, &list)) {
		if (list.spam && list.ham)
			status = import_wordlist(cli, &list, again);
		else
			fprintf(stderr,
			    "greylag: %s: there is no line \".MSG_COUNT SPAM HAM\": is it the "
			    "output of bogoutil -d?\n",
			    name);
	}
	g_hash_table_unref(list.words);
	g_hash_table_unref(list.spelled);
	g_checksum_free(list.digest);
	return status;
}

int
cli_import(struct cli *cli, int argc, char **argv)
{
	gboolean again = FALSE;
	const GOptionEntry entries[] = {
	    {"again", 0, 0, G_OPTION_ARG_NONE, &again,
		"Add a list that was imported before once more", NULL},
	    G_OPTION_ENTRY_NULL,
	};
	FILE *in;
	int status;

	if (!cli_parse(cli, entries, &argc, &argv, &status))
		return status;
	if (argc != 3 || strcmp(argv[1], "bogofilter") != 0)
		return cli_usage(cli, "expected bogofilter and a file");
	in = load_stream(argc, argv, 2, "re", stdin);
	if (!in)
		return CLI_FAILED;
	status = import_bogofilter(cli, in, argv[2], again);
	if (in != stdin)
		fclose(in);
	return status;
}
