#include "config.h"

#include "policyd/http/host.h"

#include <string.h>
#include <glib.h>

#include "lib/address.h"

/* The name without the port and without the brackets of an IPv6 literal; NULL if it is no host. */
static char *
host_name(const char *host)
{
	bool bracketed = host[0] == '[';
	const char *name = host + bracketed;
	const char *end = bracketed ? strchr(name, ']') : name + strcspn(name, ":");
	const char *port;

	if (!end || end == name)
		return NULL;
	port = end + bracketed;
	if (*port == ':')
		port += 1 + strspn(port + 1, "0123456789");
	return *port ? NULL : g_strndup(name, (gsize)(end - name));
}

static bool
is_loopback(const char *name)
{
	struct address address;

	return address_parse(name, &address) && address_is_loopback(&address);
}

bool
http_host_accepted(const char *host, const char *const *hosts)
{
	g_autofree char *name = host_name(host);

	if (!name)
		return false;
	if (g_ascii_strcasecmp(name, "localhost") == 0 || is_loopback(name))
		return true;
	for (; hosts && *hosts; hosts++)
		if (g_ascii_strcasecmp(name, *hosts) == 0)
			return true;
	return false;
}
