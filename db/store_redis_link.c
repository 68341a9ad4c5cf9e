#include "config.h"

#include "db/store_redis_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "db/store.h"
#include "lib/log.h"

#define TICK          (G_TIME_SPAN_SECOND * 3) /* between two looks at the server's clock */
#define PROBE_TIMEOUT (G_TIME_SPAN_SECOND)
#define PAUSE_FIRST   (G_TIME_SPAN_MILLISECOND * 50)
#define PAUSE_LAST    (G_TIME_SPAN_SECOND * 5)

enum source { SOURCE_REDIS, SOURCE_TIMER, SOURCE_WAKE };

struct redis_link {
	const struct redis_address *address;
	const char *const *scripts;
	struct redis_link_owner owner;
	redisAsyncContext *redis; /* NULL between two attempts */
	uint32_t interest;        /* epoll events of its descriptor */
	bool up;
	int64_t pause;
	int64_t alarm, next; /* the owner's deadline; the next probe, tick or attempt */
	int64_t probe_sent;  /* 0 if no probe is under way */
	int64_t clock_offset;
	int epoll, timer, wake;
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

/* What hiredis has given up already is detached; what it has not is freed here. */
static void
detach(struct redis_link *link, bool free_it)
{
	redisAsyncContext *redis = link->redis;

	if (!redis)
		return;
	watch(link, 0, EPOLLIN | EPOLLOUT);
	link->redis = NULL;
	link->up = false;
	link->probe_sent = 0;
	redis->ev.addRead = redis->ev.delRead = redis->ev.addWrite = redis->ev.delWrite = NULL;
	redis->ev.cleanup = NULL;
	redis->data = NULL;
	set_next(link, link->pause);
	link->pause = MIN(link->pause * 2, PAUSE_LAST);
	if (free_it)
		redisAsyncFree(redis);
}

void
redis_link_down(struct redis_link *link)
{
	detach(link, true);
}

/* Before hiredis 1.0 its hooks cannot be told from those of a connection that is gone. */
static void
cleanup(void *data)
{
	struct redis_link *link = data;

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

/* What the server refuses is nothing that an answer can tell: the postmaster reads it here. */
void
redis_link_complain(const char *refusal)
{
	log_limited(LOG_LEVEL_ERROR, "redis", "Redis: %s", refusal);
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
			redis_link_complain(reply->str);
		redis_link_down(link);
		return;
	}
	link->up = true;
	link->pause = PAUSE_FIRST;
	link->probe_sent = 0;
	set_next(link, TICK);
}

static void
probe(struct redis_link *link)
{
	link->probe_sent = g_get_monotonic_time();
	set_next(link, PROBE_TIMEOUT);
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
		    link->redis, NULL, NULL, "SET %s %b NX", REDIS_META_KEY, o->meta, o->meta_size);
	redisAsyncCommand(link->redis, on_greeted, NULL, "GET %s", REDIS_META_KEY);
}

static void
connect_to(struct redis_link *link)
{
	const struct redis_address *a = link->address;
	redisAsyncContext *redis =
	    a->path ? redisAsyncConnectUnix(a->path) : redisAsyncConnect(a->host, a->port);

	if (!redis || redis->err) {
		if (redis)
			redisAsyncFree(redis);
		set_next(link, link->pause);
		link->pause = MIN(link->pause * 2, PAUSE_LAST);
		return;
	}
	link->redis = redis;
	redis->data = link;
	redis->ev.data = link;
	redis->ev.addRead = add_read;
	redis->ev.delRead = del_read;
	redis->ev.addWrite = add_write;
	redis->ev.delWrite = del_write;
	redis->ev.cleanup = cleanup;
	if (a->password && a->user)
		redisAsyncCommand(redis, NULL, NULL, "AUTH %s %s", a->user, a->password);
	else if (a->password)
		redisAsyncCommand(redis, NULL, NULL, "AUTH %s", a->password);
	redisAsyncCommand(redis, NULL, NULL, "SELECT %u", a->db);
	greet_again(link);
	redis_link_load_scripts(link);
	probe(link);
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
		if (link->redis && link->probe_sent)
			redis_link_down(link);
		else if (link->redis)
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
redis_link_new(const struct redis_address *address, const char *const *scripts, bool up,
    int64_t clock_offset, const struct redis_link_owner *owner)
{
	struct redis_link *link = g_new0(struct redis_link, 1);

	link->address = address;
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
redis_link_dispatch(struct redis_link *link)
{
	struct epoll_event events[3];
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

static bool
ask_plainly(redisContext *redis, GError **error, int argc, const char **argv)
{
	redisReply *reply = redisCommandArgv(redis, argc, argv, NULL);
	bool good = reply && reply->type != REDIS_REPLY_ERROR;

	if (!good)
		g_set_error(error, STORE_ERROR, 0, "Redis: %s: %s", argv[0],
		    reply ? reply->str : redis->errstr);
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
	return ask_plainly(redis, error, 2, select);
}

redisContext *
redis_link_connect_blocking(const struct redis_address *a, unsigned timeout, GError **error)
{
	const struct timeval limit = {.tv_sec = timeout / 1000, .tv_usec = timeout % 1000 * 1000};
	redisContext *redis = a->path ? redisConnectUnixWithTimeout(a->path, limit)
				      : redisConnectWithTimeout(a->host, a->port, limit);

	if (redis && !redis->err && redisSetTimeout(redis, limit) == REDIS_OK &&
	    greet(redis, a, error))
		return redis;
	if (error && !*error)
		g_set_error(error, STORE_ERROR, 0, "cannot reach Redis at %s: %s",
		    a->path ? a->path : a->host, redis ? redis->errstr : "no memory");
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
