#include "config.h"

#include <string.h>
#include <unistd.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "lib/log.h"

/* A log file in a folder of its own. */
struct logfile {
	char *folder, *path;
};

static void
open_log(struct logfile *file, gconstpointer level)
{
	g_autoptr(GError) error = NULL;

	file->folder = g_dir_make_tmp("greylag-log-XXXXXX", NULL);
	file->path = g_build_filename(file->folder, "log", NULL);
	log_open("prog", file->path, (enum log_level)GPOINTER_TO_INT(level), &error);
	g_assert_no_error(error);
}

static void
close_log(struct logfile *file, gconstpointer level G_GNUC_UNUSED)
{
	log_close();
	g_unlink(file->path);
	g_rmdir(file->folder);
	g_free(file->path);
	g_free(file->folder);
}

/* What the file has, each line without its time; to be freed. */
static char *
written(const char *path)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return g_strdup("");
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line && **line; line++) {
		/* 2026-11-24T12:00:00+0000 */
		g_assert_cmpuint(strcspn(*line, " "), ==, 24);
		memmove(*line, *line + 25, strlen(*line + 25) + 1);
	}
	return g_strjoinv("\n", lines);
}

static char *
flushed(const char *path)
{
	log_flush();
	return written(path);
}

static const struct {
	const char *value;
	size_t length;
	const char *line;
} values[] = {
    {"192.0.2.1", 9, "v=192.0.2.1"},
    {"<a+b@example.org>", 17, "v=<a+b@example.org>"},
    {"", 0, "v=\"\""},
    {"a b", 3, "v=\"a b\""},
    {"a\naction=PASS", 13, "v=\"a\\x0aaction=PASS\""},
    {"a\r\nprog: x", 10, "v=\"a\\x0d\\x0aprog: x\""},
    {"x\" reason=known y=\"", 19, "v=\"x\\\" reason=known y=\\\"\""},
    {"back\\slash", 10, "v=\"back\\\\slash\""},
    {"\\\"", 2, "v=\"\\\\\\\"\""},
    {"a\0b", 3, "v=\"a\\x00b\""},
    {"M\xc3\xa4rz", 5, "v=\"M\\xc3\\xa4rz\""},
    {"\x1b[2J\x7f\x9b", 6, "v=\"\\x1b[2J\\x7f\\x9b\""},
    {"%s%n", 4, "v=\"%s%n\""},
    {"a,b;c", 5, "v=\"a,b;c\""},
};

static void
test_escaping(struct logfile *file, gconstpointer level G_GNUC_UNUSED)
{
	g_autoptr(GString) expected = g_string_new(NULL);
	g_autofree char *text = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
		struct log_fields fields;

		log_fields_init(&fields);
		log_fields_bytes(&fields, "v", values[i].value, values[i].length);
		log_fields_text(&fields, "reason", "first");
		log_fields_write(&fields, LOG_LEVEL_INFO);
		g_string_append_printf(expected, "prog: %s reason=first\n", values[i].line);
	}
	text = flushed(file->path);
	g_assert_cmpstr(text, ==, expected->str);
}

/* What an attacker sends must not push out what was decided, whatever its bytes cost. */
static void
test_long_values(struct logfile *file, gconstpointer level G_GNUC_UNUSED)
{
	static const char fill[] = {'a', ' ', '\0', '"', '\xff'};
	g_autofree char *value = g_malloc(65536), *text = NULL;
	g_auto(GStrv) lines = NULL;

	for (size_t i = 0; i < sizeof fill; i++) {
		struct log_fields fields;

		memset(value, fill[i], 65536);
		log_fields_init(&fields);
		for (int key = 0; key < 5; key++)
			log_fields_bytes(&fields, "attribute", value, 65536);
		log_fields_text(&fields, "reason", "first");
		log_fields_int(&fields, "delay", 60);
		log_fields_write(&fields, LOG_LEVEL_INFO);
	}
	text = flushed(file->path);
	lines = g_strsplit(text, "\n", -1);
	g_assert_cmpuint(g_strv_length(lines), ==, sizeof fill + 1);
	for (size_t i = 0; i < sizeof fill; i++) {
		g_assert_true(g_str_has_suffix(lines[i], "...\" reason=first delay=60"));
		g_assert_cmpuint(strlen(lines[i]), <, LOG_FIELDS_SIZE + 128);
	}
}

