#include "config.h"

#include <string.h>
#include <glib.h>

#include "lib/keyedhash.h"

/* From vectors_sip128 of the authors' reference implementation: the key is 00 01 .. 0f, the
 * input 00 01 .. of that length. */
static const struct {
	size_t length;
	const char *hash;
} vectors[] = {
    {0, "a3817f04ba25a8e66df67214c7550293"},
    {1, "da87c1d86b99af44347659119b22fc45"},
    {2, "8177228da4a45dc7fca38bdef60affe4"},
    {3, "9c70b60c5267a94e5f33b6b02985ed51"},
    {4, "f88164c12d9c8faf7d0f6e7c7bcd5579"},
    {5, "1368875980776f8854527a07690e9627"},
    {6, "14eeca338b208613485ea0308fd7a15e"},
    {7, "a1f1ebbed8dbc153c0b84aa61ff08239"},
    {8, "3b62a9ba6258f5610f83e264f31497b4"},
    {9, "264499060ad9baabc47f8b02bb6d71ed"},
    {10, "00110dc378146956c95447d3f3d0fbba"},
    {11, "0151c568386b6677a2b4dc6f81e5dc18"},
    {12, "d626b266905ef35882634df68532c125"},
    {13, "9869e247e9c08b10d029934fc4b952f7"},
    {14, "31fcefac66d7de9c7ec7485fe4494902"},
    {15, "5493e99933b0a8117e08ec0f97cfc3d9"},
};

static char *
hex(const uint8_t *bytes, size_t length)
{
	GString *text = g_string_new(NULL);

	for (size_t i = 0; i < length; i++)
		g_string_append_printf(text, "%02x", bytes[i]);
	return g_string_free(text, FALSE);
}

static void
test_vectors(void)
{
	uint8_t key[KEYEDHASH_KEY_SIZE], input[64], hash[KEYEDHASH_SIZE];

	for (size_t i = 0; i < sizeof input; i++)
		input[i] = (uint8_t)i;
	memcpy(key, input, sizeof key);
	for (size_t i = 0; i < G_N_ELEMENTS(vectors); i++) {
		g_autofree char *text = NULL;

		keyedhash(key, input, vectors[i].length, hash);
		text = hex(hash, sizeof hash);
		g_assert_cmpstr(text, ==, vectors[i].hash);
	}
}

static void
test_key_matters(void)
{
	uint8_t key[KEYEDHASH_KEY_SIZE] = {0}, a[KEYEDHASH_SIZE], b[KEYEDHASH_SIZE];

	keyedhash(key, "a@example.org", 13, a);
	for (size_t i = 0; i < sizeof key; i++) {
		key[i] = 1;
		keyedhash(key, "a@example.org", 13, b);
		g_assert_true(memcmp(a, b, sizeof a) != 0);
		key[i] = 0;
	}
	keyedhash(key, "a@example.org", 13, b);
	g_assert_true(memcmp(a, b, sizeof a) == 0);
}

static void
test_new_keys(void)
{
	uint8_t a[KEYEDHASH_KEY_SIZE] = {0}, b[KEYEDHASH_KEY_SIZE] = {0}, zero[sizeof a] = {0};

	keyedhash_new_key(a);
	keyedhash_new_key(b);
	g_assert_true(memcmp(a, b, sizeof a) != 0);
	g_assert_true(memcmp(a, zero, sizeof a) != 0);
	g_assert_true(memcmp(b, zero, sizeof b) != 0);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/keyedhash/is-siphash-2-4-of-128-bits", test_vectors);
	g_test_add_func("/keyedhash/every-byte-of-the-key-matters", test_key_matters);
	g_test_add_func("/keyedhash/each-new-key-is-another", test_new_keys);
	return g_test_run();
}
