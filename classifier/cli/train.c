/* greylag train, untrain */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "classifier/cli/cli.h"
#include "classifier/bank/course.h"
#include "classifier/cli/pipeline.h"
#include "db/history/deliveries.h"

/* Messages in a transaction: more would hold memory, fewer would wait for the disk too often. */
#define COMMIT_MESSAGES 600

/* Or as soon as so many bytes wait. */
#define COMMIT_BYTES (10u << 20)

/* Messages whose entries are read at once from a server. */
#define WINDOW 64

/* Or as soon as they take so many bytes. */
#define WINDOW_BYTES (16u << 20)

/* Conflicts with other trainers in one commit before it is given up. */
#define CONFLICTS 10

#define PROGRESS_INTERVAL (G_USEC_PER_SEC / 5)

/* Between two updates of the statistics, each of which waits for the disk. */
#define COUNT_INTERVAL (5 * G_USEC_PER_SEC)

/* A label of its own beside those of cli_sort_paths(). */
#define LABEL_FORGET CLI_LABELS

struct counted {
	unsigned outcomes[MODEL_FAILED + 1]; /* since the beginning */
	unsigned learned[CLI_LABELS], moved; /* since the commit before */
};

struct training {
	struct cli *cli;
	struct course course; /* with the model */
	unsigned outcomes[MODEL_FAILED + 1], unreadable, uncommitted, run;
	unsigned kept[MODEL_FAILED + 1];     /* the outcomes that are on the disk */
	struct counted sent;                 /* at the last commit, which may be on its way */
	unsigned learned[CLI_LABELS], moved; /* since then */
	struct counted told;                 /* is written, and not in the statistics yet */
	int64_t told_at;                     /* when all was */
	char *last;                          /* the last message that was learned */
	/* struct learnable. Of a shared store those since the last commit, which may have to be
	 * learned again: the first FLYING are being written; from NEXT on they wait to be learned.
	 */
	GPtrArray *batch;
	guint flying, next;
	size_t waiting; /* bytes */
	bool single;
	struct reputation_rules reputation;
	unsigned uncorrected; /* deliveries that the store did not take */
	GError *error;
	bool show_progress;
	int64_t begun, shown;
};

/* -- progress -- */

static void
clear_progress(const struct training *t)
{
	if (t->show_progress)
		fprintf(stderr, "\r\033[K");
}

static void
show_progress(struct training *t)
{
	int64_t now = g_get_monotonic_time();
	double seconds = (double)(now - t->begun) / G_USEC_PER_SEC;

	if (!t->show_progress || now - t->shown < PROGRESS_INTERVAL)
		return;
	t->shown = now;
	fprintf(stderr, "\r\033[K%u messages, %.0f a second", t->run,
	    seconds > 0 ? t->run / seconds : 0);
}

/* -- learning -- */

struct learnable {
	struct cli_message *message;
	struct reading *reading;
};

static void
learnable_free(gpointer data)
{
	struct learnable *l = data;

	cli_message_free(l->message);
	reading_free(l->reading);
	g_free(l);
}

/* A single file is learned by look-ups, more than that with all tables in memory. */
static bool
open_model(struct training *t)
{
	struct model *model;

	model_free(t->course.model);
	model = t->course.model = bank_model(t->cli->bank);
	if (!model || (!t->single && !bank_preload(t->cli->bank, model)))
		return false;
	if (t->course.deferring)
		model_defer(model);
	return true;
}

static enum model_learned
learn_one(struct training *t, const struct cli_message *message, const struct reading *reading,
    struct model_report *ret_report)
{
	enum model_learned outcome;

	if (message->label == LABEL_FORGET)
		outcome = model_unlearn(t->course.model, &reading->tokens, &reading->features);
	else
		outcome = model_learn(t->course.model, &reading->tokens, &reading->features,
		    message->label == CLI_LABEL_SPAM, cli_today(), ret_report);
	t->outcomes[outcome]++;
	if (outcome == MODEL_LEARNED || outcome == MODEL_MOVED)
		t->learned[message->label]++;
	t->moved += outcome == MODEL_MOVED;
	/* It fails too where it would have to see what could not be written. */
	if (outcome == MODEL_FAILED && !t->error && bank_wait(t->cli->bank, &t->error))
		cli_bank_error(t->cli, &t->error);
	return outcome;
}

