/*
 * greylagd: the policy server. Wires settings, sockets, store and signals together.
 */
#include "config.h"

#include <ev.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <glib.h>

#include "db/open/open.h"
#include "lib/log.h"
#include "lib/settings.h"
#include "policyd/http/http.h"
#include "policyd/daemon/keeper.h"
#include "policyd/program/listener.h"
#include "policyd/program/privileges.h"
#include "policyd/program/program.h"
#include "policyd/daemon/server.h"

/* Descriptors besides connections: store, sockets, log, loop. */
#define OTHER_FILES 64

/* How long a stop may take before the connections that are left are cut. */
#define DRAIN_SECONDS 5.0

/* How often it is looked at what mail experiences. */
#define LOOK_INTERVAL 1.0

struct daemon {
	struct program program;
	gboolean stdio, sample_config;
	struct policy *policy;
	struct stats *stats;
	struct series *series, *verdicts;
	struct learned *learned;
	struct server *server;
	struct keeper *keeper;
	struct http *http;
	GArray *listeners, *http_listeners;
	bool inherited;
	struct ev_loop *loop;
	struct ev_signal on_term, on_int, on_hup;
	struct ev_prepare on_turn;
	struct ev_timer watchdog, drain_limit, look;
	bool stopping;
};

static bool
parse_arguments(struct daemon *d, int argc, char **argv, int *ret_status)
{
	const GOptionEntry modes[] = {
	    {"stdio", 0, 0, G_OPTION_ARG_NONE, &d->stdio,
		"Serve one connection on standard input and output, for spawn(8)", NULL},
	    G_OPTION_ENTRY_NULL,
	};
	const GOptionEntry prints[] = {
	    {"sample-config", 0, 0, G_OPTION_ARG_NONE, &d->sample_config,
		"Print a commented sample configuration, then exit", NULL},
	    G_OPTION_ENTRY_NULL,
	};

	return program_parse(&d->program, modes, prints, argc, argv, ret_status);
}

/* -- configuration -- */

static bool
open_log(const struct daemon *d, GError **error)
{
	const char *target = settings_text(d->program.settings, SETTING_LOG_TARGET);

	/* Under spawn(8) standard error is the socket that Postfix reads answers from. */
	if (d->stdio && strcmp(target, "stderr") == 0)
		target = "syslog";
	return program_open_log(&d->program, target, error);
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
	const struct settings *s = d->program.settings;
	int64_t entries = settings_number(s, SETTING_STORE_CACHE);

	if (!store_is_shared(settings_text(s, SETTING_STORE_URI)))
		entries = 0;
	policy_set_cache(d->policy, (unsigned)entries, settings_number(s, SETTING_STORE_CACHE_TTL));
}

/* What mail experiences is told where it changes. */
static void
tell(struct daemon *d)
{
	const char *reason;
	int64_t since;
	enum condition condition = keeper_condition(d->keeper, &since, &reason);

	program_tell(&d->program, condition, since, reason);
}

static void
apply(void *context)
{
	struct daemon *d = context;
	const struct server_options options = server_options(d->program.settings);

	policy_set_rules(d->policy, d->program.rules);
	set_cache(d);
	server_set_options(d->server, &options);
	if (d->http)
		http_set_settings(d->http, d->program.settings);
	tell(d);
}

/* -- events -- */

static void
on_reload(struct ev_loop *loop G_GNUC_UNUSED, struct ev_signal *watcher, int events G_GNUC_UNUSED)
{
	struct daemon *d = watcher->data;

	program_reload(&d->program, apply, d);
}

static void
on_look(struct ev_loop *loop G_GNUC_UNUSED, struct ev_timer *timer, int events G_GNUC_UNUSED)
{
	tell(timer->data);
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
	program_notify("STOPPING=1");
	ev_timer_init(&d->drain_limit, on_drain_limit, DRAIN_SECONDS, 0);
	ev_timer_start(loop, &d->drain_limit);
	server_drain(d->server);
}

/* The end: all connections of a server that stops, or the one of --stdio, are closed. */
static void
on_turn(struct ev_loop *loop, struct ev_prepare *watcher, int events G_GNUC_UNUSED)
{
	struct daemon *d = watcher->data;

	if ((d->stopping || d->stdio) && server_status(d->server).connections == 0)
		ev_break(loop, EVBREAK_ALL);
}

static void
on_watchdog(struct ev_loop *loop G_GNUC_UNUSED, struct ev_timer *timer G_GNUC_UNUSED,
    int events G_GNUC_UNUSED)
{
	program_notify("WATCHDOG=1");
}

static void
start_looking(struct daemon *d)
{
	tell(d);
	ev_timer_init(&d->look, on_look, LOOK_INTERVAL, LOOK_INTERVAL);
	d->look.data = d;
	ev_timer_start(d->loop, &d->look);
}

