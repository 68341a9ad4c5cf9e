/*
 * Least privilege: what has to be done as root, and how to stop being it.
 */
#ifndef GREYLAG_POLICYD_PRIVILEGES_H
#define GREYLAG_POLICYD_PRIVILEGES_H

#include <stdbool.h>
#include <glib.h>

/*
 * As root: makes the folders of lmdb: stores if they are missing (their parents must be there) and
 * gives them to USER, then becomes USER for good, in its groups. An empty USER keeps root. As
 * anybody else only the folders are made. In any case no program that is executed from here on can
 * gain privileges.
 */
bool privileges_drop(
    const char *user, const char *store_uri, const char *fallback_uri, GError **error);

/* Allows as many open files as COUNT wants, or as the hard limit lets. */
void privileges_raise_files(unsigned count);

#endif
