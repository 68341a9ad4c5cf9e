#include "config.h"

#include "classifier/mail/message.h"

#include <string.h>
#include <glib.h>
#include <sodium.h>
#include "classifier/mail/charset.h"
#include "classifier/mail/content.h"
#include "classifier/mail/html.h"
#include "classifier/mail/mime.h"
#include "classifier/mail/text.h"

#define ATTACHMENT_DIGESTED (64u << 10)
#define BINARY_WINDOW       4096
#define META_WINDOW         2048

/* Where a text lies in the buffer that still grows. */
struct slice {
	size_t offset, length;
};

struct part_slices {
	struct slice visible, hidden;
	bool html;
	enum content_encoding encoding;
};

/* What a struct message points into. */
struct reading {
	struct message message; /* first */
	struct message_limits limits;
	GString *text;   /* all visible and hidden text, header values, each with a NUL */
	GString *hidden; /* of the HTML part that is being read */
	GString *links_text;
	GStringChunk *words;   /* types, names, boundaries */
	GArray *headers;       /* struct message_header, its pointers set at the end */
	GArray *header_slices; /* struct slice: names and values in turn */
	GArray *parts;         /* struct message_part */
	GArray *slices;        /* struct part_slices */
	GArray *links;         /* struct html_link, then made to struct message_text */
	GArray *link_texts;
	size_t text_left;
	uint8_t *decoded;
	size_t decoded_size;
};

struct message_options
message_options_default(void)
{
	return (struct message_options){
	    .limits = {.message = MESSAGE_LIMIT_MESSAGE,
		.header = MESSAGE_LIMIT_HEADER,
		.text = MESSAGE_LIMIT_TEXT,
		.depth = MESSAGE_LIMIT_DEPTH,
		.parts = MESSAGE_LIMIT_PARTS},
	};
}

/* A field value as one line without control characters; of TEXT, quotes that would hide encoded
 * words from the decoder are taken away. */
static char *
unfold(const char *at, size_t length, bool text)
{
	char *line = g_malloc(length + 1), *to = line;
	for (size_t i = 0; i < length; i++) {
		char c = at[i];
		if (c == '\n' || c == '\r')
			continue;
		if ((unsigned char)c < ' ' || c == 0x7f)
			c = ' ';
		if (text && (c == '"' || c == '(') && i + 2 < length && at[i + 1] == '=' &&
		    at[i + 2] == '?')
			c = ' ';
		*to++ = c;
	}
	*to = '\0';
	return line;
}

static void
blank_controls(GString *text, size_t start)
{
	for (size_t i = start; i < text->len; i++)
		if ((unsigned char)text->str[i] < ' ')
			text->str[i] = ' ';
}

/*
 * The end of what GMime decodes rightly in one call: of encoded words in a row it loses all that
 * follows one whose base64 ends in "=". The white space between two does not count.
 */
static char *
segment_end(char *value)
{
	for (char *p = value; (p = strstr(p, "=?=")); p++) {
		char *next = p + 3 + strspn(p + 3, " ");
		if (next > p + 3 && g_str_has_prefix(next, "=?"))
			return p + 3;
	}
	return NULL;
}

static void
append_decoded_words(GString *out, char *value)
{
	while (value) {
		char *end = segment_end(value), *next = NULL;
		if (end) {
			next = end + strspn(end, " ");
			*end = '\0';
		}
		g_autofree char *decoded = content_decode_words(value);
		charset_decode((const uint8_t *)decoded, strlen(decoded), "", out);
		value = next;
	}
}

static bool
name_is(const struct message_text *name, const char *known)
{
	return name->length == strlen(known) &&
	       !g_ascii_strncasecmp(name->text, known, name->length);
}

/* No server encodes its results: who does wants to slip past those that remove forged ones. */
static bool
is_never_encoded(const struct message_text *name)
{
	return name_is(name, "authentication-results");
}

static void
append_field_value(GString *out, const char *at, size_t length, bool decode)
{
	g_autofree char *line = unfold(at, length, decode);
	char *value = g_strstrip(line);
	size_t start = out->len;
	const char *encoded = decode ? strstr(value, "=?") : NULL;
	if (encoded && strstr(encoded, "?="))
		append_decoded_words(out, value);
	else
		charset_decode((const uint8_t *)value, strlen(value), "", out);
	blank_controls(out, start);
}

