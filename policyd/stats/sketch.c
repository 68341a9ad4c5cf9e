#include "config.h"

#include "policyd/stats/sketch.h"

#include <stdbool.h>
#include <string.h>

struct sketch {
	struct sketch_item items[SKETCH_SIZE];
	unsigned used;
	GHashTable *index; /* key, which lies in its item, to item */
};

struct sketch *
sketch_new(void)
{
	struct sketch *sketch = g_new0(struct sketch, 1);

	sketch->index = g_hash_table_new(g_str_hash, g_str_equal);
	return sketch;
}

void
sketch_free(struct sketch *sketch)
{
	if (!sketch)
		return;
	g_hash_table_unref(sketch->index);
	g_free(sketch);
}

/* A free place, or that of the rarest key, whose count the new one inherits as its error. */
static struct sketch_item *
make_room(struct sketch *sketch)
{
	struct sketch_item *least = sketch->items;

	if (sketch->used < SKETCH_SIZE)
		return &sketch->items[sketch->used++];
	for (unsigned i = 1; i < SKETCH_SIZE; i++)
		if (sketch->items[i].count < least->count)
			least = &sketch->items[i];
	g_hash_table_remove(sketch->index, least->key);
	least->error = least->count;
	return least;
}

void
sketch_add(struct sketch *sketch, const char *key)
{
	char cut[SKETCH_KEY_MAX + 1];
	struct sketch_item *item;

	g_strlcpy(cut, key, sizeof cut);
	item = g_hash_table_lookup(sketch->index, cut);
	if (!item) {
		item = make_room(sketch);
		memcpy(item->key, cut, sizeof cut);
		g_hash_table_insert(sketch->index, item->key, item);
	}
	item->count++;
}

static gint
by_count(gconstpointer x, gconstpointer y)
{
	const struct sketch_item *a = x, *b = y;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return strcmp(a->key, b->key);
}

/* Appends what SKETCH has, added to what OTHER has of the same key. */
static void
append(GArray *all, const struct sketch *sketch, const struct sketch *other, bool only_new)
{
	for (unsigned i = 0; sketch && i < sketch->used; i++) {
		struct sketch_item item = sketch->items[i];
		const struct sketch_item *also =
		    other ? g_hash_table_lookup(other->index, item.key) : NULL;

		if (also && only_new)
			continue;
		if (also) {
			item.count += also->count;
			item.error += also->error;
		}
		g_array_append_val(all, item);
	}
}

GArray *
sketch_top(const struct sketch *a, const struct sketch *b, size_t limit)
{
	GArray *all = g_array_new(FALSE, FALSE, sizeof(struct sketch_item));

	append(all, a, b, false);
	append(all, b, a, true);
	g_array_sort(all, by_count);
	if (all->len > limit)
		g_array_set_size(all, (guint)limit);
	return all;
}
