/*
 * Key: the address (4 or 8 bytes), the domain, or the pair's hash (16 bytes); then the kind's byte.
 * Record (db/record.h), two messages of ham just judged, the first of them a day before
 * (1.977160 messages; 1794913600, 1795000000):
 *
 *	01  01 03 1e 2b 48  03 04 6a fd 86 c0  04 04 6a fc 35 40  05 04 6a fd 86 c0
 *	    06 04 6a fd 86 c0  07 03 07 9b b3  08 01 01
 */
#include "config.h"

#include "db/history/reputation.h"

#include <math.h>
#include <string.h>

#include "db/record.h"

#define REPUTATION_VERSION 1

enum reputation_tag {
	TAG_HAM = 1,
	TAG_SPAM,
	TAG_AT,
	TAG_FIRST,
	TAG_LAST,
	TAG_LAST_HAM,
	TAG_HOUR,
	TAG_IN_HOUR,
};

/* Longer addresses make no pair. */
#define PAIR_ADDRESS_SIZE 512

#define NETWORK_IPV4 4
#define NETWORK_IPV6 8

#define SUM_MAX   (REPUTATION_MESSAGES_MAX * REPUTATION_MESSAGE)
#define TIME_BITS 40

/* Sooner a sum is not decayed anew, lest rounding eat it up. */
#define DECAY_INTERVAL 60

/* A sum below it means nothing: a ham verdict that was taken back. */
#define NOTHING (REPUTATION_MESSAGE / 100)

/* After so many half-lives without a verdict a record is forgotten. */
#define FORGET_HALF_LIVES 4

static const char *const kind_names[REPUTATION_KINDS] = {
    [REPUTATION_NETWORK] = "network",
    [REPUTATION_NAME] = "name",
    [REPUTATION_AUTH] = "authenticated domain",
    [REPUTATION_PAIR] = "pair",
    [REPUTATION_CORRESPONDENT] = "correspondent",
};

const char *
reputation_kind_name(enum reputation_kind kind)
{
	return kind_names[kind];
}

static uint32_t
messages(const struct settings *settings, enum setting setting)
{
	return (uint32_t)lround(settings_decimal(settings, setting) * REPUTATION_MESSAGE);
}

struct reputation_rules
reputation_rules_of(const struct settings *settings)
{
	return (struct reputation_rules){
	    .use = settings_on(settings, SETTING_REPUTATION_USE),
	    .half_life = settings_number(settings, SETTING_REPUTATION_HALF_LIFE),
	    .remember = settings_number(settings, SETTING_REPUTATION_REMEMBER),
	    .lifetime = settings_number(settings, SETTING_GREYLIST_LIFETIME),
	    .ham = messages(settings, SETTING_REPUTATION_HAM),
	    .spam = messages(settings, SETTING_REPUTATION_SPAM),
	    .max_spam = settings_decimal(settings, SETTING_REPUTATION_MAX_SPAM),
	    .factor = settings_decimal(settings, SETTING_REPUTATION_FACTOR),
	    .delay_max = MIN(
		REPUTATION_DELAY_MAX, settings_number(settings, SETTING_GREYLIST_RETRY_WINDOW) / 2),
	};
}

/* -- keys -- */

static size_t
make_key(enum reputation_kind kind, const void *bytes, size_t length,
    uint8_t ret_key[REPUTATION_KEY_MAX])
{
	if (length == 0 || length >= REPUTATION_KEY_MAX)
		return 0;
	memcpy(ret_key, bytes, length);
	ret_key[length] = (uint8_t)kind;
	return length + 1;
}

size_t
reputation_network_key(const struct address *client, uint8_t ret_key[REPUTATION_KEY_MAX])
{
	size_t size = client->family == ADDRESS_IPV4   ? NETWORK_IPV4
		      : client->family == ADDRESS_IPV6 ? NETWORK_IPV6
						       : 0;

	return make_key(REPUTATION_NETWORK, client->bytes, size, ret_key);
}

size_t
reputation_domain_key(enum reputation_kind kind, const char *domain, size_t length,
    uint8_t ret_key[REPUTATION_KEY_MAX])
{
	return make_key(kind, domain, length, ret_key);
}

