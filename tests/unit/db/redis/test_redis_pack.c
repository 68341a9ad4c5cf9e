#include "config.h"

#include <string.h>
#include <glib.h>

#include "db/store.h"
#include "db/redis/pack.h"
#include "tests/unit/db/bytes.h"

static void
test_form(void)
{
	static const struct {
		const char *value;
		size_t length;
		const char *packed;
		size_t packed_length;
	} rows[] = {
	    {"", 0, "\1\0", 2},
	    {"\0\0\0\0\0\0\0\0\0\0\0\5\xff\xff\xff\xff\0\0\0\0", 20, "\1\5\2\x0a\0\1", 6},
	    {"\0\0\0\0", 4, "\1\1", 2},
	    {"\x80\0\0\0", 4, "\1\1\0\xff\xff\xff\xff\x0f", 8},
	    {"\x7f\xff\xff\xff", 4, "\1\1\0\xfe\xff\xff\xff\x0f", 8},
	    {"odd", 3, "\0odd", 4},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GByteArray) packed = g_byte_array_new(), back = g_byte_array_new();

		redis_pack(rows[i].value, rows[i].length, packed);
		assert_same_bytes(packed->data, packed->len, rows[i].packed, rows[i].packed_length);
		g_assert_true(redis_unpack(packed->data, packed->len, back));
		assert_same_bytes(back->data, back->len, rows[i].value, rows[i].length);
	}
}

static void
test_refused(void)
{
	static const struct {
		const char *bytes;
		size_t length;
	} rows[] = {
	    {"", 0},
	    {"\2\0", 2},         /* of another form */
	    {"\1", 1},           /* no number of cells */
	    {"\1\xfd\7", 3},     /* 1,021 cells */
	    {"\1\2\2\2", 4},     /* a cell past the end */
	    {"\1\2\1\2\0\2", 6}, /* and another behind the last */
	    {"\1\2\0", 3},       /* cut short */
	    {"\1\2\0\0", 4},     /* a zero that is said */
	    {"\1\2\0\xff\xff\xff\xff\x1f", 8},
	    {"\1\2\xff\xff\xff\xff\x0f\2", 8},
	};
	g_autoptr(GByteArray) value = g_byte_array_new();

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_assert_false(redis_unpack(rows[i].bytes, rows[i].length, value));
		g_assert_cmpuint(value->len, ==, 0);
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/redis-pack/cells-have-the-form-that-is-documented", test_form);
	g_test_add_func("/redis-pack/what-is-malformed-is-refused", test_refused);
	return g_test_run();
}