static void
expect(struct training *t, guint from, guint count)
{
	const struct features *messages[WINDOW];

	for (guint i = 0; i < count; i++) {
		const struct learnable *l = g_ptr_array_index(t->batch, from + i);

		messages[i] = &l->reading->features;
	}
	bank_expect(t->cli->bank, messages, count);
}

/* Another trainer has had some of the messages since the last commit: by what the store has now,
 * all of them are learned again. */
static bool
learn_again(struct training *t)
{
	struct model_report report;

	memcpy(t->outcomes, t->kept, sizeof t->outcomes);
	t->sent = (struct counted){{0}, {0}, 0};
	memcpy(t->sent.outcomes, t->kept, sizeof t->kept);
	t->flying = 0;
	t->learned[CLI_LABEL_HAM] = t->learned[CLI_LABEL_SPAM] = t->moved = 0;
	if (!open_model(t))
		return false;
	for (guint i = 0; i < t->next && !t->error; i++) {
		const struct learnable *l = g_ptr_array_index(t->batch, i);

		if (i % WINDOW == 0)
			expect(t, i, MIN(WINDOW, t->next - i));
		learn_one(t, l->message, l->reading, &report);
	}
	return !t->error;
}

/* To the statistics. */
static void
tell_count(struct training *t)
{
	struct counted *told = &t->told;

	cli_count_learned(
	    t->cli, told->learned[CLI_LABEL_HAM], told->learned[CLI_LABEL_SPAM], told->moved);
	*told = (struct counted){{0}, {0}, 0};
	t->told_at = g_get_monotonic_time();
}

/* What was sent is written. */
static void
count_sent(struct training *t)
{
	struct counted *sent = &t->sent;

	memcpy(t->kept, sent->outcomes, sizeof t->kept);
	if (t->flying)
		g_ptr_array_remove_range(t->batch, 0, t->flying);
	t->next -= t->flying;
	t->flying = 0;
	for (unsigned i = 0; i < CLI_LABELS; i++)
		t->told.learned[i] += sent->learned[i];
	t->told.moved += sent->moved;
	sent->learned[CLI_LABEL_HAM] = sent->learned[CLI_LABEL_SPAM] = sent->moved = 0;
	if (g_get_monotonic_time() - t->told_at > COUNT_INTERVAL)
		tell_count(t);
}

/* False if it cannot go on: after a conflict all is learned again that is not written. */
static bool
take_problem(struct training *t, GError *error)
{
	if (g_error_matches(error, BANK_ERROR, BANK_CONFLICT) && learn_again(t)) {
		g_error_free(error);
		return true;
	}
	if (t->error)
		g_error_free(error);
	else
		t->error = error;
	return false;
}

/* Waits for the last commit. */
static bool
confirm(struct training *t)
{
	GError *error = NULL;

	if (!bank_wait(t->cli->bank, &error))
		return take_problem(t, error);
	count_sent(t);
	return true;
}

/* A model that steps at once rehearses what was learned last, and would wait for an embedded store
 * all the same. At the end it has changed all tables, and copies of them would take 27 MB. */
static bool
begin_commit(struct training *t, bool all, GError **error)
{
	struct bank *bank = t->cli->bank;
	bool flies = bank_is_shared(bank) || (t->course.deferring && !all);

	return flies ? bank_begin_commit(bank, t->course.model, error)
		     : bank_commit(bank, t->course.model, error);
}

