/* Record (db/record.h), of bank.example to bob@example.net, at 1795000000 for 15 minutes:
 *
 *	01  01 04 6a fd 86 c0  02 04 6a fd 8a 44
 *	    03 0c 62 61 ... 65  04 0f 62 6f ... 74
 *
 * Both addresses are left out where they are not to be kept: the key has their hashes.
 */
#include "config.h"

#include "policyd/decide/expected.h"

#include <string.h>

#include "db/record.h"

#define EXPECTED_VERSION 1

enum expected_tag { TAG_SINCE = 1, TAG_UNTIL, TAG_SENDER, TAG_RECIPIENT };

/* -- records -- */

bool
expected_is_key(const struct store_bytes *key)
{
	return key->length == EXPECTED_KEY_SIZE && *(const uint8_t *)key->data == 0;
}

static void
address_hash(const uint8_t hash_key[KEYEDHASH_KEY_SIZE], const struct store_bytes *address,
    bool hashed, uint8_t ret_hash[TRIPLET_ADDRESS_HASH_SIZE])
{
	g_autofree char *text = NULL;

	if (address->length == 0) {
		memset(ret_hash, 0, TRIPLET_ADDRESS_HASH_SIZE);
	} else if (hashed) {
		memcpy(ret_hash, address->data, TRIPLET_ADDRESS_HASH_SIZE);
	} else {
		text = g_strndup(address->data, address->length);
		triplet_address_hash(hash_key, text, ret_hash);
	}
}

void
expected_key(const uint8_t hash_key[KEYEDHASH_KEY_SIZE], const struct expected_entry *entry,
    uint8_t ret_key[EXPECTED_KEY_SIZE])
{
	ret_key[0] = 0;
	address_hash(hash_key, &entry->sender, entry->hashed, ret_key + 1);
	address_hash(
	    hash_key, &entry->recipient, entry->hashed, ret_key + 1 + TRIPLET_ADDRESS_HASH_SIZE);
}

static void
take_hashes(const struct store_bytes *key, struct expected_entry *entry)
{
	static const uint8_t anybody[TRIPLET_ADDRESS_HASH_SIZE];
	const uint8_t *sender = (const uint8_t *)key->data + 1;
	const uint8_t *recipient = sender + TRIPLET_ADDRESS_HASH_SIZE;

	entry->hashed = true;
	entry->sender = (struct store_bytes){sender, TRIPLET_ADDRESS_HASH_SIZE};
	entry->recipient = (struct store_bytes){NULL, 0};
	if (memcmp(recipient, anybody, sizeof anybody) != 0)
		entry->recipient = (struct store_bytes){recipient, TRIPLET_ADDRESS_HASH_SIZE};
}

bool
expected_decode(const struct store_bytes *key, const struct store_bytes *value,
    struct expected_entry *ret_entry)
{
	struct expected_entry entry = {0};
	struct record_reader reader;
	struct record_field f;
	uint8_t version;

	record_reader_init(&reader, value->data, value->length, &version);
	while (record_next(&reader, &f)) {
		struct store_bytes field = {f.bytes, f.length};

		switch (f.tag) {
		case TAG_SINCE: entry.since = (int64_t)record_number(&reader, &f); break;
		case TAG_UNTIL: entry.until = (int64_t)record_number(&reader, &f); break;
		case TAG_SENDER: entry.sender = field; break;
		case TAG_RECIPIENT: entry.recipient = field; break;
		}
	}
	if (version == 0 || reader.broken || !expected_is_key(key) || entry.since < 0 ||
	    entry.until <= 0 || entry.sender.length >= ENVELOPE_ADDRESS_SIZE ||
	    entry.recipient.length >= ENVELOPE_ADDRESS_SIZE)
		return false;
	if (!entry.sender.length)
		take_hashes(key, &entry);
	*ret_entry = entry;
	return true;
}

size_t
expected_encode(const struct expected_entry *entry, uint8_t ret_bytes[EXPECTED_RECORD_MAX])
{
	struct record_writer w;

	record_writer_init(&w, ret_bytes, EXPECTED_RECORD_MAX);
	record_write_version(&w, EXPECTED_VERSION);
	record_write_number(&w, TAG_SINCE, (uint64_t)entry->since);
	record_write_number(&w, TAG_UNTIL, (uint64_t)entry->until);
	if (!entry->hashed) {
		record_write_bytes(&w, TAG_SENDER, entry->sender.data, entry->sender.length);
		if (entry->recipient.length)
			record_write_bytes(
			    &w, TAG_RECIPIENT, entry->recipient.data, entry->recipient.length);
	}
	return w.used;
}

bool
expected_parse(
    const char *text, enum selector_side side, char ret_text[ENVELOPE_ADDRESS_SIZE], GError **error)
{
	struct selector selector;

	if (!selector_parse(text, SELECTOR_ADDRESS | SELECTOR_DOMAIN, &selector, error))
		return false;
	g_strlcpy(ret_text, selector.text[side], ENVELOPE_ADDRESS_SIZE);
	return true;
}

/* -- those in force -- */

