#include "config.h"

#include "policyd/ctl/foreign.h"

#include <string.h>
#include <time.h>

#include "policyd/ctl/ctl.h"
#include "policyd/decide/envelope.h"

/* -- what both give -- */

struct foreign_triplet {
	struct address client;
	const char *sender, *recipient;
	int64_t first, last;
	bool passed;
	uint32_t attempts;
};

static void
set_address(const struct foreign *foreign, struct ctl_record *record, const char *text,
    struct store_bytes *ret_address)
{
	uint8_t hash[TRIPLET_ADDRESS_HASH_SIZE];
	const char *bytes = text;
	size_t length = strlen(text);

	if (foreign->privacy) {
		triplet_address_hash(foreign->hash_key, text, hash);
		bytes = (const char *)hash;
		length = sizeof hash;
	}
	ret_address->data = g_string_chunk_insert_len(record->strings, bytes, (gssize)length);
	ret_address->length = length;
}

static void
set_triplet(
    const struct foreign *foreign, const struct foreign_triplet *f, struct ctl_record *record)
{
	char sender[ENVELOPE_ADDRESS_SIZE], recipient[ENVELOPE_ADDRESS_SIZE];
	struct triplet *t = &record->triplet;
	struct sighting *s = &t->sightings[0];
	bool null_sender;

	envelope_sender(f->sender, strlen(f->sender), sender);
	envelope_recipient(f->recipient, strlen(f->recipient), recipient);
	null_sender = sender[0] == '\0';
	*t = (struct triplet){.n_sightings = 1, .hashed = foreign->privacy};
	*s = (struct sighting){
	    .network =
		prefix_of(&f->client, foreign->rules->ipv4_prefix, foreign->rules->ipv6_prefix),
	    .first = f->first,
	    .last = f->last,
	    .attempts = MAX(f->attempts, 1),
	    .passed = f->passed ? MIN(f->last, f->first + foreign->delay) : 0,
	};
	g_string_chunk_clear(record->strings);
	set_address(foreign, record, sender, &t->sender);
	set_address(foreign, record, recipient, &t->recipient);
	record->space = STORE_TRIPLETS;
	record->expires = greylist_expires(foreign->rules, t);
	triplet_key(foreign->hash_key, sender, recipient, null_sender ? &s->network : NULL, NULL,
	    record->key);
	record->key_length = KEYEDHASH_SIZE;
}

/* -- postgrey -- */

bool
foreign_postgrey_hashed(const char *key)
{
	return strlen(key) == 40 && strspn(key, "0123456789abcdef") == 40;
}

/* FIRST,LAST and, with some options, more. */
static bool
parse_numbers(const char *value, int64_t *ret_first, int64_t *ret_last)
{
	g_auto(GStrv) parts = g_strsplit(value, ",", 3);

	return g_strv_length(parts) >= 2 && ctl_parse_time(parts[0], ret_first) &&
	       ctl_parse_time(parts[1], ret_last);
}

/* Where the sender ends: an address may have a slash in its local part, a domain has none. */
static char *
find_separator(char *pair)
{
	char *at = strchr(pair, '@');
	char *slash = at ? strchr(at, '/') : NULL;

	if (slash && strchr(slash, '@'))
		return slash;
	return strchr(pair, '/');
}

static bool
postgrey_client(const struct foreign *foreign, const char *key, const char *value,
    struct ctl_record *record, GError **error)
{
	struct address address;
	int64_t passes, last;

	if (!address_parse(key, &address) || !parse_numbers(value, &passes, &last) ||
	    passes > UINT32_MAX)
		return ctl_fail(error, "it is neither a triplet nor a client of postgrey's");
	record->space = STORE_CLIENTS;
	record->client = (struct client){.passes = (uint32_t)passes, .counted = last};
	record->key_length = client_key(&address, record->key);
	record->expires = client_expires(foreign->rules, &record->client);
	return true;
}

bool
foreign_postgrey(const struct foreign *foreign, const char *key, const char *value,
    struct ctl_record *record, GError **error)
{
	g_autofree char *copy = g_strdup(key);
	char *pair = strchr(copy, '/'), *separator;
	struct foreign_triplet f = {.attempts = 1};

	if (!pair)
		return postgrey_client(foreign, key, value, record, error);
	*pair++ = '\0';
	separator = find_separator(pair);
	if (!separator || !address_parse(copy, &f.client) ||
	    !parse_numbers(value, &f.first, &f.last))
		return ctl_fail(error, "it is no triplet of postgrey's");
	*separator = '\0';
	f.sender = pair;
	f.recipient = separator + 1;
	f.last = MAX(f.first, f.last);
	f.passed = f.last - f.first >= foreign->delay;
	f.attempts += f.last > f.first;
	set_triplet(foreign, &f, record);
	return true;
}

/* -- greyfix -- */

