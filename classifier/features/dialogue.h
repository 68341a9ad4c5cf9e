/*
 * What is known of a message besides its own text: what greylisting saw of it, as tokens, and whom
 * its Authentication-Results vouch for. Pure.
 */
#ifndef GREYLAG_CLASSIFIER_FEATURES_DIALOGUE_H
#define GREYLAG_CLASSIFIER_FEATURES_DIALOGUE_H

#include "classifier/mail/message.h"
#include "classifier/features/tokens.h"
#include "db/history/deliveries.h"
#include "lib/clientname.h"

/*
 * Adds to the tokens of a message what greylisting saw of it:
 *	grey:first grey:known       the first contact, or one that had passed before
 *	grey:delay-N                delayed, and for how long: up to N (2m 5m 15m 1h 4h 1d), or more
 *	grey:early-N                retries before the delay was over, 5 for five and more
 *	grey:moved                  the retry came from another network
 * Nothing where nothing is known.
 */
void dialogue_tokens(struct tokens *tokens, const struct delivery_greylist *greylist);

/* The same in two steps: all that the tokens depend on, in a number that may be kept (append bits,
 * never renumber; 0 for nothing), and the tokens. */
uint16_t dialogue_code(const struct delivery_greylist *greylist);
void dialogue_put(struct tokens *tokens, uint16_t code);

/* Organisational domains of those who sent a message, as DKIM (d=) or SPF have it. */
struct dialogue_auth {
	unsigned n;
	char domains[DELIVERY_AUTH_MAX][DELIVERY_DOMAIN_MAX + 1];
};

/* TRUSTED is NULL-terminated, or NULL: classifier.authserv_ids. */
void dialogue_authenticated(const struct message *message, const char *const *trusted,
    const struct suffix_list *suffixes, struct dialogue_auth *ret_auth);

#endif
