/*
 * The verdict put into a message's header. Pure: no byte but those of X-Greylag fields changes.
 */
#ifndef GREYLAG_CLASSIFIER_MAIL_REWRITE_H
#define GREYLAG_CLASSIFIER_MAIL_REWRITE_H

#include <stddef.h>
#include <stdint.h>
#include <glib.h>

#include "classifier/mail/verdict.h"

#define REWRITE_FIELD "X-Greylag"

/* The value of the field for a verdict, and where none could be had. To be freed by g_free(). */
char *rewrite_verdict(enum verdict verdict, double probability);
char *rewrite_no_verdict(void);

/*
 * Appends the message to RET_MESSAGE with "X-Greylag: VALUE" as its first field (behind the From_
 * line of an mbox, if it begins with one), and without the fields of that name that it came with.
 * The new line ends as the message's first line does. A message without a header gets one, and an
 * empty line after it. VALUE is one line of printable ASCII.
 */
void rewrite_message(
    const uint8_t *bytes, size_t length, const char *value, GByteArray *ret_message);

#endif
