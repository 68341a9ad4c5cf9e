/* greylag evaluate, tune */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "classifier/cli/cli.h"
#include "classifier/mail/corpus.h"
#include "classifier/cli/evaluate.h"
#include "classifier/cli/pipeline.h"
#include "classifier/cli/report.h"

/* Messages of folders are mixed, always in the same way. */
#define SHUFFLE_SEED 1

/* Cut-offs are printed with six digits. */
#define CUTOFF_UNIT 1e6

struct evaluation {
	gint chunk, folds, warm_up;
	gboolean json, terse, shuffle;
	char *report;
	double ham_loss;
	gboolean write;
	GPtrArray *samples;    /* struct sample */
	struct online *online; /* NULL: all are kept, to be mixed or for folds */
	unsigned unreadable;
};

/* -- samples -- */

static void
take_message(gpointer context, gpointer item, gpointer result)
{
	struct evaluation *e = context;
	struct cli_message *message = item;

	if (cli_tell_unreadable(message)) {
		e->unreadable++;
	} else {
		struct sample *sample = g_new0(struct sample, 1);

		sample->name = g_strdup(message->name);
		sample->spam = message->label == CLI_LABEL_SPAM;
		sample->reading = result;
		g_ptr_array_add(e->samples, sample);
		reading_shrink(sample->reading);
		if (e->online)
			online_add(e->online, sample);
	}
	cli_message_free(message);
}

static void
push_path(struct pipeline *pipeline, char *path, unsigned label)
{
	char *paths[] = {path, NULL};
	struct cli_feed *feed = cli_feed_new(paths, label);
	struct cli_message *message;

	while ((message = cli_feed_next(feed)))
		pipeline_push(pipeline, message, message->length);
	cli_feed_free(feed);
}

/* Lines "spam|ham PATH"; a relative path is one from the index's folder. */
static bool
push_index(struct pipeline *pipeline, const char *index)
{
	g_autoptr(GError) error = NULL;
	g_auto(GStrv) lines = corpus_read_list(index, &error);
	g_autofree char *folder = g_path_get_dirname(index);

	if (!lines) {
		cli_fail(error);
		return false;
	}
	for (char **line = lines; *line; line++) {
		bool spam = g_str_has_prefix(*line, "spam ");
		g_autofree char *path = NULL;
		const char *name;

		if (!spam && !g_str_has_prefix(*line, "ham ")) {
			fprintf(stderr,
			    "greylag: %s: \"%s\": expected \"spam PATH\" or \"ham PATH\"\n", index,
			    *line);
			return false;
		}
		name = strchr(*line, ' ') + 1;
		path = g_path_is_absolute(name) ? g_strdup(name)
						: g_build_filename(folder, name, NULL);
		push_path(pipeline, path, spam ? CLI_LABEL_SPAM : CLI_LABEL_HAM);
	}
	return true;
}

static bool
push_corpus(struct cli *cli, struct pipeline *pipeline, int argc, char **argv, int *ret_status)
{
	struct cli_labelled labelled = {{g_ptr_array_new(), g_ptr_array_new()}};
	unsigned last;
	bool good, index = argc == 2 && argv[1][0] != '-';

	*ret_status = index ? CLI_FAILED : CLI_USAGE;
	if (index)
		good = push_index(pipeline, argv[1]);
	else if ((good = cli_sort_paths(cli, argc, argv, &labelled, &last)))
		for (unsigned label = 0; label < CLI_LABELS; label++)
			for (guint i = 0; i < labelled.paths[label]->len; i++)
				push_path(
				    pipeline, g_ptr_array_index(labelled.paths[label], i), label);
	for (unsigned i = 0; i < CLI_LABELS; i++)
		g_ptr_array_unref(labelled.paths[i]);
	return good;
}

static void
shuffle(GPtrArray *samples)
{
	GRand *random = g_rand_new_with_seed(SHUFFLE_SEED);

	for (guint i = samples->len; i > 1; i--) {
		guint j = (guint)g_rand_int_range(random, 0, (gint32)i);
		gpointer swap = samples->pdata[i - 1];

		samples->pdata[i - 1] = samples->pdata[j];
		samples->pdata[j] = swap;
	}
	g_rand_free(random);
}

