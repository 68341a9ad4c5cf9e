/*
 * Several voices' logits -> one log-odds -> probability -> verdict.
 *
 * Each logit is clipped and weighted; the weights begin nearly equal and are learned by a tiny
 * logistic step from messages that no voice has learned yet. What the steps have added is kept in
 * fixed point, so that it can be taken back and merged by adding. A voice that has not learned
 * anything yet is left out, and its weight is shared among the others.
 */
#ifndef GREYLAG_CLASSIFIER_MODEL_MIXTURE_H
#define GREYLAG_CLASSIFIER_MODEL_MIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "classifier/features/ngrams.h"
#include "classifier/mail/verdict.h"

/* The logistic voices, in the order of enum voice_name, then Robinson-Fisher. */
#define MIXTURE_FISHER VOICES
#define MIXTURE_VOICES (VOICES + 1)
#define MIXTURE_BIAS   MIXTURE_VOICES
#define MIXTURE_CELLS  (MIXTURE_VOICES + 1)

/* "words", "raw", "text", "header", "content", "fisher" */
const char *mixture_voice_name(unsigned voice);

struct mixture_options {
	double clip;        /* of the logistic voices' logits */
	double fisher_clip; /* of Fisher's */
	double rate;
	double spam_cutoff; /* probability from which a message is spam */
	double ham_cutoff;  /* up to which it is ham */
};

struct mixture_options mixture_options_default(void);

/* What steps add to the weights and the bias, in units of 2^-20. All zero is no step. */
struct mixture_step {
	int32_t cells[MIXTURE_CELLS];
};

struct mixture_logits {
	double voice[MIXTURE_VOICES];
	bool present[MIXTURE_VOICES]; /* false: has not learned anything, is left out */
};

/* The weight of a voice, or the bias, after LEARNED, which is the sum of all steps. */
double mixture_weight(const struct mixture_step *learned, unsigned cell);

/* The log-odds for spam; 0 if no voice is present. */
double mixture_evidence(const struct mixture_options *options, const struct mixture_step *learned,
    const struct mixture_logits *logits);

/* What VOICE contributes to it. */
double mixture_share(const struct mixture_options *options, const struct mixture_step *learned,
    const struct mixture_logits *logits, unsigned voice);

void mixture_learn(const struct mixture_options *options, const struct mixture_step *learned,
    const struct mixture_logits *logits, bool spam, struct mixture_step *ret_step);

/* False, and *STEP as it was, if a cell would leave 32 bits. */
bool mixture_step_add(struct mixture_step *step, const struct mixture_step *more);
struct mixture_step mixture_step_negated(const struct mixture_step *step);

/* Evidence -> probability, 0..1. */
double mixture_probability(double evidence);

/* The evidence from which on a message is spam. */
double mixture_spam_evidence(const struct mixture_options *options);

/* YOUNG is mixture_is_young(): then never anything but unsure. */
enum verdict mixture_verdict(const struct mixture_options *options, double probability, bool young);

/* Below so many messages of either class nothing sure is said. */
#define MIXTURE_YOUNG 10

/* Whether so few messages were seen that nothing sure can be said. */
bool mixture_is_young(uint32_t spam, uint32_t ham);

#endif
