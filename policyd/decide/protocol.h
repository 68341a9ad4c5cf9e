/*
 * Postfix's policy delegation protocol (SMTPD_POLICY_README): lines name=value, an empty line
 * ends a request; the answer is action=... and an empty line.
 *
 * Pure: bytes in, values out. The caller owns the buffer and decides what to read and when.
 */
#ifndef GREYLAG_POLICYD_DECIDE_PROTOCOL_H
#define GREYLAG_POLICYD_DECIDE_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLICY_REQUEST_MAX 65536 /* bytes in a request, its empty line included */

/* Every attribute up to Postfix 3.12, two of the project's own (time, verdict: only replay heeds
 * them), in the order in which Postfix sends them. */
enum policy_attribute {
	POLICY_REQUEST, /* request= */
	POLICY_PROTOCOL_STATE,
	POLICY_PROTOCOL_NAME,
	POLICY_CLIENT_ADDRESS,
	POLICY_CLIENT_NAME, /* verified both ways by Postfix, or "unknown" */
	POLICY_CLIENT_PORT,
	POLICY_REVERSE_CLIENT_NAME,
	POLICY_SERVER_ADDRESS,
	POLICY_SERVER_PORT,
	POLICY_HELO_NAME,
	POLICY_SENDER,
	POLICY_RECIPIENT,
	POLICY_RECIPIENT_COUNT,
	POLICY_QUEUE_ID,
	POLICY_INSTANCE,
	POLICY_SIZE,
	POLICY_ETRN_DOMAIN,
	POLICY_STRESS,
	POLICY_SASL_METHOD,
	POLICY_SASL_USERNAME,
	POLICY_SASL_SENDER,
	POLICY_CCERT_SUBJECT,
	POLICY_CCERT_ISSUER,
	POLICY_CCERT_FINGERPRINT,
	POLICY_CCERT_PUBKEY_FINGERPRINT,
	POLICY_ENCRYPTION_PROTOCOL,
	POLICY_ENCRYPTION_CIPHER,
	POLICY_ENCRYPTION_KEYSIZE,
	POLICY_POLICY_CONTEXT,
	POLICY_COMPATIBILITY_LEVEL,
	POLICY_MAIL_VERSION,
	POLICY_TLS_SNI,
	POLICY_TIME,
	POLICY_VERDICT,
	POLICY_ATTRIBUTES,
};

const char *policy_attribute_name(enum policy_attribute attribute);

/* A request. The values point into the parsed buffer, in which each has been NUL-terminated; a
 * missing one is "". */
struct policy_request {
	const char *value[POLICY_ATTRIBUTES];
	uint32_t length[POLICY_ATTRIBUTES];
};

enum policy_parse_result {
	POLICY_PARSE_MORE, /* no whole request yet */
	POLICY_PARSE_DONE,
	POLICY_PARSE_NUL,       /* a NUL in the request */
	POLICY_PARSE_NO_EQUALS, /* a line without '=' or with an empty name */
	POLICY_PARSE_TOO_LONG,  /* over POLICY_REQUEST_MAX without an end */
	POLICY_PARSE_EMPTY,     /* an empty line with no attribute before it */
};

const char *policy_parse_text(enum policy_parse_result result); /* for the log line */

/* How far the search for the end has come, so that bytes that come one at a time are not
 * looked at again and again. All zero at the start of each request. */
struct policy_parser {
	size_t seen;
};

/*
 * Looks for a request at the start of BUFFER, which has at least the bytes of the call before,
 * perhaps at another place in memory. On POLICY_PARSE_DONE *RET_USED is how many bytes it took
 * (the next request, pipelined, follows there) and PARSER is ready for it. The result depends on
 * the bytes only, not on how they were split over calls, and no byte past the first request
 * matters. POLICY_PARSE_MORE leaves the buffer untouched, so it may be moved and grown; a whole
 * request is parsed once, since the NULs take the place of its newlines.
 *
 * A name given twice keeps the later value. Names are case-sensitive; unknown ones are skipped. A
 * carriage return at the end of a line is part of the value. Errors are final for the connection;
 * all but POLICY_PARSE_EMPTY and POLICY_PARSE_TOO_LONG come when the request is whole, and after
 * POLICY_PARSE_NO_EQUALS lines before the bad one have NULs.
 */
enum policy_parse_result policy_parse(struct policy_parser *parser, char *buffer, size_t length,
    struct policy_request *ret_request, size_t *ret_used);

#define POLICY_REPLY_MAX 1024

/*
 * Writes "action=ACTION\n\n", or "action=ACTION TEXT\n\n" if TEXT is neither NULL nor empty, for
 * a write without further checks: bytes other than printable ASCII become '?', what is too long
 * is cut. Returns the length; a NUL follows, which is not counted.
 */
size_t policy_reply(char buffer[POLICY_REPLY_MAX], const char *action, const char *text);

#endif
