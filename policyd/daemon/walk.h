/*
 * A walk over all records of some spaces, some hundred at a time, again and again: for what can
 * be told only by looking at each, without anybody who asks having to wait for it.
 */
#ifndef GREYLAG_POLICYD_DAEMON_WALK_H
#define GREYLAG_POLICYD_DAEMON_WALK_H

#include "db/store.h"

/* After a walk comes a rest of so many times its own length, within bounds in seconds. */
#define WALK_REST_SHARE 20
#define WALK_REST_MAX   600

struct walk_part {
	enum store_space space;
	void (*record)(void *context, const struct store_bytes *key,
	    const struct store_bytes *value, int64_t expires);
};

struct walk_plan {
	struct walk_part parts[2];
	unsigned n_parts;
	int64_t rest_min; /* seconds */
	/* A walk begins and ends. One that fails on the way goes on where it was. */
	void (*begin)(void *context, int64_t now);
	void (*end)(void *context, int64_t now);
};

struct walk;

/* PLAN must outlive the walk, which must live until the store is closed. */
struct walk *walk_new(const struct walk_plan *plan, void *context);
void walk_free(struct walk *walk);

/* A step; nothing while one is under way, and during the rest. */
void walk_step(struct walk *walk, struct store *store, int64_t now);

/* When the last whole walk ended; 0 before. */
int64_t walk_ended(const struct walk *walk);

#endif