/* However many pairs there are, what does not fit is left out whole and no quote stays open. */
static void
test_full_line(void)
{
	g_autofree char *value = g_malloc(2048);

	memset(value, '\xff', 2048);
	for (size_t length = 0; length <= 2048; length += 7) {
		struct log_fields fields;
		unsigned quotes = 0;

		log_fields_init(&fields);
		for (int i = 0; i < 100; i++)
			log_fields_bytes(&fields, "k", value, length);
		g_assert_cmpuint(fields.used, <=, sizeof fields.text);
		for (size_t i = 0; i < fields.used; i++)
			quotes += fields.text[i] == '"';
		g_assert_cmpuint(quotes % 2, ==, 0);
		g_assert_cmpint(fields.text[fields.used - 1], ==, '"');
	}
}

static void
test_cut(void)
{
	char value[400];
	struct log_fields fields;

	memset(value, 'a', sizeof value);
	log_fields_init(&fields);
	log_fields_bytes(&fields, "v", value, 300);
	g_assert_cmpuint(fields.used, ==, 302);
	g_assert_null(memchr(fields.text, '"', fields.used));
	log_fields_init(&fields);
	log_fields_bytes(&fields, "v", value, 301);
	g_assert_cmpuint(fields.used, <=, 310);
	g_assert_true(memcmp(fields.text + fields.used - 4, "...\"", 4) == 0);
}

static void
test_numbers(void)
{
	static const struct {
		int64_t number;
		const char *text;
	} rows[] = {{0, "n=0"}, {-1, "n=-1"}, {61, "n=61"}, {INT64_MAX, "n=9223372036854775807"},
	    {INT64_MIN, "n=-9223372036854775808"}};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct log_fields fields;

		log_fields_init(&fields);
		log_fields_int(&fields, "n", rows[i].number);
		g_assert_cmpuint(fields.used, ==, strlen(rows[i].text));
		g_assert_true(memcmp(fields.text, rows[i].text, fields.used) == 0);
	}
}

static void
test_text_line(struct logfile *file, gconstpointer level G_GNUC_UNUSED)
{
	g_autofree char *text = NULL, *big = g_strnfill(10000, 'x');

	log_line(LOG_LEVEL_INFO, "%s", "two\nlines\r, a bell\a and a delete\x7f");
	log_line(LOG_LEVEL_INFO, "%s", big);
	log_line(LOG_LEVEL_INFO, "the end");
	text = flushed(file->path);
	g_assert_true(g_str_has_prefix(
	    text, "prog: two\\x0alines\\x0d, a bell\\x07 and a delete\\x7f\nprog: xxx"));
	g_assert_true(g_str_has_suffix(text, "xxx\nprog: the end\n"));
	g_assert_cmpuint(strlen(text), <, 3000);
}

/* C1 controls and a change of direction, in UTF-8 and as lone bytes. */
static void
test_terminal(struct logfile *file, gconstpointer level G_GNUC_UNUSED)
{
	g_autofree char *text = NULL;

	log_line(LOG_LEVEL_INFO, "m\xc3\xa4rz %s",
	    "\xc2\x9b"
	    "31m \xe2\x80\xae \x9b \xc3");
	text = flushed(file->path);
	g_assert_cmpstr(text, ==, "prog: m\xc3\xa4rz \\xc2\\x9b31m \\xe2\\x80\\xae \\x9b \\xc3\n");
}

