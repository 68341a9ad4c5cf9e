/*
 * greylag dump, load
 *
 * A dump is text, a record a line; numbers are decimal, HEX is bytes:
 *
 *	greylag-dump 2
 *	head CELL NUMBER
 *	token SPAM HAM DAY TEXT             DAY since 1970; TEXT has \xHH for what is not printable
 *	page TABLE PAGE CELL:NUMBER ...     of model.h's tables
 *	message DIGEST RECORD               HEX HEX; the registry
 *	memory ham|spam DIGEST SLOTS        HEX HEX; what is remembered of a message
 *	import DIGEST RECORD                HEX; of a word list that was imported (imports.h)
 *
 * Numbers are added to what is there, so that stores trained apart become one.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "classifier/cli/load.h"
#include "classifier/bank/imports.h"

/* The first that was released; what is released is read for good. */
#define DUMP_VERSION 2
#define FIRST_WORD   "greylag-dump "
#define FIRST_LINE   FIRST_WORD G_STRINGIFY(DUMP_VERSION)

/* Records shown in one step of a scan. */
#define STEP 1000

/* -- dump -- */

static void
print_hex(FILE *out, const void *bytes, size_t length)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < length; i++)
		fprintf(out, "%02x", b[i]);
}

/* As cli_safe(), and the backslash too, so that it can be read back. */
static char *
escape_token(const struct store_bytes *key)
{
	g_autofree char *safe = cli_safe(key->data, key->length);
	GString *escaped;

	if (!memchr(key->data, '\\', key->length))
		return g_steal_pointer(&safe);
	escaped = g_string_new(NULL);
	for (size_t i = 0; i < key->length; i++)
		g_string_append_printf(escaped, "\\x%02x", ((const uint8_t *)key->data)[i]);
	return g_string_free(escaped, FALSE);
}

static void
dump_token(FILE *out, const struct store_bytes *key, const struct store_bytes *value)
{
	g_autofree char *text = escape_token(key);

	fprintf(out, "token %d %d %d %s\n", store_cell_get(value, BANK_TOKEN_SPAM),
	    store_cell_get(value, BANK_TOKEN_HAM), store_cell_get(value, BANK_TOKEN_DAY), text);
}

static void
dump_slots(FILE *out, const struct store_bytes *key, const struct store_bytes *value)
{
	const uint8_t *k = key->data;
	uint32_t n = (uint32_t)(value->length / 4);
	bool head = key->length != BANK_PAGE_KEY;

	bool empty = true;

	for (uint32_t i = 0; i < n; i++) {
		int32_t cell = store_cell_get(value, i);

		if (!cell)
			continue;
		if (!head && empty)
			fprintf(out, "page %d %d", k[0], k[1] << 8 | k[2]);
		fprintf(out, head ? "head %u %d\n" : " %u:%d", i, cell);
		empty = false;
	}
	if (!head && !empty)
		fputc('\n', out);
}

static void
dump_message(FILE *out, const struct store_bytes *key, const struct store_bytes *value)
{
	fprintf(out, "message ");
	print_hex(out, key->data, key->length);
	fputc(' ', out);
	print_hex(out, value->data, value->length);
	fputc('\n', out);
}

static void
dump_memory(FILE *out, const struct store_bytes *key, const struct store_bytes *value)
{
	const uint8_t *k = key->data;

	if (key->length != BANK_MEMORY_KEY)
		return;
	fprintf(out, "memory %s ", k[0] == 2 ? "spam" : "ham");
	print_hex(out, k + 1, key->length - 1);
	fputc(' ', out);
	print_hex(out, value->data, value->length);
	fputc('\n', out);
}

/* Whose turn it is to write to a server's store is nothing that was learned. */
static void
dump_model(FILE *out, const struct store_bytes *key, const struct store_bytes *value)
{
	size_t prefix = strlen(IMPORTS_PREFIX);

	if (key->length <= prefix || memcmp(key->data, IMPORTS_PREFIX, prefix) != 0)
		return;
	fprintf(out, "import %.*s ", (int)(key->length - prefix), (const char *)key->data + prefix);
	print_hex(out, value->data, value->length);
	fputc('\n', out);
}

static const struct {
	enum store_space space;
	void (*dump)(FILE *out, const struct store_bytes *key, const struct store_bytes *value);
} dumpers[] = {
    {STORE_SLOTS, dump_slots},
    {STORE_TOKENS, dump_token},
    {STORE_MESSAGES, dump_message},
    {STORE_MEMORY, dump_memory},
    {STORE_MODEL, dump_model},
};

struct dump {
	FILE *out;
	size_t dumper;
	enum store_result result;
};

static bool
dump_record(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	struct dump *dump = context;

	dumpers[dump->dumper].dump(dump->out, key, value);
	return true;
}

static void
note_result(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct dump *dump = context;

	if (result != STORE_OK)
		dump->result = result;
}

