/*
 * Keyed 128-bit hashes (SipHash-2-4 with 128 bits, Aumasson and Bernstein 2012), by which records
 * are found. Who does not know the key can neither craft collisions nor test guesses.
 */
#ifndef GREYLAG_LIB_KEYEDHASH_H
#define GREYLAG_LIB_KEYEDHASH_H

#include <stddef.h>
#include <stdint.h>

#define KEYEDHASH_KEY_SIZE 16
#define KEYEDHASH_SIZE     16

/* Fills KEY from the kernel's random number generator. */
void keyedhash_new_key(uint8_t ret_key[KEYEDHASH_KEY_SIZE]);

void keyedhash(const uint8_t key[KEYEDHASH_KEY_SIZE], const void *data, size_t length,
    uint8_t ret_hash[KEYEDHASH_SIZE]);

#endif
