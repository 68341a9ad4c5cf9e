#include "config.h"

#include "policyd/daemon/server.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <glib.h>

#include "lib/log.h"

/* A request of Postfix has some 700 bytes. Buffers grow to the largest request there may be. */
#define BUFFER_START 4096
/* Idle connections have no buffer; some are kept for those that get busy. */
#define SPARE_BUFFERS 64

#define SWEEP_INTERVAL 5.0
#define ACCEPTS_A_TURN 64

struct connection {
	struct server *server;
	struct ev_io reader, writer;
	GList link; /* in server->connections, the one that was idle longest first */
	int in, out;
	ev_tstamp active; /* when it last had a whole request */

	char *buffer; /* NULL while idle */
	size_t used, size;
	struct policy_parser parser;
	struct policy_request request; /* points into buffer */
	size_t request_size;
	int64_t began;  /* microseconds, when the request was whole */
	bool in_flight; /* the policy has the request */
	bool asking;    /* and has not returned yet */
	bool at_end;    /* nothing more will come */
	bool closed;    /* to be freed when nothing is in flight */

	char reply[POLICY_REPLY_MAX];
	size_t reply_sent, reply_size;
};

struct server {
	struct ev_loop *loop;
	struct policy *policy;
	struct stats *stats;
	struct server_options options;
	char *host;
	GQueue connections; /* of struct connection */
	GPtrArray *listeners;
	GPtrArray *spare; /* buffers of BUFFER_START bytes */
	struct ev_timer sweep;
	bool draining;
	struct server_status status;
};

static void on_readable(struct ev_loop *loop, struct ev_io *watcher, int events);
static void on_writable(struct ev_loop *loop, struct ev_io *watcher, int events);

/* -- buffers -- */

static void
buffer_take(struct connection *c)
{
	GPtrArray *spare = c->server->spare;

	c->size = BUFFER_START;
	c->buffer = spare->len ? g_ptr_array_steal_index_fast(spare, spare->len - 1)
			       : g_malloc(BUFFER_START);
}

static void
buffer_release(struct connection *c)
{
	GPtrArray *spare = c->server->spare;

	if (c->size == BUFFER_START && spare->len < SPARE_BUFFERS)
		g_ptr_array_add(spare, c->buffer);
	else
		g_free(c->buffer);
	c->buffer = NULL;
	c->size = 0;
}

static void
buffer_grow(struct connection *c)
{
	c->size = MIN(c->size * 2, POLICY_REQUEST_MAX + 1);
	c->buffer = g_realloc(c->buffer, c->size);
}

/* -- the life of a connection -- */

/* Whoever may have closed the connection calls connection_reap() when it is done with it. */
static void
connection_close(struct connection *c)
{
	struct server *server = c->server;

	if (c->closed)
		return;
	c->closed = true;
	ev_io_stop(server->loop, &c->reader);
	ev_io_stop(server->loop, &c->writer);
	close(c->in);
	if (c->out != c->in)
		close(c->out);
	g_queue_unlink(&server->connections, &c->link);
	server->status.connections--;
}

static void
connection_reap(struct connection *c)
{
	if (!c->closed || c->in_flight)
		return;
	if (c->buffer)
		buffer_release(c);
	g_free(c);
}

/* Past the limit whoever was idle longest makes room: Postfix connects again when it needs to. */
static void
make_room(struct server *server)
{
	while (server->status.connections >= server->options.max_connections) {
		struct connection *oldest = g_queue_peek_head(&server->connections);

		server->status.made_room++;
		tally_add(stats_tally(server->stats), TALLY_MADE_ROOM, 1);
		log_limited(LOG_LEVEL_WARNING, "connections",
		    "%u connections (policy.max_connections): the one that was idle longest "
		    "is closed",
		    server->status.connections);
		connection_close(oldest);
		connection_reap(oldest);
	}
}

void
server_add(struct server *server, int in, int out)
{
	struct connection *c;

	make_room(server);
	c = g_new0(struct connection, 1);
	c->server = server;
	c->in = in;
	c->out = out;
	c->active = ev_now(server->loop);
	c->link.data = c;
	ev_io_init(&c->reader, on_readable, in, EV_READ);
	ev_io_init(&c->writer, on_writable, out, EV_WRITE);
	c->reader.data = c->writer.data = c;
	g_queue_push_tail_link(&server->connections, &c->link);
	server->status.connections++;
	server->status.accepted++;
	ev_io_start(server->loop, &c->reader);
}

