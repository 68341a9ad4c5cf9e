/* What somebody waits for: which mail an expectation holds for, and its record. */
#include "config.h"

#include <string.h>
#include <glib.h>

#include "policyd/decide/expected.h"

static const uint8_t hash_key[KEYEDHASH_KEY_SIZE] = "0123456789abcde";

static struct store_bytes
text_bytes(const char *text)
{
	return (struct store_bytes){text, strlen(text)};
}

static struct expected_entry
entry_of(const char *sender, const char *recipient)
{
	return (struct expected_entry){.since = 1795000000,
	    .until = 1795000900,
	    .sender = text_bytes(sender),
	    .recipient = text_bytes(recipient)};
}

/* Stored and read again, as text or as hashes. */
static void
add_stored(struct expected *expected, const struct expected_entry *entry, bool hashed)
{
	uint8_t key[EXPECTED_KEY_SIZE], bytes[EXPECTED_RECORD_MAX];
	struct store_bytes stored_key = {key, sizeof key}, value = {bytes, 0};
	struct expected_entry given = *entry, stored;

	expected_key(hash_key, entry, key);
	given.hashed = hashed;
	value.length = expected_encode(&given, bytes);
	g_assert_true(expected_decode(&stored_key, &value, &stored));
	g_assert_cmpint(stored.hashed, ==, hashed);
	g_assert_cmpint(stored.since, ==, entry->since);
	g_assert_cmpint(stored.until, ==, entry->until);
	g_assert_cmpint(stored.recipient.length != 0, ==, entry->recipient.length != 0);
	expected_add(expected, &stored);
}

static bool
holds(const struct expected *expected, const char *sender, const char *recipient, const char *name)
{
	struct policy_request request;
	struct delivery delivery;

	for (int i = 0; i < POLICY_ATTRIBUTES; i++) {
		request.value[i] = "";
		request.length[i] = 0;
	}
	request.value[POLICY_CLIENT_ADDRESS] = "192.0.2.7";
	request.value[POLICY_CLIENT_NAME] = name ? name : "unknown";
	request.value[POLICY_SENDER] = sender;
	request.length[POLICY_SENDER] = (uint32_t)strlen(sender);
	request.value[POLICY_RECIPIENT] = recipient;
	request.length[POLICY_RECIPIENT] = (uint32_t)strlen(recipient);
	delivery_init(&delivery, &request);
	return expected_match(expected, &delivery) != NULL;
}

static const struct {
	const char *expected, *for_whom, *sender, *recipient, *name;
	bool holds;
} cases[] = {
    {"noreply@bank.example", "", "noreply@bank.example", "bob@example.com", NULL, true},
    {"NoReply@Bank.example.", "", "NOREPLY@bank.example", "bob@example.com", NULL, true},
    {"noreply@bank.example", "", "noreply+77@bank.example", "bob@example.com", NULL, true},
    {"bounce-1234567@bank.example", "", "bounce-7654321@bank.example", "b@example.com", NULL, true},
    {"noreply@bank.example", "", "other@bank.example", "bob@example.com", NULL, false},
    {"noreply@bank.example", "", "noreply@mail.bank.example", "bob@example.com", NULL, false},
    {"bank.example", "", "noreply@bank.example", "bob@example.com", NULL, true},
    {"Bank.Example.", "", "x@mail.eu.bank.example", "bob@example.com", NULL, true},
    {"@bank.example", "", "noreply@bank.example", "bob@example.com", NULL, true},
    {"bank.example", "", "noreply@notbank.example", "bob@example.com", NULL, false},
    {"bank.example", "", "noreply@bank.example.evil.example", "bob@example.com", NULL, false},
    {"bank.example", "", "bounce@sender.example", "bob@example.com", "mx1.Bank.example", true},
    {"bank.example", "", "", "bob@example.com", "mx1.bank.example", true},
    {"bank.example", "", "", "bob@example.com", NULL, false},
    {"noreply@bank.example", "", "x@other.example", "b@example.com", "bank.example", false},
    {"bank.example", "bob@example.com", "noreply@bank.example", "Bob+code@example.com", NULL, true},
    {"bank.example", "bob@example.com", "noreply@bank.example", "eve@example.com", NULL, false},
    {"bank.example", "example.com", "noreply@bank.example", "eve@example.com", NULL, true},
    {"bank.example", "example.com", "noreply@bank.example", "eve@eu.example.com", NULL, true},
    {"bank.example", "example.com", "noreply@bank.example", "eve@example.net", NULL, false},
    {"bank.example", "eu.example.com", "noreply@bank.example", "eve@example.com", NULL, false},
};

