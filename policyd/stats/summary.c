#include "config.h"

#include "policyd/stats/summary.h"

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

/* An hour's values; of a writer that kept counts alone, no more is known. */
static void
add_hour(struct histogram *h, const struct tally_values *values, const struct series *series,
    int64_t hour)
{
	uint64_t least = series_sum(series, hour, 1, values->least);
	uint64_t greatest = series_sum(series, hour, 1, values->greatest);
	double step = values->scale->step;

	for (unsigned i = 0; i <= values->scale->n_bounds; i++) {
		uint64_t n = series_sum(series, hour, 1, values->counts + i);

		if (!n)
			continue;
		h->counts[i] += n;
		h->sums[i] += histogram_sum(
		    values->scale, i, n, series_sum(series, hour, 1, values->sums + i));
		h->inexact |= !greatest;
	}
	if (!greatest)
		return;
	h->least = MIN(h->least, (double)(INT32_MAX - least) * step);
	h->greatest = MAX(h->greatest, (double)(greatest - 1) * step);
}

static void
add_histogram(const struct summary *s, const struct tally_values *values,
    const struct series *series, struct histogram *h)
{
	h->least = INFINITY;
	for (int64_t hour = s->first; hour < s->first + s->hours; hour++)
		add_hour(h, values, series, hour);
}

struct summary
summary_counts(const struct series *series, int64_t first, int64_t n)
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
	s.may_be_new = series_sum(series, first, n, TALLY_MAY_BE_NEW);
	return s;
}

struct summary
summary_of(const struct series *series, int64_t first, int64_t n)
{
	struct summary s = summary_counts(series, first, n);

	add_histogram(&s, &tally_delays, series, &s.delays);
	add_histogram(&s, &tally_latencies, series, &s.latencies);
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
