/*
 * greylagd: the policy server. Wires settings, sockets, store and signals together.
 */
#include "config.h"

#include <errno.h>
#include <ev.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <glib.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "lib/log.h"
#include "lib/settings.h"
#include "policyd/http.h"
#include "policyd/keeper.h"
#include "policyd/listener.h"
#include "policyd/pidfile.h"
#include "policyd/privileges.h"
#include "policyd/server.h"

/* Descriptors besides connections: store, sockets, log, loop. */
#define OTHER_FILES 64

/* How long a stop may take before the connections that are left are cut. */
#define DRAIN_SECONDS 5.0

struct arguments {
	char *config;
	char **assignments;
	gboolean foreground, stdio, check_config, show_config, sample_config, version;
};

struct daemon {
	struct arguments arguments;
	struct settings *settings;
	struct suffix_list *suffixes;
	struct rules *rules;
	struct policy *policy;
	struct stats *stats;
	struct series *series, *verdicts;
	struct learned *learned;
	struct server *server;
	struct keeper *keeper;
	struct http *http;
	GArray *listeners, *http_listeners;
	bool inherited;
	int pid_file; /* held, or -1 */
	struct ev_loop *loop;
	struct ev_signal on_term, on_int, on_hup;
	struct ev_prepare on_turn;
	struct ev_timer watchdog, drain_limit;
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

/* -- command line -- */

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
	    {"stdio", 0, 0, G_OPTION_ARG_NONE, &a->stdio,
		"Serve one connection on standard input and output, for spawn(8)", NULL},
	    {"check-config", 0, 0, G_OPTION_ARG_NONE, &a->check_config,
		"Check the configuration and the lists it names, then exit", NULL},
	    {"show-config", 0, 0, G_OPTION_ARG_NONE, &a->show_config,
		"Print all settings as they are in force, then exit", NULL},
	    {"sample-config", 0, 0, G_OPTION_ARG_NONE, &a->sample_config,
		"Print a commented sample configuration, then exit", NULL},
	    {"version", 0, 0, G_OPTION_ARG_NONE, &a->version, "Print the version, then exit", NULL},
	    G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) context = g_option_context_new("- greylisting policy server");

	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, argc, argv, error))
		return false;
	if (*argc > 1) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
		    "unexpected argument \"%s\"; see greylagd --help", (*argv)[1]);
		return false;
	}
	return true;
}

/* Answers the options that only print. True if there was one. */
static bool
print_only(const struct daemon *d)
{
	if (d->arguments.show_config)
		settings_print(d->settings, stdout);
	else if (d->arguments.check_config)
		printf("the configuration is good\n");
	else
		return false;
	return true;
}

/* -- configuration -- */

static bool
open_log(const struct daemon *d, GError **error)
{
	const char *target = settings_text(d->settings, SETTING_LOG_TARGET);

	/* Under spawn(8) standard error is the socket that Postfix reads answers from. */
	if (d->arguments.foreground)
		target = "stderr";
	else if (d->arguments.stdio && strcmp(target, "stderr") == 0)
		target = "syslog";
	return log_open("greylagd", target,
	    (enum log_level)settings_number(d->settings, SETTING_LOG_LEVEL), error);
}

static struct server_options
server_options(const struct settings *settings)
{
	return (struct server_options){
	    .max_connections = (unsigned)settings_number(settings, SETTING_POLICY_MAX_CONNECTIONS),
	    .idle_timeout = (unsigned)settings_number(settings, SETTING_POLICY_IDLE_TIMEOUT),
	    .host = g_get_host_name(),
	};
}

/* A store on this machine answers as fast as what is remembered. */
static void
set_cache(const struct daemon *d)
{
	const struct settings *s = d->settings;
	int64_t entries = settings_number(s, SETTING_STORE_CACHE);

	if (!store_is_shared(settings_text(s, SETTING_STORE_URI)))
		entries = 0;
	policy_set_cache(d->policy, (unsigned)entries, settings_number(s, SETTING_STORE_CACHE_TTL));
}

static bool
load(struct daemon *d, GError **error)
{
	d->settings = settings_load(
	    d->arguments.config, (const char *const *)d->arguments.assignments, error);
	if (!d->settings)
		return false;
	d->rules = rules_new(d->settings, d->suffixes, error);
	return d->rules != NULL;
}

/* What was opened at the start stays as it was until a restart. */
static void
warn_of_restart(const struct settings *old, const struct settings *new)
{
	static const enum setting fixed[] = {SETTING_STORE_URI, SETTING_STORE_PASSWORD_FILE,
	    SETTING_STORE_MAP_SIZE, SETTING_STORE_MAX_TRIPLETS, SETTING_STORE_FALLBACK,
	    SETTING_STORE_WAIT_REPLICAS, SETTING_POLICY_LISTEN, SETTING_POLICY_USER,
	    SETTING_HTTP_LISTEN, SETTING_HTTP_ALLOW_REMOTE, SETTING_LOG_TARGET, SETTING_LOG_LEVEL};

	for (size_t i = 0; i < G_N_ELEMENTS(fixed); i++) {
		g_autofree char *a = settings_format(old, fixed[i]);
		g_autofree char *b = settings_format(new, fixed[i]);
		const struct setting_row *row = settings_row(fixed[i]);

		if (strcmp(a, b) != 0)
			log_line(LOG_LEVEL_WARNING, "%s.%s has changed: restart to put it in force",
			    row->section, row->key);
	}
}

