#include "config.h"

#include "lib/clientname.h"

#include <stdio.h>
#include <string.h>
#include <glib.h>
#include <libpsl.h>

#include "lib/library.h"

/* RFC 1035: the longest name, without its final dot. */
#define NAME_MAX_LENGTH 253
/* More numbers than this in a name are not looked at. */
#define NUMBERS_MAX 32

/* Loaded with the first list: a program that needs it for one message in a hundred is faster. */
struct psl {
	__typeof__(&psl_latest) latest;
	__typeof__(&psl_builtin) builtin;
	__typeof__(&psl_free) free;
	__typeof__(&psl_registrable_domain) registrable_domain;
};

static struct psl psl_functions;

static const struct library_symbol psl_symbols[] = {
    LIBRARY_SYMBOL("psl_latest", psl_functions.latest),
    LIBRARY_SYMBOL("psl_builtin", psl_functions.builtin),
    LIBRARY_SYMBOL("psl_free", psl_functions.free),
    LIBRARY_SYMBOL("psl_registrable_domain", psl_functions.registrable_domain),
};

static struct library psl_library = {
    .file = "libpsl.so.5",
    .lacking = "the Public Suffix List cannot be read",
    .symbols = psl_symbols,
    .count = G_N_ELEMENTS(psl_symbols),
};

struct suffix_list {
	psl_ctx_t *psl;
};

/* A name in lower case, without its final dot. HOST is how many bytes lie before the
 * organisational domain, that one's dot included; all of them if there is no such domain. */
struct client_name {
	char text[CLIENTNAME_SIZE];
	size_t length, host;
	const char *domain; /* in TEXT, or NULL */
};

struct suffix_list *
suffix_list_load(GError **error)
{
	struct suffix_list *list;

	if (!library_load(&psl_library, error))
		return NULL;
	list = g_new(struct suffix_list, 1);
	list->psl = psl_functions.latest(NULL);
	return list;
}

void
suffix_list_free(struct suffix_list *list)
{
	if (!list)
		return;
	psl_functions.free(list->psl);
	g_free(list);
}

/* Letters, digits, - and _ in labels of 1 to 63, at least two of them, the last not a number: an
 * IPv4 address is no name. */
