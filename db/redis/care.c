#include "config.h"

#include <string.h>

#include "db/redis/op.h"

#define STATUS_LIMIT 200 /* milliseconds: the daemon's loop stands still meanwhile */
#define STATUS_PAUSE (G_TIME_SPAN_SECOND * 5)

static uint64_t
memory_used(redisContext *redis)
{
	redisReply *reply = redisCommand(redis, "INFO memory");
	const char *line =
	    reply && reply->type == REDIS_REPLY_STRING ? strstr(reply->str, "used_memory:") : NULL;
	uint64_t bytes = line ? g_ascii_strtoull(strchr(line, ':') + 1, NULL, 10) : 0;

	if (reply)
		freeReplyObject(reply);
	return bytes;
}

static void
take_counts(const redisReply *reply, struct store_status *status)
{
	uint64_t total = (uint64_t)reply->element[1]->integer;
	uint64_t seen = (uint64_t)MAX(reply->element[2]->integer, 1);

	status->approximate = reply->element[0]->integer == 1;
	for (size_t i = 3; i + 1 < reply->elements; i += 2) {
		const char *name = reply->element[i]->str;
		bool scaled = status->approximate && *name != '=';
		uint64_t number = (uint64_t)reply->element[i + 1]->integer;

		for (unsigned s = 0; s < STORE_SPACES; s++)
			if (strcmp(store_spaces[s].name, name + (*name == '=')) == 0)
				status->records[s] = scaled ? number * total / seen : number;
	}
}

static bool
ask_status(struct store_redis *r, void *context G_GNUC_UNUSED, GError **error)
{
	struct store_status status = {.driver = r->status.driver, .updates = r->status.updates};
	redisContext *redis =
	    redis_link_connect_blocking(&r->address, redis_answer_limit(r, STATUS_LIMIT), error);
	redisReply *reply =
	    redis ? redisCommand(redis, "EVAL %s 0", redis_scripts[REDIS_SCRIPT_COUNT]) : NULL;
	bool good = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements >= 3;

	if (good) {
		take_counts(reply, &status);
		status.bytes_used = memory_used(redis);
		r->status = status;
	}
	if (redis && !good) {
		g_autofree char *failure = reply ? NULL : redis_link_failure(redis);

		g_set_error(error, STORE_ERROR, REDIS_AGAIN, "Redis: %s",
		    failure                            ? failure
		    : reply->type == REDIS_REPLY_ERROR ? reply->str
						       : "it does not count");
	}
	if (reply)
		freeReplyObject(reply);
	if (redis)
		redisFree(redis);
	return good;
}

static enum store_result
hear_status(struct store_redis *r)
{
	g_autoptr(GError) error = NULL;

	if (!redis_link_is_up(r->link) && !r->patience)
		return STORE_UNAVAILABLE;
	if (redis_patiently(r, ask_status, NULL, &error))
		return STORE_OK;
	store_note(&r->store, STORE_UNAVAILABLE, "%s", error->message);
	return STORE_UNAVAILABLE;
}

enum store_result
redis_status(struct store *store, struct store_status *ret_status)
{
	struct store_redis *r = redis_of(store);
	int64_t now = g_get_monotonic_time();

	if (now >= r->next_status) {
		r->status_result = hear_status(r);
		r->next_status = g_get_monotonic_time() + STATUS_PAUSE;
	}
	if (r->status_result != STORE_OK)
		return r->status_result;
	*ret_status = r->status;
	ret_status->commits = r->status.updates;
	ret_status->waiting = g_hash_table_size(r->ops);
	return STORE_OK;
}

struct checker {
	enum store_space space;
	store_check_fn check;
	void (*problem)(void *context, const char *sentence);
	void *context;
	enum store_result result;
};

static bool
check_record(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	struct checker *c = context;
	g_autofree char *sentence = NULL;

	if (c->check && !c->check(c->space, key, value)) {
		sentence =
		    g_strdup_printf("a record of the %s is malformed", store_spaces[c->space].name);
		c->problem(c->context, sentence);
	}
	return true;
}

static void
check_done(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct checker *c = context;

	c->result = result;
}

enum store_result
redis_check(struct store *store, store_check_fn check,
    void (*problem)(void *context, const char *sentence), void *context)
{
	struct checker c = {.check = check, .problem = problem, .context = context};
	struct store_call call = {.done = check_done, .context = &c};

	for (unsigned space = 0; space < STORE_SPACES && c.result == STORE_OK; space++) {
		struct store_cursor cursor = {0};

		c.space = (enum store_space)space;
		while (!cursor.end && c.result == STORE_OK) {
			store_scan(store, c.space, &cursor, 1000, check_record, &call);
			store_wait(store);
		}
	}
	return c.result;
}

bool
redis_backup(struct store *store G_GNUC_UNUSED, const char *folder G_GNUC_UNUSED, GError **error)
{
	g_set_error_literal(error, STORE_ERROR, 0,
	    "a store on Redis is backed up by the server (BGSAVE) or by greylagctl export");
	return false;
}
