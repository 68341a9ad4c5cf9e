/*
 * greylag-milter: the classifier in the SMTP dialogue. Two processes: this one holds the socket,
 * takes signals and never looks at mail; its child serves. Whatever mail or a damaged store does to
 * the child, there is a new one at once.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <glib.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "lib/log.h"
#include "lib/settings.h"
#include "policyd/milter.h"
#include "policyd/milter_service.h"
#include "policyd/pidfile.h"
#include "policyd/privileges.h"

/* Descriptors besides connections. */
#define OTHER_FILES 64

/* How long a child goes on that shall end, in milliseconds: with connections, where another one
 * takes the new ones; then with messages that are on their way in; then until it is killed. */
#define LEAVE_TIME 60000
#define DRAIN_TIME 5000
#define STOP_TIME  15000

/* A child that came to its end by itself, and so did its predecessor: the store may be the reason.
 * Its successor does without it for so many seconds, and twice as long with each further one. */
#define PATIENCE_FIRST 10
#define PATIENCE_MAX   160

/* Microseconds until one that ended at once is followed by another. */
#define RESTART_PAUSE 200000

/* What ended one that had lived so many seconds was not the store. */
#define GOOD_LIFE 30

/* What a child is told that shall leave; one that shall stop sees the end of its pipe. */
#define WORD_LEAVE 'l'

/* So often, a tenth of a second apart, the socket is tried: a predecessor's child may have it yet.
 */
#define OPEN_TRIES 20

struct arguments {
	char *config;
	char **assignments;
	gboolean foreground, check_config, show_config, version;
};

struct child {
	pid_t pid; /* 0: none */
	int word;  /* the pipe to it; it stops when this is closed */
	int64_t began;
};

struct master {
	struct arguments arguments;
	struct settings *settings;
	struct suffix_list *suffixes;
	struct rules *rules;
	struct child child, leaving;
	unsigned failures; /* children, one after the other, that came to their end by themselves */
	unsigned patience; /* of the present child */
	atomic_uint *perils; /* shared with the children: see milter.h */
	int pid_file;        /* held, or -1 */
	bool stopping;
};

static void
tell_manager(const char *state)
{
#ifdef HAVE_SYSTEMD
	sd_notify(0, state);
#else
	(void)state;
#endif
}

/* -- command line and configuration -- */

static bool
parse_arguments(int *argc, char ***argv, struct arguments *a, GError **error)
{
	const GOptionEntry entries[] = {
	    {"config", 'c', 0, G_OPTION_ARG_FILENAME, &a->config, "Read this configuration",
		"FILE"},
	    {"option", 'o', 0, G_OPTION_ARG_STRING_ARRAY, &a->assignments,
		"Set one value; wins over the file (repeatable)", "SECTION.KEY=VALUE"},
	    {"foreground", 'f', 0, G_OPTION_ARG_NONE, &a->foreground,
		"Stay in the foreground and log to standard error", NULL},
	    {"check-config", 0, 0, G_OPTION_ARG_NONE, &a->check_config,
		"Check the configuration and the lists it names, then exit", NULL},
	    {"show-config", 0, 0, G_OPTION_ARG_NONE, &a->show_config,
		"Print all settings as they are in force, then exit", NULL},
	    {"version", 0, 0, G_OPTION_ARG_NONE, &a->version, "Print the version, then exit", NULL},
	    G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) context = g_option_context_new("- spam filter for Postfix");

	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, argc, argv, error))
		return false;
	if (*argc > 1) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
		    "unexpected argument \"%s\"; see greylag-milter --help", (*argv)[1]);
		return false;
	}
	return true;
}

static bool
load(const struct arguments *a, const struct suffix_list *suffixes, struct settings **ret_settings,
    struct rules **ret_rules, GError **error)
{
	struct settings *settings =
	    settings_load(a->config, (const char *const *)a->assignments, error);
	struct rules *rules = settings ? rules_new(settings, suffixes, error) : NULL;

	if (!rules) {
		settings_free(settings);
		return false;
	}
	*ret_settings = settings;
	*ret_rules = rules;
	return true;
}

/* -- the child -- */

struct service {
	struct milter_service *service;
	int word;
	GMutex ending; /* whoever ends the process has it */
};

