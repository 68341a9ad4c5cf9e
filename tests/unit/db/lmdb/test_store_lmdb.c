/*
 * What may befall a store on a disk: killed writers, other processes, held locks, full disks, maps
 * that are too small, files that are something else.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <lmdb.h>

#include "db/store.h"
#include "tests/unit/db/lmdb_world.h"

/* -- kill -9 -- */

/* Writes for ever; each number that was answered goes down the pipe. */
static void
child_writes(const char *folder, uint32_t from, int pipe)
{
	struct store *store = world_must_open(folder, 64 << 20);
	struct outcome outcomes[16];

	for (uint32_t number = from;; number += G_N_ELEMENTS(outcomes)) {
		memset(outcomes, 0, sizeof outcomes);
		for (uint32_t i = 0; i < G_N_ELEMENTS(outcomes); i++)
			world_put_start(store, number + i, 0, &outcomes[i]);
		store_wait(store);
		for (uint32_t i = 0; i < G_N_ELEMENTS(outcomes); i++) {
			uint32_t answered = number + i;

			if (outcomes[i].result != STORE_OK ||
			    write(pipe, &answered, sizeof answered) != sizeof answered)
				_exit(1);
		}
	}
}

static void
test_kill(void)
{
	g_autofree char *folder = world_make_folder();
	g_autoptr(GArray) answered = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	GRand *random = g_rand_new_with_seed(9);

	for (uint32_t round = 0; round < 40; round++) {
		int ends[2];
		uint32_t number;
		struct store *store;
		pid_t child;

		g_assert_cmpint(pipe(ends), ==, 0);
		child = fork();
		if (child == 0)
			child_writes(folder, round * 1000000, ends[1]);
		close(ends[1]);
		g_assert_cmpint(read(ends[0], &number, sizeof number), ==, sizeof number);
		g_array_append_val(answered, number);
		g_usleep((gulong)g_rand_int_range(random, 0, 8000));
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		while (read(ends[0], &number, sizeof number) == sizeof number)
			g_array_append_val(answered, number);
		close(ends[0]);
		store = world_must_open(folder, 64 << 20);
		world_assert_clean(store);
		for (guint i = 0; i < answered->len; i++)
			g_assert_cmpint(
			    world_get(store, g_array_index(answered, uint32_t, i)), ==, STORE_OK);
		store_close(&store);
	}
	g_test_message("%u records were answered", answered->len);
	g_rand_free(random);
	world_remove_folder(folder);
}

/* -- other processes -- */

/* Runs BODY in a child process on the same store; its exit status. */
static int
in_child(const char *folder, int (*body)(struct store *store))
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct store *store = world_must_open(folder, 64 << 20);
		int result = body(store);

		store_close(&store);
		_exit(result);
	}
	waitpid(child, &status, 0);
	g_assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
increment(const struct store_bytes *old, struct store_change *change, void *job G_GNUC_UNUSED)
{
	uint32_t number = 0;

	if (old)
		memcpy(&number, old->data, sizeof number);
	number++;
	store_change_put(change, &number, sizeof number, WORLD_EXPIRES);
}

#define INCREMENTS 500

static void
increment_many(struct store *store)
{
	struct store_call nobody = {0};

	for (int i = 0; i < INCREMENTS; i++)
		store_update(store, STORE_CLIENTS, (struct store_bytes){"n", 1}, increment, NULL,
		    NULL, &nobody);
	store_wait(store);
}

static void
on_number(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	g_assert_cmpint(result, ==, STORE_OK);
	memcpy(context, value->data, sizeof(uint32_t));
}

/* Two processes at once lose no update of one record. */
static void
test_two_processes(void)
{
	g_autofree char *folder = world_make_folder();
	struct store *store;
	uint32_t number;
	pid_t child = fork();

	if (child == 0) {
		store = world_must_open(folder, 64 << 20);
		increment_many(store);
		store_close(&store);
		_exit(0);
	}
	store = world_must_open(folder, 64 << 20);
	increment_many(store);
	waitpid(child, NULL, 0);
	store_get(store, STORE_CLIENTS, (struct store_bytes){"n", 1}, 0, on_number, &number);
	g_assert_cmpuint(number, ==, 2 * INCREMENTS);
	store_close(&store);
	world_remove_folder(folder);
}