static enum store_result
dump_all(struct store *store, FILE *out)
{
	struct dump dump = {.out = out, .result = STORE_OK};
	struct store_call call = {.done = note_result, .context = &dump};

	fprintf(out, FIRST_LINE "\n");
	for (; dump.dumper < G_N_ELEMENTS(dumpers); dump.dumper++) {
		struct store_cursor cursor = {0};

		while (!cursor.end && dump.result == STORE_OK) {
			store_scan(
			    store, dumpers[dump.dumper].space, &cursor, STEP, dump_record, &call);
			store_wait(store);
		}
	}
	return dump.result;
}

int
cli_dump(struct cli *cli, int argc, char **argv)
{
	enum store_result result;
	FILE *out;
	int status;

	if (!cli_parse(cli, NULL, &argc, &argv, &status))
		return status;
	if (!cli_open(cli, BANK_READ))
		return CLI_FAILED;
	out = load_stream(argc, argv, 1, "we", stdout);
	if (!out)
		return CLI_FAILED;
	result = dump_all(bank_store(cli->bank), out);
	if (result != STORE_OK)
		cli_store_fail(bank_store(cli->bank), result);
	if (out != stdout && (ferror(out) | fclose(out)) != 0) {
		fprintf(stderr, "greylag: %s: %s\n", argv[1], g_strerror(errno));
		return CLI_FAILED;
	}
	return result == STORE_OK ? CLI_DONE : CLI_FAILED;
}

/* -- load -- */

static void
put_if_new(const struct store_bytes *old, struct store_change *change, void *job)
{
	const GBytes *value = job;
	gsize length;
	const void *data = g_bytes_get_data((GBytes *)value, &length);

	if (!old)
		store_change_put(change, data, length, 0);
}

static void
put_record(
    struct loading *l, enum store_space space, const GByteArray *key, const GByteArray *value)
{
	struct store_call call = {.done = load_note_failure, .context = l};

	store_update(l->store, space, (struct store_bytes){key->data, key->len}, put_if_new,
	    g_bytes_new(value->data, value->len), (GDestroyNotify)g_bytes_unref, &call);
	load_count(l);
}

static GByteArray *
parse_hex(const char *text)
{
	GByteArray *bytes = g_byte_array_new();
	size_t length = strlen(text);

	for (size_t i = 0; i + 1 < length; i += 2) {
		int high = g_ascii_xdigit_value(text[i]), low = g_ascii_xdigit_value(text[i + 1]);
		uint8_t byte = (uint8_t)(high << 4 | low);

		if (high < 0 || low < 0)
			break;
		g_byte_array_append(bytes, &byte, 1);
	}
	if (length % 2 || bytes->len != length / 2)
		g_clear_pointer(&bytes, g_byte_array_unref);
	return bytes;
}

/* \xHH -> its byte. */
static GByteArray *
unescape(const char *text)
{
	GByteArray *bytes = g_byte_array_new();

	while (*text) {
		uint8_t byte = (uint8_t)*text;

		if (g_str_has_prefix(text, "\\x") && g_ascii_isxdigit(text[2]) &&
		    g_ascii_isxdigit(text[3])) {
			byte = (uint8_t)(g_ascii_xdigit_value(text[2]) << 4 |
					 g_ascii_xdigit_value(text[3]));
			text += 3;
		}
		g_byte_array_append(bytes, &byte, 1);
		text++;
	}
	return bytes;
}

static bool
load_head(struct loading *l, char **words)
{
	int32_t cell, number;

	if (!load_number(words[1], &cell) || !load_number(words[2], &number) || cell < 0 ||
	    cell >= MODEL_HEAD_CELLS)
		return false;
	const struct store_cell cells[] = {
	    {(uint32_t)cell, bank_head_is_maximum((uint32_t)cell) ? STORE_MAX : STORE_ADD, number},
	    {MODEL_HEAD_LAYOUT, STORE_MAX, MODEL_LAYOUT}};
	load_cells(
	    l, STORE_SLOTS, BANK_HEAD_KEY, strlen(BANK_HEAD_KEY), cells, G_N_ELEMENTS(cells));
	return true;
}

static bool
load_token(struct loading *l, char **words)
{
	/* A token may have spaces. */
	g_autofree char *text = g_strv_length(words) > 4 ? g_strjoinv(" ", words + 4) : NULL;
	g_autoptr(GByteArray) key = text ? unescape(text) : NULL;
	int32_t spam, ham, day;

	if (!key || !load_number(words[1], &spam) || !load_number(words[2], &ham) ||
	    !load_number(words[3], &day) || key->len == 0 || key->len > STORE_KEY_MAX)
		return false;
	const struct store_cell cells[] = {
	    {BANK_TOKEN_SPAM, STORE_ADD, spam},
	    {BANK_TOKEN_HAM, STORE_ADD, ham},
	    {BANK_TOKEN_DAY, STORE_MAX, day},
	};
	load_cells(l, STORE_TOKENS, key->data, key->len, cells, G_N_ELEMENTS(cells));
	return true;
}

