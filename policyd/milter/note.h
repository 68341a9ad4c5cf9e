/*
 * What the milter writes down: deliveries, which make reputation, and whom one's own users write
 * to. Made by the thread that has the message, written by the one that owns the store.
 */
#ifndef GREYLAG_POLICYD_MILTER_NOTE_H
#define GREYLAG_POLICYD_MILTER_NOTE_H

#include <stdint.h>

#include "classifier/mail/canonical.h"
#include "classifier/features/dialogue.h"
#include "db/history/deliveries.h"
#include "policyd/milter/action.h"
#include "policyd/milter/message.h"
#include "policyd/decide/rules.h"

struct milter_note;

/* A message that was judged. AUTH is whom its results vouch for. */
struct milter_note *milter_note_delivery(const struct rules *rules,
    const struct milter_client *client, const struct milter_message *message,
    const uint8_t digest[CANONICAL_DIGEST_SIZE], const struct dialogue_auth *auth,
    const struct delivery_greylist *greylist, const struct milter_judged *judged);

/*
 * A message of an own user: the external addresses that it goes to. NULL if it teaches nothing:
 * from the null sender, automatic (RFC 3834) or bulk, to more than MILTER_RECIPIENTS, forwarded
 * (SRS), from nobody who has logged in and for whom mail would not be delivered here either (a
 * secondary MX's), or only to own users.
 */
struct milter_note *milter_note_contacts(
    const struct rules *rules, const struct milter_message *message);

void milter_note_free(void *note);

/* Begins to write it. */
void milter_note_write(struct store *store, void *note);

/* For tests: the addresses of a note of contacts, NULL-terminated. */
const char *const *milter_note_addresses(const struct milter_note *note);

#endif
