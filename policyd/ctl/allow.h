/* The operator's exceptions, for "greylagctl allow" and the commands that show or erase them. */
#ifndef GREYLAG_POLICYD_CTL_ALLOW_H
#define GREYLAG_POLICYD_CTL_ALLOW_H

#include "policyd/ctl/ctl.h"
#include "policyd/ctl/filter.h"

/* A line for each exception that is meant: what, since when, until when. TEXT is what FILTER was
 * made of. */
bool ctl_allow_list(struct ctl *ctl, const struct filter *filter, const struct filter_text *text,
    bool json, GError **error);

/* Erases the exception of TEXT; *RET_COUNT is 0 if there is none. */
bool ctl_allow_erase(struct ctl *ctl, const char *text, uint64_t *ret_count, GError **error);

#endif
