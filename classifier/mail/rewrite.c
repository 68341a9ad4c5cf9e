#include "config.h"

#include "classifier/mail/rewrite.h"

#include <stdbool.h>
#include <string.h>

char *
rewrite_verdict(enum verdict verdict, double probability)
{
	return g_strdup_printf(
	    "%s, score=%.6f, version=" PACKAGE_VERSION, verdict_name(verdict), probability);
}

char *
rewrite_no_verdict(void)
{
	return g_strdup("error, no verdict could be had, version=" PACKAGE_VERSION);
}

/* The length of the line at the start of BYTES, its end included. */
static size_t
line_length(const uint8_t *bytes, size_t left)
{
	const uint8_t *newline = memchr(bytes, '\n', left);

	return newline ? (size_t)(newline - bytes) + 1 : left;
}

static bool
ends_in_crlf(const uint8_t *line, size_t length)
{
	return length >= 2 && line[length - 2] == '\r' && line[length - 1] == '\n';
}

static bool
is_empty(const uint8_t *line, size_t length)
{
	return (length == 1 && line[0] == '\n') || (length == 2 && ends_in_crlf(line, length));
}

static bool
continues(const uint8_t *line, size_t left)
{
	return left > 0 && (line[0] == ' ' || line[0] == '\t');
}

/* A field's name: printable characters up to a colon (RFC 5322, 2.2), white space before it. */
static bool
is_field(const uint8_t *line, size_t length)
{
	size_t i = 0;

	while (i < length && line[i] > ' ' && line[i] < 0x7f && line[i] != ':')
		i++;
	if (i == 0)
		return false;
	while (i < length && (line[i] == ' ' || line[i] == '\t'))
		i++;
	return i < length && line[i] == ':';
}

static bool
is_own_field(const uint8_t *line, size_t length)
{
	size_t n = strlen(REWRITE_FIELD);

	return length > n && g_ascii_strncasecmp((const char *)line, REWRITE_FIELD, n) == 0 &&
	       is_field(line, length) && (line[n] == ':' || line[n] == ' ' || line[n] == '\t');
}

/* The length of the field at the start of BYTES with the lines that continue it. */
static size_t
field_length(const uint8_t *bytes, size_t left)
{
	size_t length = line_length(bytes, left);

	while (continues(bytes + length, left - length))
		length += line_length(bytes + length, left - length);
	return length;
}

static void
append(GByteArray *message, const void *bytes, size_t length)
{
	g_byte_array_append(message, bytes, (guint)length);
}

/* Copies the header but the fields of the own name, up to the empty line: readers of the header go
 * on past a line that is no field, and so would find a forged one behind it. How far it went. */
static size_t
copy_header(const uint8_t *bytes, size_t length, GByteArray *message)
{
	size_t at = 0;

	while (at < length && !is_empty(bytes + at, line_length(bytes + at, length - at))) {
		size_t n = field_length(bytes + at, length - at);

		if (!is_own_field(bytes + at, n))
			append(message, bytes + at, n);
		at += n;
	}
	return at;
}

void
rewrite_message(const uint8_t *bytes, size_t length, const char *value, GByteArray *ret_message)
{
	size_t at = 0, first;
	const char *end;

	/* Of an empty message there may be no bytes. */
	if (!length)
		bytes = (const uint8_t *)"";
	end = ends_in_crlf(bytes, line_length(bytes, length)) ? "\r\n" : "\n";
	if (length >= 5 && memcmp(bytes, "From ", 5) == 0 && memchr(bytes, '\n', length)) {
		at = line_length(bytes, length);
		append(ret_message, bytes, at);
	}
	append(ret_message, REWRITE_FIELD ": ", strlen(REWRITE_FIELD) + 2);
	append(ret_message, value, strlen(value));
	append(ret_message, end, strlen(end));
	first = line_length(bytes + at, length - at);
	if (!is_field(bytes + at, first) && !is_empty(bytes + at, first))
		append(ret_message, end, strlen(end));
	else
		at += copy_header(bytes + at, length - at, ret_message);
	append(ret_message, bytes + at, length - at);
}
