/*
 * What a running program tells of itself in its pid file, for greylagctl and for monitoring: since
 * when it runs, which configuration is in force, and what mail experiences.
 *
 * Pure: a value to bytes of a fixed size, and back. The first line is the process id alone, as in
 * any pid file; then lines "key=value", in which controls, the backslash and what is not ASCII are
 * escaped as in C; then a line with a checksum of all before it, and line ends up to the size.
 * Unknown keys are skipped.
 *
 *	4711
 *	version=0.1.0
 *	started=1764028800
 *	generation=2
 *	reloads=1
 *	reloaded=1764032400
 *	refusal=
 *	restart=policy.socket_mode
 *	condition=letting-in
 *	since=1764032999
 *	reason=the disk is full
 *	sum=5d1f03a2
 */
#ifndef GREYLAG_POLICYD_PROGRAM_RUNSTATE_H
#define GREYLAG_POLICYD_PROGRAM_RUNSTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Written whole, in place: a file of this size needs no further room on a disk that is full. */
#define RUNSTATE_SIZE 4096

/* What mail experiences. */
enum condition {
	CONDITION_STARTING,
	CONDITION_GREYLISTING,
	CONDITION_OBSERVING,
	CONDITION_OFF,
	CONDITION_JUDGING,        /* greylag-milter */
	CONDITION_FALLBACK,       /* decided by the local store, in place of the server */
	CONDITION_LETTING_IN,     /* some mail, undecided: the store is open and fails */
	CONDITION_LETTING_ALL_IN, /* there is no store */
	CONDITION_UNJUDGED,       /* greylag-milter: no verdict can be had */
	CONDITIONS,
};

struct condition_row {
	const char *name;  /* as in the file and in JSON */
	const char *words; /* behind "greylagd " or "greylagd runs since T, " */
	bool bad;          /* something is to be mended; told with since when, and why */
};

const struct condition_row *condition_row(enum condition condition);

/* Texts are NUL-terminated; longer ones are cut. */
struct runstate {
	int64_t pid;
	char version[32];
	int64_t started; /* seconds since 1970, as all times */
	uint32_t
	    generation;   /* of the configuration in force: 1 from the start, 1 more by a reload */
	uint32_t reloads; /* all that were answered, refused ones too */
	int64_t reloaded; /* when the last was; 0: there was none */
	char refusal[1024]; /* why it was refused, a line for each fault; "": it was not */
	char restart[512];  /* settings that have changed and wait for a restart, with spaces */
	enum condition condition;
	int64_t since;    /* when that began */
	char reason[256]; /* of a bad one */
};

void runstate_encode(const struct runstate *state, char ret_bytes[RUNSTATE_SIZE]);

/* False if these bytes were not written by runstate_encode(), or not whole. A key that is missing
 * is zero, empty, or CONDITION_STARTING. */
bool runstate_decode(const char *bytes, size_t length, struct runstate *ret_state);

#endif
