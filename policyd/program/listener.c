#include "config.h"

#include "policyd/program/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "policyd/program/holder.h"
#include "policyd/program/reach.h"

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

/* All addresses of inet:HOST:PORT, to be freed with freeaddrinfo(). */
static bool
resolve(const char *address, int flags, struct addrinfo **ret_all, GError **error)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | flags};
	g_autofree char *host = NULL, *port = NULL;
	int status;

	if (!split_host(address + strlen("inet:"), &host, &port)) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
		    "%s: expected inet:HOST:PORT or inet:[IPV6]:PORT", address);
		return false;
	}
	status = getaddrinfo(host, port, &hints, ret_all);
	if (status == 0)
		return true;
	g_set_error(error, G_FILE_ERROR,
	    status == EAI_NONAME ? G_FILE_ERROR_NOENT : G_FILE_ERROR_FAILED, "%s: %s", address,
	    gai_strerror(status));
	return false;
}

static unsigned
port_of(const struct addrinfo *info)
{
	return ntohs(info->ai_family == AF_INET6
			 ? ((const struct sockaddr_in6 *)(const void *)info->ai_addr)->sin6_port
			 : ((const struct sockaddr_in *)(const void *)info->ai_addr)->sin_port);
}

/* That an address is taken is of little help without by whom. */
static bool
fail_inet(GError **error, const char *address, unsigned port)
{
	bool taken = errno == EADDRINUSE;

	fail(error, address, "cannot listen");
	if (taken && error) {
		g_autofree char *holder = holder_of_port(port);
		g_autofree char *message = g_strdup_printf(
		    "%s%s%s", (*error)->message, holder[0] == ';' ? "" : " ", holder);

		g_free((*error)->message);
		(*error)->message = g_steal_pointer(&message);
	}
	return false;
}

static bool
listen_inet(const char *address, GArray *fds, GError **error)
{
	struct addrinfo *all, *one;
	guint before = fds->len;
	unsigned port;
	int saved;

	if (!resolve(address, 0, &all, error))
		return false;
	port = port_of(all);
	for (one = all; one; one = one->ai_next) {
		int fd = open_inet(one);

		if (fd >= 0)
			g_array_append_val(fds, fd);
	}
	saved = errno;
	freeaddrinfo(all);
	errno = saved;
	return fds->len > before ? true : fail_inet(error, address, port);
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

/* The file of a socket that listener_open() made; NULL if it has none. */
static char *
socket_file(int fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNSPEC};
	socklen_t length = sizeof address;

	if (getsockname(fd, (struct sockaddr *)&address, &length) != 0 ||
	    address.sun_family != AF_UNIX || length <= offsetof(struct sockaddr_un, sun_path) ||
	    !address.sun_path[0])
		return NULL;
	return g_strndup(address.sun_path, length - offsetof(struct sockaddr_un, sun_path));
}

void
listener_close(GArray *fds, bool remove)
{
	for (guint i = 0; i < fds->len; i++) {
		int fd = g_array_index(fds, int, i);
		g_autofree char *path = remove ? socket_file(fd) : NULL;

		close(fd);
		if (path)
			unlink(path);
	}
	g_array_set_size(fds, 0);
}

/* -- looking -- */

static bool
is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(
		    &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
	return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 ==
	       127;
}

static bool
check_inet(const char *address, bool look_up, bool *ret_local, GError **error)
{
	g_autoptr(GError) wrong = NULL;
	struct addrinfo *all;
	bool local = true;

	if (!resolve(address, look_up ? 0 : AI_NUMERICHOST, &all, &wrong)) {
		bool unknown = !look_up && g_error_matches(wrong, G_FILE_ERROR, G_FILE_ERROR_NOENT);

		if (!unknown)
			g_propagate_error(error, g_steal_pointer(&wrong));
		else
			*ret_local = true;
		return unknown;
	}
	for (const struct addrinfo *one = all; one; one = one->ai_next)
		local = local && is_loopback(one->ai_addr);
	freeaddrinfo(all);
	*ret_local = local;
	return true;
}

static bool
check_unix(const char *text, GError **error)
{
	const char *path = text + strlen("unix:");
	g_autofree char *folder = g_path_get_dirname(path);

	errno = strlen(path) < sizeof((struct sockaddr_un){0}.sun_path) ? 0 : ENAMETOOLONG;
	if (errno || access(folder, W_OK | X_OK) != 0)
		return fail(error, text, "cannot listen");
	return true;
}

bool
listener_check(const char *address, bool starts, bool *ret_local, GError **error)
{
	if (g_str_has_prefix(address, "inet:"))
		return check_inet(address, starts, ret_local, error);
	if (starts && !check_unix(address, error))
		return false;
	*ret_local = true;
	return true;
}

char *
listener_obstacle(const char *address, const char *user, const char *mode_setting)
{
	g_autofree char *obstacle = NULL;

	if (g_str_has_prefix(address, "unix:"))
		obstacle = reach_obstacle(address + strlen("unix:"), user, mode_setting);
	return obstacle ? g_strdup_printf("%s: %s", address, obstacle) : NULL;
}
