#include "config.h"

#include <string.h>
#include <glib.h>

#include "policyd/decide/protocol.h"

#define REQUEST_HEAD "request=smtpd_access_policy\nsender=anna@example.org\n"

static enum policy_parse_result
parse(char *text, size_t length, struct policy_request *ret_request, size_t *ret_used)
{
	struct policy_parser parser = {0};

	return policy_parse(&parser, text, length, ret_request, ret_used);
}

/* In Postfix's own order, in the reverse, and each alone: the lookup does not rest on order. */
static void
test_every_attribute(void)
{
	for (int order = 0; order < 3; order++) {
		g_autoptr(GString) text = g_string_new(NULL);
		struct policy_request request;
		size_t used;
		for (unsigned i = 0; i < POLICY_ATTRIBUTES; i++) {
			unsigned a = order == 1 ? POLICY_ATTRIBUTES - 1 - i : i * (order ? 13 : 1);
			a %= POLICY_ATTRIBUTES;
			g_string_append_printf(text, "%s=v%u\n", policy_attribute_name(a), a);
		}
		g_string_append_c(text, '\n');
		g_assert_cmpint(
		    parse(text->str, text->len, &request, &used), ==, POLICY_PARSE_DONE);
		g_assert_cmpuint(used, ==, text->len);
		for (unsigned i = 0; i < POLICY_ATTRIBUTES; i++) {
			g_autofree char *expected = g_strdup_printf("v%u", i);
			g_assert_cmpstr(request.value[i], ==, expected);
			g_assert_cmpuint(request.length[i], ==, strlen(expected));
		}
	}
}

static const struct {
	const char *text;
	size_t length; /* 0: of the text */
	enum policy_parse_result result;
	const char *sender;
} cases[] = {
    {"sender=a@b\n\n", 0, POLICY_PARSE_DONE, "a@b"},
    {"sender=a@b\nsender=c@d\n\n", 0, POLICY_PARSE_DONE, "c@d"},
    {"Sender=a@b\n\n", 0, POLICY_PARSE_DONE, ""},
    {"sender2=a@b\nsende=c\nx=y\n\n", 0, POLICY_PARSE_DONE, ""},
    {"sender=a=b==c\n\n", 0, POLICY_PARSE_DONE, "a=b==c"},
    {"sender=a@b\r\n\n", 0, POLICY_PARSE_DONE, "a@b\r"},
    {"sender=\xc3\xa9\xff\n\n", 0, POLICY_PARSE_DONE, "\xc3\xa9\xff"},
    {"sender=\n\n", 0, POLICY_PARSE_DONE, ""},
    {"sender=a@b\n\nsender=c@d\n\n", 0, POLICY_PARSE_DONE, "a@b"},
    {"sender=a@b\n\n\0\0", 14, POLICY_PARSE_DONE, "a@b"},
    {"sender=a@b\n\n\n", 0, POLICY_PARSE_DONE, "a@b"},
    {"", 0, POLICY_PARSE_MORE, NULL},
    {"sender=a@b\n", 0, POLICY_PARSE_MORE, NULL},
    {"sender=a@b", 0, POLICY_PARSE_MORE, NULL},
    {"sender=a@b\n\r\n", 0, POLICY_PARSE_MORE, NULL},
    {"\n", 0, POLICY_PARSE_EMPTY, NULL},
    {"\nsender=a@b\n\n", 0, POLICY_PARSE_EMPTY, NULL},
    {"sender\n\n", 0, POLICY_PARSE_NO_EQUALS, NULL},
    {"request=x\nsender\n\n", 0, POLICY_PARSE_NO_EQUALS, NULL},
    {"=x\n\n", 0, POLICY_PARSE_NO_EQUALS, NULL},
    {"sender=a@b\n=\n\n", 0, POLICY_PARSE_NO_EQUALS, NULL},
    {"sender=a\0b\n\n", 12, POLICY_PARSE_NUL, NULL},
    {"sen\0der=a\n\n", 11, POLICY_PARSE_NUL, NULL},
    {"sender=a@b\n\0\n\n", 14, POLICY_PARSE_NUL, NULL},
};

