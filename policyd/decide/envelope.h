/*
 * Envelope addresses as greylisting compares them. Pure.
 */
#ifndef GREYLAG_POLICYD_DECIDE_ENVELOPE_H
#define GREYLAG_POLICYD_DECIDE_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>

/* Room for a normalised address, NUL included. A longer one is cut in the local part. */
#define ENVELOPE_ADDRESS_SIZE 512

/*
 * The sender without what changes from message to message, so that a one-time sender matches what
 * it was before. In this order, again and again until nothing changes (so normalising the result
 * changes nothing):
 *	- the null sender stays "" ("<>" too; angle brackets round an address are dropped);
 *	- ASCII lower case; final dots of the domain dropped;
 *	- SRS0=hash=tt=domain=local@relay becomes local@domain, and so does
 *	  SRS1=hash=relay==hash=tt=domain=local@relay (also with - or + as first separator)
 *	  (Sender Rewriting Scheme);
 *	- BATV prvs=tag=local@domain becomes local@domain, as do prvs=local=tag,
 *	  msprvs1=tag=local and btv1==tag==local;
 *	- +extension: local+rest@domain becomes local@domain;
 *	- VERP: local-user=other.domain@domain, the recipient's address wrapped into the local
 *	  part after - or =, becomes local@domain;
 *	- a whole word of the local part becomes '#' if it is of digits only; of hex digits, 8
 *	  or more with 2 runs of decimal digits, or 16 or more with one; or of letters and
 *	  digits, 10 or more with 3 runs of digits. So do all groups of a UUID. A word ends at
 *	  every ASCII byte that is neither letter nor digit.
 *
 * The bounds keep people apart: deb1985@ and abe1986@ are of hex digits too, ab123456@ is a
 * student's number; digits inside a word stay. A token that the bounds miss keeps its text, which
 * still matches the retry of that message. Quoted local parts stay but for lower case, addresses
 * without an '@' but for that and angle brackets. A NUL ends the sender.
 *
 * The senders in postgrey's database, normalised by postgrey ('#' for digits between word
 * boundaries, +extension and BATV dropped), are put through this function as they are: '#' is
 * taken where digits are, so that the result is that of the original sender. Not recoverable are
 * an SRS address with a + in it, of which postgrey keeps what is before it, and in an SRS address
 * a domain with a label of digits only.
 */
size_t envelope_sender(const char *sender, size_t length, char ret_address[ENVELOPE_ADDRESS_SIZE]);

/* The recipient: lower case, final dot dropped, +extension dropped. */
size_t envelope_recipient(
    const char *recipient, size_t length, char ret_address[ENVELOPE_ADDRESS_SIZE]);

/* The part past the last '@', or "" if there is none. Points into ADDRESS. */
const char *envelope_domain(const char *address);

/* Whether TEXT, as a person types it, may be a domain: letters, digits, "-", "_" and a dot within.
 */
bool envelope_looks_like_domain(const char *text);

#endif
