/*
 * The LMDB driver's reading of a few cells of each of many large values.
 *
 * A value of more than half a page lies on pages of its own. The slots of one message lie on every
 * third page of the tables. If they are read in the map, the kernel maps a window of sixteen pages
 * for each that is touched, and has all of them to take away again at the end: half of the time of
 * a process that judges one message. To read a few bytes from the file is faster by far, unless
 * many of a window's pages are wanted. So the pointer that LMDB gives is turned into a place in the
 * file, and what is wanted counted window by window. The map is also read where the file's page is
 * not in memory, since the kernel then reads those around it, too.
 *
 * LMDB does not tell where its map begins. But the first word of a page is its number, and if the
 * page of that number in the file is the very same, that is where the map begins.
 */
#include "config.h"

#include "db/lmdb/lmdb.h"

#include <string.h>
#include <sys/uio.h>

#define PAGE_MAX 4096 /* larger pages are read in the map */
/* Ranges from which on it pays. */
#define RANGES_MIN 16

/* The kernel's, and the pages in it from which on it is mapped. */
#define WINDOW       65536
#define WINDOW_PAGES 7

struct view {
	struct lmdb_environment *environment;
	int file;
	size_t page_size;   /* 0: all is read in the map */
	const uint8_t *map; /* NULL: not known */
	uint8_t *windows;   /* how many pages are wanted of each */
	uint8_t piece[PAGE_MAX];
};

/* What was found for a range. */
struct found {
	enum store_result result;
	struct store_bytes piece;
	bool large; /* it lies on pages of its own */
};

#ifdef RWF_NOWAIT
static bool
read_file(struct view *view, size_t at, size_t length)
{
	const struct iovec to = {view->piece, length};

	return preadv2(view->file, &to, 1, (off_t)at, RWF_NOWAIT) == (ssize_t)length;
}
#else
static bool
read_file(struct view *view G_GNUC_UNUSED, size_t at G_GNUC_UNUSED, size_t length G_GNUC_UNUSED)
{
	return false;
}
#endif

/* KEY lies in the map, on a page that has been read. */
static void
find_map(struct view *view, const uint8_t *key)
{
	const uint8_t *page = key - ((uintptr_t)key & (view->page_size - 1));
	size_t number, at;

	memcpy(&number, page, sizeof number);
	if (!__builtin_mul_overflow(number, view->page_size, &at) && at < (uintptr_t)page &&
	    read_file(view, at, view->page_size) && memcmp(view->piece, page, view->page_size) == 0)
		view->map = page - at;
}

static void
view_init(struct view *view, struct lmdb_environment *e, size_t n_ranges)
{
	MDB_stat stat;

	view->environment = e;
	view->map = NULL;
	view->windows = NULL;
	view->page_size = 0;
	if (n_ranges >= RANGES_MIN && mdb_env_stat(e->env, &stat) == MDB_SUCCESS &&
	    stat.ms_psize <= PAGE_MAX && mdb_env_get_fd(e->env, &view->file) == MDB_SUCCESS)
		view->page_size = stat.ms_psize;
}

static size_t
place_of(const struct view *view, const struct found *found)
{
	return (size_t)((const uint8_t *)found->piece.data - view->map);
}

static struct found
find(MDB_cursor *c, struct view *view, enum store_space space, const struct store_range *range)
{
	MDB_val k = {range->key.length, (void *)range->key.data}, v;
	struct found found = {.result = STORE_OK};
	struct store_bytes value;
	int64_t expires;
	int code = mdb_cursor_get(c, &k, &v, MDB_SET_KEY);

	if (code != MDB_SUCCESS)
		found.result = lmdb_failed(view->environment, code);
	else if (!lmdb_unwrap(space, &v, &value, &expires))
		found.result = STORE_CORRUPT;
	if (found.result != STORE_OK)
		return found;
	if (view->page_size && !view->map)
		find_map(view, k.mv_data);
	if (!view->map)
		view->page_size = 0; /* not tried again */
	found.piece = store_range_cut(&value, range);
	found.large = value.length > view->page_size / 2 && found.piece.length <= PAGE_MAX;
	return found;
}

static void
count_windows(struct view *view, const struct found *found, size_t n)
{
	size_t last = 0;

	for (size_t i = 0; i < n; i++)
		if (found[i].large)
			last = MAX(last, place_of(view, &found[i]));
	view->windows = g_new0(uint8_t, last / WINDOW + 1);
	for (size_t i = 0; i < n; i++)
		if (found[i].large)
			view->windows[place_of(view, &found[i]) / WINDOW]++;
}

static void
give(struct view *view, struct found *found, size_t index, store_value_fn value, void *context)
{
	if (view->windows && found->large &&
	    view->windows[place_of(view, found) / WINDOW] < WINDOW_PAGES &&
	    read_file(view, place_of(view, found), found->piece.length))
		found->piece.data = view->piece;
	value(context, index, found->result, found->result == STORE_OK ? &found->piece : NULL);
}

static void
get_by_cursor(MDB_cursor *c, struct view *view, enum store_space space,
    const struct store_range *ranges, size_t n_ranges, store_value_fn value, void *context)
{
	g_autofree struct found *found = g_new(struct found, n_ranges);

	for (size_t i = 0; i < n_ranges; i++)
		found[i] = find(c, view, space, &ranges[i]);
	if (view->map)
		count_windows(view, found, n_ranges);
	for (size_t i = 0; i < n_ranges; i++)
		give(view, &found[i], i, value, context);
	g_free(view->windows);
}

void
lmdb_get_cells(struct store *store, enum store_space space, const struct store_range *ranges,
    size_t n_ranges, store_value_fn value, void *context)
{
	struct lmdb_environment *e = lmdb_environment_of((struct store_lmdb *)store, space);
	enum store_result result;
	MDB_txn *txn = lmdb_read_begin(e, &result);
	MDB_cursor *c = NULL;
	struct view view;
	int code = MDB_PANIC;

	if (txn)
		code = lmdb_has_space(e, space) ? mdb_cursor_open(txn, e->dbis[space], &c)
						: MDB_NOTFOUND;
	if (code == MDB_SUCCESS) {
		view_init(&view, e, n_ranges);
		get_by_cursor(c, &view, space, ranges, n_ranges, value, context);
		mdb_cursor_close(c);
	} else {
		if (txn)
			result = lmdb_failed(e, code);
		for (size_t i = 0; i < n_ranges; i++)
			value(context, i, result, NULL);
	}
	if (txn)
		lmdb_read_end(e, txn);
}
