#include "config.h"

#include "db/store.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/store_driver.h"

const struct store_space_info store_spaces[STORE_SPACES] = {
    [STORE_TRIPLETS] = {"triplets", STORE_POLICY, false, true, 0},
    [STORE_CLIENTS] = {"clients", STORE_POLICY, false, true, 0},
    [STORE_ALLOWED] = {"allowed", STORE_POLICY, false, true, 0},
    [STORE_HOURS] = {"hours", STORE_POLICY, true, true, 0},
    [STORE_TOKENS] = {"tokens", STORE_TOKEN, true, false, 0},
    [STORE_SLOTS] = {"slots", STORE_TOKEN, true, false, 0},
    [STORE_MESSAGES] = {"messages", STORE_TOKEN, false, false, 0},
    [STORE_MEMORY] = {"memory", STORE_TOKEN, false, false, 0},
    [STORE_MODEL] = {"model", STORE_TOKEN, false, false, 0},
    [STORE_VERDICTS] = {"verdicts", STORE_TOKEN, true, true, 0},
    [STORE_REPUTATION] = {"reputation", STORE_TOKEN, false, true, 2000000},
    [STORE_DELIVERIES] = {"deliveries", STORE_TOKEN, false, true, 2000000},
    [STORE_DOMAINS] = {"domains", STORE_POLICY, true, true, 0},
    [STORE_JOURNAL] = {"journal", STORE_POLICY, false, true, 0},
};

const char *
store_result_text(enum store_result result)
{
	static const char *const texts[] = {
	    [STORE_OK] = "ok",
	    [STORE_NOT_FOUND] = "not found",
	    [STORE_UNAVAILABLE] = "the store is not available",
	    [STORE_UNCERTAIN] = "the store did not say in time whether it wrote",
	    [STORE_FULL] = "no room on the disk",
	    [STORE_CORRUPT] = "the store is damaged",
	};

	return texts[result];
}

void
store_hour_key(int64_t hour, uint8_t ret_key[STORE_HOUR_KEY_SIZE])
{
	for (int i = 0; i < STORE_HOUR_KEY_SIZE; i++)
		ret_key[i] = (uint8_t)((uint64_t)hour >> (24 - 8 * i));
}

bool
store_is_missing(const GError *error)
{
	return g_error_matches(error, STORE_ERROR, ENOENT);
}

void
store_close(struct store **store)
{
	if (!*store)
		return;
	(*store)->driver->close(*store);
	*store = NULL;
}

const uint8_t *
store_hash_key(const struct store *store)
{
	return store->hash_key;
}

int
store_poll_fd(const struct store *store)
{
	return store->driver->poll_fd(store);
}

void
store_dispatch(struct store *store)
{
	store->driver->dispatch(store);
}

size_t
store_outstanding(const struct store *store)
{
	return store->driver->outstanding(store);
}

void
store_wait(struct store *store)
{
	struct pollfd fd = {.fd = store_poll_fd(store), .events = POLLIN};

	while (store_outstanding(store)) {
		poll(&fd, 1, -1);
		store_dispatch(store);
	}
}

void
store_get_many(struct store *store, enum store_space space, const struct store_bytes *keys,
    size_t n_keys, unsigned timeout, store_value_fn value, void *context)
{
	store->driver->get_many(store, space, keys, n_keys, timeout, value, context);
}

void
store_get(struct store *store, enum store_space space, struct store_bytes key, unsigned timeout,
    store_value_fn value, void *context)
{
	store->driver->get_many(store, space, &key, 1, timeout, value, context);
}

/* -- cells of values -- */

struct store_bytes
store_range_cut(const struct store_bytes *value, const struct store_range *range)
{
	size_t from = (size_t)MIN(4 * (uint64_t)range->first, value->length);
	size_t length = (size_t)MIN(4 * (uint64_t)range->count, value->length - from);

	return (struct store_bytes){(const uint8_t *)value->data + from, length};
}

/* Ranges of whole values that are read, until the last was answered. */
struct cutting {
	struct store_range *ranges;
	size_t left;
	store_value_fn value;
	void *context;
};

static void
cut_value(void *context, size_t index, enum store_result result, const struct store_bytes *value)
{
	struct cutting *cutting = context;
	struct store_bytes cells = {NULL, 0};

	if (value)
		cells = store_range_cut(value, &cutting->ranges[index]);
	cutting->value(cutting->context, index, result, value ? &cells : NULL);
	if (--cutting->left)
		return;
	g_free(cutting->ranges);
	g_free(cutting);
}

void
store_get_cells(struct store *store, enum store_space space, const struct store_range *ranges,
    size_t n_ranges, unsigned timeout, store_value_fn value, void *context)
{
	g_autofree struct store_bytes *keys = NULL;
	struct cutting *cutting;

	if (store->driver->get_cells) {
		store->driver->get_cells(store, space, ranges, n_ranges, value, context);
		return;
	}
	if (!n_ranges)
		return;
	cutting = g_new(struct cutting, 1);
	*cutting = (struct cutting){
	    .ranges = g_new(struct store_range, n_ranges),
	    .left = n_ranges,
	    .value = value,
	    .context = context,
	};
	memcpy(cutting->ranges, ranges, n_ranges * sizeof *ranges);
	keys = g_new(struct store_bytes, n_ranges);
	for (size_t i = 0; i < n_ranges; i++)
		keys[i] = ranges[i].key;
	store->driver->get_many(store, space, keys, n_ranges, timeout, cut_value, cutting);
}

