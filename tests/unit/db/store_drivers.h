/* The drivers that pass the contract of db/store.h: each a row, with a store of its own. */
#ifndef GREYLAG_TESTS_STORE_DRIVERS_H
#define GREYLAG_TESTS_STORE_DRIVERS_H

#include "config.h"

#include <stdbool.h>
#include <string.h>
#include <glib.h>
#include <glib/gstdio.h>

#ifdef HAVE_REDIS
#include "tests/unit/db/redis_server.h"
#endif

struct driver {
	const char *name;
	bool (*installed)(void);
	char *(*make_uri)(void);
	void (*remove)(const char *uri);
};

/* Of the store that is made next; NULL without. */
static char *fallback;

/* -- drivers -- */

static bool
always(void)
{
	return true;
}

static char *
lmdb_uri(void)
{
	g_autofree char *folder = g_dir_make_tmp("greylag-store-XXXXXX", NULL);

	return g_strconcat("lmdb:", folder, NULL);
}

static void
lmdb_remove(const char *uri)
{
	const char *folder = strchr(uri, ':') + 1;
	GDir *dir = g_dir_open(folder, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(folder, name, NULL);

		g_unlink(path);
	}
	g_dir_close(dir);
	g_rmdir(folder);
}

static char *
mem_uri(void)
{
	return g_strdup("mem:");
}

static void
mem_remove(const char *uri G_GNUC_UNUSED)
{
}

#ifdef HAVE_REDIS
static struct redis_server server;

static char *
redis_uri(void)
{
	redis_server_start(&server, NULL);
	return redis_server_uri(&server);
}

static void
redis_remove(const char *uri G_GNUC_UNUSED)
{
	redis_server_clear(&server);
}

static char *
fallback_uri(void)
{
	fallback = lmdb_uri();
	return redis_uri();
}

static void
fallback_remove(const char *uri)
{
	redis_remove(uri);
	lmdb_remove(fallback);
	g_clear_pointer(&fallback, g_free);
}
#endif

static const struct driver drivers[] = {
    {"lmdb", always, lmdb_uri, lmdb_remove},
    {"mem", always, mem_uri, mem_remove},
#ifdef HAVE_REDIS
    {"redis", redis_server_installed, redis_uri, redis_remove},
    {"redis-with-fallback", redis_server_installed, fallback_uri, fallback_remove},
#endif
};

#endif
