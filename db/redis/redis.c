/*
 * redis: a server that several hosts share. Keys are
 *
 *	greylag:{ENVIRONMENT}:SPACE:KEY    a record, as other drivers keep it; tokens, messages and
 *	                                   slots are kept in another way (store_redis_place.h)
 *	greylag:{ENVIRONMENT}:meta         a byte of layout, 16 bytes of hash key
 *	greylag:{ENVIRONMENT}:SPACE        a set of the keys of a space that is read whole
 *
 * with ENVIRONMENT policy or token. The braces are Redis Cluster's hash tag: all keys that one
 * update can name lie in one slot. The server expires by itself (Redis 7.0 or newer).
 *
 * An update reads, asks its function, and sends what that said to a script which first compares
 * the record with what was read; if it differs, the script hands back what is there, and the
 * function is asked again. Updates of one key in this process wait for each other, so that only
 * another host's can come between. What is too large for a script is written by a thread
 * (store_redis_batch.c).
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "db/layout.h"
#include "db/redis/op.h"
#include "db/redis/pack.h"

#define CLOSE_LIMIT (G_TIME_SPAN_SECOND * 5)
#define OPEN_LIMIT  1000 /* milliseconds for each answer; the daemon tries again */

/* -- reads -- */

/* A packed value, unpacked into memory that is used again. */
static void
give_value(struct redis_op *op, size_t index, const redisReply *reply, GByteArray *unpacked)
{
	struct store_bytes bytes = {reply->str, reply->len};

	if (redis_is_packed(op->space)) {
		if (!redis_unpack(bytes.data, bytes.length, unpacked)) {
			op->value(op->context, index, STORE_CORRUPT, NULL);
			return;
		}
		bytes = (struct store_bytes){unpacked->data, unpacked->len};
	}
	op->value(op->context, index, STORE_OK, &bytes);
}

static void
get_finish(struct redis_op *op, enum store_result result, const redisReply *reply)
{
	g_autoptr(GByteArray) unpacked = g_byte_array_new();

	for (size_t i = 0; i < op->n_keys; i++) {
		const redisReply *one = reply && i < reply->elements ? reply->element[i] : NULL;

		if (!one)
			op->value(
			    op->context, i, result == STORE_OK ? STORE_CORRUPT : result, NULL);
		else if (one->type != REDIS_REPLY_STRING)
			op->value(op->context, i, STORE_NOT_FOUND, NULL);
		else
			give_value(op, i, one, unpacked);
	}
}

static void
redis_get_many(struct store *store, enum store_space space, const struct store_bytes *keys,
    size_t n_keys, unsigned timeout, store_value_fn value, void *context)
{
	struct redis_op *op = redis_op_new(redis_of(store), timeout);
	bool fields = redis_buckets(space) > 0;

	op->finish = get_finish;
	op->space = space;
	op->n_keys = n_keys;
	op->value = value;
	op->context = context;
	if (!n_keys) {
		redis_op_refuse(op, STORE_OK);
		return;
	}
	if (fields) {
		redis_argv_script(op, REDIS_SCRIPT_FIELDS);
		redis_argv_number(op, (int64_t)n_keys);
	} else {
		redis_argv_begin(op);
		redis_argv_text(op, "MGET");
	}
	for (size_t i = 0; i < n_keys; i++)
		redis_argv_key(op, space, keys[i]);
	for (size_t i = 0; i < n_keys && fields; i++)
		redis_argv_field(op, space, keys[i]);
	if (!redis_op_send_argv(op))
		redis_op_postpone(op);
	else if (!fields && !op->redis->patience && op->redis->address.kind != REDIS_CLUSTER)
		g_clear_pointer(&op->argv, g_ptr_array_unref);
}

/* -- opening and closing -- */

static void
queue_free(gpointer queue)
{
	g_queue_free(queue);
}

