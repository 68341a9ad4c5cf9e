/*
 * The word lists that a store was given, by the digest of their bytes, so that none counts twice.
 *
 * A record each in STORE_MODEL, under "import:" and the digest in hexadecimal:
 *
 *	01  01 01 02  02 04 6a 24 f7 00
 *	|   |  |  |   |     begun or done, seconds since 1970
 *	|   |  |  state: 1 begun, 2 done
 *	|   tag 1
 *	version 1
 */
#ifndef GREYLAG_CLASSIFIER_BANK_IMPORTS_H
#define GREYLAG_CLASSIFIER_BANK_IMPORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "db/store.h"

/* Of the keys of such records. */
#define IMPORTS_PREFIX "import:"

/* Stored: append, never renumber. */
enum import_state {
	IMPORT_UNKNOWN,
	IMPORT_BEGUN, /* and not ended: some of it may be in the store */
	IMPORT_DONE,
};

struct import_note {
	enum import_state state;
	int64_t time;
};

/* Notes that the import of the list with DIGEST (text) begins now, unless it was begun before and
 * this is not to happen AGAIN. *RET_BEFORE is what was known of it. */
enum store_result imports_begin(
    struct store *store, const char *digest, bool again, struct import_note *ret_before);

/* Notes that it is done. */
enum store_result imports_end(struct store *store, const char *digest);

#endif
