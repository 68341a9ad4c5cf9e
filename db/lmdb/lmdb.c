/*
 * lmdb:FOLDER
 *
 *	FOLDER/policy.mdb   triplets clients allowed hours   (and policy.mdb-lock)
 *	FOLDER/token.mdb    tokens slots messages memory model verdicts
 *
 * Two environments, since LMDB has one writer lock an environment: training of any length must
 * not delay a policy answer. In each, a database "meta" holds "schema" (the layout, in decimal),
 * and in the policy environment "hash_key" (16 random bytes); every space is a database of its
 * name. A record that expires has its time, seconds since 1970 in four bytes, big-endian, before
 * the caller's bytes: a triplet that goes at 1795086401 is
 *
 *	6a fe d8 41  01 01 0f 62 6f 62 ...
 *
 * Every commit is synced: neither MDB_NOSYNC nor MDB_NOMETASYNC nor MDB_WRITEMAP.
 */
#include "config.h"

#include "db/lmdb/lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "db/layout.h"

#define MAP_SIZE    (64ull << 30)
#define MAP_MINIMUM (1ull << 20)
#define MAX_READERS 4096
#define FILE_MODE   0600

#define CLOSE_PATIENCE 5 /* seconds */

static const char *const file_names[LMDB_ENVIRONMENTS] = {
    [STORE_POLICY] = "policy.mdb", [STORE_TOKEN] = "token.mdb"};

static struct store_lmdb *
lmdb(struct store *store)
{
	return (struct store_lmdb *)store;
}

/* -- opening -- */

/* An older version knew fewer spaces. Who may write makes those that are missing; to who may not,
 * they are empty. */
static int
open_spaces(struct lmdb_environment *e, MDB_txn *txn, unsigned flags)
{
	int code = MDB_SUCCESS;

	for (unsigned i = 0; code == MDB_SUCCESS && i < STORE_SPACES; i++) {
		if (store_spaces[i].environment != e->which)
			continue;
		code = mdb_dbi_open(txn, store_spaces[i].name, flags, &e->dbis[i]);
		if (code != MDB_NOTFOUND || !(e->flags & MDB_RDONLY))
			continue;
		e->dbis[i] = LMDB_NO_SPACE;
		code = MDB_SUCCESS;
	}
	return code;
}

/* MDB_NOTFOUND for an environment with nothing in it, which may be made ours. */
static int
open_meta(struct lmdb_environment *e, MDB_txn *txn)
{
	int code = mdb_dbi_open(txn, "meta", 0, &e->meta);
	MDB_dbi names;
	MDB_stat stat;

	if (code != MDB_NOTFOUND)
		return code;
	code = mdb_dbi_open(txn, NULL, 0, &names);
	if (code == MDB_SUCCESS)
		code = mdb_stat(txn, names, &stat);
	if (code == MDB_SUCCESS)
		code = stat.ms_entries ? MDB_INVALID : MDB_NOTFOUND;
	return code;
}

static int
put_meta(struct lmdb_environment *e, MDB_txn *txn, const char *name, const void *value, size_t size)
{
	MDB_val k = {strlen(name), (void *)name}, v = {size, (void *)value};

	return mdb_put(txn, e->meta, &k, &v, 0);
}

static int
get_meta(struct lmdb_environment *e, MDB_txn *txn, const char *name, MDB_val *ret_value)
{
	MDB_val k = {strlen(name), (void *)name};

	return mdb_get(txn, e->meta, &k, ret_value);
}

static bool
fail(const struct lmdb_environment *e, int code, GError **error)
{
	const char *what = code == MDB_INVALID || code == MDB_VERSION_MISMATCH
			       ? "is no store of greylag's, or is damaged"
			       : mdb_strerror(code);

	g_set_error(
	    error, STORE_ERROR, code, "%s: %s%s", e->path, what, store_remedy(lmdb_result(code)));
	return false;
}

