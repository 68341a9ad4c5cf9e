/*
 * The page's charts, each in a card of its own; what has nothing to show is a line of EMPTY.
 */
#ifndef GREYLAG_POLICYD_HTTP_CHARTS_H
#define GREYLAG_POLICYD_HTTP_CHARTS_H

#include <glib.h>

#include "policyd/view/view.h"

/* Requests by hour and by day. */
void http_charts_hours(const struct view *view, GString *out, GString *empty);
void http_charts_days(const struct view *view, GString *out, GString *empty);

/* How long passed mail was delayed, and what never came back. */
void http_charts_delays(const struct view *view, GString *out, GString *empty);
void http_charts_gone(const struct view *view, GString *out, GString *empty);

/* The classifier's. */
void http_charts_scores(const struct view *view, GString *out, GString *empty);
void http_charts_verdicts(const struct view *view, GString *out, GString *empty);
void http_charts_trainings(const struct view *view, GString *out, GString *empty);

#endif