static void
start_watchdog(struct daemon *d)
{
	uint64_t interval = program_watchdog();

	if (interval == 0)
		return;
	ev_timer_init(&d->watchdog, on_watchdog, 0, (ev_tstamp)interval / G_USEC_PER_SEC);
	ev_timer_start(d->loop, &d->watchdog);
}

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
	const char *const *addresses = settings_list(d->program.settings, SETTING_POLICY_LISTEN);
	mode_t mode = (mode_t)settings_number(d->program.settings, SETTING_POLICY_SOCKET_MODE);

	d->inherited = listener_inherit(d->listeners) > 0;
	for (; !d->inherited && *addresses; addresses++)
		if (!listener_open(*addresses, mode, d->listeners, error))
			return false;
	if (!d->inherited)
		program_warn_of_obstacles(settings_list(d->program.settings, SETTING_POLICY_LISTEN),
		    SETTING_POLICY_SOCKET_MODE);
	return true;
}

/* What needs privileges or may fail, before the work begins. */
static bool
prepare(struct daemon *d, GError **error)
{
	signal(SIGPIPE, SIG_IGN);
	if (!open_log(d, error))
		return false;
	if (!d->stdio && (!open_listeners(d, error) ||
			     !http_open_listeners(d->program.settings, d->http_listeners, error)))
		return false;
	privileges_raise_files(
	    (unsigned)(settings_number(d->program.settings, SETTING_POLICY_MAX_CONNECTIONS) +
		       settings_number(d->program.settings, SETTING_HTTP_MAX_CONNECTIONS)) +
	    OTHER_FILES);
	if (!program_drop(&d->program, settings_text(d->program.settings, SETTING_STORE_FALLBACK),
		!d->stdio, error))
		return false;
	return d->stdio || program_detach(&d->program, error);
}

/* Mail goes on without statistics. */
static void
start_http(struct daemon *d)
{
	g_autoptr(GError) error = NULL;
	const struct view_sources sources = {
	    .settings = d->program.settings,
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
	struct server_options options = server_options(d->program.settings);
	bool stdio = d->stdio;

	d->loop = ev_default_loop(EVFLAG_AUTO);
	d->stats = stats_new((int64_t)ev_now(d->loop));
	d->series = series_new(STORE_HOURS, TALLY_CELLS);
	d->verdicts = series_new(STORE_VERDICTS, VERDICTS_CELLS);
	d->learned = learned_new();
	d->policy = policy_new(
	    NULL, d->program.rules, stdio ? POLICY_MESSAGES_SINGLE : POLICY_MESSAGES_SERVER);
	set_cache(d);
	/* Whoever is found by the pid file may be told to reload, and does so once the loop runs.
	 */
	watch_signal(d, &d->on_hup, SIGHUP, on_reload);
	if (!stdio)
		program_hold_pid_file(&d->program);
	d->keeper = keeper_new(d->loop, d->program.settings, d->policy, d->stats);
	d->server = server_new(d->loop, d->policy, d->stats, &options);
	for (guint i = 0; i < d->listeners->len; i++)
		server_listen(d->server, g_array_index(d->listeners, int, i));
	start_http(d);
	start_looking(d);
	if (stdio)
		server_add(d->server, STDIN_FILENO, STDOUT_FILENO);
	watch_signal(d, &d->on_term, SIGTERM, on_stop);
	watch_signal(d, &d->on_int, SIGINT, on_stop);
	ev_prepare_init(&d->on_turn, on_turn);
	d->on_turn.data = d;
	ev_prepare_start(d->loop, &d->on_turn);
	start_watchdog(d);
	if (!stdio)
		log_line(LOG_LEVEL_INFO, "greylagd %s is ready", PACKAGE_VERSION);
	log_flush();
	program_notify("READY=1");
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
	program_release_pid_file(&d->program);
	server_free(d->server);
	policy_free(d->policy);
	stats_free(d->stats);
	series_free(d->series);
	series_free(d->verdicts);
	learned_free(d->learned);
	listener_close(d->listeners, !d->inherited);
	listener_close(d->http_listeners, true);
	g_array_unref(d->listeners);
	g_array_unref(d->http_listeners);
	program_free(&d->program);
}

int
main(int argc, char **argv)
{
	struct daemon d = {
	    .program = {.name = "greylagd",
		.purpose = "- greylisting policy server",
		.which = SETTINGS_GREYLAGD},
	    .listeners = g_array_new(FALSE, FALSE, sizeof(int)),
	    .http_listeners = g_array_new(FALSE, FALSE, sizeof(int)),
	};
	g_autoptr(GError) error = NULL;
	int status = EXIT_SUCCESS;

	if (parse_arguments(&d, argc, argv, &status)) {
		/* Not where systemd has the sockets, or spawn(8) the one. */
		d.program.listens = !d.stdio && !g_getenv("LISTEN_FDS");
		d.program.shows = !d.stdio;
		if (d.sample_config)
			settings_print_sample(stdout);
		else if (program_load(&d.program, &error) && !program_print(&d.program, &error) &&
			 program_check(&d.program, &error) && prepare(&d, &error))
			serve(&d);
		if (error)
			status = program_fail(&d.program, error);
	}
	finish(&d);
	return status;
}
