#include "config.h"

#include "classifier/mail/text.h"

#include <string.h>
#include <utf8proc.h>

struct lookalike {
	gunichar from;
	char to;
};

/* Folded letters of other scripts that look like a Latin one, sorted by code. */
static const struct lookalike lookalikes[] = {
    {0x131, 'i'}, /* dotless i */
    {0x251, 'a'}, /* Latin alpha */
    {0x261, 'g'}, /* script g */
    {0x3b1, 'a'}, /* Greek from here */
    {0x3b2, 'b'},
    {0x3b5, 'e'},
    {0x3b7, 'n'},
    {0x3b9, 'i'},
    {0x3ba, 'k'},
    {0x3bc, 'u'},
    {0x3bd, 'v'},
    {0x3bf, 'o'},
    {0x3c1, 'p'},
    {0x3c2, 'c'},
    {0x3c3, 'o'},
    {0x3c4, 't'},
    {0x3c5, 'u'},
    {0x3c7, 'x'},
    {0x3c9, 'w'},
    {0x3f2, 'c'},
    {0x430, 'a'}, /* Cyrillic from here */
    {0x432, 'b'},
    {0x435, 'e'},
    {0x437, '3'},
    {0x438, 'n'},
    {0x43a, 'k'},
    {0x43c, 'm'},
    {0x43d, 'h'},
    {0x43e, 'o'},
    {0x43f, 'n'},
    {0x440, 'p'},
    {0x441, 'c'},
    {0x442, 't'},
    {0x443, 'y'},
    {0x445, 'x'},
    {0x455, 's'},
    {0x456, 'i'},
    {0x458, 'j'},
    {0x475, 'v'},
    {0x4bb, 'h'},
    {0x501, 'd'},
    {0x51b, 'q'},
    {0x51d, 'w'},
    {0x561, 'w'}, /* Armenian from here */
    {0x570, 'h'},
    {0x578, 'n'},
    {0x57d, 'u'},
    {0x581, 'g'},
    {0x585, 'o'},
    {0x1d04, 'c'}, /* small capitals */
    {0x1d0f, 'o'},
    {0x1d20, 'v'},
    {0x1d21, 'w'},
    {0x1d22, 'z'},
};

/* What punctuation beyond ASCII stands for within words. */
static const struct lookalike joiners[] = {
    {0x2bc, '\''}, {0x2010, '-'}, {0x2011, '-'}, {0x2018, '\''}, {0x2019, '\''}};

struct range {
	gunichar first, last;
};

static const struct range unspaced[] = {{0xe01, 0xeff}, {0x1000, 0x109f}, {0x1780, 0x17ff},
    {0x3005, 0x3007}, {0x3041, 0x30ff}, {0x31f0, 0x31ff}, {0x3400, 0x4dbf}, {0x4e00, 0x9fff},
    {0xf900, 0xfaff}, {0x20000, 0x3ffff}};

/* Kana and Hangul would fall to pieces in a decomposition; Han has nothing to decompose. */
static const struct range whole[] = {
    {0x3041, 0x30fa}, {0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0xac00, 0xd7a3}};

/* The word that is being written, from START of OUT on. */
struct folder {
	GString *out;
	size_t start;
	unsigned flags, tricks;
	bool latin, other;  /* has Latin letters, letters of other scripts */
	bool all_lookalike; /* all of those others */
	bool invisible;     /* something invisible came just before */
};

static bool
in_ranges(const struct range *ranges, size_t count, gunichar character)
{
	for (size_t i = 0; i < count && character >= ranges[i].first; i++)
		if (character <= ranges[i].last)
			return true;
	return false;
}

bool
text_is_unspaced(gunichar character)
{
	return in_ranges(unspaced, G_N_ELEMENTS(unspaced), character);
}

static char
lookalike(const struct lookalike *rows, size_t count, gunichar character)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (rows[middle].from < character)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && rows[low].from == character ? rows[low].to : '\0';
}

