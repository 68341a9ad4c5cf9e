/*
 * What a message is judged to be.
 */
#ifndef GREYLAG_CLASSIFIER_MAIL_VERDICT_H
#define GREYLAG_CLASSIFIER_MAIL_VERDICT_H

enum verdict {
	VERDICT_HAM,
	VERDICT_SPAM,
	VERDICT_UNSURE,
};

/* "ham", "spam", "unsure" */
const char *verdict_name(enum verdict verdict);

#endif
