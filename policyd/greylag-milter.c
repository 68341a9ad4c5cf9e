/*
 * greylag-milter: the classifier in the SMTP dialogue. Two processes: this one holds the socket,
 * takes signals and never looks at mail; its child serves. Whatever mail or a damaged store does to
 * the child, there is a new one at once.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <glib.h>

#include "classifier/mail/message.h"
#include "lib/log.h"
#include "lib/settings.h"
#include "policyd/milter/milter.h"
#include "policyd/milter/service.h"
#include "policyd/program/privileges.h"
#include "policyd/program/program.h"

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

/* What a child tells of itself: written at once, so that it comes whole (pipe(7), PIPE_BUF). */
struct report {
	enum condition condition;
	char reason[sizeof((struct runstate){0}.reason)];
};

/* That there is a report; libmilter has use of its own for SIGUSR1. */
#define SIGNAL_REPORT SIGUSR2

struct child {
	pid_t pid;  /* 0: none */
	int word;   /* the pipe to it; it stops when this is closed */
	int report; /* the pipe from it */
	int64_t began;
};

#define NO_CHILD ((struct child){.word = -1, .report = -1})

struct master {
	struct program program;
	struct child child, leaving;
	unsigned failures; /* children, one after the other, that came to their end by themselves */
	unsigned patience; /* of the present child */
	atomic_uint *perils; /* shared with the children: see milter.h */
	bool opened;         /* its socket */
	bool stopping;
};

/* -- the child -- */

