#include "config.h"

#include "db/redis/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "db/store.h"
#include "db/redis/find.h"
#include "lib/log.h"

#define TICK          (G_TIME_SPAN_SECOND * 3) /* between two looks at the server's clock */
#define PROBE_TIMEOUT (G_TIME_SPAN_SECOND)
#define PAUSE_FIRST   (G_TIME_SPAN_MILLISECOND * 50)
#define PAUSE_LAST    (G_TIME_SPAN_SECOND * 5)
#define PAUSE_GUIDED  (G_TIME_SPAN_SECOND) /* another server may take over at any time */

enum source { SOURCE_REDIS, SOURCE_TIMER, SOURCE_WAKE, SOURCE_BESIDE };

struct redis_link {
	struct redis_address *address; /* its host is set while it is known */
	const char *const *scripts;
	struct redis_link_owner owner;
	redisAsyncContext *redis; /* NULL between two attempts */
	bool finding;             /* it is a guide's */
	unsigned guide, tried;    /* which is asked, and how many were in vain */
	unsigned slot;            /* of a cluster */
	uint32_t interest;        /* epoll events of its descriptor */
	bool up;
	int64_t pause;
	int64_t alarm, next; /* the owner's deadline; the next probe, tick or attempt */
	int64_t probe_sent;  /* 0 if no probe is under way */
	int64_t clock_offset;
	int epoll, timer, wake;
	struct redis_link *beside;
};

/* -- one descriptor of three -- */

static void
watch(struct redis_link *link, uint32_t set, uint32_t clear)
{
	uint32_t wanted = (link->interest | set) & ~clear;
	struct epoll_event event = {.events = wanted, .data.u32 = SOURCE_REDIS};
	int op = !link->interest ? EPOLL_CTL_ADD : wanted ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;

	if (wanted == link->interest)
		return;
	epoll_ctl(link->epoll, op, link->redis->c.fd, &event);
	link->interest = wanted;
}

static void
add_read(void *link)
{
	watch(link, EPOLLIN, 0);
}

static void
del_read(void *link)
{
	watch(link, 0, EPOLLIN);
}

static void
add_write(void *link)
{
	watch(link, EPOLLOUT, 0);
}

static void
del_write(void *link)
{
	watch(link, 0, EPOLLOUT);
}

static void
set_timer(struct redis_link *link)
{
	int64_t at = link->alarm && link->alarm < link->next ? link->alarm : link->next;
	struct itimerspec spec = {
	    .it_value = {.tv_sec = at / G_USEC_PER_SEC, .tv_nsec = at % G_USEC_PER_SEC * 1000}};

	timerfd_settime(link->timer, TFD_TIMER_ABSTIME, &spec, NULL);
}

void
redis_link_alarm(struct redis_link *link, int64_t at)
{
	link->alarm = at;
	set_timer(link);
}

static void
set_next(struct redis_link *link, int64_t in)
{
	link->next = g_get_monotonic_time() + in;
	set_timer(link);
}

/* -- down and up -- */

static void
wait_longer(struct redis_link *link)
{
	set_next(link, link->pause);
	link->pause = MIN(link->pause * 2, link->address->guides ? PAUSE_GUIDED : PAUSE_LAST);
}

/* The next guide is asked at once, until all were in vain. */
static void
plan_next(struct redis_link *link)
{
	const GArray *guides = link->address->guides;

	if (!link->finding) {
		if (guides)
			g_clear_pointer(&link->address->host, g_free);
		wait_longer(link);
		return;
	}
	link->finding = false;
	link->guide = (link->guide + 1) % guides->len;
	link->tried = (link->tried + 1) % guides->len;
	if (link->tried)
		set_next(link, 0);
	else
		wait_longer(link);
}

/* What hiredis has given up already is detached; what it has not is freed here. */
static void
let_go(struct redis_link *link, bool free_it)
{
	redisAsyncContext *redis = link->redis;

	watch(link, 0, EPOLLIN | EPOLLOUT);
	link->redis = NULL;
	link->up = false;
	link->probe_sent = 0;
	redis->ev.addRead = redis->ev.delRead = redis->ev.addWrite = redis->ev.delWrite = NULL;
	redis->ev.cleanup = NULL;
	redis->data = NULL;
	if (free_it)
		redisAsyncFree(redis);
}

static void
detach(struct redis_link *link, bool free_it)
{
	redisAsyncContext *redis = link->redis;

	if (!redis)
		return;
	let_go(link, false);
	plan_next(link);
	if (free_it)
		redisAsyncFree(redis);
}

