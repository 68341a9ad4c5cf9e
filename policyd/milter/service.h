/*
 * What greylag-milter does with a message: judges it by the classifier, with what greylisting saw
 * of it, decides by the settings, counts, and writes its line to the log.
 */
#ifndef GREYLAG_POLICYD_MILTER_SERVICE_H
#define GREYLAG_POLICYD_MILTER_SERVICE_H

#include "lib/settings.h"
#include "policyd/milter/action.h"
#include "policyd/milter/keeper.h"
#include "policyd/milter/message.h"
#include "policyd/decide/rules.h"

struct milter_service;

/* RULES are of SETTINGS; both must outlive it. The store is opened after PATIENCE seconds. LISTENER
 * hears what mail experiences. Starts threads. */
struct milter_service *milter_service_new(const struct settings *settings, struct rules *rules,
    unsigned patience, const struct milter_listener *listener);

/* Writes what waits and closes the store. Messages may still come to their end meanwhile and after:
 * they are let in. */
void milter_service_stop(struct milter_service *service);
/* After milter_service_stop(), when no message is on its way in any more. */
void milter_service_free(struct milter_service *service);

/* By any thread, by several at once. */
void milter_service_decide(void *service, const struct milter_client *client,
    const struct milter_message *message, struct milter_result *ret_result);

#endif
