/*
 * How the page says durations, times and numbers.
 */
#ifndef GREYLAG_POLICYD_HTTP_WORDS_H
#define GREYLAG_POLICYD_HTTP_WORDS_H

#include <stdint.h>
#include <glib.h>

/* Seconds as people say it: "4 min 12 s", "3 h 5 min", "2 d 4 h". No line breaks
 * between a number and its unit. */
char *words_duration(double seconds);

/* Appends it; a dash for NaN. */
void words_duration_or_dash(GString *out, double seconds);

/* Times are those of UTC, in which hours and days are counted. FORMAT is that of
 * g_date_time_format(). */
char *words_format_time(int64_t at, const char *format);
/* As an element that the page's script puts the reader's own time beside. */
void words_time(GString *out, int64_t at, const char *format);
/* The day of UTC. */
void words_date(GString *out, int64_t at);
/* With day and minute; "not yet" for 0. */
void words_time_or_never(GString *out, int64_t at);

/* A number that stands in /stats under NAME, "last_24_hours.deferred". */
void words_stat(GString *out, const char *name, uint64_t n);

#endif
