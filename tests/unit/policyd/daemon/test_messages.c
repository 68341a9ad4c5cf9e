#include "config.h"

#include <string.h>
#include <glib.h>

#include "policyd/daemon/messages.h"

#define T0 1795000000

static struct policy_request
request(const char *instance, const char *address, const char *port, const char *sender)
{
	struct policy_request r;

	for (unsigned i = 0; i < POLICY_ATTRIBUTES; i++) {
		r.value[i] = "";
		r.length[i] = 0;
	}
	r.value[POLICY_INSTANCE] = instance;
	r.value[POLICY_CLIENT_ADDRESS] = address;
	r.value[POLICY_CLIENT_PORT] = port;
	r.value[POLICY_SENDER] = sender;
	for (unsigned i = 0; i < POLICY_ATTRIBUTES; i++)
		r.length[i] = (uint32_t)strlen(r.value[i]);
	return r;
}

static uint64_t
id_of(const struct messages *messages, const char *instance, const char *address, const char *port,
    const char *sender)
{
	struct policy_request r = request(instance, address, port, sender);

	return messages_id(messages, &r);
}

static const struct policy_decision deferred = {
    .reason = REASON_FIRST, .action = POLICY_DEFER, .wait = 60, .evidence = "gone soon"};
static const struct policy_decision passed = {.reason = REASON_PASSED, .action = POLICY_PREPEND};

static void
test_id(void)
{
	static const struct {
		const char *instance, *address, *port, *sender;
		bool same;
	} rows[] = {
	    {"1.2.0", "192.0.2.1", "25", "a@b", true},
	    {"1.2.1", "192.0.2.1", "25", "a@b", false},
	    {"1.2.0", "192.0.2.2", "25", "a@b", false},
	    {"1.2.0", "192.0.2.1", "26", "a@b", false},
	    {"1.2.0", "192.0.2.1", "25", "a@c", false},
	    {"1.2.01", "92.0.2.1", "25", "a@b", false},
	};
	struct messages *messages = messages_new(4), *others = messages_new(4);
	uint64_t id = id_of(messages, "1.2.0", "192.0.2.1", "25", "a@b");
	g_autofree char *big = g_strnfill(60000, 's');

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		g_assert_cmpint(id_of(messages, rows[i].instance, rows[i].address, rows[i].port,
				    rows[i].sender) == id,
		    ==, rows[i].same);
	g_assert_true(id_of(messages, "", "192.0.2.1", "25", "a@b") == 0);
	g_assert_true(id_of(others, "1.2.0", "192.0.2.1", "25", "a@b") != id);
	g_assert_true(id_of(messages, big, big, big, big) != 0);
	messages_free(messages);
	messages_free(others);
	messages_free(NULL);
}

static void
test_hour(void)
{
	struct messages *messages = messages_new(64);
	struct policy_decision found = {.reason = REASON_OFF};

	g_assert_false(messages_find(messages, 7, T0, &found));
	messages_decided(messages, 7, T0, &deferred);
	g_assert_false(messages_find(messages, 8, T0, &found));
	g_assert_cmpint(found.reason, ==, REASON_OFF);
	g_assert_true(messages_find(messages, 7, T0 + 3600, &found));
	g_assert_cmpint(found.reason, ==, REASON_FIRST);
	g_assert_cmpint(found.action, ==, POLICY_DEFER);
	g_assert_cmpint(found.wait, ==, 60);
	g_assert_null(found.evidence);
	g_assert_false(messages_find(messages, 7, T0 + 3601, &found));
	/* The clock went backwards. */
	g_assert_true(messages_find(messages, 7, T0 - 100, &found));
	messages_decided(messages, 7, T0 + 3601, &passed);
	g_assert_true(messages_find(messages, 7, T0 + 3601, &found));
	g_assert_cmpint(found.reason, ==, REASON_PASSED);
	messages_free(messages);
}

static void
test_no_instance(void)
{
	struct messages *messages = messages_new(4);
	struct policy_decision found;

	messages_decided(messages, 0, T0, &deferred);
	messages_expect_data(messages, 0, T0, "a@b");
	g_assert_false(messages_find(messages, 0, T0, &found));
	g_assert_null(messages_data_recipient(messages, 0, T0));
	messages_free(messages);
}

/* In a table of one set, so that the order alone decides. */
static void
test_oldest_goes(void)
{
	struct messages *messages = messages_new(4);
	struct policy_decision found;

	for (uint64_t id = 1; id <= 4; id++)
		messages_decided(messages, id, T0 + (int64_t)(id == 3 ? 0 : id), &deferred);
	messages_expect_data(messages, 3, T0 + 9, "kept@with.it");
	messages_decided(messages, 5, T0 + 10, &deferred);
	for (uint64_t id = 1; id <= 5; id++)
		g_assert_cmpint(messages_find(messages, id, T0 + 10, &found), ==, id != 3);
	g_assert_null(messages_data_recipient(messages, 3, T0 + 10));
	g_assert_null(messages_data_recipient(messages, 5, T0 + 10));
	messages_free(messages);
}

static void
test_capacity(void)
{
	struct messages *messages = messages_new(1000);
	struct policy_decision found;
	unsigned kept = 0;

	for (unsigned i = 0; i < 100000; i++) {
		char instance[16];
		uint64_t id;

		g_snprintf(instance, sizeof instance, "%x", i);
		id = id_of(messages, instance, "192.0.2.1", "25", "a@b");
		messages_decided(messages, id, T0 + i / 100, &deferred);
		g_assert_true(messages_find(messages, id, T0 + i / 100, &found));
	}
	for (unsigned i = 99000; i < 100000; i++) {
		char instance[16];

		g_snprintf(instance, sizeof instance, "%x", i);
		kept += messages_find(messages, id_of(messages, instance, "192.0.2.1", "25", "a@b"),
		    T0 + 1000, &found);
	}
	/* Sets fill unevenly: some fifth of the last thousand has made room for others of it. */
	g_assert_cmpuint(kept, >, 700);
	messages_free(messages);
}

static void
test_data_recipient(void)
{
	struct messages *messages = messages_new(4);
	struct policy_decision found;

	messages_expect_data(messages, 7, T0, "first@example.net");
	messages_expect_data(messages, 7, T0 + 1, "second@example.net");
	g_assert_cmpstr(messages_data_recipient(messages, 7, T0 + 2), ==, "first@example.net");
	g_assert_false(messages_find(messages, 7, T0 + 2, &found));
	messages_decided(messages, 7, T0 + 2, &passed);
	g_assert_true(messages_find(messages, 7, T0 + 2, &found));
	g_assert_cmpstr(messages_data_recipient(messages, 7, T0 + 2), ==, "first@example.net");
	g_assert_null(messages_data_recipient(messages, 7, T0 + 3601));
	messages_free(messages);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/messages/instance-client-port-and-sender-tell-them-apart", test_id);
	g_test_add_func("/messages/decision-holds-for-an-hour", test_hour);
	g_test_add_func("/messages/no-instance-ties-nothing-together", test_no_instance);
	g_test_add_func("/messages/oldest-makes-room", test_oldest_goes);
	g_test_add_func("/messages/table-keeps-most-of-its-capacity", test_capacity);
	g_test_add_func("/messages/data-is-asked-for-the-first-recipient", test_data_recipient);
	return g_test_run();
}
