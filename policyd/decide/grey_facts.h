/*
 * What greylisting saw of a message before it came in, from the record of its sender and recipient:
 * never from a header, which anybody may write.
 */
#ifndef GREYLAG_POLICYD_DECIDE_GREY_FACTS_H
#define GREYLAG_POLICYD_DECIDE_GREY_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "db/history/deliveries.h"
#include "db/store.h"
#include "policyd/decide/protocol.h"
#include "policyd/decide/rules.h"

struct grey_facts {
	struct delivery_greylist greylist;
	bool young; /* sender, recipient and network were first seen less than greylist.delay ago */
};

/* The facts that a sighting tells of a message that was let in at BEGAN or after. SIGHTING may be
 * NULL. Pure. */
void grey_facts_of(const struct greylist_rules *rules, const struct sighting *sighting,
    int64_t began, struct grey_facts *ret_facts);

/* Reads them by what smtpd asked for the message's recipient at RCPT, and waits for a server's
 * store. An embedded one may be read by any thread. STORE may be NULL. */
void grey_facts_read(struct store *store, const struct rules *rules,
    const struct policy_request *request, int64_t began, struct grey_facts *ret_facts);

#endif
