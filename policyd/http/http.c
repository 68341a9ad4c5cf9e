#include "config.h"

#include "policyd/http/http.h"

#include <errno.h>
#include <ev.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/log.h"
#include "policyd/http/assets.h"
#include "policyd/http/host.h"
#include "policyd/http/metrics.h"
#include "policyd/http/page.h"
#include "policyd/view/http_stats.h"
#include "policyd/program/listener.h"

/* A request's line and headers, with what the library needs besides. */
#define CONNECTION_MEMORY 8192
#define LIMIT_MAX         10000 /* http.max_connections at most */
#define ACCEPTS_A_TURN    16
#define SWEEP_INTERVAL    1.0
/* What was made is served for so long, in seconds. */
#define FRESH 1.0

struct connection {
	GList link; /* in http->connections, the one that was idle longest first */
	int fd;
	ev_tstamp active; /* when it was opened, or last had a whole request */
};

enum resource { PAGE, STATS, METRICS_TEXT, METRICS_OPEN, RESOURCES };

struct http {
	struct ev_loop *loop;
	struct view_sources sources;
	struct MHD_Daemon *daemon;
	struct ev_io events;
	struct ev_timer turn, sweep;
	struct ev_io *listeners;
	guint n_listeners;
	GQueue connections; /* of struct connection */
	uint64_t requests;
	char *policy; /* Content-Security-Policy of the page */

	struct MHD_Response *made[RESOURCES]; /* NULL: not yet from this view */
	struct view view;
	ev_tstamp viewed; /* 0: there is no view */
};

/* -- the library's turn -- */

static void
run(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG milliseconds;

	MHD_run(http->daemon);
	ev_timer_stop(http->loop, &http->turn);
	if (MHD_get_timeout(http->daemon, &milliseconds) != MHD_YES)
		return;
	ev_timer_set(&http->turn, (ev_tstamp)milliseconds / 1000, 0);
	ev_timer_start(http->loop, &http->turn);
}

static void
on_events(struct ev_loop *loop G_GNUC_UNUSED, struct ev_io *watcher, int events G_GNUC_UNUSED)
{
	run(watcher->data);
}

static void
on_turn(struct ev_loop *loop G_GNUC_UNUSED, struct ev_timer *timer, int events G_GNUC_UNUSED)
{
	run(timer->data);
}

/* -- connections -- */

/* The library sees the end of the connection, and closes it. */
static void
cut(struct http *http, struct connection *c)
{
	shutdown(c->fd, SHUT_RDWR);
	c->active = ev_now(http->loop);
	g_queue_unlink(&http->connections, &c->link);
	g_queue_push_tail_link(&http->connections, &c->link);
}

static void
on_life(void *context, struct MHD_Connection *connection, void **socket_context,
    enum MHD_ConnectionNotificationCode code)
{
	struct http *http = context;
	struct connection *c = *socket_context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		c = g_new0(struct connection, 1);
		c->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)
			    ->connect_fd;
		c->active = ev_now(http->loop);
		c->link.data = c;
		g_queue_push_tail_link(&http->connections, &c->link);
		*socket_context = c;
	} else if (c) {
		g_queue_unlink(&http->connections, &c->link);
		g_free(c);
		*socket_context = NULL;
	}
}

static void
on_connection(struct ev_loop *loop G_GNUC_UNUSED, struct ev_io *watcher, int events G_GNUC_UNUSED)
{
	struct http *http = watcher->data;
	guint limit = (guint)settings_number(http->sources.settings, SETTING_HTTP_MAX_CONNECTIONS);

	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		struct sockaddr_storage address;
		socklen_t length = sizeof address;
		int fd = accept4(watcher->fd, (struct sockaddr *)&address, &length,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			break;
		if (http->connections.length >= limit) {
			cut(http, g_queue_peek_head(&http->connections));
			MHD_run(http->daemon);
		}
		MHD_add_connection(http->daemon, fd, (struct sockaddr *)&address, length);
	}
	run(http);
}

