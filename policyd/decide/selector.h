/*
 * What people name mail by, as every command of greylagctl understands it:
 *
 *	carol@bank.example      an address, normalised as those of requests are
 *	postmaster              an address without a domain
 *	<>                      the null sender ("" too)
 *	hash:0123456789abcdef   an address as it is shown where its hash alone is kept
 *	bank.example            a domain with all below it; @bank.example is the same
 *	192.0.2.7, 192.0.2.0/24, 2001:db8::/32
 *	                        a client's address, or a network
 *
 * A client's verified name is named as a domain. Which of these an option takes is told by a set
 * of kinds. Pure.
 */
#ifndef GREYLAG_POLICYD_DECIDE_SELECTOR_H
#define GREYLAG_POLICYD_DECIDE_SELECTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

#include "policyd/decide/envelope.h"
#include "policyd/decide/triplet.h"

#define SELECTOR_ERROR (g_quark_from_static_string("greylag-selector"))

enum selector_kind {
	SELECTOR_NONE = 0,
	SELECTOR_ADDRESS = 1,
	SELECTOR_LOCAL = 2, /* an address without a domain */
	SELECTOR_NULL = 4,  /* the null sender */
	SELECTOR_HASH = 8,
	SELECTOR_DOMAIN = 16,
	SELECTOR_NETWORK = 32,
};

/* What the sides of a record are named by. */
#define SELECTOR_OF_RECIPIENT (SELECTOR_ADDRESS | SELECTOR_LOCAL | SELECTOR_HASH | SELECTOR_DOMAIN)
#define SELECTOR_OF_SENDER    (SELECTOR_OF_RECIPIENT | SELECTOR_NULL)
#define SELECTOR_OF_CLIENT    (SELECTOR_NETWORK | SELECTOR_DOMAIN)
#define SELECTOR_ALL          (SELECTOR_OF_SENDER | SELECTOR_OF_CLIENT)

enum selector_side { SELECTOR_SENDER, SELECTOR_RECIPIENT, SELECTOR_SIDES };

struct selector {
	enum selector_kind kind; /* SELECTOR_NONE if nothing was named: it matches all */
	/* Of an address, as each side is normalised; of a domain, the same twice. */
	char text[SELECTOR_SIDES][ENVELOPE_ADDRESS_SIZE];
	struct prefix network;
	uint8_t hash[SELECTOR_SIDES][TRIPLET_ADDRESS_HASH_SIZE];
	uint8_t hash_key[KEYEDHASH_KEY_SIZE];
};

/* Reads what a person typed. KINDS is the set of enum selector_kind that is taken; the error says
 * what TEXT is, and what is taken. */
bool selector_parse(
    const char *text, unsigned kinds, struct selector *ret_selector, GError **error);

/* What is needed to match addresses of which a store keeps hashes. */
void selector_set_key(struct selector *selector, const uint8_t hash_key[KEYEDHASH_KEY_SIZE]);

/* Whether an address is in the domain: its own, or one below it. ADDRESS may be a domain, too. */
bool selector_domain_has(const char *domain, const struct store_bytes *address);

/* Whether it matches; not known where a domain meets a hash. The lesser of two is what both
 * say together, the greater what either says. */
enum selector_match { SELECTOR_MISSES, SELECTOR_UNKNOWN, SELECTOR_MATCHES };

enum selector_match selector_match_address(const struct selector *selector, enum selector_side side,
    const struct store_bytes *address, bool hashed);

/* Whether a client's network and name (empty for none) are meant: what lies in what was named,
 * or round it, since records hold networks and organisational domains of clients. */
bool selector_match_network(const struct selector *selector, const struct prefix *network);
bool selector_match_name(const struct selector *selector, const struct store_bytes *name);

#endif
