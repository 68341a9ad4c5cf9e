/*
 * A delivery: what greylisting wants to know of a request, taken out of it once. Pure.
 */
#ifndef GREYLAG_POLICYD_DELIVERY_H
#define GREYLAG_POLICYD_DELIVERY_H

#include <stdbool.h>

#include "lib/address.h"
#include "policyd/clientname.h"
#include "policyd/envelope.h"
#include "policyd/protocol.h"

struct delivery {
	struct address client; /* ADDRESS_NONE if it cannot be read */
	const char *name;      /* verified name of the client, or NULL */
	const char *helo;
	const char *sender, *recipient; /* as given; "" for the null sender */
	const char *instance;
	bool null_sender;
	char sender_key[ENVELOPE_ADDRESS_SIZE]; /* normalised */
	char recipient_key[ENVELOPE_ADDRESS_SIZE];
};

/* Strings point into REQUEST. */
void delivery_init(struct delivery *delivery, const struct policy_request *request);

/* Another recipient in place of the request's; RECIPIENT must outlive the delivery. */
void delivery_set_recipient(struct delivery *delivery, const char *recipient);

/*
 * The pool that the client's verified name stands for, as a key that matches retries; "" where
 * it must not: without such a name, for the null sender, and where sender and recipient are the
 * same (bots that forge the recipient's own address hide behind big providers' names).
 */
void delivery_pool(const struct delivery *delivery, const struct suffix_list *suffixes,
    char ret_pool[CLIENTNAME_SIZE]);

/* Clients without a verified name, with a dynamic-looking one, or whose HELO does not fit. */
bool delivery_suspicious(const struct delivery *delivery, const struct suffix_list *suffixes);

#endif
