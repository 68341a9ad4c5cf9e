/* Received fields as handovers: whatever they are, the name fits, and has nothing of the address.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>
#include <glib.h>

#include "classifier/features/origin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *value = g_strndup((const char *)data, size);
	struct address client = {.family = ADDRESS_NONE};
	char name[CLIENTNAME_SIZE];

	if (!origin_read_received(value, &client, name)) {
		g_assert_cmpint(client.family, ==, ADDRESS_NONE);
		return 0;
	}
	g_assert_cmpint(client.family, !=, ADDRESS_NONE);
	g_assert_cmpuint(strlen(name), <, sizeof name);
	g_assert_null(strpbrk(name, " \t\r\n[]"));
	return 0;
}
