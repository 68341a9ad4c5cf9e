#include "config.h"

#include "policyd/decide/protocol.h"

#include <string.h>

struct attribute_row {
	const char *name;
	size_t length;
};

#define ATTRIBUTE(name)                                                                            \
	{                                                                                          \
		name, sizeof name - 1                                                              \
	}

static const struct attribute_row attributes[POLICY_ATTRIBUTES] = {
    [POLICY_REQUEST] = ATTRIBUTE("request"),
    [POLICY_PROTOCOL_STATE] = ATTRIBUTE("protocol_state"),
    [POLICY_PROTOCOL_NAME] = ATTRIBUTE("protocol_name"),
    [POLICY_CLIENT_ADDRESS] = ATTRIBUTE("client_address"),
    [POLICY_CLIENT_NAME] = ATTRIBUTE("client_name"),
    [POLICY_CLIENT_PORT] = ATTRIBUTE("client_port"),
    [POLICY_REVERSE_CLIENT_NAME] = ATTRIBUTE("reverse_client_name"),
    [POLICY_SERVER_ADDRESS] = ATTRIBUTE("server_address"),
    [POLICY_SERVER_PORT] = ATTRIBUTE("server_port"),
    [POLICY_HELO_NAME] = ATTRIBUTE("helo_name"),
    [POLICY_SENDER] = ATTRIBUTE("sender"),
    [POLICY_RECIPIENT] = ATTRIBUTE("recipient"),
    [POLICY_RECIPIENT_COUNT] = ATTRIBUTE("recipient_count"),
    [POLICY_QUEUE_ID] = ATTRIBUTE("queue_id"),
    [POLICY_INSTANCE] = ATTRIBUTE("instance"),
    [POLICY_SIZE] = ATTRIBUTE("size"),
    [POLICY_ETRN_DOMAIN] = ATTRIBUTE("etrn_domain"),
    [POLICY_STRESS] = ATTRIBUTE("stress"),
    [POLICY_SASL_METHOD] = ATTRIBUTE("sasl_method"),
    [POLICY_SASL_USERNAME] = ATTRIBUTE("sasl_username"),
    [POLICY_SASL_SENDER] = ATTRIBUTE("sasl_sender"),
    [POLICY_CCERT_SUBJECT] = ATTRIBUTE("ccert_subject"),
    [POLICY_CCERT_ISSUER] = ATTRIBUTE("ccert_issuer"),
    [POLICY_CCERT_FINGERPRINT] = ATTRIBUTE("ccert_fingerprint"),
    [POLICY_CCERT_PUBKEY_FINGERPRINT] = ATTRIBUTE("ccert_pubkey_fingerprint"),
    [POLICY_ENCRYPTION_PROTOCOL] = ATTRIBUTE("encryption_protocol"),
    [POLICY_ENCRYPTION_CIPHER] = ATTRIBUTE("encryption_cipher"),
    [POLICY_ENCRYPTION_KEYSIZE] = ATTRIBUTE("encryption_keysize"),
    [POLICY_POLICY_CONTEXT] = ATTRIBUTE("policy_context"),
    [POLICY_COMPATIBILITY_LEVEL] = ATTRIBUTE("compatibility_level"),
    [POLICY_MAIL_VERSION] = ATTRIBUTE("mail_version"),
    [POLICY_TLS_SNI] = ATTRIBUTE("tls_sni"),
    [POLICY_TIME] = ATTRIBUTE("time"),
    [POLICY_VERDICT] = ATTRIBUTE("verdict"),
};

/* The attributes by the length of their names, then by the names: most lengths are rare, so that
 * a search compares few names. */
static const uint8_t by_length[POLICY_ATTRIBUTES] = {
    POLICY_SIZE,
    POLICY_TIME,
    POLICY_SENDER,
    POLICY_STRESS,
    POLICY_REQUEST,
    POLICY_TLS_SNI,
    POLICY_VERDICT,
    POLICY_INSTANCE,
    POLICY_QUEUE_ID,
    POLICY_HELO_NAME,
    POLICY_RECIPIENT,
    POLICY_CLIENT_NAME,
    POLICY_CLIENT_PORT,
    POLICY_ETRN_DOMAIN,
    POLICY_SASL_METHOD,
    POLICY_SASL_SENDER,
    POLICY_SERVER_PORT,
    POLICY_CCERT_ISSUER,
    POLICY_MAIL_VERSION,
    POLICY_CCERT_SUBJECT,
    POLICY_PROTOCOL_NAME,
    POLICY_SASL_USERNAME,
    POLICY_CLIENT_ADDRESS,
    POLICY_POLICY_CONTEXT,
    POLICY_PROTOCOL_STATE,
    POLICY_SERVER_ADDRESS,
    POLICY_RECIPIENT_COUNT,
    POLICY_CCERT_FINGERPRINT,
    POLICY_ENCRYPTION_CIPHER,
    POLICY_ENCRYPTION_KEYSIZE,
    POLICY_COMPATIBILITY_LEVEL,
    POLICY_ENCRYPTION_PROTOCOL,
    POLICY_REVERSE_CLIENT_NAME,
    POLICY_CCERT_PUBKEY_FINGERPRINT,
};

