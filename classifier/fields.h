/* A header field -> tokens. */
#ifndef GREYLAG_CLASSIFIER_FIELDS_H
#define GREYLAG_CLASSIFIER_FIELDS_H

#include "classifier/words.h"

#define FIELDS_RECEIVED_MAX 8 /* topmost Received fields that are read */

/* RECEIVED counts the Received fields so far. */
void field_read(struct words *words, const struct message_header *header, unsigned *received);

/* The value of a Received field. */
void field_read_received(struct words *words, const char *value, size_t length);

#endif
