#include "config.h"

#include "policyd/decide/greylist.h"

#include <string.h>
#include <glib.h>

#define TOUCH_INTERVAL 3600

static const struct {
	const char *text;
	bool defers;
} verdicts[] = {
    [GREYLIST_FIRST] = {"first attempt", true},
    [GREYLIST_EARLY] = {"retry before the delay was over", true},
    [GREYLIST_WINDOW_OVER] = {"retry after the window, counted as a first attempt", true},
    [GREYLIST_PASSED] = {"retry inside the window", false},
    [GREYLIST_KNOWN] = {"has passed before", false},
    [GREYLIST_NO_ROOM] = {"all places of the record are in use", true},
};

bool
greylist_defers(enum greylist_verdict verdict)
{
	return verdicts[verdict].defers;
}

const char *
greylist_verdict_text(enum greylist_verdict verdict)
{
	return verdicts[verdict].text;
}

bool
greylist_is_retry(int64_t before, int64_t age)
{
	return age - before <= GREYLIST_RETRY_GAP;
}

int64_t
greylist_touch_interval(const struct greylist_rules *rules)
{
	return MIN(TOUCH_INTERVAL, rules->lifetime / 24);
}

static int64_t
sighting_expires(const struct greylist_rules *rules, const struct sighting *s)
{
	return s->passed ? s->last + rules->lifetime : s->first + rules->retry_window;
}

int64_t
greylist_expires(const struct greylist_rules *rules, const struct triplet *record)
{
	int64_t expires = record->overflow_until;

	for (unsigned i = 0; i < record->n_sightings; i++)
		expires = MAX(expires, sighting_expires(rules, &record->sightings[i]));
	return expires + 1;
}

/* What a sighting means for an attempt now. A clock that went back makes no age negative. */
static enum greylist_verdict
sighting_verdict(const struct greylist_rules *rules, const struct sighting *s, int64_t now)
{
	if (now > sighting_expires(rules, s))
		return GREYLIST_WINDOW_OVER;
	if (s->passed)
		return GREYLIST_KNOWN;
	return now - s->first < rules->delay ? GREYLIST_EARLY : GREYLIST_PASSED;
}

static bool
same_pool(const struct sighting *s, const struct greylist_attempt *attempt)
{
	return attempt->pool.length && s->pool.length == attempt->pool.length &&
	       memcmp(s->pool.data, attempt->pool.data, s->pool.length) == 0;
}

/* The sighting that speaks best for the attempt: known before passed before early, and the oldest
 * of equals. NULL if none is of its network or pool. */
const struct sighting *
greylist_sighting(const struct greylist_rules *rules, const struct triplet *record,
    const struct greylist_attempt *a)
{
	static const int rank[] = {[GREYLIST_KNOWN] = 3,
	    [GREYLIST_PASSED] = 2,
	    [GREYLIST_EARLY] = 1,
	    [GREYLIST_WINDOW_OVER] = 0};
	const struct sighting *best = NULL;
	int best_rank = -1;

	for (unsigned i = 0; record && i < record->n_sightings; i++) {
		const struct sighting *s = &record->sightings[i];

		if (!prefix_equal(&s->network, &a->network) && !same_pool(s, a))
			continue;
		int r = rank[sighting_verdict(rules, s, a->now)];
		if (r > best_rank || (r == best_rank && s->first < best->first)) {
			best = s;
			best_rank = r;
		}
	}
	return best;
}

static struct sighting *
find_sighting(
    const struct greylist_rules *rules, struct triplet *record, const struct greylist_attempt *a)
{
	const struct sighting *found = greylist_sighting(rules, record, a);

	return found ? &record->sightings[found - record->sightings] : NULL;
}

/* A place for a new sighting: a free one, or one whose time is over. Never one that still has a
 * meaning: a flood from many networks must not push out an attempt that was answered. */
static struct sighting *
free_sighting(const struct greylist_rules *rules, struct triplet *record, int64_t now)
{
	if (record->n_sightings < TRIPLET_SIGHTINGS)
		return &record->sightings[record->n_sightings++];
	for (unsigned i = 0; i < record->n_sightings; i++)
		if (now > sighting_expires(rules, &record->sightings[i]))
			return &record->sightings[i];
	return NULL;
}

