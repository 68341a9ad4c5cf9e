/* What an update says through a struct store_change, for the drivers to carry out. */
#include "config.h"

#include <string.h>

#include "db/store_driver.h"

void
store_change_init(struct store_change *change)
{
	*change = (struct store_change){0};
	change->steps = g_array_new(FALSE, FALSE, sizeof(struct store_step));
	change->memory = g_ptr_array_new_with_free_func(g_free);
}

void
store_change_begin(struct store_change *change, enum store_space space, struct store_bytes key)
{
	change->space = space;
	change->key = key;
	change->refused = !store_key_is_good(key);
	g_array_set_size(change->steps, 0);
	g_ptr_array_set_size(change->memory, 0);
	change->free = NULL;
	change->n_free = 0;
	change->by_reference = false;
}

void
store_change_clear(struct store_change *change)
{
	g_array_unref(change->steps);
	g_ptr_array_unref(change->memory);
}

/* A batch of tokens has a hundred thousand small copies. */
#define BLOCK     65536
#define ALIGNMENT 8

static void *
copy(struct store_change *change, const void *data, size_t length)
{
	size_t taken = (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	uint8_t *memory;

	if (!data || !length)
		return NULL;
	if (change->by_reference)
		return (void *)data;
	if (taken > change->n_free) {
		change->n_free = MAX(taken, BLOCK);
		change->free = g_malloc(change->n_free);
		g_ptr_array_add(change->memory, change->free);
	}
	memory = change->free;
	change->free += taken;
	change->n_free -= taken;
	return memcpy(memory, data, length);
}

static struct store_bytes
copy_bytes(struct store_change *change, struct store_bytes bytes)
{
	return (struct store_bytes){copy(change, bytes.data, bytes.length), bytes.length};
}

static struct store_bytes
copy_key(struct store_change *change, struct store_bytes key)
{
	change->refused |= !store_key_is_good(key);
	return copy_bytes(change, key);
}

void
store_change_by_reference(struct store_change *change)
{
	change->by_reference = true;
}

static bool
same_environment(const struct store_change *change, enum store_space space)
{
	return store_spaces[space].environment == store_spaces[change->space].environment;
}

void
store_change_put(struct store_change *change, const void *value, size_t length, int64_t expires)
{
	struct store_step step = {
	    .kind = STORE_STEP_PUT,
	    .space = change->space,
	    .key = change->key,
	    .value = copy_bytes(change, (struct store_bytes){value, length}),
	    .expires = expires,
	};

	g_array_append_val(change->steps, step);
}

void
store_change_delete(struct store_change *change)
{
	struct store_step step = {
	    .kind = STORE_STEP_DELETE, .space = change->space, .key = change->key};

	g_array_append_val(change->steps, step);
}

void
store_change_also_put(struct store_change *change, enum store_space space, struct store_bytes key,
    struct store_bytes value, int64_t expires)
{
	struct store_step step = {
	    .kind = STORE_STEP_PUT,
	    .space = space,
	    .key = copy_key(change, key),
	    .value = copy_bytes(change, value),
	    .expires = expires,
	};

	g_return_if_fail(same_environment(change, space));
	g_array_append_val(change->steps, step);
}

void
store_change_also_put_cells(struct store_change *change, enum store_space space,
    struct store_bytes key, const int32_t *cells, size_t n)
{
	struct store_step step = {
	    .kind = STORE_STEP_PUT,
	    .space = space,
	    .key = copy_key(change, key),
	    .whole = copy(change, cells, n * sizeof *cells),
	    .n_cells = n,
	};

	g_return_if_fail(same_environment(change, space) && n <= STORE_CELLS_MAX);
	g_array_append_val(change->steps, step);
}

void
store_change_also_delete(
    struct store_change *change, enum store_space space, struct store_bytes key)
{
	struct store_step step = {
	    .kind = STORE_STEP_DELETE, .space = space, .key = copy_key(change, key)};

	g_return_if_fail(same_environment(change, space));
	g_array_append_val(change->steps, step);
}

void
store_change_also_add(struct store_change *change, const struct store_delta *delta)
{
	struct store_step step = {
	    .kind = STORE_STEP_ADD,
	    .space = delta->space,
	    .key = copy_key(change, delta->key),
	    .cells = copy(change, delta->cells, delta->n_cells * sizeof *delta->cells),
	    .n_cells = delta->n_cells,
	    .expires = delta->expires,
	};

	g_return_if_fail(same_environment(change, delta->space));
	g_array_append_val(change->steps, step);
}

/* -- cells -- */

static int32_t
cell_read(const uint8_t *b)
{
	return (int32_t)((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]);
}

static void
cell_write(uint8_t *b, int32_t value)
{
	uint32_t bits = (uint32_t)value;

	b[0] = (uint8_t)(bits >> 24);
	b[1] = (uint8_t)(bits >> 16);
	b[2] = (uint8_t)(bits >> 8);
	b[3] = (uint8_t)bits;
}

int32_t
store_cell_get(const struct store_bytes *value, uint32_t index)
{
	if (value->length / 4 <= index)
		return 0;
	return cell_read((const uint8_t *)value->data + 4 * (size_t)index);
}

void
store_cells_get(const struct store_bytes *value, int32_t *ret_cells, size_t n)
{
	size_t there = MIN(n, value->length / 4);

	memcpy(ret_cells, value->data, there * sizeof *ret_cells);
	for (size_t i = 0; i < there; i++)
		ret_cells[i] = (int32_t)GUINT32_FROM_BE((uint32_t)ret_cells[i]);
	memset(ret_cells + there, 0, (n - there) * sizeof *ret_cells);
}

size_t
store_step_length(const struct store_step *step)
{
	return step->whole ? 4 * step->n_cells : step->value.length;
}

void
store_step_write(const struct store_step *step, uint8_t *ret_value)
{
	if (!step->whole && step->value.length)
		memcpy(ret_value, step->value.data, step->value.length);
	for (size_t i = 0; step->whole && i < step->n_cells; i++)
		cell_write(ret_value + 4 * i, step->whole[i]);
}

struct store_bytes
store_step_value(const struct store_step *step, GByteArray *scratch)
{
	if (!step->whole)
		return step->value;
	g_byte_array_set_size(scratch, (guint)store_step_length(step));
	store_step_write(step, scratch->data);
	return (struct store_bytes){scratch->data, scratch->len};
}

/* A sum that would leave the range is refused: the cell keeps what it had. */
static int32_t
cell_apply(int32_t old, const struct store_cell *cell)
{
	int32_t sum;

	if (cell->op == STORE_MAX)
		return MAX(old, cell->delta);
	return __builtin_add_overflow(old, cell->delta, &sum) ? old : sum;
}

void
store_cells_apply(
    const struct store_bytes *old, const struct store_step *step, GByteArray *ret_value)
{
	g_byte_array_set_size(ret_value, 0);
	if (old)
		g_byte_array_append(ret_value, old->data, (guint)old->length);
	for (size_t i = 0; i < step->n_cells; i++) {
		const struct store_cell *cell = &step->cells[i];
		guint needed = 4 * (cell->index + 1), had = ret_value->len;
		uint8_t *b;

		g_return_if_fail(cell->index < STORE_CELLS_MAX);
		if (had < needed) {
			g_byte_array_set_size(ret_value, needed);
			memset(ret_value->data + had, 0, needed - had);
		}
		b = ret_value->data + 4 * (size_t)cell->index;
		cell_write(b, cell_apply(cell_read(b), cell));
	}
}