static bool
read_samples(struct cli *cli, struct evaluation *e, int argc, char **argv, int *ret_status)
{
	const struct pipeline_functions functions = {
	    .work = cli_read_message, .done = take_message, .context = e};
	unsigned threads = pipeline_threads();
	g_autofree gpointer *readers = g_new(gpointer, threads);
	struct pipeline *pipeline;
	bool good;

	for (unsigned i = 0; i < threads; i++)
		readers[i] = reader_new(cli->settings);
	pipeline = pipeline_new(&functions, readers, threads);
	good = push_corpus(cli, pipeline, argc, argv, ret_status);
	pipeline_finish(pipeline);
	for (unsigned i = 0; i < threads; i++)
		reader_free(readers[i]);
	return good;
}

/* -- results -- */

/* In per cent; "-" where there is nothing that it would be the share of. */
static void
print_figure(bool known, int width, int digits, double share)
{
	if (known)
		printf(" %*.*f", width, digits, 100 * share);
	else
		printf(" %*s", width, "-");
}

static void
print_segments(const GPtrArray *samples)
{
	printf("\n  messages        1-ROCA %%   ham lost %%   spam caught %%   unsure %%\n");
	for (size_t start = 0; start < samples->len;) {
		size_t end = report_next_segment(start, samples->len);
		struct accuracy a = accuracy_of(samples, start, end);

		printf("  %6zu - %-6zu", start + 1, end);
		print_figure(a.spam && a.ham, 9, 4, a.roca);
		print_figure(a.ham, 11, 3, a.ham_lost);
		print_figure(a.spam, 14, 1, a.spam_caught);
		print_figure(true, 10, 1, a.unsure);
		putchar('\n');
		start = end;
	}
}

static void
print_text(const struct evaluation *e, const struct accuracy *a)
{
	printf("counted         %zu spam, %zu ham (the first %d learned only)\n", a->spam, a->ham,
	    e->warm_up);
	printf("1-ROCA          %.4f %%\n", 100 * a->roca);
	printf("ham lost        %.3f %%\n", 100 * a->ham_lost);
	printf("spam caught     %.2f %%\n", 100 * a->spam_caught);
	printf("unsure          %.2f %%\n", 100 * a->unsure);
	printf("spam missed     %.2f %% at a cut-off that loses 0.1 %% of ham\n", 100 * a->missed);
	if (!e->folds)
		print_segments(e->samples);
}

static void
print_json(const struct evaluation *e, const struct accuracy *a)
{
	json_t *all = json_pack("{s:i, s:I, s:I, s:i, s:f, s:f, s:f, s:f, s:f}", "version", 1,
	    "spam", (json_int_t)a->spam, "ham", (json_int_t)a->ham, "warm_up", (int)e->warm_up,
	    "roca_percent", 100 * a->roca, "ham_lost_percent", 100 * a->ham_lost,
	    "spam_caught_percent", 100 * a->spam_caught, "unsure_percent", 100 * a->unsure,
	    "spam_missed_percent", 100 * a->missed);

	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
}

/* All of them, the first ones too, in the order in which they were judged. */
static void
print_terse(const struct evaluation *e)
{
	for (guint i = 0; i < e->samples->len; i++) {
		const struct sample *sample = g_ptr_array_index(e->samples, i);

		cli_print_terse(sample->name, &sample->score);
	}
}

static bool
write_report(const struct evaluation *e, const struct mixture_options *cutoffs)
{
	g_autofree char *html =
	    report_html("How greylag judges", e->samples, (size_t)e->warm_up, cutoffs);
	g_autoptr(GError) error = NULL;

	if (g_file_set_contents(e->report, html, -1, &error))
		return true;
	cli_fail(error);
	return false;
}

/* -- runs -- */

static struct online *
begin_online(const struct evaluation *e, const struct model_options *options)
{
	return online_new(options, (unsigned)e->chunk, (unsigned)e->warm_up);
}

/* The samples of an index are judged as they come, others when all are there. */
static bool
run(struct cli *cli, struct evaluation *e, const struct model_options *options, int argc,
    char **argv, int *ret_status)
{
	bool in_order = argc == 2 && !e->shuffle, good;

	if (in_order && !e->folds)
		e->online = begin_online(e, options);
	good = read_samples(cli, e, argc, argv, ret_status);
	if (!in_order)
		shuffle(e->samples);
	if (good && e->folds) {
		evaluate_folds(options, e->samples, (unsigned)e->folds);
	} else if (good && !e->online) {
		e->online = begin_online(e, options);
		for (guint i = 0; i < e->samples->len; i++)
			online_add(e->online, g_ptr_array_index(e->samples, i));
	}
	if (e->online)
		online_finish(e->online);
	return good;
}

