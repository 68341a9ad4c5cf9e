/*
 * Listening sockets: those that the configuration names, and those that systemd hands over.
 */
#ifndef GREYLAG_POLICYD_LISTENER_H
#define GREYLAG_POLICYD_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>
#include <glib.h>

/*
 * Opens what ADDRESS names: inet:HOST:PORT with a literal IPv4 address, [IPv6] address or a name
 * (all of its addresses, e.g. both of localhost's; one that this machine lacks is skipped as long
 * as another works), or unix:PATH with file mode MODE. A socket file that nobody serves any more
 * is replaced, one that is served is an error. Appends the descriptors (int) to FDS, non-blocking
 * and closed on exec.
 */
bool listener_open(const char *address, mode_t mode, GArray *fds, GError **error);

/* Appends the sockets that systemd opened for this process (LISTEN_FDS); how many there were. */
int listener_inherit(GArray *fds);

/* Closes them and removes the socket files that listener_open() made. */
void listener_close(GArray *fds, const char *const *addresses);

#endif
