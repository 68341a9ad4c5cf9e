#include "config.h"

#include "policyd/daemon/walk.h"

#include <glib.h>

#define STEP_RECORDS 500 /* some hundred microseconds */

struct walk {
	const struct walk_plan *plan;
	void *context;
	struct store_cursor cursor;
	unsigned part;
	bool walking, under_way;
	int64_t began, ended, now; /* the last is the step's */
};

struct walk *
walk_new(const struct walk_plan *plan, void *context)
{
	struct walk *walk = g_new0(struct walk, 1);

	walk->plan = plan;
	walk->context = context;
	return walk;
}

void
walk_free(struct walk *walk)
{
	g_free(walk);
}

int64_t
walk_ended(const struct walk *walk)
{
	return walk->ended;
}

static bool
on_record(
    void *context, const struct store_bytes *key, const struct store_bytes *value, int64_t expires)
{
	struct walk *walk = context;

	if (!expires || expires > walk->now)
		walk->plan->parts[walk->part].record(walk->context, key, value, expires);
	return true;
}

static void
on_step(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct walk *walk = context;

	walk->under_way = false;
	if (result != STORE_OK || !walk->cursor.end)
		return;
	walk->cursor = (struct store_cursor){0};
	if (++walk->part < walk->plan->n_parts)
		return;
	walk->part = 0;
	walk->walking = false;
	walk->ended = walk->now;
	walk->plan->end(walk->context, walk->now);
}

static bool
resting(const struct walk *walk, int64_t now)
{
	int64_t rest = CLAMP(
	    (walk->ended - walk->began) * WALK_REST_SHARE, walk->plan->rest_min, WALK_REST_MAX);

	return !walk->walking && walk->ended && now - walk->ended < rest && now >= walk->ended;
}

void
walk_step(struct walk *walk, struct store *store, int64_t now)
{
	struct store_call call = {.done = on_step, .context = walk};

	if (walk->under_way || resting(walk, now))
		return;
	if (!walk->walking) {
		walk->began = now;
		walk->walking = true;
		walk->plan->begin(walk->context, now);
	}
	walk->under_way = true;
	walk->now = now;
	store_scan(store, walk->plan->parts[walk->part].space, &walk->cursor, STEP_RECORDS,
	    on_record, &call);
}
