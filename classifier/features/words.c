#include "config.h"

#include "classifier/features/words.h"

#include <string.h>
#include "classifier/mail/text.h"

#define NUMBER_MAX  4  /* longer numbers become a token for their length */
#define ID_MIN      9  /* with digits in it, from this length on it may be an id */
#define ID_LONG     24 /* and without them from this */
#define LETTERS_MIN 4
#define HOST_MAX    60
#define DOMAINS_MAX 4

enum {
	WORD = 1 << 0,
	ALPHA = 1 << 1,
	UPPER = 1 << 2,
	DIGIT = 1 << 3,
	HIGH = 1 << 4,
	JOIN = 1 << 5, /* part of a word between two of the others */
};

static const uint8_t classes[256] = {
    ['&'] = JOIN,
    ['\''] = JOIN,
    ['-'] = JOIN,
    ['.'] = JOIN,
    ['_'] = JOIN,
    ['0' ... '9'] = WORD | DIGIT,
    ['A' ... 'Z'] = WORD | ALPHA | UPPER,
    ['a' ... 'z'] = WORD | ALPHA,
    [0x80 ... 0xff] = WORD | ALPHA | HIGH,
};

static uint8_t
class_of(char c)
{
	return classes[(uint8_t)c];
}

void
words_init(struct words *words, struct tokens *tokens, const struct token_options *options)
{
	memset(words, 0, sizeof *words);
	words->tokens = tokens;
	words->options = options;
	words->folded = g_string_new(NULL);
}

void
words_clear(struct words *words)
{
	g_string_free(words->folded, TRUE);
	words->folded = NULL;
}

void
words_set_place(struct words *words, const char *place)
{
	words->place = MIN(strlen(place), sizeof words->buffer / 2);
	memcpy(words->buffer, place, words->place);
	words->previous_length = words->letter_count = 0;
}

void
words_put(struct words *words, const char *text, size_t length)
{
	length = text_cut(text, length, sizeof words->buffer - words->place);
	memcpy(words->buffer + words->place, text, length);
	tokens_add(words->tokens, words->buffer, words->place + length);
}

void
words_put_at(struct words *words, const char *place, const char *text, size_t length)
{
	char token[TOKENS_LENGTH_MAX];
	size_t known = MIN(strlen(place), sizeof token / 2);
	memcpy(token, place, known);
	length = text_cut(text, length, sizeof token - known);
	memcpy(token + known, text, length);
	tokens_add(words->tokens, token, known + length);
}

static void
put_pair(struct words *words, const char *word, size_t length)
{
	char pair[2 * TOKENS_WORD_MAX + 1];
	if (words->previous_length) {
		memcpy(pair, words->previous, words->previous_length);
		pair[words->previous_length] = '*';
		memcpy(pair + words->previous_length + 1, word, length);
		words_put(words, pair, words->previous_length + 1 + length);
	}
	memcpy(words->previous, word, length);
	words->previous_length = length;
}

/* "V i a g r a" is read as the word that it is. */
static void
end_letters(struct words *words)
{
	size_t count = words->letter_count;
	words->letter_count = 0;
	if (count < LETTERS_MIN)
		return;
	words->spaced = true;
	words_put(words, words->letters, count);
}

static void
put_number(struct words *words, const char *text, size_t length, unsigned flags)
{
	if (length <= NUMBER_MAX || text[0] == '$') {
		words_put(words, text, length);
		return;
	}
	if ((flags & JOIN) && words_put_ip(words, text, length))
		return;
	char class[] = "#00";
	class[1] = (char)('0' + MIN(length, 99) / 10);
	class[2] = (char)('0' + MIN(length, 99) % 10);
	words_put(words, class, 3);
}

static void
put_long(struct words *words, const char *text, size_t length)
{
	const char class[] = {
	    '~', text[0] & 0x80 ? '~' : text[0], (char)('0' + MIN(length / 10, 9))};
	words_put(words, class, sizeof class);
}

