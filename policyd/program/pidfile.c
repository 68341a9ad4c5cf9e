#include "config.h"

#include "policyd/program/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/settings.h"

/* A reader may come between the writer's two pages, or just before the first writing. */
#define READ_TRIES 20
#define READ_PAUSE 10000 /* microseconds */

static char *
pidfile_path(const char *program, const char *store_uri)
{
	const char *folder = GREYLAG_STATEDIR;

	if (g_str_has_prefix(store_uri, "lmdb:"))
		folder = store_uri + strlen("lmdb:");
	return g_strconcat(folder, "/", program, ".pid", NULL);
}

/* -- the running program -- */

/* Whoever owns the folder may have laid anything there: root gives nothing away but a plain file
 * that has no other name. */
static bool
give(int fd, uid_t owner, gid_t group)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1)
		return false;
	return geteuid() != 0 || (st.st_uid == owner && st.st_gid == group) ||
	       fchown(fd, owner, group) == 0;
}

int
pidfile_open(const char *program, const char *store_uri, uid_t owner, gid_t group)
{
	g_autofree char *path = pidfile_path(program, store_uri);
	int fd =
	    open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0644);

	if (fd < 0)
		return -1;
	if (give(fd, owner, group) && posix_fallocate(fd, 0, RUNSTATE_SIZE) == 0)
		return fd;
	close(fd);
	return -1;
}

bool
pidfile_hold(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_SETLK, &lock) == 0;
}

bool
pidfile_write(int fd, const struct runstate *state)
{
	char bytes[RUNSTATE_SIZE];

	runstate_encode(state, bytes);
	return pwrite(fd, bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes;
}

/* -- others -- */

/* The process that holds it; 0 if none does, -1 if that cannot be told. */
static pid_t
holder(int fd)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_GETLK, &lock) != 0)
		return -1;
	return lock.l_type == F_UNLCK ? 0 : MAX(lock.l_pid, -1);
}

static enum pidfile_result
read_state(int fd, struct runstate *ret_state)
{
	char bytes[RUNSTATE_SIZE];
	struct runstate state;
	pid_t pid = 0;

	for (int i = 0; i < READ_TRIES; i++) {
		ssize_t length = pread(fd, bytes, sizeof bytes, 0);

		pid = holder(fd);
		if (pid == 0)
			return PIDFILE_STOPPED;
		if (length > 0 && runstate_decode(bytes, (size_t)length, &state) &&
		    state.pid == pid) {
			*ret_state = state;
			return PIDFILE_RUNS;
		}
		g_usleep(READ_PAUSE);
	}
	*ret_state = (struct runstate){.pid = pid};
	return PIDFILE_SILENT;
}

enum pidfile_result
pidfile_read(const char *program, const char *store_uri, struct runstate *ret_state, GError **error)
{
	g_autofree char *path = pidfile_path(program, store_uri);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	enum pidfile_result result;

	if (fd < 0 && errno == ENOENT)
		return PIDFILE_NONE;
	if (fd < 0) {
		g_set_error(error, SETTINGS_ERROR, 0, "%s: %s", path, g_strerror(errno));
		return PIDFILE_UNKNOWN;
	}
	result = read_state(fd, ret_state);
	close(fd);
	return result;
}
