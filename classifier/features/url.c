#include "config.h"

#include "classifier/features/url.h"

#include <string.h>

#define URL_MAX    1024
#define ESCAPE_MAX 3 /* times that escapes are undone: %2561 is %61 is a */

/* Undoes %-escapes in place; false if there were none. */
static bool
unescape(char *url, size_t *length)
{
	size_t used = 0;
	bool found = false;
	for (size_t i = 0; i < *length; i++) {
		if (url[i] == '%' && i + 2 < *length && g_ascii_isxdigit(url[i + 1]) &&
		    g_ascii_isxdigit(url[i + 2])) {
			int byte = g_ascii_xdigit_value(url[i + 1]) * 16 +
				   g_ascii_xdigit_value(url[i + 2]);
			url[used++] = byte > ' ' && byte < 0x7f ? (char)byte : '%';
			i += 2;
			found = true;
			continue;
		}
		url[used++] = url[i];
	}
	*length = used;
	return found;
}

/* "user@host:port": the host, and tokens for the rest. */
static void
read_authority(struct words *words, const char *authority, size_t length)
{
	for (size_t i = length; i-- > 0;)
		if (authority[i] == '@') {
			words_put_at(words, "url:", "@", 1);
			authority += i + 1;
			length -= i + 1;
			break;
		}
	if (length && authority[0] == '[') {
		const char *end = memchr(authority, ']', length);
		if (end && words_put_ip(words, authority + 1, (size_t)(end - authority) - 1))
			words_put(words, "ip", 2);
		return;
	}
	const char *port = memchr(authority, ':', length);
	if (port) {
		size_t rest = length - (size_t)(port - authority);
		words_put(words, port, MIN(rest, 6));
		length -= rest;
	}
	if (words_put_ip(words, authority, length))
		words_put(words, "ip", 2);
	else if (length)
		words_put_host(words, authority, length, false);
}

static void
read_decoded(struct words *words, const char *url, size_t length)
{
	const char *end = url + length, *colon = memchr(url, ':', length);
	const char *p = url;
	if (!(length >= 2 && !memcmp(url, "//", 2))) {
		size_t scheme = colon ? (size_t)(colon - url) : 0;
		if (!scheme || scheme > 12)
			return;
		char name[13];
		for (size_t i = 0; i < scheme; i++)
			name[i] = g_ascii_tolower(url[i]);
		name[scheme] = ':';
		words_put(words, name, scheme + 1);
		p = colon + 1;
		if (scheme == 6 && !memcmp(name, "mailto", 6)) {
			const char *query = memchr(p, '?', (size_t)(end - p));
			read_authority(words, p, (size_t)((query ? query : end) - p));
			return;
		}
		if (end - p < 2 || memcmp(p, "//", 2))
			return;
	}
	for (p += 2; p < end && (*p == '/' || *p == '\\'); p++)
		;
	size_t authority = 0;
	while (p + authority < end && !strchr("/?#\\", p[authority]))
		authority++;
	read_authority(words, p, authority);
	bool no_ids = words->no_ids;
	words->no_ids = true;
	words_read(words, p + authority, (size_t)(end - p) - authority);
	words->no_ids = no_ids;
}

void
url_read(struct words *words, const char *url, size_t length)
{
	char decoded[URL_MAX];
	length = MIN(length, sizeof decoded);
	/* Bytes beyond ASCII in a host or path are as rare as they are without meaning here. */
	for (size_t i = 0; i < length; i++)
		decoded[i] = url[i] & 0x80 || url[i] <= ' ' ? '_' : url[i];
	bool escaped = false;
	for (int i = 0; i < ESCAPE_MAX && unescape(decoded, &length); i++)
		escaped = true;
	words_set_place(words, "url:");
	if (escaped)
		words_put(words, "%", 1);
	read_decoded(words, decoded, length);
}

size_t
url_read_in_text(struct words *words, const char *text, size_t length)
{
	size_t taken = 0;
	while (taken < length && (unsigned char)text[taken] > ' ' &&
	       !strchr("<>\"'`()[]{}|^", text[taken]))
		taken++;
	size_t url = taken;
	while (url && strchr(".,;:!?", text[url - 1]))
		url--;
	char place[TOKENS_LENGTH_MAX];
	size_t place_length = words->place;
	memcpy(place, words->buffer, place_length);
	url_read(words, text, url);
	place[MIN(place_length, sizeof place - 1)] = '\0';
	words_set_place(words, place);
	return MAX(taken, 1);
}
