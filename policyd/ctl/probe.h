/*
 * Whether a policy server answers: one request that changes nothing.
 */
#ifndef GREYLAG_POLICYD_CTL_PROBE_H
#define GREYLAG_POLICYD_CTL_PROBE_H

#include <stdbool.h>
#include <glib.h>

/* Asks at ADDRESSES (as policy.listen has them), one after the other, until one answers, for
 * MILLISECONDS at most. *RET_WHERE is the one that answered, of ADDRESSES; else an error of the
 * last.
 */
bool probe_policy(
    const char *const *addresses, int milliseconds, const char **ret_where, GError **error);

#endif
