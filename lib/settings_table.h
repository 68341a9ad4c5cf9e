/* The rows of lib/settings.h, for the parser alone: others ask settings_row(). */
#ifndef GREYLAG_LIB_SETTINGS_TABLE_H
#define GREYLAG_LIB_SETTINGS_TABLE_H

#include "lib/settings.h"

extern const struct setting_row settings_table[SETTING_COUNT];

#endif
