#include "config.h"

#include "classifier/bank/turn.h"

#include <string.h>

#include "db/record.h"

#define TURN_VERSION 1

enum turn_tag { TAG_COMMITS = 1, TAG_HOLDER, TAG_UNTIL };

size_t
bank_turn_encode(const struct bank_turn *turn, uint8_t ret_bytes[BANK_TURN_MAX])
{
	struct record_writer w;

	record_writer_init(&w, ret_bytes, BANK_TURN_MAX);
	record_write_version(&w, TURN_VERSION);
	record_write_number(&w, TAG_COMMITS, turn->commits);
	if (turn->holder) {
		record_write_number(&w, TAG_HOLDER, turn->holder);
		record_write_number(&w, TAG_UNTIL, (uint64_t)turn->until);
	}
	return w.used;
}

void
bank_turn_decode(const struct store_bytes *bytes, struct bank_turn *ret_turn)
{
	struct bank_turn turn = {0};
	struct record_reader reader;
	struct record_field f;
	uint8_t version;

	*ret_turn = turn;
	if (!bytes)
		return;
	record_reader_init(&reader, bytes->data, bytes->length, &version);
	while (record_next(&reader, &f)) {
		switch (f.tag) {
		case TAG_COMMITS: turn.commits = record_number(&reader, &f); break;
		case TAG_HOLDER: turn.holder = record_number(&reader, &f); break;
		case TAG_UNTIL: turn.until = (int64_t)record_number(&reader, &f); break;
		}
	}
	if (!reader.broken)
		*ret_turn = turn;
}

/* -- taking it -- */

struct taking {
	uint64_t me, commits;
	int64_t now, until;
	bool mine;
	enum store_result result;
};

static void
take(const struct store_bytes *old, struct store_change *change, void *job)
{
	struct taking *taking = job;
	struct bank_turn turn;
	uint8_t bytes[BANK_TURN_MAX];

	bank_turn_decode(old, &turn);
	taking->commits = turn.commits;
	taking->mine = !turn.holder || turn.holder == taking->me || turn.until <= taking->now;
	if (!taking->mine)
		return;
	turn.holder = taking->me;
	turn.until = taking->until;
	store_change_put(change, bytes, bank_turn_encode(&turn, bytes), 0);
}

static void
give_back(const struct store_bytes *old, struct store_change *change, void *job)
{
	struct bank_turn turn;
	uint8_t bytes[BANK_TURN_MAX];

	bank_turn_decode(old, &turn);
	if (!turn.holder || turn.holder != ((const struct taking *)job)->me)
		return;
	turn.holder = 0;
	store_change_put(change, bytes, bank_turn_encode(&turn, bytes), 0);
}

static void
taken(void *context, enum store_result result, void *job)
{
	struct taking *into = context;

	if (job)
		*into = *(const struct taking *)job;
	into->result = result;
}

static void
change_turn(struct store *store, struct taking *taking, store_update_fn update, unsigned timeout)
{
	const struct store_call call = {.timeout = timeout, .done = taken, .context = taking};

	store_update(store, STORE_MODEL, (struct store_bytes){BANK_TURN_KEY, strlen(BANK_TURN_KEY)},
	    update, g_memdup2(taking, sizeof *taking), g_free, &call);
	store_wait(store);
}

enum store_result
bank_turn_take(struct store *store, uint64_t me, unsigned seconds, unsigned patience,
    unsigned timeout, uint64_t *ret_commits, bool *ret_mine)
{
	int64_t limit = g_get_monotonic_time() + patience * G_TIME_SPAN_SECOND;
	struct taking taking;

	for (;;) {
		taking = (struct taking){
		    .me = me, .now = store_now(store), .until = store_now(store) + seconds};
		change_turn(store, &taking, take, timeout);
		if (taking.result != STORE_OK)
			return taking.result;
		if (taking.mine || g_get_monotonic_time() >= limit)
			break;
		g_usleep((gulong)g_random_int_range(5000, 30000));
	}
	*ret_commits = taking.commits;
	*ret_mine = taking.mine;
	return STORE_OK;
}

void
bank_turn_give_back(struct store *store, uint64_t me, unsigned timeout)
{
	struct taking taking = {.me = me};

	change_turn(store, &taking, give_back, timeout);
}
