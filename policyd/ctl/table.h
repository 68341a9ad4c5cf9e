/*
 * Rows on standard output: for scripts with tabs between the cells, as they come; on a terminal
 * with a header, in columns, and coloured where it shows colour.
 */
#ifndef GREYLAG_POLICYD_CTL_TABLE_H
#define GREYLAG_POLICYD_CTL_TABLE_H

#include <stdint.h>

#include "lib/terminal.h"

struct ctl_table;

/* TITLES ends with NULL, and must outlive the table. */
struct ctl_table *ctl_table_new(const char *const *titles);
/* The next cell of a row; the last one ends it. TEXT is safe UTF-8. */
void ctl_table_cell(struct ctl_table *table, const char *text);
void ctl_table_number(struct ctl_table *table, int64_t number);
void ctl_table_styled(struct ctl_table *table, enum terminal_style style, const char *text);
/* Prints the rows that were gathered for a terminal; a long list is printed in pieces. */
void ctl_table_flush(struct ctl_table *table);
uint64_t ctl_table_rows(const struct ctl_table *table);
/* Prints what is left. */
void ctl_table_free(struct ctl_table *table);

#endif