static bool
is_host_name(const char *text, size_t length)
{
	size_t label = 0, dots = 0;
	bool letter = false;

	for (size_t i = 0; i < length; i++) {
		if (text[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
			letter = false;
			dots++;
			continue;
		}
		if (!g_ascii_isalnum(text[i]) && text[i] != '-' && text[i] != '_')
			return false;
		letter |= g_ascii_isalpha(text[i]);
		if (++label > 63)
			return false;
	}
	return dots > 0 && label > 0 && letter;
}

static bool
name_take(const char *text, struct client_name *ret_name)
{
	size_t length = strnlen(text, NAME_MAX_LENGTH + 2);

	if (length > 0 && text[length - 1] == '.')
		length--;
	if (length > NAME_MAX_LENGTH || !is_host_name(text, length))
		return false;
	for (size_t i = 0; i < length; i++)
		ret_name->text[i] = g_ascii_tolower(text[i]);
	ret_name->text[length] = '\0';
	ret_name->length = length;
	return true;
}

static void
name_split(const struct suffix_list *list, struct client_name *name)
{
	const struct psl *library = &psl_functions;
	const psl_ctx_t *psl = list->psl ? list->psl : library->builtin();

	name->domain = psl ? library->registrable_domain(psl, name->text) : NULL;
	name->host = name->domain ? (size_t)(name->domain - name->text) : name->length;
}

struct number {
	size_t start, end;
	unsigned value;
};

/* The runs of decimal digits; those over three digits get a value that no octet has. */
static size_t
find_numbers(const char *text, size_t length, struct number ret_numbers[NUMBERS_MAX])
{
	size_t count = 0, i = 0;

	while (i < length && count < NUMBERS_MAX) {
		struct number number = {.start = i, .value = 0};
		if (!g_ascii_isdigit(text[i])) {
			i++;
			continue;
		}
		for (; i < length && g_ascii_isdigit(text[i]); i++)
			number.value = MIN(number.value * 10 + (unsigned)(text[i] - '0'), 1000U);
		number.end = i;
		if (number.end - number.start > 3)
			number.value = 1000;
		ret_numbers[count++] = number;
	}
	return count;
}

/* Whether COUNT numbers in a row are these octets, read forwards or backwards (STEP -1), with no
 * more than GAP bytes between two of them. */
static bool
numbers_are(const struct number *numbers, size_t count, const uint8_t *octets, int step, size_t gap)
{
	for (size_t i = 0; i < count; i++) {
		if (numbers[i].value != octets[step * (int)i])
			return false;
		if (i > 0 && numbers[i].start - numbers[i - 1].end > gap)
			return false;
	}
	return true;
}

/* The last COUNT octets of an IPv4 address, as numbers in either order. */
static bool
has_octets(const char *text, size_t length, const uint8_t bytes[4], size_t count, size_t gap)
{
	struct number numbers[NUMBERS_MAX];
	size_t found = find_numbers(text, length, numbers);

	for (size_t i = 0; i + count <= found; i++) {
		if (numbers_are(numbers + i, count, bytes + 4 - count, 1, gap) ||
		    numbers_are(numbers + i, count, bytes + 3, -1, gap))
			return true;
	}
	return false;
}

/* The four octets in three decimal digits each, joined, or in two hex digits, joined or not;
 * forwards and backwards. */
static bool
has_ipv4_padded(const char *text, size_t length, const uint8_t bytes[4])
{
	static const char *const separators[] = {"", "-", "."};
	char form[16];

	for (unsigned back = 0; back < 2; back++) {
		unsigned flip = back ? 3 : 0;
		uint8_t a = bytes[flip], b = bytes[1 ^ flip], c = bytes[2 ^ flip],
			d = bytes[3 ^ flip];
		snprintf(form, sizeof form, "%03u%03u%03u%03u", a, b, c, d);
		if (memmem(text, length, form, 12))
			return true;
		for (size_t i = 0; i < G_N_ELEMENTS(separators); i++) {
			const char *between = separators[i];
			int size = snprintf(form, sizeof form, "%02x%s%02x%s%02x%s%02x", a, between,
			    b, between, c, between, d);
			if (memmem(text, length, form, (size_t)size))
				return true;
		}
	}
	return false;
}

/* 93441254 for 93.44.1.254, as a number that stands for itself. */
static bool
has_ipv4_run_together(const char *text, size_t length, const uint8_t bytes[4])
{
	struct number numbers[NUMBERS_MAX];
	size_t found = find_numbers(text, length, numbers);
	char form[16];
	size_t size =
	    (size_t)snprintf(form, sizeof form, "%u%u%u%u", bytes[0], bytes[1], bytes[2], bytes[3]);

	for (size_t i = 0; size >= 7 && i < found; i++) {
		if (numbers[i].end - numbers[i].start == size &&
		    memcmp(text + numbers[i].start, form, size) == 0)
			return true;
	}
	return false;
}

static void
reverse_digits(const char *digits, char ret_reversed[32])
{
	for (size_t i = 0; i < 32; i++)
		ret_reversed[i] = digits[31 - i];
}

/* The nibbles of an IPv6 address, all or either half of them (a half of zeros says nothing), in
 * order or reversed, whatever stands between them. */
static bool
has_nibbles(const char *text, size_t length, const uint8_t bytes[16])
{
	char squeezed[CLIENTNAME_SIZE], digits[33], reversed[32];
	size_t size = 0;

	for (size_t i = 0; i < length; i++) {
		if (text[i] != '-' && text[i] != '.')
			squeezed[size++] = text[i];
	}
	for (size_t i = 0; i < 16; i++)
		snprintf(digits + 2 * i, 3, "%02x", bytes[i]);
	reverse_digits(digits, reversed);
	for (size_t half = 0; half < 2; half++) {
		unsigned used = 0;
		for (size_t i = 0; i < 8; i++)
			used += bytes[8 * half + i] != 0;
		if (used >= 4 && (memmem(squeezed, size, digits + 16 * half, 16) ||
				     memmem(squeezed, size, reversed + 16 * (1 - half), 16)))
			return true;
	}
	return memmem(squeezed, size, digits, 32) || memmem(squeezed, size, reversed, 32);
}

/* The groups as they are written, with - for the colons: 2001-db8-0-0-0-0-0-1, 2001-db8--1. */
static bool
has_ipv6_groups(const char *text, size_t length, const struct address *address)
{
	char form[ADDRESS_TEXT_SIZE];
	size_t size = 0;

	for (size_t i = 0; i < 16; i += 2)
		size += (size_t)snprintf(form + size, sizeof form - size, "%s%x", i ? "-" : "",
		    (unsigned)(address->bytes[i] << 8 | address->bytes[i + 1]));
	if (memmem(text, length, form, size))
		return true;
	address_format(address, form);
	size = strlen(form);
	g_strdelimit(form, ":", '-');
	/* "--1" of the loopback address stands in many an xn--1... */
	return size >= 6 && memmem(text, length, form, size) != NULL;
}

static bool
has_address(const char *text, size_t length, const struct address *address)
{
	if (address->family == ADDRESS_IPV4)
		return has_octets(text, length, address->bytes, 4, 4) ||
		       has_ipv4_padded(text, length, address->bytes) ||
		       has_ipv4_run_together(text, length, address->bytes);
	if (address->family == ADDRESS_IPV6)
		return has_nibbles(text, length, address->bytes) ||
		       has_ipv6_groups(text, length, address);
	return false;
}

/* Both sorted, for a binary search. */
static const char *const access_words[] = {"adsl", "broadband", "cable", "cablemodem", "catv",
    "client", "clients", "cpe", "cust", "customer", "customers", "dhcp", "dial", "dialin", "dialup",
    "dip", "dsl", "dyn", "dynamic", "dynip", "fiber", "fibre", "fttb", "fttc", "ftth", "gpon",
    "gprs", "home", "hsd", "hsia", "lte", "mobile", "modem", "pool", "pools", "ppp", "pppoe", "res",
    "residential", "resnet", "sdsl", "umts", "user", "users", "vdsl", "wifi", "wimax", "wireless",
    "wlan", "xdsl"};
static const char *const mail_words[] = {"bounce", "bounces", "email", "exchange", "exim", "imap",
    "mail", "mailer", "mailgate", "mailgw", "mailhost", "mailout", "mailrelay", "mails",
    "mailserver", "mout", "mta", "mx", "mxout", "news", "newsletter", "out", "outbound", "outgoing",
    "post", "postfix", "relay", "send", "sender", "smtp", "smtpout", "webmail"};

static bool
is_listed(const char *const words[], size_t count, const char *word, size_t length)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strncmp(word, words[middle], length);
		if (order == 0 && words[middle][length] == '\0')
			return true;
		if (order <= 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

/* Whether a run of letters in TEXT is one of the words. */
static bool
has_word(const char *text, size_t length, const char *const words[], size_t count)
{
	for (size_t i = 0; i < length;) {
		size_t size = 0;
		while (i + size < length && g_ascii_isalpha(text[i + size]))
			size++;
		if (size > 0 && is_listed(words, count, text + i, size))
			return true;
		i += size > 0 ? size : 1;
	}
	return false;
}

static bool
has_mail_word(const char *text, size_t length)
{
	return has_word(text, length, mail_words, G_N_ELEMENTS(mail_words));
}

static bool
name_looks_dynamic(const struct client_name *name, const struct address *address)
{
	size_t first = strcspn(name->text, ".");

	if (has_address(name->text, name->length, address))
		return true;
	if (address->family == ADDRESS_IPV4 &&
	    has_octets(name->text, name->host, address->bytes, 2, 1) &&
	    !has_mail_word(name->text, name->host))
		return true;
	return has_word(name->text, name->host, access_words, G_N_ELEMENTS(access_words)) &&
	       !has_mail_word(name->text, MIN(first, name->host));
}

bool
clientname_looks_dynamic(
    const struct suffix_list *list, const char *name, const struct address *address)
{
	struct client_name taken;

	if (!name_take(name, &taken))
		return false;
	name_split(list, &taken);
	return name_looks_dynamic(&taken, address);
}

bool
clientname_pool(const struct suffix_list *list, const char *name, const struct address *address,
    char ret_domain[CLIENTNAME_SIZE])
{
	struct client_name taken;

	ret_domain[0] = '\0';
	if (!name_take(name, &taken))
		return false;
	name_split(list, &taken);
	if (!taken.domain || name_looks_dynamic(&taken, address))
		return false;
	memcpy(ret_domain, taken.domain, taken.length - taken.host + 1);
	return true;
}

bool
clientname_domain(
    const struct suffix_list *list, const char *name, char ret_domain[CLIENTNAME_SIZE])
{
	struct client_name taken;

	ret_domain[0] = '\0';
	if (!name_take(name, &taken))
		return false;
	name_split(list, &taken);
	if (!taken.domain)
		return false;
	memcpy(ret_domain, taken.domain, taken.length - taken.host + 1);
	return true;
}

static bool
is_own_literal(const char *helo, size_t length, const struct address *address)
{
	char text[ADDRESS_TEXT_SIZE];
	struct address said;
	size_t start = 1;

	if (length > 5 && g_ascii_strncasecmp(helo + 1, "IPv6:", 5) == 0)
		start = 6;
	if (helo[length - 1] != ']' || length - 1 - start >= sizeof text)
		return false;
	memcpy(text, helo + start, length - 1 - start);
	text[length - 1 - start] = '\0';
	return address_parse(text, &said) && address_equal(&said, address);
}

bool
clientname_helo_fits(const char *helo, const char *name, const struct address *address)
{
	static const char *const private_ends[] = {
	    ".home", ".internal", ".invalid", ".lan", ".local", ".localdomain", ".localhost"};
	size_t length = strnlen(helo, NAME_MAX_LENGTH + 2);
	struct client_name said, own;

	if (length > 2 && helo[0] == '[')
		return is_own_literal(helo, length, address);
	if (!name_take(helo, &said))
		return false;
	if (name_take(name, &own) && strcmp(said.text, own.text) == 0)
		return true;
	for (size_t i = 0; i < G_N_ELEMENTS(private_ends); i++) {
		if (g_str_has_suffix(said.text, private_ends[i]))
			return false;
	}
	return true;
}
