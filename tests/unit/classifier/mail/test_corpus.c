#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "tests/unit/db/bytes.h"
#include "classifier/mail/corpus.h"
#include "classifier/mail/mbox.h"

struct visit {
	GString *seen; /* "name:first line of the body;" */
	unsigned failed, stop_after;
	const char *root;
};

static bool
on_message(void *context, const char *name, uint8_t *bytes, size_t length)
{
	struct visit *visit = context;
	const char *body = length ? g_strstr_len((char *)bytes, (gssize)length, "\n\n") : NULL;
	const char *relative =
	    g_str_has_prefix(name, visit->root) ? name + strlen(visit->root) : name;

	g_string_append_printf(visit->seen, "%s:%.*s;", relative,
	    body ? (int)strcspn(body + 2, "\n") : 0, body ? body + 2 : "");
	g_free(bytes);
	return !visit->stop_after || --visit->stop_after > 0;
}

static void
on_failed(void *context, const char *name, const GError *error)
{
	struct visit *visit = context;

	g_assert_nonnull(name);
	g_assert_nonnull(error);
	visit->failed++;
}

static char *
walk(const char *root, const char *below, struct visit *visit)
{
	g_autofree char *path = g_build_filename(root, below, NULL);
	struct corpus_visitor visitor = {on_message, on_failed, visit};

	visit->seen = g_string_new(NULL);
	visit->root = root;
	corpus_walk(path, &visitor);
	return g_string_free(visit->seen, FALSE);
}

static char *
make_root(void)
{
	return g_dir_make_tmp("greylag-corpus-XXXXXX", NULL);
}

static void
put(const char *root, const char *name, const char *content)
{
	g_autofree char *path = g_build_filename(root, name, NULL);
	g_autofree char *folder = g_path_get_dirname(path);

	g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
	g_assert_true(g_file_set_contents(path, content, -1, NULL));
}

static void
remove_tree(const char *path)
{
	GDir *folder = g_dir_open(path, 0, NULL);
	const char *name;

	while (folder && (name = g_dir_read_name(folder))) {
		g_autofree char *below = g_build_filename(path, name, NULL);

		remove_tree(below);
	}
	if (folder)
		g_dir_close(folder);
	g_remove(path);
}

#define MESSAGE(body) "Subject: x\n\n" body "\n"

static const struct {
	const char *promise, *content, *seen;
} mailboxes[] = {
    {"a-file-is-one-message", MESSAGE("a"), "/m:a;"},
    {"an-empty-file-is-an-empty-message", "", "/m:;"},
    {"an-mbox-is-many",
	"From a@b Thu Jan  1 00:00:00 1970\n" MESSAGE(
	    "a") "\nFrom a@b Thu Jan  1 00:00:00 1970\n" MESSAGE("b"),
	"/m#1:a;/m#2:b;"},
    {"mboxo-quotes-From",
	"From a@b 00:00\n" MESSAGE("a\n>From me to you") "\nFrom a@b 00:00\n" MESSAGE("b"),
	"/m#1:a;/m#2:b;"},
    {"a-sentence-that-begins-with-From-is-no-message",
	"From a@b 00:00\n" MESSAGE("a\nFrom me to you") "\nFrom a@b 00:00\n" MESSAGE("b"),
	"/m#1:a;/m#2:b;"},
    {"a-From-line-with-a-time-needs-no-empty-line-before",
	"From a@b 00:00\n" MESSAGE("a") "From a@b Thu Jan  1 00:00:00 1970\n" MESSAGE("b"),
	"/m#1:a;/m#2:b;"},
    {"mboxcl2-is-read-by-length",
	"From a@b 00:00\nContent-Length: 27\n\nFrom here\n\nFrom there 00:00\nFrom a@b "
	"00:00\n" MESSAGE("b"),
	"/m#1:From here;/m#2:b;"},
    {"a-wrong-length-is-not-believed",
	"From a@b 00:00\nContent-Length: 3\n\nlonger\n\nFrom a@b 00:00\n" MESSAGE("b"),
	"/m#1:longer;/m#2:b;"},
    {"an-absurd-length-is-not-believed",
	"From a@b 00:00\nContent-Length: 99999999999999999999999\n\na\n\nFrom a@b 00:00\n" MESSAGE(
	    "b"),
	"/m#1:a;/m#2:b;"},
    {"a-message-without-an-end-is-one", "From a@b 00:00\nSubject: x", "/m:;"},
    {"the-only-one-is-named-by-its-path", "From a@b 00:00\n" MESSAGE("a") "\n", "/m:a;"},
    {"line-ends-may-be-crlf",
	"From a@b x\r\nSubject: x\r\n\r\na\r\n\r\nFrom a@b x\r\nSubject: y\r\n\r\nb\r\n",
	"/m#1:;/m#2:;"},
};

