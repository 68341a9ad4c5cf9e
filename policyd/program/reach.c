#include "config.h"

#include "policyd/program/reach.h"

#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <glib.h>

#define GROUPS_MAX 256

struct who {
	const char *name;
	uid_t uid;
	gid_t groups[GROUPS_MAX];
	int n_groups;
};

static bool
find(const char *user, struct who *ret_who)
{
	const struct passwd *row = getpwnam(user);

	if (!row)
		return false;
	ret_who->name = user;
	ret_who->uid = row->pw_uid;
	ret_who->n_groups = GROUPS_MAX;
	return getgrouplist(user, row->pw_gid, ret_who->groups, &ret_who->n_groups) >= 0;
}

static bool
is_in_group(const struct who *who, gid_t group)
{
	for (int i = 0; i < who->n_groups; i++)
		if (who->groups[i] == group)
			return true;
	return false;
}

/* BIT is S_IXOTH or S_IWOTH. The first class that applies decides (path_resolution(7)). */
static bool
may(const struct who *who, const struct stat *st, mode_t bit)
{
	if (who->uid == 0)
		return true;
	if (st->st_uid == who->uid)
		return st->st_mode & bit << 6;
	if (is_in_group(who, st->st_gid))
		return st->st_mode & bit << 3;
	return st->st_mode & bit;
}

/* root:adm 0750 */
static char *
owner_text(const struct stat *st)
{
	const struct passwd *user = getpwuid(st->st_uid);
	g_autofree char *name =
	    user ? g_strdup(user->pw_name) : g_strdup_printf("%u", (unsigned)st->st_uid);
	const struct group *group = getgrgid(st->st_gid);
	g_autofree char *group_name =
	    group ? g_strdup(group->gr_name) : g_strdup_printf("%u", (unsigned)st->st_gid);

	return g_strdup_printf("%s:%s %04o", name, group_name, (unsigned)st->st_mode & 07777);
}

/* Whose the file is, if WHO may not do with it what BIT says; else NULL. */
static char *
shut_by(const struct who *who, const char *path, mode_t bit)
{
	struct stat st;

	return stat(path, &st) != 0 || may(who, &st, bit) ? NULL : owner_text(&st);
}

static char *
obstacle_of_folder(const struct who *who, const char *folder)
{
	g_autofree char *owner = shut_by(who, folder, S_IXOTH);

	return owner ? g_strdup_printf("user %s cannot come into its folder %s (%s): mail is let "
				       "in unasked; mend it with \"chgrp %s %s; chmod g+x %s\"",
			   who->name, folder, owner, who->name, folder, folder)
		     : NULL;
}

static char *
obstacle_of_socket(const struct who *who, const char *path, const char *mode_setting)
{
	g_autofree char *owner = shut_by(who, path, S_IWOTH);

	return owner ? g_strdup_printf("user %s cannot connect to it (%s): mail is let in "
				       "unasked; mend it with \"%s = 0666\", and let its folder "
				       "decide who comes near",
			   who->name, owner, mode_setting)
		     : NULL;
}

char *
reach_obstacle(const char *path, const char *user, const char *mode_setting)
{
	struct who who;
	char *obstacle = NULL;

	if (!find(user, &who))
		return NULL;
	for (const char *slash = path; !obstacle && (slash = strchr(slash, '/')); slash++) {
		g_autofree char *folder = g_strndup(path, MAX((size_t)(slash - path), 1));

		obstacle = obstacle_of_folder(&who, folder);
	}
	return obstacle ? obstacle : obstacle_of_socket(&who, path, mode_setting);
}