/* The next field of [*AT, END), its name in lower case; false at the end. */
static bool
next_field(
    const char **at, const char *end, struct message_text *ret_name, struct message_text *ret_value)
{
	const char *start = *at;
	if (start >= end)
		return false;
	const char *next = start;
	do {
		const char *lf = memchr(next, '\n', (size_t)(end - next));
		next = lf ? lf + 1 : end;
	} while (next < end && (*next == ' ' || *next == '\t'));
	const char *colon = memchr(start, ':', (size_t)(next - start));
	if (!colon)
		colon = next;
	*ret_name = (struct message_text){start, (size_t)(colon - start)};
	while (ret_name->length && g_ascii_isspace(start[ret_name->length - 1]))
		ret_name->length--;
	colon += colon < next;
	*ret_value = (struct message_text){colon, (size_t)(next - colon)};
	*at = next;
	return true;
}

static void
append_slice(GArray *slices, GString *text, size_t start)
{
	struct slice slice = {start, text->len - start};
	g_array_append_val(slices, slice);
	g_string_append_c(text, '\0');
}

static void
read_headers(struct reading *reading)
{
	const struct canonical *canonical = &reading->message.canonical;
	const char *at = (const char *)canonical->bytes;
	const char *end = at + MIN(canonical->header_length, reading->limits.header);
	if (canonical->header_length > reading->limits.header)
		reading->message.cut |= MESSAGE_CUT_HEADER;
	struct message_text name, value;
	while (next_field(&at, end, &name, &value)) {
		size_t start = reading->text->len;
		for (size_t i = 0; i < name.length; i++)
			g_string_append_c(reading->text, g_ascii_tolower(name.text[i]));
		append_slice(reading->header_slices, reading->text, start);
		start = reading->text->len;
		append_field_value(
		    reading->text, value.text, value.length, !is_never_encoded(&name));
		append_slice(reading->header_slices, reading->text, start);
	}
}

static const char *
keep_lower(struct reading *reading, const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text ? text : "", -1);
	char *kept = g_string_chunk_insert(reading->words, valid);
	for (char *p = kept; *p; p++)
		*p = (unsigned char)*p <= ' ' ? '_' : g_ascii_tolower(*p);
	return kept;
}

static const char *
keep_name(struct reading *reading, const char *text)
{
	g_autoptr(GString) name = g_string_new(NULL);
	charset_decode((const uint8_t *)text, strlen(text), "", name);
	blank_controls(name, 0);
	return g_string_chunk_insert(reading->words, name->str);
}

static void
read_content_type(struct reading *reading, const struct message_text *value,
    struct message_part *part, const char **ret_boundary)
{
	g_autofree char *line = unfold(value->text, value->length, false);
	struct content_field *type = content_type_read(line);
	part->type = keep_lower(reading, content_value(type));
	part->charset = keep_lower(reading, content_parameter(type, "charset"));
	const char *file = content_parameter(type, "name");
	if (file)
		part->name = keep_name(reading, file);
	const char *boundary = content_parameter(type, "boundary");
	*ret_boundary = boundary ? g_string_chunk_insert(reading->words, boundary) : NULL;
	content_field_free(type);
}

static void
read_disposition(
    struct reading *reading, const struct message_text *value, struct message_part *part)
{
	g_autofree char *line = unfold(value->text, value->length, false);
	struct content_field *disposition = content_disposition_read(line);
	part->attachment = !g_ascii_strcasecmp(content_value(disposition), "attachment");
	const char *file = content_parameter(disposition, "filename");
	if (file)
		part->name = keep_name(reading, file);
	content_field_free(disposition);
}

static enum content_encoding
read_encoding(struct reading *reading, const struct message_text *value, struct message_part *part)
{
	g_autofree char *line = unfold(value->text, value->length, false);
	part->encoding = keep_lower(reading, g_strstrip(line));
	return content_encoding_of(part->encoding);
}

