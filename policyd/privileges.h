/*
 * Least privilege: what has to be done as root, and how to stop being it.
 */
#ifndef GREYLAG_POLICYD_PRIVILEGES_H
#define GREYLAG_POLICYD_PRIVILEGES_H

#include <stdbool.h>
#include <glib.h>

/*
 * As root: makes the folder of an lmdb: store if it is missing (its parent must be there) and
 * gives it to USER, then becomes USER for good, in its groups. An empty USER keeps root. As
 * anybody else only the folder is made. In any case no program that is executed from here on can
 * gain privileges.
 */
bool privileges_drop(const char *user, const char *store_uri, GError **error);

/* Allows as many open files as COUNT wants, or as the hard limit lets. */
void privileges_raise_files(unsigned count);

#endif
