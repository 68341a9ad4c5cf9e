/* For unit tests: bytes are the same, in content and length. */
#ifndef GREYLAG_TESTS_BYTES_H
#define GREYLAG_TESTS_BYTES_H

#include <string.h>
#include <glib.h>

#define assert_same_bytes(a, a_length, b, b_length)                                                \
	do {                                                                                       \
		size_t same_a = (a_length), same_b = (b_length);                                   \
		g_assert_cmpuint(same_a, ==, same_b);                                              \
		g_assert_true(same_a == 0 || memcmp((a), (b), same_a) == 0);                       \
	} while (0)

#endif
