#include "config.h"

#include "policyd/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/settings.h"

static char *
pidfile_path(const char *program, const char *store_uri)
{
	const char *folder = GREYLAG_STATEDIR;

	if (g_str_has_prefix(store_uri, "lmdb:"))
		folder = store_uri + strlen("lmdb:");
	return g_strconcat(folder, "/", program, ".pid", NULL);
}

static bool
write_pid(int fd)
{
	char text[32];
	int length = g_snprintf(text, sizeof text, "%ld\n", (long)getpid());

	return ftruncate(fd, 0) == 0 && write(fd, text, (size_t)length) == length;
}

int
pidfile_hold(const char *program, const char *store_uri)
{
	g_autofree char *path = pidfile_path(program, store_uri);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		return -1;
	if (fcntl(fd, F_SETLK, &lock) == 0 && write_pid(fd))
		return fd;
	close(fd);
	return -1;
}

pid_t
pidfile_find(const char *program, const char *store_uri, GError **error)
{
	g_autofree char *path = pidfile_path(program, store_uri);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool asked = fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0;
	int saved = errno;

	if (fd >= 0)
		close(fd);
	if (asked && lock.l_type != F_UNLCK && lock.l_pid > 0)
		return lock.l_pid;
	if (asked || saved == ENOENT)
		g_set_error(error, SETTINGS_ERROR, 0, "no %s is running on %s", program, store_uri);
	else
		g_set_error(error, SETTINGS_ERROR, 0, "%s: %s", path, g_strerror(saved));
	return 0;
}
