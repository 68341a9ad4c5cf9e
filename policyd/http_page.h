/*
 * /: the page for people. Self-contained; nothing on it changes anything.
 */
#ifndef GREYLAG_POLICYD_HTTP_PAGE_H
#define GREYLAG_POLICYD_HTTP_PAGE_H

#include <glib.h>

#include "policyd/view.h"

/*
 * A number that is in /stats too stands in an element whose data-stat attribute names it there:
 * "last_24_hours.deferred".
 */
void http_page_render(const struct view *view, GString *out);

/* Seconds as people say it: "4 min 12 s", "3 h 5 min", "2 d 4 h". No line breaks
 * between a number and its unit. */
char *http_page_duration(double seconds);

#endif
