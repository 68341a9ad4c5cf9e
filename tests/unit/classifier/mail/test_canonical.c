#include "config.h"

#include <string.h>
#include <glib.h>
#include "classifier/mail/canonical.h"

#define MESSAGE_MAX (1u << 20)

static const char *const own_hosts[] = {"mx.example.org", "internal.example", NULL};

struct same_case {
	const char *name, *bytes, *canonical;
};

static const struct same_case same_cases[] = {
    {"crlf", "From: a\r\nSubject: b\r\n\r\nx\r\ny\r\n", "From: a\nSubject: b\n\nx\ny\n"},
    {"doubled-cr", "From: a\r\r\n\r\r\nx\r\r\n", "From: a\n\nx\n"},
    {"lone-cr-stays", "From: a\n\nx\ry\n", "From: a\n\nx\ry\n"},
    {"from-line", "From a@b Mon Jan  1 00:00:00 2024\nFrom: a\n\nx\n", "From: a\n\nx\n"},
    {"quoted-from-line", ">From a@b Mon Jan  1 00:00:00 2024\nFrom: a\n\nx\n", "From: a\n\nx\n"},
    {"from-unquoted", "From: a\n\n>From x\n>>From y\n> From z\na >From b\n",
	"From: a\n\nFrom x\nFrom y\n> From z\na >From b\n"},
    {"reader-marks-out",
	"Status: RO\nX-Status: A\nX-Keywords: k\nX-UID: 1\nContent-Length: 5\nLines: 3\nFrom: "
	"a\n\nx",
	"From: a\n\nx"},
    {"delivery-out",
	"Return-Path: <r@x>\nDelivered-To: u\nX-Original-To: u\nX-Greylag: spam\nX-Greylist: d\n"
	"X-Bogosity: Spam\nX-Spam-Status: Yes,\n\tscore=9\nX-DSPAM-Result: Spam\nFrom: a\n\nx",
	"From: a\n\nx"},
    {"similar-names-stay", "X-Spammer: a\nX-Statuses: b\nFrom: a\n\n",
	"X-Spammer: a\nX-Statuses: b\nFrom: a\n\n"},
    {"own-received-out",
	"Received: from mx.example.org (h [10.0.0.1])\n\tby imap.internal.example with LMTP; D\n"
	"Received: from client (c [192.0.2.1]) by mx.example.org; D\n"
	"Received: from far by client.example.net; D\n"
	"Received: forged by mx.example.org; D\nFrom: a\n\nx",
	"Received: from far by client.example.net; D\nReceived: forged by mx.example.org; D\n"
	"From: a\n\nx"},
    {"forged-own-received-stays",
	"Received: from a (b [10.0.0.9]) by imap.internal.example; D\n"
	"Received: from b (c.mx.example.org [2001:db8::9]) by mx.example.org; D\n"
	"Received: from mx.example.org (bot [203.0.113.9]) by mx.example.org; D\n"
	"Received: from bank (bank [192.0.2.1]) by mx.example.org; D\nFrom: a\n\nx",
	"Received: from bank (bank [192.0.2.1]) by mx.example.org; D\nFrom: a\n\nx"},
    {"others-received-stay", "Received: from a by notmx.example.org.evil; D\nFrom: a\n\n",
	"Received: from a by notmx.example.org.evil; D\nFrom: a\n\n"},
    {"by-in-comment", "Received: from a (hi by mx.example.org x) by other; D\nFrom: a\n\n",
	"Received: from a (hi by mx.example.org x) by other; D\nFrom: a\n\n"},
    {"body-alone", "Hello,\nthere\n", "Hello,\nthere\n"},
    {"body-alone-with-colon", "Note: that\nthis goes on\n", "Note: that\nthis goes on\n"},
    {"header-without-body", "From: a\nSubject: b", "From: a\nSubject: b\n\n"},
    {"empty", "", ""},
};

static void
test_same(gconstpointer data)
{
	const struct same_case *row = data;
	struct canonical canonical;
	canonical_read(
	    (const uint8_t *)row->bytes, strlen(row->bytes), own_hosts, MESSAGE_MAX, &canonical);
	g_assert_cmpstr((const char *)canonical.bytes, ==, row->canonical);
	g_assert_cmpuint(canonical.length, ==, strlen(row->canonical));
	g_assert_false(canonical.cut);
	struct canonical again;
	canonical_read(canonical.bytes, canonical.length, NULL, MESSAGE_MAX, &again);
	g_assert_cmpstr((const char *)again.bytes, ==, row->canonical);
	g_assert_cmpmem(
	    again.digest, sizeof again.digest, canonical.digest, sizeof canonical.digest);
	canonical_clear(&again);
	canonical_clear(&canonical);
}

static void
digest_of(const char *text, uint8_t *ret_digest)
{
	struct canonical canonical;
	canonical_read((const uint8_t *)text, strlen(text), own_hosts, MESSAGE_MAX, &canonical);
	memcpy(ret_digest, canonical.digest, sizeof canonical.digest);
	canonical_clear(&canonical);
}