/* When it is ALL, it is on the disk when this returns; else the disk may be waited for later. */
static void
commit(struct training *t, bool all)
{
	GError *error = NULL;

	for (unsigned i = 0; i < CONFLICTS && !t->error && confirm(t); i++) {
		if (!begin_commit(t, all, &error)) {
			if (!take_problem(t, g_steal_pointer(&error)))
				return;
			continue;
		}
		memcpy(t->sent.outcomes, t->outcomes, sizeof t->outcomes);
		memcpy(t->sent.learned, t->learned, sizeof t->learned);
		t->sent.moved = t->moved;
		t->learned[CLI_LABEL_HAM] = t->learned[CLI_LABEL_SPAM] = t->moved = 0;
		t->uncommitted = 0;
		t->flying = t->next;
		if (!all)
			return;
		if (bank_wait(t->cli->bank, &error)) {
			count_sent(t);
			return;
		}
		if (!take_problem(t, g_steal_pointer(&error)))
			return;
	}
	if (!t->error)
		g_set_error_literal(&t->error, BANK_ERROR, BANK_FAILED,
		    "other hosts train the same messages all the time");
}

static void
tell_correction(
    struct training *t, const char *name, const char *class, const struct model_report *report)
{
	if (report->right)
		return;
	clear_progress(t);
	fprintf(stderr, "greylag: %s: moved to %s, and still judged %s\n", name, class,
	    verdict_name(report->after.verdict));
}

/* What a person wants to know of a single message. That the store failed is told at the end: it is
 * not the message's fault. */
static void
tell_outcome(struct training *t, const struct cli_message *message, enum model_learned outcome,
    const struct model_report *report)
{
	const char *class = cli_label_name(message->label);

	if (outcome == MODEL_DIFFERS) {
		clear_progress(t);
		fprintf(stderr,
		    "greylag: %s: it was learned by another version or with other settings, and "
		    "is not remembered: it cannot be taken back\n",
		    message->name);
	} else if (outcome == MODEL_MOVED && report->stale) {
		clear_progress(t);
		fprintf(stderr,
		    "greylag: %s: moved to %s; it was learned by another version or with other "
		    "settings, so some of what it had added stays\n",
		    message->name, class);
	} else if (outcome == MODEL_MOVED && !report->deferred) {
		tell_correction(t, message->name, class, report);
	}
}

/* The tables are made anew; what had to wait for it is done. */
static bool
rebuild_model(struct training *t)
{
	if (course_rebuild(&t->course))
		return true;
	g_set_error_literal(&t->error, BANK_ERROR, BANK_FAILED,
	    "cannot read what is remembered of trained messages");
	return false;
}

static void
on_moved(void *context, const struct course_move *move, const struct model_report *report)
{
	tell_correction(context, move->name,
	    cli_label_name(move->spam ? CLI_LABEL_SPAM : CLI_LABEL_HAM), report);
}

/* Others who train the store wait meanwhile. False, and the model is not to be used any more, if
 * another's commit came between. */
static bool
rebuild_in_turn(struct training *t, bool fresh)
{
	GError *error = NULL;

	/* It goes over all that is remembered. */
	fresh &= !t->single;
	t->single = false;
	if (!fresh && !open_model(t))
		cli_bank_error(t->cli, &t->error);
	if (t->error || !rebuild_model(t) || bank_commit(t->cli->bank, t->course.model, &error))
		return true;
	if (g_error_matches(error, BANK_ERROR, BANK_CONFLICT)) {
		g_error_free(error);
		return false;
	}
	t->error = error;
	return true;
}

static void
rebuild_shared(struct training *t)
{
	bool fresh, usable = true;

	commit(t, true);
	for (unsigned i = 0; i < CONFLICTS && !t->error; i++) {
		if (!bank_begin_rebuild(t->cli->bank, &fresh))
			break;
		usable = rebuild_in_turn(t, fresh && usable);
		if (usable)
			return;
	}
	if (t->error)
		return;
	clear_progress(t);
	fprintf(stderr, "greylag: others have the store: its tables are made anew by the next "
			"training\n");
	if (!usable && !open_model(t))
		cli_bank_error(t->cli, &t->error);
}

static void
rebuild(void *context)
{
	struct training *t = context;

	if (bank_is_shared(t->cli->bank))
		rebuild_shared(t);
	else if (confirm(t) && rebuild_model(t))
		commit(t, true);
	course_forget_moves(&t->course);
}

