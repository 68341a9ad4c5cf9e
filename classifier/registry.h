/*
 * An entry of the registry of learned messages (struct model_entry) as bytes. Pure.
 */
#ifndef GREYLAG_CLASSIFIER_REGISTRY_H
#define GREYLAG_CLASSIFIER_REGISTRY_H

#include "classifier/model.h"
#include "db/store.h"

#define REGISTRY_ENTRY_MAX 512

size_t registry_encode(const struct model_entry *entry, uint8_t ret_bytes[REGISTRY_ENTRY_MAX]);
bool registry_decode(const struct store_bytes *bytes, struct model_entry *ret_entry);

#endif
