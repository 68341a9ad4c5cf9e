#include "config.h"

#include "db/record.h"

#include <string.h>

/* Lengths below it are one byte. */
#define LONG_LENGTH 0xff

void
record_writer_init(struct record_writer *writer, uint8_t *bytes, size_t size)
{
	*writer = (struct record_writer){.bytes = bytes, .size = size};
}

void
record_write_version(struct record_writer *writer, uint8_t version)
{
	if (writer->used == writer->size)
		writer->full = true;
	else
		writer->bytes[writer->used++] = version;
}

void
record_write_bytes(struct record_writer *writer, uint8_t tag, const void *bytes, size_t length)
{
	size_t head = length < LONG_LENGTH ? 2 : 4;

	if (length > RECORD_FIELD_MAX || writer->size - writer->used < head + length) {
		writer->full = true;
		return;
	}
	writer->bytes[writer->used++] = tag;
	if (head == 2) {
		writer->bytes[writer->used++] = (uint8_t)length;
	} else {
		writer->bytes[writer->used++] = LONG_LENGTH;
		writer->bytes[writer->used++] = (uint8_t)(length >> 8);
		writer->bytes[writer->used++] = (uint8_t)length;
	}
	if (length)
		memcpy(writer->bytes + writer->used, bytes, length);
	writer->used += length;
}

void
record_write_number(struct record_writer *writer, uint8_t tag, uint64_t number)
{
	uint8_t bytes[8];
	size_t length = 0;

	for (int shift = 56; shift >= 0; shift -= 8)
		if (length || number >> shift)
			bytes[length++] = (uint8_t)(number >> shift);
	record_write_bytes(writer, tag, bytes, length);
}

void
record_reader_init(
    struct record_reader *reader, const void *bytes, size_t length, uint8_t *ret_version)
{
	*reader = (struct record_reader){.bytes = bytes, .left = length, .broken = length == 0};
	*ret_version = 0;
	if (length == 0)
		return;
	*ret_version = *reader->bytes++;
	reader->left--;
	reader->broken = *ret_version == 0;
}

void
record_reader_nested(struct record_reader *reader, const struct record_field *field)
{
	*reader = (struct record_reader){.bytes = field->bytes, .left = field->length};
}

bool
record_next(struct record_reader *reader, struct record_field *ret_field)
{
	const uint8_t *b = reader->bytes;
	size_t head = 2, length;

	if (reader->broken || reader->left == 0)
		return false;
	reader->broken = true;
	if (reader->left < head)
		return false;
	length = b[1];
	if (length == LONG_LENGTH) {
		head = 4;
		if (reader->left < head)
			return false;
		length = (size_t)b[2] << 8 | b[3];
	}
	if (reader->left - head < length)
		return false;
	reader->broken = false;
	*ret_field = (struct record_field){.tag = b[0], .bytes = b + head, .length = length};
	reader->bytes += head + length;
	reader->left -= head + length;
	return true;
}

uint64_t
record_number(struct record_reader *reader, const struct record_field *field)
{
	uint64_t number = 0;

	if (field->length > 8) {
		reader->broken = true;
		return 0;
	}
	for (size_t i = 0; i < field->length; i++)
		number = number << 8 | field->bytes[i];
	return number;
}
