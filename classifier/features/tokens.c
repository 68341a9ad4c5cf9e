#include "config.h"

#include "classifier/features/bogowords.h"
#include "classifier/features/tokens.h"

#include <string.h>
#include "classifier/features/fields.h"
#include "classifier/mail/html.h"
#include "classifier/mail/text.h"
#include "classifier/features/url.h"
#include "classifier/features/words.h"

#define SLOTS_FIRST   1024
#define PROBES_MAX    64 /* a longer chain has been made on purpose */
#define STRUCTURE_MAX 80

static const struct {
	unsigned bit;
	const char *token;
} cuts[] = {{MESSAGE_CUT_MESSAGE, "cut:message"}, {MESSAGE_CUT_HEADER, "cut:header"},
    {MESSAGE_CUT_TEXT, "cut:text"}, {MESSAGE_CUT_DEPTH, "cut:depth"},
    {MESSAGE_CUT_PARTS, "cut:parts"}, {MESSAGE_CUT_HTML, "cut:html"}};

struct token_options
token_options_default(void)
{
	return (struct token_options){.limit = TOKENS_LIMIT};
}

void
tokens_init(struct tokens *tokens)
{
	*tokens = (struct tokens){0};
}

void
tokens_clear(struct tokens *tokens)
{
	g_free(tokens->bytes);
	g_free(tokens->list);
	g_free(tokens->slots);
	tokens_init(tokens);
}

void
tokens_shrink(struct tokens *tokens)
{
	g_clear_pointer(&tokens->slots, g_free);
	tokens->slot_count = 0;
	tokens->bytes = g_realloc(tokens->bytes, tokens->size = tokens->used);
	tokens->list = g_renew(struct token, tokens->list, tokens->list_size = tokens->count);
}

/* Multiply and fold, eight bytes at a time, little-endian. */
uint64_t
token_hash(const char *text, size_t length)
{
	uint64_t hash = G_GUINT64_CONSTANT(0x9e3779b97f4a7c15) ^ length, word;
	for (; length >= 8; length -= 8, text += 8) {
		memcpy(&word, text, 8);
		hash = (hash ^ GUINT64_FROM_LE(word)) * G_GUINT64_CONSTANT(0xff51afd7ed558ccd);
		hash ^= hash >> 32;
	}
	if (length) {
		word = 0;
		memcpy(&word, text, length);
		hash = (hash ^ GUINT64_FROM_LE(word)) * G_GUINT64_CONSTANT(0xff51afd7ed558ccd);
		hash ^= hash >> 32;
	}
	hash *= G_GUINT64_CONSTANT(0xc4ceb9fe1a85ec53);
	return hash ^ hash >> 29;
}

static void
set_slots(struct tokens *tokens, size_t count)
{
	g_free(tokens->slots);
	tokens->slots = g_new0(uint32_t, count);
	tokens->slot_count = count;
	for (size_t i = 0; i < tokens->count; i++) {
		size_t slot = tokens->list[i].hash & (count - 1);
		while (tokens->slots[slot])
			slot = (slot + 1) & (count - 1);
		tokens->slots[slot] = (uint32_t)i + 1;
	}
}

static void
append_token(struct tokens *tokens, const char *text, size_t length, uint64_t hash)
{
	if (tokens->used + length > tokens->size) {
		tokens->size = 2 * tokens->size + 8192;
		tokens->bytes = g_realloc(tokens->bytes, tokens->size);
	}
	if (tokens->count == tokens->list_size) {
		tokens->list_size = 2 * tokens->list_size + SLOTS_FIRST / 2;
		tokens->list = g_renew(struct token, tokens->list, tokens->list_size);
	}
	memcpy(tokens->bytes + tokens->used, text, length);
	tokens->list[tokens->count++] =
	    (struct token){hash, (uint32_t)tokens->used, (uint32_t)length};
	tokens->used += length;
}

bool
tokens_add(struct tokens *tokens, const char *text, size_t length)
{
	if (!length || length > TOKENS_LENGTH_MAX)
		return false;
	if (!tokens->slots)
		set_slots(tokens, SLOTS_FIRST);
	uint64_t hash = token_hash(text, length);
	size_t mask = tokens->slot_count - 1, slot = hash & mask;
	for (int probes = 0; tokens->slots[slot]; slot = (slot + 1) & mask) {
		const struct token *token = &tokens->list[tokens->slots[slot] - 1];
		if (token->hash == hash && token->length == length &&
		    !memcmp(tokens->bytes + token->offset, text, length))
			return false;
		if (++probes == PROBES_MAX)
			return false;
	}
	if (tokens->count >= tokens->limit && tokens->limit) {
		tokens->cut = true;
		return false;
	}
	append_token(tokens, text, length, hash);
	tokens->slots[slot] = (uint32_t)tokens->count;
	if (tokens->count * 2 > tokens->slot_count)
		set_slots(tokens, 2 * tokens->slot_count);
	return true;
}

static void
empty_tokens(struct tokens *tokens, size_t limit)
{
	tokens->count = tokens->used = 0;
	tokens->limit = limit;
	tokens->cut = false;
	if (tokens->slot_count > SLOTS_FIRST)
		set_slots(tokens, SLOTS_FIRST);
	else if (tokens->slots)
		memset(tokens->slots, 0, tokens->slot_count * sizeof *tokens->slots);
}