/* "Tue Nov 24 12:00:00 2026", in local time. */
static bool
parse_ctime(const char *text, int64_t *ret_time)
{
	struct tm tm = {.tm_isdst = -1};
	const char *end = strptime(text, "%a %b %d %H:%M:%S %Y", &tm);
	time_t time;

	if (!end || *end)
		return false;
	tm.tm_isdst = -1;
	time = mktime(&tm);
	if (time < 0)
		return false;
	*ret_time = time;
	return true;
}

/* Old versions kept IPv4 networks without their last numbers: 192.0.2 is 192.0.2.0. */
static bool
parse_short_address(const char *text, struct address *ret_address)
{
	g_autoptr(GString) whole = g_string_new(text);
	unsigned dots = 0;

	if (address_parse(text, ret_address))
		return true;
	for (const char *p = text; *p; p++)
		dots += *p == '.';
	for (; dots < 3; dots++)
		g_string_append(whole, ".0");
	return address_parse(whole->str, ret_address);
}

bool
foreign_greyfix(
    const struct foreign *foreign, const char *line, struct ctl_record *record, GError **error)
{
	enum { CLIENT, SENDER, RECIPIENT, FIRST, LAST, BLOCKED, PASSED, FIELDS };
	g_auto(GStrv) field = g_strsplit(line, "\t", -1);
	struct foreign_triplet f = {0};
	int64_t blocked, passes;

	if (g_strv_length(field) != FIELDS)
		return ctl_fail(error, "it has not the seven fields of greyfix --dump-triplets");
	if (!parse_short_address(field[CLIENT], &f.client))
		return ctl_fail(error, "its first field is no address");
	if (!parse_ctime(field[FIRST], &f.first) || !parse_ctime(field[LAST], &f.last))
		return ctl_fail(error, "its times are not like \"Tue Nov 24 12:00:00 2026\"");
	if (!ctl_parse_time(field[BLOCKED], &blocked) || !ctl_parse_time(field[PASSED], &passes))
		return ctl_fail(error, "its last two fields are no numbers");
	f.sender = field[SENDER];
	f.recipient = field[RECIPIENT];
	f.last = MAX(f.first, f.last);
	f.passed = passes > 0;
	f.attempts = (uint32_t)MIN(blocked + f.passed, UINT32_MAX);
	set_triplet(foreign, &f, record);
	return true;
}

/* -- db_dump -- */

static bool
append_byte(GString *text, const char *hex)
{
	if (!g_ascii_isxdigit(hex[0]) || !g_ascii_isxdigit(hex[1]))
		return false;
	int byte = g_ascii_xdigit_value(hex[0]) << 4 | g_ascii_xdigit_value(hex[1]);

	g_string_append_c(text, byte ? (char)byte : ' ');
	return true;
}

/* format=print has \\ and \xx (two hex digits) for bytes; format=bytevalue hex digits alone. */
static char *
unescape(const struct foreign_dump *dump, const char *line)
{
	g_autoptr(GString) text = g_string_new(NULL);

	while (*line) {
		bool escaped = dump->bytevalue || *line == '\\';

		if (!dump->bytevalue && escaped)
			line++;
		if (!escaped) {
			g_string_append_c(text, *line++);
		} else if (!dump->bytevalue && *line == '\\') {
			g_string_append_c(text, *line++);
		} else {
			if (!append_byte(text, line))
				return NULL;
			line += 2;
		}
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static enum foreign_dump_result
dump_header(struct foreign_dump *dump, const char *line, GError **error)
{
	if (strcmp(line, "HEADER=END") == 0) {
		dump->in_data = true;
	} else if (g_str_has_prefix(line, "format=")) {
		dump->bytevalue = strcmp(line, "format=bytevalue") == 0;
	} else if (!strchr(line, '=')) {
		ctl_fail(error, "it is not the text of db_dump");
		return FOREIGN_ERROR;
	}
	return FOREIGN_NOTHING;
}

enum foreign_dump_result
foreign_dump_line(struct foreign_dump *dump, const char *line, char **ret_value, GError **error)
{
	g_autofree char *text = NULL;

	if (!dump->in_data)
		return dump_header(dump, line, error);
	if (strcmp(line, "DATA=END") == 0) {
		foreign_dump_clear(dump);
		return FOREIGN_NOTHING;
	}
	text = *line == ' ' ? unescape(dump, line + 1) : NULL;
	if (!text) {
		ctl_fail(error, "it is not the text of db_dump");
		return FOREIGN_ERROR;
	}
	dump->have_key = !dump->have_key;
	if (dump->have_key) {
		g_free(dump->key);
		dump->key = g_steal_pointer(&text);
		return FOREIGN_NOTHING;
	}
	*ret_value = g_steal_pointer(&text);
	return FOREIGN_PAIR;
}

bool
foreign_dump_end(const struct foreign_dump *dump)
{
	return !dump->in_data;
}

void
foreign_dump_clear(struct foreign_dump *dump)
{
	g_free(dump->key);
	*dump = (struct foreign_dump){0};
}