/* One word in its final case, without joiners at its ends. */
static void
put_word(struct words *words, const char *text, size_t length, unsigned flags)
{
	if (length == 1 && !(flags & HIGH)) {
		if ((flags & ALPHA) && words->letter_count < sizeof words->letters)
			words->letters[words->letter_count++] = text[0];
		return;
	}
	end_letters(words);
	if (!(flags & ALPHA)) {
		if (!words->no_ids)
			put_number(words, text, length, flags);
		return;
	}
	if (words->no_ids && (length >= ID_LONG || (length >= ID_MIN && (flags & DIGIT))))
		return;
	if (length > TOKENS_WORD_MAX) {
		put_long(words, text, length);
		words->previous_length = 0;
		return;
	}
	words_put(words, text, length);
	if (words->options->pairs && !words->no_ids)
		put_pair(words, text, length);
}

/* What is too long with its joiners is cut at them. */
static void
put_joined(struct words *words, const char *text, size_t length, unsigned flags)
{
	if (length <= TOKENS_WORD_MAX || !(flags & JOIN)) {
		put_word(words, text, length, flags);
		return;
	}
	for (size_t i = 0; i < length;) {
		size_t start = i;
		unsigned own = 0;
		while (i < length && !(class_of(text[i]) & JOIN))
			own |= class_of(text[i++]);
		if (i > start)
			put_word(words, text + start, i - start, own);
		i += i < length;
	}
}

/* A run of ASCII, of which only the case may have to change. */
static void
put_ascii(struct words *words, const char *text, size_t length, unsigned flags)
{
	char lower[256];
	if (!(flags & UPPER) || words->options->keep_case) {
		put_joined(words, text, length, flags);
		return;
	}
	length = MIN(length, sizeof lower);
	for (size_t i = 0; i < length; i++)
		lower[i] = class_of(text[i]) & UPPER ? (char)(text[i] | 0x20) : text[i];
	put_joined(words, lower, length, flags);
}

/* Whether the character at TEXT goes on with a word: a joiner does if a word character follows. */
static bool
is_part(const char *text, const char *end)
{
	uint8_t class = class_of(*text);
	return class & WORD || (class & JOIN && text + 1 < end && class_of(text[1]) & WORD);
}

struct unspaced_run {
	const char *previous; /* the character before, if it was of the same run */
	size_t previous_length;
	bool paired; /* it has been put out as part of a pair */
};

static void
end_run(struct words *words, struct unspaced_run *run)
{
	if (run->previous && !run->paired)
		words_put(words, run->previous, run->previous_length);
	*run = (struct unspaced_run){NULL, 0, false};
}

static void
continue_run(struct words *words, struct unspaced_run *run, const char *text, size_t length)
{
	if (run->previous)
		words_put(words, run->previous, run->previous_length + length);
	run->paired = run->previous;
	run->previous = text;
	run->previous_length = length;
}

/* The words of folded text: every character beyond ASCII is part of one. */
static void
read_folded(struct words *words, const char *text, size_t length)
{
	const char *end = text + length, *start = NULL;
	struct unspaced_run run = {NULL, 0, false};
	unsigned flags = 0;
	while (text < end) {
		uint8_t class = class_of(*text);
		size_t size = (size_t)(g_utf8_next_char(text) - text);
		bool unspaced = (class & HIGH) && text_is_unspaced(g_utf8_get_char(text));
		bool part = !unspaced && (start ? is_part(text, end) : class & WORD);
		if (start && !part) {
			put_joined(words, start, (size_t)(text - start), flags);
			start = NULL;
		}
		if (part && !start) {
			start = text;
			flags = 0;
		}
		flags |= class;
		if (unspaced)
			continue_run(words, &run, text, size);
		else
			end_run(words, &run);
		text += size;
	}
	if (start)
		put_joined(words, start, (size_t)(end - start), flags);
	end_run(words, &run);
}

static void
read_beyond_ascii(struct words *words, const char *text, size_t length)
{
	g_string_truncate(words->folded, 0);
	words->tricks |=
	    text_fold(text, length, words->options->keep_case ? 0 : TEXT_FOLD_CASE, words->folded);
	end_letters(words);
	words->previous_length = 0;
	read_folded(words, words->folded->str, words->folded->len);
}

