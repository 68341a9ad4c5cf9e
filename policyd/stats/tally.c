#include "config.h"

#include "policyd/stats/tally.h"

#include <glib.h>

/* Counted for an hour before the present one: few, since each is a cell that passes add to. */
struct earlier {
	int64_t hour;
	unsigned cell;
	uint32_t waiting, handed;
};

const struct tally_values tally_delays = {
    &histogram_delay, TALLY_DELAYS, TALLY_DELAY_SUMS, TALLY_DELAY_LEAST, TALLY_DELAY_GREATEST};
const struct tally_values tally_latencies = {&histogram_latency, TALLY_LATENCIES,
    TALLY_LATENCY_SUMS, TALLY_LATENCY_LEAST, TALLY_LATENCY_GREATEST};

struct tally {
	uint64_t totals[TALLY_CELLS];
	uint32_t waiting[TALLY_CELLS]; /* not yet handed to the store */
	uint32_t handed[TALLY_CELLS];  /* under way */
	GArray *earlier;               /* struct earlier */
	bool under_way;
	enum store_result result;
};

struct tally *
tally_new(void)
{
	struct tally *tally = g_new0(struct tally, 1);

	tally->earlier = g_array_new(FALSE, FALSE, sizeof(struct earlier));
	return tally;
}

void
tally_free(struct tally *tally)
{
	if (!tally)
		return;
	g_array_unref(tally->earlier);
	g_free(tally);
}

void
tally_add(struct tally *tally, unsigned cell, uint32_t n)
{
	tally->totals[cell] += n;
	tally->waiting[cell] += n;
}

static void
raise_to(struct tally *tally, unsigned cell, uint32_t n)
{
	tally->totals[cell] = MAX(tally->totals[cell], n);
	tally->waiting[cell] = MAX(tally->waiting[cell], n);
}

void
tally_value(struct tally *tally, const struct tally_values *values, double value)
{
	unsigned bucket = histogram_bucket(values->scale, value);
	double steps = CLAMP(value / values->scale->step, 0, INT32_MAX - 1.0);

	tally_add(tally, values->counts + bucket, 1);
	tally_add(tally, values->sums + bucket, histogram_offset(values->scale, bucket, value));
	raise_to(tally, values->least, (uint32_t)(INT32_MAX - steps));
	raise_to(tally, values->greatest, (uint32_t)(steps + 1));
}

void
tally_count(struct tally *tally, enum reason reason)
{
	tally_add(tally, TALLY_REASONS + reason, 1);
}

void
tally_add_at(struct tally *tally, int64_t hour, unsigned cell, uint32_t n)
{
	struct earlier new = {.hour = hour, .cell = cell, .waiting = n};

	tally->totals[cell] += n;
	for (guint i = 0; i < tally->earlier->len; i++) {
		struct earlier *e = &g_array_index(tally->earlier, struct earlier, i);

		if (e->hour == hour && e->cell == cell) {
			e->waiting += n;
			return;
		}
	}
	g_array_append_val(tally->earlier, new);
}

uint64_t
tally_total(const struct tally *tally, unsigned cell)
{
	return tally->totals[cell];
}

bool
tally_is_written(const struct tally *tally)
{
	return !tally->under_way && tally->result == STORE_OK;
}

enum store_result
tally_result(const struct tally *tally)
{
	return tally->result;
}

void
tally_key(int64_t hour, uint8_t ret_key[TALLY_KEY_SIZE])
{
	store_hour_key(hour, ret_key);
}

int64_t
tally_key_hour(const struct store_bytes *key)
{
	const uint8_t *b = key->data;

	if (key->length != TALLY_KEY_SIZE)
		return -1;
	return (int64_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
}

/* -- flush -- */

static void
settle(uint32_t *waiting, uint32_t *handed, bool written)
{
	if (!written)
		*waiting += *handed;
	*handed = 0;
}

/* What was certainly not written waits again; what may have been is not counted twice. */
static void
flushed(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct tally *tally = context;
	bool written = result == STORE_OK || result == STORE_UNCERTAIN;

	for (unsigned i = 0; i < TALLY_MAXIMA; i++)
		settle(&tally->waiting[i], &tally->handed[i], written);
	for (unsigned i = TALLY_MAXIMA; i < TALLY_CELLS; i++) {
		if (!written)
			raise_to(tally, i, tally->handed[i]);
		tally->handed[i] = 0;
	}
	for (guint i = tally->earlier->len; i-- > 0;) {
		struct earlier *e = &g_array_index(tally->earlier, struct earlier, i);

		settle(&e->waiting, &e->handed, written);
		if (!e->waiting)
			g_array_remove_index_fast(tally->earlier, i);
	}
	/* What was not written is tried again, so that a failure does not outlast its cause. */
	tally->result = written ? STORE_OK : result;
	tally->under_way = false;
}

static struct store_cell
hand_over(unsigned cell, uint32_t *waiting, uint32_t *handed)
{
	*handed = MIN(*waiting, INT32_MAX);
	*waiting -= *handed;
	return (struct store_cell){.index = cell,
	    .op = cell < TALLY_MAXIMA ? STORE_ADD : STORE_MAX,
	    .delta = (int32_t)*handed};
}

/* Deltas point into CELLS and KEYS, which have room for all. */
struct flush {
	struct store_delta *deltas;
	struct store_cell *cells;
	uint8_t (*keys)[TALLY_KEY_SIZE];
	size_t n_deltas, n_cells;
};

static void
add_delta(struct flush *flush, int64_t hour, size_t n_cells)
{
	uint8_t *key = flush->keys[flush->n_deltas];

	if (!n_cells)
		return;
	tally_key(hour, key);
	flush->deltas[flush->n_deltas++] = (struct store_delta){
	    .space = STORE_HOURS,
	    .key = {key, TALLY_KEY_SIZE},
	    .cells = flush->cells + flush->n_cells,
	    .n_cells = n_cells,
	    .expires = hour * 3600 + TALLY_DAYS * 86400,
	};
	flush->n_cells += n_cells;
}

static void
gather(struct tally *tally, int64_t hour, struct flush *flush)
{
	size_t n = 0;

	for (unsigned i = 0; i < TALLY_CELLS; i++)
		if (tally->waiting[i])
			flush->cells[n++] = hand_over(i, &tally->waiting[i], &tally->handed[i]);
	add_delta(flush, hour, n);
	for (guint i = 0; i < tally->earlier->len; i++) {
		struct earlier *e = &g_array_index(tally->earlier, struct earlier, i);

		flush->cells[flush->n_cells] = hand_over(e->cell, &e->waiting, &e->handed);
		add_delta(flush, e->hour, 1);
	}
}

void
tally_flush(struct tally *tally, struct store *store, int64_t now)
{
	struct store_call call = {.done = flushed, .context = tally};
	size_t room = tally->earlier->len + 1;
	g_autofree struct store_delta *deltas = NULL;
	g_autofree struct store_cell *cells = NULL;
	g_autofree uint8_t(*keys)[TALLY_KEY_SIZE] = NULL;
	struct flush flush;

	if (tally->under_way || !store)
		return;
	deltas = g_new(struct store_delta, room);
	cells = g_new(struct store_cell, room + TALLY_CELLS);
	keys = g_malloc(room * sizeof *keys);
	flush = (struct flush){.deltas = deltas, .cells = cells, .keys = keys};
	gather(tally, now / 3600, &flush);
	if (!flush.n_deltas)
		return;
	tally->under_way = true;
	store_add_many(store, flush.deltas, flush.n_deltas, &call);
}
