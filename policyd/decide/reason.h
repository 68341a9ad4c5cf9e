/*
 * Why a request was answered as it was: one table, from which the log, the counters, the
 * metrics, "greylagctl why" and the manual take their words.
 */
#ifndef GREYLAG_POLICYD_DECIDE_REASON_H
#define GREYLAG_POLICYD_DECIDE_REASON_H

#include <stdbool.h>

/* The numbers are cells of the hourly counters in the store: append, never renumber. */
enum reason {
	REASON_FIRST,
	REASON_EARLY,
	REASON_WINDOW_OVER,
	REASON_PASSED,
	REASON_KNOWN,
	REASON_KNOWN_CLIENT,
	REASON_SAME_MESSAGE,
	REASON_AUTHENTICATED,
	REASON_CERTIFICATE,
	REASON_OWN_NETWORK,
	REASON_WHITELISTED_CLIENT,
	REASON_WHITELISTED_RECIPIENT,
	REASON_WHITELISTED_SENDER,
	REASON_NOT_OPTED_IN,
	REASON_ALLOWED,
	REASON_NOT_SUSPICIOUS,
	REASON_NULL_SENDER_LATER,
	REASON_OFF,
	REASON_NO_ADDRESS,
	REASON_OTHER_REQUEST,
	REASON_OTHER_STATE,
	REASON_STORE_UNAVAILABLE,
	REASON_STORE_UNCERTAIN,
	REASON_STORE_FULL,
	REASON_STORE_CORRUPT,
	REASON_EXPECTED,
	REASON_REPUTATION,
	REASON_CORRESPONDENT,
	REASONS,
};

enum reason_effect {
	REASON_DEFERS, /* asks the client to come again */
	REASON_PASSES, /* let in after a delay */
	REASON_SPARES, /* let in without one */
	REASON_FAILS,  /* let in because it could not be decided */
};

struct reason_row {
	const char *name; /* as in reason= of the log */
	enum reason_effect effect;
	bool for_recipient; /* holds for this recipient, not for the whole message */
	const char *help;
};

const struct reason_row *reason_row(enum reason reason);

#endif
