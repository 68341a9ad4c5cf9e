/*
 * What load and import share: lines of text in, records into the store, many to a commit.
 */
#ifndef GREYLAG_CLASSIFIER_CLI_LOAD_H
#define GREYLAG_CLASSIFIER_CLI_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "classifier/cli/cli.h"

struct loading {
	struct store *store;
	unsigned waiting;
	GArray *deltas;           /* struct store_delta that are not with the store yet */
	enum store_result result; /* the first failure */
	uint64_t records;
};

/* Opens the bank as the only trainer; false when it has told what is wrong. */
bool load_begin(struct cli *cli, struct loading *ret_loading);
/* Waits for what is under way and tells how many records there were; the exit status. */
int load_finish(struct loading *loading, bool good);

/* Adds deltas to a record of cells. */
void load_cells(struct loading *loading, enum store_space space, const void *key, size_t length,
    const struct store_cell *cells, size_t n);
/* For updates of the caller's: a done() for their calls, and to be called after each. */
void load_note_failure(void *context, enum store_result result, void *job);
void load_count(struct loading *loading);

/* Argument INDEX as a stream; STANDARD if there is none or it is "-"; NULL when it has told what is
 * wrong. */
FILE *load_stream(int argc, char **argv, int index, const char *mode, FILE *standard);

/* Calls LINE for each, without its end; at the first false it tells the line's number, and returns
 * false. */
bool load_lines(FILE *in, const char *name, bool (*line)(void *context, char *text), void *context);

/* The whole of TEXT, which may be NULL, as a number. */
bool load_number(const char *text, int32_t *ret_number);

#endif
