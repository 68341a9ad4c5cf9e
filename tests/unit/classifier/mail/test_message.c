#include "config.h"

#include <string.h>
#include <sys/resource.h>
#include <glib.h>
#include "classifier/mail/message.h"
#include "classifier/features/tokens.h"

#if defined __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#define SECONDS_MAX 2.0
#define MEMORY_MAX  (256L << 10) /* KiB */

/* A file of tests/data/torture/, and words that must, and one that must not, be read from it. */
static const struct torture_case {
	const char *file;
	size_t parts;
	const char *visible, *absent;
} torture_cases[] = {
    {"attachment-names", 2, NULL, "TVqQ"},
    {"base64-begins-with-equals", 1, "hello world", NULL},
    {"base64-garbage", 1, NULL, NULL},
    {"base64-incomplete-multibyte", 1, "end ", "\357\277\275"},
    {"binary-as-html", 1, NULL, "\001"},
    {"charset-invalid-gb2312", 1, "\344\275\240\345\245\275", NULL},
    {"charset-truncated-multibyte", 1, "end ", "\357\277\275"},
    {"charset-undeclared-gb", 1, "\344\275\240\345\245\275", NULL},
    {"charset-wrong-utf8", 1, "na\303\257ve and na\303\257ve", NULL},
    {"crlf-mbox", 1, "From here\nFrom there\n", "\r"},
    {"empty", 1, NULL, NULL},
    {"header-8bit", 1, "body", NULL},
    {"header-colon-body", 1, "Note: this body stands alone\nand goes on\n", NULL},
    {"header-lf-in-encoded-word", 1, "body", NULL},
    {"header-none", 1, "Just a body", NULL},
    {"header-nul", 1, "body text", NULL},
    {"header-only", 1, NULL, NULL},
    {"header-unknown-charset", 1, "body", NULL},
    {"html-broken", 1, NULL, NULL},
    {"html-comment-in-word", 1, "viagra", "words"},
    {"html-entities", 1, "Viagra \303\251t\303\251", NULL},
    {"html-hidden", 1, "shownafter", "salad"},
    {"mime-bodies-only", 2, "seentext", "Content-Type"},
    {"mime-boundary-in-header", 3, "afterwards", NULL},
    {"mime-conflicting-boundaries", 2, "secondboundary", NULL},
    {"mime-digest", 5, "seconddigest", NULL},
    {"mime-no-boundary", 2, "foundtext", NULL},
    {"mime-no-end", 3, "secondpart", NULL},
    {"mime-prefix-boundaries", 4, "outerpart", NULL},
    {"mime-rfc822", 2, "innerbody", NULL},
    {"qp-truncated", 1, "hello world \303\251", NULL},
    {"url-nested-escapes", 1, "x", NULL},
    {"uuencoded", 1, "hello world", "begin"},
    {"word-lookalike", 1, NULL, NULL},
    {"word-scripts", 1, "\344\275\240\345\245\275", NULL},
};

static struct message *
read_text(const char *text)
{
	struct message_options options = message_options_default();
	return message_read((const uint8_t *)text, strlen(text), &options);
}

static bool
any_part_has(const struct message *message, const char *text)
{
	for (size_t i = 0; i < message->part_count; i++)
		if (strstr(message->parts[i].visible.text, text))
			return true;
	return false;
}

static void
test_torture(gconstpointer data)
{
	const struct torture_case *row = data;
	g_autofree char *path =
	    g_strdup_printf("%s/tests/data/torture/%s.eml", g_getenv("top_srcdir"), row->file);
	g_autofree char *bytes = NULL;
	gsize length;
	g_assert_true(g_file_get_contents(path, &bytes, &length, NULL));
	struct message_options options = message_options_default();
	struct message *message = message_read((const uint8_t *)bytes, length, &options);
	g_assert_cmpuint(message->part_count, ==, row->parts);
	g_assert_true(!row->visible || any_part_has(message, row->visible));
	g_assert_false(row->absent && any_part_has(message, row->absent));
	message_free(message);
}

static const struct header_case {
	const char *name, *message, *header, *value;
} header_cases[] = {
    {"folded", "Subject: one\n\ttwo\n\n", "subject", "one two"},
    {"encoded-word", "Subject: =?iso-8859-1?q?caf=E9?=\n\n", "subject", "caf\303\251"},
    {"encoded-words-joined", "Subject: =?utf-8?b?w6k=?=\n =?utf-8?b?dMOp?=\n\n", "subject",
	"\303\251t\303\251"},
    {"encoded-word-in-quotes", "From: \"=?utf-8?q?a=2Cb?=\" <a@b>\n\n", "from", " a,b\" <a@b>"},
    {"raw-8-bit", "Subject: caf\351\n\n", "subject", "caf\303\251"},
    {"raw-utf8", "Subject: caf\303\251\n\n", "subject", "caf\303\251"},
    {"line-feed-in-encoded-word", "Subject: =?utf-8?q?a=0Ab?=\n\n", "subject", "a b"},
    {"space-before-colon", "Subject : x\n\n", "subject", "x"},
    {"first-of-two", "Subject: x\nSubject: y\n\n", "subject", "x"},
};

