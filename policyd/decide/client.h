/*
 * The auto-whitelist: a client whose mail has passed often enough need not retry any more
 * (RFC 6647, 5.1 and 5.6; postgrey's rule). Trust goes by the exact IPv4 address or the /64, never
 * by the wider network that matches retries, and never by name. Pure.
 */
#ifndef GREYLAG_POLICYD_DECIDE_CLIENT_H
#define GREYLAG_POLICYD_DECIDE_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "db/store.h"
#include "lib/address.h"
#include "policyd/decide/greylist.h"

#define CLIENT_KEY_MAX    10
#define CLIENT_RECORD_MAX 64

/* A pass counts at most once in so many seconds, so that one burst is not trusted as a history. */
#define CLIENT_COUNT_INTERVAL 3600

struct client {
	uint32_t passes;
	int64_t counted; /* when a pass was last counted or, once known, mail last seen; 1970 */
};

/* What trust is given to: the whole IPv4 address or the /64. */
struct prefix client_trusted(const struct address *address);

size_t client_key(const struct address *address, uint8_t ret_key[CLIENT_KEY_MAX]);
bool client_key_decode(const struct store_bytes *key, struct prefix *ret_client);

bool client_decode(const struct store_bytes *bytes, struct client *ret_client);
size_t client_encode(const struct client *client, uint8_t ret_bytes[CLIENT_RECORD_MAX]);

/* Whether the client need not retry any more. CLIENT may be NULL. */
bool client_known(const struct greylist_rules *rules, const struct client *client, int64_t now);

/* Whether a pass now is to be counted, and what the record is then. CLIENT may be NULL. */
bool client_pass(const struct greylist_rules *rules, const struct client *client, int64_t now,
    struct client *ret_client);

int64_t client_expires(const struct greylist_rules *rules, const struct client *client);

#endif
