/*
 * The layout of a store: one number for what its keys and bytes mean. It changes when what an older
 * version wrote would be misread, not when a field or a space of keys is added: records skip fields
 * that they do not know, and a space that is not there yet is empty. A store of another layout is
 * refused, untouched, with the commands that carry it over.
 *
 * What is released stays: tests/data/layout-N has a store of each layout, and the text that it was
 * dumped and exported as, which every later version reads.
 */
#ifndef GREYLAG_DB_LAYOUT_H
#define GREYLAG_DB_LAYOUT_H

#include <stdbool.h>
#include <glib.h>

#define STORE_LAYOUT 1

/* What has a layout, and how it is carried over. */
enum store_layout_part {
	STORE_LAYOUT_POLICY, /* policy.mdb */
	STORE_LAYOUT_TOKEN,  /* token.mdb */
	STORE_LAYOUT_SERVER, /* both, on a server */
};

/*
 * True if FOUND is WANTED; else an error for the postmaster. WHERE is what he knows the part by;
 * URI is the store's, for the commands, and NULL where the configuration names it.
 */
bool store_layout_check(enum store_layout_part part, const char *where, const char *uri,
    guint64 found, guint64 wanted, GError **error);

#endif
