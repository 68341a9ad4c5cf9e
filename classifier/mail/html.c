#include "config.h"

#include "classifier/mail/html.h"

#include <string.h>
#include <libxml/HTMLparser.h>
#include "lib/library.h"

#define DEPTH_MAX 256
#define NAMES_MAX 4000 /* bytes of different names of elements and attributes */
#define STYLE_MAX 1024
#define LINK_MAX  1024
#define LINKS_MAX 2000
/* Round everything, since libxml2 puts text that stands in nothing into a paragraph. */
#define WRAPPER "<x>"

/*
 * The library is loaded by name when the first HTML is met: it brings three more libraries along,
 * and a process that classifies one plain message would spend a third of its time on them.
 */
struct libxml {
	__typeof__(&xmlInitParser) init;
	__typeof__(&htmlCreateMemoryParserCtxt) create;
	__typeof__(&htmlCtxtUseOptions) use_options;
	__typeof__(&htmlParseDocument) parse;
	__typeof__(&htmlFreeParserCtxt) free;
	__typeof__(&xmlStopParser) stop;
	__typeof__(&xmlDictSetLimit) limit_names;
};

enum element_kind {
	ELEMENT_INLINE, /* within a word it does not end it */
	ELEMENT_BLOCK,
	ELEMENT_SKIPPED, /* neither it nor its text is seen */
};

/* Sorted by name; at most 64, since they are a set of bits. */
static const struct element {
	const char *name;
	enum element_kind kind;
} elements[] = {
    {"a", ELEMENT_INLINE},
    {"area", ELEMENT_INLINE},
    {"b", ELEMENT_INLINE},
    {"base", ELEMENT_BLOCK},
    {"bgsound", ELEMENT_BLOCK},
    {"big", ELEMENT_INLINE},
    {"blockquote", ELEMENT_BLOCK},
    {"body", ELEMENT_BLOCK},
    {"br", ELEMENT_BLOCK},
    {"button", ELEMENT_BLOCK},
    {"caption", ELEMENT_BLOCK},
    {"center", ELEMENT_BLOCK},
    {"code", ELEMENT_INLINE},
    {"dd", ELEMENT_BLOCK},
    {"div", ELEMENT_BLOCK},
    {"dl", ELEMENT_BLOCK},
    {"dt", ELEMENT_BLOCK},
    {"em", ELEMENT_INLINE},
    {"embed", ELEMENT_BLOCK},
    {"font", ELEMENT_INLINE},
    {"form", ELEMENT_BLOCK},
    {"frame", ELEMENT_BLOCK},
    {"h1", ELEMENT_BLOCK},
    {"h2", ELEMENT_BLOCK},
    {"h3", ELEMENT_BLOCK},
    {"h4", ELEMENT_BLOCK},
    {"head", ELEMENT_BLOCK},
    {"hr", ELEMENT_BLOCK},
    {"html", ELEMENT_BLOCK},
    {"i", ELEMENT_INLINE},
    {"iframe", ELEMENT_BLOCK},
    {"img", ELEMENT_INLINE},
    {"input", ELEMENT_BLOCK},
    {"li", ELEMENT_BLOCK},
    {"link", ELEMENT_BLOCK},
    {"map", ELEMENT_BLOCK},
    {"marquee", ELEMENT_BLOCK},
    {"meta", ELEMENT_BLOCK},
    {"object", ELEMENT_BLOCK},
    {"ol", ELEMENT_BLOCK},
    {"option", ELEMENT_BLOCK},
    {"p", ELEMENT_BLOCK},
    {"pre", ELEMENT_BLOCK},
    {"script", ELEMENT_SKIPPED},
    {"select", ELEMENT_BLOCK},
    {"small", ELEMENT_INLINE},
    {"span", ELEMENT_INLINE},
    {"strong", ELEMENT_INLINE},
    {"style", ELEMENT_SKIPPED},
    {"svg", ELEMENT_BLOCK},
    {"table", ELEMENT_BLOCK},
    {"tbody", ELEMENT_BLOCK},
    {"td", ELEMENT_BLOCK},
    {"template", ELEMENT_SKIPPED},
    {"textarea", ELEMENT_BLOCK},
    {"th", ELEMENT_BLOCK},
    {"title", ELEMENT_BLOCK},
    {"tr", ELEMENT_BLOCK},
    {"u", ELEMENT_INLINE},
    {"ul", ELEMENT_BLOCK},
    {"video", ELEMENT_BLOCK},
};
G_STATIC_ASSERT(G_N_ELEMENTS(elements) <= 64);

