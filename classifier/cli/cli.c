#include "config.h"

#include "classifier/cli/cli.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "classifier/mail/corpus.h"
#include "classifier/mail/message.h"

/* Messages that a feed reads ahead. */
#define FEED_DEPTH 64
#define FEED_BYTES (8u << 20)

static volatile sig_atomic_t interrupted;

int
cli_fail(const GError *error)
{
	fprintf(stderr, "greylag: %s\n", error->message);
	return CLI_FAILED;
}

int
cli_store_fail(struct store *store, enum store_result result)
{
	g_autofree char *text = store_explain(store, result);

	fprintf(stderr, "greylag: %s\n", text);
	return CLI_FAILED;
}

void
cli_bank_error(const struct cli *cli, GError **error)
{
	g_autofree char *text = store_explain_last(bank_store(cli->bank));

	g_set_error_literal(error, BANK_ERROR, BANK_FAILED, text);
}

int
cli_bank_fail(const struct cli *cli)
{
	g_autoptr(GError) error = NULL;

	cli_bank_error(cli, &error);
	return cli_fail(error);
}

bool
cli_prepare_reading(void)
{
	g_autoptr(GError) error = NULL;

	if (!message_load(&error))
		cli_fail(error);
	return !error;
}

int
cli_usage(const struct cli *cli, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "greylag: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\nusage: greylag %s %s\n", cli->command ? cli->command->name : "COMMAND",
	    cli->command ? cli->command->arguments : "...");
	va_end(args);
	return CLI_USAGE;
}

/* Options behind the command join those before it: GLib would drop the first ones. */
static void
take_common(struct cli *cli, char **store, char **config, char **assignments)
{
	GStrvBuilder *all = g_strv_builder_new();

	if (*store) {
		g_free(cli->store);
		cli->store = g_steal_pointer(store);
	}
	if (*config) {
		g_free(cli->config);
		cli->config = g_steal_pointer(config);
	}
	if (cli->assignments)
		g_strv_builder_addv(all, (const char **)cli->assignments);
	if (assignments)
		g_strv_builder_addv(all, (const char **)assignments);
	g_strfreev(cli->assignments);
	cli->assignments = g_strv_builder_end(all);
	g_strv_builder_unref(all);
}

static bool
parse(struct cli *cli, const GOptionEntry *entries, bool ignore_unknown, int *argc, char ***argv,
    int *ret_status)
{
	g_autofree char *store = NULL, *config = NULL;
	g_auto(GStrv) assignments = NULL;
	const GOptionEntry common[] = {
	    {"store", 'd', 0, G_OPTION_ARG_FILENAME, &store, "Use this store", "URI|DIR"},
	    {"config", 'c', 0, G_OPTION_ARG_FILENAME, &config, "Read this configuration", "FILE"},
	    {"option", 'o', 0, G_OPTION_ARG_STRING_ARRAY, &assignments,
		"Set one value; wins over the file (repeatable)", "SECTION.KEY=VALUE"},
	    G_OPTION_ENTRY_NULL,
	};
	g_autofree char *parameters =
	    g_strdup_printf("%s %s", cli->command->name, cli->command->arguments);
	g_autoptr(GOptionContext) context = g_option_context_new(parameters);
	g_autoptr(GError) error = NULL;

	g_option_context_set_ignore_unknown_options(context, ignore_unknown);
	g_option_context_set_summary(context, cli->command->help);
	if (entries)
		g_option_context_add_main_entries(context, entries, NULL);
	g_option_context_add_main_entries(context, common, NULL);
	if (!g_option_context_parse(context, argc, argv, &error)) {
		*ret_status = cli_usage(cli, "%s", error->message);
		return false;
	}
	take_common(cli, &store, &config, assignments);
	*ret_status = CLI_FAILED;
	return cli_configure(cli);
}

bool
cli_parse(struct cli *cli, const GOptionEntry *entries, int *argc, char ***argv, int *ret_status)
{
	return parse(cli, entries, false, argc, argv, ret_status);
}

bool
cli_parse_some(
    struct cli *cli, const GOptionEntry *entries, int *argc, char ***argv, int *ret_status)
{
	return parse(cli, entries, true, argc, argv, ret_status);
}