struct service {
	struct milter_service *service;
	int word, report;
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

/* A report that finds no room is one that nobody has read for long: the master has other worries.
 */
static void
tell_master(void *context, enum condition condition, const char *reason)
{
	const struct service *s = context;
	struct report report = {.condition = condition};

	g_strlcpy(report.reason, reason, sizeof report.reason);
	if (write(s->report, &report, sizeof report) == (ssize_t)sizeof report)
		kill(getppid(), SIGNAL_REPORT);
}

static G_GNUC_NORETURN void
serve(const struct master *m, int word, int report)
{
	const struct settings *settings = m->program.settings;
	size_t message = (size_t)settings_number(settings, SETTING_CLASSIFIER_MAX_MESSAGE);
	struct milter_budget budget = {
	    .limit = (size_t)settings_number(settings, SETTING_MILTER_MAX_MEMORY)};
	static struct service s; /* of the threads, too */
	const struct milter_listener listener = {.tell = tell_master, .context = &s};
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
	s.report = report;
	g_mutex_init(&s.ending);
	s.service = milter_service_new(settings, m->program.rules, m->patience, &listener);
	options.context = s.service;
	g_thread_unref(g_thread_new("obey", obey, &s));
	/* True once somebody has told this process to stop, not the master. */
	served = milter_serve(&options);
	end(&s, served ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* -- the master -- */

static void
close_end(int *end)
{
	if (*end >= 0)
		close(*end);
	*end = -1;
}

/* The child stops by that, or with WORD_LEAVE in the pipe leaves. */
static void
close_word(struct child *child)
{
	close_end(&child->word);
}

static void
forget_child(struct child *child)
{
	close_end(&child->word);
	close_end(&child->report);
	*child = NO_CHILD;
}

/* Two pipes; on failure none is left. */
static bool
open_pipes(int ret_word[2], int ret_report[2])
{
	int word[2], report[2];

	if (pipe2(word, O_CLOEXEC) != 0)
		return false;
	if (pipe2(report, O_CLOEXEC | O_NONBLOCK) != 0) {
		close(word[0]);
		close(word[1]);
		return false;
	}
	memcpy(ret_word, word, sizeof word);
	memcpy(ret_report, report, sizeof report);
	return true;
}

static bool
start_child(struct master *m)
{
	int word[2], report[2];
	pid_t pid;

	log_flush();
	if (!open_pipes(word, report))
		return false;
	pid = fork();
	if (pid == 0) {
		/* A terminal's Ctrl-C is the master's affair. */
		setpgid(0, 0);
		close(word[1]);
		close(report[0]);
		forget_child(&m->child);
		forget_child(&m->leaving);
		program_release_pid_file(&m->program);
		serve(m, word[0], report[1]);
	}
	close(word[0]);
	close(report[1]);
	if (pid < 0) {
		close(word[1]);
		close(report[0]);
		return false;
	}
	m->child = (struct child){
	    .pid = pid, .word = word[1], .report = report[0], .began = g_get_monotonic_time()};
	return true;
}

static void
tell(struct master *m, enum condition condition, const char *reason)
{
	program_tell(&m->program, condition, g_get_real_time() / G_USEC_PER_SEC, reason);
}

static void
try_to_start_child(struct master *m)
{
	g_autofree char *reason = NULL;

	if (start_child(m))
		return;
	reason = g_strdup_printf("no process can be started: %s", g_strerror(errno));
	log_limited(LOG_LEVEL_ERROR, "process", "%s", reason);
	tell(m, CONDITION_UNJUDGED, reason);
}

/* The present child's last word counts. */
static void
hear_child(struct master *m)
{
	struct report report;
	bool heard = false;

	while (m->child.report >= 0 &&
	       read(m->child.report, &report, sizeof report) == (ssize_t)sizeof report)
		heard = true;
	if (heard)
		tell(m, report.condition, report.reason);
}

/* The present child leaves, when its connections are over, for one by the new settings. */
static void
replace_child(struct master *m)
{
	const char word = WORD_LEAVE;

	if (m->leaving.pid)
		forget_child(&m->leaving);
	m->leaving = m->child;
	m->child = NO_CHILD;
	if (m->leaving.pid && write(m->leaving.word, &word, 1) != 1)
		close_word(&m->leaving);
	try_to_start_child(m);
}

/* What is new in the program is for a new child, which may use the store again. */
static void
apply(void *context)
{
	struct master *m = context;

	m->patience = m->failures = 0;
	replace_child(m);
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

	forget_child(&m->child);
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
	try_to_start_child(m);
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
			forget_child(&m->leaving);
		}
	}
}

static void
run(struct master *m, const sigset_t *signals)
{
	const unsigned interval = (unsigned)(program_watchdog() / G_USEC_PER_SEC);
	const struct timespec timeout = {.tv_sec = interval ? interval : 3600};

	while (!m->stopping) {
		/* Where no process could be started, it is tried again. */
		const struct timespec soon = {.tv_sec = 1};
		int signal = sigtimedwait(signals, NULL, m->child.pid ? &timeout : &soon);

		if (signal == SIGTERM || signal == SIGINT)
			m->stopping = true;
		else if (signal == SIGHUP)
			program_reload(&m->program, apply, m);
		else if (signal == SIGCHLD)
			reap(m);
		else if (signal == SIGNAL_REPORT)
			hear_child(m);
		if (!m->child.pid && !m->stopping)
			try_to_start_child(m);
		if (interval)
			program_notify("WATCHDOG=1");
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
open_socket(const struct master *m, GError **error)
{
	const char *address = settings_text(m->program.settings, SETTING_MILTER_LISTEN);
	mode_t mode = (mode_t)settings_number(m->program.settings, SETTING_MILTER_SOCKET_MODE);

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
	const struct settings *settings = m->program.settings;
	const char *const addresses[] = {settings_text(settings, SETTING_MILTER_LISTEN), NULL};

	signal(SIGPIPE, SIG_IGN);
	if (!program_open_log(&m->program, settings_text(settings, SETTING_LOG_TARGET), error))
		return false;
	if (!message_load(error))
		return false;
	privileges_raise_files(
	    (unsigned)settings_number(settings, SETTING_MILTER_MAX_CONNECTIONS) + OTHER_FILES);
	if (!open_socket(m, error))
		return false;
	m->opened = true;
	program_warn_of_obstacles(addresses, SETTING_MILTER_SOCKET_MODE);
	if (!program_drop(&m->program, "", true, error))
		return false;
	return program_detach(&m->program, error);
}

static bool
supervise(struct master *m, GError **error)
{
	const char *listen = settings_text(m->program.settings, SETTING_MILTER_LISTEN);
	g_autofree char *address = g_strdup(listen);
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGNAL_REPORT);
	m->perils = mmap(
	    NULL, sizeof *m->perils, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (m->perils == MAP_FAILED) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOMEM, "%s", g_strerror(errno));
		return false;
	}
	sigprocmask(SIG_BLOCK, &signals, NULL);
	program_hold_pid_file(&m->program);
	if (!start_child(m)) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "cannot start a process: %s",
		    g_strerror(errno));
		return false;
	}
	log_line(LOG_LEVEL_INFO, "greylag-milter %s is ready", PACKAGE_VERSION);
	log_flush();
	program_notify("READY=1");
	run(m, &signals);
	program_notify("STOPPING=1");
	milter_close(address);
	m->opened = false;
	stop_children(m, &signals);
	return true;
}

int
main(int argc, char **argv)
{
	struct master m = {
	    .program = {.name = "greylag-milter",
		.purpose = "- spam filter for Postfix",
		.which = SETTINGS_MILTER,
		.listens = true},
	    .child = NO_CHILD,
	    .leaving = NO_CHILD,
	};
	g_autoptr(GError) error = NULL;
	int status = EXIT_SUCCESS;

	if (program_parse(&m.program, NULL, NULL, argc, argv, &status)) {
		if (program_load(&m.program, &error) && !program_print(&m.program, &error) &&
		    program_check(&m.program, &error) && prepare(&m, &error))
			supervise(&m, &error);
		if (error)
			status = program_fail(&m.program, error);
		if (m.opened)
			milter_close(settings_text(m.program.settings, SETTING_MILTER_LISTEN));
	}
	program_free(&m.program);
	return status;
}
