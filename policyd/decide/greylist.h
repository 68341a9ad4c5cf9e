/*
 * The decision of greylisting (RFC 6647) as a function of values: it takes no store, no clock and
 * no log, and so is the same in the daemon's transaction, in replay and in "greylagctl why".
 */
#ifndef GREYLAG_POLICYD_DECIDE_GREYLIST_H
#define GREYLAG_POLICYD_DECIDE_GREYLIST_H

#include <stdbool.h>
#include <stdint.h>

#include "policyd/decide/triplet.h"

/*
 * A retry follows the attempt before it within so many seconds: RFC 5321, 4.5.4.1, has a sender try
 * twice in the first hour and then every two or three hours. What comes later may as well be a new
 * message of the same sender, from the same network or name; it passes all the same, but it proves
 * no wait.
 */
#define GREYLIST_RETRY_GAP (3 * 3600)

/* Whether an attempt at AGE is the retry of the one at BEFORE, both in seconds after the first. */
bool greylist_is_retry(int64_t before, int64_t age);

/* Durations in seconds. */
struct greylist_rules {
	int64_t delay;        /* a retry earlier than this is too early (RFC 6647, 5.2) */
	int64_t retry_window; /* a retry later than this counts as a first attempt (5.2) */
	int64_t lifetime;     /* without mail for so long, all is forgotten (5.3) */
	unsigned ipv4_prefix, ipv6_prefix; /* networks that match retries (5.5) */
	unsigned auto_whitelist_after;     /* passes; 0 = never */
	bool observe; /* nobody is asked to retry: a first attempt counts as known at once */
};

/* One attempt to deliver. */
struct greylist_attempt {
	struct prefix network;
	struct store_bytes pool; /* see clientname_pool(); empty where a name must not match */
	int64_t now;
	bool others; /* if it is the first one, it is counted among the other domains' */
};

enum greylist_verdict {
	GREYLIST_FIRST,       /* never seen: ask to retry */
	GREYLIST_EARLY,       /* a retry, too early: ask to retry */
	GREYLIST_WINDOW_OVER, /* a retry after the window, or known too long ago: as the first */
	GREYLIST_PASSED,      /* a retry inside the window: let in */
	GREYLIST_KNOWN,       /* has passed before: let in */
	GREYLIST_NO_ROOM,     /* all sightings in use: the place's own record decides */
};

struct greylist_outcome {
	enum greylist_verdict verdict;
	bool write;         /* the record has changed and must be stored */
	bool by_name;       /* matched by the pool, from another network */
	bool proven;        /* let in because a real retry had passed, now or before */
	int64_t wait;       /* seconds until a retry would pass, if asked to retry */
	int64_t delayed;    /* seconds since the first attempt, if passed */
	bool may_be_new;    /* passed, but perhaps with a new message: see GREYLIST_RETRY_GAP */
	uint32_t attempts;  /* so far, with this one */
	int64_t first;      /* when the first one was; this one's time if it is that */
	int64_t age;        /* seconds from the first one to this one */
	int64_t age_before; /* and to the one before this one */
	bool others;        /* the first one is counted among the other domains' */
};

/* RECORD may be NULL. *RET_RECORD is what shall be stored (its pointers are those of RECORD and
 * ATTEMPT; sender and recipient are the caller's to set for a new record). */
void greylist_decide(const struct greylist_rules *rules, const struct triplet *record,
    const struct greylist_attempt *attempt, struct triplet *ret_record,
    struct greylist_outcome *ret_outcome);

/* The sighting that speaks for the attempt: of its network or pool, and of several the one known
 * longest. NULL if there is none, or RECORD is NULL. */
const struct sighting *greylist_sighting(const struct greylist_rules *rules,
    const struct triplet *record, const struct greylist_attempt *attempt);

/* When the record may go: no sighting in it has a meaning any more. */
int64_t greylist_expires(const struct greylist_rules *rules, const struct triplet *record);

/* How long a "last seen" may be out of date before it is worth a write. */
int64_t greylist_touch_interval(const struct greylist_rules *rules);

bool greylist_defers(enum greylist_verdict verdict);
const char *greylist_verdict_text(enum greylist_verdict verdict);

#endif
