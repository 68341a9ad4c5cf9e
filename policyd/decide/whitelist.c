#include "config.h"

#include "policyd/decide/whitelist.h"

#include <string.h>

#include "lib/log.h"
#include "lib/pattern.h"

#define ENTRY_LENGTH_MAX 1024

/*
 * Names and addresses are found by hash, networks by length, and only expressions are tried one
 * after the other. A value in the tables is the entry's text.
 */
struct whitelist {
	enum whitelist_kind kind;
	GHashTable *domains;   /* lower case; that name and all below it */
	GHashTable *users;     /* lower case, at any domain; addresses only */
	GHashTable *addresses; /* lower case; addresses only */
	struct prefix_set *networks;
	GHashTable *network_texts; /* text of a prefix -> entry */
	GPtrArray *patterns;       /* struct pattern */
	GPtrArray *pattern_entries;
	size_t size;
};

static GHashTable *
new_table(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

static void
free_pattern(gpointer pattern)
{
	pattern_free(pattern);
}

struct whitelist *
whitelist_new(enum whitelist_kind kind)
{
	struct whitelist *list = g_new0(struct whitelist, 1);

	list->kind = kind;
	list->domains = new_table();
	list->users = new_table();
	list->addresses = new_table();
	list->networks = prefix_set_new();
	list->network_texts = new_table();
	list->patterns = g_ptr_array_new_with_free_func(free_pattern);
	list->pattern_entries = g_ptr_array_new_with_free_func(g_free);
	return list;
}

void
whitelist_free(struct whitelist *list)
{
	if (!list)
		return;
	g_hash_table_unref(list->domains);
	g_hash_table_unref(list->users);
	g_hash_table_unref(list->addresses);
	prefix_set_free(list->networks);
	g_hash_table_unref(list->network_texts);
	g_ptr_array_unref(list->patterns);
	g_ptr_array_unref(list->pattern_entries);
	g_free(list);
}

size_t
whitelist_size(const struct whitelist *list)
{
	return list->size;
}

/* -- entries -- */

static bool
wrong(const char *entry, const char *what, GError **error)
{
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "\"%s\" %s", entry, what);
	return false;
}

static bool
add_pattern(struct whitelist *list, const char *entry, GError **error)
{
	g_autofree char *expression = g_strndup(entry + 1, strlen(entry) - 2);
	struct pattern *pattern = pattern_new(expression, error);

	if (!pattern)
		return false;
	g_ptr_array_add(list->patterns, pattern);
	g_ptr_array_add(list->pattern_entries, g_strdup(entry));
	return true;
}

static void
add_network(struct whitelist *list, const char *entry, const struct prefix *prefix)
{
	char text[PREFIX_TEXT_SIZE];

	prefix_set_add(list->networks, prefix);
	g_hash_table_replace(
	    list->network_texts, g_strdup(prefix_format(prefix, text)), g_strdup(entry));
}

/* Three or two octets, as postgrey takes them for a network: 195.235.39 is 195.235.39.0/24, and
 * 195.235 is 195.235.0.0/24. */
static bool
parse_partial(const char *entry, struct prefix *ret_prefix)
{
	unsigned dots = 0;
	g_autofree char *whole = NULL;
	struct address address;

	if (strspn(entry, "0123456789.") != strlen(entry))
		return false;
	for (const char *p = entry; *p; p++)
		dots += *p == '.';
	if (dots != 1 && dots != 2)
		return false;
	whole = g_strconcat(entry, dots == 2 ? ".0" : ".0.0", NULL);
	if (!address_parse(whole, &address))
		return false;
	*ret_prefix = prefix_of(&address, 24, 0);
	return true;
}

/* As postgrey, host bits may be set: they are cleared. ::ffff:192.0.2.0/120 is 192.0.2.0/24. */
static bool
parse_network(const char *entry, struct prefix *ret_prefix)
{
	g_auto(GStrv) parts = g_strsplit(entry, "/", 2);
	struct address address;
	guint64 length, skipped;

	if (!address_parse(parts[0], &address))
		return false;
	skipped = address.family == ADDRESS_IPV4 && strchr(parts[0], ':') ? 96 : 0;
	length = skipped + 8 * address_size(&address);
	if (parts[1] && !g_ascii_string_to_unsigned(parts[1], 10, skipped, length, &length, NULL))
		return false;
	length -= skipped;
	*ret_prefix = prefix_of(&address, (unsigned)length, (unsigned)length);
	return true;
}

