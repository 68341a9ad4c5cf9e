/*
 * /stats: the numbers as JSON. The schema, with its version, is described in
 * greylag-metrics(5); what is there keeps its name and meaning within a version, and more may be
 * added.
 */
#ifndef GREYLAG_POLICYD_VIEW_HTTP_STATS_H
#define GREYLAG_POLICYD_VIEW_HTTP_STATS_H

#include <glib.h>

#include "policyd/view/view.h"

#define HTTP_STATS_VERSION 1

void http_stats_render(const struct view *view, GString *out);

/* Those parts of it that the store tells, for PROGRAM that is not the daemon. */
void http_stats_render_stored(const struct view *view, const char *program, GString *out);

/* The settings that are shown, on the page too; ends with SETTING_COUNT. */
extern const enum setting http_shown_settings[];

#endif
