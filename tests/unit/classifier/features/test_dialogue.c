#include "config.h"

#include "classifier/features/dialogue.h"

#include <string.h>
#include <glib.h>

static const char *const trusted[] = {"mx.example.net", NULL};

/* -- tokens -- */

struct token_case {
	const char *name;
	struct delivery_greylist greylist;
	const char *tokens;
};

static const struct token_case token_cases[] = {
    {"unknown", {.contact = DELIVERY_UNKNOWN, .delayed = 100, .attempts = 9, .moved = true}, ""},
    {"known", {.contact = DELIVERY_KNOWN, .attempts = 3, .moved = true}, "grey:known"},
    {"spared", {.contact = DELIVERY_FIRST}, "grey:first"},
    {"two-minutes", {.contact = DELIVERY_FIRST, .delayed = 120, .attempts = 2},
	"grey:first grey:delay-2m"},
    {"five-minutes", {.contact = DELIVERY_FIRST, .delayed = 121, .attempts = 2},
	"grey:first grey:delay-5m"},
    {"days", {.contact = DELIVERY_FIRST, .delayed = 90000, .attempts = 3},
	"grey:first grey:delay-more grey:early-1"},
    {"hasty", {.contact = DELIVERY_FIRST, .delayed = 61, .attempts = 40, .moved = true},
	"grey:first grey:delay-2m grey:early-5 grey:moved"},
};

static void
test_tokens(gconstpointer data)
{
	const struct token_case *row = data;
	g_autoptr(GString) text = g_string_new(NULL);
	struct tokens tokens;

	tokens_init(&tokens);
	tokens.limit = 100;
	dialogue_tokens(&tokens, &row->greylist);
	for (size_t i = 0; i < tokens.count; i++)
		g_string_append_printf(text, "%s%.*s", i ? " " : "", (int)tokens.list[i].length,
		    tokens_text(&tokens, i));
	g_assert_cmpstr(text->str, ==, row->tokens);
	tokens_clear(&tokens);
}

/* -- authenticated domains -- */

struct auth_case {
	const char *name, *header, *domains;
};

static const struct auth_case auth_cases[] = {
    {"none", "From: a@b.example\n", ""},
    {"dkim",
	"Authentication-Results: mx.example.net;\n\tdkim=pass (2048-bit key; unprotected) "
	"header.d=Mail.Example.ORG header.i=@other.example header.b=\"x\"\n",
	"example.org"},
    {"spf", "Authentication-Results: mx.example.net; spf=pass smtp.mailfrom=a@b.example.com\n",
	"example.com"},
    {"both",
	"Authentication-Results: mx.example.net; spf=pass smtp.mailfrom=b.example.com;\n"
	" dkim=pass header.d=a.example.org; dkim=pass header.d=example.org\n",
	"example.com example.org"},
    {"not-passed",
	"Authentication-Results: mx.example.net; dkim=fail header.d=a.example; spf=softfail "
	"smtp.mailfrom=a.example; dmarc=pass header.from=a.example\n",
	""},
    {"of-others", "Authentication-Results: mx.example.com; dkim=pass header.d=a.example\n", ""},
    {"forged-below",
	"Authentication-Results: mx.example.net; dkim=none\n"
	"Authentication-Results: mx.example.net; dkim=pass header.d=bank.example\n",
	""},
    {"in-a-quoted-string",
	"Authentication-Results: mx.example.net; spf=pass "
	"smtp.mailfrom=\"x; dkim=pass header.d=bank.example \\\" y\"@evil.example\n",
	""},
    {"in-a-comment",
	"Authentication-Results: mx.example.net; spf=fail (\\) ; dkim=pass header.d=bank.example) "
	"smtp.mailfrom=evil.example\n",
	""},
    {"public-suffix", "Authentication-Results: mx.example.net; dkim=pass header.d=co.uk\n", ""},
    {"never-closed", "Authentication-Results: mx.example.net; dkim=pass \"header.d=a.example\n",
	""},
};

static void
test_auth(gconstpointer data)
{
	const struct auth_case *row = data;
	g_autofree char *text = g_strconcat(row->header, "Subject: s\n\nbody\n", NULL);
	struct message_options options = message_options_default();
	struct message *message = message_read((const uint8_t *)text, strlen(text), &options);
	struct suffix_list *suffixes = suffix_list_load(NULL);
	g_autoptr(GString) domains = g_string_new(NULL);
	struct dialogue_auth auth;

	dialogue_authenticated(message, trusted, suffixes, &auth);
	for (unsigned i = 0; i < auth.n; i++)
		g_string_append_printf(domains, "%s%s", i ? " " : "", auth.domains[i]);
	g_assert_cmpstr(domains->str, ==, row->domains);
	dialogue_authenticated(message, NULL, suffixes, &auth);
	g_assert_cmpuint(auth.n, ==, 0);
	suffix_list_free(suffixes);
	message_free(message);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(token_cases); i++) {
		g_autofree char *path = g_strconcat("/dialogue/tokens/", token_cases[i].name, NULL);
		g_test_add_data_func(path, &token_cases[i], test_tokens);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(auth_cases); i++) {
		g_autofree char *path = g_strconcat("/dialogue/auth/", auth_cases[i].name, NULL);
		g_test_add_data_func(path, &auth_cases[i], test_auth);
	}
	return g_test_run();
}
