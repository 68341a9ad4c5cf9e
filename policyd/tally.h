/*
 * Decisions counted by reason: since the start, and by hour in the store, where several daemons
 * add up and a restart loses nothing that was flushed.
 */
#ifndef GREYLAG_POLICYD_TALLY_H
#define GREYLAG_POLICYD_TALLY_H

#include <stdint.h>

#include "db/store.h"
#include "policyd/reason.h"

/* Hours are kept for so many days. */
#define TALLY_DAYS 32

#define TALLY_KEY_SIZE 4

struct tally;

struct tally *tally_new(void);
void tally_free(struct tally *tally);

void tally_count(struct tally *tally, enum reason reason);
uint64_t tally_total(const struct tally *tally, enum reason reason);

/* Adds what was counted since the last flush to the record of the hour of NOW. What the store
 * refuses is added again with the next flush. The tally must live until the store is closed. */
void tally_flush(struct tally *tally, struct store *store, int64_t now);

/* The key of an hour (NOW / 3600): four bytes, big-endian. Its value: a cell a reason. */
void tally_key(int64_t hour, uint8_t ret_key[TALLY_KEY_SIZE]);
int64_t tally_key_hour(const struct store_bytes *key);

#endif
