/*
 * Records of what somebody waits for: the first bytes are the key, the rest the value. What decodes
 * lies inside them, is the same when it is encoded and decoded again, and can be matched.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>
#include <glib.h>

#include "policyd/decide/expected.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_inside(const struct store_bytes *part, const uint8_t *data, size_t size)
{
	const uint8_t *start = part->data;

	g_assert_true(!start || (start >= data && start + part->length <= data + size));
}

static void
check_same(const struct store_bytes *a, const struct store_bytes *b)
{
	g_assert_true(
	    a->length == b->length && (!a->length || memcmp(a->data, b->data, a->length) == 0));
}

static void
match(const struct expected_entry *entry)
{
	static const uint8_t hash_key[KEYEDHASH_KEY_SIZE] = "0123456789abcde";
	struct expected *expected = expected_new(hash_key);
	struct delivery delivery = {.name = "mx.bank.example", .sender_key = "a@bank.example"};

	expected_add(expected, entry);
	expected_match(expected, &delivery);
	expected_free(expected);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t key_size = MIN(size, EXPECTED_KEY_SIZE);
	struct store_bytes key = {data, key_size}, value = {data + key_size, size - key_size},
			   again;
	uint8_t bytes[EXPECTED_RECORD_MAX];
	struct expected_entry entry, same;

	if (!expected_decode(&key, &value, &entry))
		return 0;
	check_inside(&entry.sender, data, size);
	check_inside(&entry.recipient, data, size);
	again = (struct store_bytes){bytes, expected_encode(&entry, bytes)};
	g_assert_true(expected_decode(&key, &again, &same));
	g_assert_true(entry.since == same.since && entry.until == same.until);
	g_assert_cmpint(entry.hashed, ==, same.hashed);
	check_same(&entry.sender, &same.sender);
	check_same(&entry.recipient, &same.recipient);
	match(&entry);
	return 0;
}
