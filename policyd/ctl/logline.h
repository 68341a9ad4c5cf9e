/*
 * A decision's line of the log, read back: client=... sender=... recipient=..., with the quoting
 * of lib/log.h undone. What stands before the fields (time, host, program) is skipped. The lines
 * of greylag-milter have the same fields. Pure.
 */
#ifndef GREYLAG_POLICYD_CTL_LOGLINE_H
#define GREYLAG_POLICYD_CTL_LOGLINE_H

#include <stdbool.h>
#include <glib.h>

enum logline_field {
	LOGLINE_CLIENT,
	LOGLINE_NAME,
	LOGLINE_SENDER,
	LOGLINE_RECIPIENT,
	LOGLINE_ACTION,
	LOGLINE_REASON,
	LOGLINE_DELAY,
	LOGLINE_FIELDS,
};

struct logline {
	char *value[LOGLINE_FIELDS]; /* NULL if it is not there; may be any bytes but NUL */
};

#define LOGLINE_ERROR (g_quark_from_static_string("greylag-logline"))

/* False for a line with none of client=, sender= and recipient=, for one that ends within quotes,
 * and for one with a field that was too long for the log and was cut. A field given twice has its
 * first value. The logline is to be cleared. */
bool logline_parse(const char *line, struct logline *ret_logline, GError **error);
void logline_clear(struct logline *logline);

#endif
