/*
 * Messages through several threads, and out again in the order in which they came.
 */
#ifndef GREYLAG_CLASSIFIER_CLI_PIPELINE_H
#define GREYLAG_CLASSIFIER_CLI_PIPELINE_H

#include <stddef.h>
#include <glib.h>

struct pipeline;

struct pipeline_functions {
	/* On a thread, with that thread's own context: makes a result of an item. */
	gpointer (*work)(gpointer thread_context, gpointer item);
	/* On the pusher's thread, in the order of pushing. Owns both. */
	void (*done)(gpointer context, gpointer item, gpointer result);
	gpointer context; /* of done */
};

/* THREAD_CONTEXTS has one for each of the N threads; they stay the caller's. */
struct pipeline *pipeline_new(
    const struct pipeline_functions *functions, gpointer *thread_contexts, unsigned n);

/* Hands over an item, of so many BYTES. While enough is under way, items or bytes, it first sees
 * done() called for the earlier half of it. */
void pipeline_push(struct pipeline *pipeline, gpointer item, size_t bytes);

/* done() for all that is left; then the threads end. */
void pipeline_finish(struct pipeline *pipeline);

/* Threads that this machine runs at once. */
unsigned pipeline_threads(void);

#endif
