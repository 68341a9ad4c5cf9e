#include "config.h"

#include <string.h>
#include <glib.h>
#include "classifier/features/tokens.h"

static const char *const trusted[] = {"mx.example.org", NULL};

/* Tokens, one a space, that must (WITH) and must not (WITHOUT) come of a message. */
static const struct row {
	const char *name, *message, *with, *without;
} rows[] = {
    {"body-words-are-bare", "From: a\n\nHello World", "hello world head:from", "Hello body:hello"},
    {"subject", "Subject: Cheap Pills!\n\n", "subj:cheap subj:pills subj:pills! head:subject",
	"cheap"},
    {"sender", "From: Jo Doe <Jo.Doe12@Mail.Example.COM>\n\n",
	"from:jo from:doe from:jo.doe# from:mail.example.com from:example.com "
	"from:jo.doe#@mail.example.com",
	"jo"},
    {"recipients", "To: a1@b.org, Cy <cy@d.net>\n\n", "to:a# to:b.org to:cy to:d.net", NULL},
    {"verp-digits-normalised", "Sender: bounce-12345-77@l.org\n\n", "rtrn:bounce-#-#", NULL},
    {"dates-and-ids-only-name",
	"Date: Mon, 1 Jan 2024 00:00:00 +0000\nMessage-ID: <x17@y.org>\nReferences: <z@y.org>\n\n",
	"head:date head:message-id head:references", "head:jan head:y.org head:2024"},
    {"received",
	"Received: from helo.a.net (dsl-10-2.b.com [192.0.2.7])\n\tby mx.c.org with ESMTP "
	"id 4Xabc for <u@c.org>; Mon, 1 Jan 2024\n\n",
	"rcvd:helo.a.net rcvd:a.net rcvd:dsl-#-#.b.com rcvd:b.com ip:192.0.2.7 ip:192.0.2 ip:192.0 "
	"rcvd:mx.c.org rcvd:esmtp",
	"rcvd:4xabc rcvd:u rcvd:jan rcvd:id"},
    {"ipv6", "Received: from a (b [IPv6:2001:db8:1::25])\n\n",
	"ip:2001:db8:1::25 ip:2001:db8:1: ip:2001:db8", NULL},
    {"ids-in-other-fields-out", "X-Track: 8f3a9bc01d77 Mailer\n\n", "head:x-track head:mailer",
	"head:8f3a9bc01d77"},
    {"results-of-trusted",
	"Authentication-Results: mx.example.org; spf=pass (x=y) "
	"smtp.mailfrom=b.c; dkim=fail\n\n",
	"auth:spf=pass auth:dkim=fail auth:smtp.mailfrom=b.c", "auth:x=y"},
    {"results-of-others-out", "Authentication-Results: evil.org; spf=pass\n\n",
	"head:authentication-results", "auth:spf=pass"},
    {"results-below-those-of-the-same-method-out",
	"Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=b.c\n"
	"Authentication-Results: mx.example.org; dkim=none\n"
	"Authentication-Results: mx.example.org; spf/1=fail x.y=z; dmarc=pass header.from=e.f\n\n",
	"auth:spf=pass auth:smtp.mailfrom=b.c auth:dkim=none auth:dmarc=pass auth:header.from=e.f",
	"auth:x.y=z"},
    {"results-of-one-message-out",
	"Authentication-Results: mx.example.org; dkim=pass header.d=b.c header.b=Qk3xZ9+a\n\n",
	"auth:dkim=pass auth:header.d=b.c", "auth:header.b=qk3xz9+a"},
    {"results-in-encoded-words-out",
	"Authentication-Results: =?utf-8?q?mx.example.org=3B_dkim=3Dpass_header.d=3Db.c?=\n\n",
	"head:authentication-results", "auth:dkim=pass"},
    {"url-in-text", "From: a\n\nsee http://www.Shop.example.com:8080/buy/now.html?x=deal, ok",
	"see ok url:http: url:www.shop.example.com url:shop.example.com url:example.com url::8080 "
	"url:buy url:now.html url:deal",
	"http buy"},
    {"url-in-html", "Content-Type: text/html\n\n<a href='http://u:p@192.0.2.9/%2561b'>it</a>",
	"url:@ url:ip ip:192.0.2.9 url:% url:ab html:a it", NULL},
    {"mime",
	"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; "
	"charset=Big5\n\nx\n--b\nContent-Type: application/zip; name=\"My Invoice.ZIP\"\n"
	"Content-Disposition: attachment\n\nPK\n--b--\n",
	"mime:multipart/mixed mime:big5 mime:application/zip mime:.zip mime:invoice.zip "
	"mime:attachment mime:mixed(plain,zip)",
	"mime:.ZIP"},
    {"hidden-is-marked", "Content-Type: text/html\n\n<i style='display:none'>salad</i>seen",
	"hide:salad seen", "salad"},
    {"chinese-in-pairs", "Subject: \344\275\240\345\245\275\344\270\226\n\n",
	"subj:\344\275\240\345\245\275 subj:\345\245\275\344\270\226",
	"subj:\344\275\240 subj:\344\275\240\345\245\275\344\270\226"},
    {"amounts-and-numbers", "From: a\n\n$1,000.50 win 2024 123456789 5", "$1,000.50 win 2024 #09",
	"123456789 5"},
    {"long-words-by-length", "From: a\n\nZaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	"~z5", NULL},
    {"long-words-at-joiners", "From: a\n\naaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbbbbbbbbbbb",
	NULL, "aaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbbbbbbbbbbb"},
    {"joined-words-whole", "From: a\n\ndon't e-mail foo.bar... end.", "don't e-mail foo.bar end",
	"foo.bar... end."},
    {"spaced-letters", "From: a\n\nbuy V I A G R A now", "viagra mark:spaced buy now", NULL},
    {"lookalikes", "Content-Type: text/plain; charset=utf-8\n\np\320\260ypal v\342\200\213iagra",
	"paypal viagra mark:lookalike mark:invisible", NULL},
    {"accents", "From: a\n\nV\303\255\303\240gra", "viagra", NULL},
    {"no-text-no-marks", "From: a\n\nplain", "plain", "mark:spaced mark:lookalike mark:charset"},
};

static bool
has_token(const struct tokens *tokens, const char *text)
{
	for (size_t i = 0; i < tokens->count; i++)
		if (tokens->list[i].length == strlen(text) &&
		    !memcmp(tokens_text(tokens, i), text, tokens->list[i].length))
			return true;
	return false;
}

static void
read_tokens(struct tokens *tokens, const char *text, const struct token_options *options)
{
	struct message_options message_options = message_options_default();
	struct message *message =
	    message_read((const uint8_t *)text, strlen(text), &message_options);
	tokens_read(tokens, message, options);
	message_free(message);
}

static void
assert_tokens(const struct tokens *tokens, const char *list, bool wanted)
{
	g_auto(GStrv) words = g_strsplit(list ? list : "", " ", -1);
	for (char **word = words; *word; word++)
		if (**word && has_token(tokens, *word) != wanted)
			g_error("%s: %s", wanted ? "missing" : "not wanted", *word);
}

static void
test_row(gconstpointer data)
{
	const struct row *row = data;
	struct token_options options = token_options_default();
	options.trusted_authserv_ids = trusted;
	struct tokens tokens;
	tokens_init(&tokens);
	read_tokens(&tokens, row->message, &options);
	assert_tokens(&tokens, row->with, true);
	assert_tokens(&tokens, row->without, false);
	tokens_clear(&tokens);
}

static void
test_once(void)
{
	struct token_options options = token_options_default();
	struct tokens tokens;
	tokens_init(&tokens);
	g_autoptr(GString) text = g_string_new("From: a\n\n");
	for (int i = 0; i < 3000; i++)
		g_string_append_printf(text, "word%d Word%d again ", i, i);
	read_tokens(&tokens, text->str, &options);
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (size_t i = 0; i < tokens.count; i++) {
		size_t length = tokens.list[i].length;
		char *token = g_strndup(tokens_text(&tokens, i), length);
		g_assert_cmpuint(tokens.list[i].hash, ==, token_hash(token, length));
		g_assert_true(g_hash_table_add(seen, token));
	}
	g_assert_cmpuint(tokens.count, >, 3000);
	read_tokens(&tokens, "From: a\n\nword1", &options);
	g_assert_true(has_token(&tokens, "word1"));
	g_assert_false(has_token(&tokens, "word2"));
	tokens_clear(&tokens);
}

static void
test_options(void)
{
	struct token_options options = token_options_default();
	struct tokens tokens;
	tokens_init(&tokens);
	options.keep_case = true;
	options.pairs = true;
	read_tokens(&tokens, "Subject: Buy NOW\n\nOne two", &options);
	assert_tokens(&tokens, "subj:Buy subj:NOW subj:Buy*NOW One*two", true);
	assert_tokens(&tokens, "subj:buy NOW*One", false);
	options = token_options_default();
	options.limit = 3;
	read_tokens(&tokens, "Subject: a b c\n\nlots of further words", &options);
	g_assert_cmpuint(tokens.count, ==, 4);
	assert_tokens(&tokens, "cut:tokens", true);
	tokens_clear(&tokens);
}

static void
test_cuts(void)
{
	struct message_options message_options = message_options_default();
	struct token_options options = token_options_default();
	struct tokens tokens;
	tokens_init(&tokens);
	message_options.limits.text = 3;
	static const char text[] = "From: a\n\nlonger";
	struct message *message =
	    message_read((const uint8_t *)text, strlen(text), &message_options);
	tokens_read(&tokens, message, &options);
	assert_tokens(&tokens, "cut:text lon", true);
	message_free(message);
	tokens_clear(&tokens);
}

/* Known answers keep stored slot numbers valid. */
static void
test_hash(void)
{
	g_assert_cmphex(token_hash("", 0), !=, token_hash("\0", 1));
	g_assert_cmphex(token_hash("abcdefgh", 8), !=, token_hash("abcdefgh\0", 9));
	g_assert_cmphex(token_hash("viagra", 6), ==, G_GUINT64_CONSTANT(0x34690064f84da9d2));
	g_assert_cmphex(
	    token_hash("subj:unsubscribe", 16), ==, G_GUINT64_CONSTANT(0x8bfbab6d99820318));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path = g_strdup_printf("/tokens/by-place/%s", rows[i].name);
		g_test_add_data_func(path, &rows[i], test_row);
	}
	g_test_add_func("/tokens/each-once-and-none-of-the-message-before", test_once);
	g_test_add_func("/tokens/case-pairs-and-limit-are-options", test_options);
	g_test_add_func("/tokens/what-was-cut-is-a-token", test_cuts);
	g_test_add_func("/tokens/hash-is-the-same-everywhere", test_hash);
	return g_test_run();
}