static bool
options_are_good(struct cli *cli, const struct evaluation *e)
{
	if (e->chunk >= 1 && e->warm_up >= 0 && (e->folds == 0 || e->folds >= 2) &&
	    e->ham_loss > 0 && e->ham_loss < 50)
		return true;
	cli_usage(cli, "an option is out of range");
	return false;
}

/* Of one class alone nothing can be said. */
static bool
has_both(const struct evaluation *e)
{
	struct accuracy a = accuracy_of(e->samples, (size_t)e->warm_up, e->samples->len);

	if (!a.spam || !a.ham)
		fprintf(stderr, "greylag: there is no %s among the messages that count\n",
		    a.spam ? "ham" : "spam");
	return a.spam && a.ham;
}

/* Reads and judges; the common part of both commands. */
static bool
evaluate(struct cli *cli, struct evaluation *e, const GOptionEntry *entries, int argc, char **argv,
    struct model_options *ret_options, int *ret_status)
{
	if (!cli_parse_some(cli, entries, &argc, &argv, ret_status))
		return false;
	*ret_status = CLI_USAGE;
	if (!options_are_good(cli, e))
		return false;
	if (argc < 2) {
		cli_usage(cli, "no messages were given");
		return false;
	}
	if (!cli_prepare_reading()) {
		*ret_status = CLI_FAILED;
		return false;
	}
	*ret_options = bank_options_of(cli->settings);
	e->samples = g_ptr_array_new_with_free_func(sample_free);
	if (!run(cli, e, ret_options, argc, argv, ret_status))
		return false;
	*ret_status = CLI_FAILED;
	if (e->samples->len <= (guint)e->warm_up) {
		fprintf(stderr,
		    "greylag: there are %u messages, and the first %d are not counted\n",
		    e->samples->len, e->warm_up);
		return false;
	}
	return has_both(e);
}

static void
clear(struct evaluation *e)
{
	if (e->samples)
		g_ptr_array_unref(e->samples);
	g_free(e->report);
}

int
cli_evaluate(struct cli *cli, int argc, char **argv)
{
	struct evaluation e = {.chunk = 100, .ham_loss = 0.1};
	const GOptionEntry entries[] = {
	    {"chunk", 0, 0, G_OPTION_ARG_INT, &e.chunk, "Judge so many, then learn them (100)",
		"N"},
	    {"warm-up", 0, 0, G_OPTION_ARG_INT, &e.warm_up,
		"Learn the first N without counting them (0)", "N"},
	    {"folds", 0, 0, G_OPTION_ARG_INT, &e.folds, "Cross-validate with N folds instead", "N"},
	    {"shuffle", 0, 0, G_OPTION_ARG_NONE, &e.shuffle, "Mix the messages of an index", NULL},
	    {"report", 0, 0, G_OPTION_ARG_FILENAME, &e.report, "Write an HTML report", "FILE"},
	    {"terse", 0, 0, G_OPTION_ARG_NONE, &e.terse,
		"Print each message's verdict instead, as classify --terse does", NULL},
	    {"json", 0, 0, G_OPTION_ARG_NONE, &e.json, "As JSON", NULL},
	    G_OPTION_ENTRY_NULL,
	};
	struct model_options options;
	int status;

	if (evaluate(cli, &e, entries, argc, argv, &options, &status)) {
		struct accuracy a = accuracy_of(e.samples, (size_t)e.warm_up, e.samples->len);

		if (e.terse)
			print_terse(&e);
		else if (e.json)
			print_json(&e, &a);
		else
			print_text(&e, &a);
		status = e.unreadable || (e.report && !write_report(&e, &options.mixture))
			     ? CLI_FAILED
			     : CLI_DONE;
	}
	clear(&e);
	return status;
}

/* -- tune -- */

struct cutoffs {
	double spam, ham;
};

