#include "config.h"

#include "policyd/daemon/census.h"

#include <string.h>
#include <glib.h>

#include "policyd/daemon/walk.h"

struct census {
	struct walk *walk;
	uint64_t counting[TRIPLET_STATES];
	struct census_result result;
};

static void
begin(void *context, int64_t now G_GNUC_UNUSED)
{
	struct census *census = context;

	memset(census->counting, 0, sizeof census->counting);
}

static void
count(void *context, const struct store_bytes *key G_GNUC_UNUSED, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	struct census *census = context;
	struct triplet triplet;

	if (!triplet_decode(value, &triplet))
		return;
	for (unsigned i = 0; i < triplet.n_sightings; i++)
		census->counting[sighting_state(&triplet.sightings[i])]++;
}

static void
end(void *context, int64_t now)
{
	struct census *census = context;

	memcpy(census->result.states, census->counting, sizeof census->counting);
	census->result.at = now;
}

static const struct walk_plan plan = {
    .parts = {{STORE_TRIPLETS, count}},
    .n_parts = 1,
    .rest_min = 10,
    .begin = begin,
    .end = end,
};

struct census *
census_new(void)
{
	struct census *census = g_new0(struct census, 1);

	census->walk = walk_new(&plan, census);
	return census;
}

void
census_free(struct census *census)
{
	if (!census)
		return;
	walk_free(census->walk);
	g_free(census);
}

void
census_step(struct census *census, struct store *store, int64_t now)
{
	walk_step(census->walk, store, now);
}

struct census_result
census_result(const struct census *census)
{
	return census->result;
}
