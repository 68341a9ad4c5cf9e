#include "config.h"

#include "policyd/decide/selector.h"

#include <string.h>

#define HASH_PREFIX "hash:"

/* In words: what a text is, and what may be given. */
static const struct {
	enum selector_kind kind;
	const char *is, *allowed;
} kinds[] = {
    {SELECTOR_ADDRESS, "is an address", "an address like carol@bank.example"},
    {SELECTOR_LOCAL, "is an address without a domain", NULL},
    {SELECTOR_NULL, "is the null sender", "<> for the null sender"},
    {SELECTOR_HASH, "is the hash of an address", NULL},
    {SELECTOR_DOMAIN, "is a domain", "a domain like bank.example"},
    {SELECTOR_NETWORK, "is a client's address or a network",
	"a client's address like 192.0.2.7 or a network like 192.0.2.0/24"},
};

/* -- reading -- */

/* RFC 3696, section 2: no top-level domain is all digits, so that 192.0.2.300 is none. */
static bool
is_domain(const char *text)
{
	const char *top = strrchr(text, '.');

	return envelope_looks_like_domain(text) && !strstr(text, "..") && top[1] &&
	       strspn(top + 1, "0123456789") < strlen(top + 1);
}

static bool
read_domain(const char *text, struct selector *selector)
{
	g_autofree char *domain = g_ascii_strdown(text, -1);
	size_t length = strlen(domain);

	if (length && domain[length - 1] == '.')
		domain[length - 1] = '\0';
	if (!is_domain(domain))
		return false;
	selector->kind = SELECTOR_DOMAIN;
	for (int side = 0; side < SELECTOR_SIDES; side++)
		g_strlcpy(selector->text[side], domain, ENVELOPE_ADDRESS_SIZE);
	return true;
}

