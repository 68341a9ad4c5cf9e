/* Of the store's calls, reads alone may come from any thread, at any time. */
#include "config.h"

#include <string.h>
#include <glib.h>

#include "db/open/open.h"
#include "db/store.h"
#include "tests/unit/db/lmdb_world.h"

#define NOW     1795000000
#define READERS 2
#define READS   5000
#define WRITES  200

static const struct store_bytes key = {"k", 1};

struct reading {
	struct store *store;
	unsigned calls;
};

/* Every value that is ever there is one letter, again and again. */
static void
on_value(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	const char *b;

	g_assert_cmpint(result, ==, STORE_OK);
	b = value->data;
	for (size_t i = 1; i < value->length; i++)
		g_assert_cmpint(b[i], ==, b[0]);
	(*(unsigned *)context)++;
}

static gpointer
read_again_and_again(gpointer data)
{
	struct reading *reading = data;

	for (unsigned i = 0; i < READS; i++)
		store_get(reading->store, STORE_TRIPLETS, key, 0, on_value, &reading->calls);
	return NULL;
}

static void
put_text(const struct store_bytes *old G_GNUC_UNUSED, struct store_change *change, void *job)
{
	store_change_put(change, job, strlen(job), NOW);
}

static void
put(struct store *store, struct store_bytes at, const char *text)
{
	struct store_call nobody = {0};

	store_update(store, STORE_TRIPLETS, at, put_text, g_strdup(text), g_free, &nobody);
	store_wait(store);
}

static void
read_beside_writer(const char *uri)
{
	struct store_options options = {.uri = uri, .create = true, .map_size = 64 << 20};
	g_autoptr(GError) error = NULL;
	struct store *store = store_open(&options, &error);
	struct reading readings[READERS];
	GThread *threads[READERS];

	g_assert_no_error(error);
	put(store, key, "aaaa");
	for (unsigned i = 0; i < READERS; i++) {
		readings[i] = (struct reading){.store = store};
		threads[i] = g_thread_new("reader", read_again_and_again, &readings[i]);
	}
	for (unsigned i = 0; i < WRITES; i++) {
		put(store, key, i % 2 ? "aaaa" : "bbbbbbbbbbbbbbbb");
		/* And its neighbours, which move it. */
		put(store, (struct store_bytes){&i, sizeof i}, "beside it");
	}
	for (unsigned i = 0; i < READERS; i++) {
		g_thread_join(threads[i]);
		g_assert_cmpuint(readings[i].calls, ==, READS);
	}
	store_close(&store);
}

static void
test_lmdb(void)
{
	g_autofree char *folder = world_make_folder();
	g_autofree char *uri = g_strconcat("lmdb:", folder, NULL);

	read_beside_writer(uri);
	world_remove_folder(folder);
}

static void
test_mem(void)
{
	read_beside_writer("mem:");
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/threads/lmdb/any-thread-may-read-beside-the-writer", test_lmdb);
	g_test_add_func("/threads/mem/any-thread-may-read-beside-the-writer", test_mem);
	return g_test_run();
}
