#include "config.h"

#include "classifier/mail/charset.h"

#include <errno.h>
#include <string.h>

enum charset_kind {
	CHARSET_WINDOWS_1252, /* or close enough to it */
	CHARSET_UTF8,         /* or ASCII */
	CHARSET_SINGLE,       /* ASCII and one byte beyond; by iconv */
	CHARSET_MULTI,        /* ASCII and several bytes beyond; by iconv */
	CHARSET_STATEFUL,     /* ASCII bytes mean something else; by iconv */
};

struct charset {
	const char *name; /* "*" at the end is any rest */
	enum charset_kind kind;
	const char *iconv; /* what iconv calls the larger set that contains it; NULL: NAME */
};

static const struct charset charsets[] = {
    {"utf-8", CHARSET_UTF8, NULL},
    {"us-ascii", CHARSET_UTF8, NULL},
    {"iso-8859-1", CHARSET_WINDOWS_1252, NULL},
    {"windows-1252", CHARSET_WINDOWS_1252, NULL},
    {"", CHARSET_UTF8, NULL},
    {"ascii", CHARSET_UTF8, NULL},
    {"utf8", CHARSET_UTF8, NULL},
    {"ansi_x3*", CHARSET_UTF8, NULL},
    {"latin1", CHARSET_WINDOWS_1252, NULL},
    {"cp1252", CHARSET_WINDOWS_1252, NULL},
    {"gb2312*", CHARSET_MULTI, "gb18030"},
    {"gbk", CHARSET_MULTI, "gb18030"},
    {"gb_*", CHARSET_MULTI, "gb18030"},
    {"cp936", CHARSET_MULTI, "gb18030"},
    {"x-gbk", CHARSET_MULTI, "gb18030"},
    {"gb18030", CHARSET_MULTI, "gb18030"},
    {"big5*", CHARSET_MULTI, "big5-hkscs"},
    {"euc-kr", CHARSET_MULTI, "cp949"},
    {"ks_c_5601*", CHARSET_MULTI, "cp949"},
    {"ksc5601*", CHARSET_MULTI, "cp949"},
    {"shift*jis", CHARSET_MULTI, "cp932"},
    {"shift_jis", CHARSET_MULTI, "cp932"},
    {"x-sjis", CHARSET_MULTI, "cp932"},
    {"euc-*", CHARSET_MULTI, NULL},
    {"iso-2022-jp*", CHARSET_STATEFUL, "iso-2022-jp-3"},
    {"iso-2022-*", CHARSET_STATEFUL, NULL},
    {"hz*", CHARSET_STATEFUL, NULL},
    {"utf-7*", CHARSET_STATEFUL, "utf-7"},
    {"unicode-1-1-utf-7", CHARSET_STATEFUL, "utf-7"},
    {"utf-16*", CHARSET_STATEFUL, NULL},
    {"utf-32*", CHARSET_STATEFUL, NULL},
    {"ucs-*", CHARSET_STATEFUL, NULL},
    {"iso-8859-8-i", CHARSET_SINGLE, "windows-1255"},
    {"iso-8859-9", CHARSET_SINGLE, "windows-1254"},
    {"iso-8859-11", CHARSET_SINGLE, "windows-874"},
    {"tis-620", CHARSET_SINGLE, "windows-874"},
};

/* windows-1252 from 0x80 to 0x9f; what is not assigned is the control character. */
static const uint16_t windows_1252[32] = {0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020,
    0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d, 0x8f, 0x90, 0x2018, 0x2019, 0x201c,
    0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178};

static const struct charset *
find_charset(const char *name, struct charset *unknown)
{
	for (size_t i = 0; i < G_N_ELEMENTS(charsets); i++) {
		const char *star = strchr(charsets[i].name, '*');
		if (star ? !strncmp(name, charsets[i].name, (size_t)(star - charsets[i].name))
			 : !strcmp(name, charsets[i].name))
			return &charsets[i];
	}
	*unknown = (struct charset){name, CHARSET_SINGLE, NULL};
	return unknown;
}

static size_t
ascii_length(const uint8_t *bytes, size_t length)
{
	size_t i = 0;
	for (; i + 8 <= length; i += 8) {
		uint64_t eight;
		memcpy(&eight, bytes + i, sizeof eight);
		if (eight & G_GUINT64_CONSTANT(0x8080808080808080))
			break;
	}
	while (i < length && bytes[i] < 0x80)
		i++;
	return i;
}

static void
append_windows_1252(uint8_t byte, GString *out)
{
	gunichar character = byte < 0x80 || byte >= 0xa0 ? byte : windows_1252[byte - 0x80];
	g_string_append_unichar(out, character);
}

static void
append_single_bytes(const uint8_t *bytes, size_t length, GString *out)
{
	while (length) {
		size_t ascii = ascii_length(bytes, length);
		g_string_append_len(out, (const char *)bytes, (gssize)ascii);
		bytes += ascii;
		length -= ascii;
		for (; length && *bytes >= 0x80; bytes++, length--)
			append_windows_1252(*bytes, out);
	}
}

/* The length of the valid UTF-8 (with NUL) at BYTES. */
static size_t
utf8_length(const uint8_t *bytes, size_t length)
{
	size_t valid = 0;
	for (;;) {
		const char *end;
		bool all = g_utf8_validate_len((const char *)bytes + valid, length - valid, &end);
		valid = (size_t)((const uint8_t *)end - bytes);
		if (all || valid == length || bytes[valid])
			return valid;
		valid++; /* a NUL is no reason to doubt the rest */
	}
}