static void
test_header(gconstpointer data)
{
	const struct header_case *row = data;
	struct message *message = read_text(row->message);
	const struct message_text *value = message_header(message, row->header);
	g_assert_nonnull(value);
	g_autofree char *found = g_strstrip(g_strdup(value->text));
	g_autofree char *wanted = g_strstrip(g_strdup(row->value));
	g_assert_cmpstr(found, ==, wanted);
	g_assert_cmpuint(value->length, ==, strlen(value->text));
	g_assert_null(message_header(message, "x-not-there"));
	message_free(message);
}

static void
test_attachment(void)
{
	struct message *message = read_text(
	    "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: Text/Plain; "
	    "charset=UTF-8\n\nhi\n--b\nContent-Type: application/pdf\nContent-Disposition: "
	    "attachment; filename*=utf-8''caf%C3%A9.pdf\nContent-Transfer-Encoding: base64\n\n"
	    "AAECAw==\n--b--\n");
	g_assert_cmpuint(message->part_count, ==, 3);
	const struct message_part *text = &message->parts[1], *file = &message->parts[2];
	g_assert_true(message->parts[0].container);
	g_assert_cmpstr(text->type, ==, "text/plain");
	g_assert_cmpstr(text->charset, ==, "utf-8");
	g_assert_cmpstr(text->visible.text, ==, "hi");
	g_assert_cmpuint(text->depth, ==, 1);
	g_assert_cmpstr(file->type, ==, "application/pdf");
	g_assert_cmpstr(file->name, ==, "caf\303\251.pdf");
	g_assert_true(file->attachment);
	/* printf '\\0\\1\\2\\3' | b2sum -l 128 */
	static const uint8_t digest[] = {0xf7, 0x69, 0x09, 0x70, 0xfd, 0xb6, 0x33, 0x11};
	g_assert_cmpmem(file->digest, sizeof file->digest, digest, sizeof digest);
	message_free(message);
}

static void
test_lead(void)
{
	struct message *message =
	    read_text("From: A B <a@b>\nSubject: One  TWO\n"
		      "Content-Type: text/html\n\n<p>Thr\303\211e\n\n four</p>");
	g_autoptr(GString) lead = g_string_new(NULL);
	message_lead(message, 1500, lead);
	g_assert_cmpstr(lead->str, ==, "one two a b <a@b> three four ");
	g_string_truncate(lead, 0);
	message_lead(message, 9, lead);
	g_assert_cmpstr(lead->str, ==, "one two a");
	message_free(message);
}

/* What others were brought down by; made here, since they are large. */
static char *
repeated(const char *start, const char *piece, size_t count)
{
	GString *text = g_string_new(start);
	for (size_t i = 0; i < count; i++)
		g_string_append_printf(text, "%s%zu%s", piece, i, "\n");
	return g_string_free(text, FALSE);
}

static char *
nested_parts(size_t count)
{
	GString *text = g_string_new("Content-Type: multipart/mixed; boundary=b0\n\n");
	for (size_t i = 0; i < count; i++)
		g_string_append_printf(
		    text, "--b%zu\nContent-Type: multipart/mixed; boundary=b%zu\n\n", i, i + 1);
	return g_string_free(text, FALSE);
}

static char *
plain_repeated(const char *start, const char *piece, size_t count)
{
	GString *text = g_string_new(start);
	for (size_t i = 0; i < count; i++)
		g_string_append(text, piece);
	return g_string_free(text, FALSE);
}

#define HTML "Content-Type: text/html\n\n"

