#include "config.h"

#include <string.h>
#include <glib.h>
#include "classifier/mail/text.h"

static const struct row {
	const char *name, *text, *folded;
	unsigned tricks;
} rows[] = {
    {"case", "HeLLo \303\211T\303\211", "hello ete", 0},
    {"full-width", "\357\274\266\357\275\211\357\275\201", "via", 0},
    {"mathematical-letters", "\360\235\220\225\360\235\220\242\360\235\220\232", "via", 0},
    {"cyrillic-in-latin", "p\320\260yp\320\260l", "paypal", TEXT_TRICK_LOOKALIKE},
    {"greek-in-latin", "n\316\277w", "now", TEXT_TRICK_LOOKALIKE},
    {"cyrillic-word-stays", "\320\241\320\236\320\240", "\321\201\320\276\321\200", 0},
    {"cyrillic-beside-latin", "IT-\320\276\321\202\320\264\320\265\320\273",
	"it-\320\276\321\202\320\264\320\265\320\273", 0},
    {"no-lookalike-no-change", "a\320\226", "a\320\266", 0},
    {"zero-width-in-latin", "via\342\200\213gra", "viagra", TEXT_TRICK_INVISIBLE},
    {"joiner-in-persian", "\331\205\333\214\342\200\214\330\256", "\331\205\333\214\330\256", 0},
    {"soft-hyphen-is-honest", "news\302\255letter", "newsletter", 0},
    {"apostrophe", "don\342\200\231t", "don't", 0},
    {"no-break-space", "a\302\240b", "a b", 0},
    {"punctuation", "a\342\200\224b\343\200\202c", "a b c", 0},
    {"ellipsis", "a\342\200\246b", "a...b", 0},
    {"emoji-stands-alone", "hot\360\237\224\245now", "hot \360\237\224\245 now", 0},
    {"kana-stay-whole", "\343\201\214", "\343\201\214", 0},
    {"hangul-stay-whole", "\355\225\234", "\355\225\234", 0},
    {"half-width-kana", "\357\275\266", "\343\202\253", 0},
    {"arabic-thai-marks-stay", "\340\270\201\340\270\264", "\340\270\201\340\270\264", 0},
};

static void
test_row(gconstpointer data)
{
	const struct row *row = data;
	g_autoptr(GString) out = g_string_new(NULL);
	unsigned tricks = text_fold(row->text, strlen(row->text), TEXT_FOLD_CASE, out);
	g_assert_cmpstr(out->str, ==, row->folded);
	g_assert_cmpuint(tricks, ==, row->tricks);
	g_autoptr(GString) again = g_string_new(NULL);
	text_fold(out->str, out->len, TEXT_FOLD_CASE, again);
	if (!strchr(row->folded, '\360')) /* a symbol gets its spaces once more */
		g_assert_cmpstr(again->str, ==, row->folded);
}

static void
test_keeps_case(void)
{
	g_autoptr(GString) out = g_string_new(NULL);
	text_fold("V\303\226L", 4, 0, out);
	g_assert_cmpstr(out->str, ==, "VOL");
}

/* Every character alone gives valid UTF-8. */
static void
test_every_character(void)
{
	g_autoptr(GString) out = g_string_new(NULL);
	for (gunichar c = 1; c < 0x110000; c++) {
		char utf8[6];
		if (c >= 0xd800 && c < 0xe000)
			continue;
		g_string_truncate(out, 0);
		text_fold(utf8, (size_t)g_unichar_to_utf8(c, utf8), TEXT_FOLD_CASE, out);
		g_assert_true(g_utf8_validate_len(out->str, out->len, NULL));
	}
}

static void
test_cut(void)
{
	static const char text[] = "a\303\251\344\275\240";
	static const size_t cuts[] = {0, 1, 1, 3, 3, 3, 6, 6};
	for (size_t limit = 0; limit < G_N_ELEMENTS(cuts); limit++)
		g_assert_cmpuint(text_cut(text, strlen(text), limit), ==, cuts[limit]);
}

static void
test_unspaced(void)
{
	static const gunichar yes[] = {
	    0x4f60, 0x3053, 0x30ab, 0xe2a, 0xe81, 0x1780, 0x1000, 0x20000};
	static const gunichar no[] = {'a', 0xe9, 0x430, 0xd55c, 0x623, 0x3002};
	for (size_t i = 0; i < G_N_ELEMENTS(yes); i++)
		g_assert_true(text_is_unspaced(yes[i]));
	for (size_t i = 0; i < G_N_ELEMENTS(no); i++)
		g_assert_false(text_is_unspaced(no[i]));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path = g_strdup_printf("/text/undoes-tricks/%s", rows[i].name);
		g_test_add_data_func(path, &rows[i], test_row);
	}
	g_test_add_func("/text/keeps-case-if-asked", test_keeps_case);
	g_test_add_func("/text/folds-every-character-to-valid-utf8", test_every_character);
	g_test_add_func("/text/cuts-between-characters", test_cut);
	g_test_add_func("/text/knows-scripts-without-spaces", test_unspaced);
	return g_test_run();
}
