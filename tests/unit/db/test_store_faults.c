/*
 * The store where the system refuses: writes, memory and locks that fail under it. The system
 * calls below stand before the C library's for liblmdb too, and fail when a test has said so.
 */
/* The names that LMDB calls, not those of large files. */
#undef _FILE_OFFSET_BITS
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <lmdb.h>

#include "db/open/open.h"
#include "db/store.h"
#include "tests/unit/db/lmdb_world.h"

#define MAP_SIZE (UINT64_C(64) << 20)

/* -- the system -- */

static _Atomic int meta_write_error; /* of writes through LMDB's second, O_DSYNC descriptor */
static _Atomic size_t largest_map;   /* of a file, in bytes; 0 for no bound */

static _Atomic bool sync_hangs;

int
fdatasync(int fd)
{
	while (sync_hangs)
		g_usleep(1000);
	return (int)syscall(SYS_fdatasync, fd);
}

ssize_t
pwrite(int fd, const void *data, size_t length, off_t offset)
{
	if (meta_write_error && fcntl(fd, F_GETFL) & O_DSYNC) {
		errno = meta_write_error;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, data, length, offset);
}

void *
mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	if (fd >= 0 && largest_map && length > largest_map) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mmap, address, length, protection, flags, fd, offset);
}

/* -- helpers -- */

#define POLICY "policy.mdb"

/* Dispatches until the operation is answered, some seconds at most. */
static void
await(struct store *store, const struct outcome *outcome)
{
	struct pollfd fd = {.fd = store_poll_fd(store), .events = POLLIN};
	gint64 end = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;

	while (!outcome->calls && g_get_monotonic_time() < end)
		if (poll(&fd, 1, 100) == 1)
			store_dispatch(store);
}

/* -- deadlines -- */

/* Deadlines come in any order; each is met, whatever waits besides it. */
static void
test_shorter_deadline(void)
{
	g_autofree char *folder = world_make_folder();
	struct store *store = world_must_open(folder, MAP_SIZE);
	struct holder holder = world_hold_lock(folder, POLICY);
	struct outcome later = {0}, sooner = {0};

	world_put_start(store, 1, 3600 * 1000, &later);
	world_put_start(store, 2, 20, &sooner);
	await(store, &sooner);
	g_assert_cmpuint(sooner.calls, ==, 1);
	g_assert_cmpint(sooner.result, ==, STORE_UNAVAILABLE);
	g_assert_cmpuint(later.calls, ==, 0);
	world_release_lock(&holder);
	store_wait(store);
	g_assert_cmpint(later.result, ==, STORE_OK);
	g_assert_cmpint(world_get(store, 2), ==, STORE_NOT_FOUND);
	store_close(&store);
	world_remove_folder(folder);
}

static unsigned jobs_freed;

static void
free_number(gpointer number)
{
	g_free(number);
	jobs_freed++;
}

/* What the disk has not done in time may be done yet: the truth is that nobody knows. */
static void
test_disk_hangs(void)
{
	g_autofree char *folder = world_make_folder();
	struct store *store = world_must_open(folder, MAP_SIZE);
	struct outcome outcome = {0};
	struct store_call call = {.timeout = 1000, .done = outcome_done, .context = &outcome};
	uint32_t number = 1;

	jobs_freed = 0;
	sync_hangs = true;
	store_update(store, STORE_TRIPLETS, (struct store_bytes){&number, sizeof number},
	    world_put_number, g_memdup2(&number, sizeof number), free_number, &call);
	await(store, &outcome);
	g_assert_cmpuint(outcome.calls, ==, 1);
	g_assert_cmpint(outcome.result, ==, STORE_UNCERTAIN);
	g_assert_cmpuint(store_outstanding(store), ==, 0);
	/* The writer still works on it. */
	g_assert_cmpuint(jobs_freed, ==, 0);
	sync_hangs = false;
	g_assert_cmpint(world_put(store, 2), ==, STORE_OK);
	g_assert_cmpuint(jobs_freed, ==, 1);
	g_assert_cmpuint(outcome.calls, ==, 1);
	g_assert_cmpint(world_get(store, 1), ==, STORE_OK);
	store_close(&store);
	world_remove_folder(folder);
}

/* -- closing -- */

/* In a child of its own, since what the stuck writer needs is left to it. Says when it has closed,
 * and ends when it is told that the lock is free. */
