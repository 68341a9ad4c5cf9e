/* The operator's exceptions, for "greylagctl allow" and the commands that show or erase them. */
#ifndef GREYLAG_POLICYD_CTL_ALLOW_H
#define GREYLAG_POLICYD_CTL_ALLOW_H

#include "policyd/ctl.h"

/* A line for each exception: what, since when, until when. */
bool ctl_allow_list(struct ctl *ctl, bool json, GError **error);

/* Erases the exception of TEXT; *RET_COUNT is 0 if there is none. */
bool ctl_allow_erase(struct ctl *ctl, const char *text, uint64_t *ret_count, GError **error);

#endif
