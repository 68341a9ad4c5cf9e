#include "config.h"

#include "classifier/mail/corpus.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "classifier/mail/mbox.h"

/* Folders in folders in folders: deeper than this is a loop of links. */
#define DEPTH_MAX 32

/* Index files of mail programs, which lie among the messages. */
static const char *const not_messages[] = {
    "dovecot*", "*.msf", "*.dat", "*.idx", "*.lock", "maildirfolder", "subscriptions", "courier*"};

static void
tell_failed(const struct corpus_visitor *visitor, const char *name)
{
	int saved = errno;
	g_autoptr(GError) error =
	    g_error_new_literal(G_FILE_ERROR, g_file_error_from_errno(saved), g_strerror(saved));

	visitor->failed(visitor->context, name, error);
}

/* -- streams -- */

static bool
give(const struct corpus_visitor *visitor, const char *path, size_t number, const uint8_t *bytes,
    size_t length)
{
	g_autofree char *name = number ? g_strdup_printf("%s#%zu", path, number) : g_strdup(path);

	return visitor->message(visitor->context, name, g_memdup2(bytes, length), length);
}

/* Without the empty line that an mbox of every dialect has behind a message: in a Maildir it is not
 * there, and the message is the same. */
static size_t
without_empty_line(const uint8_t *bytes, size_t length)
{
	size_t line = length >= 2 && bytes[length - 2] == '\r' ? 2 : 1;

	if (length > line && bytes[length - 1] == '\n' && bytes[length - line - 1] == '\n')
		return length - line;
	return length;
}

/* The first message of an mbox waits for the next one: if there is none it is named as a file's. */
static bool
give_first(const struct corpus_visitor *visitor, const char *path, size_t number, GBytes *first)
{
	gsize length;
	const uint8_t *bytes = g_bytes_get_data(first, &length);

	return give(visitor, path, number, bytes, length);
}

/* Message NUMBER of an mbox; *FIRST is that before it, if it waits. */
static bool
give_numbered(const struct corpus_visitor *visitor, const char *path, size_t number,
    const uint8_t *bytes, size_t length, GBytes **first)
{
	bool go_on = true;

	length = without_empty_line(bytes, length);
	if (number == 1) {
		*first = g_bytes_new(bytes, length);
		return true;
	}
	if (*first)
		go_on = give_first(visitor, path, 1, *first);
	g_clear_pointer(first, g_bytes_unref);
	return go_on && give(visitor, path, number, bytes, length);
}

static bool
walk_stream(const char *path, int fd, const struct corpus_visitor *visitor)
{
	struct mbox *mbox = mbox_new(fd);
	g_autoptr(GBytes) first = NULL;
	g_autoptr(GError) error = NULL;
	const uint8_t *bytes;
	size_t length, number = 0;
	bool go_on = true;

	while (go_on && mbox_next(mbox, &bytes, &length, &error)) {
		number++;
		if (mbox_is_mbox(mbox))
			go_on = give_numbered(visitor, path, number, bytes, length, &first);
		else
			go_on = give(visitor, path, 0, bytes, length);
	}
	if (first)
		go_on = give_first(visitor, path, 0, first);
	if (error)
		visitor->failed(visitor->context, path, error);
	else if (number == 0)
		go_on = give(visitor, path, 0, NULL, 0);
	mbox_free(mbox);
	return go_on;
}

static bool
walk_file(const char *path, const struct corpus_visitor *visitor)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	bool go_on;

	if (fd < 0) {
		tell_failed(visitor, path);
		return true;
	}
	go_on = walk_stream(path, fd, visitor);
	close(fd);
	return go_on;
}

/* -- folders -- */

static int
compare_names(gconstpointer a, gconstpointer b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;

	/* MH names are numbers: 9 before 10. */
	if (g_ascii_isdigit(*x) && g_ascii_isdigit(*y)) {
		guint64 m = g_ascii_strtoull(x, NULL, 10), n = g_ascii_strtoull(y, NULL, 10);

		if (m != n)
			return m < n ? -1 : 1;
	}
	return strcmp(x, y);
}