/* Cuts what has had no whole request for too long, however many bytes it dribbled. */
static void
on_sweep(struct ev_loop *loop, struct ev_timer *timer, int events G_GNUC_UNUSED)
{
	struct http *http = timer->data;
	ev_tstamp before =
	    ev_now(loop) - (ev_tstamp)settings_number(http->sources.settings, SETTING_HTTP_TIMEOUT);
	struct connection *c;

	while ((c = g_queue_peek_head(&http->connections)) && c->active < before)
		cut(http, c);
	view_problem(&http->sources, keeper_now(http->sources.keeper));
	run(http);
}

static void
touch(struct http *http, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct connection *c = info ? info->socket_context : NULL;

	if (!c)
		return;
	c->active = ev_now(http->loop);
	g_queue_unlink(&http->connections, &c->link);
	g_queue_push_tail_link(&http->connections, &c->link);
}

/* -- responses -- */

static struct MHD_Response *
response_new(const struct http *http, const char *type, const char *text, size_t length)
{
	const struct {
		const char *name, *value;
	} headers[] = {
	    {"Content-Type", type},
	    {"Cache-Control", "no-store"},
	    {"Content-Security-Policy", http->policy},
	    {"Cross-Origin-Opener-Policy", "same-origin"},
	    {"Cross-Origin-Resource-Policy", "same-origin"},
	    {"Referrer-Policy", "no-referrer"},
	    {"X-Content-Type-Options", "nosniff"},
	    {"X-Frame-Options", "DENY"},
	    {"Vary", "Accept"},
	};
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(length, (void *)text, MHD_RESPMEM_MUST_COPY);

	for (size_t i = 0; response && i < G_N_ELEMENTS(headers); i++)
		MHD_add_response_header(response, headers[i].name, headers[i].value);
	return response;
}

