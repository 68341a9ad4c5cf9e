/*
 * What a client's verified name says: its organisational domain, and whether the name looks like
 * a machine on an access line. Pure but for the Public Suffix List, which is loaded once.
 */
#ifndef GREYLAG_LIB_CLIENTNAME_H
#define GREYLAG_LIB_CLIENTNAME_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/address.h"

#define CLIENTNAME_SIZE 256

/* The Public Suffix List (the system's newest, else the one built into libpsl). NULL, with a
 * sentence, if libpsl, which is loaded with the list, is missing. */
struct suffix_list;

struct suffix_list *suffix_list_load(GError **error);
void suffix_list_free(struct suffix_list *list);

/*
 * True if NAME
 *	- has its ADDRESS in it, anywhere (the regions of compute.amazonaws.com are public
 *	  suffixes): all octets in decimal, with or without leading zeros, in order or reversed,
 *	  or joined; all in hex, also joined to 8 digits; of IPv6 all nibbles, or a half that is
 *	  not mostly zeros, or the groups as written;
 *	- has the last two octets side by side (so the last three too) below its
 *	  organisational domain, and no word of mail hosts there (mail, mx, smtp, out, relay
 *	  ...): a8-29.smtp-out.amazonses.com is a mail host at 54.240.8.29;
 *	- has a word of access lines (dyn, dsl, dial, ppp, pool, dhcp, cable, cust, home, mobile
 *	  ...) as a run of letters below its organisational domain, and no word of mail hosts in
 *	  the first label.
 *
 * False for what is not a name: "unknown", address literals.
 */
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

/* The organisational domain of any name, however it looks, in the same form; of a mail domain, say.
 * False, and an empty string, if it has none. */
bool clientname_domain(
    const struct suffix_list *list, const char *name, char ret_domain[CLIENTNAME_SIZE]);

/* Whether HELO is what a mail host says: an address literal that is its own, or a dotted name that
 * is NAME, the verified one, or at least not one that exists on private networks only. */
bool clientname_helo_fits(const char *helo, const char *name, const struct address *address);

#endif
