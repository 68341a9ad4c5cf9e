/*
 * A logistic voice: online logistic regression over the features of a message, with a rate of its
 * own for each feature, in the dual-averaging form.
 *
 * A message has N features, each present once. With q = N^-power the score is
 *
 *	s = w(bias) + q · Σ w(feature),   w = -alpha · z / (beta + sqrt(n))
 *
 * and a step adds g = e·q to z and g² to n of each feature, e = 1/(1 + exp(-s)) - y with y = 1 for
 * spam; the bias is a feature with q = 1. (L. Xiao, "Dual Averaging Methods for Regularized
 * Stochastic Learning and Online Optimization", JMLR 11, 2010; the rates are those of J. Duchi,
 * E. Hazan and Y. Singer, "Adaptive Subgradient Methods", JMLR 12, 2011.)
 *
 * z and n are plain sums in which a message adds the same two numbers to all its features. In
 * fixed point they are exact: a step can be taken back to the bit, and the order of additions,
 * by one host or several, does not matter.
 */
#ifndef GREYLAG_CLASSIFIER_MODEL_VOICE_H
#define GREYLAG_CLASSIFIER_MODEL_VOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Units of the sums. The bias takes steps of up to 1 from every message, hence a coarser n. */
#define VOICE_Z_UNIT      65536.0   /* 2^16 */
#define VOICE_N_UNIT      1048576.0 /* 2^20 */
#define VOICE_BIAS_N_UNIT 4096.0    /* 2^12 */

/* A voice that is right and as sure as this takes no step: most messages then write nothing. */
#define VOICE_SURE 5.0

struct voice_options {
	double alpha, beta, power;
};

/* Of a feature. */
struct voice_sums {
	int32_t z, n;
};

/* What steps on one message add: Z and N to each of its features, the next two to the bias. All
 * zero is no step. Sums of steps are steps. */
struct voice_step {
	int32_t z, n;
	int32_t bias_z, bias_n;
	int32_t taken; /* how many they were */
};

/* SUMS holds those of the COUNT features of a message. 0 if there are none. */
double voice_score(const struct voice_options *options, const struct voice_sums *sums, size_t count,
    struct voice_sums bias);

/* The same from the sum of the weights of COUNT features, each as of voice_weight() alone. */
double voice_total(
    const struct voice_options *options, double weights, size_t count, struct voice_sums bias);

/* What one of COUNT features adds to the score. */
double voice_weight(const struct voice_options *options, struct voice_sums sums, size_t count);

/* The step that a message of COUNT features with this SCORE asks for; false, and all zero, if it
 * asks for none. */
bool voice_learn(const struct voice_options *options, double score, size_t count, bool spam,
    struct voice_step *ret_step);

/* Whether all sums stay within 32 bits, n not below 0, when STEP is added. */
bool voice_fits(const struct voice_sums *sums, size_t count, struct voice_sums bias,
    const struct voice_step *step);

/* False, and *STEP as it was, if a sum would leave 32 bits. */
bool voice_step_add(struct voice_step *step, const struct voice_step *more);

struct voice_step voice_step_negated(const struct voice_step *step);

/* For a whole table in memory. SLOTS are different from each other. Adding does not look whether
 * the sums stay in range: voice_fits() has. */
void voice_gather(const struct voice_sums *table, const uint32_t *slots, size_t count,
    struct voice_sums *ret_sums);
void voice_add(
    struct voice_sums *table, const uint32_t *slots, size_t count, const struct voice_step *step);

#endif
