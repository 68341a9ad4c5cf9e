/*
 * Robinson's probability of a word and Fisher's combination of them.
 *
 *	p(w) = (spam/SPAM) / (spam/SPAM + ham/HAM)
 *	f(w) = (robs·robx + n·p(w)) / (robs + n), n = spam + ham
 *
 * where spam and ham are messages with the word, SPAM and HAM all messages of the class.
 *
 * G. Robinson, "A Statistical Approach to the Spam Problem", Linux Journal 107, March 2003. The
 * f(w) that are further than min_dev from 0.5 are combined by R. A. Fisher's method: -2 Σ ln f is
 * compared with chi-square of 2n degrees of freedom. Both tails are kept as logarithms, so that
 * nothing becomes 0 or 1 however many words there are.
 *
 * The names are bogofilter's, and with sp_esf and ns_esf (G. Robinson's effective size factors)
 * mean the same; see bogofilter(1) and its src/score.c.
 */
#ifndef GREYLAG_CLASSIFIER_MODEL_FISHER_H
#define GREYLAG_CLASSIFIER_MODEL_FISHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a word: messages that it was in. Of a store: all messages. */
struct fisher_counts {
	uint32_t spam, ham;
};

struct fisher_options {
	double robs, robx, min_dev;
	double sp_esf, ns_esf;
	/* n counts a message of the larger class for no more than one of the smaller: with fifty
	 * ham to a spam a word that one ham has says next to nothing, though no spam has it. */
	bool balanced;
};

/*
 * The project's own. Beside the logistic voices Fisher's is best with near-certain words alone:
 * spam missed at 0.1 % ham loss (in order of time, shuffled, bodies only) is 13.7, 3.4, 13.6 % with
 * min_dev 0.3 and 8.5, 2.9, 11.1 % with 0.45, though it ranks worse by itself. Any robs from 0.01
 * to 0.1 is as good. Balanced, 31 instead of 20 % of spam is caught with fifty ham to a spam.
 */
struct fisher_options fisher_options_default(void);

/* bogofilter's defaults, for word lists that were taken over from it. */
struct fisher_options fisher_options_bogofilter(void);

/* f(w); robx for a word that was never seen. TOTALS that are smaller than COUNTS, as in word lists
 * that were put together by hand, give a number within 0 and 1 all the same. */
double fisher_word(
    const struct fisher_options *options, struct fisher_counts totals, struct fisher_counts counts);

/* Whether a word of this f(w) counts. */
bool fisher_is_used(const struct fisher_options *options, double word);

/* What the words add up to; all zero at first. */
struct fisher_sum {
	double ln_spam; /* Σ ln f */
	double ln_ham;  /* Σ ln (1 - f) */
	size_t used;
};

void fisher_add(struct fisher_sum *sum, double word);

struct fisher_result {
	double ln_spam_tail; /* ln of the chance of so much evidence for spam among random words */
	double ln_ham_tail;
	double evidence;  /* ln_ham_tail - ln_spam_tail: positive is spam; 0 without a word */
	double spamicity; /* bogofilter's, ties at 0 and 1 included; robx without a word */
	size_t used;
};

void fisher_combine(const struct fisher_options *options, const struct fisher_sum *sum,
    struct fisher_result *ret_result);

/* A number for the sum of voices: sign of the evidence · ln(1 + its size). */
double fisher_logit(const struct fisher_result *result);

/* ln of the upper tail of chi-square at CHI2 >= 0 with DEGREES > 0 of freedom (whole or not). */
double fisher_ln_chi2_tail(double chi2, double degrees);

#endif
