/*
 * Whitelists: the bytes up to a line "--" are a list, those after it an address or a name. What
 * matches is an entry of the list, and the letters' case does not matter.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>
#include <glib.h>

#include "policyd/decide/whitelist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_match(enum whitelist_kind kind, const char *bytes, size_t length, const char *subject)
{
	struct whitelist *list = whitelist_new(kind);
	g_autofree char *upper = g_ascii_strup(subject, -1);
	g_autofree char *text = g_strndup(bytes, length);
	const char *found, *again;
	struct address address = {0};

	if (whitelist_parse(list, "fuzz", bytes, length, NULL)) {
		address_parse(subject, &address);
		if (kind == WHITELIST_CLIENTS) {
			found = whitelist_match_client(list, &address, subject);
			again = whitelist_match_client(list, &address, upper);
		} else {
			found = whitelist_match_address(list, subject);
			again = whitelist_match_address(list, upper);
		}
		g_assert_true(!found || whitelist_size(list) > 0);
		g_assert_true(!found || strstr(text, found));
		/* "unknown" is Postfix's word in lower case alone. */
		if (strcasecmp(subject, "unknown") != 0)
			g_assert_true(found == again);
	}
	whitelist_free(list);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char mark[] = "\n--\n";
	const char *bytes = (const char *)data;
	const char *split = memmem(data, size, mark, strlen(mark));
	size_t length = split ? (size_t)(split - bytes) : size;
	g_autofree char *subject =
	    split ? g_strndup(split + strlen(mark), size - length - strlen(mark)) : g_strdup("a@b");

	g_strchomp(subject);
	check_match(WHITELIST_CLIENTS, bytes, length, subject);
	check_match(WHITELIST_ADDRESSES, bytes, length, subject);
	return 0;
}
