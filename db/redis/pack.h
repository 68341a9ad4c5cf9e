/*
 * A value of cells as a Redis server keeps it in STORE_SLOTS, where most cells are zero: a fifth of
 * its size. Pure. Private to the Redis driver.
 *
 *	01 N (ZEROS CELL)...    N cells in all; before each cell that is not zero the number of
 *	                        zeros, then the cell, zigzag (0 -1 1 -2 as 0 1 2 3); what is left
 *	                        is zero
 *	00 BYTES                a value that is no array of cells, as it is
 *
 * Numbers are seven bits a byte, lowest first, the high bit on all bytes but the last. The cells
 * 0 0 5 -1 0 are 01 05 02 0a 00 01.
 */
#ifndef GREYLAG_DB_REDIS_PACK_H
#define GREYLAG_DB_REDIS_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <glib.h>

/* RET_BYTES is replaced. */
void redis_pack(const void *value, size_t length, GByteArray *ret_bytes);
/* False, and *RET_VALUE empty, unless BYTES are well formed. */
bool redis_unpack(const void *bytes, size_t length, GByteArray *ret_value);

#endif
