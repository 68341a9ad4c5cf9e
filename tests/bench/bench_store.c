/*
 * The store beside LMDB itself, in one run.
 *
 *	bench_store FOLDER [SECONDS]
 *
 * new: 130-byte values under random 16-byte keys, each on the disk before it counts; LMDB commits
 * 50 puts at a time, the store has 50 updates outstanding. known: reads of 100,000 records that are
 * in memory. Prints figures and ratios; judges nothing. FOLDER is left as it was.
 */
#include "config.h"

#include <lmdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "db/open/open.h"
#include "db/store.h"

#define KEY_SIZE    16
#define VALUE_SIZE  130
#define OUTSTANDING 50
#define RECORDS     100000
#define READS       1000000
#define MAP_SIZE    (UINT64_C(8) << 30)

static void
must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench_store: %s\n", what);
	exit(1);
}

static void
must_mdb(int status)
{
	must(status == 0, mdb_strerror(status));
}

static double
now(void)
{
	return (double)g_get_monotonic_time() / G_USEC_PER_SEC;
}

static void
random_key(GRand *random, uint8_t key[KEY_SIZE])
{
	for (int i = 0; i < KEY_SIZE; i += 4) {
		guint32 word = g_rand_int(random);

		memcpy(key + i, &word, sizeof word);
	}
}

/* Removes the files in PATH, and PATH. */
static void
remove_folder(const char *path)
{
	GDir *dir = g_dir_open(path, 0, NULL);

	for (const char *name; dir && (name = g_dir_read_name(dir));) {
		g_autofree char *child = g_build_filename(path, name, NULL);

		if (g_file_test(child, G_FILE_TEST_IS_DIR))
			remove_folder(child);
		else
			g_unlink(child);
	}
	if (dir)
		g_dir_close(dir);
	g_rmdir(path);
}

/* -- LMDB -- */

struct bare {
	MDB_env *env;
	MDB_dbi dbi;
};

static struct bare
bare_open(const char *folder)
{
	struct bare bare;
	MDB_txn *txn;

	must(g_mkdir(folder, 0700) == 0, "cannot make a folder");
	must_mdb(mdb_env_create(&bare.env));
	must_mdb(mdb_env_set_mapsize(bare.env, MAP_SIZE));
	must_mdb(mdb_env_open(bare.env, folder, MDB_NOTLS, 0600));
	must_mdb(mdb_txn_begin(bare.env, NULL, 0, &txn));
	must_mdb(mdb_dbi_open(txn, NULL, 0, &bare.dbi));
	must_mdb(mdb_txn_commit(txn));
	return bare;
}

static void
bare_put(const struct bare *bare, GRand *random, unsigned n)
{
	uint8_t key[KEY_SIZE], value[VALUE_SIZE] = {1};
	MDB_txn *txn;

	must_mdb(mdb_txn_begin(bare->env, NULL, 0, &txn));
	for (unsigned i = 0; i < n; i++) {
		MDB_val k = {KEY_SIZE, key}, v = {VALUE_SIZE, value};

		random_key(random, key);
		must_mdb(mdb_put(txn, bare->dbi, &k, &v, 0));
	}
	must_mdb(mdb_txn_commit(txn));
}

static double
bare_new(const struct bare *bare, double seconds)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(1);
	double start = now(), end = start;
	unsigned long puts = 0;

	for (; end - start < seconds; end = now(), puts += OUTSTANDING)
		bare_put(bare, random, OUTSTANDING);
	return (double)puts / (end - start);
}

/* A read transaction for each key, renewed as the store's are. */
static double
bare_known(const struct bare *bare)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(2);
	uint8_t(*keys)[KEY_SIZE] = g_malloc(RECORDS * sizeof *keys);
	double start, took;
	MDB_txn *txn;

	bare_put(bare, random, RECORDS);
	g_rand_set_seed(random, 2);
	for (unsigned i = 0; i < RECORDS; i++)
		random_key(random, keys[i]);
	must_mdb(mdb_txn_begin(bare->env, NULL, MDB_RDONLY, &txn));
	mdb_txn_reset(txn);
	start = now();
	for (unsigned i = 0; i < READS; i++) {
		MDB_val k = {KEY_SIZE, keys[i * UINT64_C(7919) % RECORDS]}, v;

		must_mdb(mdb_txn_renew(txn));
		must_mdb(mdb_get(txn, bare->dbi, &k, &v));
		mdb_txn_reset(txn);
	}
	took = now() - start;
	mdb_txn_abort(txn);
	g_free(keys);
	return READS / took;
}