static bool
is_numeric(const char *entry)
{
	return strchr(entry, ':') || strchr(entry, '/') ||
	       strspn(entry, "0123456789.") == strlen(entry);
}

static bool
is_domain(const char *text)
{
	for (const char *p = text; *p; p++)
		if (!g_ascii_isalnum(*p) && !strchr("-._", *p) && !((guchar)*p & 0x80))
			return false;
	return *text != '\0';
}

static bool
add_domain(struct whitelist *list, const char *entry, GError **error)
{
	const char *name = entry[0] == '.' ? entry + 1 : entry;

	if (!is_domain(name))
		return wrong(entry, "is no name", error);
	g_hash_table_replace(list->domains, g_ascii_strdown(name, -1), g_strdup(entry));
	return true;
}

static bool
add_client(struct whitelist *list, const char *entry, GError **error)
{
	struct prefix prefix;

	if (parse_partial(entry, &prefix) || parse_network(entry, &prefix)) {
		add_network(list, entry, &prefix);
		return true;
	}
	if (is_numeric(entry))
		return wrong(entry, "is no address and no network like 192.0.2.0/24", error);
	return add_domain(list, entry, error);
}

static bool
add_address(struct whitelist *list, const char *entry, GError **error)
{
	const char *at = strchr(entry, '@');
	g_autofree char *folded = g_ascii_strdown(entry, -1);

	if (!at)
		return add_domain(list, entry, error);
	if (at == entry)
		return at[1] ? add_domain(list, at + 1, error)
			     : wrong(entry, "is no address", error);
	if (at[1]) {
		g_hash_table_replace(list->addresses, g_steal_pointer(&folded), g_strdup(entry));
	} else {
		folded[at - entry] = '\0';
		g_hash_table_replace(list->users, g_steal_pointer(&folded), g_strdup(entry));
	}
	return true;
}

bool
whitelist_add(struct whitelist *list, const char *entry, GError **error)
{
	size_t length = strlen(entry);
	bool added;

	if (length > ENTRY_LENGTH_MAX)
		return wrong("...", "is too long", error);
	if (length == 0 || strpbrk(entry, " \t"))
		return wrong(entry, "is not one entry", error);
	if (length > 2 && entry[0] == '/' && entry[length - 1] == '/')
		added = add_pattern(list, entry, error);
	else if (list->kind == WHITELIST_CLIENTS)
		added = add_client(list, entry, error);
	else
		added = add_address(list, entry, error);
	list->size += added;
	return added;
}

/* -- files -- */

bool
whitelist_parse(
    struct whitelist *list, const char *name, const char *bytes, size_t length, GError **error)
{
	g_autoptr(GString) faults = g_string_new(NULL);
	const char *end = bytes + length;

	for (unsigned number = 1; bytes < end; number++) {
		const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
		const char *stop = newline ? newline : end;
		g_autofree char *line = g_strndup(bytes, (gsize)(stop - bytes));
		g_autoptr(GError) fault = NULL;

		if (memchr(bytes, '\0', (size_t)(stop - bytes)))
			wrong("...", "has a NUL in it", &fault);
		line[strcspn(line, "#")] = '\0';
		g_strstrip(line);
		if (fault || (*line && !whitelist_add(list, line, &fault)))
			g_string_append_printf(faults, "%s%s:%u: %s", faults->len ? "\n" : "", name,
			    number, fault->message);
		bytes = newline ? newline + 1 : end;
	}
	if (faults->len == 0)
		return true;
	g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, faults->str);
	return false;
}

bool
whitelist_read(struct whitelist *list, const char *path, GError **error)
{
	g_autofree char *bytes = NULL;
	g_autoptr(GError) wrong = NULL;
	gsize length;

	if (!g_file_get_contents(path, &bytes, &length, &wrong)) {
		const char *reason = strrchr(wrong->message, ':');

		/* GLib's sentence round the reason is of no use to who reads a list of faults. */
		g_set_error(error, wrong->domain, wrong->code, "%s: %s", path,
		    reason ? reason + 2 : wrong->message);
		return false;
	}
	return whitelist_parse(list, path, bytes, length, error);
}

