/* Any bytes as the record of a store's turn: nothing, or a turn that comes back as it was. */
#include "config.h"

#include <glib.h>

#include "classifier/bank/turn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store_bytes bytes = {data, size};
	struct bank_turn turn, again;
	uint8_t room[BANK_TURN_MAX];

	bank_turn_decode(&bytes, &turn);
	bytes = (struct store_bytes){room, bank_turn_encode(&turn, room)};
	bank_turn_decode(&bytes, &again);
	g_assert_cmpuint(turn.commits, ==, again.commits);
	g_assert_cmpuint(turn.holder, ==, again.holder);
	g_assert_true(!turn.holder || turn.until == again.until);
	return 0;
}