static enum MHD_Result
answer_text(
    const struct http *http, struct MHD_Connection *connection, unsigned status, const char *text)
{
	struct MHD_Response *response =
	    response_new(http, "text/plain; charset=utf-8", text, strlen(text));
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

/* Forgets what was made when it is no longer fresh. */
static void
drop_view(struct http *http)
{
	for (int i = 0; i < RESOURCES; i++)
		g_clear_pointer(&http->made[i], MHD_destroy_response);
	if (http->viewed > 0)
		view_clear(&http->view);
	http->viewed = 0;
}

static void
freshen(struct http *http)
{
	ev_tstamp now = ev_now(http->loop);

	if (http->viewed > 0 && now - http->viewed < FRESH && now >= http->viewed)
		return;
	drop_view(http);
	view_take(&http->sources, keeper_now(http->sources.keeper), &http->view);
	http->view.http_connections = http->connections.length;
	http->view.http_requests = http->requests;
	http->viewed = now;
}

static void
render(const struct http *http, enum resource resource, GString *out, const char **ret_type)
{
	enum metrics_format format =
	    resource == METRICS_OPEN ? METRICS_OPENMETRICS : METRICS_PROMETHEUS;

	switch (resource) {
	case PAGE:
		*ret_type = "text/html; charset=utf-8";
		http_page_render(&http->view, out);
		break;
	case STATS:
		*ret_type = "application/json";
		http_stats_render(&http->view, out);
		break;
	default:
		*ret_type = metrics_content_types[format];
		metrics_render(&http->view, format, out);
	}
}

static enum MHD_Result
answer_resource(struct http *http, struct MHD_Connection *connection, enum resource resource)
{
	freshen(http);
	if (!http->made[resource]) {
		g_autoptr(GString) out = g_string_sized_new(64 * 1024);
		const char *type;

		render(http, resource, out, &type);
		http->made[resource] = response_new(http, type, out->str, out->len);
	}
	if (!http->made[resource])
		return MHD_NO;
	return MHD_queue_response(connection, MHD_HTTP_OK, http->made[resource]);
}

static enum MHD_Result
answer_health(struct http *http, struct MHD_Connection *connection)
{
	const char *problem = view_problem(&http->sources, keeper_now(http->sources.keeper));
	g_autofree char *text = g_strdup_printf("%s\n", problem ? problem : "ok");

	return answer_text(
	    http, connection, problem ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK, text);
}

/* -- requests -- */

static enum MHD_Result
count_host(void *context, enum MHD_ValueKind kind G_GNUC_UNUSED, const char *name,
    const char *value G_GNUC_UNUSED)
{
	unsigned *n = context;

	if (g_ascii_strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0)
		(*n)++;
	return MHD_YES;
}

/* A status other than 200 if the request is refused whatever it asks for. */
static unsigned
refusal(const struct http *http, struct MHD_Connection *connection, const char *method,
    const char *version, const char **ret_text)
{
	const char *host =
	    MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
	const char *length = MHD_lookup_connection_value(
	    connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
	unsigned hosts = 0;

	MHD_get_connection_values(connection, MHD_HEADER_KIND, count_host, &hosts);
	if (hosts > 1 || (!host && strcmp(version, MHD_HTTP_VERSION_1_0) != 0)) {
		*ret_text = "one Host header is needed\n";
		return MHD_HTTP_BAD_REQUEST;
	}
	if (host &&
	    !http_host_accepted(host, settings_list(http->sources.settings, SETTING_HTTP_HOSTS))) {
		*ret_text = "this Host is not served here (http.hosts)\n";
		return MHD_HTTP_MISDIRECTED_REQUEST;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
		*ret_text = "only GET and HEAD\n";
		return MHD_HTTP_METHOD_NOT_ALLOWED;
	}
	if ((length && strcmp(length, "0") != 0) ||
	    MHD_lookup_connection_value(
		connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING)) {
		*ret_text = "no request here has a body\n";
		return MHD_HTTP_CONTENT_TOO_LARGE;
	}
	return MHD_HTTP_OK;
}

static enum MHD_Result
on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *data G_GNUC_UNUSED, size_t *data_size G_GNUC_UNUSED,
    void **request_context)
{
	struct http *http = context;
	const char *text = NULL;
	unsigned status;

	/* Called with the headers, when an answer ends the connection, and again at the end. */
	if (!*request_context) {
		*request_context = http;
		http->requests++;
		touch(http, connection);
		status = refusal(http, connection, method, version, &text);
		return status == MHD_HTTP_OK ? MHD_YES
					     : answer_text(http, connection, status, text);
	}
	if (strcmp(url, "/") == 0)
		return answer_resource(http, connection, PAGE);
	if (strcmp(url, "/stats") == 0)
		return answer_resource(http, connection, STATS);
	if (strcmp(url, "/healthz") == 0)
		return answer_health(http, connection);
	if (strcmp(url, "/metrics") == 0) {
		enum metrics_format format = metrics_negotiate(MHD_lookup_connection_value(
		    connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));

		return answer_resource(
		    http, connection, format == METRICS_OPENMETRICS ? METRICS_OPEN : METRICS_TEXT);
	}
	return answer_text(http, connection, MHD_HTTP_NOT_FOUND, "there is nothing here\n");
}

/* Paths are compared as they came: what is written otherwise is another path. */
static size_t
leave_escaped(
    void *context G_GNUC_UNUSED, struct MHD_Connection *connection G_GNUC_UNUSED, char *text)
{
	return strlen(text);
}

/* What the library says of bad requests is of no interest: they get their status. */
static void G_GNUC_PRINTF(2, 0)
    on_library_log(void *context G_GNUC_UNUSED, const char *format, va_list arguments)
{
	g_autofree char *text = g_strdup_vprintf(format, arguments);

	log_line(LOG_LEVEL_DEBUG, "http: %s", g_strchomp(text));
}

/* -- life -- */

static bool
start(struct http *http, GError **error)
{
	const union MHD_DaemonInfo *info = NULL;

	http->daemon = MHD_start_daemon(
	    MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request,
	    http, MHD_OPTION_EXTERNAL_LOGGER, on_library_log, NULL, MHD_OPTION_NOTIFY_CONNECTION,
	    on_life, http, MHD_OPTION_CONNECTION_LIMIT, (unsigned)LIMIT_MAX,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
	    MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (http->daemon)
		info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
		    "cannot start the HTTP server: %s", g_strerror(errno));
		return false;
	}
	ev_io_init(&http->events, on_events, info->epoll_fd, EV_READ);
	http->events.data = http;
	ev_io_start(http->loop, &http->events);
	return true;
}