static void
on_deferred(void *context)
{
	bank_defer(((struct training *)context)->cli->bank);
}

static bool
has_failed(const void *context)
{
	return ((const struct training *)context)->error != NULL;
}

static void
on_corrected(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct training *t = context;

	t->uncorrected += result != STORE_OK && result != STORE_NOT_FOUND;
}

/* A person knows better what was delivered than the verdict did: it is taken back from the
 * reputation of where the message came from, and the correction counts. */
static void
correct_delivery(
    struct training *t, const struct cli_message *message, const struct reading *reading)
{
	static const enum delivery_verdict verdicts[] = {[CLI_LABEL_HAM] = DELIVERY_HAM,
	    [CLI_LABEL_SPAM] = DELIVERY_SPAM,
	    [LABEL_FORGET] = DELIVERY_UNSURE};
	struct store *store = bank_store(t->cli->bank);
	const struct store_call call = {.done = on_corrected, .context = t};

	if (reading->delivered)
		delivery_correct(store, &t->reputation, reading->features.digest,
		    verdicts[message->label], store_now(store), &call);
}

static bool
is_learned(enum model_learned outcome)
{
	return outcome == MODEL_LEARNED || outcome == MODEL_MOVED || outcome == MODEL_KNOWN ||
	       outcome == MODEL_FORGOTTEN;
}

static void
learn(struct training *t, const struct cli_message *message, const struct reading *reading)
{
	struct model_report report;
	enum model_learned outcome = learn_one(t, message, reading, &report);

	if (is_learned(outcome))
		correct_delivery(t, message, reading);
	t->run++;
	if (outcome == MODEL_MOVED && report.deferred)
		course_note_move(&t->course, reading->features.digest,
		    message->label == CLI_LABEL_SPAM, message->name);
	tell_outcome(t, message, outcome, &report);
	g_free(t->last);
	t->last = g_strdup(message->name);
	if (++t->uncommitted >= COMMIT_MESSAGES || model_waiting(t->course.model) > COMMIT_BYTES)
		commit(t, false);
	t->course.learned = t->outcomes[MODEL_LEARNED] + t->outcomes[MODEL_MOVED];
	course_watch(&t->course);
}

static void
learn_item(void *context, gpointer item)
{
	const struct learnable *l = item;

	learn(context, l->message, l->reading);
}

/* Those that wait. Commits may come between. */
static void
learn_waiting(struct training *t)
{
	bool expected = false;

	while (!t->error && t->next < t->batch->len) {
		const struct learnable *l;

		if (!expected)
			expect(t, t->next, t->batch->len - t->next);
		l = g_ptr_array_index(t->batch, t->next++);
		learn(t, l->message, l->reading);
		expected = t->uncommitted > 0;
	}
}

static void
learn_kept(struct training *t)
{
	if (bank_is_shared(t->cli->bank))
		learn_waiting(t);
	else
		course_learn_held(&t->course);
	t->waiting = 0;
}

static bool
is_kept(const struct training *t)
{
	return bank_is_shared(t->cli->bank) || course_holds(&t->course);
}

static bool
is_fresh(const struct training *t, const struct learnable *l)
{
	return l->message->label != LABEL_FORGET &&
	       course_is_fresh(
		   &t->course, l->reading->features.digest, l->message->label == CLI_LABEL_SPAM);
}

static void
keep(struct training *t, struct cli_message *message, struct reading *reading)
{
	struct learnable *l = g_new(struct learnable, 1);
	size_t bytes = reading_shrink(reading);

	*l = (struct learnable){message, reading};
	g_clear_pointer(&message->bytes, g_free);
	if (!bank_is_shared(t->cli->bank)) {
		course_hold(&t->course, l, bytes, is_fresh(t, l));
		return;
	}
	g_ptr_array_add(t->batch, l);
	t->waiting += bytes;
	if (t->batch->len - t->next >= WINDOW || t->waiting > WINDOW_BYTES)
		learn_kept(t);
}

