#include "config.h"

#include "policyd/program/preflight.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policyd/program/listener.h"

/* Who asks: the process that starts, root perhaps, or the user that it becomes. */
enum stage { STAGE_START, STAGE_USER };

struct faults {
	GString *fatal, *bearable;
};

/* A question about one word of a setting. Returns what is wrong, to be freed; NULL for nothing. */
typedef char *(*question_fn)(
    const struct preflight *p, const struct identity *identity, const char *word);

static char *
wrong(const char *what)
{
	return g_strdup_printf("%s: %s", what, g_strerror(errno));
}

/* -- questions -- */

static char *
ask_listen(
    const struct preflight *p, const struct identity *identity G_GNUC_UNUSED, const char *word)
{
	g_autoptr(GError) error = NULL;
	bool local;

	if (!p->listens || listener_check(word, !p->running, &local, &error))
		return NULL;
	return g_strdup(error->message);
}

/* Where nobody can listen, mail goes on without statistics; the wrong readers are another matter.
 */
static char *
ask_http(const struct preflight *p, const struct identity *identity G_GNUC_UNUSED, const char *word)
{
	bool local;

	if (!p->shows || strcmp(word, "off") == 0 ||
	    !listener_check(word, !p->running, &local, NULL) || local ||
	    settings_on(p->settings, SETTING_HTTP_ALLOW_REMOTE))
		return NULL;
	return g_strdup_printf("%s is not a loopback address; everybody there could read the "
			       "statistics: set http.allow_remote = on if they may",
	    word);
}

static char *
ask_http_place(
    const struct preflight *p, const struct identity *identity G_GNUC_UNUSED, const char *word)
{
	g_autoptr(GError) error = NULL;
	bool local;

	if (!p->shows || strcmp(word, "off") == 0 ||
	    listener_check(word, !p->running, &local, &error))
		return NULL;
	return g_strdup(error->message);
}

/* Whoever starts makes the log file. */
static char *
ask_log_folder(
    const struct preflight *p, const struct identity *identity G_GNUC_UNUSED, const char *word)
{
	g_autofree char *folder = g_path_get_dirname(word);

	if (p->foreground || word[0] != '/' || access(word, F_OK) == 0 ||
	    access(folder, W_OK | X_OK) == 0)
		return NULL;
	return wrong(word);
}

/* And the user opens it again with each reload. */
static char *
ask_log_file(const struct preflight *p, const struct identity *identity, const char *word)
{
	if (p->foreground || word[0] != '/' || access(word, F_OK) != 0 || access(word, W_OK) == 0 ||
	    privileges_would_give(word, identity))
		return NULL;
	if (!identity->name)
		return wrong(word);
	return g_strdup_printf(
	    "%s: %s; mend it with \"chown %s %s\"", word, g_strerror(errno), identity->name, word);
}

static char *
ask_store_place(
    const struct preflight *p, const struct identity *identity G_GNUC_UNUSED, const char *word)
{
	const char *path = word + strlen("lmdb:");
	g_autofree char *folder = NULL;

	if (p->running || !g_str_has_prefix(word, "lmdb:") || access(path, F_OK) == 0)
		return NULL;
	folder = g_path_get_dirname(path);
	return access(folder, W_OK | X_OK) == 0 ? NULL : wrong(path);
}

/* All that lies in there: root may have left a file by hand. */
static char *
ask_store_files(const char *folder)
{
	g_autoptr(GDir) files = g_dir_open(folder, 0, NULL);
	const char *name;

	while (files && (name = g_dir_read_name(files))) {
		g_autofree char *path = g_build_filename(folder, name, NULL);

		if (g_str_has_suffix(name, ".mdb") || g_str_has_suffix(name, ".mdb-lock"))
			if (access(path, R_OK | W_OK) != 0)
				return wrong(path);
	}
	return NULL;
}

