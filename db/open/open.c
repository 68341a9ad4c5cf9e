#include "config.h"

#include "db/open/open.h"

#include <string.h>

#include "db/store_driver.h"
#include "db/fallback/fallback.h"

static const struct store_driver *const drivers[] = {
    &store_lmdb_driver,
    &store_mem_driver,
#ifdef HAVE_REDIS
    &store_redis_driver,
    &store_redis_unix_driver,
    &store_redis_sentinel_driver,
    &store_redis_cluster_driver,
#endif
};

static bool
has_scheme(const char *uri, const char *scheme)
{
	size_t length = scheme ? strlen(scheme) : 0;

	return scheme && strncmp(uri, scheme, length) == 0 && uri[length] == ':';
}

static const struct store_driver *
find_driver(const char *uri)
{
	for (size_t i = 0; i < G_N_ELEMENTS(drivers); i++)
		if (has_scheme(uri, drivers[i]->scheme) || has_scheme(uri, drivers[i]->tls_scheme))
			return drivers[i];
	return NULL;
}

struct store *
store_open(const struct store_options *options, GError **error)
{
	const struct store_driver *driver = find_driver(options->uri);

	if (driver) {
		struct store *store =
		    driver->now && options->fallback && *options->fallback
			? store_fallback_open(options, store_open, error)
			: driver->open(options, strchr(options->uri, ':') + 1, error);

		if (store && !store->name)
			store->name = store_uri_shown(options->uri);
		return store;
	}
	g_set_error(error, STORE_ERROR, 0,
	    "store.uri \"%s\": expected lmdb:FOLDER, redis://HOST, redis+unix:PATH, "
	    "redis+sentinel://HOST/SERVICE, redis+cluster://HOST, one of these with rediss for "
	    "TLS, or mem:",
	    options->uri);
	return NULL;
}

bool
store_is_shared(const char *uri)
{
	const struct store_driver *driver = find_driver(uri);

	return driver && driver->now;
}
