/*
 * Listening sockets: those that the configuration names, and those that systemd hands over.
 */
#ifndef GREYLAG_POLICYD_PROGRAM_LISTENER_H
#define GREYLAG_POLICYD_PROGRAM_LISTENER_H

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

/* Closes them, and with REMOVE removes the socket files that listener_open() made for them. */
void listener_close(GArray *fds, bool remove);

/*
 * What can be told of ADDRESS without listening there, which a running daemon does: whether it can
 * be read, and, if the program STARTS, whether its name has an address and its folder takes a
 * socket. *RET_LOCAL is whether nobody but this machine comes near.
 */
bool listener_check(const char *address, bool starts, bool *ret_local, GError **error);

/* What keeps USER from the unix: socket that listens at ADDRESS, with what mends it; NULL if
 * nothing does. MODE_SETTING as for reach_obstacle(). To be freed with g_free(). */
char *listener_obstacle(const char *address, const char *user, const char *mode_setting);

#endif