struct expectation {
	uint64_t recipient;
	bool anybody;
	char *text;
};

struct expected {
	uint8_t hash_key[KEYEDHASH_KEY_SIZE];
	GHashTable *senders; /* of the hash of a sender: GArray of struct expectation */
};

static void
clear_expectation(gpointer data)
{
	struct expectation *e = data;

	g_free(e->text);
}

static void
free_list(gpointer data)
{
	g_array_unref(data);
}

struct expected *
expected_new(const uint8_t hash_key[KEYEDHASH_KEY_SIZE])
{
	struct expected *expected = g_new0(struct expected, 1);

	memcpy(expected->hash_key, hash_key, KEYEDHASH_KEY_SIZE);
	expected->senders = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, free_list);
	return expected;
}

void
expected_free(struct expected *expected)
{
	if (!expected)
		return;
	g_hash_table_unref(expected->senders);
	g_free(expected);
}

static uint64_t
hash_of(const struct expected *expected, const char *address)
{
	uint64_t hash;

	triplet_address_hash(expected->hash_key, address, (uint8_t *)&hash);
	return hash;
}

static char *
describe(const struct expected_entry *entry)
{
	g_autoptr(GDateTime) until = g_date_time_new_from_unix_utc(entry->until);
	g_autofree char *time = until ? g_date_time_format(until, "%FT%TZ") : NULL;
	g_autoptr(GString) text = g_string_new(NULL);

	if (!entry->hashed) {
		g_string_append_len(text, entry->sender.data, (gssize)entry->sender.length);
		if (entry->recipient.length) {
			g_string_append(text, " for ");
			g_string_append_len(
			    text, entry->recipient.data, (gssize)entry->recipient.length);
		}
		g_string_append_c(text, ' ');
	}
	g_string_append_printf(text, "until %s", time ? time : "?");
	return g_string_free(g_steal_pointer(&text), FALSE);
}

void
expected_add(struct expected *expected, const struct expected_entry *entry)
{
	uint8_t key[EXPECTED_KEY_SIZE];
	struct expectation e = {.anybody = !entry->recipient.length, .text = describe(entry)};
	uint64_t sender;
	GArray *list;

	G_STATIC_ASSERT(sizeof sender == TRIPLET_ADDRESS_HASH_SIZE);
	expected_key(expected->hash_key, entry, key);
	memcpy(&sender, key + 1, sizeof sender);
	memcpy(&e.recipient, key + 1 + sizeof sender, sizeof e.recipient);
	list = g_hash_table_lookup(expected->senders, &sender);
	if (!list) {
		list = g_array_new(FALSE, FALSE, sizeof(struct expectation));
		g_array_set_clear_func(list, clear_expectation);
		g_hash_table_insert(expected->senders, g_memdup2(&sender, sizeof sender), list);
	}
	g_array_append_val(list, e);
}

/* Whom a delivery is for: its recipient, and the domains that it lies in. */
#define RECIPIENT_HASHES 16

struct recipients {
	uint64_t hashes[RECIPIENT_HASHES];
	unsigned n;
};

static struct recipients
recipients_of(const struct expected *expected, const char *recipient)
{
	struct recipients r = {.hashes = {hash_of(expected, recipient)}, .n = 1};

	for (const char *p = envelope_domain(recipient); p && *p && r.n < RECIPIENT_HASHES;
	     p = strchr(p, '.')) {
		p += *p == '.';
		r.hashes[r.n++] = hash_of(expected, p);
	}
	return r;
}

static bool
is_for(const struct expectation *e, const struct recipients *recipients)
{
	bool found = e->anybody;

	for (unsigned i = 0; i < recipients->n; i++)
		found |= e->recipient == recipients->hashes[i];
	return found;
}

static const char *
match_sender(
    const struct expected *expected, const char *sender, const struct recipients *recipients)
{
	uint64_t hash = hash_of(expected, sender);
	const GArray *list = g_hash_table_lookup(expected->senders, &hash);

	for (guint i = 0; list && i < list->len; i++) {
		const struct expectation *e = &g_array_index(list, struct expectation, i);

		if (is_for(e, recipients))
			return e->text;
	}
	return NULL;
}

/* The domain, and those that it lies in. */
static const char *
match_domain(
    const struct expected *expected, const char *domain, const struct recipients *recipients)
{
	g_autofree char *folded = g_ascii_strdown(domain, -1);
	const char *found = NULL;

	for (const char *p = folded; p && *p && !found; p = strchr(p, '.')) {
		p += *p == '.';
		found = match_sender(expected, p, recipients);
	}
	return found;
}

const char *
expected_match(const struct expected *expected, const struct delivery *delivery)
{
	struct recipients recipients;
	const char *found;

	if (g_hash_table_size(expected->senders) == 0)
		return NULL;
	recipients = recipients_of(expected, delivery->recipient_key);
	found = match_sender(expected, delivery->sender_key, &recipients);
	if (!found)
		found = match_domain(expected, envelope_domain(delivery->sender_key), &recipients);
	if (!found && delivery->name)
		found = match_domain(expected, delivery->name, &recipients);
	return found;
}
