/* Any bytes as a packed value: refused, or a value that comes back when it is packed again. And any
 * bytes as a value. */
#include "config.h"

#include <string.h>
#include <glib.h>

#include "db/store.h"
#include "db/redis/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
round_trip(const void *value, size_t length)
{
	g_autoptr(GByteArray) packed = g_byte_array_new(), back = g_byte_array_new();

	redis_pack(value, length, packed);
	g_assert_true(redis_unpack(packed->data, packed->len, back));
	g_assert_cmpuint(back->len, ==, length);
	g_assert_true(!length || memcmp(back->data, value, length) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GByteArray) value = g_byte_array_new();

	if (redis_unpack(data, size, value)) {
		g_assert_cmpuint(value->len, <=, MAX(size, 4 * STORE_CELLS_MAX));
		round_trip(value->data, value->len);
	} else {
		g_assert_cmpuint(value->len, ==, 0);
	}
	round_trip(data, size);
	return 0;
}
