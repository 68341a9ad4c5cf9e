/*
 * The operator's exceptions of the moment ("greylagctl allow"): kept in the store, so that every
 * daemon on it takes them up, and matched in memory, so that they cost no read.
 */
#ifndef GREYLAG_POLICYD_ALLOWED_H
#define GREYLAG_POLICYD_ALLOWED_H

#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

#include "db/store.h"
#include "policyd/whitelist.h"

struct allowed {
	struct whitelist *clients; /* networks, and names with all below them */
	struct whitelist *senders; /* domains with all below them */
};

/* A record: its key is the entry's text. */
struct allowed_entry {
	int64_t since, until; /* seconds since 1970; until 0 = for good */
};

#define ALLOWED_RECORD_MAX 64

bool allowed_decode(const struct store_bytes *bytes, struct allowed_entry *ret_entry);
size_t allowed_encode(const struct allowed_entry *entry, uint8_t ret_bytes[ALLOWED_RECORD_MAX]);

/* Checks what a person typed, an address, a network or a domain, and gives its key. */
bool allowed_parse(const char *text, char **ret_key, GError **error);

/* Those in force at NOW, by a scan; NULL if the store does not answer. For embedded drivers and
 * others that complete within the call or by store_wait(). */
struct allowed *allowed_read(struct store *store, int64_t now);
void allowed_free(struct allowed *allowed);

#endif
