/*
 * The policy on a store in memory with simulated time: requests as Postfix sends them, answers as
 * it gets them.
 */
#include "config.h"

#include <string.h>
#include <unistd.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "tests/unit/policyd/daemon/policy_world.h"

static void
test_dialogue(void)
{
	struct world w;

	world_open(&w, NULL);
	assert_reason(&w, 0, "", "first");
	g_assert_cmpstr(
	    w.reply, ==, "action=DEFER_IF_PERMIT 4.2.0 Greylisted, try again in 60 seconds\n\n");
	assert_reason(&w, 10, "", "early");
	assert_reason(&w, 61, "", "passed");
	g_assert_cmpstr(w.reply, ==,
	    "action=PREPEND X-Greylist: delayed 61 seconds by greylagd at mx.example; "
	    "Wed, 18 Nov 2026 11:06:40 +0000\n\n");
	assert_reason(&w, 62, "", "known");
	g_assert_cmpstr(w.reply, ==, "action=DUNNO\n\n");
	world_close(&w);
}

/* RFC 6647, 5.1: the first recipient decides for the message, and the header comes once. */
static void
test_one_decision_a_message(void)
{
	struct world w;

	world_open(&w, NULL);
	assert_reason(&w, 0, "instance=a.1\n", "first");
	assert_reason(&w, 0, "instance=a.1\nrecipient=eve@example.net\n", "same-message");
	g_assert_cmpint(w.decision.action, ==, POLICY_DEFER);
	assert_reason(&w, 70, "instance=a.2\n", "passed");
	assert_reason(&w, 70, "instance=a.2\nrecipient=eve@example.net\n", "same-message");
	g_assert_cmpstr(w.reply, ==, "action=DUNNO\n\n");
	/* The second recipient alone was never decided about. */
	assert_reason(&w, 80, "instance=a.3\nrecipient=eve@example.net\n", "first");
	world_close(&w);
}

static void
test_no_instance_ties_nothing(void)
{
	struct world w;

	world_open(&w, NULL);
	assert_reason(&w, 0, "", "first");
	assert_reason(&w, 0, "recipient=eve@example.net\n", "first");
	world_close(&w);
}

/* The same instance from another client or sender is another message. */
static void
test_instance_of_another_host(void)
{
	struct world w;

	world_open(&w, NULL);
	assert_reason(&w, 0, "instance=a.1\n", "first");
	assert_reason(&w, 0, "instance=a.1\nclient_address=198.51.100.1\n", "first");
	assert_reason(&w, 0, "instance=a.1\nsender=eve@example.org\n", "first");
	world_close(&w);
}

static char *
write_list(const char *entries)
{
	char *path = NULL;
	int fd = g_file_open_tmp("greylag-list-XXXXXX", &path, NULL);

	g_assert_cmpint(fd, >=, 0);
	close(fd);
	g_assert_true(g_file_set_contents(path, entries, -1, NULL));
	return path;
}

/* A recipient's exemption holds for that recipient: the triplet takes the first that has none. */
static void
test_exempt_recipient(void)
{
	g_autofree char *path = write_list("postmaster@\n");
	g_autofree char *setting = g_strconcat("whitelist.recipients=", path, NULL);
	struct world w;

	world_open(&w, (const char *const[]){setting, NULL});
	assert_reason(
	    &w, 0, "instance=a.1\nrecipient=postmaster@example.net\n", "whitelisted-recipient");
	assert_reason(&w, 0, "instance=a.1\n", "first");
	assert_reason(&w, 60, "instance=a.2\n", "passed");
	world_close(&w);
	g_unlink(path);
}

static void
test_opt_in(void)
{
	g_autofree char *path = write_list("al@example.net\n");
	g_autofree char *setting = g_strconcat("whitelist.opt_in=", path, NULL);
	struct world w;

	world_open(&w, (const char *const[]){setting, NULL});
	assert_reason(&w, 0, "instance=a.1\nrecipient=eve@example.net\n", "not-opted-in");
	assert_reason(&w, 0, "instance=a.1\n", "first");
	world_close(&w);
	g_unlink(path);
}