static char *
ask_store(const struct preflight *p, const struct identity *identity, const char *word)
{
	const char *folder = word + strlen("lmdb:");
	struct stat st;

	if (p->running || !g_str_has_prefix(word, "lmdb:") || access(folder, F_OK) != 0 ||
	    privileges_would_give(folder, identity))
		return NULL;
	if (stat(folder, &st) == 0 && !S_ISDIR(st.st_mode))
		errno = ENOTDIR;
	else if (access(folder, R_OK | W_OK | X_OK) == 0)
		return ask_store_files(folder);
	return wrong(folder);
}

static char *
ask_readable(const struct preflight *p G_GNUC_UNUSED, const struct identity *identity G_GNUC_UNUSED,
    const char *word)
{
	return access(word, R_OK) == 0 ? NULL : wrong(word);
}

static const struct {
	enum setting setting;
	unsigned programs;
	enum stage stage;
	bool bearable;
	question_fn ask;
} questions[] = {
    {SETTING_POLICY_LISTEN, SETTINGS_GREYLAGD, STAGE_START, false, ask_listen},
    {SETTING_MILTER_LISTEN, SETTINGS_MILTER, STAGE_START, false, ask_listen},
    {SETTING_HTTP_LISTEN, SETTINGS_GREYLAGD, STAGE_START, false, ask_http},
    {SETTING_HTTP_LISTEN, SETTINGS_GREYLAGD, STAGE_START, true, ask_http_place},
    {SETTING_LOG_TARGET, SETTINGS_GREYLAGD | SETTINGS_MILTER, STAGE_START, false, ask_log_folder},
    {SETTING_LOG_TARGET, SETTINGS_GREYLAGD | SETTINGS_MILTER, STAGE_USER, false, ask_log_file},
    {SETTING_STORE_URI, SETTINGS_GREYLAGD | SETTINGS_MILTER, STAGE_START, false, ask_store_place},
    {SETTING_STORE_FALLBACK, SETTINGS_GREYLAGD, STAGE_START, false, ask_store_place},
    {SETTING_STORE_URI, SETTINGS_GREYLAGD | SETTINGS_MILTER, STAGE_USER, true, ask_store},
    {SETTING_STORE_FALLBACK, SETTINGS_GREYLAGD, STAGE_USER, true, ask_store},
    {SETTING_STORE_PASSWORD_FILE, SETTINGS_GREYLAGD | SETTINGS_MILTER, STAGE_USER, true,
	ask_readable},
    {SETTING_STORE_TLS_CA, SETTINGS_GREYLAGD | SETTINGS_MILTER, STAGE_USER, true, ask_readable},
    {SETTING_STORE_TLS_CERT, SETTINGS_GREYLAGD | SETTINGS_MILTER, STAGE_USER, true, ask_readable},
    {SETTING_STORE_TLS_KEY, SETTINGS_GREYLAGD | SETTINGS_MILTER, STAGE_USER, true, ask_readable},
    {SETTING_WHITELIST_CLIENTS, SETTINGS_GREYLAGD | SETTINGS_MILTER, STAGE_USER, false,
	ask_readable},
    {SETTING_WHITELIST_RECIPIENTS, SETTINGS_GREYLAGD | SETTINGS_MILTER, STAGE_USER, false,
	ask_readable},
    {SETTING_WHITELIST_SENDERS, SETTINGS_GREYLAGD | SETTINGS_MILTER, STAGE_USER, false,
	ask_readable},
    {SETTING_WHITELIST_OPT_IN, SETTINGS_GREYLAGD | SETTINGS_MILTER, STAGE_USER, false,
	ask_readable},
};

/* -- asking -- */

static void
add_fault(GString *faults, const struct preflight *p, enum setting setting, const char *what,
    const char *user)
{
	g_autofree char *place = settings_place(p->settings, setting);

	g_string_append_printf(faults, "%s%s: %s", faults->len ? "\n" : "", place, what);
	if (user)
		g_string_append_printf(faults, " (as user %s)", user);
}

