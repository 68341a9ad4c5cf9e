/* Words as bogofilter makes them: what bogolexer -p (1.2.5) prints for the same messages. */
#include "config.h"

#include <string.h>

#include "classifier/mail/message.h"
#include "classifier/features/tokens.h"

static char *
words_of(const char *text)
{
	const struct message_options reading = message_options_default();
	struct token_options options = token_options_default();
	struct message *message = message_read((const uint8_t *)text, strlen(text), &reading);
	GString *all = g_string_new(NULL);
	struct tokens tokens;

	options.bogowords = true;
	tokens_init(&tokens);
	tokens_read(&tokens, message, &options);
	for (size_t i = 0; i < tokens.count; i++)
		g_string_append_printf(
		    all, "%.*s\n", (int)tokens.list[i].length, tokens_text(&tokens, i));
	tokens_clear(&tokens);
	message_free(message);
	return g_string_free(all, FALSE);
}

static void
check(const char *text, const char *expected)
{
	g_autofree char *words = words_of(text);

	g_assert_cmpstr(words, ==, expected);
}

static void
test_header(void)
{
	check("From: a b <x_y@foo.bar>\n"
	      "Subject: Hello WORLD a1 don't foo_bar,baz $14 10.2.3.4 x=y 12abc abc12\n"
	      "Received: from h.x (h.x [1.2.3.4]) by y;\n Thu, 5 Jun 2002 00:00 (EST)\n"
	      "Message-Id: <0000_A@q.com>\n"
	      "X-Foo: a-b_c.d+e!f~g\n"
	      "\n"
	      "Body\n",
	    "from:x_y\nfrom:foo.bar\nsubj:Hello\nsubj:WORLD\nsubj:don't\nsubj:foo_bar\nsubj:baz\n"
	    "subj:$14\nsubj:10.2.3.4\nsubj:abc\nsubj:abc12\nrcvd:from\nrcvd:h.x\nrcvd:1.2.3.4\n"
	    "rcvd:Thu\nrcvd:Jun\nrcvd:EST\nhead:Message-Id\nhead:X-Foo\nhead:a-b_c.d\nhead:e!f~g\n"
	    "Body\n");
}

static void
test_lengths(void)
{
	check("X: y\n\nab abc on abcdefghijklmnopqrstuvwxyzabcd abcdefghijklmnopqrstuvwxyzabcde "
	      "end\n",
	    "abc\nabcdefghijklmnopqrstuvwxyzabcd\nend\n");
}

static void
test_encoded(void)
{
	check(
	    "Subject: =?utf-8?q?Caf=C3=A9_FREE?=\n\nbody\n", "subj:Caf\303\251\nsubj:FREE\nbody\n");
}

static void
test_html(void)
{
	check("Content-Type: text/html\n\n<p>Click <a "
	      "href=\"http://www.example.com/x\">HERE</a></p>\n",
	    "head:Content-Type\nhead:text\nhead:html\nClick\nHERE\nhttp\nwww.example.com\n");
}

static void
test_odd(void)
{
	check("", "");
	check("\n", "");
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/bogowords/fields-have-their-places", test_header);
	g_test_add_func("/bogowords/of-three-to-thirty-bytes", test_lengths);
	g_test_add_func("/bogowords/encoded-words-are-decoded", test_encoded);
	g_test_add_func("/bogowords/html-is-text-and-links", test_html);
	g_test_add_func("/bogowords/odd-input", test_odd);
	return g_test_run();
}