size_t
reputation_pair_key(const uint8_t hash_key[KEYEDHASH_KEY_SIZE], const char *sender,
    const char *user, uint8_t ret_key[REPUTATION_KEY_MAX])
{
	static const char tag[] = "pair";
	char text[sizeof tag + 2 * PAIR_ADDRESS_SIZE];
	size_t n_sender = strlen(sender), n_user = strlen(user);
	uint8_t hash[KEYEDHASH_SIZE];

	if (!n_sender || !n_user || n_sender >= PAIR_ADDRESS_SIZE || n_user >= PAIR_ADDRESS_SIZE)
		return 0;
	memcpy(text, tag, sizeof tag);
	memcpy(text + sizeof tag, sender, n_sender + 1);
	memcpy(text + sizeof tag + n_sender + 1, user, n_user);
	keyedhash(hash_key, text, sizeof tag + n_sender + 1 + n_user, hash);
	return make_key(REPUTATION_PAIR, hash, sizeof hash, ret_key);
}

enum reputation_kind
reputation_key_kind(const struct store_bytes *key)
{
	size_t length = key->length - 1;
	uint8_t kind;
	bool good = false;

	if (key->length < 2 || key->length > REPUTATION_KEY_MAX)
		return 0;
	kind = ((const uint8_t *)key->data)[length];
	switch (kind) {
	case REPUTATION_NETWORK: good = length == NETWORK_IPV4 || length == NETWORK_IPV6; break;
	case REPUTATION_PAIR: good = length == KEYEDHASH_SIZE; break;
	case REPUTATION_NAME:
	case REPUTATION_AUTH:
	case REPUTATION_CORRESPONDENT: good = !memchr(key->data, '\0', length); break;
	}
	return good ? (enum reputation_kind)kind : 0;
}

bool
reputation_key_network(const struct store_bytes *key, struct prefix *ret_network)
{
	struct address address = {.family = ADDRESS_IPV4};

	if (reputation_key_kind(key) != REPUTATION_NETWORK)
		return false;
	if (key->length - 1 == NETWORK_IPV6)
		address.family = ADDRESS_IPV6;
	memcpy(address.bytes, key->data, key->length - 1);
	*ret_network = prefix_of(&address, 32, 64);
	return true;
}

/* -- records -- */

static void
take_field(struct record_reader *reader, const struct record_field *f, struct reputation *r)
{
	uint64_t number;

	/* Unknown fields may be of any length. */
	if (f->tag < TAG_HAM || f->tag > TAG_IN_HOUR)
		return;
	number = record_number(reader, f);
	if (number >> TIME_BITS)
		reader->broken = true;
	switch (f->tag) {
	case TAG_HAM: r->ham = (uint32_t)number; break;
	case TAG_SPAM: r->spam = (uint32_t)number; break;
	case TAG_AT: r->at = (int64_t)number; break;
	case TAG_FIRST: r->first = (int64_t)number; break;
	case TAG_LAST: r->last = (int64_t)number; break;
	case TAG_LAST_HAM: r->last_ham = (int64_t)number; break;
	case TAG_HOUR: r->hour = (uint32_t)number; break;
	case TAG_IN_HOUR: r->in_hour = (uint32_t)number; break;
	}
}

bool
reputation_decode(const struct store_bytes *bytes, struct reputation *ret_reputation)
{
	struct record_reader reader;
	struct record_field f;
	struct reputation r = {0};
	uint8_t version;

	record_reader_init(&reader, bytes->data, bytes->length, &version);
	while (record_next(&reader, &f))
		take_field(&reader, &f, &r);
	if (reader.broken || (uint64_t)r.ham + r.spam > SUM_MAX)
		return false;
	*ret_reputation = r;
	return true;
}

static void
write_some(struct record_writer *w, uint8_t tag, uint64_t number)
{
	if (number)
		record_write_number(w, tag, number);
}

