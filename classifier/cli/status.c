/* greylag status, expire */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "classifier/cli/cli.h"
#include "classifier/bank/registry.h"

/* Errors are counted over so many of the last messages. */
#define LAST_MESSAGES 1000

/* Records shown in one step of a scan, and deleted in one transaction. */
#define STEP 1000

struct outcome {
	uint32_t day;
	guint place; /* in the registry: what one run learned was judged in its order */
	bool spam;
	enum verdict verdict;
};

struct record {
	unsigned judged, ham_as_spam, spam_as_ham, unsure;
};

struct outcomes {
	GArray *list; /* struct outcome */
	enum store_result result;
};

static void
outcomes_step_done(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	((struct outcomes *)context)->result = result;
}

static bool
take_outcome(void *context, const struct store_bytes *key G_GNUC_UNUSED,
    const struct store_bytes *value, int64_t expires G_GNUC_UNUSED)
{
	GArray *outcomes = ((struct outcomes *)context)->list;
	struct model_entry entry;

	if (registry_decode(value, &entry) && model_entry_is_judged(&entry)) {
		struct outcome outcome = {entry.day, outcomes->len, entry.spam, entry.before};

		g_array_append_val(outcomes, outcome);
	}
	return true;
}

static int
later_first(const void *a, const void *b)
{
	const struct outcome *x = a, *y = b;

	if (x->day != y->day)
		return x->day < y->day ? 1 : -1;
	return (x->place < y->place) - (x->place > y->place);
}

/* How the last messages were judged before they were learned. */
static struct record
count_errors(struct cli *cli)
{
	g_autoptr(GArray) outcomes = g_array_new(FALSE, FALSE, sizeof(struct outcome));
	struct outcomes taken = {outcomes, STORE_OK};
	struct store_call call = {.done = outcomes_step_done, .context = &taken};
	struct store_cursor cursor = {0};
	struct record record = {0};

	while (!cursor.end && taken.result == STORE_OK) {
		store_scan(
		    bank_store(cli->bank), STORE_MESSAGES, &cursor, STEP, take_outcome, &call);
		store_wait(bank_store(cli->bank));
	}
	g_array_sort(outcomes, later_first);
	for (guint i = 0; i < MIN(outcomes->len, LAST_MESSAGES); i++) {
		const struct outcome *o = &g_array_index(outcomes, struct outcome, i);

		record.judged++;
		record.unsure += o->verdict == VERDICT_UNSURE;
		record.ham_as_spam += !o->spam && o->verdict == VERDICT_SPAM;
		record.spam_as_ham += o->spam && o->verdict == VERDICT_HAM;
	}
	return record;
}

/* Where the settings come from. */
static void
print_configuration(const struct cli *cli)
{
	const struct ownconf_read *read = &cli->read;
	const char *none = cli->config ? cli->config : "none: all is as by default";

	printf("settings  ");
	if (read->system || read->own)
		printf(" %s%s%s", read->system ? read->system : "",
		    read->system && read->own ? ", and over it " : "", read->own ? read->own : "");
	else
		printf(" %s", none);
	printf("\n");
	if (read->unreadable)
		printf("           %s is not for this user to read\n", read->unreadable);
}

static void
print_text(const struct cli *cli, const struct model_totals *t, const struct store_status *s,
    const struct record *r)
{
	printf("messages   %u spam, %u ham\n", t->learned.spam, t->learned.ham);
	if (t->imported.spam)
		printf("           and a word list made from %u spam, %u ham\n", t->imported.spam,
		    t->imported.ham);
	if (mixture_is_young(t->learned.spam, t->learned.ham) && !t->imported.spam)
		printf("           too few to be sure of anything: all verdicts are unsure\n");
	if (t->owed)
		printf("           a training run was killed: the next one completes it\n");
	printf("tokens     %s%" G_GUINT64_FORMAT "\n", s->approximate ? "about " : "",
	    s->records[STORE_TOKENS]);
	printf("registry   %" G_GUINT64_FORMAT " messages, %" G_GUINT64_FORMAT " remembered\n",
	    s->records[STORE_MESSAGES], s->records[STORE_MEMORY]);
	if (cli->missing)
		printf("store      none yet at %s\n", cli->uri);
	else
		printf("store      %.1f MB (%s)\n", (double)s->bytes_used / 1e6, s->driver);
	print_configuration(cli);
	printf("voices    ");
	for (unsigned v = 0; v < MIXTURE_VOICES; v++)
		printf(" %s %.3f", mixture_voice_name(v), t->weights[v]);
	printf(" (weights)\n");
	printf("last %u    as they were judged before they were learned: %u ham called spam, %u "
	       "spam called ham, %u unsure\n",
	    r->judged, r->ham_as_spam, r->spam_as_ham, r->unsure);
}

