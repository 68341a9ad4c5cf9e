/*
 * The pid file of a running program: greylagctl reads it as root, and the daemon's user can write
 * anything there. What is taken is written and read again without a difference, but for cuts.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>
#include <glib.h>

#include "policyd/program/runstate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_again(const struct runstate *state)
{
	char bytes[RUNSTATE_SIZE], twice[RUNSTATE_SIZE];
	struct runstate again;

	runstate_encode(state, bytes);
	g_assert_true(runstate_decode(bytes, sizeof bytes, &again));
	g_assert_cmpint(again.pid, ==, state->pid);
	g_assert_cmpint(again.condition, ==, state->condition);
	g_assert_cmpint(again.since, ==, state->since);
	g_assert_cmpuint(again.generation, ==, state->generation);
	runstate_encode(&again, twice);
	g_assert_cmpmem(bytes, sizeof bytes, twice, sizeof twice);
}

/* As it is, and with the checksum that it needs, which a fuzzer would hardly find. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct runstate state;
	g_autoptr(GString) text = g_string_new_len((const char *)data, (gssize)MIN(size, 5000));
	uint32_t hash = 2166136261U;

	if (runstate_decode((const char *)data, size, &state))
		check_again(&state);
	g_string_append_c(text, '\n');
	for (size_t i = 0; i < text->len; i++)
		hash = (hash ^ (uint8_t)text->str[i]) * 16777619U;
	g_string_append_printf(text, "sum=%08x\n", hash);
	if (runstate_decode(text->str, text->len, &state))
		check_again(&state);
	return 0;
}
