#include "config.h"

#include "db/redis/uri.h"

#include <string.h>

#include "db/store.h"

#define PORT          6379
#define PORT_SENTINEL 26379

const char *const redis_kind_schemes[REDIS_KINDS] = {
    [REDIS_TCP] = "redis",
    [REDIS_UNIX] = "redis+unix",
    [REDIS_SENTINEL] = "redis+sentinel",
    [REDIS_CLUSTER] = "redis+cluster",
};

void
redis_address_clear(struct redis_address *address)
{
	g_clear_pointer(&address->guides, g_array_unref);
	g_clear_pointer(&address->service, g_free);
	g_clear_pointer(&address->tls, redis_tls_unref);
	g_clear_pointer(&address->sentinel_password, g_free);
	g_clear_pointer(&address->tag, g_free);
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

static bool
read_first_line(const char *path, char **line, GError **error)
{
	g_autofree char *text = NULL;

	if (!g_file_get_contents(path, &text, NULL, error))
		return false;
	text[strcspn(text, "\r\n")] = '\0';
	g_free(*line);
	*line = g_steal_pointer(&text);
	return true;
}

bool
redis_address_read_password(struct redis_address *address, const char *path, GError **error)
{
	return read_first_line(path, &address->password, error);
}

static bool
read_sentinel_password(struct redis_address *address, const char *path, GError **error)
{
	return read_first_line(path, &address->sentinel_password, error);
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
} parameters[] = {{"db", set_db}, {"user", set_user},
    {"password_file", redis_address_read_password},
    {"sentinel_password_file", read_sentinel_password}};

static bool
set_parameter(struct redis_address *address, const char *name, const char *value, GError **error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(parameters); i++)
		if (strcmp(parameters[i].name, name) == 0)
			return parameters[i].set(address, value, error);
	g_set_error(error, STORE_ERROR, 0,
	    "unknown parameter \"%s\"; there are db, user, password_file and "
	    "sentinel_password_file",
	    name);
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
	address->port = g_uri_get_port(uri) > 0 ? g_uri_get_port(uri) : PORT;
	if (g_uri_get_user(uri) && *g_uri_get_user(uri))
		address->user = g_strdup(g_uri_get_user(uri));
	password = g_uri_get_password(uri);
	address->password = g_strdup(password && *password ? password : NULL);
	path = g_uri_get_path(uri);
	if (strlen(path) > 1 && !set_db(address, path + 1, error))
		return false;
	return !g_uri_get_query(uri) || set_query(address, g_uri_get_query(uri), error);
}

/* -- several hosts, which GUri does not know -- */

static void
guide_clear(gpointer data)
{
	g_free(((struct redis_guide *)data)->host);
}

bool
redis_host_parse(const char *text, int default_port, char **ret_host, int *ret_port)
{
	const char *colon = strrchr(text, ':'), *end = text + strlen(text);
	bool bracketed = text[0] == '[';
	guint64 port = (guint64)default_port;

	/* An address of IPv6 alone has more than one. */
	if (colon && !bracketed && strchr(text, ':') != colon)
		colon = NULL;
	if (colon && (!bracketed || colon[-1] == ']')) {
		if (!g_ascii_string_to_unsigned(colon + 1, 10, 1, 65535, &port, NULL))
			return false;
		end = colon;
	}
	if (bracketed && end[-1] != ']')
		return false;
	if (end - text <= (bracketed ? 2 : 0))
		return false;
	*ret_host = bracketed ? g_strndup(text + 1, (gsize)(end - text) - 2)
			      : g_strndup(text, (gsize)(end - text));
	*ret_port = (int)port;
	return true;
}

static bool
set_guides(struct redis_address *address, const char *list, int default_port, GError **error)
{
	g_auto(GStrv) hosts = g_strsplit(list, ",", -1);

	address->guides = g_array_new(FALSE, FALSE, sizeof(struct redis_guide));
	g_array_set_clear_func(address->guides, guide_clear);
	for (char **host = hosts; *host; host++) {
		struct redis_guide guide;

		if (!redis_host_parse(*host, default_port, &guide.host, &guide.port)) {
			g_set_error(
			    error, STORE_ERROR, 0, "\"%s\" is not like HOST or HOST:PORT", *host);
			return false;
		}
		g_array_append_val(address->guides, guide);
	}
	if (!address->guides->len)
		g_set_error_literal(error, STORE_ERROR, 0, "no host is named");
	return address->guides->len > 0;
}