/* A store of another layout is not touched. */
static bool
check_schema(struct lmdb_environment *e, MDB_txn *txn, GError **error)
{
	MDB_val value;
	int code = get_meta(e, txn, "schema", &value);
	g_autofree char *text = NULL;
	g_autofree char *folder = g_path_get_dirname(e->path);
	g_autofree char *uri = g_strconcat("lmdb:", folder, NULL);
	guint64 schema;

	if (code != MDB_SUCCESS)
		return fail(e, code == MDB_NOTFOUND ? MDB_INVALID : code, error);
	text = g_strndup(value.mv_data, value.mv_size);
	if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32, &schema, NULL))
		return fail(e, MDB_INVALID, error);
	return store_layout_check(
	    e->which == STORE_POLICY ? STORE_LAYOUT_POLICY : STORE_LAYOUT_TOKEN, e->path, uri,
	    schema, STORE_LAYOUT, error);
}

static bool
take_hash_key(struct lmdb_environment *e, MDB_txn *txn, GError **error)
{
	MDB_val value;
	int code;

	if (e->which != STORE_POLICY)
		return true;
	code = get_meta(e, txn, "hash_key", &value);
	if (code != MDB_SUCCESS || value.mv_size != KEYEDHASH_KEY_SIZE)
		return fail(e, MDB_INVALID, error);
	/* When the environment is opened anew, others read it meanwhile. */
	if (memcmp(e->store->store.hash_key, value.mv_data, KEYEDHASH_KEY_SIZE) != 0)
		memcpy(e->store->store.hash_key, value.mv_data, KEYEDHASH_KEY_SIZE);
	return true;
}

/* Opens what is there without the write lock. *RET_CODE is MDB_NOTFOUND for a new environment. */
static bool
take_existing(struct lmdb_environment *e, int *ret_code, GError **error)
{
	MDB_txn *txn;
	bool good = false;
	int code = mdb_txn_begin(e->env, NULL, MDB_RDONLY, &txn);

	if (code == MDB_SUCCESS) {
		code = open_meta(e, txn);
		good = code == MDB_SUCCESS && check_schema(e, txn, error);
		if (good)
			code = open_spaces(e, txn, 0);
		good = good && code == MDB_SUCCESS && take_hash_key(e, txn, error);
		if (good)
			code = mdb_txn_commit(txn);
		else
			mdb_txn_abort(txn);
	}
	*ret_code = code;
	return good && code == MDB_SUCCESS;
}

/* Two processes may be here at once: the second finds what the first has made. */
static int
make_new(struct lmdb_environment *e)
{
	uint8_t hash_key[KEYEDHASH_KEY_SIZE];
	g_autofree char *schema = g_strdup_printf("%d", STORE_LAYOUT);
	MDB_txn *txn;
	MDB_val value;
	int code = mdb_txn_begin(e->env, NULL, 0, &txn);

	if (code != MDB_SUCCESS)
		return code;
	code = mdb_dbi_open(txn, "meta", MDB_CREATE, &e->meta);
	if (code == MDB_SUCCESS)
		code = open_spaces(e, txn, MDB_CREATE);
	if (code == MDB_SUCCESS && get_meta(e, txn, "schema", &value) == MDB_NOTFOUND) {
		keyedhash_new_key(hash_key);
		code = put_meta(e, txn, "hash_key", hash_key, sizeof hash_key);
		if (code == MDB_SUCCESS)
			code = put_meta(e, txn, "schema", schema, strlen(schema));
	}
	if (code == MDB_SUCCESS)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return code;
}

/* The map as large as wanted, or by halves as large as the machine allows. */
static int
open_environment(struct lmdb_environment *e, uint64_t map_size)
{
	int code = ENOMEM;

	for (; code == ENOMEM && map_size >= MAP_MINIMUM; map_size /= 2) {
		code = mdb_env_create(&e->env);
		if (code != MDB_SUCCESS)
			return code;
		mdb_env_set_maxdbs(e->env, STORE_SPACES + 1);
		mdb_env_set_maxreaders(e->env, MAX_READERS);
		mdb_env_set_mapsize(e->env, map_size);
		code = mdb_env_open(e->env, e->path, e->flags, FILE_MODE);
		if (code == MDB_SUCCESS) {
			e->map_size = map_size;
			return code;
		}
		mdb_env_close(e->env);
		e->env = NULL;
	}
	return code;
}

