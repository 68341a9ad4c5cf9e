/*
 * Where a Redis server is, from a URI:
 *
 *	redis://[[USER]:PASSWORD@]HOST[:PORT][/DB][?password_file=PATH]
 *	redis+unix:PATH[?db=N&user=NAME&password_file=PATH]
 *	redis+sentinel://[[USER]:PASSWORD@]HOST[:PORT],HOST[:PORT].../SERVICE[/DB]
 *	redis+cluster://[[USER]:PASSWORD@]HOST[:PORT],HOST[:PORT]...
 *
 * and rediss: for redis: in the first and the last two, which is TLS to whoever is asked there.
 *
 * The hosts of the last two are those to be asked where the server is. A password in a file stays
 * out of the list of processes.
 */
#ifndef GREYLAG_DB_REDIS_URI_H
#define GREYLAG_DB_REDIS_URI_H

#include <stdbool.h>
#include <glib.h>

#include "db/redis/tls.h"

enum redis_kind { REDIS_TCP, REDIS_UNIX, REDIS_SENTINEL, REDIS_CLUSTER, REDIS_KINDS };

extern const char *const redis_kind_schemes[REDIS_KINDS];

/* One that knows where the server is. */
struct redis_guide {
	char *host;
	int port;
};

struct redis_address {
	enum redis_kind kind;
	char *path; /* of a Unix socket, or NULL */
	char *host; /* NULL as long as it has to be asked for */
	int port;
	unsigned db;
	char *user, *password; /* NULL without */
	GArray *guides;        /* struct redis_guide; NULL without */
	char *service;         /* the name that sentinels know the server by */
	char *sentinel_password;
	struct redis_tls *tls; /* NULL without */
	char *tag; /* of the keys, by which a cluster tells who has them; NULL without */
};

/* REST follows the scheme and its colon. */
bool redis_address_parse(
    enum redis_kind kind, const char *rest, struct redis_address *ret_address, GError **error);
/* HOST or HOST:PORT, an IPv6 address in brackets if a port follows. False if it is neither. */
bool redis_host_parse(const char *text, int default_port, char **ret_host, int *ret_port);
/* Takes the first line of a file as the password. */
bool redis_address_read_password(struct redis_address *address, const char *path, GError **error);
void redis_address_clear(struct redis_address *address);
/* Of one's own, for a thread of one's own: where the server is has to be asked for again, if it has
 * to be asked for. Fills *RET_COPY. */
void redis_address_copy(const struct redis_address *address, struct redis_address *ret_copy);

#endif
