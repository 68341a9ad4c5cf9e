#include "config.h"

#include "policyd/program/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/settings.h"

static bool
fail(GError **error, const char *what, const char *name)
{
	int saved = errno;

	g_set_error(error, SETTINGS_ERROR, 0, "%s %s: %s", what, name, g_strerror(saved));
	return false;
}

/* -- who -- */

bool
identity_find(const char *user, struct identity *ret_identity, GError **error)
{
	const struct passwd *row;

	if (geteuid() != 0 || !*user) {
		*ret_identity = (struct identity){NULL, geteuid(), getegid()};
		return true;
	}
	row = getpwnam(user);
	if (!row) {
		g_set_error(error, SETTINGS_ERROR, 0,
		    "there is no user \"%s\" (make it with: adduser --system --group "
		    "--no-create-home %s)",
		    user, user);
		return false;
	}
	*ret_identity = (struct identity){g_strdup(row->pw_name), row->pw_uid, row->pw_gid};
	return true;
}

void
identity_clear(struct identity *identity)
{
	g_clear_pointer(&identity->name, g_free);
}

bool
identity_become(const struct identity *identity, GError **error)
{
	if (!identity->name)
		return true;
	if (initgroups(identity->name, identity->gid) != 0 || setgid(identity->gid) != 0 ||
	    setuid(identity->uid) != 0)
		return fail(error, "cannot become", identity->name);
	if (identity->uid != 0 && setuid(0) == 0) {
		errno = EPERM;
		return fail(error, "could become root again after becoming", identity->name);
	}
	return true;
}

/* -- the store's folder -- */

static bool
is_empty(const char *folder)
{
	g_autoptr(GDir) files = g_dir_open(folder, 0, NULL);

	return files && !g_dir_read_name(files);
}

bool
privileges_would_make(const char *store_uri)
{
	const char *folder = store_uri + strlen("lmdb:");

	return g_str_has_prefix(store_uri, "lmdb:") &&
	       (access(folder, F_OK) != 0 || is_empty(folder));
}

bool
privileges_would_give(const char *path, const struct identity *identity)
{
	struct stat st;

	if (!identity->name || identity->uid == 0 || lstat(path, &st) != 0 || st.st_uid != 0)
		return false;
	return S_ISDIR(st.st_mode) ? is_empty(path)
				   : S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_size == 0;
}

bool
privileges_give_file(const char *path, const struct identity *identity)
{
	return privileges_would_give(path, identity) &&
	       lchown(path, identity->uid, identity->gid) == 0;
}

bool
privileges_make_folder(const char *store_uri, const struct identity *identity, GError **error)
{
	const char *folder = store_uri + strlen("lmdb:");
	bool made;

	if (!g_str_has_prefix(store_uri, "lmdb:"))
		return true;
	made = mkdir(folder, 0700) == 0;
	if (!made && errno != EEXIST)
		return fail(error, "cannot make the store's folder", folder);
	if ((identity->name && made) || privileges_would_give(folder, identity))
		if (lchown(folder, identity->uid, identity->gid) != 0)
			return fail(error, "cannot give away the store's folder", folder);
	return true;
}

/* -- the process -- */

void
privileges_gain_none(void)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

void
privileges_raise_files(unsigned count)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= count)
		return;
	limit.rlim_cur = limit.rlim_max == RLIM_INFINITY ? count : MIN(count, limit.rlim_max);
	setrlimit(RLIMIT_NOFILE, &limit);
}
