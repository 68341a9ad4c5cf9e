/*
 * Text for people: whether a stream is a terminal, and whether it shows colour.
 */
#ifndef GREYLAG_LIB_TERMINAL_H
#define GREYLAG_LIB_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct terminal {
	bool is_terminal;
	/* Is one, TERM names one that is not dumb, and NO_COLOR is empty or not set
	 * (https://no-color.org). */
	bool colour;
};

struct terminal terminal_of(FILE *stream);

enum terminal_style {
	TERMINAL_PLAIN,
	TERMINAL_TITLE,
	TERMINAL_GOOD,    /* let in, wanted */
	TERMINAL_WAITING, /* deferred, unsure */
	TERMINAL_BAD,     /* refused, failed */
	TERMINAL_FAINT,   /* over, of little weight */
	TERMINAL_STYLES,
};

/* What is written before and after text of that style; "" where there is no colour. */
const char *terminal_begin(const struct terminal *terminal, enum terminal_style style);
const char *terminal_end(const struct terminal *terminal, enum terminal_style style);

/* The columns that UTF-8 takes. */
size_t terminal_columns(const char *text);

#endif
