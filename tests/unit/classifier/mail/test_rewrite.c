#include "config.h"

#include <string.h>
#include <glib.h>

#include "classifier/mail/rewrite.h"

static const struct {
	const char *promise, *before, *after;
} cases[] = {
    {"the-field-comes-first", "Subject: x\n\nbody\n", "X-Greylag: v\nSubject: x\n\nbody\n"},
    {"line-ends-are-the-messages", "Subject: x\r\n\r\nbody\r\n",
	"X-Greylag: v\r\nSubject: x\r\n\r\nbody\r\n"},
    {"a-From-line-stays-first", "From a@b 00:00\nSubject: x\n\nbody\n",
	"From a@b 00:00\nX-Greylag: v\nSubject: x\n\nbody\n"},
    {"forged-fields-are-removed",
	"X-Greylag: ham\nSubject: x\nx-GREYLAG: ham,\n\tmore\n even more\nTo: y\n\nbody\n",
	"X-Greylag: v\nSubject: x\nTo: y\n\nbody\n"},
    {"a-forged-field-with-a-space-before-its-colon-too", "X-Greylag : ham\n\nbody\n",
	"X-Greylag: v\n\nbody\n"},
    {"and-one-behind-a-line-that-is-no-field", "Subject: x\nno field\nX-Greylag: ham\n\nbody\n",
	"X-Greylag: v\nSubject: x\nno field\n\nbody\n"},
    {"fields-of-like-names-stay", "X-Greylag-Not: ham\nX-Greylist: y\n\nbody\n",
	"X-Greylag: v\nX-Greylag-Not: ham\nX-Greylist: y\n\nbody\n"},
    {"the-body-is-left-alone", "Subject: x\n\nX-Greylag: ham\n",
	"X-Greylag: v\nSubject: x\n\nX-Greylag: ham\n"},
    {"without-a-header-one-is-made", "just text\nX-Greylag: ham\n",
	"X-Greylag: v\n\njust text\nX-Greylag: ham\n"},
    {"an-empty-header-is-kept-empty", "\nbody\n", "X-Greylag: v\n\nbody\n"},
    {"a-header-without-a-body", "Subject: x\n", "X-Greylag: v\nSubject: x\n"},
    {"a-last-line-without-an-end", "Subject: x\n\nbody", "X-Greylag: v\nSubject: x\n\nbody"},
};

static void
test_case(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(GByteArray) out = g_byte_array_new();

	rewrite_message((const uint8_t *)cases[i].before, strlen(cases[i].before), "v", out);
	g_byte_array_append(out, (const uint8_t *)"", 1);
	g_assert_cmpstr((const char *)out->data, ==, cases[i].after);
}

/* Whatever the message: what is behind the new field is the message without its own fields, and
 * doing it twice is doing it once. */
static void
test_any_bytes(void)
{
	static const char *const pieces[] = {"X-Greylag: a\n", "Subject: b\r\n", "\n", "\r\n",
	    "From ", " folded\n", "text", "\xff\x80", "x-greylag:\n\tz\n", ":", "\r"};
	GRand *random = g_rand_new_with_seed(7);

	for (int round = 0; round < 20000; round++) {
		g_autoptr(GByteArray) in = g_byte_array_new(), once = g_byte_array_new(),
				      twice = g_byte_array_new();

		for (int i = g_rand_int_range(random, 0, 8); i > 0; i--) {
			const char *piece =
			    pieces[g_rand_int_range(random, 0, G_N_ELEMENTS(pieces))];

			g_byte_array_append(in, (const uint8_t *)piece, (guint)strlen(piece));
		}
		g_byte_array_append(in, (const uint8_t *)"", 1);
		rewrite_message(in->data, in->len, "v", once);
		g_assert_cmpuint(once->len, >=, strlen("X-Greylag: v\n"));
		rewrite_message(once->data, once->len, "v", twice);
		g_assert_cmpuint(once->len, ==, twice->len);
		g_assert_cmpint(memcmp(once->data, twice->data, once->len), ==, 0);
	}
	g_rand_free(random);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *path = g_strconcat("/rewrite/", cases[i].promise, NULL);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_case);
	}
	g_test_add_func("/rewrite/any-bytes-twice-is-once", test_any_bytes);
	return g_test_run();
}