static void
take_message(gpointer context, gpointer item, gpointer result)
{
	struct training *t = context;
	struct cli_message *message = item;

	if (message->error) {
		clear_progress(t);
		cli_tell_unreadable(message);
		t->unreadable++;
	} else if (!t->error && is_kept(t)) {
		keep(t, message, result);
		show_progress(t);
		return;
	} else if (!t->error) {
		learn(t, message, result);
	}
	show_progress(t);
	reading_free(result);
	cli_message_free(message);
}

/* In turn from each feed, so that ham and spam given together are learned in mixed order. */
static void
push_all(struct training *t, struct pipeline *pipeline, struct cli_feed **feeds, unsigned n)
{
	unsigned ended = 0;

	for (unsigned i = 0; ended < n && !cli_interrupted() && !t->error; i = (i + 1) % n) {
		struct cli_message *message = feeds[i] ? cli_feed_next(feeds[i]) : NULL;

		if (message) {
			pipeline_push(pipeline, message, message->length);
		} else if (feeds[i]) {
			cli_feed_free(feeds[i]);
			feeds[i] = NULL;
			ended++;
		}
	}
}

static struct reader *
new_reader(struct cli *cli)
{
	struct reader *reader = reader_new(cli->settings);

	reader_set_bank(reader, cli->bank);
	return reader;
}

static void
run_feeds(struct training *t, struct cli_feed **feeds, unsigned n)
{
	const struct pipeline_functions functions = {
	    .work = cli_read_message, .done = take_message, .context = t};
	unsigned threads = pipeline_threads();
	g_autofree struct reader **readers = g_new(struct reader *, threads);
	struct pipeline *pipeline;

	for (unsigned i = 0; i < threads; i++)
		readers[i] = new_reader(t->cli);
	pipeline = pipeline_new(&functions, (gpointer *)readers, threads);
	push_all(t, pipeline, feeds, n);
	pipeline_finish(pipeline);
	learn_kept(t);
	for (unsigned i = 0; i < threads; i++)
		reader_free(readers[i]);
	for (unsigned i = 0; i < n; i++)
		if (feeds[i])
			cli_feed_free(feeds[i]);
}

/* After a run of some size, and after one that was killed, the tables are made anew, so that its
 * order does not matter. */
static void
settle(struct training *t)
{
	if (!t->error && course_ends_in_rebuild(&t->course, cli_interrupted()))
		rebuild(t);
	else
		commit(t, true);
}

/* -- a run -- */

static void
wait_for_corrections(struct training *t)
{
	struct store *store = bank_store(t->cli->bank);

	while (store_outstanding(store))
		store_wait(store);
	if (t->uncorrected)
		fprintf(stderr,
		    "greylag: the verdicts on %u deliveries could not be taken back from the "
		    "reputation\n",
		    t->uncorrected);
}

static int
finish(struct training *t, bool forget)
{
	unsigned failed = t->unreadable + t->outcomes[MODEL_FAILED] + t->outcomes[MODEL_DIFFERS];
	int status = failed ? CLI_FAILED : CLI_DONE;
	const unsigned *kept = t->error ? t->kept : t->outcomes;

	clear_progress(t);
	if (forget)
		printf("untrained %u, unknown %u, failed %u\n", kept[MODEL_FORGOTTEN],
		    kept[MODEL_UNKNOWN], failed);
	else
		printf("trained %u, already known %u, moved %u, failed %u\n", kept[MODEL_LEARNED],
		    kept[MODEL_KNOWN], kept[MODEL_MOVED], failed);
	if (t->error)
		status = cli_fail(t->error);
	if (cli_interrupted()) {
		fprintf(stderr,
		    "greylag: stopped after %s; what was learned is kept, and giving the same "
		    "paths again goes on from there\n",
		    t->last ? t->last : "nothing");
		status = CLI_FAILED;
	}
	return status;
}

static void
training_clear(struct training *t)
{
	model_free(t->course.model);
	course_clear(&t->course);
	g_ptr_array_unref(t->batch);
	g_clear_error(&t->error);
	g_free(t->last);
}

