/*
 * The policy server: connections on an event loop, each with one request in flight. Knows the
 * protocol and the policy; signals, privileges and the store are the main's.
 */
#ifndef GREYLAG_POLICYD_DAEMON_SERVER_H
#define GREYLAG_POLICYD_DAEMON_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "policyd/daemon/policy.h"
#include "policyd/stats/stats.h"

struct ev_loop;
struct server;

struct server_options {
	unsigned max_connections; /* past it the one that was idle longest makes room */
	unsigned idle_timeout;    /* seconds without a whole request */
	const char *host;         /* this host's name, for the X-Greylist header */
};

/* Nothing is owned but what the server makes itself. Options are copied. */
struct server *server_new(struct ev_loop *loop, struct policy *policy, struct stats *stats,
    const struct server_options *options);
void server_free(struct server *server);
void server_set_options(struct server *server, const struct server_options *options);

/* Accepts connections on a listening socket, which stays the caller's. */
void server_listen(struct server *server, int fd);
/* Serves one connection, given as two descriptors (which may be the same) that are closed at its
 * end. */
void server_add(struct server *server, int in, int out);

/* Stops accepting; answers what has arrived, then closes each connection. The server is drained
 * when no connection is left. */
void server_drain(struct server *server);

struct server_status {
	unsigned connections;
	uint64_t accepted, requests, malformed, timed_out, made_room;
};

struct server_status server_status(const struct server *server);

#endif
