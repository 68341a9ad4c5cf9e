/* Fields and encoded content come out as they do from GMime, whoever reads them. The first byte
 * says what the rest is. */
#include "config.h"

#include <stdint.h>
#include <string.h>
#include <gmime/gmime.h>
#include "classifier/mail/content.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_type(const char *line)
{
	static const char *const names[] = {"charset", "name", "boundary"};
	struct content_field *field = content_type_read(line);
	GMimeContentType *type = g_mime_content_type_parse(NULL, line);
	g_autofree char *value = g_mime_content_type_get_mime_type(type);
	g_assert_cmpstr(content_value(field), ==, value);
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		g_assert_cmpstr(content_parameter(field, names[i]), ==,
		    g_mime_content_type_get_parameter(type, names[i]));
	g_object_unref(type);
	content_field_free(field);
}

static void
check_disposition(const char *line)
{
	struct content_field *field = content_disposition_read(line);
	GMimeContentDisposition *disposition = g_mime_content_disposition_parse(NULL, line);
	g_assert_cmpstr(
	    content_value(field), ==, g_mime_content_disposition_get_disposition(disposition));
	g_assert_cmpstr(content_parameter(field, "filename"), ==,
	    g_mime_content_disposition_get_parameter(disposition, "filename"));
	g_object_unref(disposition);
	content_field_free(field);
}

static void
check_content(
    const char *bytes, size_t length, enum content_encoding ours, GMimeContentEncoding theirs)
{
	GMimeEncoding state;
	g_mime_encoding_init_decode(&state, theirs);
	g_autofree char *expected = g_malloc(g_mime_encoding_outlen(&state, length) + 16);
	size_t expected_length = g_mime_encoding_step(&state, bytes, length, expected);
	g_autofree char *out = g_malloc(content_decoded_room(length));
	size_t out_length = content_decode(ours, bytes, length, out);
	g_assert_cmpmem(out, (int)out_length, expected, (int)expected_length);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	const char *bytes = (const char *)data + 1;
	g_autofree char *line = g_strndup(bytes, size - 1);
	g_mime_init();
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	switch (*data) {
	case 'd': check_disposition(line); break;
	case 'b':
		check_content(bytes, size - 1, CONTENT_BASE64, GMIME_CONTENT_ENCODING_BASE64);
		break;
	case 'q':
		check_content(bytes, size - 1, CONTENT_QUOTED_PRINTABLE,
		    GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
		break;
	default: check_type(line);
	}
	return 0;
}