char **
cli_paths(struct cli *cli, int argc, char **argv, const char *files_from, int *ret_status)
{
	GStrvBuilder *builder = g_strv_builder_new();
	g_auto(GStrv) list = NULL;
	g_autoptr(GError) error = NULL;
	char **paths;

	for (int i = 1; i < argc; i++)
		g_strv_builder_add(builder, argv[i]);
	if (files_from) {
		list = corpus_read_list(files_from, &error);
		if (list)
			g_strv_builder_addv(builder, (const char **)list);
		else
			*ret_status = cli_fail(error);
	}
	paths = g_strv_builder_end(builder);
	g_strv_builder_unref(builder);
	if (!error && !*paths)
		*ret_status = cli_usage(cli, "no PATH was given (\"-\" is standard input)");
	if (error || !*paths)
		g_clear_pointer(&paths, g_strfreev);
	return paths;
}

bool
cli_parse_paths(struct cli *cli, const GOptionEntry *entries, char *const *files_from, int argc,
    char **argv, char ***ret_paths, int *ret_status)
{
	char **paths;

	if (!cli_parse(cli, entries, &argc, &argv, ret_status))
		return false;
	paths = cli_paths(cli, argc, argv, files_from ? *files_from : NULL, ret_status);
	if (paths)
		*ret_paths = paths;
	return paths != NULL;
}

static const char *const label_names[CLI_LABELS] = {
    [CLI_LABEL_HAM] = "ham", [CLI_LABEL_SPAM] = "spam"};

const char *
cli_label_name(unsigned label)
{
	return label < CLI_LABELS ? label_names[label] : "";
}

static bool
parse_label(const char *word, unsigned *ret_label)
{
	for (unsigned i = 0; i < CLI_LABELS; i++) {
		if (strcmp(word, label_names[i]) == 0) {
			*ret_label = i;
			return true;
		}
	}
	return false;
}

bool
cli_sort_paths(
    struct cli *cli, int argc, char **argv, struct cli_labelled *labelled, unsigned *ret_last)
{
	unsigned label = CLI_LABELS;

	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];
		bool option = g_str_has_prefix(word, "--");
		bool first = !option && label == CLI_LABELS;

		if ((option && !parse_label(word + 2, &label)) ||
		    (first && !parse_label(word, &label))) {
			cli_usage(cli, "\"%s\": expected ham, spam, --ham or --spam", word);
			return false;
		}
		if (!option && !first)
			g_ptr_array_add(labelled->paths[label], argv[i]);
	}
	*ret_last = label;
	return true;
}

/* Evidence has no ties by rounding: all digits that a double has. */
void
cli_print_terse(const char *name, const struct model_score *score)
{
	static const char letters[] = {
	    [VERDICT_SPAM] = 'S', [VERDICT_HAM] = 'H', [VERDICT_UNSURE] = 'U'};

	printf("%c\t%.17g\t%.17g\t%s\n", letters[score->verdict], score->probability,
	    score->evidence, name);
}

/* -- feeds -- */

struct cli_feed {
	char **paths;
	unsigned label;
	GThread *thread; /* NULL if all was read before */
	unsigned skip;   /* messages that are in the queue already */
	GMutex lock;
	GCond changed;
	GQueue ready; /* struct cli_message */
	size_t bytes; /* in it */
	bool ended, unwanted;
};

void
cli_message_free(struct cli_message *message)
{
	if (!message)
		return;
	g_free(message->name);
	g_free(message->bytes);
	g_free(message->error);
	g_free(message);
}

bool
cli_tell_unreadable(const struct cli_message *message)
{
	if (message->error)
		fprintf(stderr, "greylag: %s: %s\n", message->name, message->error);
	return message->error != NULL;
}

gpointer
cli_read_message(gpointer reader, gpointer message)
{
	const struct cli_message *m = message;

	return m->error ? NULL : reader_read(reader, m->bytes, m->length);
}

/* Or one PART-th of it. */
static bool
feed_is_full(const struct cli_feed *feed, unsigned part)
{
	return feed->ready.length >= FEED_DEPTH / part || feed->bytes >= FEED_BYTES / part;
}

/* False when nobody wants more. */
static bool
feed_give(struct cli_feed *feed, struct cli_message *message)
{
	bool wanted;

	if (feed->skip) {
		feed->skip--;
		cli_message_free(message);
		return true;
	}
	message->label = feed->label;
	g_mutex_lock(&feed->lock);
	/* Woken once there is room for half of it again, not for each message. */
	if (feed_is_full(feed, 1))
		while (feed_is_full(feed, 2) && !feed->unwanted)
			g_cond_wait(&feed->changed, &feed->lock);
	wanted = !feed->unwanted;
	if (wanted) {
		g_queue_push_tail(&feed->ready, message);
		feed->bytes += message->length;
		if (feed->ready.length == 1)
			g_cond_signal(&feed->changed);
	}
	g_mutex_unlock(&feed->lock);
	if (!wanted)
		cli_message_free(message);
	return wanted;
}

