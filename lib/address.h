/*
 * Network addresses and prefixes, as values.
 *
 * An IPv4 address that comes mapped into IPv6 (::ffff:192.0.2.1) is the IPv4
 * address: Postfix and the kernel write one host in either way.
 */
#ifndef GREYLAG_LIB_ADDRESS_H
#define GREYLAG_LIB_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum address_family {
	ADDRESS_NONE = 0,
	ADDRESS_IPV4 = 4,
	ADDRESS_IPV6 = 6,
};

struct address {
	uint8_t family;    /* enum address_family */
	uint8_t bytes[16]; /* network order; IPv4 uses the first four, the rest is 0 */
};

/* A network: all bits of the address past the length are 0. */
struct prefix {
	struct address address;
	uint8_t length; /* bits: 0..32 or 0..128 */
};

/* Room for the longest text of address_format() and prefix_format(), NUL included. */
#define ADDRESS_TEXT_SIZE 46
#define PREFIX_TEXT_SIZE  50

/* Parses a literal IPv4 or IPv6 address, the whole of TEXT. No names, no octal, no white space. */
bool address_parse(const char *text, struct address *ret_address);

/* Writes the address as inet_ntop(3) does; "unknown" for no address. Returns BUFFER. */
const char *address_format(const struct address *address, char buffer[ADDRESS_TEXT_SIZE]);

bool address_equal(const struct address *a, const struct address *b);
bool address_is_loopback(const struct address *address);

/* The number of bytes in the address: 0, 4 or 16. */
size_t address_size(const struct address *address);

/* Parses ADDRESS or ADDRESS/LENGTH. Host bits that are set are an error. */
bool prefix_parse(const char *text, struct prefix *ret_prefix);
const char *prefix_format(const struct prefix *prefix, char buffer[PREFIX_TEXT_SIZE]);

/* The network of ADDRESS, IPV4_LENGTH or IPV6_LENGTH bits long by its family. */
struct prefix prefix_of(const struct address *address, unsigned ipv4_length, unsigned ipv6_length);

bool prefix_equal(const struct prefix *a, const struct prefix *b);
bool prefix_contains(const struct prefix *prefix, const struct address *address);

/*
 * A set of prefixes, made for many look-ups: the time depends on the number of
 * different prefix lengths, not on the number of prefixes.
 */
struct prefix_set;

struct prefix_set *prefix_set_new(void);
void prefix_set_free(struct prefix_set *set);
void prefix_set_add(struct prefix_set *set, const struct prefix *prefix);
size_t prefix_set_size(const struct prefix_set *set);

/* Finds the longest prefix in the set that contains ADDRESS. */
bool prefix_set_match(
    const struct prefix_set *set, const struct address *address, struct prefix *ret_prefix);

#endif
