/*
 * What the fields of a part say of its content (RFC 2045, 2183, 2231), its transfer encoding, and
 * encoded words (RFC 2047): all by GMime, as forgiving as that is.
 *
 * GMime brings a dozen libraries along, so it is loaded when something needs it. What nine
 * messages of ten have is read here and comes out as GMime would have it: fields without a
 * comment, an escape, a continuation or an encoded word; base64 without anything odd; and
 * quoted-printable. Without the library the program ends with a message where it is needed, as it
 * would at its start if it were linked with it; content_load() says so before.
 */
#ifndef GREYLAG_CLASSIFIER_MAIL_CONTENT_H
#define GREYLAG_CLASSIFIER_MAIL_CONTENT_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

enum content_encoding {
	CONTENT_AS_IS, /* 7bit, 8bit, binary, and what is unknown */
	CONTENT_BASE64,
	CONTENT_QUOTED_PRINTABLE,
	CONTENT_UUENCODE,
};

struct content_field;

/* For a program that will read many messages. False, with a sentence, if GMime is missing. */
bool content_load(GError **error);

/* The value of a Content-Type or Content-Disposition field, unfolded to one line without control
 * characters. */
struct content_field *content_type_read(const char *line);
struct content_field *content_disposition_read(const char *line);
void content_field_free(struct content_field *field);

/* What stands before the parameters: "text/plain", "attachment", as it is written. Never NULL. */
const char *content_value(const struct content_field *field);

/* Decoded; NULL without such a one. NAME in lower case. */
const char *content_parameter(const struct content_field *field, const char *name);

/* NAME in lower case, without white space around it. */
enum content_encoding content_encoding_of(const char *name);

/* Bytes that the output may take. */
size_t content_decoded_room(size_t length);

/* Of uuencode without its first line. Returns the length of what is in OUT, which has room for
 * content_decoded_room() bytes. */
size_t content_decode(enum content_encoding encoding, const char *bytes, size_t length, char *out);

/* A header's text with its encoded words decoded; to be freed. */
char *content_decode_words(const char *text);

#endif