/* A line of the log for each fault. */
static void
log_faults(const char *faults)
{
	g_auto(GStrv) lines = g_strsplit(faults, "\n", -1);

	for (char **line = lines; *line; line++)
		log_line(LOG_LEVEL_ERROR, "%s", *line);
	log_line(LOG_LEVEL_ERROR, "the old configuration stays in force");
}

static void
reopen_log(void)
{
	g_autoptr(GError) error = NULL;

	if (!log_reopen(&error))
		log_line(LOG_LEVEL_ERROR, "%s", error->message);
}

static void
reload(struct daemon *d)
{
	g_autoptr(GError) error = NULL;
	struct settings *old_settings = d->settings;
	struct rules *old_rules = d->rules;
	struct server_options options;

	tell_manager("RELOADING=1");
	reopen_log();
	if (!load(d, &error)) {
		log_faults(error->message);
		if (d->settings != old_settings)
			settings_free(d->settings);
		d->settings = old_settings;
		d->rules = old_rules;
	} else {
		options = server_options(d->settings);
		policy_set_rules(d->policy, d->rules);
		set_cache(d);
		server_set_options(d->server, &options);
		if (d->http)
			http_set_settings(d->http, d->settings);
		warn_of_restart(old_settings, d->settings);
		settings_free(old_settings);
		rules_unref(old_rules);
		log_line(LOG_LEVEL_INFO, "the configuration was read again");
	}
	tell_manager("READY=1");
}

/* -- events -- */

static void
on_reload(struct ev_loop *loop G_GNUC_UNUSED, struct ev_signal *watcher, int events G_GNUC_UNUSED)
{
	reload(watcher->data);
}

static void
on_drain_limit(struct ev_loop *loop, struct ev_timer *timer G_GNUC_UNUSED, int events G_GNUC_UNUSED)
{
	ev_break(loop, EVBREAK_ALL);
}

static void
on_stop(struct ev_loop *loop, struct ev_signal *watcher, int events G_GNUC_UNUSED)
{
	struct daemon *d = watcher->data;

	if (d->stopping)
		return;
	d->stopping = true;
	tell_manager("STOPPING=1");
	ev_timer_init(&d->drain_limit, on_drain_limit, DRAIN_SECONDS, 0);
	ev_timer_start(loop, &d->drain_limit);
	server_drain(d->server);
}

/* The end: all connections of a server that stops, or the one of --stdio, are closed. */
static void
on_turn(struct ev_loop *loop, struct ev_prepare *watcher, int events G_GNUC_UNUSED)
{
	struct daemon *d = watcher->data;

	if ((d->stopping || d->arguments.stdio) && server_status(d->server).connections == 0)
		ev_break(loop, EVBREAK_ALL);
}

#ifdef HAVE_SYSTEMD
static void
on_watchdog(struct ev_loop *loop G_GNUC_UNUSED, struct ev_timer *timer G_GNUC_UNUSED,
    int events G_GNUC_UNUSED)
{
	tell_manager("WATCHDOG=1");
}

static void
start_watchdog(struct daemon *d)
{
	uint64_t interval;

	if (sd_watchdog_enabled(0, &interval) <= 0)
		return;
	ev_timer_init(&d->watchdog, on_watchdog, 0, (ev_tstamp)interval / 2e6);
	ev_timer_start(d->loop, &d->watchdog);
}
#else
static void
start_watchdog(struct daemon *d)
{
	(void)d;
}
#endif

static void
watch_signal(struct daemon *d, struct ev_signal *watcher, int number,
    void (*callback)(struct ev_loop *, struct ev_signal *, int))
{
	ev_signal_init(watcher, callback, number);
	watcher->data = d;
	ev_signal_start(d->loop, watcher);
}

/* -- life -- */

static bool
open_listeners(struct daemon *d, GError **error)
{
	const char *const *addresses = settings_list(d->settings, SETTING_POLICY_LISTEN);
	mode_t mode = (mode_t)settings_number(d->settings, SETTING_POLICY_SOCKET_MODE);

	d->inherited = listener_inherit(d->listeners) > 0;
	for (; !d->inherited && *addresses; addresses++)
		if (!listener_open(*addresses, mode, d->listeners, error))
			return false;
	return true;
}

