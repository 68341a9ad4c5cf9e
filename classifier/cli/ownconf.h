/*
 * A plain user's own configuration, which greylag(1) reads over the system's: what it says wins. A
 * system's file that the user may not read is left out.
 */
#ifndef GREYLAG_CLASSIFIER_CLI_OWNCONF_H
#define GREYLAG_CLASSIFIER_CLI_OWNCONF_H

#include <stdbool.h>
#include <glib.h>

#include "lib/settings.h"

/* $XDG_CONFIG_HOME/greylag.conf, by default ~/.config/greylag.conf, to be freed with g_free(); NULL
 * for root, whose configuration is the system's. */
char *ownconf_path(void);

/* The files that settings came from; NULL where there is none. */
struct ownconf_read {
	char *system, *own;
	char *unreadable; /* the system's file, if the user may not read it */
};

void ownconf_read_clear(struct ownconf_read *read);

/* The defaults, then the files (either may be missing; OWN may be NULL), then the assignments
 * (NULL-terminated, or NULL), then the check. */
struct settings *ownconf_load(const char *system, const char *own, const char *const *assignments,
    struct ownconf_read *ret_read, GError **error);

/*
 * The text of a configuration file in which SECTION.KEY is VALUE, to be freed with g_free(). All
 * else stays as it is, comments too: where the key is set that line changes (if several times, the
 * last of them, which is in force), else a line is added to the section, else the section. Pure.
 */
char *ownconf_set(const char *text, const char *section, const char *key, const char *value);

/* Replaces the file at PATH by TEXT, or makes it and its folder; at no time is there half a file.
 * Owner and mode stay. */
bool ownconf_write(const char *path, const char *text, GError **error);

#endif
