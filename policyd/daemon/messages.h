/*
 * Messages in their dialogue: what was decided at the first recipient holds for the others, and
 * the recipients of a null sender are remembered until DATA. In this process' memory, bounded:
 * what was asked about longest ago makes room.
 *
 * A message is known by "instance" together with client, port and sender, since two MX hosts may
 * give the same instance at the same second.
 */
#ifndef GREYLAG_POLICYD_DAEMON_MESSAGES_H
#define GREYLAG_POLICYD_DAEMON_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "policyd/decide/decision.h"
#include "policyd/decide/protocol.h"

struct messages;

/* Room for about CAPACITY messages: the table has so many places, in sets that may fill unevenly.
 */
struct messages *messages_new(unsigned capacity);
void messages_free(struct messages *messages);

/* Identifies a message; 0 if the request has no instance, which ties nothing together. */
uint64_t messages_id(const struct messages *messages, const struct policy_request *request);

/* Puts on record what was decided for the message. */
void messages_decided(
    struct messages *messages, uint64_t id, int64_t now, const struct policy_decision *decision);

/* What was decided for it, if it was; not more than an hour ago. */
bool messages_find(
    struct messages *messages, uint64_t id, int64_t now, struct policy_decision *ret_decision);

/* Remembers RECIPIENT for DATA if the message has none yet. */
void messages_expect_data(
    struct messages *messages, uint64_t id, int64_t now, const char *recipient);
/* The recipient that was remembered, owned by MESSAGES until the next call; NULL if none. */
const char *messages_data_recipient(struct messages *messages, uint64_t id, int64_t now);

#endif
