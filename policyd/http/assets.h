/*
 * The page's own style and script (policyd/http/page.css, policyd/http/page.js), which are
 * compiled in, and the policy that allows just these.
 */
#ifndef GREYLAG_POLICYD_HTTP_ASSETS_H
#define GREYLAG_POLICYD_HTTP_ASSETS_H

/* The style stands in an element of its own after that of chart_style. */
extern const char http_style[], http_script[];

/* The value of Content-Security-Policy: nothing but these styles and this script, by their
 * digests. To be freed with g_free(). */
char *http_assets_policy(void);

#endif
