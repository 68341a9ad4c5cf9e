#include "config.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "policyd/program/listener.h"

static GArray *
new_fds(void)
{
	return g_array_new(FALSE, FALSE, sizeof(int));
}

static void
free_fds(GArray *fds)
{
	listener_close(fds, false);
	g_array_unref(fds);
}

static void
assert_listens(int fd)
{
	int value = 0;
	socklen_t length = sizeof value;

	g_assert_cmpint(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &length), ==, 0);
	g_assert_cmpint(value, ==, 1);
	g_assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	g_assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void
test_inet(void)
{
	GArray *fds = new_fds();
	struct sockaddr_in address;
	socklen_t length = sizeof address;
	g_autoptr(GError) error = NULL, taken = NULL;
	g_autofree char *again = NULL;

	listener_open("inet:127.0.0.1:0", 0, fds, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(fds->len, ==, 1);
	assert_listens(g_array_index(fds, int, 0));
	getsockname(g_array_index(fds, int, 0), (struct sockaddr *)&address, &length);
	g_assert_cmpuint(ntohl(address.sin_addr.s_addr), ==, INADDR_LOOPBACK);
	again = g_strdup_printf("inet:127.0.0.1:%u", ntohs(address.sin_port));
	g_assert_false(listener_open(again, 0, fds, &taken));
	g_assert_true(g_str_has_prefix(taken->message, again));
	g_assert_cmpuint(fds->len, ==, 1);
	free_fds(fds);
}

static void
test_malformed(void)
{
	static const char *const addresses[] = {"127.0.0.1:10023", "inet:", "inet:10023",
	    "inet:127.0.0.1", "inet:127.0.0.1:", "inet::10023", "inet:[::1:10023", "inet:[]:10023",
	    "inet:127.0.0.1:nonsense", "inet:256.0.0.1:10023", "tcp:127.0.0.1:1", "unix:", ""};
	GArray *fds = new_fds();

	for (size_t i = 0; i < G_N_ELEMENTS(addresses); i++) {
		g_autoptr(GError) error = NULL;

		g_test_message("%s", addresses[i]);
		g_assert_false(listener_open(addresses[i], 0600, fds, &error));
		g_assert_true(g_str_has_prefix(error->message, addresses[i]));
		g_assert_cmpuint(fds->len, ==, 0);
	}
	free_fds(fds);
}

static void
test_unix(void)
{
	g_autofree char *folder = g_dir_make_tmp("greylag-listener-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "socket", NULL);
	g_autofree char *address = g_strconcat("unix:", path, NULL);
	GArray *fds = new_fds();
	g_autoptr(GError) error = NULL, served = NULL;
	mode_t before = umask(077);
	struct stat st;

	listener_open(address, 0666, fds, &error);
	g_assert_no_error(error);
	g_assert_cmpint(umask(before), ==, 077);
	assert_listens(g_array_index(fds, int, 0));
	g_assert_cmpint(stat(path, &st), ==, 0);
	g_assert_cmpint(st.st_mode & 0777, ==, 0666);
	g_assert_false(listener_open(address, 0666, fds, &served));
	g_assert_nonnull(strstr(served->message, "in use"));
	/* As after kill -9. */
	listener_close(fds, false);
	g_assert_cmpint(stat(path, &st), ==, 0);
	listener_open(address, 0600, fds, &error);
	g_assert_no_error(error);
	g_assert_cmpint(stat(path, &st), ==, 0);
	g_assert_cmpint(st.st_mode & 0777, ==, 0600);
	listener_close(fds, true);
	g_assert_cmpint(stat(path, &st), ==, -1);
	free_fds(fds);
	g_rmdir(folder);
}

static void
test_other_file(void)
{
	g_autofree char *folder = g_dir_make_tmp("greylag-listener-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "file", NULL);
	g_autofree char *address = g_strconcat("unix:", path, NULL), *bytes = NULL;
	g_autofree char *name = g_strnfill(200, 'n');
	g_autofree char *too_long = g_strconcat("unix:/", name, NULL);
	GArray *fds = new_fds();

	g_assert_true(g_file_set_contents(path, "mail", -1, NULL));
	g_assert_false(listener_open(address, 0666, fds, NULL));
	g_assert_true(g_file_get_contents(path, &bytes, NULL, NULL));
	g_assert_cmpstr(bytes, ==, "mail");
	g_assert_false(listener_open(too_long, 0666, fds, NULL));
	free_fds(fds);
	g_unlink(path);
	g_rmdir(folder);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/listener/inet-listens-and-tells-a-taken-port", test_inet);
	g_test_add_func("/listener/malformed-address-is-named-in-the-error", test_malformed);
	g_test_add_func("/listener/socket-has-its-mode-and-replaces-a-dead-one", test_unix);
	g_test_add_func("/listener/removes-no-file-but-a-socket", test_other_file);
	return g_test_run();
}
