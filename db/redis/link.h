/*
 * A connection to a Redis server that comes back by itself, behind one descriptor.
 *
 * While the server does not answer, the link is down and whoever asks hears so at once: a call
 * that ran into its deadline takes the link down, and one probe at a time, with growing pauses,
 * brings it up again. Where guides know which server it is (Sentinel, Cluster) they are asked
 * before each connection. Private to the Redis driver.
 */
#ifndef GREYLAG_DB_REDIS_LINK_H
#define GREYLAG_DB_REDIS_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include "db/redis/uri.h"

struct redis_link;

struct redis_link_owner {
	void (*deadline)(void *context); /* the time given to redis_link_alarm() is over */
	void (*woken)(void *context);    /* redis_link_wake() was called */
	/* Why the server cannot be asked. May be NULL. */
	void (*trouble)(void *context, const char *reason);
	/* REPLY is what the server has under META_KEY. False takes the link down. May be NULL. */
	bool (*greeted)(void *context, const redisReply *reply);
	void *context;
	const char *meta_key;
	const uint8_t *meta; /* to be put there if there is nothing; size 0 to leave it so */
	size_t meta_size;
	unsigned patience; /* milliseconds, after which a silent server is given up */
};

/* The link keeps the host of ADDRESS, which it has to ask for, in it. Scripts are loaded on each
 * new connection; the array ends with NULL. UP if the server has just been spoken with; else a
 * probe must be answered first. CLOCK_OFFSET is what redis_link_ask_clock() gave, and is asked for
 * again every few seconds. */
struct redis_link *redis_link_new(struct redis_address *address, const char *const *scripts,
    bool up, int64_t clock_offset, const struct redis_link_owner *owner);
/* Calls what still waits for a reply with none. Accepts NULL. */
void redis_link_free(struct redis_link *link);

bool redis_link_is_up(const struct redis_link *link);
int redis_link_fd(const struct redis_link *link);
void redis_link_dispatch(struct redis_link *link);
void redis_link_wake(struct redis_link *link);
/* From now on another link, which must live as long, is dispatched with this one. */
void redis_link_beside(struct redis_link *link, struct redis_link *other);
/* AT is of g_get_monotonic_time(); 0 for none. */
void redis_link_alarm(struct redis_link *link, int64_t at);

/* REPLY gets NULL if the link went down. False if it is down already; then nothing is called. */
bool redis_link_send(struct redis_link *link, redisCallbackFn *reply, void *context, int argc,
    const char **argv, const size_t *lengths);
/* Goes on with the server at HOST and PORT, of which nothing is known; what waits is called with no
 * reply, sooner or later. */
void redis_link_moved(struct redis_link *link, const char *host, int port);
/* Takes it down; what waits is called with no reply. */
void redis_link_down(struct redis_link *link);
void redis_link_load_scripts(struct redis_link *link);
/* A line in the log, not too often, and the owner is told. */
void redis_link_complain(struct redis_link *link, const char *refusal);

/* Microseconds by which the server's clock is ahead of this machine's monotonic one, which nobody
 * sets. */
int64_t redis_link_clock_offset(const struct redis_link *link);

/* The code of an error that may be over soon: it is worth another try. Others have 0. */
#define REDIS_AGAIN 1

/* A connection of its own for a question now and then; waits TIMEOUT milliseconds at most to be
 * connected, and for each answer. */
redisContext *redis_link_connect_blocking(
    struct redis_address *address, unsigned timeout, GError **error);
/* Why the last command got no reply; to be freed. */
char *redis_link_failure(redisContext *redis);
bool redis_link_ask_clock(redisContext *redis, int64_t *ret_offset);

#endif
