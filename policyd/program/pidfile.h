/*
 * The pid file of a running program: locked while it runs, so that one that is left over from a
 * crash is told from one in use, and with what the program tells of itself
 * (policyd/program/runstate.h). It lies in the folder of an lmdb: store, else in
 * $(localstatedir)/lib/greylag.
 */
#ifndef GREYLAG_POLICYD_PROGRAM_PIDFILE_H
#define GREYLAG_POLICYD_PROGRAM_PIDFILE_H

#include <stdbool.h>
#include <sys/types.h>
#include <glib.h>

#include "policyd/program/runstate.h"

/* -- the running program -- */

/*
 * Opens it, with all its room on the disk; before privileges are dropped, so that a folder that is
 * closed to OWNER is no obstacle. As root it is given to OWNER. Returns a descriptor; -1 if it
 * cannot be written, which is no reason not to serve.
 */
int pidfile_open(const char *program, const char *store_uri, uid_t owner, gid_t group);

/* Locks it, until the descriptor is closed or this process ends: not before a fork(2) that the
 * program goes on in. False if another program on the same store holds it. */
bool pidfile_hold(int fd);

/* Writes it in place: neither a full disk nor a folder that is closed meanwhile is an obstacle. */
bool pidfile_write(int fd, const struct runstate *state);

/* -- others -- */

enum pidfile_result {
	PIDFILE_RUNS,
	PIDFILE_SILENT,  /* it runs, and its file says nothing that can be read */
	PIDFILE_STOPPED, /* there is a file, and nobody holds it */
	PIDFILE_NONE,    /* there is no file */
	PIDFILE_UNKNOWN, /* it cannot be read: see the error */
};

/* What the program tells; with PIDFILE_SILENT only the process id. */
enum pidfile_result pidfile_read(
    const char *program, const char *store_uri, struct runstate *ret_state, GError **error);

#endif
