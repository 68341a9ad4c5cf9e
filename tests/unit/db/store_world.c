#include "config.h"

#include "tests/unit/db/store_world.h"
#include "db/open/open.h"

#include <poll.h>
#include <string.h>

struct store_bytes
bytes(const char *text)
{
	return (struct store_bytes){text, strlen(text)};
}

struct store *
open_store(const struct store_options *options)
{
	g_autoptr(GError) error = NULL;
	struct store *store = store_open(options, &error);

	g_assert_no_error(error);
	return store;
}

void
on_done(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	*(enum store_result *)context = result;
}

struct got {
	enum store_result result;
	GByteArray *value;
	unsigned calls;
};

static void
on_value(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct got *got = context;

	got->calls++;
	got->result = result;
	if (!value)
		return;
	got->value = g_byte_array_new();
	g_byte_array_append(got->value, value->data, (guint)value->length);
}

enum store_result
get_value(struct store *store, enum store_space space, struct store_bytes key, unsigned timeout,
    GByteArray **ret_value)
{
	struct got got = {0};

	store_get(store, space, key, timeout, on_value, &got);
	store_wait(store);
	g_assert_cmpuint(got.calls, ==, 1);
	*ret_value = got.value;
	return got.result;
}

static GByteArray *
must_get(struct store *store, enum store_space space, const char *key, unsigned timeout)
{
	GByteArray *value;
	enum store_result result = get_value(store, space, bytes(key), timeout, &value);

	g_assert_cmpint(result, ==, value ? STORE_OK : STORE_NOT_FOUND);
	return value;
}

GByteArray *
get_record(struct store *store, enum store_space space, const char *key)
{
	return must_get(store, space, key, 0);
}

char *
get_text(struct store *store, enum store_space space, const char *key, unsigned timeout)
{
	g_autoptr(GByteArray) value = must_get(store, space, key, timeout);
	char *text = value ? g_strndup((const char *)value->data, value->len) : NULL;

	g_assert_cmpuint(text ? strlen(text) : 0, ==, value ? value->len : 0);
	return text;
}

struct put {
	char *text;
	int64_t expires;
};

static void
do_put(const struct store_bytes *old, struct store_change *change, void *job)
{
	const struct put *put = job;

	g_assert_true(!old || old->length);
	if (*put->text)
		store_change_put(change, put->text, strlen(put->text), put->expires);
	else
		store_change_delete(change);
}

static void
free_put(gpointer job)
{
	struct put *put = job;

	g_free(put->text);
	g_free(put);
}

enum store_result
put_text(struct store *store, enum store_space space, const char *key, const char *text,
    int64_t expires, unsigned timeout)
{
	const struct put put = {g_strdup(text), expires};
	enum store_result result = STORE_CORRUPT;
	struct store_call call = {.timeout = timeout, .done = on_done, .context = &result};

	store_update(
	    store, space, bytes(key), do_put, g_memdup2(&put, sizeof put), free_put, &call);
	store_wait(store);
	return result;
}

void
turn(struct store *store, int wait)
{
	struct pollfd fd = {.fd = store_poll_fd(store), .events = POLLIN};

	poll(&fd, 1, wait);
	store_dispatch(store);
}

void
turn_both(struct store *first, struct store *second, const unsigned *waiting)
{
	struct pollfd fds[] = {{.fd = store_poll_fd(first), .events = POLLIN},
	    {.fd = store_poll_fd(second), .events = POLLIN}};

	while (*waiting) {
		poll(fds, 2, 1000);
		store_dispatch(first);
		store_dispatch(second);
	}
}
