/*
 * Envelope addresses as greylisting compares them. Pure.
 */
#ifndef GREYLAG_POLICYD_ENVELOPE_H
#define GREYLAG_POLICYD_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>

/* Room for a normalised address, NUL included. A longer one is cut in the local part. */
#define ENVELOPE_ADDRESS_SIZE 512

/*
 * The sender without what changes from message to message, so that one-time senders match their
 * own retry. In this order:
 *	- the null sender stays "" ("<>" too);
 *	- ASCII lower case; a final dot of the domain dropped;
 *	- SRS0=hash=tt=domain=local@relay becomes local@domain, SRS1=hash=relay==hash=tt=domain=local
 *	  likewise (also with - or + as first separator) (Sender Rewriting Scheme);
 *	- BATV prvs=tag=local@domain (and prvs=local=tag) becomes local@domain;
 *	- +extension and VERP: local+rest@domain becomes local@domain; local-user=other.domain@domain
 *	  (the recipient's address wrapped into the local part) loses that part;
 *	- every run of digits, or of hex digits with at least one digit and six characters, that
 *	  stands as a whole word (between the ends and - _ . = + /) becomes '#'.
 * Idempotent: normalising the result changes nothing.
 */
size_t envelope_sender(const char *sender, size_t length, char ret_address[ENVELOPE_ADDRESS_SIZE]);

/* The recipient: lower case, final dot dropped, +extension dropped. */
size_t envelope_recipient(
    const char *recipient, size_t length, char ret_address[ENVELOPE_ADDRESS_SIZE]);

/* The part past the last '@', or "" if there is none. Points into ADDRESS. */
const char *envelope_domain(const char *address);

#endif
