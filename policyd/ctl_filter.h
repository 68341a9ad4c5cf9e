/*
 * Which records a postmaster means: by network, sender, recipient and state. What is typed is
 * normalised as requests are, and compared by its hash where addresses are not kept. Pure.
 */
#ifndef GREYLAG_POLICYD_CTL_FILTER_H
#define GREYLAG_POLICYD_CTL_FILTER_H

#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

#include "policyd/envelope.h"
#include "policyd/greylist.h"

/* States of a sighting as they are shown: enum triplet_state, or its time is over. */
#define FILTER_EXPIRED TRIPLET_STATES

struct filter_address {
	bool given;
	char text[ENVELOPE_ADDRESS_SIZE];
	uint8_t hash[TRIPLET_ADDRESS_HASH_SIZE];
};

struct filter {
	struct prefix client; /* ADDRESS_NONE if not given */
	struct filter_address sender, recipient;
	int state; /* enum triplet_state, FILTER_EXPIRED, or -1 for all */
	struct greylist_rules rules;
	int64_t now;
};

/* As typed; NULL for what was not. */
struct filter_text {
	char *client, *sender, *recipient, *state;
};

void filter_text_clear(struct filter_text *text);

bool filter_init(struct filter *filter, const struct filter_text *text,
    const struct greylist_rules *rules, const uint8_t hash_key[KEYEDHASH_KEY_SIZE], int64_t now,
    GError **error);

/* Whether the record is of the sender and the recipient. */
bool filter_matches_pair(const struct filter *filter, const struct triplet *triplet);
/* Whether the sighting is of the network and in the state. */
bool filter_matches_sighting(const struct filter *filter, const struct sighting *sighting);

/* Whether one network lies within the other. */
bool filter_networks_meet(const struct prefix *a, const struct prefix *b);

int filter_state(const struct filter *filter, const struct sighting *sighting);
const char *filter_state_name(int state);

#endif
