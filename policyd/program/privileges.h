/*
 * Least privilege: what has to be done as root, and how to stop being it.
 */
#ifndef GREYLAG_POLICYD_PROGRAM_PRIVILEGES_H
#define GREYLAG_POLICYD_PROGRAM_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>
#include <glib.h>

/* Who a program is once it serves: another than root only where it was started as root. */
struct identity {
	char *name; /* NULL: it stays who it is */
	uid_t uid;
	gid_t gid;
};

/* Who USER makes of this process. An error if this is root and there is no such user; an empty
 * USER keeps root. */
bool identity_find(const char *user, struct identity *ret_identity, GError **error);
void identity_clear(struct identity *identity);

/* Becomes it for good, in its groups. */
bool identity_become(const struct identity *identity, GError **error);

/*
 * Makes the folder of an lmdb: store if it is missing (its parent must be there) and gives it to
 * IDENTITY; so is an empty one of root's given, in which the store would be root's and of no use.
 * Other URIs have no folder.
 */
bool privileges_make_folder(const char *store_uri, const struct identity *identity, GError **error);

/* Gives IDENTITY the file at PATH, a log, if it is root's and empty: one that was just made, by
 * this program or by a rotation. */
bool privileges_give_file(const char *path, const struct identity *identity);

/* The folder of an lmdb: store that is not there, or empty. */
bool privileges_would_make(const char *store_uri);

/* A folder or file that these would give away. */
bool privileges_would_give(const char *path, const struct identity *identity);

/* No program that is executed from here on can gain privileges. */
void privileges_gain_none(void);

/* Allows as many open files as COUNT wants, or as the hard limit lets. */
void privileges_raise_files(unsigned count);

#endif
