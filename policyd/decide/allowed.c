/* Record (db/record.h), allowed at 1795000000 for an hour: 01  01 04 6a fd 86 c0  02 04 6a fd 94 d0
 */
#include "config.h"

#include "policyd/decide/allowed.h"

#include <string.h>

#include "db/record.h"

#define ALLOWED_VERSION 1

enum allowed_tag { TAG_SINCE = 1, TAG_UNTIL };

/* Exceptions are made by hand: more than so many are a mistake. */
#define ALLOWED_STEP 100000

bool
allowed_decode(const struct store_bytes *bytes, struct allowed_entry *ret_entry)
{
	struct allowed_entry entry = {0};
	struct record_reader reader;
	struct record_field f;
	uint8_t version;

	record_reader_init(&reader, bytes->data, bytes->length, &version);
	while (record_next(&reader, &f)) {
		switch (f.tag) {
		case TAG_SINCE: entry.since = (int64_t)record_number(&reader, &f); break;
		case TAG_UNTIL: entry.until = (int64_t)record_number(&reader, &f); break;
		}
	}
	if (version == 0 || reader.broken)
		return false;
	*ret_entry = entry;
	return true;
}

size_t
allowed_encode(const struct allowed_entry *entry, uint8_t ret_bytes[ALLOWED_RECORD_MAX])
{
	struct record_writer w;

	record_writer_init(&w, ret_bytes, ALLOWED_RECORD_MAX);
	record_write_version(&w, ALLOWED_VERSION);
	record_write_number(&w, TAG_SINCE, (uint64_t)entry->since);
	if (entry->until)
		record_write_number(&w, TAG_UNTIL, (uint64_t)entry->until);
	return w.used;
}

/* What a daemon can match it by; an address names no client. */
static bool
add_to(struct whitelist *clients, struct whitelist *senders, const char *key)
{
	struct prefix prefix;
	bool added = !strchr(key, '@') && whitelist_add(clients, key, NULL);

	if (!prefix_parse(key, &prefix))
		added |= whitelist_add(senders, key, NULL);
	return added;
}

bool
allowed_is_key(const char *key)
{
	struct whitelist *clients = whitelist_new(WHITELIST_CLIENTS);
	struct whitelist *senders = whitelist_new(WHITELIST_ADDRESSES);
	bool good = add_to(clients, senders, key);

	whitelist_free(clients);
	whitelist_free(senders);
	return good;
}

bool
allowed_parse(const char *text, char **ret_key, GError **error)
{
	struct selector selector;
	char buffer[PREFIX_TEXT_SIZE];
	const char *key = selector.text[SELECTOR_SENDER];

	if (!selector_parse(text, ALLOWED_KINDS, &selector, error))
		return false;
	if (selector.kind == SELECTOR_NETWORK)
		key = prefix_format(&selector.network, buffer);
	if (strlen(key) > STORE_KEY_MAX || !allowed_is_key(key)) {
		g_set_error(error, SELECTOR_ERROR, 0,
		    "\"%s\" cannot be exempted: it is too long, or has a space in it", text);
		return false;
	}
	*ret_key = g_strdup(key);
	return true;
}

struct scan {
	struct store *store;
	struct store_cursor cursor;
	struct allowed *allowed;
	int64_t now;
	unsigned timeout;
	allowed_fn done;
	void *context;
};

static void
take_up_expected(struct scan *scan, const struct store_bytes *key, const struct store_bytes *value)
{
	struct expected_entry entry;

	if (expected_decode(key, value, &entry) && entry.until > scan->now)
		expected_add(scan->allowed->expected, &entry);
}

static bool
take_up(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	struct scan *scan = context;
	struct allowed_entry entry;
	g_autofree char *text = NULL;

	if (expected_is_key(key)) {
		take_up_expected(scan, key, value);
		return true;
	}
	text = g_strndup(key->data, key->length);
	if (!allowed_decode(value, &entry) || (entry.until && entry.until <= scan->now))
		return true;
	add_to(scan->allowed->clients, scan->allowed->senders, text);
	return true;
}

static void step(struct scan *scan);

static void
scanned(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct scan *scan = context;

	if (result == STORE_OK && !scan->cursor.end) {
		step(scan);
		return;
	}
	if (result != STORE_OK)
		g_clear_pointer(&scan->allowed, allowed_free);
	scan->done(scan->context, scan->allowed);
	g_free(scan);
}

static void
step(struct scan *scan)
{
	struct store_call call = {.timeout = scan->timeout, .done = scanned, .context = scan};

	store_scan(scan->store, STORE_ALLOWED, &scan->cursor, ALLOWED_STEP, take_up, &call);
}

void
allowed_read(struct store *store, int64_t now, unsigned timeout, allowed_fn done, void *context)
{
	struct scan *scan = g_new0(struct scan, 1);

	*scan = (struct scan){
	    .store = store,
	    .allowed = g_new0(struct allowed, 1),
	    .now = now,
	    .timeout = timeout,
	    .done = done,
	    .context = context,
	};
	scan->allowed->clients = whitelist_new(WHITELIST_CLIENTS);
	scan->allowed->senders = whitelist_new(WHITELIST_ADDRESSES);
	scan->allowed->expected = expected_new(store_hash_key(store));
	step(scan);
}

void
allowed_free(struct allowed *allowed)
{
	if (!allowed)
		return;
	whitelist_free(allowed->clients);
	whitelist_free(allowed->senders);
	expected_free(allowed->expected);
	g_free(allowed);
}