/* It had a whole request: now it is the one that was idle for the shortest time. */
static void
connection_touch(struct connection *c)
{
	GQueue *queue = &c->server->connections;

	c->active = ev_now(c->server->loop);
	if (queue->tail != &c->link) {
		g_queue_unlink(queue, &c->link);
		g_queue_push_tail_link(queue, &c->link);
	}
}

/* -- replies -- */

static bool
is_sending(const struct connection *c)
{
	return c->reply_size > 0;
}

static void
send_reply(struct connection *c)
{
	while (c->reply_sent < c->reply_size) {
		ssize_t n = write(c->out, c->reply + c->reply_sent, c->reply_size - c->reply_sent);

		if (n >= 0) {
			c->reply_sent += (size_t)n;
		} else if (errno == EAGAIN) {
			ev_io_start(c->server->loop, &c->writer);
			return;
		} else if (errno != EINTR) {
			connection_close(c);
			return;
		}
	}
	c->reply_sent = c->reply_size = 0;
	ev_io_stop(c->server->loop, &c->writer);
}

static void connection_proceed(struct connection *connection);

/* The request is done with: the next one moves to the start of the buffer. */
static void
consume_request(struct connection *c)
{
	c->used -= c->request_size;
	memmove(c->buffer, c->buffer + c->request_size, c->used);
}

static void
on_decision(void *context, struct rules *rules, const struct policy_decision *decision)
{
	struct connection *c = context;
	struct server *server = c->server;
	const struct reason_row *row = reason_row(decision->reason);
	int64_t now = policy_now(server->policy);

	c->in_flight = false;
	stats_decided(server->stats, rules, &c->request, decision, now,
	    (double)(g_get_monotonic_time() - c->began) * 1e-6);
	decision_log(decision, rules, &c->request);
	if (row->effect == REASON_FAILS)
		log_limited(LOG_LEVEL_ERROR, row->name, "answered DUNNO: %s", row->help);
	if (!c->closed) {
		c->reply_size = decision_reply(decision, rules, server->host, now, c->reply);
		consume_request(c);
		send_reply(c);
	}
	if (!c->asking) {
		connection_proceed(c);
		connection_reap(c);
	}
}

/* -- requests -- */

/* No reply, one line in the log; all others go on. */
static void
refuse(struct connection *c, const char *why)
{
	c->server->status.malformed++;
	tally_add(stats_tally(c->server->stats), TALLY_MALFORMED, 1);
	log_limited(LOG_LEVEL_WARNING, why, "malformed request: %s; connection closed", why);
	connection_close(c);
}

/* Takes a request out of the buffer and asks the policy. False if there is no whole one. */
static bool
next_request(struct connection *c)
{
	struct server *server = c->server;
	enum policy_parse_result result;

	if (!c->used)
		return false;
	result = policy_parse(&c->parser, c->buffer, c->used, &c->request, &c->request_size);
	if (result == POLICY_PARSE_MORE)
		return false;
	if (result != POLICY_PARSE_DONE) {
		refuse(c, policy_parse_text(result));
		return false;
	}
	server->status.requests++;
	c->began = g_get_monotonic_time();
	connection_touch(c);
	c->in_flight = c->asking = true;
	policy_decide(server->policy, &c->request, policy_now(server->policy), on_decision, c);
	c->asking = false;
	return true;
}

/* Nothing can be done before something comes: a request, an answer, or room to write. */
static void
connection_wait(struct connection *c)
{
	struct server *server = c->server;

	if (c->in_flight || is_sending(c)) {
		ev_io_stop(server->loop, &c->reader);
	} else if (c->at_end && c->used) {
		refuse(c, "it ends in the middle");
	} else if (c->at_end || server->draining) {
		connection_close(c);
	} else {
		if (!c->used && c->buffer)
			buffer_release(c);
		ev_io_start(server->loop, &c->reader);
	}
}

/* All that can be done with what is in the buffer. */
static void
connection_proceed(struct connection *c)
{
	while (!c->closed && !c->in_flight && !is_sending(c) && next_request(c))
		;
	if (!c->closed)
		connection_wait(c);
}