static bool
begins_with_html(const char *text, size_t length)
{
	static const char *const starts[] = {"<!doctype html", "<html", "<head", "<body", "<table",
	    "<div", "<center", "<p>", "<font", "<a href", "<meta", "<style"};
	while (length && g_ascii_isspace(*text))
		text++, length--;
	for (size_t i = 0; i < G_N_ELEMENTS(starts); i++)
		if (length > strlen(starts[i]) &&
		    !g_ascii_strncasecmp(text, starts[i], strlen(starts[i])))
			return true;
	return false;
}

/* A body without header fields tells by its look what it is. */
static enum mime_kind
guess_type(const struct reading *reading, struct mime_span rest, struct message_part *part)
{
	const char *text = (const char *)reading->message.canonical.bytes + rest.offset;
	size_t window = MIN(rest.length, META_WINDOW);
	if (begins_with_html(text, window)) {
		part->type = "text/html";
		return MIME_LEAF;
	}
	const char *type = g_strstr_len(text, (gssize)window, "\nContent-Type:");
	if (!type)
		return MIME_LEAF;
	while (type > text && type[-1] != '\n')
		type--;
	if (strncmp(type, "--", 2))
		return MIME_LEAF;
	part->type = "multipart/mixed";
	return MIME_MULTIPART;
}

static enum mime_kind
kind_of(const char *type)
{
	if (g_str_has_prefix(type, "multipart/"))
		return MIME_MULTIPART;
	if (!strcmp(type, "message/rfc822") || !strcmp(type, "message/global") ||
	    !strcmp(type, "message/news"))
		return MIME_MESSAGE;
	return MIME_LEAF;
}

static enum mime_kind
begin_part(void *context, struct mime_span header, struct mime_span rest, unsigned depth,
    const char **ret_boundary)
{
	struct reading *reading = context;
	const char *at = (const char *)reading->message.canonical.bytes + header.offset;
	const char *end = at + MIN(header.length, reading->limits.header);
	struct message_part part = {
	    .type = "text/plain", .charset = "", .name = "", .encoding = "", .depth = depth};
	struct part_slices slices = {.encoding = CONTENT_AS_IS};
	struct message_text name, value;
	if (header.length > reading->limits.header)
		reading->message.cut |= MESSAGE_CUT_HEADER;
	while (next_field(&at, end, &name, &value)) {
		if (name.length < 12 || g_ascii_tolower(name.text[0]) != 'c')
			continue;
		if (name_is(&name, "content-type"))
			read_content_type(reading, &value, &part, ret_boundary);
		else if (name_is(&name, "content-disposition"))
			read_disposition(reading, &value, &part);
		else if (name_is(&name, "content-transfer-encoding"))
			slices.encoding = read_encoding(reading, &value, &part);
	}
	enum mime_kind kind = kind_of(part.type);
	if (!header.length && !depth)
		kind = guess_type(reading, rest, &part);
	if (kind == MIME_MESSAGE && slices.encoding != CONTENT_AS_IS)
		kind = MIME_LEAF;
	part.container = kind != MIME_LEAF;
	slices.html =
	    !strcmp(part.type, "text/html") || !strcmp(part.type, "application/xhtml+xml");
	g_array_append_val(reading->parts, part);
	g_array_append_val(reading->slices, slices);
	return kind;
}

/* Where encoded content begins: after uuencode's first line, or the "=" that should end base64. */
static size_t
encoding_start(const char *bytes, size_t length, enum content_encoding encoding)
{
	size_t at = 0;
	if (encoding == CONTENT_BASE64)
		while (at < length && !g_ascii_isalnum(bytes[at]) && bytes[at] != '+' &&
		       bytes[at] != '/')
			at++;
	if (encoding != CONTENT_UUENCODE)
		return at;
	while (length - at >= 6 && memcmp(bytes + at, "begin ", 6)) {
		const char *lf = memchr(bytes + at, '\n', length - at);
		at = lf ? (size_t)(lf - bytes) + 1 : length;
	}
	const char *lf = memchr(bytes + at, '\n', length - at);
	return lf ? (size_t)(lf - bytes) + 1 : length;
}

/* The first LIMIT bytes or so of the content without its transfer encoding; valid until the next
 * call. */
