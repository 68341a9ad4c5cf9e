/*
 * For unit tests: a redis-server of their own, on a Unix socket in a folder of its own. It ends
 * with the test, however that ends.
 */
#ifndef GREYLAG_TESTS_UNIT_DB_REDIS_SERVER_H
#define GREYLAG_TESTS_UNIT_DB_REDIS_SERVER_H

#include <stdbool.h>
#include <glib.h>

struct redis_server {
	char *folder, *socket;
	char **options;
	GPid pid;
};

/* There is one on this machine. */
bool redis_server_installed(void);

/* OPTIONS, of the command line, end with NULL; NULL for none. Returns when it answers. */
void redis_server_start(struct redis_server *server, const char *const *options);
/* Ends it with SIGKILL; redis_server_again() starts it with the data that it left. */
void redis_server_kill(struct redis_server *server);
void redis_server_again(struct redis_server *server);
void redis_server_signal(const struct redis_server *server, int number);
void redis_server_clear(struct redis_server *server);

char *redis_server_uri(const struct redis_server *server);

/* What redis-cli prints for a command, without the last line end. */
char *redis_server_ask(
    const struct redis_server *server, const char *command, ...) G_GNUC_NULL_TERMINATED;

#endif