static void
test_mailbox(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autofree char *root = make_root();
	struct visit visit = {0};

	put(root, "m", mailboxes[i].content);
	g_autofree char *seen = walk(root, "m", &visit);
	g_assert_cmpstr(seen, ==, mailboxes[i].seen);
	remove_tree(root);
}

/* What a Maildir's owner sorted into .Junk is not what is in the Maildir. */
static void
test_maildir(void)
{
	g_autofree char *root = make_root();
	struct visit visit = {0};

	put(root, "cur/1:2,S", MESSAGE("a"));
	put(root, "cur/2:2,ST", MESSAGE("trashed"));
	put(root, "cur/3:2,D", MESSAGE("draft"));
	put(root, "new/4", MESSAGE("b"));
	put(root, "tmp/5", MESSAGE("half"));
	put(root, ".Junk/cur/6:2,S", MESSAGE("junk"));
	put(root, "dovecot.index", "x");
	g_autofree char *seen = walk(root, "", &visit);
	g_assert_nonnull(strstr(seen, "cur/1:2,S:a;"));
	g_assert_nonnull(strstr(seen, "new/4:b;"));
	g_assert_null(strstr(seen, "trashed"));
	g_assert_null(strstr(seen, "draft"));
	g_assert_null(strstr(seen, "half"));
	g_assert_null(strstr(seen, "junk"));
	g_free(g_steal_pointer(&seen));
	seen = walk(root, ".Junk", &visit);
	remove_tree(root);
}

static void
test_mh(void)
{
	g_autofree char *root = make_root();
	struct visit visit = {0};

	put(root, ".mh_sequences", "");
	put(root, "10", MESSAGE("ten"));
	put(root, "9", MESSAGE("nine"));
	put(root, ",8", MESSAGE("deleted"));
	put(root, "notes", "no message");
	g_autofree char *seen = walk(root, "", &visit);
	g_assert_nonnull(strstr(seen, "9:nine;"));
	g_assert_nonnull(strstr(seen, "10:ten;"));
	g_assert_true(strstr(seen, "nine") < strstr(seen, "ten;"));
	g_assert_null(strstr(seen, "deleted"));
	g_assert_null(strstr(seen, "notes"));
	remove_tree(root);
}

static void
test_folder(void)
{
	g_autofree char *root = make_root();
	struct visit visit = {0};

	put(root, "a/b/c", MESSAGE("deep"));
	put(root, "box", "From a@b 00:00\n" MESSAGE("x") "\nFrom a@b 00:00\n" MESSAGE("y"));
	put(root, "box.msf", "index");
	put(root, ".hidden", MESSAGE("hidden"));
	g_autofree char *seen = walk(root, "", &visit);
	g_assert_nonnull(strstr(seen, "a/b/c:deep;"));
	g_assert_nonnull(strstr(seen, "box#1:x;"));
	g_assert_nonnull(strstr(seen, "box#2:y;"));
	g_assert_null(strstr(seen, "index"));
	g_assert_null(strstr(seen, "hidden"));
	remove_tree(root);
}

/* The bytes that were given last, with line ends to be seen. */
static bool
keep_last(void *context, const char *name G_GNUC_UNUSED, uint8_t *bytes, size_t length)
{
	char **last = context;

	g_free(*last);
	*last = g_strndup((const char *)bytes, length);
	g_free(bytes);
	return true;
}

/* Neither the From_ line nor the empty line behind it differ between an mbox and a Maildir: the
 * first is the canonical form's matter, the second is here. */
static void
test_empty_line(void)
{
	static const char *const boxes[] = {
	    "From a@b 00:00\n" MESSAGE("a") "\n",
	    "From a@b 00:00\n" MESSAGE("x") "\nFrom a@b 00:00\n" MESSAGE("a") "\n",
	    "From a@b 00:00\n" MESSAGE("a"),
	};

	for (size_t i = 0; i < G_N_ELEMENTS(boxes); i++) {
		g_autofree char *root = make_root();
		g_autofree char *path = g_build_filename(root, "m", NULL);
		g_autofree char *last = NULL;
		struct corpus_visitor visitor = {keep_last, on_failed, &last};

		put(root, "m", boxes[i]);
		corpus_walk(path, &visitor);
		g_assert_cmpstr(last, ==, "From a@b 00:00\n" MESSAGE("a"));
		remove_tree(root);
	}
}