static const struct large_case {
	const char *name, *start, *piece;
	size_t count;
	unsigned cut;
} large_cases[] = {
    {"nested-messages", "From: a\n", "Content-Type: message/rfc822\n\n", 200000, MESSAGE_CUT_DEPTH},
    {"empty-parts", "Content-Type: multipart/mixed; boundary=b\n\n", "--b\n\n", 1000000,
	MESSAGE_CUT_PARTS},
    {"header-fields", "From: a\n", "a:b\n", 2000000, MESSAGE_CUT_HEADER},
    {"part-header-fields", "Content-Type: multipart/mixed; boundary=b\n\n--b\n", "a:\n", 2000000,
	MESSAGE_CUT_HEADER},
    {"encoded-words", "Subject: ", "=?utf-8?q?a?= ", 500000, MESSAGE_CUT_HEADER},
    {"parameters", "Content-Type: text/plain", "; a=b", 1000000, MESSAGE_CUT_HEADER},
    {"comments", "Content-Type: ", "(", 1000000, MESSAGE_CUT_HEADER},
    {"dashes", "Content-Type: multipart/mixed; boundary=b\n\n", "--\n", 2000000, 0},
    {"open-elements", HTML, "<b>", 170000, MESSAGE_CUT_HTML},
    {"end-tags", HTML "<b><b><b><b><b><b><b><b><b>", "</i>", 120000, 0},
    {"open-comments", HTML, "<!--", 120000, 0},
    {"ampersands", HTML, "&", 500000, 0},
    {"brackets", HTML, "<", 500000, 0},
    {"one-word", "From: a\n\n", "aaaaaaaa", 1000000, MESSAGE_CUT_TEXT},
    {"quoting", "From: a\n\n", ">", 8000000, MESSAGE_CUT_TEXT},
    {"more-than-the-limit", "From: a\n\n", "aaaa bbbb\n", 1200000, MESSAGE_CUT_MESSAGE},
};

static void
assert_bounded(const char *text, unsigned cut)
{
	struct token_options options = token_options_default();
	struct tokens tokens;
	gint64 start = g_get_monotonic_time();
	struct message *message = read_text(text);
	tokens_init(&tokens);
	tokens_read(&tokens, message, &options);
	double seconds = (double)(g_get_monotonic_time() - start) / 1e6;
	g_assert_cmpfloat(seconds, <, SECONDS_MAX);
	g_assert_cmpuint(message->cut & cut, ==, cut);
	g_assert_cmpuint(tokens.count, >, 0);
	tokens_clear(&tokens);
	message_free(message);
}

static void
test_large(gconstpointer data)
{
	const struct large_case *row = data;
	g_autofree char *text = plain_repeated(row->start, row->piece, row->count);
	assert_bounded(text, row->cut);
}

static void
test_nested_parts(void)
{
	g_autofree char *text = nested_parts(100000);
	assert_bounded(text, MESSAGE_CUT_DEPTH);
}

static void
test_attributes(void)
{
	g_autofree char *text = repeated(HTML "<p ", "a", 70000);
	assert_bounded(text, 0);
}

static void
test_memory(void)
{
	struct rusage usage;
	g_assert_cmpint(getrusage(RUSAGE_SELF, &usage), ==, 0);
#ifndef __SANITIZE_ADDRESS__
	g_assert_cmpint(usage.ru_maxrss, <, MEMORY_MAX);
#endif
}

static void
test_limits(void)
{
	struct message_options options = message_options_default();
	options.limits.text = 4;
	options.limits.parts = 2;
	static const char text[] = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nlonger\n"
				   "--b\n\nsecond\n--b--\n";
	struct message *message = message_read((const uint8_t *)text, strlen(text), &options);
	g_assert_cmpuint(message->cut, ==, MESSAGE_CUT_TEXT | MESSAGE_CUT_PARTS);
	g_assert_cmpuint(message->part_count, ==, 2);
	g_assert_cmpstr(message->parts[1].visible.text, ==, "long");
	message_free(message);
}

static void
add(const char *promise, const char *name, const void *row, GTestDataFunc function)
{
	g_autofree char *path = g_strdup_printf("/message/%s/%s", promise, name);
	g_test_add_data_func(path, row, function);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(torture_cases); i++)
		add("reads-broken-mail-as-far-as-it-goes", torture_cases[i].file, &torture_cases[i],
		    test_torture);
	for (size_t i = 0; i < G_N_ELEMENTS(header_cases); i++)
		add("decodes-fields", header_cases[i].name, &header_cases[i], test_header);
	g_test_add_func("/message/tells-attachments-from-text", test_attachment);
	g_test_add_func("/message/leads-with-subject-sender-and-body", test_lead);
	g_test_add_func("/message/keeps-its-limits", test_limits);
	for (size_t i = 0; i < G_N_ELEMENTS(large_cases); i++)
		add("takes-bounded-time", large_cases[i].name, &large_cases[i], test_large);
	g_test_add_func("/message/takes-bounded-time/nested-parts", test_nested_parts);
	g_test_add_func("/message/takes-bounded-time/attributes", test_attributes);
	g_test_add_func("/message/takes-bounded-time/and-memory", test_memory);
	return g_test_run();
}