/* -- the store -- */

struct progress {
	unsigned long done;
};

static void
put_value(const struct store_bytes *old G_GNUC_UNUSED, struct store_change *change,
    void *job G_GNUC_UNUSED)
{
	static const uint8_t value[VALUE_SIZE] = {1};

	store_change_put(change, value, sizeof value, 4000000000);
}

static void
on_put(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct progress *progress = context;

	must(result == STORE_OK, store_result_text(result));
	progress->done++;
}

static void
wait_for_some(struct store *store)
{
	struct pollfd poll_fd = {.fd = store_poll_fd(store), .events = POLLIN};

	poll(&poll_fd, 1, -1);
	store_dispatch(store);
}

static void
put_next(struct store *store, GRand *random, struct progress *progress)
{
	struct store_call call = {.done = on_put, .context = progress};
	uint8_t key[KEY_SIZE];

	random_key(random, key);
	store_update(store, STORE_TRIPLETS, (struct store_bytes){key, sizeof key}, put_value, NULL,
	    NULL, &call);
}

static double
store_new(struct store *store, double seconds)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(3);
	struct progress progress = {0};
	double start = now(), end = start;

	for (; end - start < seconds; end = now()) {
		while (store_outstanding(store) < OUTSTANDING)
			put_next(store, random, &progress);
		wait_for_some(store);
	}
	return (double)progress.done / (end - start);
}

static void
on_value(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value G_GNUC_UNUSED)
{
	struct progress *progress = context;

	progress->done += result == STORE_OK;
}

static double
store_known(struct store *store)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(4);
	uint8_t(*keys)[KEY_SIZE] = g_malloc(RECORDS * sizeof *keys);
	struct progress progress = {0};
	double start, took;

	for (unsigned i = 0; i < RECORDS; i++) {
		while (store_outstanding(store) >= 1000)
			wait_for_some(store);
		put_next(store, random, &progress);
	}
	store_wait(store);
	g_rand_set_seed(random, 4);
	for (unsigned i = 0; i < RECORDS; i++)
		random_key(random, keys[i]);
	progress.done = 0;
	start = now();
	for (unsigned i = 0; i < READS; i++) {
		struct store_bytes key = {keys[i * UINT64_C(7919) % RECORDS], KEY_SIZE};

		store_get(store, STORE_TRIPLETS, key, 0, on_value, &progress);
	}
	took = now() - start;
	must(progress.done == READS, "a record is not there");
	g_free(keys);
	return READS / took;
}

/* -- in turn, so that both see the same disk -- */

/* Fresh files for each kind, so that both trees are equally small. */
static void
measure(const char *folder, double seconds, bool known, double *ret_bare, double *ret_ours)
{
	g_autofree char *bare_folder = g_build_filename(folder, "bare", NULL);
	g_autofree char *store_folder = g_build_filename(folder, "store", NULL);
	g_autofree char *uri = g_strconcat("lmdb:", store_folder, NULL);
	struct store_options options = {.uri = uri, .create = true};
	g_autoptr(GError) error = NULL;
	struct bare bare = bare_open(bare_folder);
	struct store *store = store_open(&options, &error);

	must(store != NULL, error ? error->message : "");
	*ret_bare = known ? bare_known(&bare) : bare_new(&bare, seconds);
	*ret_ours = known ? store_known(store) : store_new(store, seconds);
	store_close(&store);
	mdb_env_close(bare.env);
	remove_folder(bare_folder);
	remove_folder(store_folder);
}

int
main(int argc, char **argv)
{
	double seconds = argc > 2 ? g_ascii_strtod(argv[2], NULL) : 5, bare, ours;
	g_autofree char *folder = NULL;

	must(argc > 1 && seconds > 0, "usage: bench_store FOLDER [SECONDS]");
	folder = g_build_filename(argv[1], "bench-store-XXXXXX", NULL);
	must(g_mkdtemp(folder) != NULL, "cannot make a folder");
	measure(folder, seconds, false, &bare, &ours);
	printf("puts on disk: bare LMDB %.0f/s (commit of %d: %.2f ms), store %.0f/s, ratio %.2f\n",
	    bare, OUTSTANDING, 1000 * OUTSTANDING / bare, ours, ours / bare);
	measure(folder, seconds, true, &bare, &ours);
	printf("hot reads: bare LMDB %.0f/s, store %.0f/s, ratio %.2f\n", bare, ours, ours / bare);
	g_rmdir(folder);
	return 0;
}
