/*
 * What was decided about a request, and how it is told: to Postfix, and to the log.
 */
#ifndef GREYLAG_POLICYD_DECIDE_DECISION_H
#define GREYLAG_POLICYD_DECIDE_DECISION_H

#include <stdbool.h>
#include <stdint.h>

#include "policyd/decide/delivery.h"
#include "policyd/decide/reason.h"
#include "policyd/decide/rules.h"

enum policy_action {
	POLICY_DUNNO,
	POLICY_DEFER,   /* greylist.action */
	POLICY_PREPEND, /* let in after a delay, with a header that says so, once a message */
};

struct policy_decision {
	enum reason reason;
	enum policy_action action;
	int64_t wait;      /* seconds until a retry would pass, with POLICY_DEFER */
	int64_t delayed;   /* seconds from the first attempt, with REASON_PASSED */
	bool may_be_new;   /* which prove no wait: see greylist.h */
	uint32_t attempts; /* 0 where no triplet was looked at */
	bool by_name;      /* the retry was known by its pool's name */
	/* What the reason rests on (a list's entry, a user); NULL, or valid while the callback
	 * that gets the decision runs. */
	const char *evidence;
};

/* What the outcome of a triplet means for the request. */
struct policy_decision decision_of(
    const struct rules *rules, const struct greylist_outcome *outcome);

/* Writes the reply. HOST is this host's name, NOW its time. Returns the length. */
size_t decision_reply(const struct policy_decision *decision, const struct rules *rules,
    const char *host, int64_t now, char ret_reply[POLICY_REPLY_MAX]);

/* Writes the decision's line to the log. */
void decision_log(const struct policy_decision *decision, const struct rules *rules,
    const struct policy_request *request);

#endif
