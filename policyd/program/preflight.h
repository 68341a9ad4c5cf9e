/*
 * What a start needs of this machine besides settings that can be read: the user, the places to
 * listen at, the log's folder, the files that the user must read, the store's folder. A start, a
 * reload and --check-config ask the same questions, as the user that the program is while it
 * serves.
 */
#ifndef GREYLAG_POLICYD_PROGRAM_PREFLIGHT_H
#define GREYLAG_POLICYD_PROGRAM_PREFLIGHT_H

#include <stdbool.h>
#include <glib.h>

#include "lib/settings.h"
#include "policyd/program/privileges.h"

struct preflight {
	const struct settings *settings;
	enum settings_program program;
	bool running;    /* it has its sockets, its store and its log already */
	bool listens;    /* at policy.listen or milter.listen: not where systemd does, or no one */
	bool shows;      /* statistics at http.listen */
	bool foreground; /* log.target is not used */
};

/*
 * Appends a line for each fault, "FILE:LINE: section.key: what is wrong", to RET_FATAL, and to
 * RET_BEARABLE what a program can start with: mail is let in until it is mended. Uses fork(2) where
 * it is root and will not stay so: before any thread is begun.
 */
void preflight_check(const struct preflight *preflight, GString *ret_fatal, GString *ret_bearable);

#endif