/* A character of UTF-8 of which the end has cut something, but left more than a byte. */
static bool
is_unfinished_utf8(const uint8_t *bytes, size_t length)
{
	size_t wanted = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
	if (bytes[0] < 0xc2 || bytes[0] > 0xf4 || length < 2 || length >= wanted)
		return false;
	for (size_t i = 1; i < length; i++)
		if ((bytes[i] & 0xc0) != 0x80)
			return false;
	return true;
}

/* UTF-8 with single bytes that do not belong to it. */
static void
append_mended_utf8(const uint8_t *bytes, size_t length, GString *out)
{
	while (length) {
		size_t valid = utf8_length(bytes, length);
		g_string_append_len(out, (const char *)bytes, (gssize)valid);
		bytes += valid;
		length -= valid;
		if (!length || is_unfinished_utf8(bytes, length))
			break;
		append_windows_1252(*bytes++, out);
		length--;
	}
}

/* Chinese without a declaration: high bytes come in pairs, in the rows of common characters. */
static bool
looks_gb(const uint8_t *bytes, size_t length)
{
	size_t pairs = 0, odd = 0, rare = 0;
	for (size_t i = 0; i < length; i++) {
		size_t start = i;
		while (i < length && bytes[i] >= 0xa1 && bytes[i] < 0xff)
			i++;
		for (size_t k = start; k + 1 < i; k += 2, pairs++)
			rare += bytes[k] > 0xd7 || (bytes[k] > 0xa3 && bytes[k] < 0xb0);
		odd += (i - start) % 2;
		odd += i < length && bytes[i] >= 0x80;
	}
	return pairs >= 4 && odd * 20 <= pairs && rare * 5 <= pairs;
}

/* By iconv; false, with nothing appended, if the charset is unknown or does not fit. */
static bool
append_converted(const uint8_t *bytes, size_t length, const char *charset, size_t max_errors,
    GString *out, bool *ret_repaired)
{
	GIConv converter = g_iconv_open("UTF-8", charset);
	if (converter == (GIConv)-1)
		return false;
	size_t start = out->len, errors = 0, left = length;
	char *in = (char *)bytes;
	while (left) {
		size_t used = out->len, room = left * 3 + 16;
		g_string_set_size(out, used + room);
		char *to = out->str + used;
		size_t done = g_iconv(converter, &in, &left, &to, &room);
		int error = errno;
		g_string_truncate(out, (size_t)(to - out->str));
		if (done != (size_t)-1)
			break;
		if (error == E2BIG)
			continue;
		if (error == EINVAL) { /* the end lies within a character */
			*ret_repaired = true;
			break;
		}
		g_string_append(out, "\357\277\275");
		in++;
		left--;
		if (++errors > max_errors)
			break;
	}
	g_iconv_close(converter);
	if (errors > max_errors)
		g_string_truncate(out, start);
	*ret_repaired = *ret_repaired || errors;
	return errors <= max_errors;
}

static void
append_undeclared(const uint8_t *bytes, size_t length, GString *out)
{
	bool repaired = false;
	if (!looks_gb(bytes, length) ||
	    !append_converted(bytes, length, "gb18030", length / 50, out, &repaired))
		append_mended_utf8(bytes, length, out);
}

/* More than are valid UTF-8 by chance. */
static bool
has_many_high(const uint8_t *bytes, size_t length)
{
	size_t high = 0;
	for (size_t i = 0; i < length && high <= 8; i++)
		high += bytes[i] >= 0x80;
	return high > 8;
}

/* Returns whether the bytes did not fit. */
static bool
append_decoded(const uint8_t *bytes, size_t length, const char *name, GString *out)
{
	struct charset unknown;
	const struct charset *charset = find_charset(name, &unknown);
	const char *iconv_name = charset->iconv ? charset->iconv : name;
	bool repaired = false;
	if (charset->kind == CHARSET_STATEFUL &&
	    append_converted(bytes, length, iconv_name, length / 10 + 2, out, &repaired))
		return repaired;
	size_t ascii = ascii_length(bytes, length);
	if (ascii == length) {
		g_string_append_len(out, (const char *)bytes, (gssize)length);
		return false;
	}
	bool utf8 = ascii + utf8_length(bytes + ascii, length - ascii) == length;
	bool chance =
	    charset->kind == CHARSET_MULTI && !has_many_high(bytes + ascii, length - ascii);
	if (utf8 && !chance) {
		g_string_append_len(out, (const char *)bytes, (gssize)length);
		return charset->kind != CHARSET_UTF8;
	}
	if (charset->kind == CHARSET_WINDOWS_1252) {
		append_single_bytes(bytes, length, out);
		return false;
	}
	if (charset->kind != CHARSET_UTF8 &&
	    append_converted(bytes, length, iconv_name, length / 10 + 2, out, &repaired))
		return repaired;
	append_undeclared(bytes, length, out);
	return true;
}

/* CR out, NUL to a space, in what OUT has from START on. */
static void
clean(GString *out, size_t start)
{
	char *from = out->str + start, *end = out->str + out->len;
	if (memchr(from, '\0', (size_t)(end - from)))
		for (char *p = from; p < end; p++)
			if (!*p)
				*p = ' ';
	char *to = memchr(from, '\r', (size_t)(end - from));
	if (!to)
		return;
	for (from = to; from < end; from++)
		if (*from != '\r')
			*to++ = *from;
	g_string_truncate(out, (size_t)(to - out->str));
}

bool
charset_decode(const uint8_t *bytes, size_t length, const char *charset, GString *out)
{
	size_t start = out->len;
	bool repaired = append_decoded(bytes, length, charset ? charset : "", out);
	clean(out, start);
	return repaired;
}