static void
connection_read(struct connection *c)
{
	ssize_t n;

	if (!c->buffer)
		buffer_take(c);
	if (c->used == c->size)
		buffer_grow(c);
	do
		n = read(c->in, c->buffer + c->used, c->size - c->used);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		c->used += (size_t)n;
	else if (n == 0 || errno != EAGAIN)
		c->at_end = true;
	connection_proceed(c);
	connection_reap(c);
}

static void
on_readable(struct ev_loop *loop G_GNUC_UNUSED, struct ev_io *watcher, int events G_GNUC_UNUSED)
{
	connection_read(watcher->data);
}

static void
on_writable(struct ev_loop *loop G_GNUC_UNUSED, struct ev_io *watcher, int events G_GNUC_UNUSED)
{
	struct connection *c = watcher->data;

	send_reply(c);
	connection_proceed(c);
	connection_reap(c);
}

/* -- the server -- */

static void
on_connection(struct ev_loop *loop G_GNUC_UNUSED, struct ev_io *watcher, int events G_GNUC_UNUSED)
{
	struct server *server = watcher->data;

	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			server_add(server, fd, fd);
		} else if (errno == EMFILE || errno == ENFILE) {
			log_limited(
			    LOG_LEVEL_ERROR, "descriptors", "cannot accept: %s", g_strerror(errno));
			return;
		} else if (errno == EAGAIN) {
			return;
		}
	}
}

void
server_listen(struct server *server, int fd)
{
	struct ev_io *watcher = g_new(struct ev_io, 1);

	ev_io_init(watcher, on_connection, fd, EV_READ);
	watcher->data = server;
	ev_io_start(server->loop, watcher);
	g_ptr_array_add(server->listeners, watcher);
}

/* Closes what has had no whole request for too long, however many bytes it dribbled. */
static void
on_sweep(struct ev_loop *loop, struct ev_timer *timer, int events G_GNUC_UNUSED)
{
	struct server *server = timer->data;
	ev_tstamp before = ev_now(loop) - server->options.idle_timeout;
	struct connection *c;

	while ((c = g_queue_peek_head(&server->connections)) && c->active < before) {
		server->status.timed_out++;
		tally_add(stats_tally(server->stats), TALLY_TIMED_OUT, 1);
		connection_close(c);
		connection_reap(c);
	}
}

struct server *
server_new(struct ev_loop *loop, struct policy *policy, struct stats *stats,
    const struct server_options *options)
{
	struct server *server = g_new0(struct server, 1);

	server->loop = loop;
	server->policy = policy;
	server->stats = stats;
	server->listeners = g_ptr_array_new_with_free_func(g_free);
	server->spare = g_ptr_array_new_with_free_func(g_free);
	g_queue_init(&server->connections);
	server_set_options(server, options);
	ev_timer_init(&server->sweep, on_sweep, SWEEP_INTERVAL, SWEEP_INTERVAL);
	server->sweep.data = server;
	ev_timer_start(loop, &server->sweep);
	return server;
}

void
server_set_options(struct server *server, const struct server_options *options)
{
	g_free(server->host);
	server->options = *options;
	server->host = g_strdup(options->host);
	server->options.host = server->host;
}

static void
stop_listening(struct server *server)
{
	for (guint i = 0; i < server->listeners->len; i++)
		ev_io_stop(server->loop, g_ptr_array_index(server->listeners, i));
	g_ptr_array_set_size(server->listeners, 0);
}

void
server_drain(struct server *server)
{
	g_autoptr(GPtrArray) all = g_ptr_array_new();

	stop_listening(server);
	server->draining = true;
	for (GList *l = server->connections.head; l; l = l->next)
		g_ptr_array_add(all, l->data);
	for (guint i = 0; i < all->len; i++) {
		struct connection *c = g_ptr_array_index(all, i);

		if (!c->in_flight && !is_sending(c))
			connection_read(c);
	}
}

void
server_free(struct server *server)
{
	struct connection *c;

	if (!server)
		return;
	stop_listening(server);
	ev_timer_stop(server->loop, &server->sweep);
	while ((c = g_queue_peek_head(&server->connections))) {
		connection_close(c);
		connection_reap(c);
	}
	g_ptr_array_unref(server->listeners);
	g_ptr_array_unref(server->spare);
	g_free(server->host);
	g_free(server);
}

struct server_status
server_status(const struct server *server)
{
	return server->status;
}
