/*
 * The report's section of the page.
 */
#ifndef GREYLAG_POLICYD_HTTP_REPORT_H
#define GREYLAG_POLICYD_HTTP_REPORT_H

#include <glib.h>

#include "policyd/view.h"

void http_report_render(const struct view *view, GString *out);

#endif
