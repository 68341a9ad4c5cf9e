#include "config.h"

#include "policyd/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
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

static bool
make_store_folder(const char *uri, const struct passwd *owner, GError **error)
{
	const char *folder;

	if (!g_str_has_prefix(uri, "lmdb:"))
		return true;
	folder = uri + strlen("lmdb:");
	if (mkdir(folder, 0700) != 0) {
		if (errno == EEXIST)
			return true;
		return fail(error, "cannot make the store's folder", folder);
	}
	if (owner && chown(folder, owner->pw_uid, owner->pw_gid) != 0)
		return fail(error, "cannot give away the store's folder", folder);
	return true;
}

static bool
become(const struct passwd *user, GError **error)
{
	if (initgroups(user->pw_name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
	    setuid(user->pw_uid) != 0)
		return fail(error, "cannot become", user->pw_name);
	if (user->pw_uid != 0 && setuid(0) == 0) {
		errno = EPERM;
		return fail(error, "could become root again after becoming", user->pw_name);
	}
	return true;
}

bool
privileges_drop(const char *user, const char *store_uri, const char *fallback_uri, GError **error)
{
	const struct passwd *owner = NULL;
	bool is_root = geteuid() == 0;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (is_root && *user) {
		errno = 0;
		owner = getpwnam(user);
		if (!owner) {
			g_set_error(error, SETTINGS_ERROR, 0,
			    "policy.user: there is no user \"%s\" (make it with: adduser "
			    "--system --group --no-create-home %s)",
			    user, user);
			return false;
		}
	}
	return make_store_folder(store_uri, owner, error) &&
	       make_store_folder(fallback_uri, owner, error) && (!owner || become(owner, error));
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
