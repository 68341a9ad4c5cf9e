/*
 * What a client's verified name says: its organisational domain, and whether the name looks like
 * a machine on an access line. Pure but for the Public Suffix List, which is loaded once.
 */
#ifndef GREYLAG_POLICYD_CLIENTNAME_H
#define GREYLAG_POLICYD_CLIENTNAME_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/address.h"

#define CLIENTNAME_SIZE 256

/* The Public Suffix List (libpsl; the system's newest, else the one built in). */
struct suffix_list;

struct suffix_list *suffix_list_load(void);
void suffix_list_free(struct suffix_list *list);

/* True if NAME has its ADDRESS in it (decimal or hex octets, in order or reversed, whole or the
 * last two, with or without separators or leading zeros) or words of access lines (dyn, dynamic,
 * dsl, adsl, dial, ppp, pool, dhcp, cable, client, cust, customer, home, mobile, wireless ...) as
 * a whole word of a label below the organisational domain. A mail host's words (mail, mx, smtp,
 * out, relay ...) in the first label outweigh a word of an access line, not the address. */
bool clientname_looks_dynamic(
    const struct suffix_list *list, const char *name, const struct address *address);

/*
 * The key by which a retry from elsewhere in a pool is known: the organisational domain of the
 * verified client name (never the unverified reverse name), lower case, without a final dot.
 * False, and an empty string, if NAME is empty, "unknown", an address literal, itself a public
 * suffix, not a name, or looks dynamic.
 */
bool clientname_pool(const struct suffix_list *list, const char *name,
    const struct address *address, char ret_domain[CLIENTNAME_SIZE]);

/* Whether HELO is what a mail host says: a dotted name or an address literal that is its own. */
bool clientname_helo_fits(const char *helo, const char *name, const struct address *address);

#endif