void
redis_link_down(struct redis_link *link)
{
	detach(link, true);
}

/* Accepts NULL, for nothing to complain of. */
static void
complain_of_tls(const char *problem)
{
	if (problem)
		log_limited(LOG_LEVEL_ERROR, "redis-tls", "Redis: %s", problem);
}

static void
tell_trouble(struct redis_link *link, const char *reason)
{
	const struct redis_address *a = link->address;
	const struct redis_guide *guide =
	    link->finding ? &g_array_index(a->guides, struct redis_guide, link->guide) : NULL;
	const char *host = guide ? guide->host : a->guides ? a->host : NULL;
	g_autofree char *text = NULL;

	if (!link->owner.trouble)
		return;
	if (host)
		text = g_strdup_printf("%s:%d: %s", host, guide ? guide->port : a->port, reason);
	link->owner.trouble(link->owner.context, text ? text : reason);
}

/* What the server refuses is nothing that an answer can tell: the postmaster reads it here. */
void
redis_link_complain(struct redis_link *link, const char *refusal)
{
	tell_trouble(link, refusal);
	log_limited(LOG_LEVEL_ERROR, "redis", "Redis: %s", refusal);
}

static int64_t
probe_timeout(const struct redis_link *link)
{
	return MAX(PROBE_TIMEOUT, link->owner.patience * G_TIME_SPAN_MILLISECOND);
}

/* Before hiredis 1.0 its hooks cannot be told from those of a connection that is gone. */
static void
cleanup(void *data)
{
	struct redis_link *link = data;
	g_autofree char *problem = link->redis ? redis_tls_problem(&link->redis->c) : NULL;

	complain_of_tls(problem);
	if (link->redis && link->redis->err)
		tell_trouble(link, problem ? problem : link->redis->errstr);
	watch(link, 0, EPOLLIN | EPOLLOUT);
	detach(link, false);
}

/* The answer to TIME, which was asked for at SENT of the monotonic clock. */
static bool
take_clock(const redisReply *reply, int64_t sent, int64_t *ret_offset)
{
	int64_t half_way = sent + (g_get_monotonic_time() - sent) / 2;

	if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
		return false;
	*ret_offset = g_ascii_strtoll(reply->element[0]->str, NULL, 10) * G_USEC_PER_SEC +
		      g_ascii_strtoll(reply->element[1]->str, NULL, 10) - half_way;
	return true;
}

static void
on_probe(redisAsyncContext *redis, void *data, void *context G_GNUC_UNUSED)
{
	struct redis_link *link = redis->data;
	const redisReply *reply = data;

	if (!link)
		return;
	if (!take_clock(reply, link->probe_sent, &link->clock_offset)) {
		if (reply && reply->type == REDIS_REPLY_ERROR)
			redis_link_complain(link, reply->str);
		redis_link_down(link);
		return;
	}
	link->up = true;
	link->pause = PAUSE_FIRST;
	link->probe_sent = 0;
	set_next(link, TICK);
}

/* Who was a master may have become a replica, and answers questions as before. */
static void
on_role(redisAsyncContext *redis, void *data, void *context G_GNUC_UNUSED)
{
	struct redis_link *link = redis->data;

	if (!link || !data || redis_find_is_master(data))
		return;
	redis_link_complain(link, "the server is no master any more");
	redis_link_down(link);
}

static void
probe(struct redis_link *link)
{
	link->probe_sent = g_get_monotonic_time();
	set_next(link, probe_timeout(link));
	if (link->address->kind == REDIS_SENTINEL)
		redisAsyncCommand(link->redis, on_role, NULL, "ROLE");
	redisAsyncCommand(link->redis, on_probe, NULL, "TIME");
}

void
redis_link_load_scripts(struct redis_link *link)
{
	for (const char *const *script = link->scripts; link->redis && *script; script++)
		redisAsyncCommand(link->redis, NULL, NULL, "SCRIPT LOAD %s", *script);
}

static void
on_greeted(redisAsyncContext *redis, void *data, void *context G_GNUC_UNUSED)
{
	struct redis_link *link = redis->data;

	if (link && data && !link->owner.greeted(link->owner.context, data))
		redis_link_down(link);
}