static void
print_json(const struct model_totals *t, const struct store_status *s, const struct record *r)
{
	json_t *weights = json_object(), *all;

	for (unsigned v = 0; v < MIXTURE_VOICES; v++)
		json_object_set_new(weights, mixture_voice_name(v), json_real(t->weights[v]));
	all = json_pack("{s:i, s:{s:i, s:i}, s:I, s:I, s:I, s:I, s:o, s:{s:i, s:i, s:i, s:i}}",
	    "version", 1, "messages", "spam", (int)t->learned.spam, "ham", (int)t->learned.ham,
	    "tokens", (json_int_t)s->records[STORE_TOKENS], "registry",
	    (json_int_t)s->records[STORE_MESSAGES], "remembered",
	    (json_int_t)s->records[STORE_MEMORY], "bytes", (json_int_t)s->bytes_used, "weights",
	    weights, "last", "judged", (int)r->judged, "ham_as_spam", (int)r->ham_as_spam,
	    "spam_as_ham", (int)r->spam_as_ham, "unsure", (int)r->unsure);
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
}

int
cli_status(struct cli *cli, int argc, char **argv)
{
	gboolean json = FALSE;
	const GOptionEntry entries[] = {
	    {"json", 0, 0, G_OPTION_ARG_NONE, &json, "As JSON", NULL},
	    G_OPTION_ENTRY_NULL,
	};
	struct model_totals totals;
	struct store_status store;
	struct record record;
	struct model *model;
	int status;

	if (!cli_parse(cli, entries, &argc, &argv, &status))
		return status;
	model = cli_open_to_judge(cli, 0);
	if (!model)
		return CLI_FAILED;
	if (store_status(bank_store(cli->bank), &store) != STORE_OK) {
		model_free(model);
		return cli_bank_fail(cli);
	}
	model_totals(model, &totals);
	model_free(model);
	record = count_errors(cli);
	if (json)
		print_json(&totals, &store, &record);
	else
		print_text(cli, &totals, &store, &record);
	return CLI_DONE;
}

/* -- expire -- */

struct expiry {
	uint32_t before; /* day */
	GPtrArray *keys; /* GBytes */
	uint64_t seen;
	enum store_result result; /* of a scan's step */
};

/* A word that one message had, and none for long, tells nothing: hapaxes are most of all words. */
static bool
is_over(const struct store_bytes *value, uint32_t before)
{
	return store_cell_get(value, BANK_TOKEN_SPAM) + store_cell_get(value, BANK_TOKEN_HAM) <=
		   1 &&
	       (uint32_t)store_cell_get(value, BANK_TOKEN_DAY) < before;
}

static bool
take_over(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	struct expiry *expiry = context;

	expiry->seen++;
	if (is_over(value, expiry->before))
		g_ptr_array_add(expiry->keys, g_bytes_new(key->data, key->length));
	return true;
}

static void
delete_if_over(const struct store_bytes *old, struct store_change *change, void *job)
{
	if (old && is_over(old, *(uint32_t *)job))
		store_change_delete(change);
}

static void
note_result(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	enum store_result *worst = context;

	if (result != STORE_OK)
		*worst = result;
}

static void
expiry_step_done(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	((struct expiry *)context)->result = result;
}

static enum store_result
delete_keys(struct store *store, struct expiry *expiry)
{
	enum store_result worst = STORE_OK;
	struct store_call call = {.done = note_result, .context = &worst};

	for (guint i = 0; i < expiry->keys->len; i++) {
		gsize length;
		const void *key = g_bytes_get_data(g_ptr_array_index(expiry->keys, i), &length);

		store_update(store, STORE_TOKENS, (struct store_bytes){key, length}, delete_if_over,
		    g_memdup2(&expiry->before, sizeof expiry->before), g_free, &call);
	}
	store_wait(store);
	g_ptr_array_set_size(expiry->keys, 0);
	return worst;
}

static int
expire(struct cli *cli, uint32_t days)
{
	struct store *store = bank_store(cli->bank);
	struct expiry expiry = {.before = cli_today() - MIN(days, cli_today()),
	    .keys = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref)};
	struct store_call call = {.done = expiry_step_done, .context = &expiry};
	struct store_cursor cursor = {0};
	enum store_result result = STORE_OK;
	uint64_t deleted = 0;

	while (!cursor.end && result == STORE_OK) {
		store_scan(store, STORE_TOKENS, &cursor, STEP, take_over, &call);
		store_wait(store);
		deleted += expiry.keys->len;
		result = expiry.result == STORE_OK ? delete_keys(store, &expiry) : expiry.result;
	}
	g_ptr_array_unref(expiry.keys);
	if (result != STORE_OK) {
		cli_store_fail(store, result);
		return CLI_FAILED;
	}
	printf(
	    "forgot %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " tokens\n", deleted, expiry.seen);
	return CLI_DONE;
}

int
cli_expire(struct cli *cli, int argc, char **argv)
{
	gint days = 90;
	const GOptionEntry entries[] = {
	    {"days", 0, 0, G_OPTION_ARG_INT, &days,
		"Words of one message that no message has had for so many days (90)", "DAYS"},
	    G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GError) error = NULL;
	int status;

	if (!cli_parse(cli, entries, &argc, &argv, &status))
		return status;
	if (days < 1)
		return cli_usage(cli, "--days must be 1 or more");
	if (!cli_open(cli, BANK_LEARN))
		return CLI_FAILED;
	if (!bank_lock(cli->bank, &error))
		return cli_fail(error);
	return expire(cli, (uint32_t)days);
}
