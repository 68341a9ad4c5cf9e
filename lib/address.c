#include "config.h"

#include "lib/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <glib.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static const struct {
	int inet;
	size_t size;
} families[] = {
    [ADDRESS_IPV4] = {AF_INET, 4},
    [ADDRESS_IPV6] = {AF_INET6, 16},
};

size_t
address_size(const struct address *address)
{
	return families[address->family].size;
}

/* A host is the same, written as IPv4 or mapped into IPv6. */
static void
unmap(struct address *address)
{
	if (address->family != ADDRESS_IPV6 || memcmp(address->bytes, mapped, sizeof mapped) != 0)
		return;
	address->family = ADDRESS_IPV4;
	memmove(address->bytes, address->bytes + 12, 4);
	memset(address->bytes + 4, 0, 12);
}

bool
address_parse(const char *text, struct address *ret_address)
{
	struct address address = {.family = strchr(text, ':') ? ADDRESS_IPV6 : ADDRESS_IPV4};

	if (inet_pton(families[address.family].inet, text, address.bytes) != 1)
		return false;
	unmap(&address);
	*ret_address = address;
	return true;
}

const char *
address_format(const struct address *address, char buffer[ADDRESS_TEXT_SIZE])
{
	if (address->family == ADDRESS_NONE ||
	    !inet_ntop(families[address->family].inet, address->bytes, buffer, ADDRESS_TEXT_SIZE))
		g_strlcpy(buffer, "unknown", ADDRESS_TEXT_SIZE);
	return buffer;
}

bool
address_equal(const struct address *a, const struct address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, address_size(a)) == 0;
}

bool
address_is_loopback(const struct address *address)
{
	static const uint8_t one[16] = {[15] = 1};

	if (address->family == ADDRESS_IPV4)
		return address->bytes[0] == 127;
	return address->family == ADDRESS_IPV6 && memcmp(address->bytes, one, sizeof one) == 0;
}

/* Clears all bits past the first LENGTH. */
static void
mask(struct address *address, unsigned length)
{
	for (unsigned i = 0; i < address_size(address); i++) {
		unsigned bits = length > 8 * i ? MIN(length - 8 * i, 8) : 0;

		address->bytes[i] &= (uint8_t)(0xff00u >> bits);
	}
}

/* A prefix length: decimal digits alone, within the family's. */
static bool
parse_length(const char *text, unsigned maximum, uint8_t *ret_length)
{
	guint64 value;

	if (!g_ascii_string_to_unsigned(text, 10, 0, maximum, &value, NULL))
		return false;
	*ret_length = (uint8_t)value;
	return true;
}

bool
prefix_parse(const char *text, struct prefix *ret_prefix)
{
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	char address[ADDRESS_TEXT_SIZE];
	struct prefix prefix;
	struct address whole;
	bool was_mapped;
	unsigned bits;

	if (length >= sizeof address)
		return false;
	g_strlcpy(address, text, length + 1);
	if (!address_parse(address, &prefix.address))
		return false;
	/* ::ffff:192.0.2.0/120 is 192.0.2.0/24. */
	was_mapped = prefix.address.family == ADDRESS_IPV4 && strchr(address, ':');
	bits = was_mapped ? 128 : 8 * (unsigned)address_size(&prefix.address);
	prefix.length = (uint8_t)bits;
	if (slash && !parse_length(slash + 1, bits, &prefix.length))
		return false;
	if (was_mapped && prefix.length < 96)
		return false;
	if (was_mapped)
		prefix.length = (uint8_t)(prefix.length - 96);
	whole = prefix.address;
	mask(&prefix.address, prefix.length);
	if (!address_equal(&whole, &prefix.address))
		return false;
	*ret_prefix = prefix;
	return true;
}

const char *
prefix_format(const struct prefix *prefix, char buffer[PREFIX_TEXT_SIZE])
{
	char address[ADDRESS_TEXT_SIZE];

	address_format(&prefix->address, address);
	if (prefix->length == 8 * address_size(&prefix->address))
		g_strlcpy(buffer, address, PREFIX_TEXT_SIZE);
	else
		snprintf(buffer, PREFIX_TEXT_SIZE, "%s/%u", address, (unsigned)prefix->length);
	return buffer;
}

struct prefix
prefix_of(const struct address *address, unsigned ipv4_length, unsigned ipv6_length)
{
	unsigned length = address->family == ADDRESS_IPV6 ? ipv6_length : ipv4_length;
	struct prefix prefix = {.address = *address, .length = (uint8_t)length};

	mask(&prefix.address, length);
	return prefix;
}

bool
prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->length == b->length && address_equal(&a->address, &b->address);
}

bool
prefix_contains(const struct prefix *prefix, const struct address *address)
{
	struct address masked = *address;

	if (address->family != prefix->address.family)
		return false;
	mask(&masked, prefix->length);
	return address_equal(&masked, &prefix->address);
}

/* -- sets -- */

/* The prefixes by their value; LENGTHS says which lengths there are to try, longest first. */
struct prefix_set {
	GHashTable *prefixes; /* struct prefix */
	bool lengths[ADDRESS_IPV6 + 1][129];
};

static guint
prefix_hash(gconstpointer key)
{
	const struct prefix *prefix = key;
	guint hash = prefix->length * 31u + prefix->address.family;

	for (size_t i = 0; i < address_size(&prefix->address); i++)
		hash = hash * 31 + prefix->address.bytes[i];
	return hash;
}

static gboolean
prefix_key_equal(gconstpointer a, gconstpointer b)
{
	return prefix_equal(a, b);
}

struct prefix_set *
prefix_set_new(void)
{
	struct prefix_set *set = g_new0(struct prefix_set, 1);

	set->prefixes = g_hash_table_new_full(prefix_hash, prefix_key_equal, g_free, NULL);
	return set;
}

void
prefix_set_free(struct prefix_set *set)
{
	if (!set)
		return;
	g_hash_table_unref(set->prefixes);
	g_free(set);
}

void
prefix_set_add(struct prefix_set *set, const struct prefix *prefix)
{
	g_hash_table_add(set->prefixes, g_memdup2(prefix, sizeof *prefix));
	set->lengths[prefix->address.family][prefix->length] = true;
}

size_t
prefix_set_size(const struct prefix_set *set)
{
	return g_hash_table_size(set->prefixes);
}

bool
prefix_set_match(
    const struct prefix_set *set, const struct address *address, struct prefix *ret_prefix)
{
	for (int length = (int)(8 * address_size(address)); length >= 0; length--) {
		struct prefix prefix;

		if (!set->lengths[address->family][length])
			continue;
		prefix = prefix_of(address, (unsigned)length, (unsigned)length);
		if (g_hash_table_contains(set->prefixes, &prefix)) {
			*ret_prefix = prefix;
			return true;
		}
	}
	return false;
}