/* "free!" besides "free". */
static void
put_exclaimed(struct words *words, const char *text, size_t length, unsigned flags)
{
	char word[TOKENS_WORD_MAX + 1];
	if (length >= TOKENS_WORD_MAX || length < 2 || !(flags & ALPHA) || words->no_ids)
		return;
	for (size_t i = 0; i < length; i++)
		word[i] = words->options->keep_case ? text[i] : g_ascii_tolower(text[i]);
	word[length] = '!';
	words_put(words, word, length + 1);
}

static bool
is_url(const char *text, size_t length, const char *end)
{
	return end - text > (ptrdiff_t)length + 3 && !memcmp(text + length, "://", 3) &&
	       ((length == 4 && !g_ascii_strncasecmp(text, "http", 4)) ||
		   (length == 5 && !g_ascii_strncasecmp(text, "https", 5)) ||
		   (length == 3 && !g_ascii_strncasecmp(text, "ftp", 3)));
}

/* A sum of money; "$" has been seen. Returns its end. */
static const char *
read_amount(struct words *words, const char *text, const char *end)
{
	const char *p = text + 1;
	while (p < end && (g_ascii_isdigit(*p) ||
			      ((*p == ',' || *p == '.') && p + 1 < end && g_ascii_isdigit(p[1]))))
		p++;
	if (p > text + 1 && p - text <= TOKENS_WORD_MAX)
		words_put(words, text, (size_t)(p - text));
	return p;
}

void
words_read(struct words *words, const char *text, size_t length)
{
	const char *end = text + length;
	while (text < end) {
		if (!(class_of(*text) & WORD)) {
			text = *text == '$' ? read_amount(words, text, end) : text + 1;
			continue;
		}
		const char *start = text;
		unsigned flags = 0;
		for (; text < end && is_part(text, end); text++)
			flags |= class_of(*text);
		size_t run = (size_t)(text - start);
		if (flags & HIGH) {
			read_beyond_ascii(words, start, run);
		} else if (words->on_url && text < end && *text == ':' && is_url(start, run, end)) {
			text = start + words->on_url(words, start, (size_t)(end - start));
		} else {
			put_ascii(words, start, run, flags);
			if (text < end && *text == '!')
				put_exclaimed(words, start, run, flags);
		}
	}
	end_letters(words);
}

void
words_put_host(struct words *words, const char *host, size_t length, bool mask)
{
	char name[HOST_MAX];
	size_t used = 0;
	while (length && host[length - 1] == '.')
		length--;
	if (length > HOST_MAX) { /* the end of a name says more */
		host += length - HOST_MAX;
		length = HOST_MAX;
	}
	for (size_t i = 0; i < length; i++) {
		if (mask && g_ascii_isdigit(host[i])) {
			if (!used || name[used - 1] != '#')
				name[used++] = '#';
			continue;
		}
		name[used++] = host[i] & 0x80 ? '_' : g_ascii_tolower(host[i]);
	}
	words_put(words, name, used);
	const char *dot = name + used;
	for (int domains = 0; domains < DOMAINS_MAX; domains++) {
		const char *last = g_strrstr_len(name, dot - name, ".");
		if (!last)
			break;
		if (domains)
			words_put(words, last + 1, (size_t)(name + used - last - 1));
		dot = last;
	}
}

bool
words_put_ip(struct words *words, const char *text, size_t length)
{
	unsigned dots = 0, digits = 0, colons = 0;
	size_t ends[4] = {0};
	for (size_t i = 0; i < length; i++) {
		if (g_ascii_isdigit(text[i]) && (colons || ++digits <= 3))
			continue;
		if (text[i] == '.' && digits && dots < 3) {
			ends[dots++] = i;
			digits = 0;
			continue;
		}
		if (text[i] == ':' && !dots) {
			if (colons < 4)
				ends[colons] = i;
			colons++;
			digits = 0;
			continue;
		}
		if (!dots && g_ascii_isxdigit(text[i]))
			continue;
		return false;
	}
	bool four = dots == 3 && digits && !colons;
	if (!four && colons < 2)
		return false;
	words_put_at(words, "ip:", text, length);
	words_put_at(words, "ip:", text, ends[four ? 2 : MIN(colons, 4) - 1]);
	words_put_at(words, "ip:", text, ends[1]);
	return true;
}
