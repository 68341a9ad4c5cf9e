#include "config.h"

#include "policyd/stats/series.h"

#include <string.h>
#include <glib.h>

/* Hours that change yet: a pass counts for the hour of its first attempt. */
#define RECENT_HOURS 49
/* All hours are read again so often, in seconds, for retry windows longer than that. */
#define WHOLE_INTERVAL 600

struct series {
	enum store_space space;
	unsigned n_cells;
	int32_t *cells;              /* a row of each hour: hour H is at H modulo SERIES_HOURS */
	int64_t hours[SERIES_HOURS]; /* that the rows hold */
	uint64_t *grown;             /* of each cell */
	bool begun;                  /* all hours have been read once */
	int64_t last;                /* the newest hour; 0 before the first reading */
	int64_t read_at;             /* when the last reading began */
	int64_t whole_read_at;

	/* A reading under way. */
	int64_t first;
	size_t n, arrived;
	enum store_result worst, result;
};

struct series *
series_new(enum store_space space, unsigned n_cells)
{
	struct series *series = g_new0(struct series, 1);

	series->space = space;
	series->n_cells = n_cells;
	series->cells = g_new0(int32_t, (gsize)SERIES_HOURS * n_cells);
	series->grown = g_new0(uint64_t, n_cells);
	series->result = STORE_UNAVAILABLE;
	return series;
}

void
series_free(struct series *series)
{
	if (!series)
		return;
	g_free(series->cells);
	g_free(series->grown);
	g_free(series);
}

static int32_t *
row(const struct series *series, int64_t hour)
{
	return series->cells + hour % SERIES_HOURS * series->n_cells;
}

void
series_set(struct series *series, int64_t hour, const struct store_bytes *value)
{
	int32_t *cells = row(series, hour);
	bool same = series->hours[hour % SERIES_HOURS] == hour;

	for (unsigned i = 0; i < series->n_cells; i++) {
		int32_t old = same ? cells[i] : 0;

		cells[i] = value ? store_cell_get(value, i) : 0;
		if (series->begun && cells[i] > old)
			series->grown[i] += (uint64_t)((int64_t)cells[i] - old);
	}
	series->hours[hour % SERIES_HOURS] = hour;
	series->last = MAX(series->last, hour);
}

static void
on_value(void *context, size_t index, enum store_result result, const struct store_bytes *value)
{
	struct series *series = context;

	if (result == STORE_OK || result == STORE_NOT_FOUND)
		series_set(series, series->first + (int64_t)index, value);
	else
		series->worst = result;
	if (++series->arrived < series->n)
		return;
	series->result = series->worst;
	if (series->worst != STORE_OK)
		series->whole_read_at = 0;
	else if (series->n == SERIES_HOURS)
		series->begun = true;
}

static void
read_hours(struct series *series, struct store *store, int64_t first, size_t n, unsigned timeout)
{
	uint8_t bytes[SERIES_HOURS][TALLY_KEY_SIZE];
	struct store_bytes keys[SERIES_HOURS];

	series->first = first;
	series->n = n;
	series->arrived = 0;
	series->worst = STORE_OK;
	for (size_t i = 0; i < n; i++) {
		tally_key(first + (int64_t)i, bytes[i]);
		keys[i] = (struct store_bytes){bytes[i], TALLY_KEY_SIZE};
	}
	store_get_many(store, series->space, keys, n, timeout, on_value, series);
}

void
series_refresh(
    struct series *series, struct store *store, int64_t now, int64_t max_age, unsigned timeout)
{
	int64_t hour = now / 3600;
	bool whole = now - series->whole_read_at >= WHOLE_INTERVAL || now < series->whole_read_at ||
		     hour - series->last >= RECENT_HOURS;
	size_t n = whole ? SERIES_HOURS : RECENT_HOURS;

	if (!store) {
		if (series->arrived == series->n)
			series->result = STORE_UNAVAILABLE;
		return;
	}
	if (series->arrived < series->n ||
	    (now - series->read_at < max_age && now >= series->read_at &&
		series->result == STORE_OK))
		return;
	series->read_at = now;
	if (whole)
		series->whole_read_at = now;
	series->last = MAX(series->last, hour);
	read_hours(series, store, hour - (int64_t)n + 1, n, timeout);
}

enum store_result
series_result(const struct series *series)
{
	return series->result;
}

int64_t
series_last_hour(const struct series *series)
{
	return series->last;
}

uint64_t
series_grown(const struct series *series, unsigned cell)
{
	return series->grown[cell];
}

uint64_t
series_sum(const struct series *series, int64_t first, int64_t n, unsigned cell)
{
	uint64_t sum = 0;

	for (int64_t hour = MAX(first, series->last - SERIES_HOURS + 1);
	     hour < first + n && hour <= series->last; hour++)
		if (hour >= 0)
			sum += (uint64_t)MAX(row(series, hour)[cell], 0);
	return sum;
}
