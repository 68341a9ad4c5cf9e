#include "config.h"

#include "policyd/decide/merge.h"

#include <string.h>
#include <glib.h>

static bool
proven(const struct sighting *s)
{
	return s->passed && !s->observed;
}

static int64_t
earliest_pass(const struct sighting *a, const struct sighting *b)
{
	if (proven(a) != proven(b))
		return proven(a) ? a->passed : b->passed;
	if (a->passed && b->passed)
		return MIN(a->passed, b->passed);
	return a->passed ? a->passed : b->passed;
}

static struct sighting
merge_waiting(const struct greylist_rules *rules, int64_t now, const struct sighting *a,
    const struct sighting *b)
{
	const struct sighting *older = a->first <= b->first ? a : b;
	const struct sighting *younger = older == a ? b : a;
	struct sighting merged = *older;

	if (now > older->first + rules->retry_window)
		return *younger;
	merged.last = MAX(older->last, younger->last);
	merged.attempts = MAX(older->attempts, younger->attempts);
	return merged;
}

static struct sighting
merge_sighting(const struct greylist_rules *rules, int64_t now, const struct sighting *old,
    const struct sighting *new)
{
	struct sighting merged = *old;

	if (!old->passed && !new->passed) {
		merged = merge_waiting(rules, now, old, new);
	} else {
		if (new->first < old->first)
			merged = *new;
		merged.passed = earliest_pass(old, new);
		merged.last = MAX(old->last, new->last);
		merged.attempts = MAX(old->attempts, new->attempts);
		merged.observed = !proven(old) && !proven(new);
	}
	merged.moved = old->moved || new->moved;
	merged.pool = old->pool.length ? old->pool : new->pool;
	return merged;
}

static bool
over(const struct greylist_rules *rules, int64_t now, const struct sighting *s)
{
	struct triplet alone = {.n_sightings = 1, .sightings = {*s}};

	return now >= greylist_expires(rules, &alone);
}

/* Where the sighting goes: that of its network, a free place, or one whose time is over. */
static struct sighting *
find_place(const struct greylist_rules *rules, int64_t now, struct triplet *triplet,
    const struct sighting *new, bool *ret_same)
{
	struct sighting *spent = NULL;

	for (unsigned i = 0; i < triplet->n_sightings; i++) {
		struct sighting *s = &triplet->sightings[i];

		*ret_same = prefix_equal(&s->network, &new->network);
		if (*ret_same)
			return s;
		if (over(rules, now, s))
			spent = s;
	}
	*ret_same = false;
	return triplet->n_sightings < TRIPLET_SIGHTINGS
		   ? &triplet->sightings[triplet->n_sightings++]
		   : spent;
}

void
merge_triplet(const struct greylist_rules *rules, int64_t now, const struct triplet *old,
    const struct triplet *new, struct triplet *ret_triplet, unsigned *ret_dropped)
{
	struct triplet merged = *old;
	unsigned dropped = 0;

	merged.overflow_until = MAX(old->overflow_until, new->overflow_until);
	for (unsigned i = 0; i < new->n_sightings; i++) {
		const struct sighting *s = &new->sightings[i];
		bool same;
		struct sighting *place = find_place(rules, now, &merged, s, &same);

		if (!place)
			dropped++;
		else
			*place = same ? merge_sighting(rules, now, place, s) : *s;
	}
	*ret_triplet = merged;
	*ret_dropped = dropped;
}

void
merge_client(const struct client *old, const struct client *new, struct client *ret_client)
{
	*ret_client = (struct client){
	    .passes = MAX(old->passes, new->passes),
	    .counted = MAX(old->counted, new->counted),
	};
}

void
merge_expected(const struct expected_entry *old, const struct expected_entry *new,
    struct expected_entry *ret_entry)
{
	struct expected_entry merged = old->hashed ? *new : *old;

	merged.since = MIN(old->since, new->since);
	merged.until = MAX(old->until, new->until);
	*ret_entry = merged;
}

void
merge_allowed(const struct allowed_entry *old, const struct allowed_entry *new,
    struct allowed_entry *ret_entry)
{
	bool for_good = old->until == 0 || new->until == 0;

	*ret_entry = (struct allowed_entry){
	    .since = MIN(old->since, new->since),
	    .until = for_good ? 0 : MAX(old->until, new->until),
	};
}

/* -- bytes -- */

static void
put_if_changed(const struct store_bytes *old, struct store_change *change, const void *bytes,
    size_t length, int64_t expires)
{
	if (!old || old->length != length || memcmp(old->data, bytes, length) != 0)
		store_change_put(change, bytes, length, expires);
}

static void
merge_triplet_bytes(const struct greylist_rules *rules, const struct store_bytes *old,
    const struct store_bytes *new, int64_t now, struct store_change *change)
{
	struct triplet mine, theirs, merged;
	uint8_t bytes[TRIPLET_RECORD_MAX];
	unsigned dropped;

	if (!triplet_decode(new, &theirs))
		return;
	if (old && triplet_decode(old, &mine))
		merge_triplet(rules, now, &mine, &theirs, &merged, &dropped);
	else
		merged = theirs;
	put_if_changed(
	    old, change, bytes, triplet_encode(&merged, bytes), greylist_expires(rules, &merged));
}

static void
merge_client_bytes(const struct greylist_rules *rules, const struct store_bytes *old,
    const struct store_bytes *new, int64_t now G_GNUC_UNUSED, struct store_change *change)
{
	struct client mine, theirs, merged;
	uint8_t bytes[CLIENT_RECORD_MAX];

	if (!client_decode(new, &theirs))
		return;
	if (old && client_decode(old, &mine))
		merge_client(&mine, &theirs, &merged);
	else
		merged = theirs;
	put_if_changed(
	    old, change, bytes, client_encode(&merged, bytes), client_expires(rules, &merged));
}

void
merge_record(void *context, enum store_space space, const struct store_bytes *old,
    const struct store_bytes *new, int64_t now, struct store_change *change)
{
	static void (*const merges[STORE_SPACES])(const struct greylist_rules *rules,
	    const struct store_bytes *old, const struct store_bytes *new, int64_t now,
	    struct store_change *change) = {
	    [STORE_TRIPLETS] = merge_triplet_bytes,
	    [STORE_CLIENTS] = merge_client_bytes,
	};

	if (merges[space])
		merges[space](context, old, new, now, change);
}
