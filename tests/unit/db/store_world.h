/*
 * For tests of any store: calls that are waited for, with keys that are text.
 */
#ifndef GREYLAG_TESTS_STORE_WORLD_H
#define GREYLAG_TESTS_STORE_WORLD_H

#include "db/store.h"

struct store_bytes bytes(const char *text);

/* Fails the test if it cannot be opened. */
struct store *open_store(const struct store_options *options);

/* The done() of a call whose context is an enum store_result. */
void on_done(void *context, enum store_result result, void *job);

/* How it ended, which is told once, and what there is: NULL without. TIMEOUT is in milliseconds; 0
 * for none. */
enum store_result get_value(struct store *store, enum store_space space, struct store_bytes key,
    unsigned timeout, GByteArray **ret_value);

/* The value, as bytes and as text without a NUL in it; NULL if there is none. All else fails the
 * test. */
GByteArray *get_record(struct store *store, enum store_space space, const char *key);
char *get_text(struct store *store, enum store_space space, const char *key, unsigned timeout);

#define assert_value_within(timeout, store, space, key, expected)                                  \
	do {                                                                                       \
		g_autofree char *value = get_text((store), (space), (key), (timeout));             \
		g_assert_cmpstr(value, ==, (expected));                                            \
	} while (0)
#define assert_value(store, space, key, expected)                                                  \
	assert_value_within(0, (store), (space), (key), (expected))

/* Puts TEXT; deletes if it is empty. */
enum store_result put_text(struct store *store, enum store_space space, const char *key,
    const char *text, int64_t expires, unsigned timeout);

/* Lets the store do what it has to, if there is something within so many milliseconds. */
void turn(struct store *store, int wait);
/* Lets both, until the calls that wait for them have been answered. */
void turn_both(struct store *first, struct store *second, const unsigned *waiting);

#endif