static void
begin_sighting(
    const struct greylist_rules *rules, const struct greylist_attempt *a, struct sighting *s)
{
	*s = (struct sighting){
	    .network = a->network,
	    .pool = a->pool,
	    .first = a->now,
	    .last = a->now,
	    .attempts = 1,
	    .observed = rules->observe,
	    .others = a->others,
	    .passed = rules->observe ? a->now : 0,
	};
}

static void
first_attempt(const struct greylist_rules *rules, const struct greylist_attempt *a,
    struct triplet *record, struct greylist_outcome *outcome)
{
	struct sighting *s = NULL;

	/* Once places have overflowed, this one may have a record of its own already. */
	if (a->now >= record->overflow_until)
		s = free_sighting(rules, record, a->now);
	if (!s) {
		int64_t until = a->now + rules->lifetime;

		outcome->verdict = GREYLIST_NO_ROOM;
		outcome->write = until - record->overflow_until > greylist_touch_interval(rules);
		if (outcome->write)
			record->overflow_until = until;
		return;
	}
	begin_sighting(rules, a, s);
	outcome->verdict = GREYLIST_FIRST;
	outcome->first = a->now;
	outcome->others = a->others;
	outcome->write = true;
	outcome->wait = rules->delay;
}

/* A clock that went back: times in the future become now, so that nobody waits for the past. */
static void
mend_times(struct sighting *s, int64_t now)
{
	if (s->last <= now)
		return;
	s->last = now;
	while (s->n_early && s->first + s->early[s->n_early - 1] > now)
		s->n_early--;
	s->first = MIN(s->first, now);
	s->passed = MIN(s->passed, now);
}

static void
seen_before(const struct greylist_rules *rules, const struct greylist_attempt *a,
    struct sighting *s, struct greylist_outcome *outcome)
{
	bool clock_went_back = s->last > a->now;

	mend_times(s, a->now);
	outcome->verdict = sighting_verdict(rules, s, a->now);
	outcome->by_name = !prefix_equal(&s->network, &a->network);
	outcome->write = true;
	outcome->age = a->now - s->first;
	outcome->age_before = s->last - s->first;
	switch (outcome->verdict) {
	case GREYLIST_WINDOW_OVER:
		outcome->age = outcome->age_before = 0;
		begin_sighting(rules, a, s);
		outcome->wait = rules->delay;
		break;
	case GREYLIST_EARLY:
		outcome->wait = rules->delay - outcome->age;
		s->attempts += s->attempts < UINT32_MAX;
		if (rules->observe) {
			s->passed = a->now;
			s->observed = true;
		} else {
			sighting_add_early(s, outcome->age);
		}
		break;
	case GREYLIST_PASSED:
		outcome->delayed = outcome->age;
		outcome->may_be_new =
		    !greylist_is_retry(s->n_early ? s->early[s->n_early - 1] : 0, outcome->age);
		s->attempts += s->attempts < UINT32_MAX;
		s->passed = a->now;
		break;
	default: /* known */
		outcome->write =
		    clock_went_back || a->now - s->last >= greylist_touch_interval(rules);
		break;
	}
	s->moved |= outcome->by_name;
	if (!s->pool.length)
		s->pool = a->pool;
	s->last = a->now;
	outcome->attempts = s->attempts;
	outcome->first = s->first;
	outcome->others = s->others;
	outcome->proven = s->passed && !s->observed;
}

void
greylist_decide(const struct greylist_rules *rules, const struct triplet *record,
    const struct greylist_attempt *attempt, struct triplet *ret_record,
    struct greylist_outcome *ret_outcome)
{
	struct greylist_outcome outcome = {.attempts = 1};
	struct sighting *s;

	if (record)
		*ret_record = *record;
	else
		*ret_record = (struct triplet){.n_sightings = 0};
	s = find_sighting(rules, ret_record, attempt);
	if (s)
		seen_before(rules, attempt, s, &outcome);
	else
		first_attempt(rules, attempt, ret_record, &outcome);
	*ret_outcome = outcome;
}
