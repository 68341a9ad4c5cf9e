/*
 * The log of a program: lines of key=value that nothing from a message can forge.
 *
 * The one place, besides the mains, with mutable state of its own (the open target). Lines are
 * gathered in a buffer and written when it is full, when log_flush() is called, and at once for
 * LOG_LEVEL_WARNING and above: a datagram a decision would halve the server's throughput.
 * Writing a line allocates nothing. May be called by several threads at once.
 */
#ifndef GREYLAG_LIB_LOG_H
#define GREYLAG_LIB_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/*
 * Opens the log of PROGRAM. TARGET is "stderr", "syslog" (facility mail), "none", or a file's
 * absolute path, to which is appended; log_reopen() opens that file again after a rotation.
 * Lines above LEVEL are dropped. Before log_open() lines go to standard error.
 * Where standard error is systemd's journal, lines begin with their level as of sd-daemon(3), so
 * that "journalctl -p err" finds errors.
 */
bool log_open(const char *program, const char *target, enum log_level level, GError **error);
bool log_reopen(GError **error);
void log_flush(void);
void log_close(void);

/* The prefix of an error line on standard error: "<3>" in the journal, else "". */
const char *log_error_prefix(void);

/* A free text line for people, printf-style. Control characters in it are escaped. */
void log_line(enum log_level level, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* As log_line(), but at most once a minute for each KIND (a string constant, compared by its
 * text); the line then says how many were held back. */
void log_limited(enum log_level level, const char *kind, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* For tests: where log_limited() reads its seconds from; NULL for the monotonic clock. */
void log_set_clock(int64_t (*seconds)(void));

/*
 * A line of key=value pairs, built in a buffer of the caller's, of fixed size:
 *
 *	struct log_fields fields;
 *	log_fields_init(&fields);
 *	log_fields_text(&fields, "client", "192.0.2.1");
 *	log_fields_int(&fields, "delay", 61);
 *	log_fields_write(&fields, LOG_LEVEL_INFO);
 *
 * A value is written bare if it has only letters, digits and . _ - + @ : / = < > [ ] and is not
 * empty; else it is put between double quotes, with " and \ escaped by a backslash and every
 * byte below 0x20, 0x7f and all from 0x80 up as \xHH. A value that would take more than some 300
 * bytes is cut and ends in "..."; the closing quote is always there.
 */
#define LOG_FIELDS_SIZE 2048

struct log_fields {
	size_t used;
	char text[LOG_FIELDS_SIZE];
};

void log_fields_init(struct log_fields *fields);
void log_fields_text(struct log_fields *fields, const char *key, const char *value);
void log_fields_bytes(struct log_fields *fields, const char *key, const char *value, size_t length);
void log_fields_int(struct log_fields *fields, const char *key, int64_t value);
void log_fields_write(struct log_fields *fields, enum log_level level);

#endif
