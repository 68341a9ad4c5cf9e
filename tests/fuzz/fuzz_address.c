/*
 * Addresses and prefixes: what is accepted prints, and what is printed is accepted as the same.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>
#include <glib.h>

#include "lib/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_address(const char *text)
{
	struct address address, again;
	struct prefix network;
	char printed[ADDRESS_TEXT_SIZE];

	if (!address_parse(text, &address))
		return;
	g_assert_true(address_parse(address_format(&address, printed), &again));
	g_assert_true(address_equal(&address, &again));
	for (unsigned length = 0; length <= 8 * address_size(&address); length++) {
		network = prefix_of(&address, length, length);
		g_assert_true(prefix_contains(&network, &address));
	}
}

static void
check_prefix(const char *text)
{
	struct prefix_set *set;
	struct prefix prefix, again;
	char printed[PREFIX_TEXT_SIZE];

	if (!prefix_parse(text, &prefix))
		return;
	g_assert_true(prefix_parse(prefix_format(&prefix, printed), &again));
	g_assert_true(prefix_equal(&prefix, &again));
	g_assert_true(prefix_contains(&prefix, &prefix.address));
	set = prefix_set_new();
	prefix_set_add(set, &prefix);
	g_assert_true(prefix_set_match(set, &prefix.address, &again));
	g_assert_true(prefix_equal(&prefix, &again));
	prefix_set_free(set);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);

	check_address(text);
	check_prefix(text);
	return 0;
}