static void
close_while_held(const char *folder, int closed, int released)
{
	struct store *store = world_must_open(folder, MAP_SIZE);
	struct outcome timed = {0}, patient = {0};
	char byte;

	world_put_start(store, 1, 20, &timed);
	await(store, &timed);
	if (timed.result != STORE_UNAVAILABLE)
		_exit(1);
	world_put_start(store, 2, 0, &patient);
	store_close(&store);
	if (patient.calls != 1)
		_exit(2);
	if (patient.result != STORE_UNAVAILABLE)
		_exit(3);
	/* The writer gets the lock then, and finds nothing to do. */
	if (write(closed, "x", 1) != 1 || read(released, &byte, 1) < 0)
		_exit(4);
	g_usleep(200000);
	_exit(0);
}

/* Closing does not wait for ever for a lock, answers what waits, and what it answered as not done
 * is not done when the lock is free at last. */
static void
test_close_while_held(void)
{
	g_autofree char *folder = world_make_folder();
	struct store *store = world_must_open(folder, MAP_SIZE);
	int closed[2], released[2], status;
	struct holder holder;
	pid_t child;
	char byte;

	store_close(&store);
	holder = world_hold_lock(folder, POLICY);
	g_assert_cmpint(pipe(closed), ==, 0);
	g_assert_cmpint(pipe(released), ==, 0);
	child = fork();
	if (child == 0) {
		close(holder.release);
		close(released[1]);
		close_while_held(folder, closed[1], released[0]);
	}
	close(closed[1]);
	close(released[0]);
	/* Nothing comes from a child that has failed. */
	g_assert_cmpint(read(closed[0], &byte, 1), >=, 0);
	close(closed[0]);
	world_release_lock(&holder);
	close(released[1]);
	waitpid(child, &status, 0);
	g_assert_true(WIFEXITED(status));
	g_assert_cmpint(WEXITSTATUS(status), ==, 0);
	store = world_must_open(folder, MAP_SIZE);
	g_assert_cmpint(world_get(store, 1), ==, STORE_NOT_FOUND);
	g_assert_cmpint(world_get(store, 2), ==, STORE_NOT_FOUND);
	store_close(&store);
	world_remove_folder(folder);
}

struct chain {
	struct store *store;
	unsigned calls;
	enum store_result read, result;
	struct outcome next;
};

static void
go_on(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct chain *chain = context;

	chain->calls++;
	chain->result = result;
	chain->read = world_get(chain->store, 1);
	world_put_start(chain->store, 2, 0, &chain->next);
}

/* A server answers one request and goes on with the next, at its end too. */
static void
test_close_goes_on(void)
{
	g_autofree char *folder = world_make_folder();
	struct store *store = world_must_open(folder, MAP_SIZE);
	struct chain chain = {.store = store};
	struct store_call call = {.done = go_on, .context = &chain};
	uint32_t number = 1;

	store_update(store, STORE_TRIPLETS, (struct store_bytes){&number, sizeof number},
	    world_put_number, g_memdup2(&number, sizeof number), g_free, &call);
	store_close(&store);
	g_assert_cmpuint(chain.calls, ==, 1);
	g_assert_cmpint(chain.result, ==, STORE_OK);
	g_assert_cmpint(chain.read, ==, STORE_OK);
	g_assert_cmpuint(chain.next.calls, ==, 1);
	g_assert_cmpint(chain.next.result, ==, STORE_OK);
	world_remove_folder(folder);
}

/* -- what the system refuses -- */

#define TOGETHER 100

static void
put_many(const struct store_bytes *old, struct store_change *change, void *job)
{
	uint32_t number = *(uint32_t *)job;
	uint8_t value[200] = {0};

	world_put_number(old, change, job);
	for (unsigned i = 1; i < TOGETHER; i++) {
		number++;
		store_change_also_put(change, STORE_TRIPLETS,
		    (struct store_bytes){&number, sizeof number},
		    (struct store_bytes){value, sizeof value}, WORLD_EXPIRES);
	}
}

/* Writes many at a time until there is no room; a number after those that were tried. They are one
 * update: of several the writer would go on with the next after one for which there is no room. */
static uint32_t
fill(struct store *store)
{
	struct outcome outcome = {0};
	struct store_call call = {.done = outcome_done, .context = &outcome};
	uint32_t number = 0;

	while (outcome.result == STORE_OK && number < 100000) {
		store_update(store, STORE_TRIPLETS, (struct store_bytes){&number, sizeof number},
		    put_many, g_memdup2(&number, sizeof number), g_free, &call);
		store_wait(store);
		number += TOGETHER;
	}
	g_assert_cmpint(outcome.result, ==, STORE_FULL);
	return number;
}

