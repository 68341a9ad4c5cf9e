/*
 * Reputation: what became of the mail of a network or a domain, so that at RCPT those whose mail
 * is wanted need not wait. Written by whoever judges mail (greylag-milter, greylag), read by
 * greylagd. The functions down to reputation_opinion() are pure.
 *
 * A record holds how many messages were judged ham and spam, as sums that decay by half in each
 * half-life. Volume cannot move it beyond bounds: in one hour REPUTATION_HOURLY messages count, and
 * of all of them REPUTATION_MESSAGES_MAX are held; beyond that, both sums shrink alike, so that
 * their share stays that of the latest messages.
 *
 * Trust goes by the exact IPv4 address or the /64, and by the organisational domain of a verified,
 * static-looking client name; never by the network that matches retries, never by MAIL FROM.
 */
#ifndef GREYLAG_DB_HISTORY_REPUTATION_H
#define GREYLAG_DB_HISTORY_REPUTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/store.h"
#include "lib/address.h"
#include "lib/keyedhash.h"
#include "lib/settings.h"

/* The last byte of a key in STORE_REPUTATION: append, never renumber. (The last, so that a record
 * that makes room for another is found anywhere among them.) */
enum reputation_kind {
	REPUTATION_NETWORK = 1, /* the client: IPv4 address, or /64 */
	REPUTATION_NAME,        /* organisational domain of its verified, static-looking name */
	REPUTATION_AUTH,        /* authenticated domain: DKIM d=, or SPF */
	REPUTATION_PAIR, /* an own user wrote to this external sender: a keyed hash of both */
	REPUTATION_CORRESPONDENT, /* organisational domain that own users wrote to */
	REPUTATION_KINDS,
};

#define REPUTATION_KEY_MAX    256
#define REPUTATION_RECORD_MAX 96

#define REPUTATION_MESSAGE      1000000u /* the unit of sums: a message is so much */
#define REPUTATION_MESSAGES_MAX 50u      /* messages that a record holds at most */
#define REPUTATION_HOURLY       20u      /* messages of one key that count in an hour */

/* The longest delay that a history of spam can bring about (and no longer than half the retry
 * window); greylist.delay may be longer. */
#define REPUTATION_DELAY_MAX 3600

/* From the settings; durations in seconds, messages in REPUTATION_MESSAGE. */
struct reputation_rules {
	bool use;          /* at RCPT; what is written does not depend on it */
	int64_t half_life; /* of the sums */
	int64_t remember;  /* a delivery, see db/history/deliveries.h */
	int64_t lifetime;  /* of a pair and a correspondent: greylist.lifetime */
	uint32_t ham;      /* so much ham spares */
	uint32_t spam;     /* so much spam lengthens */
	double max_spam;   /* the share of spam, 0 to 1, up to which ham spares */
	double factor;     /* by which the delay is lengthened */
	int64_t delay_max; /* to so much at most */
};

struct reputation_rules reputation_rules_of(const struct settings *settings);

/* A record. Times are seconds since 1970. */
struct reputation {
	uint32_t ham, spam;     /* REPUTATION_MESSAGE each, as of AT */
	int64_t at;             /* until when they have decayed */
	int64_t first, last;    /* verdict; of a pair or correspondent, when it was written to */
	int64_t last_ham;       /* verdict, whether it counted or not; 0 for none that stands */
	uint32_t hour, in_hour; /* time / 3600, and the messages that counted in it */
};

/* -- keys; each returns the length, 0 for what has no key -- */

size_t reputation_network_key(const struct address *client, uint8_t ret_key[REPUTATION_KEY_MAX]);
/* DOMAIN in lower case, without final dot, of REPUTATION_NAME, _AUTH or _CORRESPONDENT. */
size_t reputation_domain_key(enum reputation_kind kind, const char *domain, size_t length,
    uint8_t ret_key[REPUTATION_KEY_MAX]);
/* SENDER is the external address, USER the own one, normalised as the policy does it
 * (envelope_sender() and envelope_recipient()); HASH_KEY is the store's. 0 if one is empty, or
 * longer than those make any. */
size_t reputation_pair_key(const uint8_t hash_key[KEYEDHASH_KEY_SIZE], const char *sender,
    const char *user, uint8_t ret_key[REPUTATION_KEY_MAX]);
/* The network of such a key; false for others. */
bool reputation_key_network(const struct store_bytes *key, struct prefix *ret_network);
/* The kind of a well-formed key; 0 for others. */
enum reputation_kind reputation_key_kind(const struct store_bytes *key);
const char *reputation_kind_name(enum reputation_kind kind);

