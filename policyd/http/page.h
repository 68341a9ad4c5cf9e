/*
 * /: the page for people. Self-contained; nothing on it changes anything.
 */
#ifndef GREYLAG_POLICYD_HTTP_PAGE_H
#define GREYLAG_POLICYD_HTTP_PAGE_H

#include <glib.h>

#include "policyd/view/view.h"

/*
 * A number that is in /stats too stands in an element whose data-stat attribute names it there:
 * "last_24_hours.deferred".
 */
void http_page_render(const struct view *view, GString *out);

#endif