static void
test_results(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		size_t length = cases[i].length ? cases[i].length : strlen(cases[i].text),
		       used = 4711;
		g_autofree char *text = g_memdup2(cases[i].text, length + 1);
		struct policy_request request = {.length = {[POLICY_SENDER] = 815}};
		g_test_message("case %zu: %s", i, cases[i].text);
		g_assert_cmpint(parse(text, length, &request, &used), ==, cases[i].result);
		if (cases[i].result == POLICY_PARSE_DONE) {
			g_assert_cmpstr(request.value[POLICY_SENDER], ==, cases[i].sender);
		} else {
			g_assert_cmpuint(used, ==, 4711);
			g_assert_cmpuint(request.length[POLICY_SENDER], ==, 815);
		}
	}
}

/* Every case with its bytes given one more at a time, and in random portions, each time in new
 * memory of just that size; until a result comes the bytes are as they were. */
static void
test_any_split(void)
{
	for (size_t round = 0; round < 20 * G_N_ELEMENTS(cases); round++) {
		size_t i = round % G_N_ELEMENTS(cases), length = 0, used = 0, whole_used = 0;
		size_t size = cases[i].length ? cases[i].length : strlen(cases[i].text);
		bool by_byte = round < G_N_ELEMENTS(cases);
		struct policy_parser parser = {0};
		struct policy_request request;
		enum policy_parse_result result;
		g_autofree char *whole = g_memdup2(cases[i].text, size + 1);
		do {
			length += by_byte ? 1 : (size_t)g_test_rand_int_range(1, 9);
			length = MIN(length, size);
			g_autofree char *part = g_malloc(length + 1);
			memcpy(part, cases[i].text, length);
			result = policy_parse(&parser, part, length, &request, &used);
			if (result == POLICY_PARSE_MORE) {
				g_assert_cmpuint(parser.seen, ==, length);
				g_assert_cmpint(memcmp(part, cases[i].text, length), ==, 0);
			}
			if (result == POLICY_PARSE_DONE)
				g_assert_cmpstr(request.value[POLICY_SENDER], ==, cases[i].sender);
		} while (result == POLICY_PARSE_MORE && length < size);
		g_assert_cmpint(result, ==, cases[i].result);
		g_assert_cmpint(parse(whole, size, &request, &whole_used), ==, result);
		g_assert_cmpuint(used, ==, whole_used);
	}
}

static void
test_pipelined(void)
{
	char text[] = "sender=a\n\nrecipient=b\n\nsender=c\n\nsender=cut\n";
	static const char *const senders[] = {"a", "", "c"};
	struct policy_parser parser = {0};
	struct policy_request request;
	size_t done = 0, used;

	for (size_t i = 0; i < G_N_ELEMENTS(senders); i++) {
		g_assert_cmpint(
		    policy_parse(&parser, text + done, sizeof text - 1 - done, &request, &used), ==,
		    POLICY_PARSE_DONE);
		g_assert_cmpstr(request.value[POLICY_SENDER], ==, senders[i]);
		done += used;
	}
	g_assert_cmpint(policy_parse(&parser, text + done, sizeof text - 1 - done, &request, &used),
	    ==, POLICY_PARSE_MORE);
	g_assert_cmpstr(text + done, ==, "sender=cut\n");
}

/* A request of exactly SIZE bytes. */
static char *
request_of_size(size_t size)
{
	char *text = g_malloc(size + 1);

	memset(text, 'x', size);
	memcpy(text, REQUEST_HEAD "x=", strlen(REQUEST_HEAD "x="));
	text[size - 1] = text[size - 2] = '\n';
	text[size] = 'y';
	return text;
}

static void
test_size_bound(void)
{
	g_autofree char *fits = request_of_size(POLICY_REQUEST_MAX);
	g_autofree char *over = request_of_size(POLICY_REQUEST_MAX + 1);
	struct policy_request request;
	struct policy_parser parser = {0};
	size_t used;

	g_assert_cmpint(policy_parse(&parser, fits, POLICY_REQUEST_MAX - 1, &request, &used), ==,
	    POLICY_PARSE_MORE);
	g_assert_cmpint(policy_parse(&parser, fits, POLICY_REQUEST_MAX, &request, &used), ==,
	    POLICY_PARSE_DONE);
	g_assert_cmpuint(used, ==, POLICY_REQUEST_MAX);
	g_assert_cmpstr(request.value[POLICY_SENDER], ==, "anna@example.org");
	g_assert_cmpint(
	    parse(over, POLICY_REQUEST_MAX + 1, &request, &used), ==, POLICY_PARSE_TOO_LONG);
	g_assert_cmpint(
	    parse(over, POLICY_REQUEST_MAX, &request, &used), ==, POLICY_PARSE_TOO_LONG);
	g_assert_cmpint(
	    parse(over, POLICY_REQUEST_MAX - 1, &request, &used), ==, POLICY_PARSE_MORE);
}

