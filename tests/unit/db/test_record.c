#include "config.h"

#include <string.h>
#include <glib.h>

#include "tests/unit/db/bytes.h"
#include "db/record.h"

static void
test_example(void)
{
	/* That of the header. */
	static const uint8_t expected[] = {1, 1, 2, 1, 0x2c, 2, 3, 'a', '@', 'b'};
	uint8_t bytes[32];
	struct record_writer writer;

	record_writer_init(&writer, bytes, sizeof bytes);
	record_write_version(&writer, 1);
	record_write_number(&writer, 1, 300);
	record_write_bytes(&writer, 2, "a@b", 3);
	g_assert_false(writer.full);
	assert_same_bytes(bytes, writer.used, expected, sizeof expected);
}

static void
test_numbers(void)
{
	static const struct {
		uint64_t number;
		size_t length;
	} rows[] = {{0, 0}, {1, 1}, {255, 1}, {256, 2}, {65535, 2}, {1795000000, 4},
	    {UINT64_C(1) << 32, 5}, {UINT64_MAX >> 8, 7}, {UINT64_MAX, 8}};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		uint8_t bytes[16];
		struct record_writer writer;
		struct record_reader reader;
		struct record_field field;
		uint8_t version;

		record_writer_init(&writer, bytes, sizeof bytes);
		record_write_version(&writer, 7);
		record_write_number(&writer, 9, rows[i].number);
		record_reader_init(&reader, bytes, writer.used, &version);
		g_assert_cmpuint(version, ==, 7);
		g_assert_true(record_next(&reader, &field));
		g_assert_cmpuint(field.tag, ==, 9);
		g_assert_cmpuint(field.length, ==, rows[i].length);
		g_assert_true(record_number(&reader, &field) == rows[i].number);
		g_assert_false(record_next(&reader, &field));
		g_assert_false(reader.broken);
	}
}

static void
test_lengths(void)
{
	static const size_t lengths[] = {0, 1, 254, 255, 256, 65534, 65535};
	g_autofree uint8_t *bytes = g_malloc(70000), *value = g_malloc0(65535);

	for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
		struct record_writer writer;
		struct record_reader reader;
		struct record_field field;
		uint8_t version;

		record_writer_init(&writer, bytes, 70000);
		record_write_version(&writer, 1);
		record_write_bytes(&writer, 3, value, lengths[i]);
		record_write_bytes(&writer, 4, "z", 1);
		g_assert_cmpuint(writer.used, ==, 1 + lengths[i] + (lengths[i] < 255 ? 2 : 4) + 3);
		record_reader_init(&reader, bytes, writer.used, &version);
		g_assert_true(record_next(&reader, &field));
		assert_same_bytes(field.bytes, field.length, value, lengths[i]);
		g_assert_true(record_next(&reader, &field));
		assert_same_bytes(field.bytes, field.length, "z", 1);
	}
}

/* A field goes in whole or not at all, at every size of the memory. */
static void
test_full(void)
{
	uint8_t bytes[300], value[256] = {0};

	for (size_t size = 0; size < 264; size++) {
		struct record_writer writer;

		memset(bytes, 0xee, sizeof bytes);
		record_writer_init(&writer, bytes, size);
		record_write_version(&writer, 1);
		record_write_bytes(&writer, 1, value, 255);
		record_write_number(&writer, 2, 1);
		g_assert_cmpint(writer.full, ==, size < 1 + 4 + 255 + 3);
		g_assert_cmpuint(writer.used, <=, size);
		for (size_t i = size; i < sizeof bytes; i++)
			g_assert_cmpuint(bytes[i], ==, 0xee);
	}
}

static void
test_longest_field(void)
{
	g_autofree uint8_t *big = g_malloc0(70000);
	struct record_writer writer;

	record_writer_init(&writer, big, 70000);
	record_write_bytes(&writer, 1, big, RECORD_FIELD_MAX + 1);
	g_assert_true(writer.full);
	g_assert_cmpuint(writer.used, ==, 0);
}

static void
test_broken(void)
{
	static const struct {
		const char *bytes;
		size_t length;
		unsigned fields; /* before the fault */
		bool broken;
	} rows[] = {
	    {"", 0, 0, true},
	    {"\x00", 1, 0, true},
	    {"\x00\x01\x00", 3, 0, true},
	    {"\x01", 1, 0, false},
	    {"\x01\x05", 2, 0, true},
	    {"\x01\x05\x00", 3, 1, false},
	    {"\x01\x05\x02z", 4, 0, true},
	    {"\x01\x05\x01z\x06", 5, 1, true},
	    {"\x01\x05\x01z\x06\xff", 6, 1, true},
	    {"\x01\x05\x01z\x06\xff\x00", 7, 1, true},
	    {"\x01\x05\x01z\x06\xff\x00\x00", 8, 2, false},
	    {"\x01\x05\x01z\x06\xff\xff\xff", 8, 1, true},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct record_reader reader;
		struct record_field field = {.tag = 99};
		unsigned fields = 0;
		uint8_t version;

		g_test_message("row %zu", i);
		record_reader_init(&reader, rows[i].bytes, rows[i].length, &version);
		while (record_next(&reader, &field))
			fields++;
		g_assert_cmpuint(fields, ==, rows[i].fields);
		g_assert_cmpint(reader.broken, ==, rows[i].broken);
		g_assert_false(record_next(&reader, &field));
		g_assert_cmpint(reader.broken, ==, rows[i].broken);
	}
}

static void
test_wide_number(void)
{
	struct record_reader reader = {0};
	struct record_field field = {
	    .tag = 1, .bytes = (const uint8_t *)"\1\1\1\1\1\1\1\1\1", .length = 9};

	g_assert_true(record_number(&reader, &field) == 0);
	g_assert_true(reader.broken);
}

static void
test_nested(void)
{
	uint8_t inner[16], outer[32];
	struct record_writer w, nested;
	struct record_reader reader, r;
	struct record_field field;
	uint8_t version;

	record_writer_init(&nested, inner, sizeof inner);
	record_write_number(&nested, 1, 5);
	record_write_number(&nested, 1, 6);
	record_writer_init(&w, outer, sizeof outer);
	record_write_version(&w, 1);
	record_write_bytes(&w, 200, inner, nested.used);
	record_reader_init(&reader, outer, w.used, &version);
	g_assert_true(record_next(&reader, &field));
	record_reader_nested(&r, &field);
	for (uint64_t n = 5; n <= 6; n++) {
		g_assert_true(record_next(&r, &field));
		g_assert_true(record_number(&r, &field) == n);
	}
	g_assert_false(record_next(&r, &field));
	g_assert_false(r.broken);
	g_assert_false(record_next(&reader, &field));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/record/is-the-bytes-of-the-header's-example", test_example);
	g_test_add_func("/record/number-has-no-leading-zeros", test_numbers);
	g_test_add_func("/record/length-is-one-byte-or-three", test_lengths);
	g_test_add_func("/record/what-does-not-fit-is-not-begun", test_full);
	g_test_add_func("/record/field-over-64k-is-not-begun", test_longest_field);
	g_test_add_func("/record/fault-is-sticky-and-reads-no-further", test_broken);
	g_test_add_func("/record/number-over-eight-bytes-is-a-fault", test_wide_number);
	g_test_add_func("/record/groups-nest", test_nested);
	return g_test_run();
}