static bool
feed_message(void *context, const char *name, uint8_t *bytes, size_t length)
{
	struct cli_message *message = g_new0(struct cli_message, 1);

	message->name = g_strdup(name);
	message->bytes = bytes;
	message->length = length;
	return feed_give(context, message);
}

static void
feed_failed(void *context, const char *name, const GError *error)
{
	struct cli_message *message = g_new0(struct cli_message, 1);

	message->name = g_strdup(name);
	message->error = g_strdup(error->message);
	feed_give(context, message);
}

static gpointer
feed_run(gpointer data)
{
	struct cli_feed *feed = data;
	const struct corpus_visitor visitor = {feed_message, feed_failed, feed};

	for (char **path = feed->paths; *path; path++)
		if (!corpus_walk(*path, &visitor))
			break;
	g_mutex_lock(&feed->lock);
	feed->ended = true;
	g_cond_signal(&feed->changed);
	g_mutex_unlock(&feed->lock);
	return NULL;
}

/* Messages that are read before a thread is begun for the rest. */
#define FIRST 2

static bool
first_message(void *context, const char *name, uint8_t *bytes, size_t length)
{
	struct cli_feed *feed = context;

	if (feed->ready.length == FIRST) {
		feed->skip = FIRST;
		g_free(bytes);
		return false;
	}
	return feed_message(feed, name, bytes, length);
}

/* One file nearly always holds one message, for which a thread would take longer than to read it.
 * False if there is more to read. */
static bool
read_first(struct cli_feed *feed)
{
	const struct corpus_visitor visitor = {first_message, feed_failed, feed};
	char **paths = feed->paths;

	if (!paths[0] || paths[1] || !g_file_test(paths[0], G_FILE_TEST_IS_REGULAR))
		return false;
	corpus_walk(paths[0], &visitor);
	feed->ended = feed->skip == 0;
	return feed->ended;
}

struct cli_feed *
cli_feed_new(char **paths, unsigned label)
{
	struct cli_feed *feed = g_new0(struct cli_feed, 1);

	feed->paths = g_strdupv(paths);
	feed->label = label;
	g_mutex_init(&feed->lock);
	g_cond_init(&feed->changed);
	g_queue_init(&feed->ready);
	if (!read_first(feed))
		feed->thread = g_thread_new("feed", feed_run, feed);
	return feed;
}

struct cli_message *
cli_feed_next(struct cli_feed *feed)
{
	struct cli_message *message;

	g_mutex_lock(&feed->lock);
	while (!feed->ready.length && !feed->ended)
		g_cond_wait(&feed->changed, &feed->lock);
	message = g_queue_pop_head(&feed->ready);
	if (message)
		feed->bytes -= message->length;
	if (!feed_is_full(feed, 2))
		g_cond_signal(&feed->changed);
	g_mutex_unlock(&feed->lock);
	return message;
}

void
cli_feed_free(struct cli_feed *feed)
{
	struct cli_message *message;

	g_mutex_lock(&feed->lock);
	feed->unwanted = true;
	g_cond_signal(&feed->changed);
	g_mutex_unlock(&feed->lock);
	if (feed->thread)
		g_thread_join(feed->thread);
	while ((message = g_queue_pop_head(&feed->ready)))
		cli_message_free(message);
	g_mutex_clear(&feed->lock);
	g_cond_clear(&feed->changed);
	g_strfreev(feed->paths);
	g_free(feed);
}

/* -- signals and text -- */

static void
on_signal(int number G_GNUC_UNUSED)
{
	interrupted = 1;
}

void
cli_catch_signals(void)
{
	/* A second Ctrl-C is not caught: it ends the program, which harms no store. */
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

bool
cli_interrupted(void)
{
	return interrupted;
}

uint32_t
cli_today(void)
{
	return (uint32_t)(g_get_real_time() / G_USEC_PER_SEC / 86400);
}

char *
cli_safe(const char *text, size_t length)
{
	GString *safe = g_string_new(NULL);
	const char *end = text + length;

	while (text < end) {
		gunichar c = g_utf8_get_char_validated(text, end - text);

		if (c < (gunichar)-2 && g_unichar_isprint(c)) {
			g_string_append_unichar(safe, c);
			text = g_utf8_next_char(text);
		} else {
			g_string_append_printf(safe, "\\x%02x", (unsigned)(guchar)*text++);
		}
	}
	return g_string_free(safe, FALSE);
}
