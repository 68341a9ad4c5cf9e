#include "config.h"

#include "lib/keyedhash.h"

#include <glib.h>
#include <sodium.h>

G_STATIC_ASSERT(KEYEDHASH_KEY_SIZE == crypto_shorthash_siphashx24_KEYBYTES);
G_STATIC_ASSERT(KEYEDHASH_SIZE == crypto_shorthash_siphashx24_BYTES);

void
keyedhash_new_key(uint8_t ret_key[KEYEDHASH_KEY_SIZE])
{
	randombytes_buf(ret_key, KEYEDHASH_KEY_SIZE);
}

void
keyedhash(const uint8_t key[KEYEDHASH_KEY_SIZE], const void *data, size_t length,
    uint8_t ret_hash[KEYEDHASH_SIZE])
{
	crypto_shorthash_siphashx24(ret_hash, data, length, key);
}