static int
sees_seven(struct store *store)
{
	return world_get(store, 7) == STORE_OK ? 0 : 1;
}

static void
test_other_process_sees(void)
{
	g_autofree char *folder = world_make_folder();
	struct store *store = world_must_open(folder, 64 << 20);

	g_assert_cmpint(world_put(store, 7), ==, STORE_OK);
	g_assert_cmpint(in_child(folder, sees_seven), ==, 0);
	store_close(&store);
	world_remove_folder(folder);
}

/* A reader beside the daemon needs no lock and sees what is committed. */
static void
test_read_only(void)
{
	g_autofree char *folder = world_make_folder();
	g_autoptr(GError) error = NULL;
	struct store *store = world_must_open(folder, 64 << 20), *reader;
	struct outcome outcome = {0};
	pid_t child;
	int status;

	world_put(store, 7);
	child = fork();
	if (child == 0) {
		reader = world_open(folder, 64 << 20, true, NULL);
		if (!reader || world_get(reader, 7) != STORE_OK ||
		    world_get(reader, 8) != STORE_NOT_FOUND)
			_exit(1);
		world_put_start(reader, 9, 0, &outcome);
		store_wait(reader);
		_exit(outcome.result == STORE_UNAVAILABLE ? 0 : 2);
	}
	waitpid(child, &status, 0);
	g_assert_cmpint(WEXITSTATUS(status), ==, 0);
	store_close(&store);
	world_remove_folder(folder);
	g_assert_null(world_open("/is/not/there", 1 << 20, true, &error));
	g_assert_nonnull(error);
}

/* LMDB's lock has no time-out: what waits for it longer than it may was never begun. */
static void
test_held_lock(void)
{
	g_autofree char *folder = world_make_folder();
	struct store *store = world_must_open(folder, 64 << 20);
	struct outcome a = {0}, b = {0};
	struct holder holder;

	world_put(store, 1);
	holder = world_hold_lock(folder, "policy.mdb");
	world_put_start(store, 2, 50, &a);
	world_put_start(store, 3, 60, &b);
	store_wait(store);
	g_assert_cmpuint(a.calls, ==, 1);
	g_assert_cmpint(a.result, ==, STORE_UNAVAILABLE);
	g_assert_cmpint(b.result, ==, STORE_UNAVAILABLE);
	/* Reads go on meanwhile. */
	g_assert_cmpint(world_get(store, 1), ==, STORE_OK);
	world_release_lock(&holder);
	g_assert_cmpint(world_put(store, 4), ==, STORE_OK);
	g_assert_cmpint(world_get(store, 2), ==, STORE_NOT_FOUND);
	g_assert_cmpint(world_get(store, 3), ==, STORE_NOT_FOUND);
	g_assert_cmpuint(a.calls, ==, 1);
	store_close(&store);
	world_remove_folder(folder);
}

/* Who dies with the lock does not keep it. */
static void
test_holder_is_killed(void)
{
	g_autofree char *folder = world_make_folder();
	struct store *store = world_must_open(folder, 64 << 20);
	struct holder holder;

	world_put(store, 1);
	holder = world_hold_lock(folder, "policy.mdb");
	world_kill_holder(&holder);
	g_assert_cmpint(world_put(store, 2), ==, STORE_OK);
	world_assert_clean(store);
	store_close(&store);
	world_remove_folder(folder);
}

