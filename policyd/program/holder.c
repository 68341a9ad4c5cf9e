#include "config.h"

#include "policyd/program/holder.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <glib.h>

#define STATE_LISTEN 10 /* TCP_LISTEN of the kernel */

/* The inode of a socket that listens on the port, by a table of proc(5)'s net/tcp; 0 if none does.
 */
static unsigned long
inode_of_port(const char *table, unsigned port)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents(table, &text, NULL, NULL))
		return 0;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		unsigned local, state;
		unsigned long inode;

		if (sscanf(*line,
			" %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*u %*u %lu",
			&local, &state, &inode) == 3 &&
		    local == port && state == STATE_LISTEN)
			return inode;
	}
	return 0;
}

static bool
has_socket(const char *pid, unsigned long inode)
{
	g_autofree char *folder = g_build_filename("/proc", pid, "fd", NULL);
	g_autofree char *wanted = g_strdup_printf("socket:[%lu]", inode);
	g_autoptr(GDir) fds = g_dir_open(folder, 0, NULL);
	const char *name;

	while (fds && (name = g_dir_read_name(fds))) {
		g_autofree char *path = g_build_filename(folder, name, NULL);
		g_autofree char *target = g_file_read_link(path, NULL);

		if (target && strcmp(target, wanted) == 0)
			return true;
	}
	return false;
}

static char *
name_of(const char *pid)
{
	g_autofree char *path = g_build_filename("/proc", pid, "comm", NULL);
	g_autofree char *name = NULL;

	if (!g_file_get_contents(path, &name, NULL, NULL))
		return g_strdup("a program");
	return g_strescape(g_strchomp(name), NULL);
}

/* NULL if no process shows it. */
static char *
process_of(unsigned long inode)
{
	g_autoptr(GDir) processes = g_dir_open("/proc", 0, NULL);
	const char *pid;

	while (processes && (pid = g_dir_read_name(processes))) {
		if (g_ascii_isdigit(pid[0]) && has_socket(pid, inode)) {
			g_autofree char *name = name_of(pid);

			return g_strdup_printf("by %s (process %s)", name, pid);
		}
	}
	return NULL;
}

char *
holder_of_port(unsigned port)
{
	unsigned long inode = inode_of_port("/proc/net/tcp", port);
	char *process;

	if (!inode)
		inode = inode_of_port("/proc/net/tcp6", port);
	process = inode ? process_of(inode) : NULL;
	if (process)
		return process;
	return g_strdup_printf("; is %sanother greylag running? \"ss -ltnp 'sport = %u'\" tells",
	    port == 10023 ? "postgrey or " : "", port);
}
