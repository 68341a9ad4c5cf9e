/* Envelope addresses: a normalised one fits, has no capitals, and stays as it is. */
#include "config.h"

#include <stdint.h>
#include <string.h>
#include <glib.h>

#include "policyd/decide/envelope.h"

typedef size_t (*normalise_fn)(const char *, size_t, char[ENVELOPE_ADDRESS_SIZE]);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(normalise_fn normalise, const char *address, size_t size)
{
	char once[ENVELOPE_ADDRESS_SIZE], twice[ENVELOPE_ADDRESS_SIZE];
	size_t length = normalise(address, size, once);

	g_assert_cmpuint(length, <, sizeof once);
	g_assert_cmpuint(length, <=, size);
	g_assert_cmpuint(strlen(once), ==, length);
	for (size_t i = 0; i < length; i++)
		g_assert_false(g_ascii_isupper(once[i]));
	g_assert_cmpuint(normalise(once, length, twice), ==, length);
	g_assert_cmpstr(once, ==, twice);
	g_assert_null(strchr(envelope_domain(once), '@'));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check(envelope_sender, (const char *)data, size);
	check(envelope_recipient, (const char *)data, size);
	return 0;
}