/* No room in the address space for a larger map: full, but there to be read. */
static void
test_map_cannot_grow(void)
{
	g_autofree char *folder = world_make_folder();
	struct store *store = world_must_open(folder, 1 << 20);
	uint32_t number;

	largest_map = 1 << 20;
	number = fill(store);
	g_assert_cmpint(world_get(store, 0), ==, STORE_OK);
	g_assert_cmpint(world_get(store, number - 1), ==, STORE_NOT_FOUND);
	world_assert_clean(store);
	largest_map = 0;
	g_assert_cmpint(world_put(store, number), ==, STORE_OK);
	g_assert_cmpint(world_get(store, number), ==, STORE_OK);
	store_close(&store);
	world_remove_folder(folder);
}

/* Where there is no room even for the old map the store is gone for a while, and comes back by
 * itself: a server that cannot read does not write either. */
static void
test_no_map_at_all(void)
{
	g_autofree char *folder = world_make_folder();
	struct store *store = world_must_open(folder, 1 << 20);
	enum store_result result = STORE_UNAVAILABLE;
	uint32_t number;
	gint64 end;

	largest_map = 4096;
	number = fill(store);
	g_assert_cmpint(world_get(store, 0), ==, STORE_UNAVAILABLE);
	largest_map = 0;
	end = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;
	while ((result = world_get(store, 0)) != STORE_OK && g_get_monotonic_time() < end)
		g_usleep(10000);
	g_assert_cmpint(result, ==, STORE_OK);
	g_assert_cmpint(world_put(store, number), ==, STORE_OK);
	store_close(&store);
	world_remove_folder(folder);
}

/* Where even the last page of a commit fails LMDB goes on with nothing: the store opens it again.
 * Whether that commit will be seen nobody knows. */
static void
test_meta_page_fails(void)
{
	g_autofree char *folder = world_make_folder();
	struct store *store = world_must_open(folder, MAP_SIZE);

	g_assert_cmpint(world_put(store, 1), ==, STORE_OK);
	meta_write_error = EIO;
	g_assert_cmpint(world_put(store, 2), ==, STORE_UNCERTAIN);
	/* Before any other update, since a server that cannot read will not write. */
	meta_write_error = 0;
	g_assert_cmpint(world_get(store, 1), ==, STORE_OK);
	g_assert_cmpint(world_put(store, 3), ==, STORE_OK);
	g_assert_cmpint(world_get(store, 3), ==, STORE_OK);
	world_assert_clean(store);
	store_close(&store);
	world_remove_folder(folder);
}

/* -- one bad among many -- */

static void
put_with_bad_key(const struct store_bytes *old G_GNUC_UNUSED, struct store_change *change,
    void *job G_GNUC_UNUSED)
{
	static const char key[STORE_KEY_MAX + 100];

	store_change_put(change, "x", 1, WORLD_EXPIRES);
	store_change_also_put(change, STORE_CLIENTS, (struct store_bytes){key, sizeof key},
	    (struct store_bytes){"x", 1}, WORLD_EXPIRES);
}

#define COMPANY 256

/* All in one batch, since they gather while the lock is held. */
static void
test_one_bad_update(void)
{
	g_autofree char *folder = world_make_folder();
	struct store *store = world_must_open(folder, MAP_SIZE);
	struct holder holder = world_hold_lock(folder, POLICY);
	struct outcome good[COMPANY] = {{0}}, bad = {0};
	struct store_call call = {.done = outcome_done, .context = &bad};
	struct store_status status;

	for (uint32_t i = 0; i < COMPANY; i++) {
		world_put_start(store, i, 0, &good[i]);
		if (i == COMPANY / 3)
			store_update(store, STORE_TRIPLETS, (struct store_bytes){"bad", 3},
			    put_with_bad_key, NULL, NULL, &call);
	}
	world_release_lock(&holder);
	store_wait(store);
	for (uint32_t i = 0; i < COMPANY; i++)
		g_assert_cmpint(good[i].result, ==, STORE_OK);
	g_assert_cmpuint(bad.calls, ==, 1);
	g_assert_cmpint(bad.result, ==, STORE_UNAVAILABLE);
	/* Not a sync for each of the company. */
	g_assert_cmpint(store_status(store, &status), ==, STORE_OK);
	g_assert_cmpuint(status.commits, <=, 20);
	store_close(&store);
	world_remove_folder(folder);
}

