#include "config.h"

#include "classifier/mail/content.h"

#include <string.h>
#include <gmime/gmime.h>
#include "lib/library.h"

#define PARAMETERS 8
/* More than what is left of a unit of any encoding at the end of the input. */
#define ROOM_MORE 16

struct gmime {
	__typeof__(&g_mime_init) init;
	__typeof__(&g_mime_utils_header_decode_text) decode_text;
	__typeof__(&g_mime_content_type_parse) parse_type;
	__typeof__(&g_mime_content_type_get_mime_type) mime_type;
	__typeof__(&g_mime_content_type_get_parameter) type_parameter;
	__typeof__(&g_mime_content_disposition_parse) parse_disposition;
	__typeof__(&g_mime_content_disposition_get_disposition) disposition;
	__typeof__(&g_mime_content_disposition_get_parameter) disposition_parameter;
	__typeof__(&g_mime_encoding_init_decode) init_decode;
	__typeof__(&g_mime_encoding_step) step;
	__typeof__(&g_object_unref) unref;
};

struct parameter {
	const char *name, *value;
};

/* Either a GMime object or parameters. */
struct content_field {
	char *words; /* the line, cut into what the pointers below want */
	const char *value;
	struct parameter parameters[PARAMETERS];
	size_t count;
	GMimeContentType *type;
	GMimeContentDisposition *disposition;
};

/* -- the library -- */

static struct gmime gmime_functions;

static const struct library_symbol gmime_symbols[] = {
    LIBRARY_SYMBOL("g_mime_init", gmime_functions.init),
    LIBRARY_SYMBOL("g_mime_utils_header_decode_text", gmime_functions.decode_text),
    LIBRARY_SYMBOL("g_mime_content_type_parse", gmime_functions.parse_type),
    LIBRARY_SYMBOL("g_mime_content_type_get_mime_type", gmime_functions.mime_type),
    LIBRARY_SYMBOL("g_mime_content_type_get_parameter", gmime_functions.type_parameter),
    LIBRARY_SYMBOL("g_mime_content_disposition_parse", gmime_functions.parse_disposition),
    LIBRARY_SYMBOL("g_mime_content_disposition_get_disposition", gmime_functions.disposition),
    LIBRARY_SYMBOL(
	"g_mime_content_disposition_get_parameter", gmime_functions.disposition_parameter),
    LIBRARY_SYMBOL("g_mime_encoding_init_decode", gmime_functions.init_decode),
    LIBRARY_SYMBOL("g_mime_encoding_step", gmime_functions.step),
    LIBRARY_SYMBOL("g_object_unref", gmime_functions.unref),
};

static struct library gmime_library = {
    .file = "libgmime-3.0.so.0",
    .lacking = "messages cannot be read",
    .symbols = gmime_symbols,
    .count = G_N_ELEMENTS(gmime_symbols),
    .init = &gmime_functions.init,
};

bool
content_load(GError **error)
{
	return library_load(&gmime_library, error);
}

static const struct gmime *
gmime_get(void)
{
	library_need(&gmime_library);
	return &gmime_functions;
}

/* -- fields -- */

static const char *
skip_space(const char *p)
{
	return p + strspn(p, " ");
}

static const char *
skip_token(const char *p)
{
	while (g_ascii_isalnum(*p) || (*p && strchr("-_.+", *p)))
		p++;
	return p;
}

/* Nothing in it that would have to be decoded. */
static const char *
skip_quoted(const char *p)
{
	while (*p >= ' ' && *p < 0x7f && *p != '"' && *p != '\\' && strncmp(p, "=?", 2))
		p++;
	return p;
}

/* The part of the field's own copy of LINE, which ends at END from now on. */
static const char *
cut_word(struct content_field *field, const char *line, const char *start, const char *end)
{
	field->words[end - line] = '\0';
	return field->words + (start - line);
}

/* One of "; name=value" at AT; the last may be missing. Returns what is behind it, or NULL for
 * what is not plain. */
static const char *
read_parameter(struct content_field *field, const char *line, const char *at)
{
	const char *name = skip_space(at + 1), *name_end = skip_token(name), *value, *end;

	if (!*name)
		return name;
	if (name_end == name || *name_end != '=')
		return NULL;
	value = name_end + 1;
	if (*value == '"') {
		end = skip_quoted(++value);
		at = *end == '"' ? skip_space(end + 1) : NULL;
	} else {
		end = skip_token(value);
		at = skip_space(end);
	}
	if (!at || (*at && *at != ';') || end == value || field->count == PARAMETERS)
		return NULL;
	name = cut_word(field, line, name, name_end);
	if (content_parameter(field, name))
		return NULL;
	field->parameters[field->count++] =
	    (struct parameter){name, cut_word(field, line, value, end)};
	return at;
}

static bool
read_plain(struct content_field *field, const char *line, bool is_type)
{
	const char *start = skip_space(line), *end = skip_token(start), *at;

	if (is_type) {
		if (end == start || *end != '/')
			return false;
		end = skip_token(end + 1);
	}
	at = skip_space(end);
	if (end == start || end[-1] == '/' || (*at && *at != ';'))
		return false;
	field->value = cut_word(field, line, start, end);
	while (at && *at)
		at = read_parameter(field, line, at);
	return at != NULL;
}