static bool
load_page(struct loading *l, char **words)
{
	g_autoptr(GArray) cells = g_array_new(FALSE, FALSE, sizeof(struct store_cell));
	int32_t table, page;

	if (!load_number(words[1], &table) || !load_number(words[2], &page) || table < 0 ||
	    table >= MODEL_TABLES || page < 0 || page >= (int32_t)MODEL_PAGES)
		return false;
	for (char **word = words + 3; *word; word++) {
		char *colon = strchr(*word, ':');
		int32_t index, number;

		if (!colon)
			return false;
		*colon = '\0';
		if (!load_number(*word, &index) || !load_number(colon + 1, &number) || index < 0 ||
		    index >= MODEL_PAGE_CELLS)
			return false;
		struct store_cell cell = {(uint32_t)index, STORE_ADD, number};

		g_array_append_val(cells, cell);
	}
	const uint8_t key[BANK_PAGE_KEY] = {(uint8_t)table, (uint8_t)(page >> 8), (uint8_t)page};

	load_cells(
	    l, STORE_SLOTS, key, sizeof key, (const struct store_cell *)cells->data, cells->len);
	return true;
}

static bool
load_message(struct loading *l, char **words)
{
	g_autoptr(GByteArray) key = words[1] ? parse_hex(words[1]) : NULL;
	g_autoptr(GByteArray) value = key && words[2] ? parse_hex(words[2]) : NULL;

	if (!value || key->len != CANONICAL_DIGEST_SIZE)
		return false;
	put_record(l, STORE_MESSAGES, key, value);
	return true;
}

static bool
load_memory(struct loading *l, char **words)
{
	bool spam = words[1] && strcmp(words[1], "spam") == 0;
	g_autoptr(GByteArray) digest = words[1] && words[2] ? parse_hex(words[2]) : NULL;
	g_autoptr(GByteArray) value = digest && words[3] ? parse_hex(words[3]) : NULL;
	uint8_t class = spam ? 2 : 1;

	if (!value || digest->len != CANONICAL_DIGEST_SIZE ||
	    (!spam && strcmp(words[1], "ham") != 0))
		return false;
	g_byte_array_prepend(digest, &class, 1);
	put_record(l, STORE_MEMORY, digest, value);
	return true;
}

static bool
load_import(struct loading *l, char **words)
{
	g_autoptr(GByteArray) digest = words[1] ? parse_hex(words[1]) : NULL;
	g_autoptr(GByteArray) value = digest && words[2] ? parse_hex(words[2]) : NULL;
	g_autoptr(GByteArray) key = g_byte_array_new();

	if (!value || strlen(IMPORTS_PREFIX) + strlen(words[1]) > STORE_KEY_MAX)
		return false;
	g_byte_array_append(key, (const guint8 *)IMPORTS_PREFIX, strlen(IMPORTS_PREFIX));
	g_byte_array_append(key, (const guint8 *)words[1], (guint)strlen(words[1]));
	put_record(l, STORE_MODEL, key, value);
	return true;
}

static const struct {
	const char *word;
	bool (*load)(struct loading *l, char **words);
} loaders[] = {
    {"head", load_head},
    {"token", load_token},
    {"page", load_page},
    {"message", load_message},
    {"memory", load_memory},
    {"import", load_import},
};

static bool
load_line(struct loading *l, const char *line)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);

	for (size_t i = 0; i < G_N_ELEMENTS(loaders); i++)
		if (words[0] && strcmp(words[0], loaders[i].word) == 0)
			return loaders[i].load(l, words);
	return false;
}

static void
complain_of_version(const char *text)
{
	gint64 version = g_ascii_strtoll(text, NULL, 10);

	fprintf(stderr,
	    "greylag: the dump has version %" G_GINT64_FORMAT ", this greylag reads %d: %s\n",
	    version, DUMP_VERSION,
	    version > DUMP_VERSION ? "load it with the newer greylag that wrote it"
				   : "it is older than the first release, so train again instead");
}

static bool
take_line(void *context, char *text)
{
	struct loading *l = context;

	if (l->records == 0 && strcmp(text, FIRST_LINE) == 0)
		return true;
	if (l->records == 0 && g_str_has_prefix(text, FIRST_WORD)) {
		complain_of_version(text + strlen(FIRST_WORD));
		return false;
	}
	return l->result == STORE_OK && load_line(l, text);
}

int
cli_load(struct cli *cli, int argc, char **argv)
{
	struct loading loading;
	bool good;
	FILE *in;
	int status;

	if (!cli_parse(cli, NULL, &argc, &argv, &status))
		return status;
	in = load_stream(argc, argv, 1, "re", stdin);
	if (!in || !load_begin(cli, &loading))
		return CLI_FAILED;
	good = load_lines(in, argc > 1 ? argv[1] : "-", take_line, &loading);
	if (in != stdin)
		fclose(in);
	return load_finish(&loading, good);
}
