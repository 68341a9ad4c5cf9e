#include "config.h"

#include "policyd/ctl/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/settings.h"

/* Not a request of smtpd's access policy: answered DUNNO, and counted as other. */
static const char question[] = "request=greylagctl_status\n\n";
static const char answer[] = "action=";

struct probe {
	gint64 deadline; /* by the monotonic clock */
	const char *address;
};

static bool
fail(const struct probe *p, int code, GError **error)
{
	g_set_error(error, SETTINGS_ERROR, 0, "%s: %s", p->address,
	    code == ETIMEDOUT ? "no answer" : g_strerror(code));
	return false;
}

/* Until FD is ready for EVENTS; sets errno else. */
static bool
wait_for(const struct probe *p, int fd, short events)
{
	struct pollfd one = {.fd = fd, .events = events};
	int n;

	do {
		gint64 left = (p->deadline - g_get_monotonic_time()) / 1000;

		n = poll(&one, 1, (int)MAX(left, 0));
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0;
}

static bool
connect_to(const struct probe *p, int fd, const struct sockaddr *address, socklen_t length)
{
	socklen_t size = sizeof errno;
	int code = 0;

	if (connect(fd, address, length) == 0)
		return true;
	if (errno != EINPROGRESS || !wait_for(p, fd, POLLOUT) ||
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0)
		return false;
	errno = code;
	return code == 0;
}

/* The question is shorter than any socket's buffer, and so is the answer. */
static bool
ask(const struct probe *p, int fd)
{
	char buffer[256];
	size_t used = 0;
	ssize_t n;

	if (send(fd, question, sizeof question - 1, MSG_NOSIGNAL) != sizeof question - 1)
		return false;
	while (used < sizeof answer - 1) {
		if (!wait_for(p, fd, POLLIN))
			return false;
		n = recv(fd, buffer + used, sizeof buffer - used, 0);
		if (n <= 0) {
			errno = n == 0 ? ECONNRESET : errno;
			return false;
		}
		used += (size_t)n;
	}
	errno = EPROTO;
	return memcmp(buffer, answer, sizeof answer - 1) == 0;
}

static bool
try(const struct probe *p, const struct sockaddr *address, socklen_t length, GError **error)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool good = fd >= 0 && connect_to(p, fd, address, length) && ask(p, fd);
	int code = errno;

	if (fd >= 0)
		close(fd);
	return good || fail(p, code, error);
}

static bool
try_unix(const struct probe *p, GError **error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (g_strlcpy(address.sun_path, p->address + strlen("unix:"), sizeof address.sun_path) >=
	    sizeof address.sun_path)
		return fail(p, ENAMETOOLONG, error);
	return try(p, (const struct sockaddr *)&address, sizeof address, error);
}

static bool
try_inet(const struct probe *p, GError **error)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all;
	const char *host = p->address + strlen("inet:"), *colon = strrchr(host, ':');
	g_autofree char *name = NULL;
	bool good = false;
	int status;

	if (!colon)
		return fail(p, EINVAL, error);
	name = host[0] == '[' ? g_strndup(host + 1, MAX((size_t)(colon - host), 2) - 2)
			      : g_strndup(host, (size_t)(colon - host));
	status = getaddrinfo(name, colon + 1, &hints, &all);
	if (status != 0) {
		g_set_error(error, SETTINGS_ERROR, 0, "%s: %s", p->address, gai_strerror(status));
		return false;
	}
	for (struct addrinfo *one = all; one && !good; one = one->ai_next) {
		g_clear_error(error);
		good = try(p, one->ai_addr, one->ai_addrlen, error);
	}
	freeaddrinfo(all);
	return good;
}

bool
probe_policy(const char *const *addresses, int milliseconds, const char **ret_where, GError **error)
{
	struct probe p = {.deadline = g_get_monotonic_time() + milliseconds * 1000};

	for (; *addresses; addresses++) {
		g_autoptr(GError) wrong = NULL;

		p.address = *addresses;
		if (g_str_has_prefix(p.address, "unix:") ? try_unix(&p, &wrong)
							 : try_inet(&p, &wrong)) {
			*ret_where = p.address;
			return true;
		}
		if (!addresses[1])
			g_propagate_error(error, g_steal_pointer(&wrong));
	}
	return false;
}
