#include "config.h"

#include "db/redis/pack.h"

#include <string.h>

#include "db/store.h"

enum { AS_IT_IS, PACKED };

static void
put_number(GByteArray *bytes, uint32_t number)
{
	uint8_t buffer[5];
	guint length = 0;

	for (; number >= 0x80; number >>= 7)
		buffer[length++] = (uint8_t)(number | 0x80);
	buffer[length++] = (uint8_t)number;
	g_byte_array_append(bytes, buffer, length);
}

static void
put_kind(GByteArray *bytes, uint8_t kind)
{
	g_byte_array_set_size(bytes, 0);
	g_byte_array_append(bytes, &kind, 1);
}

void
redis_pack(const void *value, size_t length, GByteArray *ret_bytes)
{
	const struct store_bytes cells = {value, length};
	uint32_t n = (uint32_t)(length / 4), zeros = 0;

	if (length % 4 || length / 4 > STORE_CELLS_MAX) {
		put_kind(ret_bytes, AS_IT_IS);
		g_byte_array_append(ret_bytes, value, (guint)length);
		return;
	}
	put_kind(ret_bytes, PACKED);
	put_number(ret_bytes, n);
	for (uint32_t i = 0; i < n; i++) {
		int32_t cell = store_cell_get(&cells, i);

		if (cell) {
			put_number(ret_bytes, zeros);
			put_number(ret_bytes, (uint32_t)cell << 1 ^ (cell < 0 ? UINT32_MAX : 0));
		}
		zeros = cell ? 0 : zeros + 1;
	}
}

struct reader {
	const uint8_t *at, *end;
	bool bad;
};

static uint32_t
take_number(struct reader *reader)
{
	uint64_t number = 0;

	for (unsigned shift = 0; shift < 35 && reader->at < reader->end; shift += 7) {
		uint8_t byte = *reader->at++;

		number |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			reader->bad |= number > UINT32_MAX;
			return (uint32_t)number;
		}
	}
	reader->bad = true;
	return 0;
}

static void
unpack_cells(struct reader *reader, GByteArray *ret_value)
{
	uint32_t n = take_number(reader), next = 0;

	reader->bad |= n > STORE_CELLS_MAX;
	if (reader->bad)
		return;
	g_byte_array_set_size(ret_value, 4 * n);
	if (n)
		memset(ret_value->data, 0, ret_value->len);
	while (reader->at < reader->end && !reader->bad) {
		uint32_t zeros = take_number(reader), bits = take_number(reader);

		reader->bad |= zeros >= n || next + zeros >= n || !bits;
		if (reader->bad)
			return;
		bits = GUINT32_TO_BE(bits >> 1 ^ (bits & 1 ? UINT32_MAX : 0));
		memcpy(ret_value->data + 4 * (size_t)(next + zeros), &bits, sizeof bits);
		next += zeros + 1;
	}
}

bool
redis_unpack(const void *bytes, size_t length, GByteArray *ret_value)
{
	struct reader reader = {.at = bytes, .end = (const uint8_t *)bytes + length};

	g_byte_array_set_size(ret_value, 0);
	if (!length)
		return false;
	if (*reader.at == AS_IT_IS) {
		g_byte_array_append(ret_value, reader.at + 1, (guint)length - 1);
		return true;
	}
	reader.bad = *reader.at++ != PACKED;
	if (!reader.bad)
		unpack_cells(&reader, ret_value);
	if (reader.bad)
		g_byte_array_set_size(ret_value, 0);
	return !reader.bad;
}
