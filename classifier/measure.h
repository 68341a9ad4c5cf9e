/*
 * How good a filter was on messages whose class is known.
 *
 * 1-ROCA is the chance that a random spam scores below a random ham, ties half: the area above the
 * ROC curve (G. Cormack, T. Lynam, "TREC 2005 Spam Track Overview").
 */
#ifndef GREYLAG_CLASSIFIER_MEASURE_H
#define GREYLAG_CLASSIFIER_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include "classifier/mixture.h"

struct measured {
	double evidence; /* any number that grows with spam */
	enum verdict verdict;
	bool spam; /* what it is */
};

struct measure {
	size_t spam, ham;
	double one_minus_roca;  /* this and all below in percent */
	double ham_called_spam; /* of ham, at the cut-offs */
	double spam_caught;     /* of spam, at the cut-offs */
	double spam_called_ham; /* of spam, at the cut-offs */
	double unsure;          /* of all */
	double missed_at_tenth; /* spam missed where 0.1 % of ham is lost */
};

/* Sorts LIST by evidence. What needs a class that is not there is 0. */
void measure_all(struct measured *list, size_t count, struct measure *ret_measure);

/* Spam missed, in percent, where the cut-off is set so that at most LOSS (0..1) of ham is called
 * spam. LIST is sorted by evidence. */
double measure_missed(const struct measured *list, size_t count, double loss);

#endif
