#include "config.h"

#include "classifier/bank/verdicts.h"

#include <math.h>
#include <glib.h>

/* Of the oldest hours so many are looked at each time: more than one hour brings. */
#define EXPIRE_RECORDS 4

void
verdicts_judged(struct verdicts *verdicts, enum verdict verdict, double score)
{
	double clamped = isnan(score) ? 0 : CLAMP(score, 0.0, 1.0);
	/* The bin's lower bound, which belongs to it, may not be exact in binary. */
	int bin = (int)floor(clamped * VERDICTS_BINS + 1e-9);

	verdicts->cells[VERDICTS_HAM + verdict]++;
	verdicts->cells[VERDICTS_SCORES + MIN(bin, VERDICTS_BINS - 1)]++;
	verdicts->cells[VERDICTS_SCORE_SUM] += (int32_t)lround(clamped * 1000);
}

static void
added(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	*(enum store_result *)context = result;
}

bool
verdicts_add(struct store *store, const struct verdicts *verdicts, int64_t now, unsigned timeout)
{
	enum store_result result = STORE_UNAVAILABLE;
	const struct store_call call = {.timeout = timeout, .done = added, .context = &result};
	const struct store_call quiet = {.timeout = timeout};
	struct store_cursor oldest = {0};
	struct store_cell cells[VERDICTS_CELLS];
	uint8_t key[STORE_HOUR_KEY_SIZE];
	struct store_delta delta = {
	    .space = STORE_VERDICTS,
	    .key = {key, sizeof key},
	    .cells = cells,
	    .expires = now / 3600 * 3600 + VERDICTS_DAYS * 86400,
	};
	uint64_t expired;

	store_hour_key(now / 3600, key);
	for (uint32_t i = 0; i < VERDICTS_CELLS; i++)
		if (verdicts->cells[i])
			cells[delta.n_cells++] =
			    (struct store_cell){i, STORE_ADD, verdicts->cells[i]};
	if (!delta.n_cells)
		return true;
	store_add_many(store, &delta, 1, &call);
	store_expire(store, STORE_VERDICTS, &oldest, EXPIRE_RECORDS, now, &expired, &quiet);
	store_wait(store);
	return result == STORE_OK;
}
