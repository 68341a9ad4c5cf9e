#include "policyd/ctl_merge.h"

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
