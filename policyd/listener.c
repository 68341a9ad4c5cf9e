#include "config.h"

#include "policyd/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#define BACKLOG 1024

static bool
fail(GError **error, const char *address, const char *what)
{
	int saved = errno;

	g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(saved), "%s: %s: %s", address,
	    what, g_strerror(saved));
	return false;
}

/* Binds and listens; closes FD on failure, with errno kept. */
static bool
bind_and_listen(int fd, const struct sockaddr *address, socklen_t length)
{
	if (bind(fd, address, length) == 0 && listen(fd, BACKLOG) == 0)
		return true;

	int saved = errno;

	close(fd);
	errno = saved;
	return false;
}

static int
open_inet(const struct addrinfo *info)
{
	int one = 1;
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (info->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	return bind_and_listen(fd, info->ai_addr, info->ai_addrlen) ? fd : -1;
}

/* HOST:PORT or [HOST]:PORT into its parts. */
static bool
split_host(const char *text, char **ret_host, char **ret_port)
{
	const char *colon = strrchr(text, ':');
	size_t length;

	if (!colon || colon == text || !colon[1])
		return false;
	length = (size_t)(colon - text);
	if (text[0] == '[') {
		if (length < 3 || text[length - 1] != ']')
			return false;
		text++;
		length -= 2;
	}
	*ret_host = g_strndup(text, length);
	*ret_port = g_strdup(colon + 1);
	return true;
}

static bool
listen_inet(const char *address, GArray *fds, GError **error)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *all, *one;
	g_autofree char *host = NULL, *port = NULL;
	guint before = fds->len;
	int status;

	if (!split_host(address + strlen("inet:"), &host, &port)) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
		    "%s: expected inet:HOST:PORT or inet:[IPV6]:PORT", address);
		return false;
	}
	status = getaddrinfo(host, port, &hints, &all);
	if (status != 0) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s: %s", address,
		    gai_strerror(status));
		return false;
	}
	for (one = all; one; one = one->ai_next) {
		int fd = open_inet(one);

		if (fd >= 0)
			g_array_append_val(fds, fd);
	}
	status = errno;
	freeaddrinfo(all);
	errno = status;
	return fds->len > before ? true : fail(error, address, "cannot listen");
}

/* Whether somebody answers on the socket file. */
static bool
is_served(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool served;

	if (fd < 0)
		return true;
	served =
	    connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN;
	close(fd);
	return served;
}

/* Removes the socket file of a server that is gone; nothing else is ever removed. */
static bool
clear_socket_file(const char *text, const struct sockaddr_un *address, GError **error)
{
	struct stat st;

	if (lstat(address->sun_path, &st) != 0)
		return true;
	if (!S_ISSOCK(st.st_mode) || is_served(address)) {
		errno = EADDRINUSE;
		return fail(error, text, "cannot listen");
	}
	unlink(address->sun_path);
	return true;
}

static bool
listen_unix(const char *text, mode_t mode, GArray *fds, GError **error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = text + strlen("unix:");
	mode_t umask_before;
	bool listening;
	int fd;

	if (!*path || strlen(path) >= sizeof address.sun_path) {
		errno = *path ? ENAMETOOLONG : EINVAL;
		return fail(error, text, "cannot listen");
	}
	g_strlcpy(address.sun_path, path, sizeof address.sun_path);
	if (!clear_socket_file(text, &address, error))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(error, text, "cannot listen");
	umask_before = umask(0777 & ~mode);
	listening = bind_and_listen(fd, (struct sockaddr *)&address, sizeof address);
	umask(umask_before);
	if (!listening)
		return fail(error, text, "cannot listen");
	g_array_append_val(fds, fd);
	return true;
}

bool
listener_open(const char *address, mode_t mode, GArray *fds, GError **error)
{
	if (g_str_has_prefix(address, "inet:"))
		return listen_inet(address, fds, error);
	if (g_str_has_prefix(address, "unix:"))
		return listen_unix(address, mode, fds, error);
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
	    "%s: expected inet:HOST:PORT or unix:PATH", address);
	return false;
}

int
listener_inherit(GArray *fds)
{
	int n = 0;
#ifdef HAVE_SYSTEMD
	n = sd_listen_fds(1);
	for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++) {
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		g_array_append_val(fds, fd);
	}
#else
	(void)fds;
#endif
	return n > 0 ? n : 0;
}

void
listener_close(GArray *fds, const char *const *addresses)
{
	for (guint i = 0; i < fds->len; i++)
		close(g_array_index(fds, int, i));
	g_array_set_size(fds, 0);
	for (; addresses && *addresses; addresses++)
		if (g_str_has_prefix(*addresses, "unix:"))
			unlink(*addresses + strlen("unix:"));
}