int
lmdb_reopen_locked(struct lmdb_environment *e)
{
	int code;

	g_ptr_array_set_size(e->readers, 0);
	if (e->env)
		mdb_env_close(e->env);
	e->env = NULL;
	code = open_environment(e, e->map_size);
	if (code != MDB_SUCCESS)
		return code;
	if (take_existing(e, &code, NULL))
		return MDB_SUCCESS;
	/* No half-opened environment is left for readers to fall into. */
	mdb_env_close(e->env);
	e->env = NULL;
	return code == MDB_SUCCESS ? MDB_INVALID : code;
}

static bool
environment_open(struct lmdb_environment *e, const struct store_options *options, GError **error)
{
	int dead, code;

	e->flags = MDB_NOSUBDIR | MDB_NOTLS | (options->read_only ? MDB_RDONLY : 0);
	/* LMDB would make the files. */
	if ((options->read_only || !options->create) && access(e->path, F_OK) != 0)
		return fail(e, errno, error);
	code = open_environment(e, options->map_size ? options->map_size : MAP_SIZE);
	if (code != MDB_SUCCESS)
		return fail(e, code, error);
	mdb_reader_check(e->env, &dead);
	if (take_existing(e, &code, error))
		return true;
	if (error && *error)
		return false;
	if (code != MDB_NOTFOUND || options->read_only || !options->create)
		return fail(e, code == MDB_NOTFOUND ? MDB_INVALID : code, error);
	code = make_new(e);
	if (code != MDB_SUCCESS)
		return fail(e, code, error);
	return take_existing(e, &code, error) || fail(e, code, error);
}

