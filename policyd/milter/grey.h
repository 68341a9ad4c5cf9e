/*
 * What greylisting saw of a message, for the milter: by the requests that smtpd made at RCPT.
 */
#ifndef GREYLAG_POLICYD_MILTER_GREY_H
#define GREYLAG_POLICYD_MILTER_GREY_H

#include "policyd/decide/grey_facts.h"
#include "policyd/milter/message.h"

/* Reads the facts from an embedded store, by any thread. STORE may be NULL: nothing is known. */
void milter_grey_read(struct store *store, const struct rules *rules,
    const struct milter_client *client, const struct milter_message *message,
    struct grey_facts *ret_facts);

#endif