static size_t
decode_content(struct reading *reading, struct mime_span body, enum content_encoding encoding,
    size_t limit, const uint8_t **ret_bytes)
{
	const char *bytes = (const char *)reading->message.canonical.bytes + body.offset;
	if (encoding == CONTENT_AS_IS) {
		*ret_bytes = (const uint8_t *)bytes;
		return MIN(body.length, limit);
	}
	size_t skipped = encoding_start(bytes, body.length, encoding);
	bytes += skipped;
	body.length -= skipped;
	/* Quoted-printable takes three bytes for one at worst. */
	size_t length = MIN(body.length, limit * 3 + 16);
	size_t room = content_decoded_room(length);
	if (room > reading->decoded_size) {
		reading->decoded = g_realloc(reading->decoded, room);
		reading->decoded_size = room;
	}
	size_t done = content_decode(encoding, bytes, length, (char *)reading->decoded);
	*ret_bytes = reading->decoded;
	return MIN(done, limit);
}

/* What is labelled as text and has NULs or many control characters is none. */
static bool
is_binary(const uint8_t *bytes, size_t length, const char *charset)
{
	size_t controls = 0, window = MIN(length, BINARY_WINDOW);
	if (g_str_has_prefix(charset, "utf-16") || g_str_has_prefix(charset, "utf-32") ||
	    g_str_has_prefix(charset, "ucs-"))
		return false;
	for (size_t i = 0; i < window; i++)
		controls += bytes[i] < ' ' && bytes[i] != '\t' && bytes[i] != '\n' &&
			    bytes[i] != '\r' && bytes[i] != '\f' && bytes[i] != 0x1b;
	return controls > 4 && controls * 16 > window;
}

/* The charset that HTML declares in itself, if the header declares none. */
static const char *
meta_charset(struct reading *reading, const uint8_t *bytes, size_t length)
{
	g_autofree char *head =
	    g_ascii_strdown((const char *)bytes, (gssize)MIN(length, META_WINDOW));
	const char *found = strstr(head, "charset=");
	if (!found)
		return "";
	found += strlen("charset=");
	found += strspn(found, "\"' ");
	g_autofree char *name = g_strndup(found, strcspn(found, "\"' />;\r\n\t"));
	return keep_lower(reading, name);
}

static void
read_html(struct reading *reading, const GString *source, struct message_part *part,
    struct part_slices *slices)
{
	struct html_sink sink = {.visible = reading->text,
	    .hidden = reading->hidden,
	    .links_text = reading->links_text,
	    .links = reading->links};
	size_t start = reading->text->len;
	g_string_truncate(reading->hidden, 0);
	html_read(source->str, source->len, &sink);
	slices->visible = (struct slice){start, reading->text->len - start};
	g_string_append_c(reading->text, '\0');
	slices->hidden = (struct slice){reading->text->len, reading->hidden->len};
	g_string_append_len(reading->text, reading->hidden->str, (gssize)reading->hidden->len);
	g_string_append_c(reading->text, '\0');
	part->html_tags = sink.tags;
	if (sink.cut)
		reading->message.cut |= MESSAGE_CUT_HTML;
}

static void
read_text(struct reading *reading, const uint8_t *bytes, size_t length, struct message_part *part,
    struct part_slices *slices)
{
	const char *charset = part->charset;
	if (!slices->html) {
		size_t start = reading->text->len;
		part->repaired = charset_decode(bytes, length, charset, reading->text);
		slices->visible = (struct slice){start, reading->text->len - start};
		g_string_append_c(reading->text, '\0');
		return;
	}
	if (!*charset && length)
		charset = meta_charset(reading, bytes, length);
	g_autoptr(GString) source = g_string_sized_new(length + 1);
	part->repaired = charset_decode(bytes, length, charset, source);
	read_html(reading, source, part, slices);
}