static const struct {
	const char *request, *reason, *setting;
} spared[] = {
    {"sasl_username=al\n", "authenticated", NULL},
    {"client_address=127.0.0.1\n", "own-network", NULL},
    {"client_address=::1\n", "own-network", NULL},
    {"client_address=10.9.8.7\n", "own-network", "whitelist.networks=10.9.8.0/24"},
    {"client_address=unknown\n", "no-address", NULL},
    {"client_address=300.1.1.1\n", "no-address", NULL},
    {"ccert_fingerprint=AB:CD\n", "certificate", "whitelist.fingerprints=ab:cd"},
    {"ccert_fingerprint=AB:CE\n", "first", "whitelist.fingerprints=ab:cd"},
    {"ccert_subject=ab:cd\n", "first", "whitelist.fingerprints=ab:cd"},
    {"protocol_state=DATA\n", "other-state", NULL},
    {"protocol_state=END-OF-MESSAGE\n", "other-state", NULL},
    {"protocol_state=\n", "other-state", NULL},
    {"request=junk_mail_inquiry\n", "other-request", NULL},
    {"", "off", "greylist.mode=off"},
    {"client_name=mail.example.org\n", "not-suspicious", "greylist.when=suspicious"},
    {"", "first", "greylist.when=suspicious"},
    {"client_name=mail.example.org\nhelo_name=localhost\n", "first", "greylist.when=suspicious"},
    {"client_name=192-0-2-1.dsl.example.org\n", "first", "greylist.when=suspicious"},
};

static void
test_spared(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(spared); i++) {
		struct world w;

		world_open(&w, (const char *const[]){spared[i].setting, NULL});
		g_test_message("%s", spared[i].request);
		assert_reason(&w, 0, spared[i].request, spared[i].reason);
		world_close(&w);
	}
}

static void
test_pool(void)
{
	struct world w;

	world_open(&w, NULL);
	assert_reason(&w, 0, "client_name=mx1.example.com\n", "first");
	assert_reason(
	    &w, 70, "client_name=mx9.example.com\nclient_address=198.51.100.9\n", "passed");
	g_assert_true(w.decision.by_name);
	world_close(&w);
}

/* The trap of matching by name: bots behind a provider's names that forge the recipient. */
static void
test_pool_not_for_forgers(void)
{
	static const char *const senders[] = {
	    "sender=\n", "sender=al@example.net\n", "sender=AL@example.net\n"};

	for (size_t i = 0; i < G_N_ELEMENTS(senders); i++) {
		g_autofree char *a = g_strconcat("client_name=mx1.example.com\n", senders[i], NULL);
		g_autofree char *b = g_strconcat("client_address=198.51.100.9\n", a, NULL);
		struct world w;

		world_open(&w, NULL);
		assert_reason(&w, 0, a, "first");
		assert_reason(&w, 70, b, "first");
		assert_reason(&w, 71, a, "passed");
		world_close(&w);
	}
}

/* A name proves nothing by itself: only the addresses that passed are trusted. */
static void
test_trust_is_not_by_name(void)
{
	struct world w;

	world_open(&w, (const char *const[]){"greylist.auto_whitelist_after=1", NULL});
	assert_reason(&w, 0, "client_name=mx1.example.com\n", "first");
	assert_reason(&w, 70, "client_name=mx1.example.com\n", "passed");
	assert_reason(
	    &w, 80, "client_name=mx1.example.com\nsender=eve@example.org\n", "known-client");
	assert_reason(&w, 80,
	    "client_name=mx2.example.com\nclient_address=192.0.2.2\nsender=eve@example.org\n",
	    "first");
	world_close(&w);
}

static void
test_auto_whitelist(void)
{
	struct world w;
	char sender[64];

	world_open(&w, NULL);
	for (int i = 0; i < 5; i++) {
		g_snprintf(sender, sizeof sender, "sender=%c@example.org\n", 'a' + i);
		assert_reason(&w, i * 4000, sender, "first");
		assert_reason(&w, i * 4000 + 60, sender, "passed");
	}
	assert_reason(&w, 20000, "sender=new@example.org\n", "known-client");
	assert_reason(&w, 20000, "sender=new@example.org\nclient_address=192.0.2.2\n", "first");
	world_close(&w);
}

