/*
 * What became of a message, as replay is told it (request=greylag_verdict): the same goes into the
 * store as greylag-milter writes after it has judged.
 */
#ifndef GREYLAG_POLICYD_CTL_AFTERMATH_H
#define GREYLAG_POLICYD_CTL_AFTERMATH_H

#include "policyd/decide/protocol.h"
#include "policyd/decide/rules.h"

struct aftermath;

struct aftermath *aftermath_new(void);
void aftermath_free(struct aftermath *aftermath);

/* Whether the request tells a verdict. */
bool aftermath_is_verdict(const struct policy_request *request);

/* Remembers the client's verified name for the verdict that may follow, which need not tell it,
 * and the time, by which is known whether it was the request that let the message in. */
void aftermath_asked(
    struct aftermath *aftermath, const struct policy_request *request, int64_t now);

/* Writes delivery and reputation; when it returns, they are written. NULL, or what is wrong with
 * the request or the store. */
const char *aftermath_judged(struct aftermath *aftermath, const struct policy_request *request,
    struct store *store, const struct rules *rules, int64_t now);

#endif
