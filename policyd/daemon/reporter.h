/*
 * The daemon's report of the last thirty days: made by a slow walk over what it rests on, so that
 * nobody who looks at the page waits for it, and told with the time of its making.
 */
#ifndef GREYLAG_POLICYD_DAEMON_REPORTER_H
#define GREYLAG_POLICYD_DAEMON_REPORTER_H

#include "policyd/stats/report.h"

#define REPORTER_DAYS 30

struct reporter;

/* Must live until the store is closed. */
struct reporter *reporter_new(void);
void reporter_free(struct reporter *reporter);

/* A step of the walk; nothing while one is under way, and for a while after a whole one: a minute
 * where that was quick, ten minutes at most. RETRY_WINDOW, in seconds, is heeded from the next walk
 * on. */
void reporter_step(
    struct reporter *reporter, struct store *store, int64_t now, int64_t retry_window);

/* Valid until the next step; NULL before the first whole walk. */
const struct report_result *reporter_result(const struct reporter *reporter);

#endif