static void
test_fifo(void)
{
	g_autofree char *root = make_root();
	g_autofree char *fifo = g_build_filename(root, "fifo", NULL);
	struct visit visit = {0};

	put(root, "1", MESSAGE("a"));
	g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
	g_autofree char *seen = walk(root, "", &visit);
	g_assert_cmpstr(seen, ==, "/1:a;");
	g_assert_cmpuint(visit.failed, ==, 0);
	remove_tree(root);
}

static void
test_failures_are_told(void)
{
	g_autofree char *root = make_root();
	struct visit visit = {0};

	g_autofree char *seen = walk(root, "is-not-there", &visit);
	g_assert_cmpstr(seen, ==, "");
	g_assert_cmpuint(visit.failed, ==, 1);
	remove_tree(root);
}

static void
test_stop(void)
{
	g_autofree char *root = make_root();
	struct visit visit = {.stop_after = 2};

	put(root, "1", MESSAGE("a"));
	put(root, "2", MESSAGE("b"));
	put(root, "3", MESSAGE("c"));
	g_autofree char *seen = walk(root, "", &visit);
	g_assert_null(strstr(seen, "3:c"));
	g_assert_nonnull(strstr(seen, "2:b"));
	remove_tree(root);
}

/* The same messages however the bytes arrive: a From_ line split over two reads is one, too. */
static void
test_splits(void)
{
	static const char box[] = "From a@b 00:00\n" MESSAGE("a") "\nFrom a@b 00:00\n" MESSAGE(
	    "b") "\nFrom a@b 00:00\n" MESSAGE("c");

	for (size_t split = 1; split < sizeof box - 1; split++) {
		int ends[2];
		struct mbox *mbox;
		const uint8_t *bytes;
		size_t length, total = 0;
		unsigned n = 0;

		g_assert_cmpint(pipe(ends), ==, 0);
		g_assert_cmpint(write(ends[1], box, split), ==, (ssize_t)split);
		mbox = mbox_new(ends[0]);
		g_assert_cmpint(write(ends[1], box + split, sizeof box - 1 - split), ==,
		    (ssize_t)(sizeof box - 1 - split));
		close(ends[1]);
		while (mbox_next(mbox, &bytes, &length, NULL)) {
			assert_same_bytes(bytes, length, box + total, length);
			total += length;
			n++;
		}
		g_assert_cmpuint(n, ==, 3);
		g_assert_cmpuint(total, ==, sizeof box - 1);
		mbox_free(mbox);
		close(ends[0]);
	}
}

static void
test_list(void)
{
	g_autofree char *root = make_root();
	g_autofree char *path = g_build_filename(root, "list", NULL);
	g_autoptr(GError) error = NULL;

	put(root, "list", "a\n\nb c\r\n/d");
	g_auto(GStrv) list = corpus_read_list(path, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(g_strv_length(list), ==, 3);
	g_assert_cmpstr(list[1], ==, "b c");
	g_assert_null(corpus_read_list("/is/not/there", &error));
	g_assert_nonnull(error);
	remove_tree(root);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(mailboxes); i++) {
		g_autofree char *path = g_strconcat("/corpus/", mailboxes[i].promise, NULL);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_mailbox);
	}
	g_test_add_func("/corpus/an-mbox-gives-no-empty-line-behind-a-message", test_empty_line);
	g_test_add_func("/corpus/a-FIFO-in-a-folder-is-not-waited-for", test_fifo);
	g_test_add_func("/corpus/of-a-maildir-cur-and-new-alone", test_maildir);
	g_test_add_func("/corpus/mh-by-numbers", test_mh);
	g_test_add_func("/corpus/a-folder-with-all-below", test_folder);
	g_test_add_func("/corpus/what-cannot-be-read-is-told", test_failures_are_told);
	g_test_add_func("/corpus/a-walk-can-be-stopped", test_stop);
	g_test_add_func("/corpus/splits-do-not-matter", test_splits);
	g_test_add_func("/corpus/lists-of-paths", test_list);
	return g_test_run();
}
