/*
 * Bytes of any charset, rightly declared or not -> valid UTF-8.
 */
#ifndef GREYLAG_CLASSIFIER_MAIL_CHARSET_H
#define GREYLAG_CLASSIFIER_MAIL_CHARSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

/*
 * Appends LENGTH bytes as UTF-8. CHARSET is as declared, in lower case, or "" or NULL. What is
 * valid UTF-8 is taken as such (where a multibyte charset is declared, if it is long enough not to
 * be so by chance); a charset that is unknown or does not fit gives way to windows-1252, byte by
 * byte, or, where the high bytes come as they do in Chinese, to GB 18030. NUL becomes a space, CR
 * is left out. Returns whether something did not fit.
 */
bool charset_decode(const uint8_t *bytes, size_t length, const char *charset, GString *out);

#endif