static void
test_buffering(struct logfile *file, gconstpointer level G_GNUC_UNUSED)
{
	g_autofree char *before = NULL, *after = NULL, *full = NULL;

	log_line(LOG_LEVEL_INFO, "one");
	before = written(file->path);
	g_assert_cmpstr(before, ==, "");
	log_line(LOG_LEVEL_WARNING, "two");
	after = written(file->path);
	g_assert_cmpstr(after, ==, "prog: one\nprog: two\n");
	for (int i = 0; i < 5000; i++)
		log_line(LOG_LEVEL_INFO, "line %d", i);
	full = written(file->path);
	g_assert_cmpuint(strlen(full), >, 50000); /* less the times, which written() took off */
	g_free(full);
	full = flushed(file->path);
	g_assert_true(g_str_has_suffix(full, "\nprog: line 4999\n"));
}

static void
test_level(struct logfile *file, gconstpointer level G_GNUC_UNUSED)
{
	g_autofree char *text = NULL;
	struct log_fields fields;

	log_fields_init(&fields);
	log_fields_text(&fields, "k", "v");
	log_line(LOG_LEVEL_DEBUG, "no");
	log_line(LOG_LEVEL_INFO, "no");
	log_limited(LOG_LEVEL_INFO, "kind", "no");
	log_fields_write(&fields, LOG_LEVEL_INFO);
	log_fields_write(&fields, LOG_LEVEL_WARNING);
	log_line(LOG_LEVEL_ERROR, "yes");
	text = flushed(file->path);
	g_assert_cmpstr(text, ==, "prog: k=v\nprog: yes\n");
}

static int64_t test_seconds;

static int64_t
test_clock(void)
{
	return test_seconds;
}

static void
test_limited(struct logfile *file, gconstpointer level G_GNUC_UNUSED)
{
	g_autofree char *text = NULL;

	log_set_clock(test_clock);
	for (test_seconds = 5; test_seconds < 65; test_seconds++) {
		log_limited(LOG_LEVEL_INFO, "disk", "full at %d", (int)test_seconds);
		if (test_seconds == 7)
			log_limited(LOG_LEVEL_INFO, "net", "down");
	}
	log_limited(LOG_LEVEL_INFO, "disk", "full at %d", (int)test_seconds);
	test_seconds += 60;
	log_limited(LOG_LEVEL_INFO, "disk", "full at %d", (int)test_seconds);
	log_set_clock(NULL);
	text = flushed(file->path);
	g_assert_cmpstr(text, ==,
	    "prog: full at 5\n"
	    "prog: down\n"
	    "prog: full at 65 (and 59 times since the last line)\n"
	    "prog: full at 125\n");
}

/* More kinds than there is room for share a place: something is told of them, too. */
static void
test_many_kinds(struct logfile *file, gconstpointer level G_GNUC_UNUSED)
{
	static const char names[] = "0123456789abcdefghijklmnopqrstuvwxyzABCD";
	char kinds[sizeof names - 1][2] = {{0}};
	g_autofree char *text = NULL;

	log_set_clock(test_clock);
	test_seconds = 1;
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		kinds[i][0] = names[i];
		log_limited(LOG_LEVEL_INFO, kinds[i], "kind %s", kinds[i]);
	}
	log_set_clock(NULL);
	text = flushed(file->path);
	g_assert_true(g_str_has_suffix(text, "prog: kind u\nprog: kind v\n"));
	log_close();
}

static void
test_rotation(struct logfile *file, gconstpointer level G_GNUC_UNUSED)
{
	g_autofree char *old = g_strconcat(file->path, ".1", NULL), *first = NULL, *second = NULL;
	g_autoptr(GError) error = NULL;

	log_line(LOG_LEVEL_INFO, "before");
	g_assert_cmpint(g_rename(file->path, old), ==, 0);
	log_line(LOG_LEVEL_INFO, "meanwhile");
	log_reopen(&error);
	g_assert_no_error(error);
	log_line(LOG_LEVEL_INFO, "after");
	second = flushed(file->path);
	first = written(old);
	g_assert_cmpstr(first, ==, "prog: before\nprog: meanwhile\n");
	g_assert_cmpstr(second, ==, "prog: after\n");
	g_unlink(old);
}

