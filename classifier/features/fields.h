/* A header field -> tokens. */
#ifndef GREYLAG_CLASSIFIER_FEATURES_FIELDS_H
#define GREYLAG_CLASSIFIER_FEATURES_FIELDS_H

#include "classifier/mail/results.h"
#include "classifier/features/words.h"

#define FIELDS_RECEIVED_MAX 8 /* topmost Received fields that are read */

/* What the fields above said; all zero at the first. */
struct fields {
	unsigned received; /* Received fields */
	struct results results;
};

void field_read(struct words *words, const struct message_header *header, struct fields *above);

/* The value of a Received field. */
void field_read_received(struct words *words, const char *value, size_t length);

#endif