static struct cutoffs
find_cutoffs(const struct evaluation *e)
{
	size_t first = (size_t)e->warm_up;
	double spam = accuracy_cutoff(e->samples, first, true, e->ham_loss / 100);
	double ham = accuracy_cutoff(e->samples, first, false, e->ham_loss / 100);

	/* Rounded away from the middle, so that what is printed loses no more than what was found.
	 */
	spam = ceil(spam * CUTOFF_UNIT) / CUTOFF_UNIT;
	ham = floor(ham * CUTOFF_UNIT) / CUTOFF_UNIT;
	return (struct cutoffs){CLAMP(spam, 0.5, 1), CLAMP(ham, 0, 0.5)};
}

static void
print_class(const char *class, const char *called, size_t n, size_t all, size_t unsure)
{
	printf(" %s %s: %zu of %zu (%.2f %%), unsure %zu", class, called, n, all,
	    100 * (double)n / (double)all, unsure);
}

/* What two cut-offs catch and lose of these messages. */
static void
print_outcome(const struct evaluation *e, const char *which, double spam, double ham)
{
	struct accuracy_counts c = accuracy_with(e->samples, (size_t)e->warm_up, spam, ham);

	printf("# %s", which);
	print_class("ham", "called spam", c.ham_lost, c.ham, c.ham_unsure);
	printf(";");
	print_class("spam", "caught", c.spam_caught, c.spam, c.spam_unsure);
	printf(", called ham %zu\n", c.spam - c.spam_caught - c.spam_unsure);
}

static void
propose(const struct evaluation *e, struct cutoffs found, const struct mixture_options *now)
{
	printf("# at most %g %% of ham called spam, and of spam called ham, on these messages\n",
	    e->ham_loss);
	print_outcome(e, "these cut-offs:", found.spam, found.ham);
	print_outcome(e, "those in force:", now->spam_cutoff, now->ham_cutoff);
	printf("[classifier]\nspam_cutoff = %.6f\nham_cutoff = %.6f\n", found.spam, found.ham);
}

/* Into the file of -c, else a plain user's own, else the system's. */
static bool
write_cutoffs(const struct cli *cli, struct cutoffs found)
{
	g_autofree char *own = ownconf_path(), *text = NULL, *spam = NULL, *ham = NULL;
	g_autofree char *spam_set = NULL, *both_set = NULL;
	const char *path = cli->config ? cli->config : own ? own : settings_default_path();
	g_autoptr(GError) error = NULL;

	if (!g_file_get_contents(path, &text, NULL, &error) &&
	    !g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
		cli_fail(error);
		return false;
	}
	g_clear_error(&error);
	spam = g_strdup_printf("%.6f", found.spam);
	ham = g_strdup_printf("%.6f", found.ham);
	spam_set = ownconf_set(text ? text : "", "classifier", "spam_cutoff", spam);
	both_set = ownconf_set(spam_set, "classifier", "ham_cutoff", ham);
	if (!ownconf_write(path, both_set, &error)) {
		cli_fail(error);
		return false;
	}
	printf("# written to %s\n", path);
	return true;
}

int
cli_tune(struct cli *cli, int argc, char **argv)
{
	struct evaluation e = {.chunk = 100, .ham_loss = 0.1};
	const GOptionEntry entries[] = {
	    {"ham-loss", 0, 0, G_OPTION_ARG_DOUBLE, &e.ham_loss,
		"Ham that may be called spam, in per cent (0.1)", "PERCENT"},
	    {"chunk", 0, 0, G_OPTION_ARG_INT, &e.chunk, "Judge so many, then learn them (100)",
		"N"},
	    {"warm-up", 0, 0, G_OPTION_ARG_INT, &e.warm_up,
		"Learn the first N without counting them (0)", "N"},
	    {"folds", 0, 0, G_OPTION_ARG_INT, &e.folds, "Cross-validate with N folds instead", "N"},
	    {"write", 0, 0, G_OPTION_ARG_NONE, &e.write,
		"Write them into the configuration, your own if you are not root", NULL},
	    G_OPTION_ENTRY_NULL,
	};
	struct model_options options;
	int status;

	if (evaluate(cli, &e, entries, argc, argv, &options, &status)) {
		struct cutoffs found = find_cutoffs(&e);

		propose(&e, found, &options.mixture);
		status =
		    e.unreadable || (e.write && !write_cutoffs(cli, found)) ? CLI_FAILED : CLI_DONE;
	}
	clear(&e);
	return status;
}