const char *
policy_attribute_name(enum policy_attribute attribute)
{
	return attributes[attribute].name;
}

const char *
policy_parse_text(enum policy_parse_result result)
{
	static const char *const texts[] = {
	    [POLICY_PARSE_MORE] = "incomplete request",
	    [POLICY_PARSE_DONE] = "request",
	    [POLICY_PARSE_NUL] = "NUL in request",
	    [POLICY_PARSE_NO_EQUALS] = "line without name=value in request",
	    [POLICY_PARSE_TOO_LONG] = "request too long",
	    [POLICY_PARSE_EMPTY] = "empty request",
	};
	return texts[result];
}

static unsigned
find_attribute(const char *name, size_t length)
{
	unsigned low = 0, high = POLICY_ATTRIBUTES;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		const struct attribute_row *row = &attributes[by_length[middle]];
		int order = length < row->length ? -1 : length > row->length;
		if (order == 0)
			order = memcmp(name, row->name, length);
		if (order == 0)
			return by_length[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return POLICY_ATTRIBUTES;
}

/* Whether the line, LENGTH bytes before its newline, begins with this attribute's name and '='. */
static bool
line_has(const char *line, size_t length, const struct attribute_row *row)
{
	return length > row->length && line[row->length] == '=' &&
	       memcmp(line, row->name, row->length) == 0;
}

/* Takes the lines of a whole request, up to its empty line at END. Postfix sends attributes in an
 * order that is known, so the attribute after the last one is tried before a search. */
static bool
take_lines(char *line, char *end, struct policy_request *request)
{
	unsigned guess = 0;

	while (line < end) {
		char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t length = (size_t)(newline - line);
		unsigned found = guess;

		if (guess == POLICY_ATTRIBUTES || !line_has(line, length, &attributes[guess])) {
			const char *equals = memchr(line, '=', length);
			if (!equals || equals == line)
				return false;
			found = find_attribute(line, (size_t)(equals - line));
		}
		if (found < POLICY_ATTRIBUTES) {
			size_t skip = attributes[found].length + 1;
			request->value[found] = line + skip;
			request->length[found] = (uint32_t)(length - skip);
			*newline = '\0';
			guess = found + 1;
		}
		line = newline + 1;
	}
	return true;
}

/* Finds the newline that is the empty line of the request, its bytes up to LENGTH. */
static enum policy_parse_result
find_end(struct policy_parser *parser, const char *buffer, size_t length, size_t *ret_end)
{
	size_t limit = length < POLICY_REQUEST_MAX ? length : POLICY_REQUEST_MAX;
	size_t from = parser->seen;

	if (length > 0 && buffer[0] == '\n')
		return POLICY_PARSE_EMPTY;
	while (from < limit) {
		const char *newline = memchr(buffer + from, '\n', limit - from);
		if (!newline)
			break;
		if (newline[-1] == '\n') {
			*ret_end = (size_t)(newline - buffer);
			return POLICY_PARSE_DONE;
		}
		from = (size_t)(newline - buffer) + 1;
	}
	parser->seen = limit;
	return length < POLICY_REQUEST_MAX ? POLICY_PARSE_MORE : POLICY_PARSE_TOO_LONG;
}

enum policy_parse_result
policy_parse(struct policy_parser *parser, char *buffer, size_t length,
    struct policy_request *ret_request, size_t *ret_used)
{
	struct policy_request request;
	size_t end;
	enum policy_parse_result result = find_end(parser, buffer, length, &end);

	if (result != POLICY_PARSE_DONE)
		return result;
	if (memchr(buffer, '\0', end))
		return POLICY_PARSE_NUL;
	for (unsigned i = 0; i < POLICY_ATTRIBUTES; i++)
		request.value[i] = "";
	memset(request.length, 0, sizeof request.length);
	if (!take_lines(buffer, buffer + end, &request))
		return POLICY_PARSE_NO_EQUALS;
	*ret_request = request;
	*ret_used = end + 1;
	parser->seen = 0;
	return POLICY_PARSE_DONE;
}

/* Room is left for the two newlines and a NUL. */
static size_t
append_printable(char buffer[POLICY_REPLY_MAX], size_t used, const char *text)
{
	for (; *text && used < POLICY_REPLY_MAX - 3; text++)
		buffer[used++] = (*text >= ' ' && *text <= '~') ? *text : '?';
	return used;
}

size_t
policy_reply(char buffer[POLICY_REPLY_MAX], const char *action, const char *text)
{
	size_t used = append_printable(buffer, 0, "action=");

	used = append_printable(buffer, used, action);
	if (text && *text) {
		used = append_printable(buffer, used, " ");
		used = append_printable(buffer, used, text);
	}
	buffer[used++] = '\n';
	buffer[used++] = '\n';
	buffer[used] = '\0';
	return used;
}