/* The server may be another than before, or an empty one. */
static void
greet_again(struct redis_link *link)
{
	const struct redis_link_owner *o = &link->owner;

	if (o->meta_size)
		redisAsyncCommand(
		    link->redis, NULL, NULL, "SET %s %b NX", o->meta_key, o->meta, o->meta_size);
	if (o->greeted)
		redisAsyncCommand(link->redis, on_greeted, NULL, "GET %s", o->meta_key);
}

static redisAsyncContext *
connect_async(const struct redis_address *a, const char *path, const char *host, int port)
{
	redisAsyncContext *redis =
	    path ? redisAsyncConnectUnix(path) : redisAsyncConnect(host, port);
	g_autofree char *problem = NULL;

	if (!redis || redis->err || redis_tls_begin(a->tls, &redis->c, host))
		return redis;
	problem = redis_tls_problem(&redis->c);
	complain_of_tls(problem);
	redisAsyncFree(redis);
	return NULL;
}

/* False if it failed at once. */
static bool
attach(struct redis_link *link, redisAsyncContext *redis)
{
	if (!redis || redis->err) {
		tell_trouble(link, redis ? redis->errstr : "no memory");
		if (redis)
			redisAsyncFree(redis);
		plan_next(link);
		return false;
	}
	link->redis = redis;
	redis->data = link;
	redis->ev.data = link;
	redis->ev.addRead = add_read;
	redis->ev.delRead = del_read;
	redis->ev.addWrite = add_write;
	redis->ev.delWrite = del_write;
	redis->ev.cleanup = cleanup;
	return true;
}

static void
connect_server(struct redis_link *link)
{
	const struct redis_address *a = link->address;

	link->finding = false;
	if (!attach(link, connect_async(a, a->path, a->host, a->port)))
		return;
	if (a->password && a->user)
		redisAsyncCommand(link->redis, NULL, NULL, "AUTH %s %s", a->user, a->password);
	else if (a->password)
		redisAsyncCommand(link->redis, NULL, NULL, "AUTH %s", a->password);
	if (a->kind != REDIS_CLUSTER)
		redisAsyncCommand(link->redis, NULL, NULL, "SELECT %u", a->db);
	greet_again(link);
	redis_link_load_scripts(link);
	probe(link);
}

/* -- asking for the server -- */

static void
send_words(redisAsyncContext *redis, redisCallbackFn *reply, char **words)
{
	if (words)
		redisAsyncCommandArgv(
		    redis, reply, NULL, (int)g_strv_length(words), (const char **)words, NULL);
	g_strfreev(words);
}

static void
on_found(redisAsyncContext *redis, void *data, void *context G_GNUC_UNUSED)
{
	struct redis_link *link = redis->data;
	struct redis_address *a;

	if (!link || !data)
		return;
	a = link->address;
	if (!redis_find_answer(a, &g_array_index(a->guides, struct redis_guide, link->guide),
		link->slot, data, &a->host, &a->port)) {
		redis_link_complain(link, "nobody knows where the server is");
		redis_link_down(link);
		return;
	}
	let_go(link, true);
	link->tried = 0;
	connect_server(link);
}

static void
ask_guide(struct redis_link *link)
{
	const struct redis_address *a = link->address;
	const struct redis_guide *guide =
	    &g_array_index(a->guides, struct redis_guide, link->guide);

	link->finding = true;
	if (!attach(link, connect_async(a, NULL, guide->host, guide->port)))
		return;
	link->probe_sent = g_get_monotonic_time();
	set_next(link, probe_timeout(link));
	send_words(link->redis, NULL, redis_find_login(a));
	send_words(link->redis, on_found, redis_find_question(a));
}

static void
connect_to(struct redis_link *link)
{
	if (link->address->guides && !link->address->host)
		ask_guide(link);
	else
		connect_server(link);
}

void
redis_link_moved(struct redis_link *link, const char *host, int port)
{
	char *new_host = g_strdup(host);

	g_free(link->address->host);
	link->address->host = new_host;
	link->address->port = port;
	if (link->redis)
		let_go(link, true);
	connect_server(link);
	/* What is sent waits for the connection. */
	link->up = link->redis != NULL;
}

static void
on_timer(struct redis_link *link)
{
	int64_t now = g_get_monotonic_time();
	uint64_t ignored;

	if (read(link->timer, &ignored, sizeof ignored) < 0)
		return;
	if (link->alarm && link->alarm <= now) {
		link->alarm = 0;
		link->owner.deadline(link->owner.context);
	}
	if (link->next <= now) {
		if (link->redis && link->probe_sent) {
			tell_trouble(link, "no answer");
			redis_link_down(link);
		} else if (link->redis)
			probe(link);
		else
			connect_to(link);
	}
	set_timer(link);
}

