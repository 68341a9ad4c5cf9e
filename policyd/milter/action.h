/*
 * What becomes of a message by its verdict. Pure.
 */
#ifndef GREYLAG_POLICYD_MILTER_ACTION_H
#define GREYLAG_POLICYD_MILTER_ACTION_H

#include <stdbool.h>
#include <glib.h>

#include "classifier/model/mixture.h"
#include "lib/settings.h"

/* More fields of the own name than this no message has that was not made to do harm: removing each
 * costs the mail server a walk through the message. */
#define MILTER_FORGED_MAX 100

enum milter_deed { MILTER_PASS, MILTER_REJECT, MILTER_QUARANTINE, MILTER_TEMPFAIL };

/* What the mail server is to do. Texts are owned. */
struct milter_result {
	enum milter_deed deed;
	char *field; /* value of the X-Greylag field to be put in; NULL for none */
	char *text;  /* for the client, or the reason of a quarantine; NULL with MILTER_PASS */
	const char *code, *status; /* of a reply: "550", "5.7.1" */
	unsigned forged;           /* fields of that name to be removed */
};

void milter_result_clear(struct milter_result *result);

/* What became of judging. */
struct milter_judged {
	bool failed; /* no verdict could be had */
	enum verdict verdict;
	double probability;
	bool first_timer; /* sender, recipient and network were first seen together just now */
};

/* FORGED is how many X-Greylag fields it came with. */
void milter_decide(const struct settings *settings, const struct milter_judged *judged,
    unsigned forged, struct milter_result *ret_result);

/* For mail that is not judged. */
void milter_pass(unsigned forged, struct milter_result *ret_result);

/* "pass", "reject" ... for the log. */
const char *milter_deed_name(enum milter_deed deed);

#endif