/* A path is one word, whatever is in it; only lists are split. */
static void
ask_setting(
    const struct preflight *p, const struct identity *identity, size_t row, struct faults *faults)
{
	enum setting setting = questions[row].setting;
	bool is_list = settings_row(setting)->type == SETTING_TYPE_LIST;
	const char *const whole[] = {settings_text(p->settings, setting), NULL};
	const char *const *words = is_list ? settings_list(p->settings, setting) : whole;
	const char *user = questions[row].stage == STAGE_USER ? identity->name : NULL;

	for (; *words; words++) {
		g_autofree char *what = **words ? questions[row].ask(p, identity, *words) : NULL;

		if (what)
			add_fault(questions[row].bearable ? faults->bearable : faults->fatal, p,
			    setting, what, user);
	}
}

static void
ask_stage(const struct preflight *p, const struct identity *identity, enum stage stage,
    struct faults *faults)
{
	for (size_t i = 0; i < G_N_ELEMENTS(questions); i++)
		if (questions[i].stage == stage && questions[i].programs & p->program)
			ask_setting(p, identity, i, faults);
}

/* -- as another user -- */

/* The two texts, each with a NUL behind it. */
static G_GNUC_NORETURN void
answer(const struct preflight *p, const struct identity *identity, int fd)
{
	struct faults faults = {g_string_new(NULL), g_string_new(NULL)};
	g_autoptr(GError) error = NULL;
	bool told;

	if (identity_become(identity, &error))
		ask_stage(p, identity, STAGE_USER, &faults);
	else
		add_fault(faults.fatal, p, SETTING_POLICY_USER, error->message, NULL);
	told = write(fd, faults.fatal->str, faults.fatal->len + 1) >= 0 &&
	       write(fd, faults.bearable->str, faults.bearable->len + 1) >= 0;
	_exit(told ? 0 : 1);
}

static void
add_line(GString *faults, const char *line)
{
	if (*line)
		g_string_append_printf(faults, "%s%s", faults->len ? "\n" : "", line);
}

static bool
hear(int fd, struct faults *faults)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	const guint8 *second;
	guint8 buffer[4096];
	ssize_t n;

	while ((n = read(fd, buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			g_byte_array_append(bytes, buffer, (guint)n);
	second = bytes->len ? memchr(bytes->data, '\0', bytes->len) : NULL;
	if (!second || bytes->data[bytes->len - 1] != '\0' ||
	    second == bytes->data + bytes->len - 1)
		return false;
	add_line(faults->fatal, (const char *)bytes->data);
	add_line(faults->bearable, (const char *)second + 1);
	return true;
}

static bool
ask_as(const struct preflight *p, const struct identity *identity, struct faults *faults)
{
	int ends[2];
	bool heard;
	pid_t pid;

	if (pipe(ends) != 0)
		return false;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		answer(p, identity, ends[1]);
	}
	close(ends[1]);
	heard = pid > 0 && hear(ends[0], faults);
	close(ends[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	return heard;
}

void
preflight_check(const struct preflight *p, GString *ret_fatal, GString *ret_bearable)
{
	struct faults faults = {ret_fatal, ret_bearable};
	struct identity identity;
	g_autoptr(GError) error = NULL;

	if (!identity_find(settings_text(p->settings, SETTING_POLICY_USER), &identity, &error)) {
		add_fault(ret_fatal, p, SETTING_POLICY_USER, error->message, NULL);
		return;
	}
	ask_stage(p, &identity, STAGE_START, &faults);
	if (!identity.name)
		ask_stage(p, &identity, STAGE_USER, &faults);
	else if (!ask_as(p, &identity, &faults))
		add_fault(ret_fatal, p, SETTING_POLICY_USER,
		    "what this user may read could not be found out", NULL);
	identity_clear(&identity);
}