struct http *
http_new(
    struct ev_loop *loop, const struct view_sources *sources, const GArray *fds, GError **error)
{
	struct http *http = g_new0(struct http, 1);

	http->loop = loop;
	http->sources = *sources;
	http->policy = http_assets_policy();
	g_queue_init(&http->connections);
	ev_timer_init(&http->turn, on_turn, 0, 0);
	ev_timer_init(&http->sweep, on_sweep, SWEEP_INTERVAL, SWEEP_INTERVAL);
	http->turn.data = http->sweep.data = http;
	http->listeners = g_new0(struct ev_io, fds->len);
	if (!start(http, error)) {
		http_free(http);
		return NULL;
	}
	for (http->n_listeners = 0; http->n_listeners < fds->len; http->n_listeners++) {
		struct ev_io *watcher = &http->listeners[http->n_listeners];

		ev_io_init(
		    watcher, on_connection, g_array_index(fds, int, http->n_listeners), EV_READ);
		watcher->data = http;
		ev_io_start(loop, watcher);
	}
	ev_timer_start(loop, &http->sweep);
	return http;
}

void
http_free(struct http *http)
{
	if (!http)
		return;
	for (guint i = 0; i < http->n_listeners; i++)
		ev_io_stop(http->loop, &http->listeners[i]);
	ev_timer_stop(http->loop, &http->turn);
	ev_timer_stop(http->loop, &http->sweep);
	ev_io_stop(http->loop, &http->events);
	drop_view(http);
	if (http->daemon)
		MHD_stop_daemon(http->daemon);
	g_free(http->listeners);
	g_free(http->policy);
	g_free(http);
}

void
http_set_settings(struct http *http, const struct settings *settings)
{
	drop_view(http);
	http->sources.settings = settings;
}

/* -- sockets -- */

union socket_address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
	struct sockaddr_un local;
	struct sockaddr_storage storage;
};

static bool
address_of(int fd, union socket_address *ret_address)
{
	socklen_t length = sizeof *ret_address;

	memset(ret_address, 0, sizeof *ret_address);
	return getsockname(fd, &ret_address->any, &length) == 0;
}

/* What the socket got, not what its name says, decides. */
static bool
is_local(int fd)
{
	union socket_address address;

	if (!address_of(fd, &address))
		return false;
	if (address.any.sa_family == AF_INET)
		return ntohl(address.four.sin_addr.s_addr) >> 24 == 127;
	if (address.any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&address.six.sin6_addr);
	return address.any.sa_family == AF_UNIX;
}

static bool
may_listen(const struct settings *settings, const char *text, int fd, GError **error)
{
	if (is_local(fd))
		return true;
	if (settings_on(settings, SETTING_HTTP_ALLOW_REMOTE)) {
		log_line(
		    LOG_LEVEL_WARNING, "statistics are readable from other machines at %s", text);
		return true;
	}
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
	    "http.listen: %s is not a loopback address; everybody there could read the "
	    "statistics: set http.allow_remote = on if they may",
	    text);
	return false;
}

bool
http_open_listeners(const struct settings *settings, GArray *fds, GError **error)
{
	const char *const *addresses = settings_list(settings, SETTING_HTTP_LISTEN);
	mode_t mode = (mode_t)settings_number(settings, SETTING_HTTP_SOCKET_MODE);
	guint seen = 0;

	if (strcmp(addresses[0], "off") == 0)
		return true;
	for (; *addresses; addresses++) {
		g_autoptr(GError) failure = NULL;

		if (!listener_open(*addresses, mode, fds, &failure))
			log_line(LOG_LEVEL_ERROR, "no statistics over HTTP at %s: %s", *addresses,
			    failure->message);
		for (; seen < fds->len; seen++)
			if (!may_listen(settings, *addresses, g_array_index(fds, int, seen), error))
				return false;
	}
	return true;
}
