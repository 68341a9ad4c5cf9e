#include "config.h"

#include "classifier/mail/canonical.h"

#include <string.h>
#include <sodium.h>
#include "lib/address.h"

/* Fields that the own delivery, mail readers or other filters add; "*" at the end is any rest. */
static const char *const foreign_fields[] = {
    "content-length",
    "delivered-to",
    "envelope-to",
    "lines",
    "return-path",
    "status",
    "x-amavis-*",
    "x-barracuda-*",
    "x-bogosity",
    "x-crm114-*",
    "x-delivered-to",
    "x-dspam-*",
    "x-envelope-from",
    "x-envelope-to",
    "x-evolution*",
    "x-gmail-labels",
    "x-gmail-received",
    "x-gm-labels",
    "x-gm-thrid",
    "x-greylag*",
    "x-greylist*",
    "x-keywords",
    "x-mozilla-*",
    "x-original-to",
    "x-ovh-*",
    "x-proofpoint-*",
    "x-quarantine-id",
    "x-razor-*",
    "x-rspamd-*",
    "x-spam",
    "x-spam-*",
    "x-spambayes-*",
    "x-spamd-*",
    "x-spamprobe",
    "x-sieve*",
    "x-status",
    "x-uid",
    "x-uidl",
    "x-virus-*",
};

/* Fields by which a message is told from any other. */
static const char *const lasting_fields[] = {"cc", "date", "from", "message-id", "subject", "to"};

/* At least one of these, or one that begins with "x-" or "content-", makes lines a header. */
static const char *const usual_fields[] = {"authentication-results", "bcc", "cc", "date",
    "delivered-to", "from", "in-reply-to", "list-id", "message-id", "mime-version", "received",
    "references", "reply-to", "return-path", "sender", "subject", "to"};

struct reader {
	const uint8_t *at, *end;
	uint8_t *out; /* room for all that is left */
	size_t header_left;
};

static bool
name_matches(const char *pattern, const uint8_t *name, size_t length)
{
	size_t known = strlen(pattern);
	if (known && pattern[known - 1] == '*') {
		known--;
		if (length > known)
			length = known;
	}
	return known == length && !g_ascii_strncasecmp(pattern, (const char *)name, length);
}

static bool
name_in(const char *const *patterns, size_t count, const uint8_t *name, size_t length)
{
	int first = length ? g_ascii_tolower(name[0]) : 0;
	for (size_t i = 0; i < count; i++)
		if (patterns[i][0] == first && name_matches(patterns[i], name, length))
			return true;
	return false;
}

#define NAME_IN(table, name, length) name_in(table, G_N_ELEMENTS(table), name, length)

/* The end of the line at AT: its LF, or END. */
static const uint8_t *
line_end(const uint8_t *at, const uint8_t *end)
{
	const uint8_t *lf = memchr(at, '\n', (size_t)(end - at));
	return lf ? lf : end;
}

static const uint8_t *
next_line(const uint8_t *at, const uint8_t *end)
{
	const uint8_t *lf = line_end(at, end);
	return lf < end ? lf + 1 : end;
}

/* The end of the field at AT with its continuation lines. */
static const uint8_t *
field_end(const uint8_t *at, const uint8_t *end)
{
	do
		at = next_line(at, end);
	while (at < end && (*at == ' ' || *at == '\t'));
	return at;
}

/* The length of the field name that the line begins with, 0 if it begins with none. */
static size_t
name_length(const uint8_t *at, const uint8_t *end)
{
	const uint8_t *p = at;
	while (p<end && * p> 0x20 && *p < 0x7f && *p != ':')
		p++;
	size_t length = (size_t)(p - at);
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p < end && *p == ':' ? length : 0;
}

static bool
begins_with(const uint8_t *at, const uint8_t *end, const char *text)
{
	size_t length = strlen(text);
	return (size_t)(end - at) >= length && !memcmp(at, text, length);
}

static bool
is_empty_line(const uint8_t *at, const uint8_t *end)
{
	while (at < end && *at == '\r')
		at++;
	return at < end && *at == '\n';
}

/* Copies [AT, END) without the CRs before an LF; OUT has room for it all. Returns the end of the
 * copy. */
static uint8_t *
copy_lines(const uint8_t *at, const uint8_t *end, uint8_t *out)
{
	while (at < end) {
		const uint8_t *cr = memchr(at, '\r', (size_t)(end - at));
		size_t length = (size_t)((cr ? cr : end) - at);
		memcpy(out, at, length);
		out += length;
		if (!cr)
			break;
		for (at = cr; at < end && *at == '\r';)
			at++;
		if (at == end || *at != '\n') {
			memcpy(out, cr, (size_t)(at - cr));
			out += at - cr;
		}
	}
	return out;
}

