/*
 * How well the classifier judges labelled messages: the online protocol (score a chunk, then
 * learn it) or cross-validation, in memory. Each message gets the score that `greylag classify`
 * gives it with a store that `greylag train --ham ... --spam ...` was given the same chunks.
 */
#ifndef GREYLAG_CLASSIFIER_CLI_EVALUATE_H
#define GREYLAG_CLASSIFIER_CLI_EVALUATE_H

#include <stdbool.h>
#include <stddef.h>
#include <glib.h>

#include "classifier/model/model.h"
#include "classifier/bank/reader.h"

/* A word of a message, and the messages that it had been in when the message was judged. */
struct sample_word {
	char *text;
	unsigned spam, ham;
	double weight; /* above zero: it spoke for spam */
};

struct sample {
	char *name;
	bool spam;
	struct reading *reading; /* NULL once it has been judged and learned online */
	/* results */
	struct model_score score;
	GArray *why; /* struct sample_word, the heaviest first, if the score leans to the wrong
			side; else NULL */
};

/* The online protocol, sample by sample as they come, so that any number of messages can be
 * evaluated in little memory. */
struct online;
struct online *online_new(const struct model_options *options, unsigned chunk, unsigned warm_up);

/* SAMPLE stays the caller's. It is judged, learned, and its reading freed together with those of
 * its chunk, at the latest in online_finish(). */
void online_add(struct online *online, struct sample *sample);

/* Judges what is left, and frees ONLINE. */
void online_finish(struct online *online);

/* SAMPLES are struct sample, whose scores are filled in. Each of N folds is judged by a model that
 * has learned the others. A message belongs to a fold
 * by its digest, so that copies of it are in one. */
void evaluate_folds(const struct model_options *options, GPtrArray *samples, unsigned folds);

void sample_free(gpointer sample);

/* The evidence for the wrong side: above zero if the score leans to it, whether or not a cut-off
 * makes a verdict of that. */
double sample_wrongness(const struct sample *sample);

struct accuracy {
	size_t spam, ham;
	double roca;        /* 1 - the area under the ROC curve: the chance that a ham ranks above
			       a spam (Cormack and Lynam, TREC 2005), 0..1 */
	double ham_lost;    /* share of ham judged spam */
	double spam_caught; /* share of spam judged spam */
	double unsure;      /* share of all */
	double missed;      /* share of spam below the threshold that loses MISSED_AT of the ham */
};

#define ACCURACY_MISSED_AT 0.001

/* Of the samples from FIRST on, up to LAST. */
struct accuracy accuracy_of(const GPtrArray *samples, size_t first, size_t last);

/* What two cut-offs make of the samples from FIRST on. */
struct accuracy_counts {
	size_t ham, ham_lost, ham_unsure;      /* all; those called spam */
	size_t spam, spam_caught, spam_unsure; /* the others are called ham */
};

struct accuracy_counts accuracy_with(
    const GPtrArray *samples, size_t first, double spam_cutoff, double ham_cutoff);

/* The probability from which on at most LOSS (a share) of the samples of the other class than
 * SPAM lie on SPAM's side. */
double accuracy_cutoff(const GPtrArray *samples, size_t first, bool spam, double loss);

#endif
