/*
 * An entry of the registry of learned messages (struct model_entry) as bytes. Pure.
 */
#ifndef GREYLAG_CLASSIFIER_BANK_REGISTRY_H
#define GREYLAG_CLASSIFIER_BANK_REGISTRY_H

#include "classifier/model/model.h"
#include "db/store.h"

#define REGISTRY_ENTRY_MAX 512

size_t registry_encode(const struct model_entry *entry, uint8_t ret_bytes[REGISTRY_ENTRY_MAX]);
bool registry_decode(const struct store_bytes *bytes, struct model_entry *ret_entry);

/*
 * Two trainers have changed the entry of one message at the same time. BASE is what this one had
 * read, MINE what it makes of it, CURRENT what the store has by now; NULL for none. What both have
 * added is added up, since all of it is sums. False, and *RET_MERGED untouched, if they cannot both
 * be right: the message was learned, forgotten or moved by one of them. Then this one's numbers are
 * to be made anew from what the store has.
 *
 * *RET_MERGED, untouched if MINE is NULL, is what to write.
 */
bool registry_merge(const struct model_entry *base, const struct model_entry *current,
    const struct model_entry *mine, struct model_entry *ret_merged);

#endif
