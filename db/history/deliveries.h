/*
 * Deliveries: what is remembered of each message that was judged: where it came from, the verdict
 * and whether a person corrected it, for whom it was, and what greylisting saw of it. By it a
 * correction takes back what the verdict had added to the reputation, training sees the tokens
 * that judging saw, and the report counts.
 *
 * A record a message in STORE_DELIVERIES, under the digest of what does not change in transit
 * (classifier/mail/canonical.h). Kept for reputation.remember; a bounded number (store_spaces).
 */
#ifndef GREYLAG_DB_HISTORY_DELIVERIES_H
#define GREYLAG_DB_HISTORY_DELIVERIES_H

#include "db/history/reputation.h"

#define DELIVERY_KEY_SIZE       16
#define DELIVERY_AUTH_MAX       4  /* authenticated domains */
#define DELIVERY_RECIPIENTS_MAX 8  /* domains of recipients; further ones are not kept */
#define DELIVERY_OFFSETS_MAX    16 /* attempts whose time is kept */
#define DELIVERY_DOMAIN_MAX     255
#define DELIVERY_RECORD_MAX     4096

/* Stored: append, never renumber. The first three as enum verdict of the classifier. */
enum delivery_verdict { DELIVERY_HAM, DELIVERY_SPAM, DELIVERY_UNSURE, DELIVERY_VERDICTS };

/* What greylisting knew of the triplet when the message came in. Stored: append. */
enum delivery_contact {
	DELIVERY_UNKNOWN, /* nothing is known: no policy server was asked, or it forgot */
	DELIVERY_FIRST,   /* first contact: it had to wait, or was spared as a stranger */
	DELIVERY_KNOWN,   /* the triplet had passed before this message's first attempt */
	DELIVERY_CONTACTS,
};

struct delivery_greylist {
	enum delivery_contact contact;
	uint32_t delayed;  /* seconds from the first attempt; 0 for none */
	uint32_t attempts; /* of this message, the last one included; 0 unknown */
	bool moved;        /* a retry came from another network than the first attempt */
	unsigned n_offsets;
	uint32_t offsets[DELIVERY_OFFSETS_MAX]; /* of attempts, seconds from the first one */
};

struct delivery_recipients {
	struct store_bytes domain; /* lower case */
	uint32_t count;
};

/* Pointers are those of the bytes it was decoded from, or the caller's. */
struct delivery_record {
	int64_t time;            /* when it was judged, seconds since 1970 */
	struct address client;   /* ADDRESS_NONE: not known */
	struct store_bytes name; /* organisational domain of its verified, static-looking name;
				    empty for none */
	struct store_bytes auth[DELIVERY_AUTH_MAX]; /* DKIM d= and SPF domains that passed */
	unsigned n_auth;
	enum delivery_verdict judged;  /* by the classifier */
	enum delivery_verdict verdict; /* that holds: JUDGED, or a person's correction */
	bool corrected;
	uint32_t score; /* probability of spam in thousandths */
	unsigned n_recipients;
	struct delivery_recipients recipients[DELIVERY_RECIPIENTS_MAX];
	struct delivery_greylist greylist;
};

/* Whether authentication result DOMAIN is there already, else puts it there if there is room. */
void delivery_add_auth(struct delivery_record *record, struct store_bytes domain);
/* Counts a recipient of DOMAIN; false if there is no room for another domain. */
bool delivery_add_recipient(
    struct delivery_record *record, struct store_bytes domain, uint32_t count);

/* False for a malformed record. */
bool delivery_decode(const struct store_bytes *bytes, struct delivery_record *ret_record);
size_t delivery_encode(
    const struct delivery_record *record, uint8_t ret_bytes[DELIVERY_RECORD_MAX]);

/* What stands after a second verdict on the same message (OLD is NULL for the first), pure: the
 * later one holds, but never against a person's; its client, name and domains hold if it knows its
 * client; recipients add up; facts of greylisting stay unless NEW has some. */
void delivery_merge(const struct delivery_record *old, const struct delivery_record *new,
    struct delivery_record *ret_record);

/*
 * Puts on record that a message was judged, then counts the verdict for its network, name and
 * authenticated domains: two commits at most. UNSURE counts for nobody. A second verdict on the
 * same message from the same client replaces the first; from another client (a message sent
 * again by others) it counts for that one besides. RECORD and DIGEST are copied. CALL's done() is
 * called once, when all is done, with the worst result and without a job; it may be NULL.
 */
void delivery_note(struct store *store, const struct reputation_rules *rules,
    const uint8_t digest[DELIVERY_KEY_SIZE], const struct delivery_record *record, int64_t now,
    const struct store_call *call);

/* A person says what the message is (HAM, SPAM; UNSURE takes the person's word back, the judged
 * verdict holds again): the verdict's contribution is taken back, the new one is added.
 * STORE_NOT_FOUND if no such delivery is remembered. */
void delivery_correct(struct store *store, const struct reputation_rules *rules,
    const uint8_t digest[DELIVERY_KEY_SIZE], enum delivery_verdict verdict, int64_t now,
    const struct store_call *call);

#endif
