/*
 * The exceptions of the moment: the operator's ("greylagctl allow"), and what somebody waits for
 * ("greylagctl expect", policyd/decide/expected.h). Kept in the store, so that every daemon on it
 * takes them up, and matched in memory, so that they cost no read.
 */
#ifndef GREYLAG_POLICYD_DECIDE_ALLOWED_H
#define GREYLAG_POLICYD_DECIDE_ALLOWED_H

#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

#include "db/store.h"
#include "policyd/decide/expected.h"
#include "policyd/decide/selector.h"
#include "policyd/decide/whitelist.h"

/* A daemon takes up what has changed within so many seconds. */
#define ALLOWED_TAKEN_UP 5

struct allowed {
	struct whitelist *clients; /* networks, and names with all below them */
	struct whitelist *senders; /* addresses, and domains with all below them */
	struct expected *expected;
};

/* A record of the operator's: its key is the entry's text. */
struct allowed_entry {
	int64_t since, until; /* seconds since 1970; until 0 = for good */
};

#define ALLOWED_RECORD_MAX 64

bool allowed_decode(const struct store_bytes *bytes, struct allowed_entry *ret_entry);
size_t allowed_encode(const struct allowed_entry *entry, uint8_t ret_bytes[ALLOWED_RECORD_MAX]);

/* The kinds of selector that can be exempted. A sender's address is text in the store. */
#define ALLOWED_KINDS (SELECTOR_NETWORK | SELECTOR_DOMAIN | SELECTOR_ADDRESS)

/* Checks what a person typed, and gives its key. */
bool allowed_parse(const char *text, char **ret_key, GError **error);
/* Whether a daemon can match what is stored under the key. */
bool allowed_is_key(const char *key);

/* ALLOWED is then the caller's; NULL if the store did not answer. */
typedef void (*allowed_fn)(void *context, struct allowed *allowed);

/* Reads those in force at NOW. DONE is called before the return with an embedded store, from
 * store_dispatch() else. TIMEOUT is in milliseconds, for each step of a scan. */
void allowed_read(
    struct store *store, int64_t now, unsigned timeout, allowed_fn done, void *context);
void allowed_free(struct allowed *allowed);

#endif