static void
read_headers(struct words *words, const struct message *message)
{
	struct fields above = {0};
	if (message->canonical.handover)
		field_read_received(
		    words, message->canonical.handover, strlen(message->canonical.handover));
	for (size_t i = 0; i < message->header_count; i++)
		field_read(words, &message->headers[i], &above);
}

/* "mixed(alternative(plain,html),pdf)". */
static void
read_structure(struct words *words, const struct message *message)
{
	char structure[STRUCTURE_MAX];
	size_t used = 0;
	unsigned depth = 0;
	for (size_t i = 0; i < message->part_count; i++) {
		const struct message_part *part = &message->parts[i];
		const char *slash = strchr(part->type, '/');
		const char *name = slash ? slash + 1 : part->type;
		size_t length = MIN(strlen(name), 16);
		size_t closing = depth > part->depth ? depth - part->depth : 0;
		if (used + closing + length + 2 > sizeof structure)
			break;
		memset(structure + used, ')', closing);
		used += closing;
		if (i)
			structure[used++] = part->depth > depth ? '(' : ',';
		depth = part->depth;
		memcpy(structure + used, name, text_cut(name, strlen(name), length));
		used += text_cut(name, strlen(name), length);
	}
	for (; depth && used < sizeof structure; depth--)
		structure[used++] = ')';
	words_put_at(words, "mime:", structure, used);
}

static void
read_file_name(struct words *words, const char *name)
{
	char extension[12];
	const char *dot = strrchr(name, '.');
	size_t length = dot ? 1 : 0;
	while (length && length < sizeof extension && g_ascii_isalnum(dot[length]))
		length++;
	if (length > 1 && !dot[length]) {
		for (size_t i = 0; i < length; i++)
			extension[i] = g_ascii_tolower(dot[i]);
		words_put(words, extension, length);
	}
	words_read(words, name, strlen(name));
}

static void
read_digest(struct words *words, const struct message_part *part)
{
	char hex[2 * sizeof part->digest];
	for (size_t i = 0; i < sizeof part->digest; i++) {
		hex[2 * i] = "0123456789abcdef"[part->digest[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[part->digest[i] & 15];
	}
	words_put(words, hex, sizeof hex);
}

static void
read_part_header(struct words *words, const struct message_part *part)
{
	static const uint8_t none[sizeof part->digest];
	words_set_place(words, "mime:");
	words_put(words, part->type, strlen(part->type));
	if (*part->charset)
		words_put(words, part->charset, strlen(part->charset));
	if (*part->encoding)
		words_put(words, part->encoding, strlen(part->encoding));
	if (part->attachment)
		words_put(words, "attachment", strlen("attachment"));
	if (*part->name)
		read_file_name(words, part->name);
	if (memcmp(part->digest, none, sizeof none))
		read_digest(words, part);
	if (part->binary)
		words_put_at(words, "mark:", "binary", strlen("binary"));
	if (part->repaired)
		words_put_at(words, "mark:", "charset", strlen("charset"));
	for (unsigned i = 0; html_tag_name(i); i++)
		if (part->html_tags >> i & 1)
			words_put_at(words, "html:", html_tag_name(i), strlen(html_tag_name(i)));
}

static void
read_parts(struct words *words, const struct message *message)
{
	for (size_t i = 0; i < message->part_count; i++) {
		const struct message_part *part = &message->parts[i];
		read_part_header(words, part);
		words_set_place(words, "");
		words->on_url = url_read_in_text;
		words_read(words, part->visible.text, part->visible.length);
		words->on_url = NULL;
		words_set_place(words, "hide:");
		words_read(words, part->hidden.text, part->hidden.length);
	}
	read_structure(words, message);
}

/* What limits and tricks were met. */
static void
read_marks(struct words *words, const struct message *message)
{
	struct tokens *tokens = words->tokens;
	tokens->limit = 0;
	for (size_t i = 0; i < G_N_ELEMENTS(cuts); i++)
		if (message->cut & cuts[i].bit)
			tokens_add(tokens, cuts[i].token, strlen(cuts[i].token));
	if (tokens->cut)
		tokens_add(tokens, "cut:tokens", strlen("cut:tokens"));
	if (words->tricks & TEXT_TRICK_INVISIBLE)
		tokens_add(tokens, "mark:invisible", strlen("mark:invisible"));
	if (words->tricks & TEXT_TRICK_LOOKALIKE)
		tokens_add(tokens, "mark:lookalike", strlen("mark:lookalike"));
	if (words->spaced)
		tokens_add(tokens, "mark:spaced", strlen("mark:spaced"));
}

void
tokens_read(
    struct tokens *tokens, const struct message *message, const struct token_options *options)
{
	struct words words;
	empty_tokens(tokens, options->limit);
	words_init(&words, tokens, options);
	if (options->bogowords) {
		bogowords_read(&words, message);
		words_clear(&words);
		return;
	}
	read_headers(&words, message);
	read_parts(&words, message);
	for (size_t i = 0; i < message->link_count; i++)
		url_read(&words, message->links[i].text, message->links[i].length);
	read_marks(&words, message);
	words_clear(&words);
}
