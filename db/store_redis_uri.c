#include "config.h"

#include "db/store_redis_uri.h"

#include <string.h>

#include "db/store.h"

void
redis_address_clear(struct redis_address *address)
{
	g_clear_pointer(&address->path, g_free);
	g_clear_pointer(&address->host, g_free);
	g_clear_pointer(&address->user, g_free);
	g_clear_pointer(&address->password, g_free);
}

static bool
set_db(struct redis_address *address, const char *text, GError **error)
{
	guint64 number;

	if (!g_ascii_string_to_unsigned(text, 10, 0, 65535, &number, NULL)) {
		g_set_error(error, STORE_ERROR, 0,
		    "\"%s\" is no database, which is a number from 0 to 65535", text);
		return false;
	}
	address->db = (unsigned)number;
	return true;
}

bool
redis_address_read_password(struct redis_address *address, const char *path, GError **error)
{
	g_autofree char *text = NULL;

	if (!g_file_get_contents(path, &text, NULL, error))
		return false;
	text[strcspn(text, "\r\n")] = '\0';
	g_free(address->password);
	address->password = g_steal_pointer(&text);
	return true;
}

static bool
set_user(struct redis_address *address, const char *name, GError **error G_GNUC_UNUSED)
{
	g_free(address->user);
	address->user = g_strdup(name);
	return true;
}

static const struct {
	const char *name;
	bool (*set)(struct redis_address *address, const char *value, GError **error);
} parameters[] = {
    {"db", set_db}, {"user", set_user}, {"password_file", redis_address_read_password}};

static bool
set_parameter(struct redis_address *address, const char *name, const char *value, GError **error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(parameters); i++)
		if (strcmp(parameters[i].name, name) == 0)
			return parameters[i].set(address, value, error);
	g_set_error(error, STORE_ERROR, 0,
	    "unknown parameter \"%s\"; there are db, user and password_file", name);
	return false;
}

static bool
set_query(struct redis_address *address, const char *query, GError **error)
{
	GUriParamsIter iter;
	char *name, *value;

	g_uri_params_iter_init(&iter, query, -1, "&", G_URI_PARAMS_NONE);
	for (;;) {
		g_autofree char *held_name = NULL, *held_value = NULL;

		if (!g_uri_params_iter_next(&iter, &name, &value, error))
			return !error || !*error;
		held_name = name;
		held_value = value;
		if (!set_parameter(address, name, value, error))
			return false;
	}
}

static bool
parse_unix(const char *rest, struct redis_address *address, GError **error)
{
	const char *query = strchr(rest, '?');

	address->path = query ? g_strndup(rest, (gsize)(query - rest)) : g_strdup(rest);
	if (!*address->path) {
		g_set_error_literal(
		    error, STORE_ERROR, 0, "redis+unix: needs the path of a socket");
		return false;
	}
	return !query || set_query(address, query + 1, error);
}

static bool
parse_tcp(const char *rest, struct redis_address *address, GError **error)
{
	g_autofree char *whole = g_strconcat("redis:", rest, NULL);
	g_autoptr(GUri) uri = g_uri_parse(whole, G_URI_FLAGS_HAS_PASSWORD, error);
	const char *path, *password;

	if (!uri)
		return false;
	address->host = g_strdup(g_uri_get_host(uri));
	if (!address->host || !*address->host) {
		g_set_error_literal(error, STORE_ERROR, 0, "expected redis://HOST[:PORT][/DB]");
		return false;
	}
	address->port = g_uri_get_port(uri) > 0 ? g_uri_get_port(uri) : 6379;
	if (g_uri_get_user(uri) && *g_uri_get_user(uri))
		address->user = g_strdup(g_uri_get_user(uri));
	password = g_uri_get_password(uri);
	address->password = g_strdup(password && *password ? password : NULL);
	path = g_uri_get_path(uri);
	if (strlen(path) > 1 && !set_db(address, path + 1, error))
		return false;
	return !g_uri_get_query(uri) || set_query(address, g_uri_get_query(uri), error);
}

bool
redis_address_parse(
    bool is_unix, const char *rest, struct redis_address *ret_address, GError **error)
{
	struct redis_address address = {0};
	g_autoptr(GError) own = NULL;

	if (!(is_unix ? parse_unix : parse_tcp)(rest, &address, &own)) {
		redis_address_clear(&address);
		g_propagate_prefixed_error(error, g_steal_pointer(&own), "store.uri: ");
		return false;
	}
	*ret_address = address;
	return true;
}
