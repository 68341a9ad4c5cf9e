/*
 * How "greylagctl reload" finds the daemon of a store: a file with its process id, locked while
 * it runs, so that one that is left over from a crash is told from one in use. It lies in the
 * folder of an lmdb: store, else in $(localstatedir)/lib/greylag.
 */
#ifndef GREYLAG_POLICYD_PIDFILE_H
#define GREYLAG_POLICYD_PIDFILE_H

#include <sys/types.h>
#include <glib.h>

/* Returns a descriptor that holds the file until it is closed; -1 if it cannot be written or
 * another daemon on the same store holds it, which is no reason not to serve. */
int pidfile_hold(const char *program, const char *store_uri);

/* The process that holds it; 0 and an error if there is none. */
pid_t pidfile_find(const char *program, const char *store_uri, GError **error);

#endif
