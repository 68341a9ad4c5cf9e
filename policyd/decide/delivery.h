/*
 * A delivery: what greylisting wants to know of a request, taken out of it once. Pure.
 */
#ifndef GREYLAG_POLICYD_DECIDE_DELIVERY_H
#define GREYLAG_POLICYD_DECIDE_DELIVERY_H

#include <stdbool.h>

#include "lib/address.h"
#include "lib/clientname.h"
#include "policyd/decide/envelope.h"
#include "policyd/decide/greylist.h"
#include "policyd/decide/protocol.h"

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

/* The sender is the recipient. */
bool delivery_to_itself(const struct delivery *delivery);

/*
 * The pool that the client's verified name stands for, as a key that matches retries; "" where
 * it must not: without such a name, for the null sender, and where sender and recipient are the
 * same (bots that forge the recipient's own address hide behind big providers' names).
 */
void delivery_pool(const struct delivery *delivery, const struct suffix_list *suffixes,
    char ret_pool[CLIENTNAME_SIZE]);

/*
 * The key of the record that the attempt is looked up in. That of sender and recipient; a null
 * sender's has the client's network in it. OVERFLOW asks for the record of the place alone, its
 * pool or else its network, that is used when the pair's places are all in use.
 */
void delivery_triplet_key(const struct delivery *delivery,
    const uint8_t hash_key[KEYEDHASH_KEY_SIZE], const struct greylist_attempt *attempt,
    bool overflow, uint8_t ret_key[KEYEDHASH_SIZE]);

/* Clients without a verified name, with a dynamic-looking one, or whose HELO does not fit. */
bool delivery_suspicious(const struct delivery *delivery, const struct suffix_list *suffixes);

#endif
