#include "config.h"

#include <string.h>
#include <glib.h>
#include "classifier/mail/charset.h"

static const struct row {
	const char *name, *charset, *bytes, *text;
	bool repaired;
} rows[] = {
    {"ascii", "us-ascii", "plain", "plain", false},
    {"utf-8", "utf-8", "caf\303\251", "caf\303\251", false},
    {"utf-8-declared-latin1", "iso-8859-1", "caf\303\251", "caf\303\251", true},
    {"latin1", "iso-8859-1", "caf\351", "caf\303\251", false},
    {"latin1-is-windows-1252", "iso-8859-1", "\2235\224", "\342\200\2345\342\200\235", false},
    {"latin1-undeclared", "", "caf\351 noir", "caf\303\251 noir", true},
    {"latin1-declared-utf-8", "utf-8", "caf\351 \303\251", "caf\303\251 \303\251", true},
    {"cut-within-a-character", "utf-8", "end \344\275", "end ", true},
    {"cut-within-a-character-of-gbk", "gbk", "\304\343\272", "\344\275\240", true},
    {"gb2312", "gb2312", "\304\343\272\303", "\344\275\240\345\245\275", false},
    {"gb-undeclared", "", "\304\343\272\303\312\300\275\347\243\254\325\342\312\307",
	"\344\275\240\345\245\275\344\270\226\347\225\214\357\274\214\350\277\231\346\230\257",
	true},
    {"big5", "big5", "\247A\246n", "\344\275\240\345\245\275", false},
    {"euc-kr", "euc-kr", "\307\321\261\333", "\355\225\234\352\270\200", false},
    {"shift-jis", "shift_jis", "\202\261\202\361", "\343\201\223\343\202\223", false},
    {"iso-2022-jp", "iso-2022-jp", "\033$B$3$s\033(B!", "\343\201\223\343\202\223!", false},
    {"koi8-r", "koi8-r", "\320\322\311\327\305\324",
	"\320\277\321\200\320\270\320\262\320\265\321\202", false},
    {"windows-1251", "windows-1251", "\357\360\350\342\345\362",
	"\320\277\321\200\320\270\320\262\320\265\321\202", false},
    {"unknown", "x-no-such", "caf\351", "caf\303\251", true},
    {"carriage-returns", "", "a\r\nb\r", "a\nb", false},
};

static void
test_row(gconstpointer data)
{
	const struct row *row = data;
	g_autoptr(GString) out = g_string_new("before:");
	bool repaired =
	    charset_decode((const uint8_t *)row->bytes, strlen(row->bytes), row->charset, out);
	g_autofree char *wanted = g_strconcat("before:", row->text, NULL);
	g_assert_cmpstr(out->str, ==, wanted);
	g_assert_cmpint(repaired, ==, row->repaired);
}

static void
test_nul(void)
{
	g_autoptr(GString) out = g_string_new(NULL);
	charset_decode((const uint8_t *)"a\0b\303\251", 5, "", out);
	g_assert_cmpstr(out->str, ==, "a b\303\251");
}

/* Of all charsets, over all pairs of bytes. */
static void
test_always_valid(void)
{
	static const char *const charsets[] = {"", "utf-8", "gb18030", "big5", "euc-jp",
	    "iso-2022-jp", "hz-gb-2312", "utf-7", "utf-16", "utf-16le", "shift_jis", "cp949",
	    "iso-8859-8", "windows-874", "no such"};
	g_autoptr(GString) out = g_string_new(NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(charsets); i++)
		for (unsigned pair = 0; pair < 65536; pair += 7) {
			const uint8_t bytes[] = {
			    'a', (uint8_t)(pair >> 8), (uint8_t)pair, 'b', (uint8_t)pair};
			g_string_truncate(out, 0);
			charset_decode(bytes, sizeof bytes, charsets[i], out);
			g_assert_true(g_utf8_validate_len(out->str, out->len, NULL));
			g_assert_null(memchr(out->str, '\r', out->len));
		}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path = g_strdup_printf("/charset/decodes/%s", rows[i].name);
		g_test_add_data_func(path, &rows[i], test_row);
	}
	g_test_add_func("/charset/nul-becomes-a-space", test_nul);
	g_test_add_func("/charset/gives-valid-utf8-whatever-comes", test_always_valid);
	return g_test_run();
}