static const struct colour {
	const char *name;
	int value;
} colours[] = {{"white", 0xffffff}, {"black", 0}, {"red", 0xff0000}, {"blue", 0xff},
    {"yellow", 0xffff00}, {"green", 0x8000}, {"gray", 0x808080}, {"silver", 0xc0c0c0},
    {"navy", 0x80}, {"snow", 0xfffafa}, {"ivory", 0xfffff0}, {"whitesmoke", 0xf5f5f5}};

/* CSS that hides, once white space and comments are out. */
static const char *const hiding_styles[] = {
    "display:none", "visibility:hidden", "mso-hide:all", "text-indent:-9", "left:-9"};

/* CSS sizes that hide: below LEAST of the unit of pixels or points, or of the letter's height. */
static const struct small_style {
	const char *name;
	double least, least_em;
} small_styles[] = {{"font-size:", 2, 0.15}, {"opacity:", 0.05, 0.05}, {"max-height:", 1, 0.05}};

/* What holds within an element. */
struct scope {
	int colour, background;
	bool hidden, skipped;
};

struct parse {
	const struct libxml *libxml;
	htmlParserCtxtPtr parser;
	struct html_sink *sink;
	size_t stopped_at; /* where the parser was stopped, 0 if it was not */
	unsigned depth;
	struct scope scopes[DEPTH_MAX + 2];
};

static struct libxml libxml_functions;

static const struct library_symbol libxml_symbols[] = {
    LIBRARY_SYMBOL("xmlInitParser", libxml_functions.init),
    LIBRARY_SYMBOL("htmlCreateMemoryParserCtxt", libxml_functions.create),
    LIBRARY_SYMBOL("htmlCtxtUseOptions", libxml_functions.use_options),
    LIBRARY_SYMBOL("htmlParseDocument", libxml_functions.parse),
    LIBRARY_SYMBOL("htmlFreeParserCtxt", libxml_functions.free),
    LIBRARY_SYMBOL("xmlStopParser", libxml_functions.stop),
    LIBRARY_SYMBOL("xmlDictSetLimit", libxml_functions.limit_names),
};

static struct library libxml_library = {
    .file = "libxml2.so.2",
    .lacking = "HTML cannot be read",
    .symbols = libxml_symbols,
    .count = G_N_ELEMENTS(libxml_symbols),
    .init = &libxml_functions.init,
};

bool
html_load(GError **error)
{
	return library_load(&libxml_library, error);
}

static const struct libxml *
libxml_get(void)
{
	library_need(&libxml_library);
	return &libxml_functions;
}

const char *
html_tag_name(unsigned index)
{
	return index < G_N_ELEMENTS(elements) ? elements[index].name : NULL;
}