/* -- what is not ours -- */

static bool
has_database(const char *folder, const char *name)
{
	MDB_env *env = world_raw_open(folder, POLICY);
	MDB_txn *txn;
	MDB_dbi dbi;
	int code;

	g_assert_cmpint(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), ==, 0);
	code = mdb_dbi_open(txn, name, 0, &dbi);
	mdb_txn_abort(txn);
	mdb_env_close(env);
	return code == MDB_SUCCESS;
}

static void
make_raw(const char *folder, const char *database, const char *key, const char *value)
{
	MDB_env *env = world_raw_open(folder, POLICY);
	MDB_val k = {strlen(key), (void *)key}, v = {strlen(value), (void *)value};
	MDB_txn *txn;
	MDB_dbi dbi;

	g_assert_cmpint(mdb_txn_begin(env, NULL, 0, &txn), ==, 0);
	g_assert_cmpint(mdb_dbi_open(txn, database, MDB_CREATE, &dbi), ==, 0);
	g_assert_cmpint(mdb_put(txn, dbi, &k, &v, 0), ==, 0);
	g_assert_cmpint(mdb_txn_commit(txn), ==, 0);
	mdb_env_close(env);
}

/* A newer store with other spaces, and somebody else's LMDB file, are left as they are. */
static void
test_not_ours(void)
{
	static const struct {
		const char *database, *key, *value, *message;
	} rows[] = {
	    {"meta", "schema", "999", "newer"},
	    {"theirs", "key", "value", "no store of greylag"},
	    {"meta", "theirs", "value", "no store of greylag"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *folder = world_make_folder();
		g_autoptr(GError) error = NULL;

		make_raw(folder, rows[i].database, rows[i].key, rows[i].value);
		g_assert_null(world_open(folder, MAP_SIZE, false, &error));
		g_assert_nonnull(strstr(error->message, rows[i].message));
		g_assert_false(has_database(folder, "triplets"));
		world_remove_folder(folder);
	}
}

/* Who looks for a store where none is leaves nothing behind. */
static void
test_nothing_made(void)
{
	g_autofree char *folder = world_make_folder();
	g_autofree char *uri = g_strconcat("lmdb:", folder, NULL);
	struct store_options options = {.uri = uri, .map_size = MAP_SIZE};
	g_autoptr(GError) error = NULL;

	g_assert_null(store_open(&options, &error));
	g_assert_nonnull(strstr(error->message, folder));
	g_assert_cmpint(g_rmdir(folder), ==, 0);
}

static void
test_backup_mode(void)
{
	g_autofree char *folder = world_make_folder();
	g_autofree char *copy = g_strconcat(folder, "-copy", NULL);
	g_autofree char *path = g_build_filename(copy, "policy.mdb", NULL);
	struct store *store = world_must_open(folder, MAP_SIZE);
	g_autoptr(GError) error = NULL;
	struct stat st;

	g_assert_true(store_backup(store, copy, &error));
	g_assert_cmpint(stat(path, &st), ==, 0);
	g_assert_cmpint(st.st_mode & 0777, ==, 0600);
	store_close(&store);
	world_remove_folder(folder);
	world_remove_folder(copy);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func(
	    "/faults/each-deadline-is-met-whatever-waits-besides", test_shorter_deadline);
	g_test_add_func("/faults/a-disk-that-hangs-leaves-it-uncertain", test_disk_hangs);
	g_test_add_func(
	    "/faults/closing-has-an-end-though-the-lock-is-held", test_close_while_held);
	g_test_add_func("/faults/at-closing-one-may-go-on-with-the-next", test_close_goes_on);
	g_test_add_func("/faults/a-map-that-cannot-grow-can-be-read", test_map_cannot_grow);
	g_test_add_func("/faults/a-store-without-a-map-comes-back", test_no_map_at_all);
	g_test_add_func("/faults/a-failed-meta-page-is-gone-on-from", test_meta_page_fails);
	g_test_add_func("/faults/one-bad-update-fails-alone", test_one_bad_update);
	g_test_add_func("/faults/what-is-not-ours-is-left-as-it-is", test_not_ours);
	g_test_add_func("/faults/looking-makes-nothing", test_nothing_made);
	g_test_add_func("/faults/nobody-else-can-read-a-backup", test_backup_mode);
	return g_test_run();
}