void
store_update(struct store *store, enum store_space space, struct store_bytes key,
    store_update_fn update, void *job, GDestroyNotify free_job, const struct store_call *call)
{
	store->driver->update(store, space, key, update, job, free_job, call);
}

int64_t
store_now(const struct store *store)
{
	if (store->driver->now)
		return store->driver->now(store);
	return g_get_real_time() / G_USEC_PER_SEC;
}

/* -- deltas, as an update that says nothing of its own record -- */

struct delta_job {
	size_t n;
	struct store_delta *deltas;
};

static void
delta_job_free(gpointer data)
{
	struct delta_job *job = data;

	for (size_t i = 0; i < job->n; i++) {
		g_free((void *)job->deltas[i].key.data);
		g_free((void *)job->deltas[i].cells);
	}
	g_free(job->deltas);
	g_free(job);
}

void
store_add_deltas(
    const struct store_bytes *old G_GNUC_UNUSED, struct store_change *change, void *data)
{
	const struct delta_job *job = data;

	for (size_t i = 0; i < job->n; i++)
		store_change_also_add(change, &job->deltas[i]);
}

void
store_add_many(struct store *store, const struct store_delta *deltas, size_t n_deltas,
    const struct store_call *call)
{
	struct delta_job *job;

	g_return_if_fail(n_deltas > 0);
	job = g_new(struct delta_job, 1);
	job->n = n_deltas;
	job->deltas = g_memdup2(deltas, n_deltas * sizeof *deltas);
	for (size_t i = 0; i < n_deltas; i++) {
		struct store_delta *d = &job->deltas[i];

		d->key.data = g_memdup2(d->key.data, d->key.length);
		d->cells = g_memdup2(d->cells, d->n_cells * sizeof *d->cells);
	}
	store_update(store, job->deltas[0].space, job->deltas[0].key, store_add_deltas, job,
	    delta_job_free, call);
}

/* -- scans and care -- */

void
store_scan(struct store *store, enum store_space space, struct store_cursor *cursor, unsigned limit,
    store_record_fn record, const struct store_call *call)
{
	store->driver->scan(store, space, cursor, limit, record, call);
}

void
store_expire(struct store *store, enum store_space space, struct store_cursor *cursor,
    unsigned limit, int64_t now, uint64_t *ret_expired, const struct store_call *call)
{
	store->driver->expire(store, space, cursor, limit, now, ret_expired, call);
}

enum store_result
store_status(struct store *store, struct store_status *ret_status)
{
	return store->driver->status(store, ret_status);
}

enum store_result
store_check(struct store *store, store_check_fn check,
    void (*problem)(void *context, const char *sentence), void *context)
{
	return store->driver->check(store, check, problem, context);
}

bool
store_backup(struct store *store, const char *folder, GError **error)
{
	return store->driver->backup(store, folder, error);
}

/* -- ownership -- */

static bool
become(uid_t uid, gid_t gid, const char *folder, GError **error)
{
	const struct passwd *owner = getpwuid(uid);

	if ((owner ? initgroups(owner->pw_name, gid) : setgroups(0, NULL)) == 0 &&
	    setgid(gid) == 0 && setuid(uid) == 0 && setuid(0) != 0)
		return true;
	g_set_error(
	    error, STORE_ERROR, 0, "cannot become the owner of %s: %s", folder, g_strerror(errno));
	return false;
}

/* The folder of an embedded store that root has to do with and that is another's; else NULL. */
static const char *
foreign_folder(const char *uri, struct stat *ret_stat)
{
	const char *folder = uri + strlen("lmdb:");

	if (geteuid() != 0 || !g_str_has_prefix(uri, "lmdb:") || stat(folder, ret_stat) != 0 ||
	    ret_stat->st_uid == 0)
		return NULL;
	return folder;
}

bool
store_become_owner(const char *uri, GError **error)
{
	struct stat st;
	const char *folder = foreign_folder(uri, &st);

	return !folder || become(st.st_uid, st.st_gid, folder, error);
}

bool
store_act_as_owner(const char *uri, GError **error)
{
	struct stat st;
	const char *folder = foreign_folder(uri, &st);

	if (!folder || (setegid(st.st_gid) == 0 && seteuid(st.st_uid) == 0))
		return true;
	g_set_error(
	    error, STORE_ERROR, 0, "cannot act as the owner of %s: %s", folder, g_strerror(errno));
	store_act_as_self();
	return false;
}

void
store_act_as_self(void)
{
	if (geteuid() == getuid() && getegid() == getgid())
		return;
	if (seteuid(getuid()) != 0 || setegid(getgid()) != 0)
		g_error("cannot take back the own ids: %s", g_strerror(errno));
}