/* Until nobody is there any more, or the time is over. */
static void
wait_until_none(unsigned (*count)(void), int milliseconds)
{
	for (; count() && milliseconds > 0; milliseconds -= 50)
		g_usleep(50000);
}

/* Ends this process, once. */
static G_GNUC_NORETURN void
end(struct service *s, int status)
{
	g_mutex_lock(&s->ending);
	milter_service_stop(s->service);
	log_flush();
	_exit(status);
}

/* Waits for the master's word or its end, and then ends this process, from whatever it does. */
static gpointer
obey(gpointer data)
{
	struct service *s = data;
	char word;
	ssize_t n;

	do
		n = read(s->word, &word, 1);
	while (n < 0 && errno == EINTR);
	milter_stop_accepting();
	if (n > 0)
		wait_until_none(milter_connections, LEAVE_TIME);
	wait_until_none(milter_messages, DRAIN_TIME);
	end(s, EXIT_SUCCESS);
}

static G_GNUC_NORETURN void
serve(const struct master *m, int word)
{
	const struct settings *settings = m->settings;
	size_t message = (size_t)settings_number(settings, SETTING_CLASSIFIER_MAX_MESSAGE);
	struct milter_budget budget = {
	    .limit = (size_t)settings_number(settings, SETTING_MILTER_MAX_MEMORY)};
	static struct service s; /* of the threads, too */
	bool served;
	struct milter_options options = {
	    .max_connections = (unsigned)settings_number(settings, SETTING_MILTER_MAX_CONNECTIONS),
	    /* As far as canonical_read() looks, and a byte to tell that there is more. */
	    .message = message + message / 16 + 4096,
	    .budget = &budget,
	    .perils = m->perils,
	    .decide = milter_service_decide,
	};

	s.word = word;
	g_mutex_init(&s.ending);
	s.service = milter_service_new(settings, m->rules, m->patience);
	options.context = s.service;
	g_thread_unref(g_thread_new("obey", obey, &s));
	/* True once somebody has told this process to stop, not the master. */
	served = milter_serve(&options);
	end(&s, served ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* -- the master -- */

static void
close_word(struct child *child)
{
	if (child->word >= 0)
		close(child->word);
	child->word = -1;
}

static bool
start_child(struct master *m)
{
	int ends[2];
	pid_t pid;

	log_flush();
	if (pipe(ends) != 0)
		return false;
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	fcntl(ends[1], F_SETFD, FD_CLOEXEC);
	pid = fork();
	if (pid == 0) {
		/* A terminal's Ctrl-C is the master's affair. */
		setpgid(0, 0);
		close(ends[1]);
		close_word(&m->child);
		close_word(&m->leaving);
		if (m->pid_file >= 0)
			close(m->pid_file);
		serve(m, ends[0]);
	}
	close(ends[0]);
	if (pid < 0) {
		close(ends[1]);
		return false;
	}
	m->child = (struct child){.pid = pid, .word = ends[1], .began = g_get_monotonic_time()};
	return true;
}

/* The present child leaves, when its connections are over, for one by the new settings. */
static void
replace_child(struct master *m)
{
	const char word = WORD_LEAVE;

	if (m->leaving.pid)
		close_word(&m->leaving);
	m->leaving = m->child;
	m->child = (struct child){.word = -1};
	if (m->leaving.pid && write(m->leaving.word, &word, 1) != 1)
		close_word(&m->leaving);
	if (!start_child(m))
		log_line(LOG_LEVEL_ERROR, "cannot start a process: %s", g_strerror(errno));
}

static void
log_faults(const char *faults)
{
	g_auto(GStrv) lines = g_strsplit(faults, "\n", -1);

	for (char **line = lines; *line; line++)
		log_line(LOG_LEVEL_ERROR, "%s", *line);
	log_line(LOG_LEVEL_ERROR, "the old configuration stays in force");
}

/* What was opened at the start stays as it was until a restart. */
static void
warn_of_restart(const struct settings *old, const struct settings *new)
{
	static const enum setting fixed[] = {SETTING_MILTER_LISTEN, SETTING_MILTER_SOCKET_MODE,
	    SETTING_POLICY_USER, SETTING_LOG_TARGET, SETTING_LOG_LEVEL};

	for (size_t i = 0; i < G_N_ELEMENTS(fixed); i++) {
		g_autofree char *a = settings_format(old, fixed[i]);
		g_autofree char *b = settings_format(new, fixed[i]);
		const struct setting_row *row = settings_row(fixed[i]);

		if (strcmp(a, b) != 0)
			log_line(LOG_LEVEL_WARNING, "%s.%s has changed: restart to put it in force",
			    row->section, row->key);
	}
}

static void
reload(struct master *m)
{
	g_autoptr(GError) error = NULL, log_error = NULL;
	struct settings *settings;
	struct rules *rules;

	tell_manager("RELOADING=1");
	if (!log_reopen(&log_error))
		log_line(LOG_LEVEL_ERROR, "%s", log_error->message);
	if (load(&m->arguments, m->suffixes, &settings, &rules, &error)) {
		warn_of_restart(m->settings, settings);
		rules_unref(m->rules);
		settings_free(m->settings);
		m->settings = settings;
		m->rules = rules;
		m->patience = m->failures = 0;
		replace_child(m);
		log_line(LOG_LEVEL_INFO, "the configuration was read again");
	} else {
		log_faults(error->message);
	}
	log_flush();
	tell_manager("READY=1");
}

/* How long the next child does without the store. */
static void
set_patience(struct master *m, int status, int64_t lived)
{
	/* Neither says anything of the store. */
	bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	bool misled = atomic_exchange(m->perils, 0) > 0;

	if (killed || lived >= GOOD_LIFE + (int64_t)m->patience)
		m->failures = 0;
	m->failures += !killed && !misled;
	m->patience = m->failures < 2 ? 0 : PATIENCE_FIRST << MIN(m->failures - 2, 4);
	m->patience = MIN(m->patience, PATIENCE_MAX);
}

/* What becomes of the service after its child has ended with STATUS. */
static void
child_ended(struct master *m, int status)
{
	int64_t lived = (g_get_monotonic_time() - m->child.began) / G_USEC_PER_SEC;

	close_word(&m->child);
	m->child = (struct child){.word = -1};
	if (m->stopping)
		return;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) {
		m->stopping = true;
		return;
	}
	set_patience(m, status, lived);
	log_line(LOG_LEVEL_ERROR,
	    "the serving process has ended (%s %d) after %" G_GINT64_FORMAT
	    " seconds; its successor does without the store for %u",
	    WIFSIGNALED(status) ? "signal" : "status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), lived, m->patience);
	if (lived == 0)
		g_usleep(RESTART_PAUSE);
	if (!start_child(m))
		log_line(LOG_LEVEL_ERROR, "cannot start a process: %s", g_strerror(errno));
}

static void
reap(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == m->child.pid) {
			child_ended(m, status);
		} else if (pid == m->leaving.pid) {
			close_word(&m->leaving);
			m->leaving = (struct child){.word = -1};
		}
	}
}

