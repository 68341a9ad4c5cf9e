/* The policy parser: a result does not depend on how the bytes are split, values lie in the
 * request and hold no newline, and a reply built from any value is one line and an empty one. */
#include "config.h"

#include <stdint.h>
#include <string.h>
#include <glib.h>

#include "policyd/decide/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_reply(const char *value)
{
	char reply[POLICY_REPLY_MAX];
	size_t length = policy_reply(reply, "PREPEND", value);

	g_assert_cmpuint(length, <, sizeof reply);
	g_assert_cmpuint(strlen(reply), ==, length);
	g_assert_true(strchr(reply, '\n') == reply + length - 2);
}

static void
check_request(const struct policy_request *request, const char *start, size_t used)
{
	for (unsigned i = 0; i < POLICY_ATTRIBUTES; i++) {
		const char *value = request->value[i];
		g_assert_cmpuint(strlen(value), ==, request->length[i]);
		g_assert_null(strchr(value, '\n'));
		if (request->length[i] > 0) {
			g_assert_true(value > start);
			g_assert_true(value + request->length[i] < start + used);
		}
		check_reply(value);
	}
}

/* The same bytes, STEP more of them at a time, each time in another place. */
static enum policy_parse_result
parse_in_steps(const uint8_t *data, size_t size, size_t step, size_t *ret_used)
{
	struct policy_parser parser = {0};
	struct policy_request request;
	enum policy_parse_result result;
	size_t length = 0;

	do {
		length = MIN(size, length + step);
		g_autofree char *copy = g_malloc(length + 1);
		if (length)
			memcpy(copy, data, length);
		result = policy_parse(&parser, copy, length, &request, ret_used);
		if (result == POLICY_PARSE_MORE && length)
			g_assert_cmpint(memcmp(copy, data, length), ==, 0);
	} while (result == POLICY_PARSE_MORE && length < size);
	return result;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *buffer = g_malloc(size + 1);
	struct policy_parser parser = {0};
	struct policy_request request;
	size_t done = 0, requests = 0, used = 0, split_used = 0;
	enum policy_parse_result result;

	if (size)
		memcpy(buffer, data, size);
	do {
		result = policy_parse(&parser, buffer + done, size - done, &request, &used);
		if (requests++ < 4) {
			size_t step = 1 + (size - done) / 61;
			g_assert_cmpint(parse_in_steps(data + done, size - done, step, &split_used),
			    ==, result);
		}
		if (result == POLICY_PARSE_DONE) {
			g_assert_cmpuint(used, <=, MIN(size - done, (size_t)POLICY_REQUEST_MAX));
			if (requests <= 4)
				g_assert_cmpuint(used, ==, split_used);
			check_request(&request, buffer + done, used);
			done += used;
		}
	} while (result == POLICY_PARSE_DONE);
	return 0;
}