size_t
reputation_encode(const struct reputation *r, uint8_t ret_bytes[REPUTATION_RECORD_MAX])
{
	struct record_writer w;

	record_writer_init(&w, ret_bytes, REPUTATION_RECORD_MAX);
	record_write_version(&w, REPUTATION_VERSION);
	write_some(&w, TAG_HAM, r->ham);
	write_some(&w, TAG_SPAM, r->spam);
	write_some(&w, TAG_AT, (uint64_t)r->at);
	write_some(&w, TAG_FIRST, (uint64_t)r->first);
	write_some(&w, TAG_LAST, (uint64_t)r->last);
	write_some(&w, TAG_LAST_HAM, (uint64_t)r->last_ham);
	write_some(&w, TAG_HOUR, r->hour);
	write_some(&w, TAG_IN_HOUR, r->in_hour);
	return w.used;
}

int64_t
reputation_expires(const struct reputation_rules *rules, enum reputation_kind kind,
    const struct reputation *reputation)
{
	bool contact = kind == REPUTATION_PAIR || kind == REPUTATION_CORRESPONDENT;

	return reputation->last + 1 +
	       (contact ? rules->lifetime : FORGET_HALF_LIVES * rules->half_life);
}

/* -- sums -- */

/* What is left of 1 after so many seconds. */
static double
left_after(const struct reputation_rules *rules, int64_t seconds)
{
	return seconds <= 0 ? 1 : exp2(-(double)seconds / (double)rules->half_life);
}

static uint32_t
scaled(uint32_t sum, double by)
{
	return (uint32_t)lround((double)sum * by);
}

struct reputation
reputation_decayed(
    const struct reputation_rules *rules, const struct reputation *reputation, int64_t now)
{
	struct reputation r = *reputation;
	int64_t seconds = now - r.at;

	if (seconds >= 0 && seconds < DECAY_INTERVAL)
		return r;
	r.ham = scaled(r.ham, left_after(rules, seconds));
	r.spam = scaled(r.spam, left_after(rules, seconds));
	r.at = now;
	return r;
}

static bool
take_back(struct reputation *r, bool spam, uint32_t weight)
{
	uint32_t *sum = spam ? &r->spam : &r->ham;

	*sum -= MIN(*sum, weight);
	if (!spam && r->ham < NOTHING)
		r->last_ham = 0;
	return true;
}

/* Whether this message still counts in its hour. */
static bool
counts_in_hour(struct reputation *r, int64_t now)
{
	uint32_t hour = (uint32_t)(now / 3600);

	if (r->hour != hour) {
		r->hour = hour;
		r->in_hour = 0;
	}
	if (r->in_hour >= REPUTATION_HOURLY)
		return false;
	r->in_hour++;
	return true;
}

static void
add_weight(struct reputation *r, bool spam, uint32_t weight)
{
	uint32_t total;

	*(spam ? &r->spam : &r->ham) += weight;
	total = r->ham + r->spam;
	if (total > SUM_MAX) {
		r->ham = (uint32_t)((uint64_t)r->ham * SUM_MAX / total);
		r->spam = (uint32_t)((uint64_t)r->spam * SUM_MAX / total);
	}
}

/* That ham was seen is kept, though it may not count; written once an hour at most. */
static bool
saw_ham(struct reputation *r, int64_t now)
{
	if (now >= r->last_ham && now - r->last_ham < 3600)
		return false;
	r->last_ham = now;
	return true;
}

bool
reputation_add(const struct reputation_rules *rules, const struct reputation *old,
    const struct reputation_verdict *verdict, int64_t now, struct reputation *ret_reputation)
{
	struct reputation r = {.at = now, .first = now};
	uint32_t weight = scaled(REPUTATION_MESSAGE, left_after(rules, now - verdict->time));
	bool changed = false;

	if (!old && verdict->back)
		return false;
	if (old)
		r = reputation_decayed(rules, old, now);
	if (verdict->back) {
		changed = take_back(&r, verdict->spam, weight);
	} else {
		if (!verdict->spam)
			changed = saw_ham(&r, now);
		if (counts_in_hour(&r, now)) {
			add_weight(&r, verdict->spam, weight);
			changed = true;
		}
		r.last = now;
	}
	if (changed)
		*ret_reputation = r;
	return changed;
}

bool
reputation_written_to(const struct reputation_rules *rules, const struct reputation *old,
    int64_t now, struct reputation *ret_reputation)
{
	if (old && now >= old->last && now - old->last < rules->lifetime / 24)
		return false;
	*ret_reputation =
	    (struct reputation){.first = old ? MIN(old->first, now) : now, .last = now};
	return true;
}