/* -- for the owner -- */

static void
add_source(struct redis_link *link, int fd, enum source source)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = source};

	epoll_ctl(link->epoll, EPOLL_CTL_ADD, fd, &event);
}

struct redis_link *
redis_link_new(struct redis_address *address, const char *const *scripts, bool up,
    int64_t clock_offset, const struct redis_link_owner *owner)
{
	struct redis_link *link = g_new0(struct redis_link, 1);

	link->address = address;
	link->slot = redis_slot(address->tag ? address->tag : "");
	link->scripts = scripts;
	link->owner = *owner;
	link->clock_offset = clock_offset;
	link->pause = PAUSE_FIRST;
	link->epoll = epoll_create1(EPOLL_CLOEXEC);
	link->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	link->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	add_source(link, link->timer, SOURCE_TIMER);
	add_source(link, link->wake, SOURCE_WAKE);
	connect_to(link);
	link->up = up && link->redis != NULL;
	return link;
}

void
redis_link_free(struct redis_link *link)
{
	if (!link)
		return;
	redis_link_down(link);
	close(link->epoll);
	close(link->timer);
	close(link->wake);
	g_free(link);
}

bool
redis_link_is_up(const struct redis_link *link)
{
	return link->up;
}

int
redis_link_fd(const struct redis_link *link)
{
	return link->epoll;
}

void
redis_link_wake(struct redis_link *link)
{
	eventfd_write(link->wake, 1);
}

void
redis_link_beside(struct redis_link *link, struct redis_link *other)
{
	link->beside = other;
	add_source(link, other->epoll, SOURCE_BESIDE);
}

