#include "config.h"

#include "policyd/decide/envelope.h"

#include <string.h>
#include <glib.h>

/* RFC 1035, section 2.3.4; a longer one is no domain and cut. */
#define DOMAIN_MAX 255

/* An address in the making. DOMAIN is the offset past the last '@', or LENGTH + 1 if there is
 * none, so that the local part always ends at DOMAIN - 1. */
struct envelope {
	char text[ENVELOPE_ADDRESS_SIZE];
	size_t length;
	size_t domain;
};

static size_t
local_length(const struct envelope *envelope)
{
	return envelope->domain - 1;
}

static bool
has_domain(const struct envelope *envelope)
{
	return envelope->domain <= envelope->length;
}

static bool
is_alnum(char byte)
{
	return g_ascii_isalnum(byte);
}

static void
find_domain(struct envelope *envelope)
{
	const char *at = memrchr(envelope->text, '@', envelope->length);

	envelope->domain = at ? (size_t)(at - envelope->text) + 1 : envelope->length + 1;
}

/* Removes COUNT bytes at OFFSET of the local part. */
static void
cut(struct envelope *envelope, size_t offset, size_t count)
{
	memmove(envelope->text + offset, envelope->text + offset + count,
	    envelope->length - offset - count);
	envelope->length -= count;
	envelope->domain -= count;
}

static void
copy_lower(char *to, const char *from, size_t length)
{
	for (size_t i = 0; i < length; i++)
		to[i] = g_ascii_tolower(from[i]);
}

/* Takes what has room: the domain, then as much of the local part as fits beside it. */
static void
envelope_take(struct envelope *envelope, const char *address, size_t length)
{
	const char *nul = memchr(address, '\0', length);
	const char *at;
	size_t local, domain = 0;

	if (nul)
		length = (size_t)(nul - address);
	at = memrchr(address, '@', length);
	local = at ? (size_t)(at - address) : length;
	if (at)
		domain = MIN(length - local - 1, (size_t)DOMAIN_MAX) + 1;
	envelope->length = MIN(local, ENVELOPE_ADDRESS_SIZE - 1 - domain);
	copy_lower(envelope->text, address, envelope->length);
	if (at)
		copy_lower(envelope->text + envelope->length, at, domain);
	envelope->length += domain;
	find_domain(envelope);
}

static size_t
envelope_give(const struct envelope *envelope, char ret_address[ENVELOPE_ADDRESS_SIZE])
{
	memcpy(ret_address, envelope->text, envelope->length);
	ret_address[envelope->length] = '\0';
	return envelope->length;
}

static bool
drop_brackets(struct envelope *envelope)
{
	if (envelope->length < 2 || envelope->text[0] != '<' ||
	    envelope->text[envelope->length - 1] != '>')
		return false;
	envelope->length -= 2;
	memmove(envelope->text, envelope->text + 1, envelope->length);
	find_domain(envelope);
	return true;
}

static bool
drop_final_dots(struct envelope *envelope)
{
	size_t before = envelope->length;

	if (!has_domain(envelope))
		return false;
	while (envelope->length > envelope->domain && envelope->text[envelope->length - 1] == '.')
		envelope->length--;
	return envelope->length != before;
}

static bool
drop_extension(struct envelope *envelope)
{
	size_t local = local_length(envelope);
	const char *plus = memchr(envelope->text, '+', local);

	if (!plus || plus == envelope->text)
		return false;
	cut(envelope, (size_t)(plus - envelope->text), local - (size_t)(plus - envelope->text));
	return true;
}

/* A name with a dot inside. '#' is what digits have become. */
static bool
is_domain(const char *text, size_t length)
{
	bool dot = false;

	if (length < 3 || text[0] == '.' || text[length - 1] == '.')
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '.')
			dot = true;
		else if (!is_alnum(text[i]) && text[i] != '-' && text[i] != '_' && text[i] != '#')
			return false;
	}
	return dot;
}

/* The field that ends at the next '=': moves *TEXT past it; its length, 0 if there is none. */
static size_t
next_field(const char **text, const char *end)
{
	const char *equals = memchr(*text, '=', (size_t)(end - *text));
	size_t length = equals ? (size_t)(equals - *text) : 0;

	if (length > 0)
		*text = equals + 1;
	return length;
}

static bool
is_srs_separator(const char *text, const char *end)
{
	return text < end && (*text == '=' || *text == '-' || *text == '+');
}

