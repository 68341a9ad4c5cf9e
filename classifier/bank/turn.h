/*
 * Whose turn it is to write to a store that several hosts train: the record "turn" of STORE_MODEL.
 *
 * It counts the commits. A trainer takes the turn, reads what it is about to change, and writes all
 * of it in one transaction with the next number, which fails if another has committed in between.
 * So the number is what keeps counts right; that others wait while somebody has the turn only
 * spares them the work of doing it again, and ends by itself if the holder does not come back.
 *
 *	01  01 01 07  02 08 HOLDER  03 04 UNTIL    seven commits; the holder, and the time at which
 *	                                           the turn is over, seconds since 1970
 */
#ifndef GREYLAG_CLASSIFIER_BANK_TURN_H
#define GREYLAG_CLASSIFIER_BANK_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "db/store.h"

#define BANK_TURN_KEY "turn"
#define BANK_TURN_MAX 64 /* bytes */

struct bank_turn {
	uint64_t commits;
	uint64_t holder; /* a random number of the process; 0: nobody */
	int64_t until;
};

size_t bank_turn_encode(const struct bank_turn *turn, uint8_t ret_bytes[BANK_TURN_MAX]);
/* NULL bytes are a store without commits. What is malformed counts as that, too. */
void bank_turn_decode(const struct store_bytes *bytes, struct bank_turn *ret_turn);

/* Takes the turn for ME for so many seconds, waiting PATIENCE seconds at most for another's to be
 * over. *RET_COMMITS is the number so far, *RET_MINE whether it was had. */
enum store_result bank_turn_take(struct store *store, uint64_t me, unsigned seconds,
    unsigned patience, unsigned timeout, uint64_t *ret_commits, bool *ret_mine);
void bank_turn_give_back(struct store *store, uint64_t me, unsigned timeout);

#endif
