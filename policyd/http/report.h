/*
 * The report's cards of the page; what has nothing to show is a line of EMPTY.
 */
#ifndef GREYLAG_POLICYD_HTTP_REPORT_H
#define GREYLAG_POLICYD_HTTP_REPORT_H

#include <glib.h>

#include "policyd/view/view.h"

/* What greylisting did, and whether it pays. */
void http_report_worth(const struct view *view, GString *out, GString *empty);

/* The same by domain of recipients. */
void http_report_domains(const struct view *view, GString *out);

/* Other delays, and what is worth whitelisting. */
void http_report_tables(const struct view *view, GString *out, GString *empty);

#endif