/* Writes local@domain over the whole address. The parts lie in the address and are shorter. */
static void
become(struct envelope *envelope, const char *local, size_t local_size, const char *domain,
    size_t domain_size)
{
	char text[ENVELOPE_ADDRESS_SIZE];

	memcpy(text, local, local_size);
	text[local_size] = '@';
	memcpy(text + local_size + 1, domain, domain_size);
	envelope->length = local_size + 1 + domain_size;
	memcpy(envelope->text, text, envelope->length);
	find_domain(envelope);
}

/* hash=tt=domain=local, and for SRS1 hash=relay= and a separator before that. */
static bool
undo_srs(struct envelope *envelope)
{
	const char *text = envelope->text, *end = text + local_length(envelope), *domain;
	size_t domain_size;
	bool twice;

	if (end - text < 5 || memcmp(text, "srs", 3) != 0 || (text[3] != '0' && text[3] != '1'))
		return false;
	twice = text[3] == '1';
	text += 4;
	if (!is_srs_separator(text++, end))
		return false;
	if (twice) {
		if (!next_field(&text, end) || !next_field(&text, end) ||
		    !is_srs_separator(text++, end))
			return false;
	}
	if (!next_field(&text, end) || !next_field(&text, end))
		return false;
	domain = text;
	domain_size = next_field(&text, end);
	if (!is_domain(domain, domain_size) || text == end)
		return false;
	become(envelope, text, (size_t)(end - text), domain, domain_size);
	return true;
}

/* A BATV tag: a key digit, three digits for the day, six hex digits of a hash. */
static bool
is_batv_tag(const char *text, size_t length)
{
	if (length != 10)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (i < 4 ? !g_ascii_isdigit(text[i]) : !g_ascii_isxdigit(text[i]))
			return false;
	}
	return true;
}

static bool
undo_batv(struct envelope *envelope)
{
	static const struct {
		const char *start, *separator;
	} forms[] = {{"prvs=", "="}, {"msprvs1=", "="}, {"btv1==", "=="}};
	size_t local = local_length(envelope);

	for (size_t i = 0; i < G_N_ELEMENTS(forms); i++) {
		size_t start = strlen(forms[i].start), width = strlen(forms[i].separator);
		const char *tag = envelope->text + start, *second;
		size_t first_length, second_length;

		if (local <= start || memcmp(envelope->text, forms[i].start, start) != 0)
			continue;
		second = memmem(tag, local - start, forms[i].separator, width);
		if (!second || second == tag || (size_t)(second - tag) + start + width == local)
			return false;
		first_length = (size_t)(second - tag);
		second += width;
		second_length = local - (size_t)(second - envelope->text);
		if (is_batv_tag(second, second_length) && !is_batv_tag(tag, first_length)) {
			cut(envelope, start + first_length, width + second_length);
			cut(envelope, 0, start);
		} else {
			cut(envelope, 0, start + first_length + width);
		}
		return true;
	}
	return false;
}

/* local-user=other.domain: what comes before the last '-' or '=' ahead of user=... stays. */
static bool
undo_verp(struct envelope *envelope)
{
	size_t local = local_length(envelope), equals, start;
	const char *last = memrchr(envelope->text, '=', local);

	if (!last || !is_domain(last + 1, local - (size_t)(last - envelope->text) - 1))
		return false;
	equals = (size_t)(last - envelope->text);
	for (start = equals; start > 0; start--) {
		if (envelope->text[start - 1] == '-' || envelope->text[start - 1] == '=')
			break;
	}
	if (start < 2 || start == equals)
		return false;
	cut(envelope, start - 1, local - (start - 1));
	return true;
}

struct word {
	size_t length, digits, digit_runs;
	bool hex;
};

static struct word
measure_word(const char *text, size_t length)
{
	struct word word = {.length = length, .hex = true};

	for (size_t i = 0; i < length; i++) {
		if (g_ascii_isdigit(text[i])) {
			word.digits++;
			word.digit_runs += i == 0 || !g_ascii_isdigit(text[i - 1]);
		}
		word.hex = word.hex && g_ascii_isxdigit(text[i]);
	}
	return word;
}

/* Whether a word is a number or a token, not a name with a number: see the header. */
static bool
is_token(const struct word *word)
{
	static const struct {
		bool hex;
		size_t length, digit_runs;
	} kinds[] = {{true, 8, 2}, {true, 16, 1}, {false, 10, 3}};

	if (word->length > 0 && word->digits == word->length)
		return true;
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (word->hex >= kinds[i].hex && word->length >= kinds[i].length &&
		    word->digit_runs >= kinds[i].digit_runs)
			return true;
	}
	return false;
}

