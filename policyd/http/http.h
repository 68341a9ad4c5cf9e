/*
 * Statistics over HTTP, inside the daemon's event loop: GET and HEAD of a few resources, made
 * from one view at most once a second, so that a thousand scrapes a second cost a thousand
 * small writes. The only one that knows libmicrohttpd.
 */
#ifndef GREYLAG_POLICYD_HTTP_HTTP_H
#define GREYLAG_POLICYD_HTTP_HTTP_H

#include "policyd/view/view.h"

struct ev_loop;
struct http;

/* Opens the sockets that http.listen names and appends them to FDS; nothing if it is "off". An
 * address that is not loopback needs http.allow_remote, and is warned of. One that is taken is
 * only logged: mail goes on without statistics. */
bool http_open_listeners(const struct settings *settings, GArray *fds, GError **error);

/* Serves the sockets in FDS, which stay the caller's. SOURCES are copied. */
struct http *http_new(
    struct ev_loop *loop, const struct view_sources *sources, const GArray *fds, GError **error);
void http_free(struct http *http);

/* After a reload; names and limits are those of the new settings from the next request on. */
void http_set_settings(struct http *http, const struct settings *settings);

#endif