#define FIELDS "From: A <a@b>\nTo: c\nSubject: long subject\nDate: D\nMessage-ID: <1@b>\n"

static const struct digest_case {
	const char *name, *other;
	bool equal;
} digest_cases[] = {
    {"received-and-marks", "Received: x by y\nStatus: O\nX-Mailer: z\n" FIELDS "\nbody\n", true},
    {"folding",
	"From: A <a@b>\nTo: c\nSubject: long\n\tsubject\nDate: D\nMessage-ID: <1@b>\n"
	"\nbody\n",
	true},
    {"case-of-names",
	"FROM: A <a@b>\nTo: c\nSUBJECT: long subject\nDate: D\nMessage-Id: <1@b>\n"
	"\nbody\n",
	true},
    {"empty-lines-at-end", FIELDS "\nbody\n\n\n", true},
    {"crlf",
	"From: A <a@b>\r\nTo: c\r\nSubject: long subject\r\nDate: D\r\n"
	"Message-ID: <1@b>\r\n\r\nbody\r\n",
	true},
    {"other-body", FIELDS "\nbodY\n", false},
    {"other-subject",
	"From: A <a@b>\nTo: c\nSubject: short subject\nDate: D\n"
	"Message-ID: <1@b>\n\nbody\n",
	false},
    {"other-message-id",
	"From: A <a@b>\nTo: c\nSubject: long subject\nDate: D\n"
	"Message-ID: <2@b>\n\nbody\n",
	false},
};

static void
test_digest(gconstpointer data)
{
	const struct digest_case *row = data;
	uint8_t one[CANONICAL_DIGEST_SIZE], other[CANONICAL_DIGEST_SIZE];
	digest_of(FIELDS "\nbody\n", one);
	digest_of(row->other, other);
	g_assert_cmpint(!memcmp(one, other, sizeof one), ==, row->equal);
}

static void
test_handover(void)
{
	static const char text[] = "Received: from imap by b.internal.example; D\n"
				   "Received: from client (c [192.0.2.1])\n by MX.example.org; D\n"
				   "Received: from far by client; D\n\nx";
	static const char forged[] =
	    "Received: from [10.0.0.1] (unknown [192.0.2.1])\n by mx.example.org; D\n"
	    "Received: from bank (bank [198.51.100.1])\n by mx.example.org; D\n\nx";
	struct canonical canonical;
	canonical_read((const uint8_t *)text, strlen(text), own_hosts, MESSAGE_MAX, &canonical);
	g_assert_cmpstr(
	    canonical.handover, ==, "from client (c [192.0.2.1])\n by MX.example.org; D");
	canonical_clear(&canonical);
	/* What the client itself wrote below is no handover, even in an own host's name. */
	canonical_read((const uint8_t *)forged, strlen(forged), own_hosts, MESSAGE_MAX, &canonical);
	g_assert_cmpstr(
	    canonical.handover, ==, "from [10.0.0.1] (unknown [192.0.2.1])\n by mx.example.org; D");
	canonical_clear(&canonical);
	canonical_read((const uint8_t *)text, strlen(text), NULL, MESSAGE_MAX, &canonical);
	g_assert_null(canonical.handover);
	canonical_clear(&canonical);
}

static void
test_cut(void)
{
	g_autoptr(GString) text = g_string_new("From: a\n\n");
	for (int i = 0; i < 1000; i++)
		g_string_append(text, "0123456789\n");
	struct canonical canonical;
	canonical_read((const uint8_t *)text->str, text->len, NULL, 1000, &canonical);
	g_assert_true(canonical.cut);
	g_assert_cmpuint(canonical.length, ==, 1000);
	g_assert_cmpmem(canonical.bytes, 1000, text->str, 1000);
	canonical_clear(&canonical);
}

static void
test_parts(void)
{
	static const char text[] = "From: a\nSubject: b\n\nbody";
	struct canonical canonical;
	canonical_read((const uint8_t *)text, strlen(text), NULL, MESSAGE_MAX, &canonical);
	g_assert_cmpuint(canonical.header_length, ==, strlen("From: a\nSubject: b\n"));
	g_assert_cmpstr((const char *)canonical.bytes + canonical.body, ==, "body");
	canonical_clear(&canonical);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(same_cases); i++) {
		g_autofree char *path =
		    g_strdup_printf("/canonical/same-bytes-everywhere/%s", same_cases[i].name);
		g_test_add_data_func(path, &same_cases[i], test_same);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(digest_cases); i++) {
		g_autofree char *path =
		    g_strdup_printf("/canonical/digest-names-the-message/%s", digest_cases[i].name);
		g_test_add_data_func(path, &digest_cases[i], test_digest);
	}
	g_test_add_func("/canonical/handover-is-the-lowest-own-received", test_handover);
	g_test_add_func("/canonical/beyond-the-limit-is-cut", test_cut);
	g_test_add_func("/canonical/tells-header-from-body", test_parts);
	return g_test_run();
}