/* As copy_lines(), and takes the ">" from lines that begin with them and "From ". */
static uint8_t *
copy_body(const uint8_t *at, const uint8_t *end, uint8_t *out)
{
	const uint8_t *copied = at;
	for (const uint8_t *quote = at;; quote++) {
		quote = memchr(quote, '>', (size_t)(end - quote));
		if (!quote)
			break;
		if (quote > at && quote[-1] != '\n')
			continue;
		const uint8_t *from = quote;
		while (from < end && *from == '>')
			from++;
		if (begins_with(from, end, "From ")) {
			out = copy_lines(copied, quote, out);
			copied = from;
		}
		quote = from - 1;
	}
	return copy_lines(copied, end, out);
}

/* "from a (b) by HOST with ...": HOST; NULL if there is none. Comments are passed over. */
static const char *
received_by(const char *value, size_t *ret_length)
{
	int comment = 0;
	for (const char *p = value; *p; p++) {
		comment += *p == '(' ? 1 : *p == ')' && comment ? -1 : 0;
		bool starts = p == value || g_ascii_isspace(p[-1]) || p[-1] == ')';
		if (comment || !starts || g_ascii_strncasecmp(p, "by", 2) || !g_ascii_isspace(p[2]))
			continue;
		p += 2;
		while (g_ascii_isspace(*p))
			p++;
		*ret_length = strcspn(p, " \t\r\n();");
		return *ret_length ? p : NULL;
	}
	return NULL;
}

static bool
is_own_host(const char *host, size_t length, const char *const *own_hosts)
{
	for (; *own_hosts; own_hosts++) {
		size_t own = strlen(*own_hosts);
		if (!own || own > length ||
		    g_ascii_strncasecmp(host + length - own, *own_hosts, own))
			continue;
		if (own == length || host[length - own - 1] == '.')
			return true;
	}
	return false;
}

/* The value of a field as text, for fields that are looked at closely. */
static char *
field_value(const uint8_t *at, const uint8_t *end, size_t name)
{
	const uint8_t *colon = memchr(at + name, ':', (size_t)(end - at) - name);
	return g_strstrip(g_strndup((const char *)colon + 1, (size_t)(end - colon) - 1));
}

/* Addresses from which only own hosts come (RFC 1918, RFC 4193, RFC 4291). */
static bool
is_inner_address(const char *text, size_t length)
{
	static const char *const inner[] = {
	    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"};
	g_autofree char *literal = g_strndup(text, length);
	struct address address;
	struct prefix prefix;
	if (!address_parse(
		g_ascii_strncasecmp(literal, "ipv6:", 5) ? literal : literal + 5, &address))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(inner); i++)
		if (prefix_parse(inner[i], &prefix) && prefix_contains(&prefix, &address))
			return true;
	return address_is_loopback(&address);
}

/*
 * Whether a field that an own host wrote says that the message came from outside: "from HELO (NAME
 * [ADDRESS]) by ...", where NAME was verified and HELO is what the client said. Whatever stands
 * below it was written outside, even if it names an own host. A field without an address was not
 * written for SMTP.
 */
static bool
is_from_outside(const char *value, const char *const *own_hosts)
{
	const char *name = strchr(value, '(');
	const char *address = name ? strchr(name, '[') : NULL;
	const char *end = address ? strchr(address, ']') : NULL;
	if (!end)
		return false;
	size_t length = strcspn(++name, " \t\r\n[)");
	return !is_own_host(name, length, own_hosts) &&
	       !is_inner_address(address + 1, (size_t)(end - address - 1));
}

enum received { RECEIVED_ELSEWHERE, RECEIVED_INSIDE, RECEIVED_FROM_OUTSIDE };

/* Who wrote the Received field; if it was an own host, its value becomes the handover. */
static enum received
take_own_received(const uint8_t *at, const uint8_t *end, size_t name, const char *const *own_hosts,
    struct canonical *canonical)
{
	g_autofree char *value = field_value(at, end, name);
	size_t length;
	const char *by = received_by(value, &length);
	if (!by || !is_own_host(by, length, own_hosts))
		return RECEIVED_ELSEWHERE;
	g_free(canonical->handover);
	canonical->handover = g_steal_pointer(&value);
	return is_from_outside(canonical->handover, own_hosts) ? RECEIVED_FROM_OUTSIDE
							       : RECEIVED_INSIDE;
}

/*
 * Whether lines are a header: a body that stands alone may begin with "Note: ..." too. Returns
 * where they end.
 */