/* -- matching -- */

/* An expression that gives up is no match, and said to have done so: it may be meant to match. */
static const char *
match_patterns(const struct whitelist *list, const char *text)
{
	size_t length = strlen(text);

	for (guint i = 0; i < list->patterns->len; i++) {
		const char *entry = g_ptr_array_index(list->pattern_entries, i);

		switch (pattern_match(g_ptr_array_index(list->patterns, i), text, length)) {
		case PATTERN_MATCH: return entry;
		case PATTERN_LIMIT:
			log_limited(LOG_LEVEL_WARNING, "pattern",
			    "%s takes too many steps on \"%s\": counts as no match", entry, text);
			break;
		case PATTERN_NO_MATCH: break;
		}
	}
	return NULL;
}

/* The domain or the nearest one above it that is listed; NAME in lower case. */
static const char *
match_domain(const struct whitelist *list, const char *name)
{
	const char *entry = NULL;

	while (name && !entry) {
		entry = g_hash_table_lookup(list->domains, name);
		name = strchr(name, '.');
		name = name ? name + 1 : NULL;
	}
	return entry;
}

/* The longest text of a request that is looked at; a longer one is no name and no address. */
#define SUBJECT_MAX 1024

static bool
fold(const char *text, char ret_folded[SUBJECT_MAX])
{
	size_t length = strnlen(text, SUBJECT_MAX);

	if (length == SUBJECT_MAX)
		return false;
	for (size_t i = 0; i <= length; i++)
		ret_folded[i] = g_ascii_tolower(text[i]);
	if (length && ret_folded[length - 1] == '.')
		ret_folded[length - 1] = '\0';
	return length > 0;
}

static const char *
match_network(const struct whitelist *list, const struct address *address)
{
	struct prefix prefix;
	char text[PREFIX_TEXT_SIZE];

	if (address->family == ADDRESS_NONE || !prefix_set_match(list->networks, address, &prefix))
		return NULL;
	return g_hash_table_lookup(list->network_texts, prefix_format(&prefix, text));
}

const char *
whitelist_match_client(
    const struct whitelist *list, const struct address *address, const char *name)
{
	char folded[SUBJECT_MAX];
	const char *entry;

	if (list->size == 0)
		return NULL;
	entry = match_network(list, address);
	if (!entry && name && strcmp(name, "unknown") != 0 && fold(name, folded)) {
		entry = match_domain(list, folded);
		entry = entry ? entry : match_patterns(list, folded);
	}
	return entry;
}

/* Extensions of a local part that are taken off one after the other; more are no honest mail. */
#define EXTENSIONS_MAX 8

/* user+extension@domain as user@domain, in place; the last of several extensions. */
static bool
drop_extension(char *address)
{
	char *at = strrchr(address, '@');
	char *plus = at;

	while (plus > address && *plus != '+')
		plus--;
	if (plus <= address)
		return false;
	memmove(plus, at, strlen(at) + 1);
	return true;
}

static const char *
match_user(const struct whitelist *list, char *address)
{
	char *at = strrchr(address, '@');
	const char *entry = g_hash_table_lookup(list->addresses, address);

	if (entry)
		return entry;
	*at = '\0';
	entry = g_hash_table_lookup(list->users, address);
	*at = '@';
	return entry;
}

const char *
whitelist_match_address(const struct whitelist *list, const char *address)
{
	char folded[SUBJECT_MAX], plain[SUBJECT_MAX];
	const char *entry = NULL, *at;

	if (list->size == 0 || !fold(address, folded))
		return NULL;
	at = strrchr(folded, '@');
	if (at) {
		g_strlcpy(plain, folded, sizeof plain);
		entry = match_user(list, plain);
		for (int i = 0; !entry && i < EXTENSIONS_MAX && drop_extension(plain); i++)
			entry = match_user(list, plain);
		entry = entry ? entry : match_domain(list, at + 1);
	}
	return entry ? entry : match_patterns(list, folded);
}