/* Seconds between two signs of life to the service manager; 0 where none are wanted. */
static unsigned
watchdog_interval(void)
{
	uint64_t interval = 0;
#ifdef HAVE_SYSTEMD
	if (sd_watchdog_enabled(0, &interval) <= 0)
		interval = 0;
#endif
	return (unsigned)(interval / 2 / G_USEC_PER_SEC);
}

static void
run(struct master *m, const sigset_t *signals)
{
	unsigned interval = watchdog_interval();
	const struct timespec timeout = {.tv_sec = interval ? interval : 3600};

	while (!m->stopping) {
		/* Where no process could be started, it is tried again. */
		const struct timespec soon = {.tv_sec = 1};
		int signal = sigtimedwait(signals, NULL, m->child.pid ? &timeout : &soon);

		if (signal == SIGTERM || signal == SIGINT)
			m->stopping = true;
		else if (signal == SIGHUP)
			reload(m);
		else if (signal == SIGCHLD)
			reap(m);
		if (!m->child.pid && !m->stopping)
			start_child(m);
		if (interval)
			tell_manager("WATCHDOG=1");
		log_flush();
	}
}

/* Messages that are on their way in come to their end, what is to be written is. */
static void
stop_children(struct master *m, const sigset_t *signals)
{
	const struct timespec tick = {.tv_nsec = 100000000};

	close_word(&m->child);
	close_word(&m->leaving);
	for (int waited = 0; m->child.pid || m->leaving.pid; waited += 100) {
		if (waited > STOP_TIME) {
			if (m->child.pid)
				kill(m->child.pid, SIGKILL);
			if (m->leaving.pid)
				kill(m->leaving.pid, SIGKILL);
		}
		sigtimedwait(signals, NULL, &tick);
		reap(m);
	}
}

