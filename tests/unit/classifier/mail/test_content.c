#include "config.h"

#include <dlfcn.h>
#include <string.h>
#include <glib.h>
#include "classifier/mail/content.h"

struct field {
	const char *name, *line, *value, *charset, *file, *boundary;
};

/* Read without GMime. */
static const struct field plain_types[] = {
    {"bare", " text/plain", "text/plain", NULL, NULL, NULL},
    {"case", "TEXT/Html; CHARSET=\"ISO-8859-1\"", "TEXT/Html", "ISO-8859-1", NULL, NULL},
    {"spaces", "  text/plain  ;  charset=us-ascii ;format=flowed", "text/plain", "us-ascii", NULL,
	NULL},
    {"boundary", "multipart/mixed; boundary=\"----=_NextPart_000; (0)\"", "multipart/mixed", NULL,
	NULL, "----=_NextPart_000; (0)"},
    {"semicolon-at-end", "text/plain; charset=utf-8; ", "text/plain", "utf-8", NULL, NULL},
    {"semicolon-alone", "text/plain;", "text/plain", NULL, NULL, NULL},
    {"file", "image/png; name=\"a b.png\"", "image/png", NULL, "a b.png", NULL},
};

/* Left to GMime. */
static const struct field odd_types[] = {
    {"comment", "text/plain (so) ; charset=utf-8 (here)", "text/plain", "utf-8 (here)", NULL, NULL},
    {"escape", "image/png; name=\"a\\\"b.png\"", "image/png", NULL, "a\"b.png", NULL},
    {"continued", "image/png; name*0=\"a\"; name*1=\"b.png\"", "image/png", NULL, "ab.png", NULL},
    {"percent", "image/png; name*=utf-8''%c3%a9.png", "image/png", NULL, "\303\251.png", NULL},
    {"encoded-word", "image/png; name=\"=?utf-8?Q?=C3=A9.png?=\"", "image/png", NULL,
	"\303\251.png", NULL},
    {"unquoted-spaces", "image/png; name=a b.png", "image/png", NULL, "a b.png", NULL},
    {"no-subtype", "text; charset=utf-8", "application/octet-stream", NULL, NULL, NULL},
    {"nothing", "", "application/octet-stream", NULL, NULL, NULL},
};

static bool
gmime_is_loaded(void)
{
	return dlopen("libgmime-3.0.so.0", RTLD_LAZY | RTLD_NOLOAD) != NULL;
}

static void
check_types(const struct field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct field *f = &fields[i];
		struct content_field *field = content_type_read(f->line);
		g_test_message("%s", f->name);
		g_assert_cmpstr(content_value(field), ==, f->value);
		g_assert_cmpstr(content_parameter(field, "charset"), ==, f->charset);
		g_assert_cmpstr(content_parameter(field, "name"), ==, f->file);
		g_assert_cmpstr(content_parameter(field, "boundary"), ==, f->boundary);
		content_field_free(field);
	}
}

static void
check_decoded(enum content_encoding encoding, const char *bytes, const char *expected)
{
	g_autofree char *out = g_malloc(content_decoded_room(strlen(bytes)));
	size_t length = content_decode(encoding, bytes, strlen(bytes), out);
	g_assert_cmpmem(out, (int)length, expected, (int)strlen(expected));
}

/* A process that judges one such message is not to spend a third of its time on loading GMime. */
static void
test_plain(void)
{
	struct content_field *field = content_disposition_read("attachment; filename=\"a.txt\"");
	g_assert_cmpstr(content_value(field), ==, "attachment");
	g_assert_cmpstr(content_parameter(field, "filename"), ==, "a.txt");
	g_assert_null(content_parameter(field, "size"));
	content_field_free(field);
	check_types(plain_types, G_N_ELEMENTS(plain_types));
	check_decoded(CONTENT_BASE64, "YWJj\r\nZA==\r\n", "abcd");
	check_decoded(CONTENT_BASE64, "YWJj ZGU=", "abcde");
	check_decoded(CONTENT_BASE64, "YWJjZG", "abc");
	check_decoded(CONTENT_QUOTED_PRINTABLE, "a=41=\nb=\r\nc=zz=3", "aAbc=zz");
	check_decoded(CONTENT_AS_IS, "=41", "=41");
	g_assert_false(gmime_is_loaded());
}

static void
test_odd(void)
{
	struct content_field *field =
	    content_disposition_read("attachment; filename*=utf-8''%c3%a9.txt");
	g_assert_cmpstr(content_value(field), ==, "attachment");
	g_assert_cmpstr(content_parameter(field, "filename"), ==, "\303\251.txt");
	content_field_free(field);
	check_types(odd_types, G_N_ELEMENTS(odd_types));
	check_decoded(CONTENT_BASE64, "YWJj*ZA=", "abcd");
	check_decoded(CONTENT_BASE64, "YWJjZA==junk", "abcd");
	check_decoded(CONTENT_UUENCODE, "#86)C\n`\nend\n", "abc");
	g_autofree char *words = content_decode_words("=?utf-8?B?w6k=?= x");
	g_assert_cmpstr(words, ==, "\303\251 x");
	g_assert_true(gmime_is_loaded());
	g_assert_true(content_load(NULL));
}

static void
test_encodings(void)
{
	g_assert_cmpint(content_encoding_of("base64"), ==, CONTENT_BASE64);
	g_assert_cmpint(content_encoding_of("quoted-printable"), ==, CONTENT_QUOTED_PRINTABLE);
	g_assert_cmpint(content_encoding_of("x-uuencode"), ==, CONTENT_UUENCODE);
	g_assert_cmpint(content_encoding_of("8bit"), ==, CONTENT_AS_IS);
	g_assert_cmpint(content_encoding_of("base64x"), ==, CONTENT_AS_IS);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/content/encodings", test_encodings);
	g_test_add_func("/content/plain", test_plain);
	g_test_add_func("/content/odd", test_odd);
	return g_test_run();
}