/* What needs privileges or may fail, before the work begins. */
static bool
prepare(struct daemon *d, GError **error)
{
	signal(SIGPIPE, SIG_IGN);
	if (!open_log(d, error))
		return false;
	if (!d->arguments.stdio && (!open_listeners(d, error) ||
				       !http_open_listeners(d->settings, d->http_listeners, error)))
		return false;
	privileges_raise_files(
	    (unsigned)(settings_number(d->settings, SETTING_POLICY_MAX_CONNECTIONS) +
		       settings_number(d->settings, SETTING_HTTP_MAX_CONNECTIONS)) +
	    OTHER_FILES);
	if (!privileges_drop(settings_text(d->settings, SETTING_POLICY_USER),
		settings_text(d->settings, SETTING_STORE_URI),
		settings_text(d->settings, SETTING_STORE_FALLBACK), error))
		return false;
	if (!d->arguments.stdio && !d->arguments.foreground && daemon(0, 0) != 0) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
		    "cannot go to the background: %s", g_strerror(errno));
		return false;
	}
	return true;
}

/* Mail goes on without statistics. */
static void
start_http(struct daemon *d)
{
	g_autoptr(GError) error = NULL;
	const struct view_sources sources = {
	    .settings = d->settings,
	    .stats = d->stats,
	    .series = d->series,
	    .verdicts = d->verdicts,
	    .learned = d->learned,
	    .server = d->server,
	    .keeper = d->keeper,
	};

	if (d->http_listeners->len == 0)
		return;
	d->http = http_new(d->loop, &sources, d->http_listeners, &error);
	if (!d->http)
		log_line(LOG_LEVEL_ERROR, "%s", error->message);
}

static void
serve(struct daemon *d)
{
	struct server_options options = server_options(d->settings);
	bool stdio = d->arguments.stdio;

	d->loop = ev_default_loop(EVFLAG_AUTO);
	d->stats = stats_new((int64_t)ev_now(d->loop));
	d->series = series_new(STORE_HOURS, TALLY_CELLS);
	d->verdicts = series_new(STORE_VERDICTS, VERDICTS_CELLS);
	d->learned = learned_new();
	d->policy =
	    policy_new(NULL, d->rules, stdio ? POLICY_MESSAGES_SINGLE : POLICY_MESSAGES_SERVER);
	set_cache(d);
	d->keeper = keeper_new(d->loop, d->settings, d->policy, d->stats);
	if (!stdio)
		d->pid_file =
		    pidfile_hold("greylagd", settings_text(d->settings, SETTING_STORE_URI));
	d->server = server_new(d->loop, d->policy, d->stats, &options);
	for (guint i = 0; i < d->listeners->len; i++)
		server_listen(d->server, g_array_index(d->listeners, int, i));
	start_http(d);
	if (stdio)
		server_add(d->server, STDIN_FILENO, STDOUT_FILENO);
	watch_signal(d, &d->on_term, SIGTERM, on_stop);
	watch_signal(d, &d->on_int, SIGINT, on_stop);
	watch_signal(d, &d->on_hup, SIGHUP, on_reload);
	ev_prepare_init(&d->on_turn, on_turn);
	d->on_turn.data = d;
	ev_prepare_start(d->loop, &d->on_turn);
	start_watchdog(d);
	if (!stdio)
		log_line(LOG_LEVEL_INFO, "greylagd %s is ready", PACKAGE_VERSION);
	log_flush();
	tell_manager("READY=1");
	ev_run(d->loop, 0);
}

/* What was asked is answered, what was answered is on the disk. */
static void
finish(struct daemon *d)
{
	if (d->server)
		server_drain(d->server);
	http_free(d->http);
	keeper_free(d->keeper);
	if (d->pid_file >= 0)
		close(d->pid_file);
	server_free(d->server);
	policy_free(d->policy);
	stats_free(d->stats);
	series_free(d->series);
	series_free(d->verdicts);
	learned_free(d->learned);
	listener_close(d->listeners,
	    d->inherited || !d->server ? NULL : settings_list(d->settings, SETTING_POLICY_LISTEN));
	http_close_listeners(d->http_listeners);
	rules_unref(d->rules);
	settings_free(d->settings);
	suffix_list_free(d->suffixes);
	g_array_unref(d->listeners);
	g_array_unref(d->http_listeners);
	g_strfreev(d->arguments.assignments);
	g_free(d->arguments.config);
	log_close();
}

int
main(int argc, char **argv)
{
	struct daemon d = {.listeners = g_array_new(FALSE, FALSE, sizeof(int)),
	    .http_listeners = g_array_new(FALSE, FALSE, sizeof(int)),
	    .pid_file = -1};
	g_autoptr(GError) error = NULL;
	int status = EXIT_SUCCESS;

	setlocale(LC_ALL, "C");
	if (!parse_arguments(&argc, &argv, &d.arguments, &error)) {
		fprintf(stderr, "greylagd: %s\n", error->message);
		return 2;
	}
	if (d.arguments.version || d.arguments.sample_config) {
		if (d.arguments.version)
			printf("greylagd %s\n", PACKAGE_VERSION);
		else
			settings_print_sample(stdout);
		return EXIT_SUCCESS;
	}
	d.suffixes = suffix_list_load();
	if (load(&d, &error) && !print_only(&d) && prepare(&d, &error))
		serve(&d);
	if (error) {
		fprintf(stderr, "greylagd: %s\n", error->message);
		status = 2;
	}
	finish(&d);
	return status;
}