static const uint8_t *
find_header_end(const uint8_t *at, const uint8_t *end)
{
	const uint8_t *start = at;
	bool usual = false;
	size_t name;
	while (at < end && (name = name_length(at, end))) {
		usual = usual || NAME_IN(usual_fields, at, name) || begins_with(at, end, "X-") ||
			name_matches("content-*", at, name);
		at = field_end(at, end);
	}
	return usual ? at : start;
}

/* Copies the fields in [AT, END) that stay. */
static uint8_t *
copy_header(const uint8_t *at, const uint8_t *end, const char *const *own_hosts,
    struct canonical *canonical, uint8_t *out)
{
	bool own = own_hosts && own_hosts[0];
	while (at < end) {
		const uint8_t *next = field_end(at, end);
		size_t name = name_length(at, end);
		bool keep = !NAME_IN(foreign_fields, at, name);
		if (own && name_matches("received", at, name)) {
			enum received by = take_own_received(at, next, name, own_hosts, canonical);
			keep = by == RECEIVED_ELSEWHERE;
			own = by == RECEIVED_INSIDE;
		}
		if (keep)
			out = copy_lines(at, next, out);
		at = next;
	}
	return out;
}

static void
hash_squeezed(crypto_generichash_state *state, const uint8_t *at, const uint8_t *end)
{
	uint8_t buffer[256];
	size_t used = 0;
	bool space = false;
	for (; at < end; at++) {
		if (g_ascii_isspace(*at)) {
			space = true;
			continue;
		}
		if (used + 3 > sizeof buffer) {
			crypto_generichash_update(state, buffer, used);
			used = 0;
		}
		if (space)
			buffer[used++] = ' ';
		space = false;
		buffer[used++] = *at;
	}
	buffer[used++] = '\n';
	crypto_generichash_update(state, buffer, used);
}

static void
digest_message(struct canonical *canonical)
{
	crypto_generichash_state state;
	crypto_generichash_init(&state, NULL, 0, CANONICAL_DIGEST_SIZE);
	const uint8_t *at = canonical->bytes, *end = at + canonical->header_length;
	while (at < end) {
		const uint8_t *next = field_end(at, end);
		size_t name = name_length(at, end);
		if (NAME_IN(lasting_fields, at, name)) {
			/* The name in lower case: some gateways write SUBJECT. */
			char lower[16];
			for (size_t i = 0; i < name; i++)
				lower[i] = g_ascii_tolower((char)at[i]);
			crypto_generichash_update(&state, (const uint8_t *)lower, name);
			hash_squeezed(&state, at + name, next);
		}
		at = next;
	}
	size_t length = canonical->length;
	while (length > canonical->body && canonical->bytes[length - 1] == '\n')
		length--;
	crypto_generichash_update(
	    &state, canonical->bytes + canonical->body, length - canonical->body);
	crypto_generichash_final(&state, canonical->digest, CANONICAL_DIGEST_SIZE);
}

void
canonical_read(const uint8_t *bytes, size_t length, const char *const *own_hosts, size_t max_length,
    struct canonical *ret_canonical)
{
	struct canonical canonical = {0};
	/* Of an empty message there may be no bytes. */
	if (!length)
		bytes = (const uint8_t *)"";
	/* All that shortens the rest is small, but for the From_ line and the header. */
	const uint8_t *at = bytes, *end = bytes + length;
	if (begins_with(at, end, "From ") || begins_with(at, end, ">From "))
		at = next_line(at, end);
	const uint8_t *header_end = find_header_end(at, end);
	const uint8_t *body = header_end;
	if (header_end > at && is_empty_line(header_end, end))
		body = next_line(header_end, end);
	if ((size_t)(header_end - at) > max_length)
		body = header_end = end = at + max_length;
	else if ((size_t)(end - at) > max_length + max_length / 16)
		end = at + max_length + max_length / 16;
	if (body > end)
		body = end;
	canonical.cut = end < bytes + length;

	canonical.bytes = g_malloc((size_t)(end - at) + 3);
	uint8_t *out = copy_header(at, header_end, own_hosts, &canonical, canonical.bytes);
	if (out > canonical.bytes && out[-1] != '\n')
		*out++ = '\n';
	canonical.header_length = (size_t)(out - canonical.bytes);
	if (canonical.header_length)
		*out++ = '\n';
	canonical.body = (size_t)(out - canonical.bytes);
	out = copy_body(body, end, out);
	canonical.length = (size_t)(out - canonical.bytes);
	if (canonical.length > max_length) {
		canonical.length = MAX(max_length, canonical.body);
		canonical.cut = true;
	}
	canonical.bytes[canonical.length] = 0;
	digest_message(&canonical);
	*ret_canonical = canonical;
}

void
canonical_clear(struct canonical *canonical)
{
	g_free(canonical->bytes);
	g_free(canonical->handover);
	*canonical = (struct canonical){0};
}
