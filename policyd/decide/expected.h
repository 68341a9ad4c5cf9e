/*
 * What somebody waits for ("greylagctl expect"): a code or a login link, which is of no use an
 * hour later. Kept beside the operator's exceptions in STORE_ALLOWED, for minutes, and matched in
 * memory by hashes, so that it costs a request nothing while nobody waits.
 *
 * A sender in an envelope is easily forged: an expectation spares the delay, and nothing else.
 */
#ifndef GREYLAG_POLICYD_DECIDE_EXPECTED_H
#define GREYLAG_POLICYD_DECIDE_EXPECTED_H

#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

#include "db/store.h"
#include "policyd/decide/delivery.h"
#include "policyd/decide/selector.h"

/* How long a window may be, in seconds, and how many may be open. */
#define EXPECTED_DURATION_MAX 86400
#define EXPECTED_MAX          1000

/* A record. Addresses are normalised, as text; or both as hashes of TRIPLET_ADDRESS_HASH_SIZE
 * bytes, where they are not to be kept. */
struct expected_entry {
	int64_t since, until;         /* seconds since 1970 */
	struct store_bytes sender;    /* an address, or a domain with all below it */
	struct store_bytes recipient; /* the same; empty for anybody */
	bool hashed;
};

/* The key is a NUL, which no other key in the space has in it, and the hashes of both addresses;
 * zeros for anybody. */
#define EXPECTED_KEY_SIZE   (1 + 2 * TRIPLET_ADDRESS_HASH_SIZE)
#define EXPECTED_RECORD_MAX 1200

bool expected_is_key(const struct store_bytes *key);
void expected_key(const uint8_t hash_key[KEYEDHASH_KEY_SIZE], const struct expected_entry *entry,
    uint8_t ret_key[EXPECTED_KEY_SIZE]);

/* Pointers of *RET_ENTRY point into the bytes of the key and the value. False for a malformed
 * record. */
bool expected_decode(const struct store_bytes *key, const struct store_bytes *value,
    struct expected_entry *ret_entry);
/* Without the addresses where they are hashed: the key has the hashes. */
size_t expected_encode(const struct expected_entry *entry, uint8_t ret_bytes[EXPECTED_RECORD_MAX]);

/* Normalises what a person typed, an address or a domain, as the SIDE that it is for. */
bool expected_parse(const char *text, enum selector_side side, char ret_text[ENVELOPE_ADDRESS_SIZE],
    GError **error);

/* -- those in force -- */

struct expected;

struct expected *expected_new(const uint8_t hash_key[KEYEDHASH_KEY_SIZE]);
void expected_free(struct expected *expected);
void expected_add(struct expected *expected, const struct expected_entry *entry);

/* The one that holds for the delivery, as text that EXPECTED owns; NULL if none does. A domain
 * holds for the sender's and for the client's verified name. */
const char *expected_match(const struct expected *expected, const struct delivery *delivery);

#endif
