/*
 * The decision on a request as greylagd would take it now, by the same code, changing nothing.
 */
#ifndef GREYLAG_POLICYD_CTL_WHY_H
#define GREYLAG_POLICYD_CTL_WHY_H

#include "lib/terminal.h"
#include "policyd/ctl/ctl.h"
#include "policyd/ctl/filter.h"
#include "policyd/decide/decision.h"

/* What Postfix would say at RCPT. */
struct why_question {
	const char *client, *sender, *recipient;
	const char *name, *helo; /* NULL for none */
};

enum why_form {
	WHY_TEXT, /* each step as it is taken, as a line */
	WHY_JSON, /* the same as one object */
	WHY_SILENT,
};

struct why_answer {
	struct policy_decision decision; /* without its evidence */
	char reply[POLICY_REPLY_MAX];
	int64_t retry_from, retry_until; /* 0 if it is not deferred */
};

/* Needs the rules and the store. */
bool why_explain(struct ctl *ctl, const struct why_question *question, enum why_form form,
    struct why_answer *ret_answer, GError **error);

/* Good for what is let in. */
enum terminal_style why_style(const struct policy_decision *decision);

/* The newest records that are meant, and what would happen to mail of each now. NAME and HELO are
 * taken from QUESTION where it has them. */
bool why_records(struct ctl *ctl, const struct filter_text *text,
    const struct why_question *question, bool json, GError **error);

#endif
