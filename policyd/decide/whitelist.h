/*
 * Lists of clients, recipients and senders that are never greylisted, in the syntax of postgrey's
 * files (postgrey(8)) and a little more. One entry a line; # begins a comment; blank lines are
 * skipped. An entry is
 *
 *	clients      ADDRESS, NETWORK/LENGTH, a.b.c or a.b (an IPv4 /24, as postgrey), IPv6,
 *	             IPv6/LENGTH, DOMAIN (that name and all below it), /REGEXP/ (on the verified
 *	             name)
 *	recipients,  DOMAIN (and all below it), user@ (at any domain), user@domain (an +extension
 *	senders      of the request's address is ignored unless the entry has one), /REGEXP/
 *
 * A client's name counts only when Postfix verified it (client_name).
 * A list is read-only once it is loaded; replace it whole to reload.
 */
#ifndef GREYLAG_POLICYD_DECIDE_WHITELIST_H
#define GREYLAG_POLICYD_DECIDE_WHITELIST_H

#include <stdbool.h>
#include <stddef.h>
#include <glib.h>

#include "lib/address.h"

enum whitelist_kind {
	WHITELIST_CLIENTS,
	WHITELIST_ADDRESSES, /* recipients or senders */
};

struct whitelist;

struct whitelist *whitelist_new(enum whitelist_kind kind);
void whitelist_free(struct whitelist *list);

/* Adds the entries of the file at PATH. All of its errors are in the message, a line each
 * ("FILE:LINE: what is wrong"); after a failure the list is not to be used. */
bool whitelist_read(struct whitelist *list, const char *path, GError **error);
/* The same of bytes that came from NAME. */
bool whitelist_parse(
    struct whitelist *list, const char *name, const char *bytes, size_t length, GError **error);
/* One entry, as a line of a file. */
bool whitelist_add(struct whitelist *list, const char *entry, GError **error);
size_t whitelist_size(const struct whitelist *list);

/* The entry that matches, as text, owned by the list and for the log; NULL if none does. NAME is
 * the verified name, or NULL. Addresses are bytes of a request, any case. */
const char *whitelist_match_client(
    const struct whitelist *list, const struct address *address, const char *name);
const char *whitelist_match_address(const struct whitelist *list, const char *address);

#endif