static bool
read_hash(const char *text, struct selector *selector)
{
	const char *digits = text + strlen(HASH_PREFIX);
	uint8_t hash[TRIPLET_ADDRESS_HASH_SIZE];

	if (strncmp(text, HASH_PREFIX, strlen(HASH_PREFIX)) != 0 ||
	    strlen(digits) != 2 * sizeof hash)
		return false;
	for (size_t i = 0; i < sizeof hash; i++) {
		int high = g_ascii_xdigit_value(digits[2 * i]);
		int low = g_ascii_xdigit_value(digits[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		hash[i] = (uint8_t)(high << 4 | low);
	}
	selector->kind = SELECTOR_HASH;
	for (int side = 0; side < SELECTOR_SIDES; side++)
		memcpy(selector->hash[side], hash, sizeof hash);
	return true;
}

static bool
read_address(const char *text, struct selector *selector)
{
	const char *sender = selector->text[SELECTOR_SENDER];

	envelope_sender(text, strlen(text), selector->text[SELECTOR_SENDER]);
	envelope_recipient(text, strlen(text), selector->text[SELECTOR_RECIPIENT]);
	if (!*sender)
		selector->kind = SELECTOR_NULL;
	else if (!strchr(sender, '@') && !sender[strcspn(sender, " ./:<>")])
		selector->kind = SELECTOR_LOCAL;
	else if (*sender != '@' && *envelope_domain(sender))
		selector->kind = SELECTOR_ADDRESS;
	return selector->kind != SELECTOR_NONE;
}

static bool
read_any(const char *text, struct selector *selector)
{
	/* "@bank.example", as people write a domain. */
	const char *plain = text + (*text == '@' && !strchr(text + 1, '@'));

	if (prefix_parse(text, &selector->network)) {
		selector->kind = SELECTOR_NETWORK;
		return true;
	}
	return read_hash(text, selector) || read_domain(plain, selector) ||
	       (plain == text && read_address(text, selector));
}

static void
append_allowed(GString *words, unsigned wanted)
{
	const char *last = NULL;
	unsigned n = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (!(kinds[i].kind & wanted) || !kinds[i].allowed)
			continue;
		if (last)
			g_string_append_printf(words, "%s%s", n++ ? ", " : "", last);
		last = kinds[i].allowed;
	}
	g_string_append_printf(words, "%s%s", n ? ", or " : "", last ? last : "");
}

bool
selector_parse(const char *text, unsigned wanted, struct selector *ret_selector, GError **error)
{
	struct selector selector = {.kind = SELECTOR_NONE};
	g_autoptr(GString) allowed = NULL;
	const char *is = "is no address, no domain and no network";

	if (read_any(text, &selector) && selector.kind & wanted) {
		*ret_selector = selector;
		return true;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (kinds[i].kind == selector.kind)
			is = kinds[i].is;
	allowed = g_string_new(NULL);
	append_allowed(allowed, wanted);
	g_set_error(
	    error, SELECTOR_ERROR, 0, "\"%s\" %s; what is taken here: %s", text, is, allowed->str);
	return false;
}

void
selector_set_key(struct selector *selector, const uint8_t hash_key[KEYEDHASH_KEY_SIZE])
{
	memcpy(selector->hash_key, hash_key, KEYEDHASH_KEY_SIZE);
	for (int side = 0; side < SELECTOR_SIDES && selector->kind != SELECTOR_HASH; side++)
		triplet_address_hash(hash_key, selector->text[side], selector->hash[side]);
}

/* -- matching -- */

/* Whether NAME is DOMAIN or lies below it. */
static bool
lies_in(const char *name, size_t length, const char *domain, size_t domain_length)
{
	return length >= domain_length &&
	       memcmp(name + length - domain_length, domain, domain_length) == 0 &&
	       (length == domain_length || name[length - domain_length - 1] == '.');
}

bool
selector_domain_has(const char *domain, const struct store_bytes *address)
{
	const char *text = address->data;
	const char *at = address->length ? memrchr(text, '@', address->length) : NULL;
	const char *name = at ? at + 1 : text;

	return address->length > 0 &&
	       lies_in(name, address->length - (size_t)(name - text), domain, strlen(domain));
}

static bool
same_hash(const struct selector *selector, enum selector_side side,
    const struct store_bytes *address, bool hashed)
{
	uint8_t hash[TRIPLET_ADDRESS_HASH_SIZE];
	g_autofree char *text = NULL;

	if (hashed)
		return address->length == sizeof hash &&
		       memcmp(address->data, selector->hash[side], sizeof hash) == 0;
	text = address->length ? g_strndup(address->data, address->length) : g_strdup("");
	triplet_address_hash(selector->hash_key, text, hash);
	return memcmp(hash, selector->hash[side], sizeof hash) == 0;
}

static bool
same_text(const char *text, const struct store_bytes *address)
{
	return address->length == strlen(text) &&
	       (address->length == 0 || memcmp(address->data, text, address->length) == 0);
}

enum selector_match
selector_match_address(const struct selector *selector, enum selector_side side,
    const struct store_bytes *address, bool hashed)
{
	bool same = false;

	switch (selector->kind) {
	case SELECTOR_NONE: same = true; break;
	case SELECTOR_NETWORK: break;
	case SELECTOR_DOMAIN:
		/* What is expected of a domain has the domain's own hash. */
		if (!hashed)
			same = selector_domain_has(selector->text[side], address);
		else if (!same_hash(selector, side, address, true))
			return address->length ? SELECTOR_UNKNOWN : SELECTOR_MISSES;
		else
			same = true;
		break;
	case SELECTOR_HASH: same = same_hash(selector, side, address, hashed); break;
	case SELECTOR_ADDRESS:
	case SELECTOR_LOCAL:
	case SELECTOR_NULL:
		same = hashed ? same_hash(selector, side, address, true)
			      : same_text(selector->text[side], address);
		break;
	}
	return same ? SELECTOR_MATCHES : SELECTOR_MISSES;
}

bool
selector_match_network(const struct selector *selector, const struct prefix *network)
{
	const struct prefix *named = &selector->network;

	if (selector->kind == SELECTOR_NONE)
		return true;
	return selector->kind == SELECTOR_NETWORK &&
	       named->address.family == network->address.family &&
	       (named->length <= network->length ? prefix_contains(named, &network->address)
						 : prefix_contains(network, &named->address));
}

bool
selector_match_name(const struct selector *selector, const struct store_bytes *name)
{
	const char *named = selector->text[SELECTOR_SENDER];
	size_t length = strlen(named);

	if (selector->kind == SELECTOR_NONE)
		return true;
	return selector->kind == SELECTOR_DOMAIN && name->length > 0 &&
	       !memchr(name->data, '@', name->length) &&
	       (lies_in(name->data, name->length, named, length) ||
		   lies_in(named, length, name->data, name->length));
}