static bool
take_meta(struct store_redis *r, const redisReply *reply, GError **error)
{
	bool down = false;

	if (!reply) {
		g_set_error_literal(error, STORE_ERROR, REDIS_AGAIN, "Redis does not answer");
		return false;
	}
	if (reply->type == REDIS_REPLY_ERROR)
		redis_refusal(reply->str, &down);
	/* store_is_missing() */
	if (reply->type == REDIS_REPLY_NIL) {
		g_set_error_literal(
		    error, STORE_ERROR, ENOENT, "Redis holds no store of greylag");
		return false;
	}
	if (reply->type != REDIS_REPLY_STRING) {
		g_set_error(error, STORE_ERROR,
		    down || (reply->type == REDIS_REPLY_ERROR && redis_is_elsewhere(reply->str)),
		    "Redis holds no store of greylag%s%s",
		    reply->type == REDIS_REPLY_ERROR ? ": " : "",
		    reply->type == REDIS_REPLY_ERROR ? reply->str : "");
		return false;
	}
	if (reply->len > 0 && !store_layout_check(STORE_LAYOUT_SERVER, "the store on Redis", NULL,
				  (uint8_t)reply->str[0], STORE_LAYOUT, error))
		return false;
	if (reply->len != sizeof r->meta) {
		g_set_error(error, STORE_ERROR, 0,
		    "Redis holds no store of greylag: %s has %zu bytes", r->meta_key, reply->len);
		return false;
	}
	memcpy(r->meta, reply->str, sizeof r->meta);
	memcpy(r->store.hash_key, r->meta + 1, KEYEDHASH_KEY_SIZE);
	return true;
}

/* On each new connection. Where another store's secret is found, that one is gone by. */
static bool
on_greeted(void *context, const redisReply *reply)
{
	struct store_redis *r = context;
	g_autoptr(GError) error = NULL;
	uint8_t before[KEYEDHASH_KEY_SIZE];

	memcpy(before, r->store.hash_key, sizeof before);
	if (!take_meta(r, reply, &error)) {
		redis_link_complain(r->link, error->message);
		return false;
	}
	if (memcmp(before, r->store.hash_key, sizeof before) != 0)
		redis_link_complain(r->link, "the server has another store than before");
	return true;
}

/* By the youngest of the commands that are needed. */
static bool
check_version(redisContext *redis, const char *key, GError **error)
{
	redisReply *reply = redisCommand(redis, "EXPIRETIME %s", key);
	bool good = reply && reply->type == REDIS_REPLY_INTEGER;

	if (!good)
		g_set_error(error, STORE_ERROR, 0, "Redis 7.0 or newer is needed: %s",
		    reply && reply->type == REDIS_REPLY_ERROR ? reply->str : redis->errstr);
	if (reply)
		freeReplyObject(reply);
	return good;
}

struct opening {
	bool create;
	int64_t clock;
};

/* The first of several hosts that open a new store makes the key that all of them use. */
static bool
open_meta(struct store_redis *r, void *context, GError **error)
{
	struct opening *opening = context;
	redisContext *redis =
	    redis_link_connect_blocking(&r->address, redis_answer_limit(r, OPEN_LIMIT), error);
	redisReply *reply;
	bool good;

	if (!redis)
		return false;
	if (opening->create) {
		reply = redisCommand(
		    redis, "SET %s %b NX", r->meta_key, (void *)r->meta, sizeof r->meta);
		if (reply)
			freeReplyObject(reply);
	}
	reply = redisCommand(redis, "GET %s", r->meta_key);
	good = take_meta(r, reply, error);
	if (reply)
		freeReplyObject(reply);
	good = good && check_version(redis, r->meta_key, error);
	if (good && !redis_link_ask_clock(redis, &opening->clock)) {
		g_set_error_literal(error, STORE_ERROR, 0, "Redis does not tell the time");
		good = false;
	}
	redisFree(redis);
	return good;
}

static void
redis_free(struct store_redis *r)
{
	redis_batch_stop(r);
	redis_link_free(r->link);
	redis_link_free(r->asking);
	redis_address_clear(&r->asking_address);
	redis_address_clear(&r->address);
	g_free(r->policy_tag);
	g_free(r->meta_key);
	for (unsigned i = 0; i < REDIS_SCRIPTS; i++)
		g_free(r->sha[i]);
	if (r->ops) {
		g_hash_table_unref(r->ops);
		g_hash_table_unref(r->busy);
		store_change_clear(&r->change);
		g_ptr_array_unref(r->written);
		g_ptr_array_unref(r->covered);
	}
	store_texts_free(&r->store);
	g_free(r);
}

