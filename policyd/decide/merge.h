/*
 * What a record of another store (imported, or of the store that stood in for a server) does to one
 * that is there: it never makes it younger or weaker, and the same again changes nothing. Pure.
 */
#ifndef GREYLAG_POLICYD_DECIDE_MERGE_H
#define GREYLAG_POLICYD_DECIDE_MERGE_H

#include "policyd/decide/allowed.h"
#include "policyd/decide/client.h"
#include "policyd/decide/greylist.h"

/*
 * Sightings of the same network become one: passed if either has; the earliest pass by a real
 * retry, else the earliest; the earliest first and the latest last time; the greater number of
 * attempts. If neither has passed, it is the older one as long as its retry window is open at
 * NOW, else the younger. Others are added while there is room, and take the place of those whose
 * time is over. *RET_DROPPED is how many found none. Pointers are those of OLD and NEW.
 */
void merge_triplet(const struct greylist_rules *rules, int64_t now, const struct triplet *old,
    const struct triplet *new, struct triplet *ret_triplet, unsigned *ret_dropped);

/* The greater number of passes, the later time. */
void merge_client(const struct client *old, const struct client *new, struct client *ret_client);

/* The earlier beginning, the later end. */
void merge_allowed(const struct allowed_entry *old, const struct allowed_entry *new,
    struct allowed_entry *ret_entry);

void merge_expected(const struct expected_entry *old, const struct expected_entry *new,
    struct expected_entry *ret_entry);

/* The above for a record's bytes, as store_merge_fn; CONTEXT is struct greylist_rules. A damaged
 * record gives way to one that is not. Of triplets and clients; the daemon changes no other
 * records.
 */
void merge_record(void *context, enum store_space space, const struct store_bytes *old,
    const struct store_bytes *new, int64_t now, struct store_change *change);

#endif
