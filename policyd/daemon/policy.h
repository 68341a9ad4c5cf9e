/*
 * The policy: a request in, a decision out, with what it reads and writes in the store. The thin
 * shell round the pure decision, shared by the daemon and by replay.
 */
#ifndef GREYLAG_POLICYD_DAEMON_POLICY_H
#define GREYLAG_POLICYD_DAEMON_POLICY_H

#include <stdint.h>

#include "db/store.h"
#include "policyd/decide/decision.h"
#include "policyd/daemon/known.h"
#include "policyd/decide/protocol.h"
#include "policyd/decide/rules.h"

struct policy;

/* Room for the dialogues of a server, and of a single connection. */
#define POLICY_MESSAGES_SERVER 16384
#define POLICY_MESSAGES_SINGLE 64

/* STORE may be NULL: every decision that needs it is then REASON_STORE_UNAVAILABLE. It is not
 * owned. MESSAGES is how many messages' dialogues are remembered. */
struct policy *policy_new(struct store *store, struct rules *rules, unsigned messages);
/* Nothing may be under way. */
void policy_free(struct policy *policy);

/* From the next request on. */
void policy_set_rules(struct policy *policy, struct rules *rules);
struct rules *policy_rules(const struct policy *policy);
void policy_set_store(struct policy *policy, struct store *store);

/* Remembers so many known triplets and clients for so many SECONDS, for a store that a read has to
 * ask over a network (policyd/daemon/known.h); 0 entries for none, as at first. */
void policy_set_cache(struct policy *policy, unsigned entries, int64_t seconds);
struct known_status policy_cache(const struct policy *policy);

/* Takes up the operator's exceptions from the store, sooner or later. To be called every few
 * seconds. */
void policy_read_allowed(struct policy *policy, int64_t now);

/* Seconds since 1970, by the clock that all who share the store go by. */
int64_t policy_now(const struct policy *policy);

/* DECISION and its strings are valid during the call. */
typedef void (*policy_answer_fn)(
    void *context, struct rules *rules, const struct policy_decision *decision);

/*
 * Decides about REQUEST at NOW. ANSWER is called once: before the return where no write is
 * needed, later from store_dispatch() otherwise; REQUEST must stay valid until then.
 */
void policy_decide(struct policy *policy, const struct policy_request *request, int64_t now,
    policy_answer_fn answer, void *context);

#endif
