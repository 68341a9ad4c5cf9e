/*
 * TLS to a Redis server, by hiredis 1.0 or newer and its hiredis_ssl (HAVE_REDIS_TLS). Built
 * without, the first call refuses and the others do nothing. Private to the Redis driver.
 *
 * TLS 1.2 or newer. The server's certificate must be signed by a trusted authority and carry the
 * name or the address that the connection goes to (RFC 6125, section 6).
 */
#ifndef GREYLAG_DB_REDIS_TLS_H
#define GREYLAG_DB_REDIS_TLS_H

#include <stdbool.h>
#include <glib.h>
#include <hiredis/hiredis.h>

#include "db/store.h"

/* What the connections of a store have in common; any thread may use it. */
struct redis_tls;

/* Reads the files, of which any may be NULL or empty: without authorities those of the system are
 * trusted, without a key it is looked for in the certificate's file. */
struct redis_tls *redis_tls_new(const struct store_tls *files, GError **error);
struct redis_tls *redis_tls_ref(struct redis_tls *tls); /* accepts NULL */
void redis_tls_unref(struct redis_tls *tls);            /* accepts NULL */

/* On a connection just made to HOST, before anything is sent: shakes hands, or begins to if it is
 * an asynchronous one. With TLS NULL the connection stays as it is. On false it is of no more
 * use, and redis_tls_problem() says why. */
bool redis_tls_begin(struct redis_tls *tls, redisContext *redis, const char *host);

/* A sentence why a connection that has just failed did so, to be freed; NULL if it was not for TLS.
 * Asked once: it forgets. */
char *redis_tls_problem(redisContext *redis);

#endif