static void
end_part(void *context, unsigned index, struct mime_span body)
{
	struct reading *reading = context;
	struct message_part *part = &g_array_index(reading->parts, struct message_part, index);
	struct part_slices *slices = &g_array_index(reading->slices, struct part_slices, index);
	const uint8_t *bytes;
	part->size = body.length;
	if (part->container)
		return;
	bool text = slices->html || g_str_has_prefix(part->type, "text/") ||
		    g_str_has_prefix(part->type, "message/");
	size_t limit = text ? reading->text_left + 1 : ATTACHMENT_DIGESTED;
	size_t length = decode_content(reading, body, slices->encoding, limit, &bytes);
	if (text && is_binary(bytes, length, part->charset)) {
		part->binary = true;
		text = false;
		length = MIN(length, ATTACHMENT_DIGESTED);
	}
	if (!text) {
		uint8_t digest[crypto_generichash_BYTES_MIN];
		crypto_generichash(digest, sizeof digest, bytes, length, NULL, 0);
		memcpy(part->digest, digest, sizeof part->digest);
		return;
	}
	if (length > reading->text_left) {
		reading->message.cut |= MESSAGE_CUT_TEXT;
		length = reading->text_left;
	}
	reading->text_left -= length;
	read_text(reading, bytes, length, part, slices);
}

static struct message_text
text_of(const GString *text, const struct slice *slice)
{
	return (struct message_text){text->str + slice->offset, slice->length};
}

/* The buffers have stopped growing: their places become pointers. */
static void
set_pointers(struct reading *reading)
{
	struct message *message = &reading->message;
	const struct slice *slices = (const struct slice *)(void *)reading->header_slices->data;
	message->header_count = reading->header_slices->len / 2;
	g_array_set_size(reading->headers, (unsigned)message->header_count);
	message->headers = (const struct message_header *)(void *)reading->headers->data;
	for (unsigned i = 0; i < message->header_count; i++)
		g_array_index(reading->headers, struct message_header, i) =
		    (struct message_header){text_of(reading->text, &slices[2 * i]),
			text_of(reading->text, &slices[2 * i + 1])};

	static const char empty[1];
	message->part_count = reading->parts->len;
	message->parts = (const struct message_part *)(void *)reading->parts->data;
	for (unsigned i = 0; i < reading->parts->len; i++) {
		struct message_part *part = &g_array_index(reading->parts, struct message_part, i);
		struct part_slices *own = &g_array_index(reading->slices, struct part_slices, i);
		part->visible = own->visible.length ? text_of(reading->text, &own->visible)
						    : (struct message_text){empty, 0};
		part->hidden = own->hidden.length ? text_of(reading->text, &own->hidden)
						  : (struct message_text){empty, 0};
	}

	message->link_count = reading->links->len;
	g_array_set_size(reading->link_texts, reading->links->len);
	message->links = (const struct message_text *)(void *)reading->link_texts->data;
	for (unsigned i = 0; i < reading->links->len; i++) {
		const struct html_link *link = &g_array_index(reading->links, struct html_link, i);
		g_array_index(reading->link_texts, struct message_text, i) =
		    (struct message_text){reading->links_text->str + link->offset, link->length};
	}
}

static struct reading *
reading_new(const struct message_options *options, size_t length)
{
	struct reading *reading = g_new0(struct reading, 1);
	reading->limits = options->limits;
	reading->text_left = options->limits.text;
	reading->text = g_string_sized_new(MIN(length, 2 * options->limits.text) + 256);
	reading->hidden = g_string_new(NULL);
	reading->links_text = g_string_new(NULL);
	reading->words = g_string_chunk_new(512);
	reading->headers = g_array_new(FALSE, FALSE, sizeof(struct message_header));
	reading->header_slices = g_array_sized_new(FALSE, FALSE, sizeof(struct slice), 64);
	reading->parts = g_array_new(FALSE, FALSE, sizeof(struct message_part));
	reading->slices = g_array_new(FALSE, FALSE, sizeof(struct part_slices));
	reading->links = g_array_new(FALSE, FALSE, sizeof(struct html_link));
	reading->link_texts = g_array_new(FALSE, FALSE, sizeof(struct message_text));
	return reading;
}

bool
message_load(GError **error)
{
	return content_load(error) && html_load(error);
}