static struct content_field *
field_read(const char *line, bool is_type)
{
	struct content_field *field = g_new0(struct content_field, 1);
	const struct gmime *gmime;

	field->words = g_strdup(line);
	if (read_plain(field, line, is_type))
		return field;
	gmime = gmime_get();
	g_free(field->words);
	if (is_type) {
		field->type = gmime->parse_type(NULL, line);
		field->words = gmime->mime_type(field->type);
	} else {
		field->disposition = gmime->parse_disposition(NULL, line);
		field->words = g_strdup(gmime->disposition(field->disposition));
	}
	field->value = field->words ? field->words : "";
	return field;
}

struct content_field *
content_type_read(const char *line)
{
	return field_read(line, true);
}

struct content_field *
content_disposition_read(const char *line)
{
	return field_read(line, false);
}

void
content_field_free(struct content_field *field)
{
	if (!field)
		return;
	if (field->type)
		gmime_get()->unref(field->type);
	if (field->disposition)
		gmime_get()->unref(field->disposition);
	g_free(field->words);
	g_free(field);
}

const char *
content_value(const struct content_field *field)
{
	return field->value;
}

const char *
content_parameter(const struct content_field *field, const char *name)
{
	if (field->type)
		return gmime_get()->type_parameter(field->type, name);
	if (field->disposition)
		return gmime_get()->disposition_parameter(field->disposition, name);
	for (size_t i = 0; i < field->count; i++)
		if (!g_ascii_strcasecmp(field->parameters[i].name, name))
			return field->parameters[i].value;
	return NULL;
}

/* -- transfer encodings -- */

enum content_encoding
content_encoding_of(const char *name)
{
	static const struct {
		const char *name;
		enum content_encoding encoding;
	} encodings[] = {{"base64", CONTENT_BASE64}, {"quoted-printable", CONTENT_QUOTED_PRINTABLE},
	    {"uuencode", CONTENT_UUENCODE}, {"x-uuencode", CONTENT_UUENCODE},
	    {"x-uue", CONTENT_UUENCODE}};

	for (size_t i = 0; i < G_N_ELEMENTS(encodings); i++)
		if (!strcmp(name, encodings[i].name))
			return encodings[i].encoding;
	return CONTENT_AS_IS;
}

size_t
content_decoded_room(size_t length)
{
	return length + ROOM_MORE;
}

/* Nothing but letters of its own and white space, and "=" where it fills up the last four. */
static bool
is_plain_base64(const char *bytes, size_t length)
{
	size_t letters = 0, fill = 0;

	for (size_t i = 0; i < length; i++) {
		if (g_ascii_isspace(bytes[i]))
			continue;
		if (bytes[i] == '=')
			fill++;
		else if (!fill && (g_ascii_isalnum(bytes[i]) || bytes[i] == '+' || bytes[i] == '/'))
			letters++;
		else
			return false;
	}
	return !fill || (fill <= 2 && (letters + fill) % 4 == 0);
}

static size_t
decode_by_gmime(GMimeContentEncoding encoding, const char *bytes, size_t length, char *out)
{
	const struct gmime *gmime = gmime_get();
	GMimeEncoding state;

	gmime->init_decode(&state, encoding);
	if (encoding == GMIME_CONTENT_ENCODING_UUENCODE)
		state.state |= GMIME_UUDECODE_STATE_BEGIN;
	return gmime->step(&state, bytes, length, out);
}

static size_t
decode_base64(const char *bytes, size_t length, char *out)
{
	int state = 0;
	unsigned save = 0;

	if (!is_plain_base64(bytes, length))
		return decode_by_gmime(GMIME_CONTENT_ENCODING_BASE64, bytes, length, out);
	return g_base64_decode_step(bytes, length, (guchar *)out, &state, &save);
}

/* The byte that "=" and two digits stand for is put out; a line end after "=" is not, nor what the
 * end has cut off; all else is left as it is. */
static size_t
decode_quoted(const char *bytes, size_t length, char *out)
{
	const char *p = bytes, *end = bytes + length;
	char *to = out;

	while (p < end) {
		const char *sign = memchr(p, '=', (size_t)(end - p));
		size_t before = (size_t)((sign ? sign : end) - p), left;
		int high, low;

		memcpy(to, p, before);
		to += before;
		p += before;
		left = (size_t)(end - p);
		if (left < 2 || (left < 3 && p[1] != '\n'))
			break;
		if (p[1] == '\n') {
			p += 2;
			continue;
		}
		high = g_ascii_xdigit_value(p[1]);
		low = g_ascii_xdigit_value(p[2]);
		if (high >= 0 && low >= 0)
			*to++ = (char)(high << 4 | low);
		else if (p[1] != '\r' || p[2] != '\n')
			to = mempcpy(to, p, 3);
		p += 3;
	}
	return (size_t)(to - out);
}

size_t
content_decode(enum content_encoding encoding, const char *bytes, size_t length, char *out)
{
	switch (encoding) {
	case CONTENT_BASE64: return decode_base64(bytes, length, out);
	case CONTENT_QUOTED_PRINTABLE: return decode_quoted(bytes, length, out);
	case CONTENT_UUENCODE:
		return decode_by_gmime(GMIME_CONTENT_ENCODING_UUENCODE, bytes, length, out);
	case CONTENT_AS_IS: break;
	}
	memcpy(out, bytes, length);
	return length;
}

char *
content_decode_words(const char *text)
{
	return gmime_get()->decode_text(NULL, text);
}
