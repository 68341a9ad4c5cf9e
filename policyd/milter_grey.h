/*
 * What greylisting saw of a message before it came in, from the record of its sender and recipient:
 * never from a header, which anybody may write.
 */
#ifndef GREYLAG_POLICYD_MILTER_GREY_H
#define GREYLAG_POLICYD_MILTER_GREY_H

#include <stdbool.h>
#include <stdint.h>

#include "db/deliveries.h"
#include "db/store.h"
#include "policyd/milter_message.h"
#include "policyd/rules.h"

struct grey_facts {
	struct delivery_greylist greylist;
	bool young; /* sender, recipient and network were first seen less than greylist.delay ago */
};

/* The facts that a sighting tells of a message whose sender was named at BEGAN. SIGHTING may be
 * NULL. Pure. */
void grey_facts_of(const struct greylist_rules *rules, const struct sighting *sighting,
    int64_t began, struct grey_facts *ret_facts);

/* Reads them from an embedded store, by any thread. STORE may be NULL. */
void grey_facts_read(struct store *store, const struct rules *rules,
    const struct milter_client *client, const struct milter_message *message,
    struct grey_facts *ret_facts);

#endif
