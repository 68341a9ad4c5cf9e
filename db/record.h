/*
 * The form of records: a version byte, then fields of a tag byte, a length, and that many bytes.
 * The length is one byte, or 0xff and two bytes big-endian. Numbers are big-endian without
 * leading zero bytes (0 has length 0). Readers skip unknown tags, so that a newer writer's record
 * is readable; a tag may repeat (lists). Groups of fields nest as the bytes of a field.
 *
 *	01  01 02 01 2c  02 03 61 40 62
 *	|   |  |  `300'  |  |  `a@b'
 *	|   |  length    |  length
 *	|   tag 1        tag 2
 *	version 1
 */
#ifndef GREYLAG_DB_RECORD_H
#define GREYLAG_DB_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_FIELD_MAX 65535 /* bytes in a field */

/* Writes into memory of the caller's; what does not fit is not written and sets FULL. */
struct record_writer {
	uint8_t *bytes;
	size_t used, size;
	bool full;
};

void record_writer_init(struct record_writer *writer, uint8_t *bytes, size_t size);
void record_write_version(struct record_writer *writer, uint8_t version);
void record_write_number(struct record_writer *writer, uint8_t tag, uint64_t number);
void record_write_bytes(
    struct record_writer *writer, uint8_t tag, const void *bytes, size_t length);

/* Reads a record in place. BROKEN is sticky: after it nothing more is returned. */
struct record_reader {
	const uint8_t *bytes;
	size_t left;
	bool broken;
};

struct record_field {
	uint8_t tag;
	const uint8_t *bytes;
	size_t length;
};

/* Starts on a record; the version is 0 and BROKEN is set if there is none. */
void record_reader_init(
    struct record_reader *reader, const void *bytes, size_t length, uint8_t *ret_version);
/* Starts on the bytes of a field: fields without a version byte. */
void record_reader_nested(struct record_reader *reader, const struct record_field *field);
/* The next field; false at the end and when broken. */
bool record_next(struct record_reader *reader, struct record_field *ret_field);
/* The field as a number; 0 and BROKEN if it is longer than eight bytes. */
uint64_t record_number(struct record_reader *reader, const struct record_field *field);

#endif