static void
test_append(struct logfile *file, gconstpointer level G_GNUC_UNUSED)
{
	g_autofree char *text = NULL;

	log_line(LOG_LEVEL_INFO, "one");
	g_assert_true(log_open("other", file->path, LOG_LEVEL_INFO, NULL));
	log_line(LOG_LEVEL_INFO, "two");
	text = flushed(file->path);
	g_assert_cmpstr(text, ==, "prog: one\nother: two\n");
}

static void
test_open_fails(struct logfile *file, gconstpointer level G_GNUC_UNUSED)
{
	g_autofree char *missing = g_build_filename(file->folder, "none", "log", NULL),
			*text = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_false(log_open("other", missing, LOG_LEVEL_INFO, &error));
	g_assert_nonnull(strstr(error->message, missing));
	log_line(LOG_LEVEL_INFO, "still here");
	text = flushed(file->path);
	g_assert_cmpstr(text, ==, "prog: still here\n");
}

static gpointer
log_often(gpointer data)
{
	for (int i = 0; i < 1000; i++) {
		struct log_fields fields;

		log_fields_init(&fields);
		log_fields_text(&fields, "thread", data);
		log_fields_text(&fields, "end", "yes");
		log_fields_write(&fields, LOG_LEVEL_INFO);
	}
	return NULL;
}

static void
test_threads(struct logfile *file, gconstpointer level G_GNUC_UNUSED)
{
	static char names[4][2] = {"a", "b", "c", "d"};
	GThread *threads[G_N_ELEMENTS(names)];
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("log", log_often, names[i]);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
	text = flushed(file->path);
	lines = g_strsplit(text, "\n", -1);
	g_assert_cmpuint(g_strv_length(lines), ==, 4001);
	for (size_t i = 0; i < 4000; i++)
		g_assert_true(g_regex_match_simple(
		    "^prog: thread=[abcd] end=yes$", lines[i], G_REGEX_DEFAULT, 0));
}

#define LEVEL(level) GINT_TO_POINTER(level)

#define add(path, level, function)                                                                 \
	g_test_add(path, struct logfile, LEVEL(level), open_log, function, close_log)

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("/log/no-value-forges-a-field-or-a-line", LOG_LEVEL_INFO, test_escaping);
	add("/log/reason-is-there-after-64k-values", LOG_LEVEL_INFO, test_long_values);
	g_test_add_func("/log/full-line-ends-with-a-closed-quote", test_full_line);
	g_test_add_func("/log/value-over-300-bytes-is-cut-and-marked", test_cut);
	g_test_add_func("/log/numbers-to-the-ends-of-their-range", test_numbers);
	add("/log/text-line-is-one-line", LOG_LEVEL_INFO, test_text_line);
	add("/log/text-line-steers-no-terminal", LOG_LEVEL_INFO, test_terminal);
	add("/log/info-waits-for-a-full-buffer-and-warnings-do-not", LOG_LEVEL_INFO,
	    test_buffering);
	add("/log/lines-above-the-level-are-dropped", LOG_LEVEL_WARNING, test_level);
	add("/log/limited-once-a-minute-and-counts", LOG_LEVEL_INFO, test_limited);
	add("/log/limited-tells-something-of-too-many-kinds", LOG_LEVEL_INFO, test_many_kinds);
	add("/log/reopen-follows-a-rotation", LOG_LEVEL_INFO, test_rotation);
	add("/log/file-is-appended-to", LOG_LEVEL_INFO, test_append);
	add("/log/failed-open-keeps-the-old-target", LOG_LEVEL_INFO, test_open_fails);
	add("/log/lines-of-threads-stay-whole", LOG_LEVEL_INFO, test_threads);
	return g_test_run();
}