static void
test_observe(void)
{
	const char *const observe[] = {"greylist.mode=observe", NULL};
	struct world w;

	world_open(&w, observe);
	assert_reason(&w, 0, "", "first");
	g_assert_cmpstr(w.reply, ==, "action=DUNNO\n\n");
	set_rules(&w, NULL);
	assert_reason(&w, 10, "", "known");
	assert_reason(&w, 10, "sender=eve@example.org\n", "first");
	g_assert_cmpint(w.decision.action, ==, POLICY_DEFER);
	world_close(&w);
}

/* Callouts end at RCPT (RFC 6647, 2 and 4): at DATA they are not disturbed. */
static void
test_null_sender_at_data(void)
{
	const char *const at_data[] = {"greylist.null_sender=data", NULL};
	struct world w;

	world_open(&w, at_data);
	assert_reason(&w, 0, "sender=\ninstance=a.1\n", "null-sender-later");
	assert_reason(
	    &w, 0, "sender=\ninstance=a.1\nrecipient=eve@example.net\n", "null-sender-later");
	assert_reason(&w, 1, "sender=\ninstance=a.1\nprotocol_state=DATA\nrecipient=\n", "first");
	assert_reason(&w, 70, "sender=\ninstance=a.2\n", "null-sender-later");
	assert_reason(&w, 71, "sender=\ninstance=a.2\nprotocol_state=DATA\nrecipient=\n", "passed");
	/* Other senders are decided at RCPT as ever, and have nothing to fear at DATA. */
	assert_reason(&w, 80, "instance=a.3\n", "first");
	assert_reason(&w, 80, "instance=a.3\nprotocol_state=DATA\n", "other-state");
	/* Nothing remembered, several recipients: nothing to decide on. */
	assert_reason(
	    &w, 80, "sender=\ninstance=a.4\nprotocol_state=DATA\nrecipient=\n", "other-state");
	world_close(&w);
}

/* A null sender has no name of its own: its bounces are told apart by network. */
static void
test_null_sender_by_network(void)
{
	struct world w;

	world_open(&w, NULL);
	assert_reason(&w, 0, "sender=\n", "first");
	assert_reason(&w, 60, "sender=\nclient_address=198.51.100.1\n", "first");
	assert_reason(&w, 61, "sender=\n", "passed");
	world_close(&w);
}

static void
test_one_time_senders(void)
{
	struct world w;

	world_open(&w, NULL);
	assert_reason(&w, 0, "sender=list-123-al=example.net@lists.example\n", "first");
	assert_reason(&w, 60, "sender=list-456-al=example.net@lists.example\n", "passed");
	world_close(&w);
}

/* When the pair's places are in use, further ones have records of their own. */
static void
test_overflow(void)
{
	struct world w;
	char client[64];

	world_open(&w, NULL);
	for (int i = 0; i < 40; i++) {
		g_snprintf(client, sizeof client, "client_address=10.0.%d.1\n", i);
		assert_reason(&w, i, client, "first");
	}
	for (int i = 0; i < 40; i++) {
		g_snprintf(client, sizeof client, "client_address=10.0.%d.9\n", i);
		assert_reason(&w, 100 + i, client, "passed");
		assert_reason(&w, 100 + i, client, "known");
	}
	world_close(&w);
}

static void
test_privacy(void)
{
	struct world w;
	struct store_status status;

	world_open(&w, (const char *const[]){"greylist.privacy=on", NULL});
	assert_reason(&w, 0, "", "first");
	assert_reason(&w, 60, "", "passed");
	g_assert_cmpint(store_status(w.store, &status), ==, STORE_OK);
	g_assert_cmpuint(status.records[STORE_TRIPLETS], ==, 1);
	/* Switched off, what is there is still known. */
	set_rules(&w, NULL);
	assert_reason(&w, 70, "", "known");
	world_close(&w);
}

static bool
holds_address(void *context, const struct store_bytes *key G_GNUC_UNUSED,
    const struct store_bytes *value, int64_t expires G_GNUC_UNUSED)
{
	bool *found = context;

	*found |= memmem(value->data, value->length, "example", 7) != NULL;
	return true;
}