/* -- records -- */

bool reputation_decode(const struct store_bytes *bytes, struct reputation *ret_reputation);
size_t reputation_encode(
    const struct reputation *reputation, uint8_t ret_bytes[REPUTATION_RECORD_MAX]);
/* When a record means nothing any more. */
int64_t reputation_expires(const struct reputation_rules *rules, enum reputation_kind kind,
    const struct reputation *reputation);

/* The sums as they have decayed at NOW. A clock that went back decays nothing. */
struct reputation reputation_decayed(
    const struct reputation_rules *rules, const struct reputation *reputation, int64_t now);

/* A message that was judged, or whose verdict is taken back (with what it still weighs). */
struct reputation_verdict {
	bool spam;
	bool back;
	int64_t time; /* when it was judged */
};

/* OLD is NULL for none. Whether the record has changed and is to be written. */
bool reputation_add(const struct reputation_rules *rules, const struct reputation *old,
    const struct reputation_verdict *verdict, int64_t now, struct reputation *ret_reputation);

/* An own user wrote to the pair's or correspondent's address. False if the record is fresh enough
 * as it is, that is by a 24th of the lifetime. */
bool reputation_written_to(const struct reputation_rules *rules, const struct reputation *old,
    int64_t now, struct reputation *ret_reputation);

/* -- what it means at RCPT -- */

/* What is asked for about a client, sender and recipient: the keys of one store_get_many(). */
struct reputation_query {
	unsigned n;
	enum reputation_kind kinds[REPUTATION_KINDS];
	struct store_bytes keys[REPUTATION_KINDS]; /* into BYTES */
	uint8_t bytes[REPUTATION_KINDS][REPUTATION_KEY_MAX];
};

/*
 * NAME is the organisational domain of the client's verified, static-looking name, or "".
 * SENDER and RECIPIENT are normalised. By name are asked: its own record, that of mail
 * authenticated by it, and that of it as a correspondent if the sender's domain lies in it. The
 * query must not be moved after.
 */
void reputation_query_init(struct reputation_query *query,
    const uint8_t hash_key[KEYEDHASH_KEY_SIZE], const struct address *client, const char *name,
    const char *sender, const char *recipient);

/* What was found, by kind. */
struct reputation_found {
	bool have[REPUTATION_KINDS];
	struct reputation of[REPUTATION_KINDS];
};

enum reputation_advice {
	REPUTATION_NEUTRAL,
	REPUTATION_SPARES,
	REPUTATION_WROTE, /* spares: an own user wrote to them (pair, correspondent) */
	REPUTATION_LENGTHENS,
};

#define REPUTATION_EVIDENCE_SIZE 400

struct reputation_opinion {
	enum reputation_advice advice;
	enum reputation_kind kind; /* the record that it rests on; 0 if neutral */
	int64_t delay;             /* seconds, in place of DELAY; as it was unless lengthened */
	/* "name example.org: ham 3.2, spam 0.0"; of printable ASCII. "" if neutral. */
	char evidence[REPUTATION_EVIDENCE_SIZE];
};

/*
 * In this order:
 *	- an own user wrote to the sender, or to its domain, within the lifetime: spares;
 *	- enough ham of the network, of which no more than the allowed share is spam: spares;
 *	- the same of the name or of mail authenticated by it, unless the network itself is known
 *	  for spam: spares;
 *	- enough spam of the network or name, and no ham verdict for two half-lives on any of them:
 *	  the delay times the factor, and no more than the rules' longest;
 *	- else neutral.
 */
void reputation_opinion(const struct reputation_rules *rules, const struct reputation_found *found,
    const struct address *client, const char *name, int64_t delay, int64_t now,
    struct reputation_opinion *ret_opinion);

/* -- in the store -- */

/* Own users wrote to these (keys of pairs and correspondents), now. CALL's done() is called once,
 * with the worst result, when all is on the disk or nothing had to be written. */
void reputation_write_contacts(struct store *store, const struct reputation_rules *rules,
    const struct store_bytes *keys, size_t n_keys, int64_t now, const struct store_call *call);

/* A verdict on each of these keys, in one commit; the same for done(). */
struct reputation_count {
	struct store_bytes key;
	struct reputation_verdict verdict;
};

void reputation_count(struct store *store, const struct reputation_rules *rules,
    const struct reputation_count *counts, size_t n_counts, int64_t now,
    const struct store_call *call);

#endif
