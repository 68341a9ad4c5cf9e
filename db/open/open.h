/*
 * From a URI to a store: the one place that knows all drivers.
 */
#ifndef GREYLAG_DB_OPEN_OPEN_H
#define GREYLAG_DB_OPEN_OPEN_H

#include "db/store.h"

/* Opens after fork(2), once a process and folder. A store of another layout, and one that is no
 * store, are refused with a message for the postmaster. NULL and an error on failure. */
struct store *store_open(const struct store_options *options, GError **error);

/* The store at URI is a server's: reads complete after their call, and scans go in no
 * order, but those of slots and memory. */
bool store_is_shared(const char *uri);

#endif
