/*
 * Who keeps the store for a daemon: opens it, and again while it cannot be opened (mail goes on
 * meanwhile), lets its completions in, and lets records go whose time is over.
 */
#ifndef GREYLAG_POLICYD_DAEMON_KEEPER_H
#define GREYLAG_POLICYD_DAEMON_KEEPER_H

#include "db/store.h"
#include "lib/settings.h"
#include "policyd/daemon/census.h"
#include "policyd/daemon/reporter.h"
#include "policyd/daemon/policy.h"
#include "policyd/program/runstate.h"
#include "policyd/stats/stats.h"

struct ev_loop;
struct keeper;

/* Opens the store, or tries again every few seconds, and gives it to POLICY. SETTINGS are read
 * during the call only. */
struct keeper *keeper_new(struct ev_loop *loop, const struct settings *settings,
    struct policy *policy, struct stats *stats);

/* Writes down what is counted and commits what waits, then closes the store. */
void keeper_free(struct keeper *keeper);

/* Seconds since 1970 by the store's clock, or this machine's while there is no store. */
int64_t keeper_now(const struct keeper *keeper);

/* NULL while it cannot be opened. */
struct store *keeper_store(const struct keeper *keeper);

/* What mail experiences, since when, and of a bad condition why. The text is valid until the loop
 * goes on. */
enum condition keeper_condition(struct keeper *keeper, int64_t *ret_since, const char **ret_reason);

/* Records let go since the start, and when the last pass over all records ended (0: none yet). */
uint64_t keeper_expired(const struct keeper *keeper);
int64_t keeper_last_pass(const struct keeper *keeper);
struct census_result keeper_census(const struct keeper *keeper);
/* Valid until the loop goes on; NULL while none has been made. */
const struct report_result *keeper_report(const struct keeper *keeper);

/* What the policy remembers besides the store. */
struct known_status keeper_cache(const struct keeper *keeper);

#endif
