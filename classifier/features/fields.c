#include "config.h"

#include "classifier/features/fields.h"

#include <string.h>
#include "classifier/mail/results.h"
#include "classifier/features/url.h"

#define VALUE_MAX   4096 /* bytes of a value that are read */
#define ADDRESS_MAX 64

enum field_kind {
	FIELD_NAME, /* the name says all that is not different in every message */
	FIELD_WORDS,
	FIELD_ADDRESSES,
	FIELD_RECEIVED,
	FIELD_RESULTS,
	FIELD_LINKS,
	FIELD_TEXT, /* as FIELD_WORDS, with what looks like an id */
};

/* "*" at the end is any rest. All others are FIELD_WORDS at "head:". */
static const struct field {
	const char *name;
	enum field_kind kind;
	const char *place;
} fields[] = {
    {"received", FIELD_RECEIVED, "rcvd:"},
    {"subject", FIELD_TEXT, "subj:"},
    {"from", FIELD_ADDRESSES, "from:"},
    {"to", FIELD_ADDRESSES, "to:"},
    {"cc", FIELD_ADDRESSES, "to:"},
    {"reply-to", FIELD_ADDRESSES, "from:"},
    {"sender", FIELD_ADDRESSES, "rtrn:"},
    {"errors-to", FIELD_ADDRESSES, "rtrn:"},
    {"x-envelope-sender", FIELD_ADDRESSES, "rtrn:"},
    {"resent-from", FIELD_ADDRESSES, "rtrn:"},
    {"authentication-results", FIELD_RESULTS, "auth:"},
    {"comments", FIELD_TEXT, "subj:"},
    {"date", FIELD_NAME, ""},
    {"message-id", FIELD_NAME, ""},
    {"references", FIELD_NAME, ""},
    {"in-reply-to", FIELD_NAME, ""},
    {"content-*", FIELD_NAME, ""}, /* by its part */
    {"dkim-signature", FIELD_NAME, ""},
    {"domainkey-signature", FIELD_NAME, ""},
    {"arc-*", FIELD_NAME, ""},
    {"autocrypt", FIELD_NAME, ""},
    {"face", FIELD_NAME, ""},
    {"openpgp", FIELD_NAME, ""},
    {"resent-date", FIELD_NAME, ""},
    {"resent-message-id", FIELD_NAME, ""},
    {"received-spf", FIELD_NAME, ""}, /* anybody's */
    {"thread-index", FIELD_NAME, ""},
    {"x-face", FIELD_NAME, ""},
    {"x-gm-message-state", FIELD_NAME, ""},
    {"x-google-*", FIELD_NAME, ""},
    {"x-ms-exchange-*", FIELD_NAME, ""},
    {"x-microsoft-*", FIELD_NAME, ""},
    {"x-received", FIELD_NAME, ""},
    {"list-unsubscribe", FIELD_LINKS, "url:"},
    {"list-archive", FIELD_LINKS, "url:"},
    {"list-help", FIELD_NAME, ""},
    {"list-post", FIELD_NAME, ""},
    {"list-subscribe", FIELD_NAME, ""},
};

static const struct field other = {"", FIELD_WORDS, "head:"};

static const struct field *
find_field(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
		const char *known = fields[i].name;
		if (known[0] != name[0])
			continue;
		size_t length = strlen(known);
		if (known[length - 1] == '*' ? !strncmp(known, name, length - 1)
					     : !strcmp(known, name))
			return &fields[i];
	}
	return &other;
}

static bool
is_atom(char c)
{
	return (unsigned char)c > ' ' && !strchr("()<>[]{},;\"\\", c);
}

/* "user@host": the host with its domains, the user with digits as "#", the whole of both. */
static void
read_address(struct words *words, const char *user, const char *at, const char *end)
{
	char address[ADDRESS_MAX];
	size_t used = 0, local;
	for (const char *p = user; p < at && used < sizeof address / 2; p++) {
		char c = g_ascii_isdigit(*p) ? '#' : *p & 0x80 ? '_' : g_ascii_tolower(*p);
		if (c != '#' || !used || address[used - 1] != '#')
			address[used++] = c;
	}
	local = used;
	words_put(words, address, local);
	words_put_host(words, at + 1, (size_t)(end - at - 1), false);
	for (const char *p = at; p < end && used < sizeof address; p++)
		address[used++] = g_ascii_tolower(*p);
	words_put(words, address, used);
}