static bool
is_word_byte(char byte)
{
	return is_alnum(byte) || (unsigned char)byte >= 0x80;
}

static bool
replace_tokens(struct envelope *envelope)
{
	size_t from = 0, to = 0, local = local_length(envelope), tail = envelope->length - local;
	bool changed = false;

	while (from < local) {
		size_t length = 0;
		while (from + length < local && is_word_byte(envelope->text[from + length]))
			length++;
		struct word word = measure_word(envelope->text + from, length);
		if (is_token(&word)) {
			envelope->text[to++] = '#';
			changed = true;
		} else {
			memmove(envelope->text + to, envelope->text + from, length);
			to += length;
		}
		from += length;
		if (from < local)
			envelope->text[to++] = envelope->text[from++];
	}
	memmove(envelope->text + to, envelope->text + local, tail);
	envelope->length = to + tail;
	envelope->domain = to + 1;
	return changed;
}

/* The length of the group at the start of TEXT: '#', or just WIDTH hex digits; 0 if neither. */
static size_t
uuid_group(const char *text, size_t length, size_t width)
{
	size_t digits = 0;

	if (length > 0 && text[0] == '#')
		return 1;
	while (digits < length && g_ascii_isxdigit(text[digits]))
		digits++;
	return digits == width ? width : 0;
}

/* The length of the UUID at the start of TEXT, some of its groups perhaps '#' already. */
static size_t
uuid_length(const char *text, size_t length)
{
	static const size_t widths[] = {8, 4, 4, 4, 12};
	size_t used = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(widths); i++) {
		size_t group;
		if (i > 0 && (used == length || text[used++] != '-'))
			return 0;
		group = uuid_group(text + used, length - used, widths[i]);
		if (group == 0)
			return 0;
		used += group;
	}
	return used < length && is_word_byte(text[used]) ? 0 : used;
}

/* The groups of a UUID, most too short to be tokens by themselves, all become '#'. */
static bool
replace_uuids(struct envelope *envelope)
{
	static const char replacement[] = "#-#-#-#-#";
	size_t size = sizeof replacement - 1, local = local_length(envelope);

	for (size_t i = 0; i + size < local; i++) {
		size_t length = 0;
		if (i == 0 || !is_word_byte(envelope->text[i - 1]))
			length = uuid_length(envelope->text + i, local - i);
		if (length <= size)
			continue;
		memcpy(envelope->text + i, replacement, size);
		cut(envelope, i + size, length - size);
		return true;
	}
	return false;
}

/* Each step takes away bytes or turns digits and letters into '#', so that this ends. */
static bool
normalise_local(struct envelope *envelope)
{
	static bool (*const steps[])(struct envelope *) = {
	    undo_srs, undo_batv, drop_extension, undo_verp, replace_tokens, replace_uuids};
	bool changed = false;

	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
		if (!has_domain(envelope) || envelope->text[0] == '"')
			break;
		changed |= steps[i](envelope);
	}
	return changed;
}

size_t
envelope_sender(const char *sender, size_t length, char ret_address[ENVELOPE_ADDRESS_SIZE])
{
	struct envelope envelope;
	bool changed;

	envelope_take(&envelope, sender, length);
	do {
		changed = drop_brackets(&envelope);
		changed |= drop_final_dots(&envelope);
		changed |= normalise_local(&envelope);
	} while (changed);
	return envelope_give(&envelope, ret_address);
}

size_t
envelope_recipient(const char *recipient, size_t length, char ret_address[ENVELOPE_ADDRESS_SIZE])
{
	struct envelope envelope;
	bool changed;

	envelope_take(&envelope, recipient, length);
	do {
		changed = drop_brackets(&envelope);
		changed |= drop_final_dots(&envelope);
		if (has_domain(&envelope) && envelope.text[0] != '"')
			changed |= drop_extension(&envelope);
	} while (changed);
	return envelope_give(&envelope, ret_address);
}

const char *
envelope_domain(const char *address)
{
	const char *at = strrchr(address, '@');

	return at ? at + 1 : "";
}

bool
envelope_looks_like_domain(const char *text)
{
	bool dot = false;

	for (const char *p = text; *p; p++) {
		if (!g_ascii_isalnum(*p) && !strchr("-._", *p))
			return false;
		dot |= *p == '.';
	}
	return dot && text[0] != '.' && strlen(text) < 254;
}