static void
test_privacy_keeps_no_address(void)
{
	struct world w;
	struct store_cursor cursor = {0};
	struct store_call call;
	bool found = false;

	world_open(&w, (const char *const[]){"greylist.privacy=on", NULL});
	assert_reason(&w, 0, "", "first");
	call = (struct store_call){.context = &found};
	store_scan(w.store, STORE_TRIPLETS, &cursor, 10, holds_address, &call);
	g_assert_false(found);
	world_close(&w);
}

static void
test_allowed(void)
{
	struct allowed_entry entry = {.since = T0, .until = T0 + 100};
	uint8_t bytes[ALLOWED_RECORD_MAX];
	size_t length = allowed_encode(&entry, bytes);
	struct allowed_entry back;

	g_assert_true(allowed_decode(&(struct store_bytes){bytes, length}, &back));
	g_assert_cmpint(back.until, ==, entry.until);
}

static void
test_without_store(void)
{
	struct world w;

	world_open(&w, NULL);
	policy_set_store(w.policy, NULL);
	assert_reason(&w, 0, "", "store-unavailable");
	g_assert_cmpstr(w.reply, ==, "action=DUNNO\n\n");
	assert_reason(&w, 0, "sasl_username=al\n", "authenticated");
	policy_set_store(w.policy, w.store);
	assert_reason(&w, 1, "", "first");
	world_close(&w);
}

/* A record that something has damaged costs one more delay, never mail for good. */

static void
put_garbage(const struct store_bytes *old G_GNUC_UNUSED, struct store_change *change, void *job)
{
	(void)job;
	store_change_put(change, "\x01\x05\xff\xff\xff", 5, T0 + 1000);
}

static void
test_damaged_record_heals(void)
{
	struct world w;
	uint8_t key[KEYEDHASH_SIZE];
	struct store_call nobody = {0};

	world_open(&w, NULL);
	triplet_key(store_hash_key(w.store), "bob@example.org", "al@example.net", NULL, NULL, key);
	store_update(w.store, STORE_TRIPLETS, (struct store_bytes){key, sizeof key}, put_garbage,
	    NULL, NULL, &nobody);
	store_wait(w.store);
	assert_reason(&w, 0, "", "first");
	assert_reason(&w, 60, "", "passed");
	world_close(&w);
}

static const struct {
	const char *promise;
	void (*test)(void);
} tests[] = {
    {"a-dialogue-is-deferred-then-passed-then-known", test_dialogue},
    {"one-decision-a-message", test_one_decision_a_message},
    {"without-instance-nothing-is-tied-together", test_no_instance_ties_nothing},
    {"an-instance-belongs-to-its-client-and-sender", test_instance_of_another_host},
    {"an-exempt-recipient-exempts-itself-only", test_exempt_recipient},
    {"who-has-not-opted-in-is-not-greylisted", test_opt_in},
    {"who-is-spared-is-told-why", test_spared},
    {"a-retry-from-elsewhere-in-the-pool-passes", test_pool},
    {"forgers-get-nothing-from-a-pools-name", test_pool_not_for_forgers},
    {"trust-is-not-given-by-name", test_trust_is_not_by_name},
    {"a-client-that-passes-often-is-known", test_auto_whitelist},
    {"observe-defers-nobody-and-its-records-count", test_observe},
    {"null-senders-may-be-decided-at-data", test_null_sender_at_data},
    {"null-senders-are-told-apart-by-network", test_null_sender_by_network},
    {"one-time-senders-match-their-retry", test_one_time_senders},
    {"places-past-the-records-room-have-their-own", test_overflow},
    {"with-privacy-all-works-as-without", test_privacy},
    {"with-privacy-no-address-is-kept", test_privacy_keeps_no_address},
    {"an-exception-is-kept-with-its-end", test_allowed},
    {"without-a-store-mail-is-let-in", test_without_store},
    {"a-damaged-record-heals", test_damaged_record_heals},
};

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *path = g_strconcat("/policy/", tests[i].promise, NULL);

		g_test_add_func(path, tests[i].test);
	}
	return g_test_run();
}