static void
environment_init(struct lmdb_environment *e, struct store_lmdb *store, enum store_environment which,
    const char *folder)
{
	pthread_condattr_t monotonic;

	e->store = store;
	e->which = which;
	e->path = g_build_filename(folder, file_names[which], NULL);
	e->readers = g_ptr_array_new_with_free_func(lmdb_reader_free);
	e->cells = g_byte_array_new();
	store_change_init(&e->change);
	g_queue_init(&e->waiting);
	g_queue_init(&e->scans);
	pthread_rwlock_init(&e->map_lock, NULL);
	pthread_mutex_init(&e->readers_lock, NULL);
	pthread_mutex_init(&e->write_lock, NULL);
	pthread_mutex_init(&e->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&e->more, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

static void
environment_close(struct lmdb_environment *e)
{
	g_ptr_array_unref(e->readers);
	if (e->env)
		mdb_env_close(e->env);
	store_change_clear(&e->change);
	g_byte_array_unref(e->cells);
	pthread_rwlock_destroy(&e->map_lock);
	pthread_mutex_destroy(&e->readers_lock);
	pthread_mutex_destroy(&e->write_lock);
	pthread_mutex_destroy(&e->lock);
	pthread_cond_destroy(&e->more);
	g_free(e->path);
}

static bool
watch(int poll, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return fd >= 0 && epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool
open_descriptors(struct store_lmdb *s, GError **error)
{
	s->poll = epoll_create1(EPOLL_CLOEXEC);
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (watch(s->poll, s->wake) && watch(s->poll, s->timer))
		return true;
	g_set_error(error, STORE_ERROR, errno, "cannot open a descriptor: %s", g_strerror(errno));
	return false;
}

static void lmdb_close(struct store *store);

static bool
make_folder(const char *folder, const struct store_options *options, GError **error)
{
	if (!options->create || g_mkdir_with_parents(folder, 0700) == 0)
		return true;
	g_set_error(
	    error, STORE_ERROR, errno, "cannot make the folder %s: %s", folder, g_strerror(errno));
	return false;
}

static struct store *
lmdb_open(const struct store_options *options, const char *folder, GError **error)
{
	struct store_lmdb *s;
	g_autoptr(GError) reason = NULL;
	unsigned first = options->token_only ? STORE_TOKEN : 0;
	bool good;

	if (!make_folder(folder, options, error))
		return NULL;
	s = g_new0(struct store_lmdb, 1);
	s->store.driver = &store_lmdb_driver;
	s->max_triplets = options->max_triplets;
	s->read_only = options->read_only;
	pthread_mutex_init(&s->done_lock, NULL);
	good = open_descriptors(s, &reason);
	for (unsigned i = 0; i < LMDB_ENVIRONMENTS; i++)
		environment_init(&s->environments[i], s, i, folder);
	for (unsigned i = first; good && i < LMDB_ENVIRONMENTS; i++)
		good = environment_open(&s->environments[i], options, &reason);
	for (unsigned i = first; good && !s->read_only && i < LMDB_ENVIRONMENTS; i++)
		good = lmdb_writer_start(&s->environments[i]);
	if (good)
		return &s->store;
	if (reason)
		g_propagate_error(error, g_steal_pointer(&reason));
	else
		g_set_error_literal(error, STORE_ERROR, 0, "cannot start the writer's thread");
	lmdb_close(&s->store);
	return NULL;
}

static void
lmdb_close(struct store *store)
{
	struct store_lmdb *s = lmdb(store);
	int64_t end = g_get_monotonic_time() + CLOSE_PATIENCE * G_USEC_PER_SEC;
	bool stuck = false;

	lmdb_finish(s, end);
	for (unsigned i = 0; i < LMDB_ENVIRONMENTS; i++) {
		struct lmdb_environment *e = &s->environments[i];

		/* A writer that another process keeps from ending still uses all of this. */
		if (e->has_writer && !lmdb_writer_stop(e, end))
			stuck = true;
		else
			environment_close(e);
	}
	lmdb_dispatch(store);
	if (stuck)
		return;
	close(s->poll);
	close(s->timer);
	close(s->wake);
	pthread_mutex_destroy(&s->done_lock);
	store_texts_free(&s->store);
	g_free(s);
}

static int
lmdb_poll_fd(const struct store *store)
{
	return ((const struct store_lmdb *)store)->poll;
}

static size_t
lmdb_outstanding(const struct store *store)
{
	return ((const struct store_lmdb *)store)->outstanding;
}

/* -- care -- */

static enum store_result
add_status(struct lmdb_environment *e, struct store_status *status)
{
	enum store_result result;
	MDB_txn *txn = lmdb_read_begin(e, &result);
	MDB_envinfo info;
	MDB_stat stat;

	if (!txn)
		return result;
	for (unsigned i = 0; i < STORE_SPACES; i++)
		if (store_spaces[i].environment == e->which && lmdb_has_space(e, i) &&
		    mdb_stat(txn, e->dbis[i], &stat) == MDB_SUCCESS)
			status->records[i] = stat.ms_entries;
	mdb_env_info(e->env, &info);
	mdb_env_stat(e->env, &stat);
	status->bytes_used += (info.me_last_pgno + 1) * (uint64_t)stat.ms_psize;
	status->commits += e->commits;
	status->updates += e->updates;
	status->evicted += e->evicted;
	lmdb_read_end(e, txn);
	return STORE_OK;
}

static enum store_result
lmdb_status(struct store *store, struct store_status *ret_status)
{
	struct store_lmdb *s = lmdb(store);
	struct store_status status = {.driver = "lmdb", .waiting = s->outstanding};

	for (unsigned i = 0; i < LMDB_ENVIRONMENTS; i++) {
		enum store_result result = STORE_OK;

		if (s->environments[i].env)
			result = add_status(&s->environments[i], &status);
		if (result != STORE_OK)
			return result;
	}
	*ret_status = status;
	return STORE_OK;
}

struct check {
	enum store_space space;
	store_check_fn check;
	void (*problem)(void *context, const char *sentence);
	void *context;
	uint64_t seen;
};

static bool
check_record(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	struct check *c = context;

	c->seen++;
	if (c->check && !c->check(c->space, key, value)) {
		g_autofree char *sentence =
		    g_strdup_printf("%s: record %" G_GUINT64_FORMAT " is malformed",
			store_spaces[c->space].name, c->seen);

		c->problem(c->context, sentence);
	}
	return true;
}

/* All records of a space in one transaction, so that their number must be LMDB's own. */
static enum store_result
check_space(struct lmdb_environment *e, struct check *c)
{
	struct store_cursor cursor = {0};
	enum store_result result;
	MDB_txn *txn = lmdb_read_begin(e, &result);
	MDB_cursor *lmdb_cursor;
	MDB_stat stat;
	int code;

	if (!txn)
		return result;
	if (!lmdb_has_space(e, c->space)) {
		lmdb_read_end(e, txn);
		return STORE_OK;
	}
	code = mdb_stat(txn, e->dbis[c->space], &stat);
	if (code == MDB_SUCCESS)
		code = mdb_cursor_open(txn, e->dbis[c->space], &lmdb_cursor);
	if (code == MDB_SUCCESS) {
		code = lmdb_walk_cursor(lmdb_cursor, c->space, &cursor, G_MAXUINT, check_record, c);
		mdb_cursor_close(lmdb_cursor);
	}
	lmdb_read_end(e, txn);
	if (code == MDB_SUCCESS && c->seen != stat.ms_entries) {
		g_autofree char *sentence =
		    g_strdup_printf("%s: %" G_GUINT64_FORMAT " records are there, %zu are counted",
			store_spaces[c->space].name, c->seen, stat.ms_entries);

		c->problem(c->context, sentence);
	}
	return lmdb_failed(e, code);
}

static enum store_result
lmdb_check(struct store *store, store_check_fn check,
    void (*problem)(void *context, const char *sentence), void *context)
{
	enum store_result worst = STORE_OK;

	for (unsigned i = 0; i < STORE_SPACES; i++) {
		struct check c = {
		    .space = i, .check = check, .problem = problem, .context = context};
		enum store_result result = check_space(lmdb_environment_of(lmdb(store), i), &c);

		if (result != STORE_OK) {
			g_autofree char *sentence = g_strdup_printf(
			    "%s: %s", store_spaces[i].name, store_result_text(result));

			problem(context, sentence);
			worst = result;
		}
	}
	return worst;
}

static bool
sync_path(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);
	bool good = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return good;
}

static bool
backup_environment(struct lmdb_environment *e, const char *folder, GError **error)
{
	g_autofree char *path = g_build_filename(folder, file_names[e->which], NULL);
	enum store_result ignored;
	MDB_txn *txn = lmdb_read_begin(e, &ignored);
	int code;

	/* A read takes up a map that has become larger elsewhere; LMDB's copy does not. */
	if (txn)
		lmdb_read_end(e, txn);
	pthread_rwlock_rdlock(&e->map_lock);
	code = e->env ? mdb_env_copy2(e->env, path, MDB_CP_COMPACT) : MDB_PANIC;
	pthread_rwlock_unlock(&e->map_lock);
	if (code == MDB_SUCCESS && (chmod(path, FILE_MODE) != 0 || !sync_path(path, O_RDONLY)))
		code = errno;
	if (code != MDB_SUCCESS)
		g_set_error(error, STORE_ERROR, code, "%s: %s", path, mdb_strerror(code));
	return code == MDB_SUCCESS;
}

static bool
lmdb_backup(struct store *store, const char *folder, GError **error)
{
	struct store_lmdb *s = lmdb(store);

	if (mkdir(folder, 0700) != 0 &&
	    (errno != EEXIST || rmdir(folder) != 0 || mkdir(folder, 0700) != 0)) {
		g_set_error(error, STORE_ERROR, errno, "%s: %s", folder, g_strerror(errno));
		return false;
	}
	for (unsigned i = 0; i < LMDB_ENVIRONMENTS; i++)
		if (!backup_environment(&s->environments[i], folder, error))
			return false;
	sync_path(folder, O_RDONLY | O_DIRECTORY);
	return true;
}

const struct store_driver store_lmdb_driver = {
    .scheme = "lmdb",
    .open = lmdb_open,
    .close = lmdb_close,
    .poll_fd = lmdb_poll_fd,
    .dispatch = lmdb_dispatch,
    .outstanding = lmdb_outstanding,
    .get_many = lmdb_get_many,
    .get_cells = lmdb_get_cells,
    .update = lmdb_update,
    .scan = lmdb_scan,
    .expire = lmdb_expire,
    .status = lmdb_status,
    .check = lmdb_check,
    .backup = lmdb_backup,
};
