/*
 * /metrics: one table of metrics, written as OpenMetrics 1.0 or as Prometheus text 0.0.4.
 * Labels have few values, none of them from mail.
 */
#ifndef GREYLAG_POLICYD_HTTP_METRICS_H
#define GREYLAG_POLICYD_HTTP_METRICS_H

#include <glib.h>

#include "policyd/view/view.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_INFO };

struct metrics_writer;

struct metric_row {
	const char *name; /* of the family: without _total */
	enum metric_type type;
	const char *unit;   /* which the name ends in; NULL if it has none */
	const char *labels; /* "reason", "" for none; for the manual */
	const char *help;
	void (*write)(struct metrics_writer *writer, const struct view *view);
};

extern const struct metric_row http_metrics[];
extern const size_t n_http_metrics;

enum metrics_format { METRICS_PROMETHEUS, METRICS_OPENMETRICS };

extern const char *const metrics_content_types[];

/* What a client with this Accept header (NULL: none) gets. */
enum metrics_format metrics_negotiate(const char *accept);

void metrics_render(const struct view *view, enum metrics_format format, GString *out);

/* Appends a label's value as it stands between quotes, in either format. Bytes that are not
 * UTF-8 are replaced. */
void metrics_escape(GString *out, const char *value);

#endif
