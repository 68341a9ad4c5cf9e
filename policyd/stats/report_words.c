#include "config.h"

#include "policyd/stats/report_words.h"

#include <glib.h>

#include "policyd/decide/greylist.h"

const char *
report_words_hours(uint64_t seconds, char text[REPORT_WORDS_SIZE])
{
	g_snprintf(text, REPORT_WORDS_SIZE, "%.1f", (double)seconds / 3600);
	return text;
}

const char *
report_words_percent(uint64_t part, uint64_t whole, char text[REPORT_WORDS_SIZE])
{
	g_snprintf(text, REPORT_WORDS_SIZE, "%.1f", 100 * (double)part / (double)whole);
	return text;
}

/* -- whether it pays -- */

static char *
say_too_little(const struct report_account *a G_GNUC_UNUSED, const char *away G_GNUC_UNUSED,
    const char *hours G_GNUC_UNUSED)
{
	return g_strdup_printf("Too little traffic to tell: it takes %d first attempts whose retry "
			       "window is over.",
	    REPORT_FIRSTS_MIN);
}

static char *
say_no_verdicts(
    const struct report_account *a G_GNUC_UNUSED, const char *away, const char *hours G_GNUC_UNUSED)
{
	return g_strdup_printf("%s %% of the first attempts stay away; without verdicts of "
			       "greylag-milter or \"greylag filter\" there is nothing to weigh "
			       "that against.",
	    away);
}

static char *
say_no_corrections(
    const struct report_account *a G_GNUC_UNUSED, const char *away, const char *hours)
{
	return g_strdup_printf(
	    "That is not known: %s %% of the first attempts stay away, and "
	    "wanted mail waited %s hours; but nobody has corrected or confirmed "
	    "a verdict, so how much spam the classifier misses is unknown. It is "
	    "known once somebody trains mail that was judged (\"greylag train\").",
	    away, hours);
}

static char *
say_nobody_leaves(
    const struct report_account *a G_GNUC_UNUSED, const char *away, const char *hours G_GNUC_UNUSED)
{
	return g_strdup_printf("No longer: only %s %% of the first attempts stay away.", away);
}

static char *
say_balance(const struct report_account *a, const char *hours, bool pays)
{
	return g_strdup_printf("%s. Of %" G_GUINT64_FORMAT
			       " first attempts that stayed away the classifier would have missed "
			       "some %.0f: it missed %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
			       " spam, as far as %" G_GUINT64_FORMAT
			       " corrected or confirmed verdicts tell. Wanted mail waited %s hours "
			       "for that, which is %s an hour for each.",
	    pays ? "Yes" : "No longer", a->away, report_kept_out(a), a->missed, a->spam,
	    a->corrected, hours, pays ? "no more than" : "more than");
}

static char *
say_filter_does(const struct report_account *a, const char *away G_GNUC_UNUSED, const char *hours)
{
	return say_balance(a, hours, false);
}

static char *
say_pays(const struct report_account *a, const char *away G_GNUC_UNUSED, const char *hours)
{
	return say_balance(a, hours, true);
}

static const struct {
	char *(*say)(const struct report_account *account, const char *away, const char *hours);
	bool bad;
} worths[] = {
    [REPORT_TOO_LITTLE] = {say_too_little, false},
    [REPORT_NO_VERDICTS] = {say_no_verdicts, false},
    [REPORT_NO_CORRECTIONS] = {say_no_corrections, false},
    [REPORT_NOBODY_LEAVES] = {say_nobody_leaves, true},
    [REPORT_FILTER_DOES] = {say_filter_does, true},
    [REPORT_PAYS] = {say_pays, false},
};

char *
report_words_worth(const struct report_result *result)
{
	const struct report_account *a = &result->account;
	char away[REPORT_WORDS_SIZE], hours[REPORT_WORDS_SIZE];
	g_autofree char *said =
	    worths[result->worth].say(a, report_words_percent(a->away, MAX(a->firsts, 1), away),
		report_words_hours(a->ham_seconds, hours));

	return g_strconcat("Does it pay? ", said, NULL);
}

bool
report_words_worth_is_bad(const struct report_result *result)
{
	return worths[result->worth].bad;
}

/* -- what is left out -- */

char *
report_words_left_out(const struct report_row *row)
{
	uint64_t n = 0;

	for (int i = 0; i < DELIVERY_VERDICTS; i++)
		n += row->may_be_new[i];
	if (!n)
		return NULL;
	return g_strdup_printf("Left out of the delays: %" G_GUINT64_FORMAT
			       " that came more than %d hours after the attempt before, later "
			       "than retries do. They may be new messages.",
	    n, GREYLIST_RETRY_GAP / 3600);
}
