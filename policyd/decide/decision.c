#include "config.h"

#include "policyd/decide/decision.h"

#include <string.h>
#include <time.h>

#include "lib/log.h"

struct policy_decision
decision_of(const struct rules *rules, const struct greylist_outcome *outcome)
{
	static const enum reason reasons[] = {
	    [GREYLIST_FIRST] = REASON_FIRST,
	    [GREYLIST_EARLY] = REASON_EARLY,
	    [GREYLIST_WINDOW_OVER] = REASON_WINDOW_OVER,
	    [GREYLIST_PASSED] = REASON_PASSED,
	    [GREYLIST_KNOWN] = REASON_KNOWN,
	    [GREYLIST_NO_ROOM] = REASON_FIRST,
	};
	struct policy_decision decision = {
	    .reason = reasons[outcome->verdict],
	    .wait = outcome->wait,
	    .delayed = outcome->delayed,
	    .may_be_new = outcome->may_be_new,
	    .attempts = outcome->attempts,
	    .by_name = outcome->by_name,
	};

	if (rules->greylist.observe)
		decision.action = POLICY_DUNNO;
	else if (outcome->verdict == GREYLIST_PASSED)
		decision.action = POLICY_PREPEND;
	else
		decision.action = greylist_defers(outcome->verdict) ? POLICY_DEFER : POLICY_DUNNO;
	return decision;
}

/* RFC 5322 date, in UTC, whatever the locale. */
static void
format_date(int64_t now, char *text, size_t size)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = (time_t)now;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	g_snprintf(text, size, "%.3s, %d %.3s %d %02d:%02d:%02d +0000", days + 3 * tm.tm_wday,
	    tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
	    tm.tm_sec);
}

/* The text of greylist.text, with the seconds in place of %s. The settings allow one %s. */
static void
format_text(const char *format, int64_t wait, char *text, size_t size)
{
	const char *mark = strstr(format, "%s");

	if (!mark)
		g_strlcpy(text, format, size);
	else
		g_snprintf(text, size, "%.*s%" G_GINT64_FORMAT "%s", (int)(mark - format), format,
		    wait, mark + 2);
}

size_t
decision_reply(const struct policy_decision *decision, const struct rules *rules, const char *host,
    int64_t now, char ret_reply[POLICY_REPLY_MAX])
{
	char text[POLICY_REPLY_MAX], date[40];

	switch (decision->action) {
	case POLICY_DEFER:
		format_text(rules->text, decision->wait, text, sizeof text);
		return policy_reply(ret_reply, rules->action, text);
	case POLICY_PREPEND:
		format_date(now, date, sizeof date);
		g_snprintf(text, sizeof text,
		    "X-Greylist: delayed %" G_GINT64_FORMAT " seconds by greylagd at %s; %s",
		    decision->delayed, host, date);
		return policy_reply(ret_reply, "PREPEND", text);
	case POLICY_DUNNO: break;
	}
	return policy_reply(ret_reply, "DUNNO", NULL);
}

static const char *
action_text(const struct policy_decision *decision, const struct rules *rules)
{
	switch (decision->action) {
	case POLICY_DEFER: return rules->action;
	case POLICY_PREPEND: return "PREPEND";
	case POLICY_DUNNO: break;
	}
	return "DUNNO";
}

static void
log_attribute(struct log_fields *fields, const char *key, const struct policy_request *request,
    enum policy_attribute attribute)
{
	log_fields_bytes(fields, key, request->value[attribute], request->length[attribute]);
}

void
decision_log(const struct policy_decision *decision, const struct rules *rules,
    const struct policy_request *request)
{
	struct log_fields fields;

	log_fields_init(&fields);
	log_attribute(&fields, "client", request, POLICY_CLIENT_ADDRESS);
	log_attribute(&fields, "name", request, POLICY_CLIENT_NAME);
	log_attribute(&fields, "sender", request, POLICY_SENDER);
	log_attribute(&fields, "recipient", request, POLICY_RECIPIENT);
	log_fields_text(&fields, "action", action_text(decision, rules));
	log_fields_text(&fields, "reason", reason_row(decision->reason)->name);
	log_fields_int(&fields, "delay",
	    decision->action == POLICY_DEFER ? decision->wait : decision->delayed);
	if (decision->attempts)
		log_fields_int(&fields, "attempts", decision->attempts);
	if (decision->by_name)
		log_fields_text(&fields, "by", "name");
	if (decision->evidence)
		log_fields_text(&fields, "evidence", decision->evidence);
	if (rules->mode == GREYLIST_OBSERVE)
		log_fields_text(&fields, "mode", "observe");
	log_fields_write(&fields, LOG_LEVEL_INFO);
}
