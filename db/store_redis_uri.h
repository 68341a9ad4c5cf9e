/*
 * Where a Redis server is, from a URI:
 *
 *	redis://[[USER]:PASSWORD@]HOST[:PORT][/DB][?password_file=PATH]
 *	redis+unix:PATH[?db=N&user=NAME&password_file=PATH]
 *
 * A password in a file stays out of the list of processes.
 */
#ifndef GREYLAG_DB_STORE_REDIS_URI_H
#define GREYLAG_DB_STORE_REDIS_URI_H

#include <stdbool.h>
#include <glib.h>

struct redis_address {
	char *path; /* of a Unix socket, or NULL */
	char *host;
	int port;
	unsigned db;
	char *user, *password; /* NULL without */
};

/* REST follows the scheme and its colon. */
bool redis_address_parse(
    bool is_unix, const char *rest, struct redis_address *ret_address, GError **error);
/* Takes the first line of a file as the password. */
bool redis_address_read_password(struct redis_address *address, const char *path, GError **error);
void redis_address_clear(struct redis_address *address);

#endif
