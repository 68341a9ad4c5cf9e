/*
 * Which Host headers are answered. A web page of a stranger may have its name resolve to this
 * machine (DNS rebinding); its requests then carry that name, and are refused.
 */
#ifndef GREYLAG_POLICYD_HTTP_HOST_H
#define GREYLAG_POLICYD_HTTP_HOST_H

#include <stdbool.h>

/* HOST as in the header, with or without port. Names in HOSTS (NULL-terminated, without port) are
 * accepted besides localhost and the literals of loopback addresses. */
bool http_host_accepted(const char *host, const char *const *hosts);

#endif