void
redis_link_dispatch(struct redis_link *link)
{
	struct epoll_event events[4];
	int n = epoll_wait(link->epoll, events, G_N_ELEMENTS(events), 0);
	eventfd_t ignored;

	for (int i = 0; i < n; i++) {
		switch ((enum source)events[i].data.u32) {
		case SOURCE_REDIS:
			if (link->redis && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				redisAsyncHandleRead(link->redis);
			if (link->redis && events[i].events & EPOLLOUT)
				redisAsyncHandleWrite(link->redis);
			break;
		case SOURCE_TIMER: on_timer(link); break;
		case SOURCE_WAKE:
			eventfd_read(link->wake, &ignored);
			link->owner.woken(link->owner.context);
			break;
		case SOURCE_BESIDE: redis_link_dispatch(link->beside); break;
		}
	}
}

bool
redis_link_send(struct redis_link *link, redisCallbackFn *reply, void *context, int argc,
    const char **argv, const size_t *lengths)
{
	return link->up && link->redis &&
	       redisAsyncCommandArgv(link->redis, reply, context, argc, argv, lengths) == REDIS_OK;
}

int64_t
redis_link_clock_offset(const struct redis_link *link)
{
	return link->clock_offset;
}

/* -- blocking -- */

/* Nothing came in time, or the connection was closed. */
static bool
is_passing(const redisContext *redis)
{
	return redis->err == REDIS_ERR_EOF || strcmp(redis->errstr, g_strerror(EAGAIN)) == 0 ||
	       strcmp(redis->errstr, g_strerror(ETIMEDOUT)) == 0;
}

char *
redis_link_failure(redisContext *redis)
{
	char *problem = redis_tls_problem(redis);

	if (problem)
		return problem;
	return g_strdup(
	    strcmp(redis->errstr, g_strerror(EAGAIN)) == 0 ? "no answer in time" : redis->errstr);
}

static bool
ask_plainly(redisContext *redis, GError **error, int argc, const char **argv)
{
	redisReply *reply = redisCommandArgv(redis, argc, argv, NULL);
	bool good = reply && reply->type != REDIS_REPLY_ERROR;
	g_autofree char *reason = reply ? NULL : redis_link_failure(redis);

	if (!good)
		g_set_error(error, STORE_ERROR,
		    reply ? g_str_has_prefix(reply->str, "LOADING") : is_passing(redis),
		    "Redis: %s: %s", argv[0], reply ? reply->str : reason);
	if (reply)
		freeReplyObject(reply);
	return good;
}

static bool
greet(redisContext *redis, const struct redis_address *a, GError **error)
{
	g_autofree char *db = g_strdup_printf("%u", a->db);
	const char *with_user[] = {"AUTH", a->user, a->password};
	const char *without[] = {"AUTH", a->password};
	const char *select[] = {"SELECT", db};

	if (a->password && !(a->user ? ask_plainly(redis, error, 3, with_user)
				     : ask_plainly(redis, error, 2, without)))
		return false;
	return a->kind == REDIS_CLUSTER || ask_plainly(redis, error, 2, select);
}

static bool
is_right_server(redisContext *redis, const struct redis_address *a, GError **error)
{
	redisReply *reply = a->kind == REDIS_SENTINEL ? redisCommand(redis, "ROLE") : NULL;
	bool right = a->kind != REDIS_SENTINEL || redis_find_is_master(reply);

	if (reply)
		freeReplyObject(reply);
	if (!right)
		g_set_error(
		    error, STORE_ERROR, REDIS_AGAIN, "%s:%d is no master", a->host, a->port);
	return right;
}

static redisContext *
connect_plainly(const struct redis_address *a, const char *path, const char *host, int port,
    unsigned timeout, GError **error)
{
	const struct timeval limit = {.tv_sec = timeout / 1000, .tv_usec = timeout % 1000 * 1000};
	redisContext *redis = path ? redisConnectUnixWithTimeout(path, limit)
				   : redisConnectWithTimeout(host, port, limit);
	g_autofree char *reason = NULL;

	if (redis && !redis->err && redisSetTimeout(redis, limit) == REDIS_OK &&
	    redis_tls_begin(a->tls, redis, host))
		return redis;
	reason = redis ? redis_link_failure(redis) : g_strdup("no memory");
	if (a->guides)
		g_set_error(error, STORE_ERROR, REDIS_AGAIN, "cannot reach Redis at %s:%d: %s",
		    host, port, reason);
	else
		g_set_error(error, STORE_ERROR, redis && is_passing(redis) ? REDIS_AGAIN : 0,
		    "cannot reach Redis: %s", reason);
	if (redis)
		redisFree(redis);
	return NULL;
}

static bool
ask_guide_plainly(
    struct redis_address *a, const struct redis_guide *guide, unsigned timeout, GError **error)
{
	redisContext *redis = connect_plainly(a, NULL, guide->host, guide->port, timeout, error);
	g_auto(GStrv) login = redis_find_login(a), question = redis_find_question(a);
	redisReply *reply = NULL;
	bool found;

	if (redis &&
	    (!login || ask_plainly(redis, error, (int)g_strv_length(login), (const char **)login)))
		reply = redisCommandArgv(
		    redis, (int)g_strv_length(question), (const char **)question, NULL);
	found = redis_find_answer(
	    a, guide, redis_slot(a->tag ? a->tag : ""), reply, &a->host, &a->port);
	if (reply)
		freeReplyObject(reply);
	if (redis)
		redisFree(redis);
	return found;
}

/* Sets the host, if it is not known yet. */
static bool
find_plainly(struct redis_address *a, unsigned timeout, GError **error)
{
	g_autoptr(GError) reason = NULL;

	for (guint i = 0; a->guides && !a->host && i < a->guides->len; i++) {
		g_clear_error(&reason);
		ask_guide_plainly(
		    a, &g_array_index(a->guides, struct redis_guide, i), timeout, &reason);
	}
	if (a->host || !a->guides)
		return true;
	g_set_error(error, STORE_ERROR, REDIS_AGAIN,
	    "cannot reach Redis: none of %u %s knows where it is%s%s", a->guides->len,
	    a->kind == REDIS_SENTINEL ? "sentinels" : "nodes", reason ? "; " : "",
	    reason ? reason->message : "");
	return false;
}

redisContext *
redis_link_connect_blocking(struct redis_address *a, unsigned timeout, GError **error)
{
	redisContext *redis;

	if (!find_plainly(a, timeout, error))
		return NULL;
	redis = connect_plainly(a, a->path, a->host, a->port, timeout, error);
	if (redis && greet(redis, a, error) && is_right_server(redis, a, error))
		return redis;
	if (redis)
		redisFree(redis);
	return NULL;
}

bool
redis_link_ask_clock(redisContext *redis, int64_t *ret_offset)
{
	int64_t sent = g_get_monotonic_time();
	redisReply *reply = redisCommand(redis, "TIME");
	bool good = take_clock(reply, sent, ret_offset);

	if (reply)
		freeReplyObject(reply);
	return good;
}
