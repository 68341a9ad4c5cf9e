#include "config.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "classifier/cli/ownconf.h"

/* -- a key is set -- */

static const struct {
	const char *promise, *text, *changed;
} set_cases[] = {
    {"an-empty-file-gets-section-and-key", "", "[classifier]\nspam_cutoff = 0.9\n"},
    {"so-does-one-without-the-section", "# mine\n[store]\nuri = lmdb:/x\n",
	"# mine\n[store]\nuri = lmdb:/x\n\n[classifier]\nspam_cutoff = 0.9\n"},
    {"a-section-gets-the-key-at-its-end",
	"[classifier]\nham_cutoff = 0.2\n\n# of the store\n[store]\nuri = lmdb:/x\n",
	"[classifier]\nham_cutoff = 0.2\nspam_cutoff = 0.9\n\n# of the store\n[store]\nuri = "
	"lmdb:/x\n"},
    {"a-line-keeps-what-stands-round-the-value",
	"[classifier]\n  spam_cutoff=0.8   # as of May\nrobx = 0.5\n",
	"[classifier]\n  spam_cutoff=0.9   # as of May\nrobx = 0.5\n"},
    {"the-last-of-several-is-in-force",
	"[classifier]\nspam_cutoff = 0.7\n[store]\n[classifier]\nspam_cutoff = 0.8\n",
	"[classifier]\nspam_cutoff = 0.7\n[store]\n[classifier]\nspam_cutoff = 0.9\n"},
    {"a-comment-sets-nothing", "[classifier]\n#spam_cutoff = 0.8\n",
	"[classifier]\nspam_cutoff = 0.9\n#spam_cutoff = 0.8\n"},
    {"nor-does-another-section", "[milter]\nspam_cutoff = 0.8\n",
	"[milter]\nspam_cutoff = 0.8\n\n[classifier]\nspam_cutoff = 0.9\n"},
    {"a-last-line-may-lack-its-end", "[classifier]", "[classifier]\nspam_cutoff = 0.9\n"},
};

static void
test_set(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autofree char *changed =
	    ownconf_set(set_cases[i].text, "classifier", "spam_cutoff", "0.9");
	g_autofree char *again = ownconf_set(changed, "classifier", "spam_cutoff", "0.9");

	g_assert_cmpstr(changed, ==, set_cases[i].changed);
	g_assert_cmpstr(again, ==, changed);
}

/* -- files -- */

struct folder {
	char *path, *system, *own;
};

static void
folder_make(struct folder *folder, gconstpointer data G_GNUC_UNUSED)
{
	folder->path = g_dir_make_tmp("greylag-ownconf-XXXXXX", NULL);
	g_assert_cmpint(chmod(folder->path, 0777), ==, 0);
	folder->system = g_build_filename(folder->path, "system.conf", NULL);
	folder->own = g_build_filename(folder->path, "home", "greylag.conf", NULL);
}

static void
folder_remove(struct folder *folder, gconstpointer data G_GNUC_UNUSED)
{
	g_autofree char *home = g_path_get_dirname(folder->own);
	g_autofree char *link = g_build_filename(folder->path, "link.conf", NULL);

	g_unlink(link);
	g_unlink(folder->system);
	g_unlink(folder->own);
	g_rmdir(home);
	g_assert_cmpint(g_rmdir(folder->path), ==, 0);
	g_free(folder->path);
	g_free(folder->system);
	g_free(folder->own);
}

static void
put(const char *path, const char *text)
{
	g_autoptr(GError) error = NULL;

	ownconf_write(path, text, &error);
	g_assert_no_error(error);
}

static void
assert_cutoffs(const struct folder *folder, double spam, double ham, bool unreadable)
{
	static const char *const assignments[] = {"classifier.robx=0.4", NULL};
	g_autoptr(GError) error = NULL;
	struct ownconf_read read;
	struct settings *settings =
	    ownconf_load(folder->system, folder->own, assignments, &read, &error);

	g_assert_no_error(error);
	g_assert_cmpfloat(settings_decimal(settings, SETTING_CLASSIFIER_SPAM_CUTOFF), ==, spam);
	g_assert_cmpfloat(settings_decimal(settings, SETTING_CLASSIFIER_HAM_CUTOFF), ==, ham);
	g_assert_cmpfloat(settings_decimal(settings, SETTING_CLASSIFIER_ROBX), ==, 0.4);
	g_assert_cmpint(read.unreadable != NULL, ==, unreadable);
	ownconf_read_clear(&read);
	settings_free(settings);
}

