/*
 * How the report is said. The terminal and the page take their numbers and sentences from here, so
 * that one number is never rounded in two ways.
 */
#ifndef GREYLAG_POLICYD_STATS_REPORT_WORDS_H
#define GREYLAG_POLICYD_STATS_REPORT_WORDS_H

#include "policyd/stats/report.h"

#define REPORT_WORDS_SIZE 24

/* Hours with one decimal: "13.3". Returns TEXT. */
const char *report_words_hours(uint64_t seconds, char text[REPORT_WORDS_SIZE]);

/* Per cent with one decimal: "83.0". WHOLE is not 0. Returns TEXT. */
const char *report_words_percent(uint64_t part, uint64_t whole, char text[REPORT_WORDS_SIZE]);

/* Whether it pays, with the numbers that this rests on. To be freed. */
char *report_words_worth(const struct report_result *result);

/* Whether that is bad news: it does not pay. */
bool report_words_worth_is_bad(const struct report_result *result);

/* What was left out as perhaps new messages, in a sentence, to be freed; NULL if nothing was. */
char *report_words_left_out(const struct report_row *row);

#endif
