#include "config.h"

#include "tests/unit/db/lmdb_world.h"
#include "db/open/open.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <glib/gstdio.h>

char *
world_make_folder(void)
{
	return g_dir_make_tmp("greylag-store-XXXXXX", NULL);
}

void
world_remove_folder(const char *folder)
{
	GDir *dir = g_dir_open(folder, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(folder, name, NULL);

		g_unlink(path);
	}
	g_dir_close(dir);
	g_assert_cmpint(g_rmdir(folder), ==, 0);
}

struct store *
world_open(const char *folder, uint64_t map_size, bool read_only, GError **error)
{
	g_autofree char *uri = g_strconcat("lmdb:", folder, NULL);
	struct store_options options = {
	    .uri = uri, .create = !read_only, .read_only = read_only, .map_size = map_size};

	return store_open(&options, error);
}

struct store *
world_must_open(const char *folder, uint64_t map_size)
{
	g_autoptr(GError) error = NULL;
	struct store *store = world_open(folder, map_size, false, &error);

	g_assert_no_error(error);
	return store;
}

void
outcome_done(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct outcome *outcome = context;

	outcome->calls++;
	outcome->result = result;
}

void
world_put_number(
    const struct store_bytes *old G_GNUC_UNUSED, struct store_change *change, void *job)
{
	uint8_t value[200] = {0};

	memcpy(value, job, sizeof(uint32_t));
	store_change_put(change, value, sizeof value, WORLD_EXPIRES);
}

static struct store_bytes
key_of(const uint32_t *number)
{
	return (struct store_bytes){number, sizeof *number};
}

void
world_put_start(struct store *store, uint32_t number, unsigned timeout, struct outcome *outcome)
{
	struct store_call call = {.timeout = timeout, .done = outcome_done, .context = outcome};

	store_update(store, STORE_TRIPLETS, key_of(&number), world_put_number,
	    g_memdup2(&number, sizeof number), g_free, &call);
}

enum store_result
world_put(struct store *store, uint32_t number)
{
	struct outcome outcome = {0};

	world_put_start(store, number, 0, &outcome);
	store_wait(store);
	return outcome.result;
}

static void
on_value(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value G_GNUC_UNUSED)
{
	*(enum store_result *)context = result;
}

enum store_result
world_get(struct store *store, uint32_t number)
{
	enum store_result result = STORE_UNAVAILABLE;

	store_get(store, STORE_TRIPLETS, key_of(&number), 0, on_value, &result);
	return result;
}

MDB_env *
world_raw_open(const char *folder, const char *file)
{
	g_autofree char *path = g_build_filename(folder, file, NULL);
	MDB_env *env;

	g_assert_cmpint(mdb_env_create(&env), ==, 0);
	mdb_env_set_maxdbs(env, 20);
	g_assert_cmpint(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOTLS, 0600), ==, 0);
	return env;
}

static void
hold_until_told(MDB_env *env, int held, int release)
{
	MDB_txn *txn;
	char byte;

	if (mdb_txn_begin(env, NULL, 0, &txn) != 0 || write(held, "x", 1) != 1)
		_exit(1);
	/* The end of the file is the word, so that a test that fails leaves no process. */
	if (read(release, &byte, 1) < 0)
		_exit(1);
	mdb_txn_abort(txn);
	_exit(0);
}

struct holder
world_hold_lock(const char *folder, const char *file)
{
	struct holder holder;
	int held[2], release[2];
	char byte;

	g_assert_cmpint(pipe(held), ==, 0);
	g_assert_cmpint(pipe(release), ==, 0);
	holder.process = fork();
	if (holder.process == 0) {
		close(release[1]);
		hold_until_told(world_raw_open(folder, file), held[1], release[0]);
	}
	close(held[1]);
	close(release[0]);
	g_assert_cmpint(read(held[0], &byte, 1), ==, 1);
	close(held[0]);
	holder.release = release[1];
	return holder;
}

void
world_release_lock(const struct holder *holder)
{
	int status;

	close(holder->release);
	g_assert_cmpint(waitpid(holder->process, &status, 0), ==, holder->process);
	g_assert_cmpint(status, ==, 0);
}

void
world_kill_holder(const struct holder *holder)
{
	kill(holder->process, SIGKILL);
	g_assert_cmpint(waitpid(holder->process, NULL, 0), ==, holder->process);
	close(holder->release);
}

static void
on_problem(void *context G_GNUC_UNUSED, const char *sentence)
{
	g_error("the check found: %s", sentence);
}

void
world_assert_clean(struct store *store)
{
	g_assert_cmpint(store_check(store, NULL, on_problem, NULL), ==, STORE_OK);
}