struct message *
message_read(const uint8_t *bytes, size_t length, const struct message_options *options)
{
	struct reading *reading = reading_new(options, length);
	struct message *message = &reading->message;
	canonical_read(
	    bytes, length, options->own_hosts, options->limits.message, &message->canonical);
	if (message->canonical.cut)
		message->cut |= MESSAGE_CUT_MESSAGE;
	read_headers(reading);
	const struct mime_reader reader = {.max_depth = options->limits.depth,
	    .max_parts = MAX(options->limits.parts, 1),
	    .context = reading,
	    .begin = begin_part,
	    .end = end_part};
	struct mime_result result = mime_read(message->canonical.bytes, message->canonical.length,
	    message->canonical.header_length, message->canonical.body, &reader);
	message->cut |= result.depth_cut ? MESSAGE_CUT_DEPTH : 0;
	message->cut |= result.parts_cut ? MESSAGE_CUT_PARTS : 0;
	set_pointers(reading);
	g_free(g_steal_pointer(&reading->decoded));
	return message;
}

void
message_free(struct message *message)
{
	struct reading *reading = (struct reading *)message;
	if (!message)
		return;
	canonical_clear(&message->canonical);
	g_string_free(reading->text, TRUE);
	g_string_free(reading->hidden, TRUE);
	g_string_free(reading->links_text, TRUE);
	g_string_chunk_free(reading->words);
	g_array_free(reading->headers, TRUE);
	g_array_free(reading->header_slices, TRUE);
	g_array_free(reading->parts, TRUE);
	g_array_free(reading->slices, TRUE);
	g_array_free(reading->links, TRUE);
	g_array_free(reading->link_texts, TRUE);
	g_free(reading->decoded);
	g_free(reading);
}

const struct message_text *
message_header(const struct message *message, const char *name)
{
	for (size_t i = 0; i < message->header_count; i++)
		if (!strcmp(message->headers[i].name.text, name))
			return &message->headers[i].value;
	return NULL;
}

/* Room for the lead, and what came last. */
struct lead {
	char *at, *end;
	bool space, full;
};

static void
lead_add(struct lead *lead, const GString *folded)
{
	const char *stop = folded->str + folded->len;
	for (const char *p = folded->str, *next; p < stop; p = next) {
		next = g_utf8_next_char(p);
		bool blank = (unsigned char)*p <= ' ';
		lead->full = next - p > lead->end - lead->at;
		if (lead->full)
			return;
		if (!blank)
			for (const char *byte = p; byte < next; byte++)
				*lead->at++ = *byte;
		else if (!lead->space)
			*lead->at++ = ' ';
		lead->space = blank;
	}
}

/* About SIZE bytes of text or more, up to the end of a word: so each piece is folded by itself. */
static size_t
cut_piece(const char *text, size_t length, size_t size)
{
	while (size < length && ((text[size] & 0x80) || g_ascii_isalnum(text[size])))
		size++;
	return size < length ? size + 1 : length;
}

/* Appends TEXT folded and squeezed to OUT, up to END bytes of it in all. */
static void
append_lead(const struct message_text *text, size_t end, GString *folded, GString *out)
{
	if (!text || out->len >= end)
		return;
	/* White space may make up most of it: what is read is four times what is wanted, if need
	 * be. */
	size_t length = text_cut(text->text, text->length, 4 * (end - out->len));
	size_t begun = out->len;
	g_string_set_size(out, end);
	struct lead lead = {.at = out->str + begun, .end = out->str + end, .space = true};
	for (size_t at = 0, piece; at < length && !lead.full; at += piece) {
		piece = cut_piece(text->text + at, length - at, (size_t)(lead.end - lead.at));
		g_string_truncate(folded, 0);
		text_fold(text->text + at, piece, TEXT_FOLD_CASE, folded);
		lead_add(&lead, folded);
	}
	if (!lead.full && !lead.space && lead.at < lead.end)
		*lead.at++ = ' ';
	g_string_truncate(out, (size_t)(lead.at - out->str));
}

void
message_lead(const struct message *message, size_t limit, GString *ret_text)
{
	g_autoptr(GString) folded = g_string_sized_new(4 * limit);
	size_t end = ret_text->len + limit;
	append_lead(message_header(message, "subject"), end, folded, ret_text);
	append_lead(message_header(message, "from"), end, folded, ret_text);
	for (size_t i = 0; i < message->part_count; i++)
		append_lead(&message->parts[i].visible, end, folded, ret_text);
}
