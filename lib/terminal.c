#include "config.h"

#include "lib/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <glib.h>

/* Colours that can be read on a light and on a dark ground (ECMA-48, SGR). */
static const char *const begin[TERMINAL_STYLES] = {
    [TERMINAL_PLAIN] = "",
    [TERMINAL_TITLE] = "\033[1m",
    [TERMINAL_GOOD] = "\033[32m",
    [TERMINAL_WAITING] = "\033[33m",
    [TERMINAL_BAD] = "\033[31m",
    [TERMINAL_FAINT] = "\033[2m",
};

struct terminal
terminal_of(FILE *stream)
{
	const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
	struct terminal terminal = {.is_terminal = isatty(fileno(stream))};

	terminal.colour = terminal.is_terminal && term && *term && strcmp(term, "dumb") != 0 &&
			  !(no_colour && *no_colour);
	return terminal;
}

const char *
terminal_begin(const struct terminal *terminal, enum terminal_style style)
{
	return terminal->colour ? begin[style] : "";
}

const char *
terminal_end(const struct terminal *terminal, enum terminal_style style)
{
	return terminal->colour && style != TERMINAL_PLAIN ? "\033[0m" : "";
}

size_t
terminal_columns(const char *text)
{
	size_t columns = 0;

	for (const char *p = text; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);

		columns += g_unichar_iswide(c) ? 2 : !g_unichar_iszerowidth(c);
	}
	return columns;
}
