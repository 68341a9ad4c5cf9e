#include "policyd/summary.h"

#include <math.h>
#include <glib.h>

static void
add_reasons(struct summary *s, const struct series *series)
{
	for (unsigned i = 0; i < REASONS; i++) {
		uint64_t n = series_sum(series, s->first, s->hours, TALLY_REASONS + i);
		uint64_t *const by_effect[] = {
		    [REASON_DEFERS] = &s->deferred,
		    [REASON_PASSES] = &s->passed,
		    [REASON_SPARES] = &s->spared,
		    [REASON_FAILS] = &s->failed,
		};

		s->by_reason[i] = n;
		*by_effect[reason_row((enum reason)i)->effect] += n;
	}
}

static void
add_buckets(const struct summary *s, const struct series *series,
    const struct histogram_scale *scale, unsigned cell, uint64_t *counts)
{
	for (unsigned i = 0; i <= scale->n_bounds; i++)
		counts[i] = series_sum(series, s->first, s->hours, cell + i);
}

struct summary
summary_of(const struct series *series, int64_t first, int64_t n)
{
	struct summary s = {.first = first, .hours = n};
	uint64_t firsts;

	add_reasons(&s, series);
	s.observed = MIN(series_sum(series, first, n, TALLY_OBSERVED), s.deferred);
	s.deferred -= s.observed;
	s.spared += s.observed;
	s.early = s.by_reason[REASON_EARLY];
	firsts = s.by_reason[REASON_FIRST] + s.by_reason[REASON_WINDOW_OVER];
	s.firsts = firsts - MIN(firsts, s.observed);
	s.returned = MIN(series_sum(series, first, n, TALLY_RETURNED), s.firsts);
	add_buckets(&s, series, &histogram_delay, TALLY_DELAYS, s.delays);
	add_buckets(&s, series, &histogram_latency, TALLY_LATENCIES, s.latencies);
	return s;
}

struct judged
summary_judged(const struct series *series, int64_t first, int64_t n)
{
	struct judged judged = {.first = first, .hours = n};

	for (unsigned i = 0; i < VERDICTS_CELLS; i++)
		judged.cells[i] = series_sum(series, first, n, i);
	return judged;
}

uint64_t
summary_verdicts(const struct judged *judged)
{
	return judged->cells[VERDICTS_HAM] + judged->cells[VERDICTS_SPAM] +
	       judged->cells[VERDICTS_UNSURE];
}

uint64_t
summary_learned(const struct judged *judged)
{
	return judged->cells[VERDICTS_LEARNED_HAM] + judged->cells[VERDICTS_LEARNED_SPAM];
}

uint64_t
summary_all(const struct summary *s)
{
	return s->deferred + s->passed + s->spared + s->failed;
}

double
summary_gone(const struct summary *s)
{
	return s->firsts ? 1 - (double)s->returned / (double)s->firsts : NAN;
}