void
redis_address_copy(const struct redis_address *address, struct redis_address *ret_copy)
{
	struct redis_address copy = *address;

	copy.path = g_strdup(address->path);
	copy.host = address->guides ? NULL : g_strdup(address->host);
	copy.user = g_strdup(address->user);
	copy.password = g_strdup(address->password);
	copy.service = g_strdup(address->service);
	copy.sentinel_password = g_strdup(address->sentinel_password);
	copy.tls = redis_tls_ref(address->tls);
	copy.tag = g_strdup(address->tag);
	if (address->guides) {
		copy.guides = g_array_new(FALSE, FALSE, sizeof(struct redis_guide));
		g_array_set_clear_func(copy.guides, guide_clear);
	}
	for (guint i = 0; address->guides && i < address->guides->len; i++) {
		struct redis_guide guide = g_array_index(address->guides, struct redis_guide, i);

		guide.host = g_strdup(guide.host);
		g_array_append_val(copy.guides, guide);
	}
	*ret_copy = copy;
}

/* USER:PASSWORD or :PASSWORD, with %XX for what means something else there. */
static bool
set_login(struct redis_address *address, const char *login, GError **error)
{
	const char *colon = strchr(login, ':');
	g_autofree char *user = g_uri_unescape_segment(login, colon, NULL);

	if (user && *user)
		address->user = g_steal_pointer(&user);
	if (colon)
		address->password = g_uri_unescape_string(colon + 1, NULL);
	if (colon && !address->password) {
		g_set_error_literal(error, STORE_ERROR, 0, "the password has a wrong % in it");
		return false;
	}
	return true;
}

static bool
set_service(struct redis_address *address, const char *path, GError **error)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", 3);

	if (!parts[0] || !*parts[0]) {
		g_set_error_literal(error, STORE_ERROR, 0,
		    "expected redis+sentinel://HOST[:PORT][,HOST[:PORT]...]/SERVICE[/DB]");
		return false;
	}
	address->service = g_strdup(parts[0]);
	return !parts[1] || !*parts[1] || set_db(address, parts[1], error);
}

static bool
parse_several(const char *rest, struct redis_address *address, GError **error)
{
	g_auto(GStrv) halves = g_strsplit(rest, "?", 2);
	char *authority = g_str_has_prefix(rest, "//") ? halves[0] + 2 : NULL, *path, *at;
	bool sentinel = address->kind == REDIS_SENTINEL;

	if (!authority || !*authority) {
		g_set_error(error, STORE_ERROR, 0, "expected %s://HOST[:PORT][,HOST[:PORT]...]",
		    redis_kind_schemes[address->kind]);
		return false;
	}
	path = strchr(authority, '/');
	if (path)
		*path++ = '\0';
	at = strrchr(authority, '@');
	if (at) {
		*at = '\0';
		if (!set_login(address, authority, error))
			return false;
		authority = at + 1;
	}
	if (!set_guides(address, authority, sentinel ? PORT_SENTINEL : PORT, error) ||
	    (sentinel && !set_service(address, path ? path : "", error)))
		return false;
	if (!sentinel && path && *path) {
		g_set_error_literal(error, STORE_ERROR, 0, "a cluster has no databases");
		return false;
	}
	return !halves[1] || set_query(address, halves[1], error);
}

bool
redis_address_parse(
    enum redis_kind kind, const char *rest, struct redis_address *ret_address, GError **error)
{
	static bool (*const parsers[REDIS_KINDS])(
	    const char *rest, struct redis_address *address, GError **error) = {
	    [REDIS_TCP] = parse_tcp,
	    [REDIS_UNIX] = parse_unix,
	    [REDIS_SENTINEL] = parse_several,
	    [REDIS_CLUSTER] = parse_several,
	};
	struct redis_address address = {.kind = kind};
	g_autoptr(GError) own = NULL;

	if (!parsers[kind](rest, &address, &own)) {
		redis_address_clear(&address);
		g_propagate_prefixed_error(error, g_steal_pointer(&own), "store.uri: ");
		return false;
	}
	*ret_address = address;
	return true;
}
