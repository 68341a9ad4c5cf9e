#include "config.h"

#include "classifier/features/bogowords.h"

#include <string.h>

#define LENGTH_MIN 3
#define LENGTH_MAX 30

static const struct {
	const char *field, *place;
} places[] = {
    {"subject", "subj:"},
    {"from", "from:"},
    {"to", "to:"},
    {"return-path", "rtrn:"},
    {"received", "rcvd:"},
};

static bool
is_letter(uint8_t c)
{
	return g_ascii_isalpha(c) || c >= 0x80;
}

static bool
is_inside(uint8_t c)
{
	return is_letter(c) || g_ascii_isdigit(c) || (c && strchr("-._!$'`#~", c));
}

static bool
is_last(uint8_t c)
{
	return is_letter(c) || g_ascii_isdigit(c) || c == '!';
}

/* The length of four numbers with dots between them, or 0. */
static size_t
address_length(const uint8_t *at, const uint8_t *end)
{
	const uint8_t *p = at;

	for (unsigned number = 0; number < 4; number++) {
		const uint8_t *first = p;

		while (p < end && p < first + 3 && g_ascii_isdigit(*p))
			p++;
		if (p == first || (number < 3 && (p == end || *p++ != '.')))
			return 0;
	}
	return p < end && is_inside(*p) ? 0 : (size_t)(p - at);
}

/* "$14", "$0.01" */
static size_t
money_length(const uint8_t *at, const uint8_t *end)
{
	const uint8_t *p = at + 1;

	if (*at != '$')
		return 0;
	while (p < end && (g_ascii_isdigit(*p) || *p == '.' || *p == ','))
		p++;
	while (p > at + 1 && !g_ascii_isdigit(p[-1]))
		p--;
	return p > at + 1 ? (size_t)(p - at) : 0;
}

static size_t
word_length(const uint8_t *at, const uint8_t *end)
{
	const uint8_t *p = at;

	while (p < end && is_inside(*p))
		p++;
	while (p > at && !is_last(p[-1]))
		p--;
	return (size_t)(p - at);
}

/* The header's bytes are as they came. */
static bool
is_clean(const char *text, size_t length)
{
	if (!g_utf8_validate_len(text, length, NULL))
		return false;
	for (const char *p = text; p < text + length; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);

		if (g_unichar_isspace(c) || g_unichar_iscntrl(c))
			return false;
	}
	return true;
}

static void
put(struct words *words, const uint8_t *at, size_t length, bool number)
{
	const char *text = (const char *)at;

	if (number || (length >= LENGTH_MIN && length <= LENGTH_MAX && is_clean(text, length)))
		words_put(words, text, length);
}

static void
read_words(struct words *words, const uint8_t *at, const uint8_t *end)
{
	while (at < end) {
		size_t number = address_length(at, end) + money_length(at, end);
		size_t length = number ? number : is_letter(*at) ? word_length(at, end) : 0;

		if (length)
			put(words, at, length, number > 0);
		at += length ? length : 1;
	}
}

static void
read_text(struct words *words, const struct message_text *text)
{
	const uint8_t *at = (const uint8_t *)text->text;

	if (text->length)
		read_words(words, at, at + text->length);
}

static const char *
place_of(const uint8_t *name, size_t length)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(places); i++)
		if (strlen(places[i].field) == length &&
		    !g_ascii_strncasecmp(places[i].field, (const char *)name, length))
			return places[i].place;
	return "head:";
}

/* Decoded, if some of it is encoded; of a Message-ID bogofilter makes nothing. */
static void
read_value(struct words *words, const struct message *message, const uint8_t *name, size_t length,
    const uint8_t *end)
{
	g_autofree char *lower = g_ascii_strdown((const char *)name, (gssize)length);
	const struct message_text *decoded = NULL;

	if (!strcmp(lower, "message-id"))
		return;
	if (memmem(name, (size_t)(end - name), "=?", 2))
		decoded = message_header(message, lower);
	if (decoded)
		read_text(words, decoded);
	else
		read_words(words, name + length, end);
}

static void
read_field(
    struct words *words, const struct message *message, const uint8_t *name, const uint8_t *end)
{
	const uint8_t *colon = memchr(name, ':', (size_t)(end - name));
	const char *place;

	if (!colon)
		return;
	place = place_of(name, (size_t)(colon - name));
	words_set_place(words, place);
	if (!strcmp(place, "head:"))
		read_words(words, name, colon);
	read_value(words, message, name, (size_t)(colon - name), end);
}

/* The end of the field that begins at AT, with the lines that continue it. */
static const uint8_t *
field_end(const uint8_t *at, const uint8_t *end)
{
	while ((at = memchr(at, '\n', (size_t)(end - at)))) {
		at++;
		if (at == end || (*at != ' ' && *at != '\t'))
			return at;
	}
	return end;
}

static void
read_header(struct words *words, const struct message *message)
{
	const uint8_t *at = message->canonical.bytes;
	const uint8_t *end = at + MIN(message->canonical.length, MESSAGE_LIMIT_HEADER);

	while (at < end && *at != '\n') {
		const uint8_t *next = field_end(at, end);

		read_field(words, message, at, next);
		at = next;
	}
}

void
bogowords_read(struct words *words, const struct message *message)
{
	read_header(words, message);
	words_set_place(words, "");
	for (size_t i = 0; i < message->part_count; i++) {
		read_text(words, &message->parts[i].visible);
		read_text(words, &message->parts[i].hidden);
	}
	for (size_t i = 0; i < message->link_count; i++)
		read_text(words, &message->links[i]);
}
