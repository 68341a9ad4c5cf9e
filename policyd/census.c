#include "policyd/census.h"

#include <string.h>
#include <glib.h>

#define STEP_RECORDS 500 /* some hundred microseconds */
/* A walk is followed by a rest of so many times its own length, in seconds within these bounds. */
#define REST_SHARE 20
#define REST_MIN   10
#define REST_MAX   600

struct census {
	struct store_cursor cursor;
	bool under_way;
	int64_t began, now; /* of the walk, and of its step */
	uint64_t counting[TRIPLET_STATES];
	struct census_result result;
};

struct census *
census_new(void)
{
	return g_new0(struct census, 1);
}

void
census_free(struct census *census)
{
	g_free(census);
}

static bool
count(void *context, const struct store_bytes *key G_GNUC_UNUSED, const struct store_bytes *value,
    int64_t expires)
{
	struct census *census = context;
	struct triplet triplet;

	if (expires && expires <= census->now)
		return true;
	if (!triplet_decode(value, &triplet))
		return true;
	for (unsigned i = 0; i < triplet.n_sightings; i++)
		census->counting[sighting_state(&triplet.sightings[i])]++;
	return true;
}

static void
on_step(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct census *census = context;

	census->under_way = false;
	if (result != STORE_OK || !census->cursor.end)
		return;
	memcpy(census->result.states, census->counting, sizeof census->counting);
	census->result.at = census->now;
	memset(census->counting, 0, sizeof census->counting);
	census->cursor = (struct store_cursor){0};
}

static int64_t
rest(const struct census *census)
{
	return CLAMP((census->result.at - census->began) * REST_SHARE, REST_MIN, REST_MAX);
}

void
census_step(struct census *census, struct store *store, int64_t now)
{
	struct store_call call = {.done = on_step, .context = census};
	bool resting = census->cursor.length == 0 && census->result.at &&
		       now - census->result.at < rest(census) && now >= census->result.at;

	if (census->under_way || resting)
		return;
	census->under_way = true;
	census->now = now;
	if (census->cursor.length == 0)
		census->began = now;
	store_scan(store, STORE_TRIPLETS, &census->cursor, STEP_RECORDS, count, &call);
}

struct census_result
census_result(const struct census *census)
{
	return census->result;
}
