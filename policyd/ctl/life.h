/*
 * How the programs are that serve a store, and what mail experiences: for "greylagctl status" and
 * for monitoring.
 */
#ifndef GREYLAG_POLICYD_CTL_LIFE_H
#define GREYLAG_POLICYD_CTL_LIFE_H

#include <stdbool.h>
#include <jansson.h>

#include "lib/settings.h"
#include "policyd/program/pidfile.h"

/* As plugins of Nagios exit, and so what "greylagctl status" does. */
enum life_status { LIFE_WELL = 0, LIFE_DEGRADED = 1, LIFE_DOWN = 2, LIFE_UNKNOWN = 3 };

struct life {
	const struct settings *settings;
	enum pidfile_result daemon, milter;
	struct runstate daemon_state, milter_state; /* with PIDFILE_RUNS, see pidfile_read() */
	char *daemon_problem, *milter_problem;      /* why it cannot be read; else NULL */
	const char *answers; /* the address where the daemon answers; NULL: it does not */
	char *silence;       /* why not */
};

/* Reads the pid files and asks the daemon, for some seconds at most. SETTINGS must outlive it. */
void life_take(const struct settings *settings, struct life *ret_life);
void life_clear(struct life *life);

enum life_status life_status(const struct life *life);

/* A sentence for each program, and lines about what its configuration waits for. */
void life_print(const struct life *life);
/* The same facts; to be freed with json_decref(). */
json_t *life_json(const struct life *life);

#endif
