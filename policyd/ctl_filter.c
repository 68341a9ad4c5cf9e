#include "policyd/ctl_filter.h"

#include <string.h>

#include "policyd/ctl.h"

void
filter_text_clear(struct filter_text *text)
{
	g_free(text->client);
	g_free(text->sender);
	g_free(text->recipient);
	g_free(text->state);
	*text = (struct filter_text){0};
}

static bool
parse_state(const char *text, int *ret_state, GError **error)
{
	*ret_state = -1;
	if (!text)
		return true;
	for (int state = 0; state <= FILTER_EXPIRED; state++)
		if (strcmp(text, filter_state_name(state)) == 0)
			*ret_state = state;
	return *ret_state >= 0 ||
	       ctl_usage(
		   error, "--state %s: it is one of greylisted, passed, observed, expired", text);
}

static void
set_address(struct filter_address *address, const char *text, const uint8_t *hash_key,
    size_t (*normalise)(const char *, size_t, char[ENVELOPE_ADDRESS_SIZE]))
{
	address->given = text != NULL;
	if (!text)
		return;
	normalise(text, strlen(text), address->text);
	triplet_address_hash(hash_key, address->text, address->hash);
}

bool
filter_init(struct filter *filter, const struct filter_text *text,
    const struct greylist_rules *rules, const uint8_t hash_key[KEYEDHASH_KEY_SIZE], int64_t now,
    GError **error)
{
	*filter = (struct filter){.rules = *rules, .now = now};
	if (text->client && !prefix_parse(text->client, &filter->client))
		return ctl_usage(error,
		    "--client %s: it is no address and no network like 192.0.2.0/24", text->client);
	set_address(&filter->sender, text->sender, hash_key, envelope_sender);
	set_address(&filter->recipient, text->recipient, hash_key, envelope_recipient);
	return parse_state(text->state, &filter->state, error);
}

static bool
same_address(const struct filter_address *wanted, const struct store_bytes *stored, bool hashed)
{
	size_t length = hashed ? sizeof wanted->hash : strlen(wanted->text);
	const void *bytes = hashed ? (const void *)wanted->hash : wanted->text;

	if (!wanted->given)
		return true;
	return stored->length == length &&
	       (length == 0 || memcmp(stored->data, bytes, length) == 0);
}

bool
filter_matches_pair(const struct filter *filter, const struct triplet *triplet)
{
	return same_address(&filter->sender, &triplet->sender, triplet->hashed) &&
	       same_address(&filter->recipient, &triplet->recipient, triplet->hashed);
}

bool
filter_networks_meet(const struct prefix *a, const struct prefix *b)
{
	return a->address.family == b->address.family &&
	       (a->length <= b->length ? prefix_contains(a, &b->address)
				       : prefix_contains(b, &a->address));
}

bool
filter_matches_sighting(const struct filter *filter, const struct sighting *sighting)
{
	if (filter->client.address.family != ADDRESS_NONE &&
	    !filter_networks_meet(&filter->client, &sighting->network))
		return false;
	return filter->state < 0 || filter_state(filter, sighting) == filter->state;
}

int
filter_state(const struct filter *filter, const struct sighting *sighting)
{
	struct triplet alone = {.n_sightings = 1, .sightings = {*sighting}};

	if (filter->now >= greylist_expires(&filter->rules, &alone))
		return FILTER_EXPIRED;
	return (int)sighting_state(sighting);
}

const char *
filter_state_name(int state)
{
	return state == FILTER_EXPIRED ? "expired" : triplet_state_name((enum triplet_state)state);
}