/* Until the server has told its time this machine's is the best there is. */
static int64_t
own_clock(void)
{
	return g_get_real_time() - g_get_monotonic_time();
}

/* A secret that is known already is put where there is none. */
static void
begin_meta(struct store_redis *r, const uint8_t *hash_key)
{
	r->meta[0] = STORE_LAYOUT;
	if (hash_key)
		memcpy(r->meta + 1, hash_key, KEYEDHASH_KEY_SIZE);
	else
		keyedhash_new_key(r->meta + 1);
	memcpy(r->store.hash_key, r->meta + 1, KEYEDHASH_KEY_SIZE);
}

/* True if the server was spoken with; or if it need not be. */
static bool
reach(struct store_redis *r, const struct store_options *options, bool create, bool *ret_up,
    int64_t *ret_clock, GError **error)
{
	struct opening opening = {.create = create, .clock = own_clock()};
	g_autoptr(GError) reason = NULL;

	begin_meta(r, options->hash_key);
	*ret_clock = own_clock();
	*ret_up = false;
	/* Who opens the parts of a cluster waits for all of them at once. */
	if (options->hash_key && r->address.kind == REDIS_CLUSTER)
		return true;
	*ret_up = redis_patiently(r, open_meta, &opening, &reason);
	*ret_clock = opening.clock;
	if (*ret_up || options->hash_key)
		return true;
	g_propagate_prefixed_error(error, g_steal_pointer(&reason), "%s: ", r->store.name);
	return false;
}

/* What the link is told of the server. */
static void
on_trouble(void *context, const char *reason)
{
	struct store_redis *r = context;

	store_note(&r->store, STORE_UNAVAILABLE, "%s", reason);
}

bool
redis_parse(enum redis_kind kind, const struct store_options *options, const char *rest,
    struct redis_address *ret_address, GError **error)
{
	const char *file = options->password_file;
	bool tls = g_str_has_prefix(options->uri, "rediss");

	if (!redis_address_parse(kind, rest, ret_address, error))
		return false;
	if (tls)
		ret_address->tls = redis_tls_new(&options->tls, error);
	if ((!tls || ret_address->tls) &&
	    (!file || !*file || redis_address_read_password(ret_address, file, error)))
		return true;
	redis_address_clear(ret_address);
	return false;
}

struct store *
redis_open(const struct store_driver *driver, struct redis_address *address, const char *tag,
    const struct store_options *options, GError **error)
{
	struct store_redis *r = g_new0(struct store_redis, 1);
	bool create = options->create && !options->read_only, up;
	int64_t clock;
	struct redis_link_owner owner = {
	    .deadline = redis_op_deadline,
	    .woken = redis_op_woken,
	    .greeted = on_greeted,
	    .trouble = on_trouble,
	    .context = r,
	    .meta = r->meta,
	    .meta_size = create ? sizeof r->meta : 0,
	    .patience = MAX(options->patience / 3, options->timeout),
	};

	r->store.driver = driver;
	r->store.name = store_uri_shown(options->uri);
	r->patience = options->patience;
	r->timeout = options->timeout;
	r->address = *address;
	r->policy_tag = g_strdup(tag);
	r->meta_key = g_strdup_printf("greylag:{%s}:meta", tag);
	owner.meta_key = r->meta_key;
	if (!reach(r, options, create, &up, &clock, error)) {
		redis_free(r);
		return NULL;
	}
	r->ops = g_hash_table_new(NULL, NULL);
	r->busy = g_hash_table_new_full(
	    g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, queue_free);
	g_queue_init(&r->refused);
	g_queue_init(&r->parked);
	r->written = g_ptr_array_new();
	r->covered = g_ptr_array_new();
	r->wait_replicas = options->wait_replicas;
	store_change_init(&r->change);
	r->status.driver = "redis";
	for (unsigned i = 0; i < REDIS_SCRIPTS; i++)
		r->sha[i] = g_compute_checksum_for_string(G_CHECKSUM_SHA1, redis_scripts[i], -1);
	r->link = redis_link_new(&r->address, redis_scripts, up, clock, &owner);
	return &r->store;
}

