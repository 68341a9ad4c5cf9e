/*
 * The policy on a store in memory with simulated time: requests as Postfix sends them, answers as
 * it gets them.
 */
#ifndef GREYLAG_TESTS_POLICY_WORLD_H
#define GREYLAG_TESTS_POLICY_WORLD_H

#include "policyd/daemon/policy.h"

#define T0 1795000000

struct world {
	struct store *store;
	struct suffix_list *suffixes;
	struct policy *policy;
	char *folder;
	/* the last answer */
	bool answered;
	enum reason reason;
	struct policy_decision decision; /* without its evidence */
	char *evidence;                  /* "" for none */
	char reply[POLICY_REPLY_MAX];
};

/* ASSIGNMENTS are settings, "section.key=value", NULL-terminated; NULL for the defaults. */
struct rules *make_rules(const struct world *world, const char *const *assignments);
void set_rules(struct world *world, const char *const *assignments);
void world_open(struct world *world, const char *const *assignments);
void world_close(struct world *world);

/* The reason's name. TEXT has a line an attribute, over those of a usual request. */
const char *ask(struct world *world, int64_t time, const char *text);

#define assert_reason(world, after, text, expected)                                                \
	g_assert_cmpstr(ask(world, T0 + (after), text), ==, expected)

#endif
