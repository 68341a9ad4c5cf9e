/*
 * Records: fields lie inside the bytes, one after the other; those read without a fault and
 * written again are read as the same.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>
#include <glib.h>

#include "tests/unit/db/bytes.h"
#include "db/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_number(const struct record_field *field)
{
	struct record_reader reader = {0}, nested;
	struct record_field again;
	struct record_writer writer;
	uint8_t bytes[16];
	uint64_t number = record_number(&reader, field);

	g_assert_cmpint(reader.broken, ==, field->length > 8);
	record_writer_init(&writer, bytes, sizeof bytes);
	record_write_number(&writer, field->tag, number);
	g_assert_false(writer.full);
	nested = (struct record_reader){.bytes = bytes, .left = writer.used};
	g_assert_true(record_next(&nested, &again));
	g_assert_true(record_number(&nested, &again) == number);
}

static void
check_nested(const struct record_field *field, unsigned depth)
{
	struct record_reader reader;
	struct record_field inner;

	record_reader_nested(&reader, field);
	while (record_next(&reader, &inner)) {
		g_assert_true(inner.bytes >= field->bytes);
		g_assert_true(inner.bytes + inner.length <= field->bytes + field->length);
		if (depth < 4)
			check_nested(&inner, depth + 1);
	}
}

static void
check_rewritten(const struct record_writer *writer, const uint8_t *data, size_t size)
{
	struct record_reader a, b;
	struct record_field x, y;
	uint8_t version, again;

	record_reader_init(&a, data, size, &version);
	record_reader_init(&b, writer->bytes, writer->used, &again);
	g_assert_cmpuint(version, ==, again);
	while (record_next(&a, &x)) {
		g_assert_true(record_next(&b, &y));
		g_assert_cmpuint(x.tag, ==, y.tag);
		assert_same_bytes(x.bytes, x.length, y.bytes, y.length);
	}
	g_assert_false(record_next(&b, &y));
	g_assert_false(b.broken);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree uint8_t *bytes = g_malloc(size + 1);
	struct record_reader reader;
	struct record_writer writer;
	struct record_field field;
	const uint8_t *end = data;
	uint8_t version;

	record_writer_init(&writer, bytes, size);
	record_reader_init(&reader, data, size, &version);
	g_assert_cmpint(reader.broken, ==, version == 0);
	if (version)
		record_write_version(&writer, version);
	while (record_next(&reader, &field)) {
		g_assert_true(field.bytes > end);
		end = field.bytes + field.length;
		g_assert_true(end <= data + size);
		check_number(&field);
		check_nested(&field, 0);
		record_write_bytes(&writer, field.tag, field.bytes, field.length);
	}
	g_assert_false(record_next(&reader, &field));
	g_assert_false(writer.full);
	if (version)
		check_rewritten(&writer, data, size);
	return 0;
}