static void
test_layers(struct folder *folder, gconstpointer data G_GNUC_UNUSED)
{
	put(folder->system, "[classifier]\nspam_cutoff = 0.8\nham_cutoff = 0.3\n");
	assert_cutoffs(folder, 0.8, 0.3, false);
	put(folder->own, "[classifier]\nspam_cutoff = 0.7\n");
	assert_cutoffs(folder, 0.7, 0.3, false);
}

/* As a user who is not root: root may read all. */
static void
test_unreadable(struct folder *folder, gconstpointer data G_GNUC_UNUSED)
{
	struct settings *defaults = settings_new();
	double ham = settings_decimal(defaults, SETTING_CLASSIFIER_HAM_CUTOFF);
	bool root = geteuid() == 0;

	settings_free(defaults);
	put(folder->system, "[classifier]\nspam_cutoff = 0.8\nham_cutoff = 0.3\n");
	put(folder->own, "[classifier]\nspam_cutoff = 0.7\n");
	g_assert_cmpint(chmod(folder->system, 0), ==, 0);
	if (root) {
		g_autofree char *home = g_path_get_dirname(folder->own);

		g_assert_cmpint(chmod(home, 0755), ==, 0);
		g_assert_cmpint(chmod(folder->own, 0644), ==, 0);
		g_assert_cmpint(seteuid(65534), ==, 0);
	}
	assert_cutoffs(folder, 0.7, ham, true);
	if (root)
		g_assert_cmpint(seteuid(0), ==, 0);
}

static void
test_faulty(struct folder *folder, gconstpointer data G_GNUC_UNUSED)
{
	g_autoptr(GError) error = NULL;
	struct ownconf_read read = {.system = folder->path};

	put(folder->own, "[classifier]\nspam_cutof = 0.7\n");
	g_assert_null(ownconf_load(folder->system, folder->own, NULL, &read, &error));
	g_assert_nonnull(strstr(error->message, "greylag.conf:2: classifier.spam_cutof"));
	g_assert_true(read.system == folder->path);
}

static void
test_write(struct folder *folder, gconstpointer data G_GNUC_UNUSED)
{
	g_autofree char *link = g_build_filename(folder->path, "link.conf", NULL), *text = NULL;
	struct stat info;

	put(folder->own, "one\n");
	g_assert_cmpint(chmod(folder->own, 0640), ==, 0);
	g_assert_cmpint(symlink(folder->own, link), ==, 0);
	put(link, "two\n");
	g_assert_true(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
	g_assert_true(g_file_get_contents(folder->own, &text, NULL, NULL));
	g_assert_cmpstr(text, ==, "two\n");
	g_assert_cmpint(stat(folder->own, &info), ==, 0);
	g_assert_cmphex(info.st_mode & 07777, ==, 0640);
}

static void
test_no_room(struct folder *folder, gconstpointer data G_GNUC_UNUSED)
{
	g_autofree char *below = g_build_filename(folder->own, "below", NULL);
	g_autoptr(GError) error = NULL;

	put(folder->own, "one\n");
	g_assert_false(ownconf_write(below, "two\n", &error));
	g_assert_nonnull(strstr(error->message, below));
}

#define FOLDER_TEST(name, function)                                                                \
	g_test_add(name, struct folder, NULL, folder_make, function, folder_remove)

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(set_cases); i++) {
		g_autofree char *path = g_strconcat("/ownconf/set/", set_cases[i].promise, NULL);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_set);
	}
	FOLDER_TEST("/ownconf/the-own-file-wins-and-what-it-lacks-is-the-systems", test_layers);
	FOLDER_TEST("/ownconf/a-system-file-that-may-not-be-read-is-left-out", test_unreadable);
	FOLDER_TEST("/ownconf/a-fault-of-the-own-file-is-told", test_faulty);
	FOLDER_TEST("/ownconf/writing-keeps-mode-and-link", test_write);
	FOLDER_TEST("/ownconf/what-cannot-be-written-is-told", test_no_room);
	return g_test_run();
}