static struct store *
open_single(const struct store_driver *driver, enum redis_kind kind,
    const struct store_options *options, const char *rest, GError **error)
{
	struct redis_address address;

	if (!redis_parse(kind, options, rest, &address, error))
		return NULL;
	return redis_open(driver, &address, "policy", options, error);
}

static struct store *
open_tcp(const struct store_options *options, const char *rest, GError **error)
{
	return open_single(&store_redis_driver, REDIS_TCP, options, rest, error);
}

static struct store *
open_unix(const struct store_options *options, const char *rest, GError **error)
{
	return open_single(&store_redis_unix_driver, REDIS_UNIX, options, rest, error);
}

static struct store *
open_sentinel(const struct store_options *options, const char *rest, GError **error)
{
	return open_single(&store_redis_sentinel_driver, REDIS_SENTINEL, options, rest, error);
}

/* Who writes to a server that has just ended gets SIGPIPE, which would end a program that has not
 * said otherwise: it hears of it by its answers. */
static void
redis_dispatch(struct store *store)
{
	struct redis_link *link = redis_of(store)->link;
	const struct timespec at_once = {0};
	sigset_t pipe, before;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, &before);
	redis_link_dispatch(link);
	if (!redis_link_is_up(link) && !sigismember(&before, SIGPIPE))
		while (sigtimedwait(&pipe, NULL, &at_once) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static size_t
redis_outstanding(const struct store *store)
{
	return g_hash_table_size(((const struct store_redis *)store)->ops);
}

static void
redis_close(struct store *store)
{
	struct store_redis *r = redis_of(store);
	int64_t limit = g_get_monotonic_time() + CLOSE_LIMIT;

	while (redis_outstanding(store) && g_get_monotonic_time() < limit) {
		GPollFD fd = {.fd = redis_link_fd(r->link), .events = G_IO_IN};

		g_poll(&fd, 1, 100);
		redis_dispatch(store);
	}
	r->closing = true;
	redis_link_down(r->link);
	redis_parked_refuse(r);
	redis_batch_stop(r);
	while (redis_outstanding(store))
		redis_op_woken(r);
	redis_free(r);
}

static int
redis_poll_fd(const struct store *store)
{
	return redis_link_fd(((const struct store_redis *)store)->link);
}

static int64_t
redis_now(const struct store *store)
{
	const struct store_redis *r = (const struct store_redis *)store;

	return (g_get_monotonic_time() + redis_link_clock_offset(r->link)) / G_USEC_PER_SEC;
}

static bool
redis_is_up(const struct store *store)
{
	return redis_link_is_up(((const struct store_redis *)store)->link);
}

#define REDIS_DRIVER(name, tls_name, opener)                                                       \
	{                                                                                          \
		.scheme = (name), .tls_scheme = (tls_name), .open = (opener),                      \
		.close = redis_close, .poll_fd = redis_poll_fd, .dispatch = redis_dispatch,        \
		.outstanding = redis_outstanding, .get_many = redis_get_many,                      \
		.update = redis_update, .scan = redis_scan, .expire = redis_expire,                \
		.status = redis_status, .check = redis_check, .backup = redis_backup,              \
		.now = redis_now, .is_up = redis_is_up,                                            \
	}

const struct store_driver store_redis_driver = REDIS_DRIVER("redis", "rediss", open_tcp);
const struct store_driver store_redis_unix_driver = REDIS_DRIVER("redis+unix", NULL, open_unix);
const struct store_driver store_redis_part_driver = REDIS_DRIVER("redis+cluster", NULL, NULL);
const struct store_driver store_redis_sentinel_driver =
    REDIS_DRIVER("redis+sentinel", "rediss+sentinel", open_sentinel);