static void
test_match(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		for (int hashed = 0; hashed < 2; hashed++) {
			struct expected *expected = expected_new(hash_key);
			char sender[ENVELOPE_ADDRESS_SIZE];
			struct expected_entry entry;

			g_assert_true(
			    expected_parse(cases[i].expected, SELECTOR_SENDER, sender, NULL));
			entry = entry_of(sender, cases[i].for_whom);
			g_assert_false(
			    holds(expected, cases[i].sender, cases[i].recipient, cases[i].name));
			add_stored(expected, &entry, hashed);
			g_test_message("%s, hashed %d", cases[i].sender, hashed);
			g_assert_cmpint(
			    holds(expected, cases[i].sender, cases[i].recipient, cases[i].name), ==,
			    cases[i].holds);
			expected_free(expected);
		}
	}
}

/* Two who wait for the same sender do not shut each other out. */
static void
test_several(void)
{
	struct expected *expected = expected_new(hash_key);
	struct expected_entry bob = entry_of("bank.example", "bob@example.com");
	struct expected_entry eve = entry_of("bank.example", "eve@example.com");

	add_stored(expected, &bob, false);
	add_stored(expected, &eve, true);
	g_assert_true(holds(expected, "a@bank.example", "bob@example.com", NULL));
	g_assert_true(holds(expected, "a@bank.example", "eve@example.com", NULL));
	g_assert_false(holds(expected, "a@bank.example", "ann@example.com", NULL));
	expected_free(expected);
}

static void
test_parse(void)
{
	static const char *const bad[] = {"", "<>", "nodot", "@", "bob@", "two words.example",
	    "192.0.2.0/24", "192.0.2.7", ".example", "<@bank.example>", "@nodot", "@@bank.example"};
	char sender[ENVELOPE_ADDRESS_SIZE];

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_false(expected_parse(bad[i], SELECTOR_SENDER, sender, &error));
		g_assert_nonnull(error);
	}
}

/* No bytes of a key or a value are read past their end, whatever they are. */
static void
test_damaged(void)
{
	struct expected_entry entry = entry_of("noreply@bank.example", "bob@example.com"), read;
	uint8_t key[EXPECTED_KEY_SIZE], bytes[EXPECTED_RECORD_MAX];
	size_t length;

	expected_key(hash_key, &entry, key);
	length = expected_encode(&entry, bytes);
	for (size_t n = 0; n < length; n++) {
		g_autofree uint8_t *copy = g_memdup2(bytes, MAX(n, 1));

		expected_decode(
		    &(struct store_bytes){key, sizeof key}, &(struct store_bytes){copy, n}, &read);
	}
	g_assert_false(expected_decode(
	    &(struct store_bytes){key, sizeof key}, &(struct store_bytes){bytes, 1}, &read));
	g_assert_false(expected_decode(&(struct store_bytes){"bank.example", 12},
	    &(struct store_bytes){bytes, length}, &read));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/expected/match", test_match);
	g_test_add_func("/expected/several", test_several);
	g_test_add_func("/expected/parse", test_parse);
	g_test_add_func("/expected/damaged", test_damaged);
	return g_test_run();
}
