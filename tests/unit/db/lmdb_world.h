/*
 * A store in a folder of its own, and numbers to put into it, for tests of what befalls a store on
 * a disk.
 */
#ifndef GREYLAG_TESTS_LMDB_WORLD_H
#define GREYLAG_TESTS_LMDB_WORLD_H

#include <sys/types.h>
#include <lmdb.h>

#include "db/store.h"

/* The expiry of the records that tests put. A store lets nothing go unless it is asked to. */
#define WORLD_EXPIRES 1795000000

/* Under the system's folder for such; to be freed with g_free(). */
char *world_make_folder(void);
/* With the files in it. */
void world_remove_folder(const char *folder);

/* MAP_SIZE 0 is the default. NULL and an error on failure; world_must_open() fails the test. */
struct store *world_open(const char *folder, uint64_t map_size, bool read_only, GError **error);
struct store *world_must_open(const char *folder, uint64_t map_size);

/* An update's answer. */
struct outcome {
	unsigned calls;
	enum store_result result;
};

/* The done() of a call whose context is a struct outcome. */
void outcome_done(void *context, enum store_result result, void *job);

/* An update that puts 200 bytes, the number *JOB (uint32_t) at their beginning. */
void world_put_number(const struct store_bytes *old, struct store_change *change, void *job);

/* Of the triplet under the key NUMBER. TIMEOUT is in milliseconds; 0 for none. */
void world_put_start(
    struct store *store, uint32_t number, unsigned timeout, struct outcome *outcome);
enum store_result world_put(struct store *store, uint32_t number);
enum store_result world_get(struct store *store, uint32_t number);

/* LMDB itself, as another process would use it; of the environment in FILE. */
MDB_env *world_raw_open(const char *folder, const char *file);

/* Another process that holds an environment's writer's lock, until it is told or dies. It ends with
 * the test, however that ends. */
struct holder {
	pid_t process;
	int release;
};

struct holder world_hold_lock(const char *folder, const char *file);
void world_release_lock(const struct holder *holder);
void world_kill_holder(const struct holder *holder);

/* The check of the whole store finds nothing. */
void world_assert_clean(struct store *store);

#endif
