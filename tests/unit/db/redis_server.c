#include "config.h"

#include "tests/unit/db/redis_server.h"

#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <glib/gstdio.h>

#define PATIENCE 1000 /* steps of 10 ms */

bool
redis_server_installed(void)
{
	g_autofree char *server = g_find_program_in_path("redis-server");
	g_autofree char *cli = g_find_program_in_path("redis-cli");

	return server && cli;
}

static void
end_with_parent(gpointer data G_GNUC_UNUSED)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

char *
redis_server_ask(const struct redis_server *server, const char *command, ...)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	g_autoptr(GError) error = NULL;
	char *out = NULL;
	va_list rest;

	g_ptr_array_add(argv, (gpointer) "redis-cli");
	g_ptr_array_add(argv, (gpointer) "-s");
	g_ptr_array_add(argv, server->socket);
	va_start(rest, command);
	for (; command; command = va_arg(rest, const char *))
		g_ptr_array_add(argv, (gpointer)command);
	va_end(rest);
	g_ptr_array_add(argv, NULL);
	g_spawn_sync(NULL, (char **)argv->pdata, NULL,
	    G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &out, NULL, NULL, &error);
	g_assert_no_error(error);
	return g_strchomp(out);
}

static bool
answers(const struct redis_server *server)
{
	g_autofree char *answer = redis_server_ask(server, "PING", NULL);

	return strcmp(answer, "PONG") == 0 || g_str_has_prefix(answer, "NOAUTH");
}

void
redis_server_again(struct redis_server *server)
{
	const char *first[] = {"redis-server", "--port", "0", "--unixsocket", server->socket,
	    "--save", "", "--dir", server->folder};
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	g_autoptr(GError) error = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(first); i++)
		g_ptr_array_add(argv, (gpointer)first[i]);
	for (char **option = server->options; option && *option; option++)
		g_ptr_array_add(argv, *option);
	g_ptr_array_add(argv, NULL);
	g_spawn_async(NULL, (char **)argv->pdata, NULL,
	    G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL |
		G_SPAWN_DO_NOT_REAP_CHILD,
	    end_with_parent, NULL, &server->pid, &error);
	g_assert_no_error(error);
	for (int i = 0; !answers(server); i++) {
		g_assert_cmpint(i, <, PATIENCE);
		g_usleep(10000);
	}
}

void
redis_server_start(struct redis_server *server, const char *const *options)
{
	server->folder = g_dir_make_tmp("greylag-redis-XXXXXX", NULL);
	server->socket = g_build_filename(server->folder, "socket", NULL);
	server->options = g_strdupv((char **)options);
	redis_server_again(server);
}

void
redis_server_signal(const struct redis_server *server, int number)
{
	g_assert_cmpint(kill(server->pid, number), ==, 0);
}

void
redis_server_kill(struct redis_server *server)
{
	redis_server_signal(server, SIGKILL);
	g_assert_cmpint(waitpid(server->pid, NULL, 0), ==, server->pid);
	server->pid = 0;
}

static void
remove_folder(const char *path)
{
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *inner = g_build_filename(path, name, NULL);

		if (g_file_test(inner, G_FILE_TEST_IS_DIR))
			remove_folder(inner);
		else
			g_unlink(inner);
	}
	g_clear_pointer(&dir, g_dir_close);
	g_rmdir(path);
}

void
redis_server_clear(struct redis_server *server)
{
	if (server->pid)
		redis_server_kill(server);
	remove_folder(server->folder);
	g_clear_pointer(&server->folder, g_free);
	g_clear_pointer(&server->socket, g_free);
	g_clear_pointer(&server->options, g_strfreev);
}

char *
redis_server_uri(const struct redis_server *server)
{
	return g_strconcat("redis+unix:", server->socket, NULL);
}