static const struct element *
find_element(const char *name)
{
	size_t low = 0, high = G_N_ELEMENTS(elements);
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(elements[middle].name, name);
		if (!order)
			return &elements[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static int
parse_colour(const char *text, int otherwise)
{
	while (g_ascii_isspace(*text))
		text++;
	for (size_t i = 0; i < G_N_ELEMENTS(colours); i++) {
		size_t length = strlen(colours[i].name);
		if (!g_ascii_strncasecmp(text, colours[i].name, length) &&
		    !g_ascii_isalnum(text[length]))
			return colours[i].value;
	}
	if (!g_ascii_strncasecmp(text, "rgb", 3)) {
		const char *p = text + strcspn(text, "(");
		int value = 0;
		for (int i = 0; i < 3; i++) {
			char *end;
			guint64 number = *p ? g_ascii_strtoull(p + 1, &end, 10) : 0;
			if (!*p || end == p + 1)
				return otherwise;
			value = value << 8 | (int)MIN(number, 255);
			p = end;
		}
		return value;
	}
	text += *text == '#';
	int value = 0, digits = 0;
	for (; digits < 6 && g_ascii_isxdigit(text[digits]); digits++)
		value = value << 4 | g_ascii_xdigit_value(text[digits]);
	if (digits == 3)
		return ((value & 0xf00) << 8 | (value & 0xf0) << 4 | (value & 0xf)) * 0x11;
	return digits == 6 ? value : otherwise;
}

/* So near that nobody reads the one on the other. */
static bool
colours_alike(int a, int b)
{
	int distance = ABS((a >> 16) - (b >> 16)) + ABS((a >> 8 & 255) - (b >> 8 & 255)) +
		       ABS((a & 255) - (b & 255));
	return distance <= 24;
}

/* Lower case, without white space and comments, cut at SIZE. */
static void
squeeze_style(const char *style, char *out, size_t size)
{
	size_t used = 0;
	while (*style && used + 1 < size) {
		if (style[0] == '/' && style[1] == '*') {
			const char *end = strstr(style + 2, "*/");
			if (!end)
				break;
			style = end + 2;
			continue;
		}
		if (!g_ascii_isspace(*style))
			out[used++] = g_ascii_tolower(*style);
		style++;
	}
	out[used] = '\0';
}

/* The value of PROPERTY ("color:"), not that of a longer name that ends so. */
static const char *
style_value(const char *style, const char *property)
{
	for (const char *p = style; (p = strstr(p, property)); p++)
		if (p == style || p[-1] == ';')
			return p + strlen(property);
	return NULL;
}

static bool
style_hides(const char *style)
{
	for (size_t i = 0; i < G_N_ELEMENTS(hiding_styles); i++)
		if (strstr(style, hiding_styles[i]))
			return true;
	for (size_t i = 0; i < G_N_ELEMENTS(small_styles); i++) {
		const char *value = style_value(style, small_styles[i].name);
		if (!value)
			continue;
		char *unit;
		double size = g_ascii_strtod(value, &unit);
		bool absolute = g_str_has_prefix(unit, "p") || *unit == ';' || !*unit;
		if (unit > value && *unit != '%' &&
		    size < (absolute ? small_styles[i].least : small_styles[i].least_em))
			return true;
	}
	return false;
}

static void
apply_style(const char *attribute, struct scope *scope)
{
	char style[STYLE_MAX];
	squeeze_style(attribute, style, sizeof style);
	scope->hidden = scope->hidden || style_hides(style);
	const char *value;
	if ((value = style_value(style, "color:")))
		scope->colour = parse_colour(value, scope->colour);
	if ((value = style_value(style, "background-color:")) ||
	    (value = style_value(style, "background:")))
		scope->background = parse_colour(value, scope->background);
}

static void
add_link(struct html_sink *sink, const char *url)
{
	if (sink->links->len >= LINKS_MAX)
		return;
	struct html_link link = {.offset = sink->links_text->len};
	/* Browsers pass over line ends and tabs in a URL. */
	for (; *url && sink->links_text->len - link.offset < LINK_MAX; url++)
		if ((unsigned char)*url > ' ')
			g_string_append_c(sink->links_text, *url);
	link.length = sink->links_text->len - link.offset;
	const char *end;
	const char *text = sink->links_text->str + link.offset;
	if (!g_utf8_validate_len(text, link.length, &end))
		link.length = (size_t)(end - text);
	g_string_truncate(sink->links_text, link.offset + link.length);
	if (memchr(text, ':', link.length) || g_str_has_prefix(text, "//"))
		g_array_append_val(sink->links, link);
	else
		g_string_truncate(sink->links_text, link.offset);
}

static void
put_text(struct parse *parse, const char *text, size_t length)
{
	const struct scope *scope = &parse->scopes[parse->depth];
	if (scope->skipped)
		return;
	bool hidden = scope->hidden || colours_alike(scope->colour, scope->background);
	g_string_append_len(
	    hidden ? parse->sink->hidden : parse->sink->visible, text, (gssize)length);
}

static void
end_word(GString *text)
{
	if (text->len && text->str[text->len - 1] != '\n')
		g_string_append_c(text, '\n');
}

static void
end_words(struct parse *parse)
{
	end_word(parse->sink->visible);
	end_word(parse->sink->hidden);
}

enum attribute_meaning {
	ATTRIBUTE_STYLE,
	ATTRIBUTE_COLOUR,
	ATTRIBUTE_BACKGROUND,
	ATTRIBUTE_LINK,
	ATTRIBUTE_ALT,
	ATTRIBUTE_HIDDEN,
	ATTRIBUTE_CONTENT,
};

static const struct attribute {
	const char *name;
	enum attribute_meaning meaning;
} attributes[] = {{"href", ATTRIBUTE_LINK}, {"src", ATTRIBUTE_LINK}, {"style", ATTRIBUTE_STYLE},
    {"color", ATTRIBUTE_COLOUR}, {"text", ATTRIBUTE_COLOUR}, {"bgcolor", ATTRIBUTE_BACKGROUND},
    {"alt", ATTRIBUTE_ALT}, {"action", ATTRIBUTE_LINK}, {"background", ATTRIBUTE_LINK},
    {"hidden", ATTRIBUTE_HIDDEN}, {"content", ATTRIBUTE_CONTENT}};

/* Alternative text is put out by the caller, who knows the whole scope. */
static void
read_attribute(
    struct parse *parse, const char *name, const char *value, struct scope *scope, const char **alt)
{
	size_t i = 0;
	while (i < G_N_ELEMENTS(attributes) && strcmp(attributes[i].name, name))
		i++;
	if (i == G_N_ELEMENTS(attributes))
		return;
	if (attributes[i].meaning == ATTRIBUTE_HIDDEN)
		scope->hidden = true;
	if (!value)
		return;
	const char *url;
	switch (attributes[i].meaning) {
	case ATTRIBUTE_STYLE: apply_style(value, scope); break;
	case ATTRIBUTE_COLOUR: scope->colour = parse_colour(value, scope->colour); break;
	case ATTRIBUTE_BACKGROUND:
		scope->background = parse_colour(value, scope->background);
		break;
	case ATTRIBUTE_LINK: add_link(parse->sink, value); break;
	case ATTRIBUTE_ALT: *alt = value; break;
	case ATTRIBUTE_CONTENT: /* of a meta refresh */
		url = strstr(value, "url=");
		if (url)
			add_link(parse->sink, url + 4);
		break;
	case ATTRIBUTE_HIDDEN: break;
	}
}

static void
on_start(void *context, const xmlChar *name, const xmlChar **attrs)
{
	struct parse *parse = context;
	if (parse->depth >= DEPTH_MAX) {
		const xmlParserInput *input = parse->parser->input;
		if (!parse->stopped_at)
			parse->stopped_at = input->consumed + (size_t)(input->cur - input->base);
		parse->libxml->stop(parse->parser);
		return;
	}
	const struct element *element = find_element((const char *)name);
	struct scope scope = parse->scopes[parse->depth];
	const char *alt = NULL;
	for (; attrs && attrs[0]; attrs += 2)
		read_attribute(parse, (const char *)attrs[0], (const char *)attrs[1], &scope, &alt);
	if (element) {
		parse->sink->tags |= (uint64_t)1 << (element - elements);
		scope.skipped = scope.skipped || element->kind == ELEMENT_SKIPPED;
		if (element->kind != ELEMENT_INLINE)
			end_words(parse);
	}
	end_word(parse->sink->hidden);
	parse->scopes[++parse->depth] = scope;
	if (alt && *alt) {
		put_text(parse, " ", 1);
		put_text(parse, alt, strlen(alt));
		put_text(parse, " ", 1);
	}
}

static void
on_end(void *context, const xmlChar *name)
{
	struct parse *parse = context;
	const struct element *element = find_element((const char *)name);
	if (parse->depth)
		parse->depth--;
	if (element && element->kind != ELEMENT_INLINE)
		end_words(parse);
}

static void
on_text(void *context, const xmlChar *text, int length)
{
	put_text(context, (const char *)text, (size_t)length);
}

/* Without a parser: what stands between tags. */
static void
read_crudely(const char *text, size_t length, GString *out)
{
	const char *end = text + length;
	while (text < end) {
		const char *tag = memchr(text, '<', (size_t)(end - text));
		g_string_append_len(out, text, (tag ? tag : end) - text);
		const char *close = tag ? memchr(tag, '>', (size_t)(end - tag)) : NULL;
		if (!close)
			break;
		text = close + 1;
	}
}

static htmlSAXHandler
handler(void)
{
	return (htmlSAXHandler){.startElement = on_start,
	    .endElement = on_end,
	    .characters = on_text,
	    .ignorableWhitespace = on_text,
	    .cdataBlock = on_text,
	    .initialized = 1};
}

void
html_read(const char *text, size_t length, struct html_sink *sink)
{
	const struct libxml *libxml = libxml_get();
	length = MIN(length, G_MAXINT / 2);
	g_autoptr(GString) source = g_string_sized_new(length + sizeof WRAPPER);
	g_string_append(source, WRAPPER);
	g_string_append_len(source, text, (gssize)length);
	htmlParserCtxtPtr parser = libxml->create(source->str, (int)source->len);
	if (!parser) {
		read_crudely(text, length, sink->visible);
		sink->cut = length;
		return;
	}
	struct parse *parse = g_new(struct parse, 1);
	parse->libxml = libxml;
	parse->parser = parser;
	parse->sink = sink;
	parse->stopped_at = 0;
	parse->depth = 0;
	parse->scopes[0] = (struct scope){.colour = 0, .background = 0xffffff};
	libxml->use_options(parser, HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
					HTML_PARSE_NONET | HTML_PARSE_NOIMPLIED |
					HTML_PARSE_IGNORE_ENC);
	/* Against attribute lists and names without end, in which it searches linearly. */
	libxml->limit_names(parser->dict, NAMES_MAX);
	*parser->sax = handler();
	parser->userData = parse;
	parser->charset = XML_CHAR_ENCODING_UTF8;
	libxml->parse(parser);
	if (parse->stopped_at) {
		/* It was stopped within the tag, before its ">". */
		size_t from = MIN(parse->stopped_at, source->len);
		while (from < source->len && source->str[from++] != '>')
			;
		sink->cut = true;
		end_word(sink->visible);
		read_crudely(source->str + from, source->len - from, sink->visible);
	}
	libxml->free(parser);
	g_free(parse);
}