/* Replaces the letters of the finished word that look Latin. */
static void
unmask_word(struct folder *folder)
{
	char latin[128];
	size_t used = 0;
	const char *p = folder->out->str + folder->start;
	const char *end = folder->out->str + folder->out->len;
	for (; p < end; p = g_utf8_next_char(p)) {
		char to = lookalike(lookalikes, G_N_ELEMENTS(lookalikes), g_utf8_get_char(p));
		if (used == sizeof latin || (!to && (*p & 0x80)))
			return;
		latin[used++] = to ? to : *p;
	}
	g_string_truncate(folder->out, folder->start);
	g_string_append_len(folder->out, latin, (gssize)used);
	folder->tricks |= TEXT_TRICK_LOOKALIKE;
}

static void
end_word(struct folder *folder)
{
	if (folder->latin && folder->other && folder->all_lookalike)
		unmask_word(folder);
	folder->latin = folder->other = folder->invisible = false;
	folder->all_lookalike = true;
}

static void
put_separator(struct folder *folder, char separator)
{
	end_word(folder);
	g_string_append_c(folder->out, separator);
	folder->start = folder->out->len;
}

static void
put_ascii(struct folder *folder, char character)
{
	if (g_ascii_isalpha(character)) {
		if (folder->invisible && folder->latin)
			folder->tricks |= TEXT_TRICK_INVISIBLE;
		folder->latin = true;
		folder->invisible = false;
	} else if (!g_ascii_isdigit(character)) {
		put_separator(folder, character);
		return;
	}
	bool fold = folder->flags & TEXT_FOLD_CASE;
	g_string_append_c(folder->out, fold ? g_ascii_tolower(character) : character);
}

/* Letters and digits of ASCII from TEXT on, as put_ascii() would put them one by one; most of all
 * text is such. There must be nothing invisible before. Returns where they end. */
static const char *
put_ascii_run(struct folder *folder, const char *text, const char *end)
{
	const char *stop = text;
	size_t before = folder->out->len;
	for (; stop < end && g_ascii_isalnum(*stop); stop++)
		folder->latin |= g_ascii_isalpha(*stop);
	g_string_append_len(folder->out, text, stop - text);
	if (folder->flags & TEXT_FOLD_CASE)
		for (char *p = folder->out->str + before; *p; p++)
			if (g_ascii_isupper(*p))
				*p |= 0x20;
	return stop;
}

static void
put_letter(struct folder *folder, gunichar character)
{
	if (character < 0x80) {
		put_ascii(folder, (char)character);
		return;
	}
	folder->other = true;
	folder->invisible = false;
	if (!lookalike(lookalikes, G_N_ELEMENTS(lookalikes), character))
		folder->all_lookalike = false;
	char utf8[6];
	g_string_append_len(folder->out, utf8, g_unichar_to_utf8(character, utf8));
}

static void
put_decomposed(struct folder *folder, gunichar character)
{
	utf8proc_int32_t parts[32];
	utf8proc_option_t options = UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT;
	int boundary = 0;
	if (folder->flags & TEXT_FOLD_CASE)
		options |= UTF8PROC_CASEFOLD;
	utf8proc_ssize_t count = utf8proc_decompose_char(
	    (utf8proc_int32_t)character, parts, G_N_ELEMENTS(parts), options, &boundary);
	for (utf8proc_ssize_t i = 0; i < count && i < (utf8proc_ssize_t)G_N_ELEMENTS(parts); i++) {
		if (parts[i] >= 0x300 && parts[i] <= 0x36f)
			continue; /* an accent */
		if (parts[i] >= 0x80 && utf8proc_category(parts[i]) > UTF8PROC_CATEGORY_NO)
			put_separator(folder, ' ');
		else
			put_letter(folder, (gunichar)parts[i]);
	}
}

static void
put_symbol(struct folder *folder, gunichar character)
{
	char utf8[6];
	put_separator(folder, ' ');
	g_string_append_len(folder->out, utf8, g_unichar_to_utf8(character, utf8));
	put_separator(folder, ' ');
}

static bool
is_invisible(const utf8proc_property_t *property, gunichar character)
{
	return property->ignorable || property->category == UTF8PROC_CATEGORY_CF ||
	       (character >= 0xfe00 && character <= 0xfe0f);
}

static void
put_as_letter(
    struct folder *folder, const utf8proc_property_t *property G_GNUC_UNUSED, gunichar character)
{
	put_decomposed(folder, character);
}

static void
put_as_space(struct folder *folder, const utf8proc_property_t *property G_GNUC_UNUSED,
    gunichar character G_GNUC_UNUSED)
{
	put_separator(folder, ' ');
}