static void
test_reply(void)
{
	static const struct {
		const char *action, *text, *reply;
	} replies[] = {
	    {"DUNNO", NULL, "action=DUNNO\n\n"},
	    {"DUNNO", "", "action=DUNNO\n\n"},
	    {"DEFER_IF_PERMIT", "4.2.0 Greylisted, ~60 s",
		"action=DEFER_IF_PERMIT 4.2.0 Greylisted, ~60 s\n\n"},
	    {"DUNNO", "a\n\naction=REJECT", "action=DUNNO a??action=REJECT\n\n"},
	    {"DU\nNNO", "\r\t\x7f\xc3\xa9", "action=DU?NNO ?????\n\n"},
	};
	char buffer[POLICY_REPLY_MAX];
	g_autofree char *text = g_strnfill(2 * POLICY_REPLY_MAX, 'x');
	size_t length;

	for (size_t i = 0; i < G_N_ELEMENTS(replies); i++) {
		length = policy_reply(buffer, replies[i].action, replies[i].text);
		g_assert_cmpstr(buffer, ==, replies[i].reply);
		g_assert_cmpuint(length, ==, strlen(buffer));
	}
	length = policy_reply(buffer, "DUNNO", text);
	g_assert_cmpuint(length, ==, POLICY_REPLY_MAX - 1);
	g_assert_cmpstr(buffer + length - 3, ==, "x\n\n");
}

static void
test_speed(void)
{
	static const char text[] =
	    "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"
	    "client_address=192.0.2.17\nclient_name=host4711.net17.example\nclient_port=41234\n"
	    "reverse_client_name=host4711.net17.example\nserver_address=192.0.2.1\nserver_port=25\n"
	    "helo_name=host4711.net17.example\nsender=user4711@net17.example\n"
	    "recipient=rcpt7@dest.example\nrecipient_count=0\nqueue_id=\n"
	    "instance=1234.5678abcd.0.0\nsize=0\netrn_domain=\nstress=\nsasl_method=\n"
	    "sasl_username=\nsasl_sender=\nccert_subject=\nccert_issuer=\nccert_fingerprint=\n"
	    "ccert_pubkey_fingerprint=\nencryption_protocol=\nencryption_cipher=\n"
	    "encryption_keysize=0\npolicy_context=\ncompatibility_level=3.6\n"
	    "mail_version=3.7.11\n\n";
	enum { ROUNDS = 200000 };
	char buffer[sizeof text];
	struct policy_request request;
	size_t used;
	double seconds;

	g_test_timer_start();
	for (int i = 0; i < ROUNDS; i++) {
		memcpy(buffer, text, sizeof text);
		g_assert_cmpint(
		    parse(buffer, sizeof text - 1, &request, &used), ==, POLICY_PARSE_DONE);
	}
	seconds = g_test_timer_elapsed();
	g_test_minimized_result(seconds / ROUNDS * 1e9, "%zu bytes: %.0f ns a request",
	    sizeof text - 1, seconds / ROUNDS * 1e9);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/protocol/every-attribute-in-any-order", test_every_attribute);
	g_test_add_func("/protocol/each-input-has-its-result", test_results);
	g_test_add_func("/protocol/any-split-gives-the-same", test_any_split);
	g_test_add_func("/protocol/pipelined-requests-one-by-one", test_pipelined);
	g_test_add_func("/protocol/bound-of-64-KiB-is-exact", test_size_bound);
	g_test_add_func("/protocol/reply-is-one-line-of-ascii", test_reply);
	if (g_test_perf())
		g_test_add_func("/protocol/speed", test_speed);
	return g_test_run();
}
