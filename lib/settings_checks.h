/* What the type and the range of a row cannot say; for the parser of settings alone. */
#ifndef GREYLAG_LIB_SETTINGS_CHECKS_H
#define GREYLAG_LIB_SETTINGS_CHECKS_H

#include "lib/settings.h"

/* The words of a list, NULL-terminated; to be freed with g_strfreev(). */
char **settings_words(const char *text);

/* What is wrong with TEXT as the value of SETTING, to follow the value in a message; NULL if
 * nothing is. */
const char *settings_wrong(enum setting setting, const char *text);

#endif