/* A reader that died in a transaction would keep every page from being used again. */
static void
test_stale_reader(void)
{
	g_autofree char *folder = world_make_folder();
	struct store *store = world_must_open(folder, 64 << 20);
	struct store_status before, after;
	int ends[2];
	char byte;
	pid_t child;

	for (uint32_t i = 0; i < 200; i++)
		world_put(store, i);
	store_close(&store);
	g_assert_cmpint(pipe(ends), ==, 0);
	child = fork();
	if (child == 0) {
		MDB_env *env = world_raw_open(folder, "policy.mdb");
		MDB_txn *txn;

		if (mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0 || write(ends[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	g_assert_cmpint(read(ends[0], &byte, 1), ==, 1);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	store = world_must_open(folder, 64 << 20);
	world_put(store, 0);
	g_assert_cmpint(store_status(store, &before), ==, STORE_OK);
	for (uint32_t i = 0; i < 400; i++)
		world_put(store, i % 200);
	g_assert_cmpint(store_status(store, &after), ==, STORE_OK);
	g_assert_cmpuint(after.bytes_used, <, before.bytes_used + 200000);
	store_close(&store);
	world_remove_folder(folder);
}

/* -- the map -- */

static int
fill_map(struct store *store)
{
	for (uint32_t i = 0; i < 20000; i += 500) {
		struct outcome outcome = {0};

		for (uint32_t j = 0; j < 500; j++)
			world_put_start(store, i + j, 0, &outcome);
		store_wait(store);
		if (outcome.result != STORE_OK)
			return 1;
	}
	return world_get(store, 19999) == STORE_OK ? 0 : 2;
}

/* A map of 1 MiB grows while it is read here and written there. */
static void
test_map_grows(void)
{
	g_autofree char *folder = world_make_folder();
	struct store *store = world_must_open(folder, 1 << 20);
	pid_t child;
	int status, reads = 0;

	g_assert_cmpint(world_put(store, 1), ==, STORE_OK);
	child = fork();
	if (child == 0) {
		struct store *other = world_must_open(folder, 1 << 20);

		_exit(fill_map(other));
	}
	while (waitpid(child, &status, WNOHANG) == 0) {
		g_assert_cmpint(world_get(store, 1), ==, STORE_OK);
		reads++;
	}
	g_assert_cmpint(WEXITSTATUS(status), ==, 0);
	g_assert_cmpint(reads, >, 0);
	/* What the other has made larger is taken up here, to read and to write. */
	g_assert_cmpint(world_get(store, 19999), ==, STORE_OK);
	g_assert_cmpint(world_put(store, 20001), ==, STORE_OK);
	g_assert_cmpint(world_get(store, 20001), ==, STORE_OK);
	g_assert_cmpint(fill_map(store), ==, 0);
	world_assert_clean(store);
	store_close(&store);
	world_remove_folder(folder);
}

/* -- a full disk -- */

static void
limit_files(rlim_t bytes)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = bytes;
	g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
}

static int
meet_full_disk(struct store *store)
{
	enum store_result result = STORE_OK;
	uint32_t number = 0;

	signal(SIGXFSZ, SIG_IGN);
	limit_files(1 << 20);
	while (result == STORE_OK && number < 100000)
		result = world_put(store, number++);
	if (result != STORE_FULL)
		return 1;
	if (world_get(store, 0) != STORE_OK || world_get(store, number - 1) != STORE_NOT_FOUND)
		return 2;
	/* Some still find a free page; none gets another answer than these two. */
	for (unsigned full = 0, i = 0; full < 3; i++) {
		result = world_put(store, ++number);
		full += result == STORE_FULL;
		if ((result != STORE_OK && result != STORE_FULL) || i > 1000)
			return 3;
	}
	limit_files(RLIM_INFINITY);
	number++;
	if (world_put(store, number) != STORE_OK || world_get(store, number) != STORE_OK)
		return 4;
	world_assert_clean(store);
	return 0;
}

static void
test_full_disk(void)
{
	g_autofree char *folder = world_make_folder();

	g_assert_cmpint(in_child(folder, meet_full_disk), ==, 0);
	world_remove_folder(folder);
}

/* -- files that are something else -- */

static void
set_layout(const char *folder, const char *file, const char *layout)
{
	MDB_val k = {6, (void *)"schema"}, v = {strlen(layout), (void *)layout};
	MDB_env *env = world_raw_open(folder, file);
	MDB_txn *txn;
	MDB_dbi dbi;

	g_assert_cmpint(mdb_txn_begin(env, NULL, 0, &txn), ==, 0);
	g_assert_cmpint(mdb_dbi_open(txn, "meta", 0, &dbi), ==, 0);
	g_assert_cmpint(mdb_put(txn, dbi, &k, &v, 0), ==, 0);
	g_assert_cmpint(mdb_txn_commit(txn), ==, 0);
	mdb_env_close(env);
}

/* It is told with the commands that carry it over. */
static void
test_other_layout(void)
{
	static const struct {
		const char *file, *layout, *age, *save, *load;
	} rows[] = {
	    {"policy.mdb", "999", "layout 999, of a newer greylag",
		"\"greylagctl -o store.uri=lmdb:%s export policy.jsonl\"",
		"\"greylagctl -o store.uri=lmdb:%s import policy.jsonl\""},
	    {"policy.mdb", "0", "layout 0, of an older greylag",
		"\"greylagctl -o store.uri=lmdb:%s export policy.jsonl\"",
		"\"greylagctl -o store.uri=lmdb:%s import policy.jsonl\""},
	    {"token.mdb", "999", "layout 999, of a newer greylag",
		"\"greylag -d lmdb:%s dump token.dump\"", "\"greylag -d lmdb:%s load token.dump\""},
	    {"token.mdb", "0", "layout 0, of an older greylag",
		"\"greylag -d lmdb:%s dump token.dump\"", "\"greylag -d lmdb:%s load token.dump\""},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *folder = world_make_folder();
		g_autoptr(GString) save = g_string_new(rows[i].save);
		g_autoptr(GString) load = g_string_new(rows[i].load);
		g_autoptr(GError) error = NULL;
		struct store *store = world_must_open(folder, 64 << 20);

		store_close(&store);
		set_layout(folder, rows[i].file, rows[i].layout);
		g_string_replace(save, "%s", folder, 0);
		g_string_replace(load, "%s", folder, 0);
		g_assert_null(world_open(folder, 64 << 20, false, &error));
		g_assert_nonnull(strstr(error->message, rows[i].file));
		g_assert_nonnull(strstr(error->message, rows[i].age));
		g_assert_nonnull(strstr(error->message, save->str));
		g_assert_nonnull(strstr(error->message, load->str));
		world_remove_folder(folder);
	}
}

static void
count_record(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value G_GNUC_UNUSED)
{
	g_assert_cmpint(result, ==, STORE_NOT_FOUND);
	++*(unsigned *)context;
}

static bool
no_record(void *context G_GNUC_UNUSED, const struct store_bytes *key G_GNUC_UNUSED,
    const struct store_bytes *value G_GNUC_UNUSED, int64_t expires G_GNUC_UNUSED)
{
	g_assert_not_reached();
}

static void
drop_space(const char *folder, const char *file, const char *name)
{
	MDB_env *env = world_raw_open(folder, file);
	MDB_txn *txn;
	MDB_dbi dbi;

	g_assert_cmpint(mdb_txn_begin(env, NULL, 0, &txn), ==, 0);
	g_assert_cmpint(mdb_dbi_open(txn, name, 0, &dbi), ==, 0);
	g_assert_cmpint(mdb_drop(txn, dbi, 1), ==, 0);
	g_assert_cmpint(mdb_txn_commit(txn), ==, 0);
	mdb_env_close(env);
}

static void
no_problem(void *context G_GNUC_UNUSED, const char *sentence)
{
	g_test_message("%s", sentence);
	g_assert_not_reached();
}

/* Spaces that this version has added: empty to a reader, made by a writer. */
static void
test_fewer_spaces(void)
{
	const struct store_range range = {{"key", 3}, 0, 1};
	const struct store_call nobody = {0};
	struct store_cursor cursor = {0};
	struct store_status status;
	g_autofree char *folder = world_make_folder();
	struct store *store = world_must_open(folder, 64 << 20);
	unsigned answers = 0;

	store_close(&store);
	drop_space(folder, "policy.mdb", "domains");
	store = world_open(folder, 64 << 20, true, NULL);
	g_assert_nonnull(store);
	store_get(store, STORE_DOMAINS, range.key, 0, count_record, &answers);
	store_get_cells(store, STORE_DOMAINS, &range, 1, 0, count_record, &answers);
	g_assert_cmpuint(answers, ==, 2);
	store_scan(store, STORE_DOMAINS, &cursor, 10, no_record, &nobody);
	g_assert_true(cursor.end);
	g_assert_cmpint(store_status(store, &status), ==, STORE_OK);
	g_assert_cmpuint(status.records[STORE_DOMAINS], ==, 0);
	g_assert_cmpint(store_check(store, NULL, no_problem, NULL), ==, STORE_OK);
	store_close(&store);
	store = world_must_open(folder, 64 << 20);
	store_close(&store);
	drop_space(folder, "policy.mdb", "domains");
	world_remove_folder(folder);
}

static void
test_no_store(void)
{
	g_autofree char *folder = world_make_folder();
	g_autofree char *path = g_build_filename(folder, "policy.mdb", NULL);
	g_autofree char *text = g_strnfill(10000, 'x');
	g_autoptr(GError) error = NULL;

	g_assert_true(g_file_set_contents(path, text, -1, NULL));
	g_assert_null(world_open(folder, 64 << 20, false, &error));
	g_assert_nonnull(strstr(error->message, path));
	world_remove_folder(folder);
}

static void
test_modes(void)
{
	g_autofree char *root = world_make_folder();
	g_autofree char *folder = g_build_filename(root, "store", NULL);
	g_autofree char *path = g_build_filename(folder, "policy.mdb", NULL);
	struct store *store = world_must_open(folder, 64 << 20);
	struct stat st;

	store_close(&store);
	g_assert_cmpint(stat(folder, &st), ==, 0);
	g_assert_cmpint(st.st_mode & 0777, ==, 0700);
	g_assert_cmpint(stat(path, &st), ==, 0);
	g_assert_cmpint(st.st_mode & 0777, ==, 0600);
	world_remove_folder(folder);
	world_remove_folder(root);
}

static void
test_backup(void)
{
	g_autofree char *folder = world_make_folder();
	g_autofree char *copy = g_strconcat(folder, "-copy", NULL);
	g_autoptr(GError) error = NULL;
	struct store *store = world_must_open(folder, 64 << 20), *other;

	world_put(store, 5);
	g_assert_true(store_backup(store, copy, &error));
	world_put(store, 6);
	other = world_must_open(copy, 64 << 20);
	g_assert_cmpint(world_get(other, 5), ==, STORE_OK);
	g_assert_cmpint(world_get(other, 6), ==, STORE_NOT_FOUND);
	g_assert_cmpint(memcmp(store_hash_key(store), store_hash_key(other), 16), ==, 0);
	store_close(&other);
	/* What is there is not written over. */
	g_assert_false(store_backup(store, copy, &error));
	g_assert_nonnull(error);
	store_close(&store);
	world_remove_folder(folder);
	world_remove_folder(copy);
}

/* A tool that root starts must leave no file that the daemon cannot read. */
static void
test_becomes_owner(void)
{
	g_autofree char *folder = world_make_folder();
	g_autofree char *uri = g_strconcat("lmdb:", folder, NULL);
	pid_t child;
	int status;

	if (geteuid() != 0) {
		g_test_skip("needs root");
		world_remove_folder(folder);
		return;
	}
	g_assert_cmpint(chown(folder, 65534, 65534), ==, 0);
	child = fork();
	if (child == 0)
		_exit(store_become_owner(uri, NULL) && geteuid() == 65534 && getegid() == 65534 &&
			      setuid(0) != 0
			  ? 0
			  : 1);
	waitpid(child, &status, 0);
	g_assert_cmpint(WEXITSTATUS(status), ==, 0);
	world_remove_folder(folder);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/lmdb/what-was-answered-survives-kill-9", test_kill);
	g_test_add_func("/lmdb/two-processes-lose-no-update", test_two_processes);
	g_test_add_func("/lmdb/what-is-committed-is-seen-elsewhere", test_other_process_sees);
	g_test_add_func("/lmdb/a-reader-needs-no-lock", test_read_only);
	g_test_add_func("/lmdb/a-held-lock-meets-the-deadline", test_held_lock);
	g_test_add_func("/lmdb/a-dead-holder-does-not-keep-the-lock", test_holder_is_killed);
	g_test_add_func("/lmdb/a-dead-reader-does-not-keep-pages", test_stale_reader);
	g_test_add_func("/lmdb/the-map-grows-while-it-is-read", test_map_grows);
	g_test_add_func("/lmdb/a-full-disk-is-told-and-gone-on-from", test_full_disk);
	g_test_add_func("/lmdb/another-layout-is-refused-with-the-way-over", test_other_layout);
	g_test_add_func("/lmdb/a-space-that-is-new-is-empty", test_fewer_spaces);
	g_test_add_func("/lmdb/what-is-no-store-is-refused", test_no_store);
	g_test_add_func("/lmdb/nobody-else-can-read-it", test_modes);
	g_test_add_func("/lmdb/a-backup-is-a-store", test_backup);
	g_test_add_func("/lmdb/root-becomes-the-owner", test_becomes_owner);
	return g_test_run();
}
