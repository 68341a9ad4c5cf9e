/*
 * The page's style and script, and the policy that allows just these.
 */
#ifndef GREYLAG_POLICYD_HTTP_ASSETS_H
#define GREYLAG_POLICYD_HTTP_ASSETS_H

extern const char http_style[], http_script[];

/* The value of Content-Security-Policy: nothing but this style and this script, by their
 * digests. To be freed with g_free(). */
char *http_assets_policy(void);

#endif
