/*
 * How a run of training goes, whoever runs it: `greylag train`, which writes what a model has
 * learned to a store, and `greylag evaluate`, which measures how that judges.
 *
 * The first messages are held back until it shows whether they are the beginning of a bulk run
 * (model_wants_rebuild()): its messages are counted and remembered (model_defer()), and take their
 * steps when the tables are made anew, at its end or when the memory is full. Those of a small run
 * take them at once. Knows no store.
 */
#ifndef GREYLAG_CLASSIFIER_BANK_COURSE_H
#define GREYLAG_CLASSIFIER_BANK_COURSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

#include "classifier/model/model.h"

/* A message that was moved in a bulk run: whether that was enough shows after it. */
struct course_move {
	uint8_t digest[CANONICAL_DIGEST_SIZE];
	bool spam;
	char *name;
};

struct course_functions {
	/* Learns ITEM, and calls course_watch() after that. */
	void (*learn)(void *context, gpointer item);
	/* The run has shown to be a bulk run. May be NULL. */
	void (*deferred)(void *context);
	/* Makes the tables anew, by course_rebuild(). */
	void (*rebuild)(void *context);
	/* What a message that was moved was judged in the end. May be NULL. */
	void (*corrected)(
	    void *context, const struct course_move *move, const struct model_report *report);
	/* Whether nothing more is to be learned. May be NULL. */
	bool (*failed)(const void *context);
	GDestroyNotify free_item; /* of those that were held back; may be NULL */
	void *context;
};

struct course {
	struct course_functions functions;
	struct model *model; /* its owner's, who may put another in its place */
	unsigned learned;    /* so far, moved ones too: its owner's to count */
	bool deferring;      /* is a bulk run */
	GPtrArray *held;     /* items */
	size_t bytes;        /* that they take */
	unsigned fresh;      /* of them are new */
	GArray *moves;       /* struct course_move */
};

void course_begin(
    struct course *course, const struct course_functions *functions, struct model *model);
void course_clear(struct course *course);

/* Whether the next message is to be held back, not learned. */
bool course_holds(const struct course *course);

/* Whether MODEL would find the message new as that class. */
bool course_is_fresh(
    const struct course *course, const uint8_t digest[CANONICAL_DIGEST_SIZE], bool spam);

/* Holds ITEM of BYTES back; all those held are learned as soon as they are enough. */
void course_hold(struct course *course, gpointer item, size_t bytes, bool fresh);

/* At the end of the messages: learns what is held back. */
void course_learn_held(struct course *course);

/* After each message that was learned. */
void course_watch(struct course *course);

/* The message was moved, and not judged: model_report.deferred. */
void course_note_move(struct course *course, const uint8_t digest[CANONICAL_DIGEST_SIZE], bool spam,
    const char *name);
void course_forget_moves(struct course *course);

/* The tables are made anew, then what was moved is corrected. False if the source failed. */
bool course_rebuild(struct course *course);

/* Whether the run, all of whose messages were learned (CUT_SHORT: not all), is to end by a rebuild.
 */
bool course_ends_in_rebuild(const struct course *course, bool cut_short);

#endif
