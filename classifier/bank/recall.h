/*
 * What is remembered of a message besides its text: whether it was delivered here, and what
 * greylisting saw of it. One for each thread that reads messages.
 *
 * A message that was learned keeps what it was learned with, so that it can be taken back exactly
 * when its delivery is long forgotten.
 */
#ifndef GREYLAG_CLASSIFIER_BANK_RECALL_H
#define GREYLAG_CLASSIFIER_BANK_RECALL_H

#include "classifier/bank/bank.h"
#include "db/history/deliveries.h"

struct recall;

/* BANK must outlive it. Of an embedded store it reads by the bank's; else by a connection of its
 * own, since that of the bank belongs to one thread. */
struct recall *recall_new(struct bank *bank);
void recall_free(struct recall *recall);

struct recalled {
	uint16_t dialogue;            /* dialogue_code() of what greylisting saw; 0 for nothing */
	bool learned;                 /* it is in the registry */
	bool delivered;               /* a delivery is remembered: */
	enum delivery_verdict judged; /* then */
	unsigned score;               /* in thousandths */
	int64_t time;
};

/* What cannot be read is as not there. */
struct recalled recall_message(struct recall *recall, const uint8_t digest[CANONICAL_DIGEST_SIZE]);

#endif
