#include "config.h"

#include "policyd/milter/action.h"

#include "classifier/mail/rewrite.h"

static const struct {
	const char *name, *code, *status;
} deeds[] = {
    [MILTER_PASS] = {"pass", NULL, NULL},
    [MILTER_REJECT] = {"reject", "550", "5.7.1"},
    [MILTER_QUARANTINE] = {"quarantine", NULL, NULL},
    [MILTER_TEMPFAIL] = {"tempfail", "451", "4.7.1"},
};

const char *
milter_deed_name(enum milter_deed deed)
{
	return deeds[deed].name;
}

void
milter_result_clear(struct milter_result *result)
{
	g_free(result->field);
	g_free(result->text);
	*result = (struct milter_result){.deed = MILTER_PASS};
}

static void
set_deed(struct milter_result *result, enum milter_deed deed, const char *text)
{
	result->deed = deed;
	result->code = deeds[deed].code;
	result->status = deeds[deed].status;
	result->text = deed == MILTER_PASS ? NULL : g_strdup(text);
}

static enum milter_answer
answer_for(const struct settings *settings, enum verdict verdict)
{
	if (verdict == VERDICT_HAM)
		return MILTER_ANSWER_HEADER;
	return (enum milter_answer)settings_number(
	    settings, verdict == VERDICT_SPAM ? SETTING_MILTER_ON_SPAM : SETTING_MILTER_ON_UNSURE);
}

static enum milter_deed
deed_of(enum milter_answer answer)
{
	switch (answer) {
	case MILTER_ANSWER_REJECT: return MILTER_REJECT;
	case MILTER_ANSWER_QUARANTINE: return MILTER_QUARANTINE;
	case MILTER_ANSWER_TEMPFAIL: return MILTER_TEMPFAIL;
	case MILTER_ANSWER_ACCEPT:
	case MILTER_ANSWER_HEADER: break;
	}
	return MILTER_PASS;
}

/* What is refused anyhow need not come again. */
static bool
waits(
    const struct settings *settings, const struct milter_judged *judged, enum milter_answer answer)
{
	return judged->first_timer && judged->verdict != VERDICT_HAM &&
	       answer != MILTER_ANSWER_REJECT &&
	       settings_number(settings, SETTING_MILTER_FIRST_TIMERS) ==
		   MILTER_FIRST_TIMERS_TEMPFAIL;
}

static void
decide_verdict(const struct settings *settings, const struct milter_judged *judged,
    struct milter_result *result)
{
	enum milter_answer answer = answer_for(settings, judged->verdict);
	const char *text = settings_text(settings, SETTING_MILTER_TEXT);

	if (waits(settings, judged, answer))
		set_deed(result, MILTER_TEMPFAIL, "Greylisted, please try again later");
	else
		set_deed(result, deed_of(answer), text);
	if (answer != MILTER_ANSWER_ACCEPT)
		result->field = rewrite_verdict(judged->verdict, judged->probability);
}

void
milter_pass(unsigned forged, struct milter_result *ret_result)
{
	*ret_result = (struct milter_result){.deed = MILTER_PASS, .forged = forged};
	if (forged <= MILTER_FORGED_MAX)
		return;
	set_deed(ret_result, MILTER_REJECT, "Too many " REWRITE_FIELD " fields");
	ret_result->status = "5.6.0";
}

void
milter_decide(const struct settings *settings, const struct milter_judged *judged, unsigned forged,
    struct milter_result *ret_result)
{
	milter_pass(forged, ret_result);
	if (ret_result->deed != MILTER_PASS)
		return;
	if (judged->failed)
		ret_result->field = rewrite_no_verdict();
	else
		decide_verdict(settings, judged, ret_result);
}