/* Alone with the store, and its model; false when it has told what is wrong. */
static bool
begin(struct training *t)
{
	if (bank_lock(t->cli->bank, &t->error) && open_model(t))
		return true;
	if (!t->error)
		g_set_error_literal(&t->error, BANK_ERROR, BANK_FAILED, "cannot read the store");
	cli_fail(t->error);
	return false;
}

static int
run(struct cli *cli, char **const paths[], const unsigned *labels, unsigned n)
{
	struct training t = {.cli = cli,
	    .reputation = reputation_rules_of(cli->settings),
	    .show_progress = isatty(STDERR_FILENO)};
	const struct course_functions functions = {
	    .learn = learn_item,
	    .deferred = on_deferred,
	    .rebuild = rebuild,
	    .corrected = on_moved,
	    .failed = has_failed,
	    .free_item = learnable_free,
	    .context = &t,
	};
	struct cli_feed *feeds[CLI_LABELS];
	int status = CLI_FAILED;

	t.single = n == 1 && !paths[0][1] && !g_file_test(paths[0][0], G_FILE_TEST_IS_DIR);
	if ((!t.single && !cli_prepare_reading()) || !cli_open(cli, BANK_LEARN))
		return CLI_FAILED;
	t.batch = g_ptr_array_new_with_free_func(learnable_free);
	course_begin(&t.course, &functions, NULL);
	if (begin(&t)) {
		cli_catch_signals();
		t.begun = t.shown = t.told_at = g_get_monotonic_time();
		for (unsigned i = 0; i < n; i++)
			feeds[i] = cli_feed_new(paths[i], labels[i]);
		run_feeds(&t, feeds, n);
		settle(&t);
		tell_count(&t);
		wait_for_corrections(&t);
		status = finish(&t, labels[0] == LABEL_FORGET);
		bank_unlock(cli->bank);
	}
	training_clear(&t);
	return status;
}

/* -- the command line -- */

static int
train(struct cli *cli, struct cli_labelled *classes)
{
	char **paths[CLI_LABELS];
	unsigned labels[CLI_LABELS], n = 0;

	for (unsigned i = 0; i < CLI_LABELS; i++) {
		if (!classes->paths[i]->len)
			continue;
		g_ptr_array_add(classes->paths[i], NULL);
		paths[n] = (char **)classes->paths[i]->pdata;
		labels[n++] = i;
	}
	return n ? run(cli, paths, labels, n) : cli_usage(cli, "no PATH was given");
}

int
cli_train(struct cli *cli, int argc, char **argv)
{
	g_autofree char *files_from = NULL;
	const GOptionEntry entries[] = {
	    CLI_FILES_FROM(&files_from),
	    G_OPTION_ENTRY_NULL,
	};
	struct cli_labelled classes = {{g_ptr_array_new(), g_ptr_array_new()}};
	g_auto(GStrv) more = NULL;
	unsigned last;
	int status;

	if (cli_parse_some(cli, entries, &argc, &argv, &status)) {
		status = CLI_USAGE;
		if (cli_sort_paths(cli, argc, argv, &classes, &last)) {
			char *nothing[] = {argv[0], NULL};

			more = files_from ? cli_paths(cli, 1, nothing, files_from, &status) : NULL;
			for (char **path = more; path && *path && last < CLI_LABELS; path++)
				g_ptr_array_add(classes.paths[last], *path);
			if (!files_from || more)
				status = train(cli, &classes);
		}
	}
	for (unsigned i = 0; i < CLI_LABELS; i++)
		g_ptr_array_unref(classes.paths[i]);
	return status;
}

int
cli_untrain(struct cli *cli, int argc, char **argv)
{
	g_autofree char *files_from = NULL;
	const GOptionEntry entries[] = {
	    CLI_FILES_FROM(&files_from),
	    G_OPTION_ENTRY_NULL,
	};
	const unsigned label = LABEL_FORGET;
	g_auto(GStrv) paths = NULL;
	char **list[1];
	int status;

	if (!cli_parse_paths(cli, entries, &files_from, argc, argv, &paths, &status))
		return status;
	list[0] = paths;
	return run(cli, list, &label, 1);
}