/* Addresses by their shape, whatever is broken round them; all else as words. */
static void
read_addresses(struct words *words, const char *value, size_t length)
{
	const char *end = value + length, *read = value;
	for (const char *at = value; (at = memchr(at, '@', (size_t)(end - at))); at++) {
		const char *user = at, *host = at + 1;
		while (user > read && is_atom(user[-1]) && user[-1] != ':')
			user--;
		while (host < end && (g_ascii_isalnum(*host) || *host == '.' || *host == '-'))
			host++;
		if (user == at || host == at + 1)
			continue;
		words_read(words, read, (size_t)(user - read));
		read_address(words, user, at, host);
		read = host;
		at = host - 1;
	}
	words_read(words, read, (size_t)(end - read));
}

/* Words of a Received field after which an id or a recipient comes. */
static bool
is_skipping(const char *word, size_t length)
{
	return (length == 2 && !memcmp(word, "id", 2)) || (length == 3 && !memcmp(word, "for", 3));
}

static void
read_received_atom(struct words *words, const char *atom, size_t length)
{
	bool dot = memchr(atom, '.', length) && !memchr(atom, '/', length), letter = false;
	for (size_t i = 0; i < length && !letter; i++)
		letter = g_ascii_isalpha(atom[i]);
	if (length > 5 && !g_ascii_strncasecmp(atom, "ipv6:", 5)) {
		words_put_ip(words, atom + 5, length - 5);
	} else if (memchr(atom, ':', length) && words_put_ip(words, atom, length)) {
		return;
	} else if (!strncmp(atom, "helo=", 5) && length > 5) {
		words_put_host(words, atom + 5, length - 5, true);
	} else if (dot && words_put_ip(words, atom, length)) {
		return;
	} else if (dot && letter) {
		const char *at = memchr(atom, '@', length);
		size_t user = at ? (size_t)(at - atom) + 1 : 0;
		words_put_host(words, atom + user, length - user, true);
	} else if (letter) {
		words_read(words, atom, length);
	}
}

void
field_read_received(struct words *words, const char *value, size_t length)
{
	const char *end = value + length;
	bool skip = false;
	words_set_place(words, "rcvd:");
	words->no_ids = true;
	while (value < end && *value != ';') {
		const char *start = value;
		while (value < end && is_atom(*value))
			value++;
		size_t atom = (size_t)(value - start);
		bool skipping = !skip && is_skipping(start, atom);
		if (atom && !skip && !skipping)
			read_received_atom(words, start, atom);
		if (atom)
			skip = skipping;
		value += !atom;
	}
	words->no_ids = false;
}

static void
put_result(void *context, const char *word, size_t length, bool first G_GNUC_UNUSED)
{
	if (length <= ADDRESS_MAX)
		words_put(context, word, length);
}

static void
read_links(struct words *words, const char *value, size_t length)
{
	const char *end = value + length;
	while ((value = memchr(value, '<', (size_t)(end - value)))) {
		const char *close = memchr(value, '>', (size_t)(end - value));
		if (!close)
			return;
		url_read(words, value + 1, (size_t)(close - value) - 1);
		value = close;
	}
}

void
field_read(struct words *words, const struct message_header *header, struct fields *above)
{
	const struct field *field = find_field(header->name.text);
	const char *value = header->value.text;
	size_t length = MIN(header->value.length, VALUE_MAX);
	const char *valid;
	if (!g_utf8_validate_len(value, length, &valid))
		length = (size_t)(valid - value);
	words_put_at(words, "head:", header->name.text, header->name.length);
	words_set_place(words, field->place);
	switch (field->kind) {
	case FIELD_NAME: break;
	case FIELD_TEXT: words_read(words, value, length); break;
	case FIELD_WORDS:
		words->no_ids = true;
		words_read(words, value, length);
		words->no_ids = false;
		break;
	case FIELD_ADDRESSES: read_addresses(words, value, length); break;
	case FIELD_RECEIVED:
		if (above->received++ < FIELDS_RECEIVED_MAX)
			field_read_received(words, value, length);
		break;
	case FIELD_RESULTS:
		results_read(&above->results, value, length, words->options->trusted_authserv_ids,
		    put_result, words);
		break;
	case FIELD_LINKS: read_links(words, value, length); break;
	}
}