static GPtrArray *
read_folder(const char *path, const struct corpus_visitor *visitor)
{
	g_autoptr(GError) error = NULL;
	GDir *folder = g_dir_open(path, 0, &error);
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	const char *name;

	if (!folder) {
		visitor->failed(visitor->context, path, error);
		return names;
	}
	while ((name = g_dir_read_name(folder)))
		if (name[0] != '.')
			g_ptr_array_add(names, g_strdup(name));
	g_dir_close(folder);
	g_ptr_array_sort(names, compare_names);
	return names;
}

static bool
is_folder(const char *folder, const char *name)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);

	return g_file_test(path, G_FILE_TEST_IS_DIR);
}

static bool
is_mh(const char *folder)
{
	g_autofree char *sequences = g_build_filename(folder, ".mh_sequences", NULL);

	return g_file_test(sequences, G_FILE_TEST_EXISTS);
}

static bool
is_number(const char *name)
{
	return *name && strspn(name, "0123456789") == strlen(name);
}

static bool
is_no_message(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(not_messages); i++)
		if (g_pattern_match_simple(not_messages[i], name))
			return true;
	return false;
}

/* In a folder only what is a file, or cannot be looked at, which is told: a FIFO or a device would
 * be waited for. */
static bool
may_be_message(const char *path)
{
	struct stat info;

	return stat(path, &info) != 0 || S_ISREG(info.st_mode);
}

/* Maildir: "unique:2,FLAGS". Drafts and what is trashed are not what somebody received. */
static bool
has_flag(const char *name, const char *flags)
{
	const char *info = strstr(name, ":2,");

	return info && strpbrk(info + 3, flags);
}

static bool walk(const char *path, const struct corpus_visitor *visitor, int depth);

static bool
walk_maildir(const char *path, const struct corpus_visitor *visitor)
{
	static const char *const parts[] = {"cur", "new"};

	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		g_autofree char *part = g_build_filename(path, parts[i], NULL);
		g_autoptr(GPtrArray) names = read_folder(part, visitor);

		for (guint j = 0; j < names->len; j++) {
			const char *name = g_ptr_array_index(names, j);
			g_autofree char *file = g_build_filename(part, name, NULL);

			if (!has_flag(name, "DT") && !is_no_message(name) && may_be_message(file) &&
			    !walk_file(file, visitor))
				return false;
		}
	}
	return true;
}

static bool
walk_folder(const char *path, const struct corpus_visitor *visitor, int depth)
{
	g_autoptr(GPtrArray) names = read_folder(path, visitor);
	bool mh = is_mh(path);

	for (guint i = 0; i < names->len; i++) {
		const char *name = g_ptr_array_index(names, i);
		g_autofree char *below = g_build_filename(path, name, NULL);
		bool folder = g_file_test(below, G_FILE_TEST_IS_DIR);

		if (!folder &&
		    (is_no_message(name) || (mh && !is_number(name)) || !may_be_message(below)))
			continue;
		if (!walk(below, visitor, depth + 1))
			return false;
	}
	return true;
}

static bool
walk(const char *path, const struct corpus_visitor *visitor, int depth)
{
	if (!g_file_test(path, G_FILE_TEST_IS_DIR))
		return walk_file(path, visitor);
	if (depth > DEPTH_MAX) {
		errno = ELOOP;
		tell_failed(visitor, path);
		return true;
	}
	if (is_folder(path, "cur") && is_folder(path, "new"))
		return walk_maildir(path, visitor);
	return walk_folder(path, visitor, depth);
}

bool
corpus_walk(const char *path, const struct corpus_visitor *visitor)
{
	if (strcmp(path, "-") == 0)
		return walk_stream("-", STDIN_FILENO, visitor);
	return walk(path, visitor, 0);
}

char **
corpus_read_list(const char *path, GError **error)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	GStrvBuilder *paths = g_strv_builder_new();
	char **list;

	if (!g_file_get_contents(
		strcmp(path, "-") == 0 ? "/dev/stdin" : path, &text, NULL, error)) {
		g_strv_builder_unref(paths);
		return NULL;
	}
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		g_strchomp(*line);
		if (**line)
			g_strv_builder_add(paths, *line);
	}
	list = g_strv_builder_end(paths);
	g_strv_builder_unref(paths);
	return list;
}
