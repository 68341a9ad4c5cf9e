/*
 * Which records a postmaster means: by client, sender, recipient (policyd/decide/selector.h) and
 * state. Pure.
 */
#ifndef GREYLAG_POLICYD_CTL_FILTER_H
#define GREYLAG_POLICYD_CTL_FILTER_H

#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

#include "lib/terminal.h"
#include "policyd/decide/greylist.h"
#include "policyd/decide/selector.h"

/* States of a sighting as they are shown: enum triplet_state, or its time is over. */
#define FILTER_EXPIRED TRIPLET_STATES

/* Selectors without a place. */
#define FILTER_ANY 2

/* As typed; NULL for what was not. */
struct filter_text {
	char *client, *sender, *recipient, *state;
	char *any[FILTER_ANY]; /* the client, the sender or the recipient */
};

struct filter {
	struct selector client, sender, recipient, any[FILTER_ANY];
	int state; /* enum triplet_state, FILTER_EXPIRED, or -1 for all */
	struct greylist_rules rules;
	int64_t now;
};

void filter_text_clear(struct filter_text *text);
bool filter_text_given(const struct filter_text *text);

bool filter_init(struct filter *filter, const struct filter_text *text,
    const struct greylist_rules *rules, const uint8_t hash_key[KEYEDHASH_KEY_SIZE], int64_t now,
    GError **error);

/* Whether the sighting of the record is meant. SIGHTING is NULL for a record that has none: it is
 * of sender and recipient alone. */
enum selector_match filter_match(
    const struct filter *filter, const struct triplet *triplet, const struct sighting *sighting);
/* Whether any sighting of the record is. */
enum selector_match filter_match_any(const struct filter *filter, const struct triplet *triplet);

/* Whether a record of STORE_ALLOWED is meant: an exception, which is of no recipient, or what is
 * expected. False for a malformed one. */
bool filter_match_allowed(const struct filter *filter, const struct store_bytes *key,
    const struct store_bytes *value, enum selector_match *ret_match);

/* How a search ended: false, and what to say, if nothing matched though something was named, or if
 * UNKNOWN records could not be compared with a domain. WHAT is "record", "client" ... */
bool filter_end(const struct filter_text *text, const char *what, uint64_t matched,
    uint64_t unknown, GError **error);

int filter_state(const struct filter *filter, const struct sighting *sighting);
const char *filter_state_name(int state);
enum terminal_style filter_state_style(int state);

#endif
