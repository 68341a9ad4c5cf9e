/*
 * Key: 04 and four bytes, or 06 and the first eight of the address. Record (db/record.h), three
 * passes, the last at 1795000000: 01  01 01 03  02 04 6a fd 86 c0
 */
#include "config.h"

#include "policyd/decide/client.h"

#include <string.h>

#include "db/record.h"

#define CLIENT_VERSION 1

enum client_tag { TAG_PASSES = 1, TAG_COUNTED };

struct prefix
client_trusted(const struct address *address)
{
	return prefix_of(address, 32, 64);
}

size_t
client_key(const struct address *address, uint8_t ret_key[CLIENT_KEY_MAX])
{
	size_t size = address->family == ADDRESS_IPV6 ? 8 : 4;

	ret_key[0] = address->family;
	memcpy(ret_key + 1, address->bytes, size);
	return size + 1;
}

bool
client_key_decode(const struct store_bytes *key, struct prefix *ret_client)
{
	const uint8_t *bytes = key->data;
	struct address address = {0};

	if (!((key->length == 5 && bytes[0] == ADDRESS_IPV4) ||
		(key->length == 9 && bytes[0] == ADDRESS_IPV6)))
		return false;
	address.family = bytes[0];
	memcpy(address.bytes, bytes + 1, key->length - 1);
	*ret_client = client_trusted(&address);
	return true;
}

bool
client_decode(const struct store_bytes *bytes, struct client *ret_client)
{
	struct record_reader reader;
	struct record_field f;
	struct client client = {0};
	uint8_t version;

	record_reader_init(&reader, bytes->data, bytes->length, &version);
	if (version == 0)
		return false;
	while (record_next(&reader, &f)) {
		switch (f.tag) {
		case TAG_PASSES: client.passes = (uint32_t)record_number(&reader, &f); break;
		case TAG_COUNTED: client.counted = (int64_t)record_number(&reader, &f); break;
		}
	}
	if (reader.broken || client.counted < 0 || client.counted >> 40)
		return false;
	*ret_client = client;
	return true;
}

size_t
client_encode(const struct client *client, uint8_t ret_bytes[CLIENT_RECORD_MAX])
{
	struct record_writer w;

	record_writer_init(&w, ret_bytes, CLIENT_RECORD_MAX);
	record_write_version(&w, CLIENT_VERSION);
	record_write_number(&w, TAG_PASSES, client->passes);
	record_write_number(&w, TAG_COUNTED, (uint64_t)client->counted);
	return w.used;
}

static bool
forgotten(const struct greylist_rules *rules, const struct client *client, int64_t now)
{
	return !client || now - client->counted > rules->lifetime;
}

bool
client_known(const struct greylist_rules *rules, const struct client *client, int64_t now)
{
	return rules->auto_whitelist_after && !forgotten(rules, client, now) &&
	       client->passes >= rules->auto_whitelist_after;
}

bool
client_pass(const struct greylist_rules *rules, const struct client *client, int64_t now,
    struct client *ret_client)
{
	bool clock_went_back = client && client->counted > now;

	if (forgotten(rules, client, now)) {
		*ret_client = (struct client){.passes = 1, .counted = now};
		return true;
	}
	if (!clock_went_back && now - client->counted < CLIENT_COUNT_INTERVAL)
		return false;
	*ret_client = (struct client){
	    .passes = client->passes + (!clock_went_back && client->passes < UINT32_MAX),
	    .counted = now,
	};
	return true;
}

int64_t
client_expires(const struct greylist_rules *rules, const struct client *client)
{
	return client->counted + rules->lifetime + 1;
}