static bool
open_log(const struct master *m, GError **error)
{
	const char *target = settings_text(m->settings, SETTING_LOG_TARGET);

	return log_open("greylag-milter", m->arguments.foreground ? "stderr" : target,
	    (enum log_level)settings_number(m->settings, SETTING_LOG_LEVEL), error);
}

static bool
open_socket(const struct master *m, GError **error)
{
	const char *address = settings_text(m->settings, SETTING_MILTER_LISTEN);
	mode_t mode = (mode_t)settings_number(m->settings, SETTING_MILTER_SOCKET_MODE);

	for (int i = 1; i < OPEN_TRIES; i++) {
		if (milter_open(address, mode, NULL))
			return true;
		g_usleep(100000);
	}
	return milter_open(address, mode, error);
}

/* What needs privileges or may fail, before the work begins. */
static bool
prepare(struct master *m, GError **error)
{
	signal(SIGPIPE, SIG_IGN);
	if (!open_log(m, error))
		return false;
	privileges_raise_files(
	    (unsigned)settings_number(m->settings, SETTING_MILTER_MAX_CONNECTIONS) + OTHER_FILES);
	if (!open_socket(m, error))
		return false;
	if (!privileges_drop(settings_text(m->settings, SETTING_POLICY_USER),
		settings_text(m->settings, SETTING_STORE_URI), "", error))
		return false;
	if (!m->arguments.foreground && daemon(0, 0) != 0) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
		    "cannot go to the background: %s", g_strerror(errno));
		return false;
	}
	return true;
}

static bool
supervise(struct master *m, GError **error)
{
	const char *listen = settings_text(m->settings, SETTING_MILTER_LISTEN);
	g_autofree char *address = g_strdup(listen);
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	m->perils = mmap(
	    NULL, sizeof *m->perils, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (m->perils == MAP_FAILED) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOMEM, "%s", g_strerror(errno));
		return false;
	}
	sigprocmask(SIG_BLOCK, &signals, NULL);
	m->pid_file = pidfile_hold("greylag-milter", settings_text(m->settings, SETTING_STORE_URI));
	if (!start_child(m)) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "cannot start a process: %s",
		    g_strerror(errno));
		return false;
	}
	log_line(LOG_LEVEL_INFO, "greylag-milter %s is ready", PACKAGE_VERSION);
	log_flush();
	tell_manager("READY=1");
	run(m, &signals);
	tell_manager("STOPPING=1");
	milter_close(address);
	stop_children(m, &signals);
	return true;
}

/* Answers the options that only print. True if there was one. */
static bool
print_only(const struct master *m)
{
	if (m->arguments.show_config)
		settings_print(m->settings, stdout);
	else if (m->arguments.check_config)
		printf("the configuration is good\n");
	else
		return false;
	return true;
}

static void
finish(struct master *m)
{
	if (m->pid_file >= 0)
		close(m->pid_file);
	rules_unref(m->rules);
	settings_free(m->settings);
	suffix_list_free(m->suffixes);
	g_strfreev(m->arguments.assignments);
	g_free(m->arguments.config);
	log_close();
}

int
main(int argc, char **argv)
{
	struct master m = {.child = {.word = -1}, .leaving = {.word = -1}, .pid_file = -1};
	g_autoptr(GError) error = NULL;
	int status = EXIT_SUCCESS;

	setlocale(LC_ALL, "C");
	if (!parse_arguments(&argc, &argv, &m.arguments, &error)) {
		fprintf(stderr, "greylag-milter: %s\n", error->message);
		return 2;
	}
	if (m.arguments.version) {
		printf("greylag-milter %s\n", PACKAGE_VERSION);
		return EXIT_SUCCESS;
	}
	m.suffixes = suffix_list_load();
	if (load(&m.arguments, m.suffixes, &m.settings, &m.rules, &error) && !print_only(&m) &&
	    prepare(&m, &error))
		supervise(&m, &error);
	if (error) {
		fprintf(stderr, "greylag-milter: %s\n", error->message);
		status = 2;
	}
	finish(&m);
	return status;
}
