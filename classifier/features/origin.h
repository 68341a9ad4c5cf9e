/*
 * Where a message came from, read from the message alone: for who judges it after one's own mail
 * server has taken it. Only what own hosts wrote is believed: the handover
 * (classifier/mail/canonical.h) and the results of trusted servers. Pure but for the suffix list.
 */
#ifndef GREYLAG_CLASSIFIER_FEATURES_ORIGIN_H
#define GREYLAG_CLASSIFIER_FEATURES_ORIGIN_H

#include "classifier/features/dialogue.h"
#include "classifier/mail/verdict.h"

/* A value, without pointers: it may go through a pipe. */
struct origin {
	uint8_t digest[DELIVERY_KEY_SIZE];
	struct address client;      /* ADDRESS_NONE if the message does not tell */
	char name[CLIENTNAME_SIZE]; /* organisational domain of its verified, static-looking name */
	struct dialogue_auth auth;
};

/*
 * The client and its verified name in a Received field's value, "from HELO (NAME [ADDRESS]) by
 * ...". HELO is what the client says, and never believed. "unknown" and a name that "may be forged"
 * are no names. RET_NAME is "" then. False if there is no address, and nothing is set.
 */
bool origin_read_received(
    const char *value, struct address *ret_client, char ret_name[CLIENTNAME_SIZE]);

/* TRUSTED as for dialogue_authenticated(). */
void origin_read(const struct message *message, const char *const *trusted,
    const struct suffix_list *suffixes, struct origin *ret_origin);

/* The record of the delivery that was judged now; its pointers are into ORIGIN. */
void origin_delivery(const struct origin *origin, enum verdict verdict, double score, int64_t now,
    struct delivery_record *ret_record);

#endif
