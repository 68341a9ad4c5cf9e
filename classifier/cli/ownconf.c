#include "config.h"

#include "classifier/cli/ownconf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <glib/gstdio.h>

#define FILE_NAME "greylag.conf"

char *
ownconf_path(void)
{
	return geteuid() == 0 ? NULL : g_build_filename(g_get_user_config_dir(), FILE_NAME, NULL);
}

/* -- reading -- */

void
ownconf_read_clear(struct ownconf_read *read)
{
	g_free(read->system);
	g_free(read->own);
	g_free(read->unreadable);
	*read = (struct ownconf_read){0};
}

/* A file that is not there is none. */
static bool
read_file(struct settings *settings, const char *path, char **ret_read, GError **error)
{
	if (!path || !g_file_test(path, G_FILE_TEST_EXISTS))
		return true;
	if (!settings_read(settings, path, error))
		return false;
	*ret_read = g_strdup(path);
	return true;
}

static bool
read_all(struct settings *settings, const char *system, const char *own,
    const char *const *assignments, struct ownconf_read *read, GError **error)
{
	g_autoptr(GError) problem = NULL;
	bool good = read_file(settings, system, &read->system, &problem);

	if (g_error_matches(problem, G_FILE_ERROR, G_FILE_ERROR_ACCES)) {
		read->unreadable = g_strdup(system);
		good = true;
	} else if (problem) {
		g_propagate_error(error, g_steal_pointer(&problem));
	}
	good = good && read_file(settings, own, &read->own, error);
	for (; good && assignments && *assignments; assignments++)
		good = settings_assign(settings, *assignments, error);
	return good && settings_check(settings, error);
}

struct settings *
ownconf_load(const char *system, const char *own, const char *const *assignments,
    struct ownconf_read *ret_read, GError **error)
{
	struct settings *settings = settings_new();
	struct ownconf_read read = {0};

	if (read_all(settings, system, own, assignments, &read, error)) {
		*ret_read = read;
		return settings;
	}
	ownconf_read_clear(&read);
	settings_free(settings);
	return NULL;
}

/* -- changing a text -- */

/* The name between the brackets of a section's line; NULL of others. */
static char *
section_of(const char *line)
{
	const char *at = line + strspn(line, " \t"), *end = strchr(at, ']');

	return *at == '[' && end ? g_strstrip(g_strndup(at + 1, (gsize)(end - at - 1))) : NULL;
}

static bool
sets(const char *line, const char *key)
{
	const char *equals = strchr(line, '=');
	g_autofree char *name = equals ? g_strstrip(g_strndup(line, (gsize)(equals - line))) : NULL;

	return name && strcmp(name, key) == 0;
}

/* Comments before the next section may be about that. */
static bool
is_of_section(const char *line)
{
	const char *at = line + strspn(line, " \t\r");

	return *at && *at != '#';
}

/* The line with another value; what stands before it and a comment behind it stay. */
static char *
with_value(const char *line, const char *value)
{
	size_t before = (size_t)(strchr(line, '=') + 1 - line);
	const char *comment = line + before;

	before += strspn(line + before, " \t");
	while (*comment && !(*comment == '#' && g_ascii_isspace(comment[-1])))
		comment++;
	while (comment > line + before && g_ascii_isspace(comment[-1]))
		comment--;
	return g_strdup_printf("%.*s%s%s", (int)before, line, value, comment);
}

/* Where in the file the key is set, or else would be. */
struct place {
	guint set, last; /* lines, from 1: the one that sets it; the section's last that sets any */
};

static struct place
find_place(const GPtrArray *lines, const char *section, const char *key)
{
	struct place place = {0};
	bool inside = false;

	for (guint i = 0; i < lines->len; i++) {
		const char *line = g_ptr_array_index(lines, i);
		g_autofree char *name = section_of(line);

		if (name)
			inside = strcmp(name, section) == 0;
		if (inside && is_of_section(line))
			place.last = i + 1;
		if (inside && sets(line, key))
			place.set = i + 1;
	}
	return place;
}

static void
put_value(GPtrArray *lines, const char *section, const char *key, const char *value)
{
	struct place place = find_place(lines, section, key);

	if (place.set) {
		char **line = (char **)&g_ptr_array_index(lines, place.set - 1);
		char *changed = with_value(*line, value);

		g_free(*line);
		*line = changed;
		return;
	}
	if (!place.last) {
		if (lines->len)
			g_ptr_array_add(lines, g_strdup(""));
		g_ptr_array_add(lines, g_strdup_printf("[%s]", section));
		place.last = lines->len;
	}
	g_ptr_array_insert(lines, (gint)place.last, g_strdup_printf("%s = %s", key, value));
}

char *
ownconf_set(const char *text, const char *section, const char *key, const char *value)
{
	g_auto(GStrv) split = g_strsplit(text, "\n", -1);
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
	guint n = g_strv_length(split);

	/* Behind the last line's end there is no line. */
	if (n && !*split[n - 1])
		n--;
	for (guint i = 0; i < n; i++)
		g_ptr_array_add(lines, g_strdup(split[i]));
	put_value(lines, section, key, value);
	g_ptr_array_add(lines, g_strdup(""));
	g_ptr_array_add(lines, NULL);
	return g_strjoinv("\n", (char **)lines->pdata);
}

/* -- writing -- */

static bool
write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t n = write(fd, text, left);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			text += n;
			left -= (size_t)n;
		}
	}
	return fsync(fd) == 0;
}

/* As the file that it replaces. */
static bool
take_after(int fd, const char *path)
{
	struct stat old;

	if (stat(path, &old) != 0)
		return errno == ENOENT;
	return fchown(fd, old.st_uid, old.st_gid) == 0 && fchmod(fd, old.st_mode & 07777) == 0;
}

static bool
write_new(const char *path, const char *text)
{
	g_autofree char *new = g_strconcat(path, ".XXXXXX", NULL);
	int fd = g_mkstemp(new), saved;
	bool good;

	if (fd < 0)
		return false;
	good = take_after(fd, path) && write_all(fd, text);
	good = close(fd) == 0 && good;
	if (good && g_rename(new, path) == 0)
		return true;
	saved = errno;
	g_unlink(new);
	errno = saved;
	return false;
}

bool
ownconf_write(const char *path, const char *text, GError **error)
{
	g_autofree char *folder = g_path_get_dirname(path);
	/* Of a link the file that it leads to. */
	char *target = realpath(path, NULL);
	bool good =
	    g_mkdir_with_parents(folder, 0700) == 0 && write_new(target ? target : path, text);
	int saved = errno;

	free(target);
	if (!good)
		g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(saved), "%s: %s", path,
		    g_strerror(saved));
	return good;
}
