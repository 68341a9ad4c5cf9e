/* Any bytes as a message: its tokens are each there once, short, valid UTF-8, without spaces, and
 * the same when they are read again. */
#include "config.h"

#include <string.h>
#include <glib.h>
#include "classifier/features/tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_token(const struct tokens *tokens, size_t index)
{
	const char *text = tokens_text(tokens, index);
	size_t length = tokens->list[index].length;
	g_assert_cmpuint(length, >=, 1);
	g_assert_cmpuint(length, <=, TOKENS_LENGTH_MAX);
	g_assert_true(g_utf8_validate_len(text, length, NULL));
	for (size_t i = 0; i < length; i++)
		g_assert_cmpint((unsigned char)text[i], >, ' ');
	g_assert_cmphex(tokens->list[index].hash, ==, token_hash(text, length));
}

static void
check_again(
    struct tokens *tokens, const struct message *message, const struct token_options *options)
{
	struct tokens again;
	tokens_init(&again);
	tokens_read(&again, message, options);
	g_assert_cmpuint(again.count, ==, tokens->count);
	g_assert_cmpuint(again.used, ==, tokens->used);
	g_assert_true(!again.used || !memcmp(again.bytes, tokens->bytes, again.used));
	/* Each is there: none can be added. */
	for (size_t i = 0; i < again.count; i++)
		g_assert_false(
		    tokens_add(tokens, again.bytes + again.list[i].offset, again.list[i].length));
	tokens_clear(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const trusted[] = {"mx.example.org", NULL};
	struct message_options message_options = message_options_default();
	struct token_options options = token_options_default();
	struct message *message = message_read(data, size, &message_options);
	struct tokens tokens;
	tokens_init(&tokens);
	options.trusted_authserv_ids = trusted;
	for (int i = 0; i < 5; i++) {
		options.keep_case = i & 1;
		options.pairs = i & 2;
		options.bogowords = i == 4;
		tokens_read(&tokens, message, &options);
		for (size_t k = 0; k < tokens.count; k++)
			check_token(&tokens, k);
		check_again(&tokens, message, &options);
	}
	tokens_clear(&tokens);
	message_free(message);
	return 0;
}