/* A full-width "!" is a "!". */
static void
put_as_punctuation(struct folder *folder, const utf8proc_property_t *property, gunichar character)
{
	if (property->decomp_type)
		put_decomposed(folder, character);
	else
		put_separator(folder, ' ');
}

static void
put_as_symbol(struct folder *folder, const utf8proc_property_t *property, gunichar character)
{
	if (character == 0xfffd)
		put_separator(folder, ' ');
	else if (property->decomp_type)
		put_decomposed(folder, character);
	else
		put_symbol(folder, character);
}

enum kind { KIND_LETTER, KIND_SPACE, KIND_PUNCTUATION, KIND_SYMBOL };

static void (*const others[])(
    struct folder *folder, const utf8proc_property_t *property, gunichar character) = {
    [KIND_LETTER] = put_as_letter,
    [KIND_SPACE] = put_as_space,
    [KIND_PUNCTUATION] = put_as_punctuation,
    [KIND_SYMBOL] = put_as_symbol,
};

/* By general category; what has no row is as a letter. */
static const enum kind kind_of[] = {
    [UTF8PROC_CATEGORY_CN] = KIND_SPACE,
    [UTF8PROC_CATEGORY_CC] = KIND_SPACE,
    [UTF8PROC_CATEGORY_CS] = KIND_SPACE,
    [UTF8PROC_CATEGORY_ZS] = KIND_SPACE,
    [UTF8PROC_CATEGORY_ZL] = KIND_SPACE,
    [UTF8PROC_CATEGORY_ZP] = KIND_SPACE,
    [UTF8PROC_CATEGORY_PC] = KIND_PUNCTUATION,
    [UTF8PROC_CATEGORY_PD] = KIND_PUNCTUATION,
    [UTF8PROC_CATEGORY_PS] = KIND_PUNCTUATION,
    [UTF8PROC_CATEGORY_PE] = KIND_PUNCTUATION,
    [UTF8PROC_CATEGORY_PI] = KIND_PUNCTUATION,
    [UTF8PROC_CATEGORY_PF] = KIND_PUNCTUATION,
    [UTF8PROC_CATEGORY_PO] = KIND_PUNCTUATION,
    [UTF8PROC_CATEGORY_SK] = KIND_PUNCTUATION,
    [UTF8PROC_CATEGORY_SM] = KIND_SYMBOL,
    [UTF8PROC_CATEGORY_SC] = KIND_SYMBOL,
    [UTF8PROC_CATEGORY_SO] = KIND_SYMBOL,
    /* The last of them, so that the table has a row for each. */
    [UTF8PROC_CATEGORY_CO] = KIND_SPACE,
};

static void
put_other(struct folder *folder, gunichar character)
{
	char joiner = lookalike(joiners, G_N_ELEMENTS(joiners), character);
	const utf8proc_property_t *property = utf8proc_get_property((utf8proc_int32_t)character);
	if (joiner) {
		put_ascii(folder, joiner);
		return;
	}
	if (is_invisible(property, character)) {
		/* A soft hyphen is an honest one. */
		folder->invisible = character != 0xad;
		return;
	}
	others[kind_of[property->category]](folder, property, character);
}

unsigned
text_fold(const char *text, size_t length, unsigned flags, GString *out)
{
	struct folder folder = {
	    .out = out, .start = out->len, .flags = flags, .all_lookalike = true};
	const char *end = text + length;
	while (text < end) {
		if (!folder.invisible && g_ascii_isalnum(*text)) {
			text = put_ascii_run(&folder, text, end);
			continue;
		}
		if (!(*text & 0x80)) {
			put_ascii(&folder, *text++);
			continue;
		}
		gunichar character = g_utf8_get_char(text);
		text = g_utf8_next_char(text);
		if (in_ranges(whole, G_N_ELEMENTS(whole), character))
			put_letter(&folder, character);
		else
			put_other(&folder, character);
	}
	end_word(&folder);
	return folder.tricks;
}

size_t
text_cut(const char *text, size_t length, size_t limit)
{
	if (length <= limit)
		return length;
	while (limit && (text[limit] & 0xc0) == 0x80)
		limit--;
	return limit;
}
