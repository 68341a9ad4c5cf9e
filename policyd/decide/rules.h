/*
 * The policy that is in force: settings and lists, read once, immutable, replaced whole on a
 * reload. Shared by reference count, since a request under way keeps the rules it began with.
 */
#ifndef GREYLAG_POLICYD_DECIDE_RULES_H
#define GREYLAG_POLICYD_DECIDE_RULES_H

#include <stdbool.h>
#include <glib.h>

#include "db/history/reputation.h"
#include "lib/settings.h"
#include "policyd/decide/allowed.h"
#include "policyd/decide/delivery.h"
#include "policyd/decide/greylist.h"
#include "policyd/decide/reason.h"
#include "policyd/decide/whitelist.h"

struct rules {
	struct greylist_rules greylist;
	struct reputation_rules reputation;
	enum greylist_mode mode;
	enum greylist_when when;
	enum greylist_null_sender null_sender;
	bool match_by_name, privacy;
	unsigned store_timeout; /* milliseconds */
	char *action, *text;    /* of the reply to a greylisted client */
	const struct suffix_list *suffixes;

	struct whitelist *clients, *recipients, *senders;
	struct whitelist *opt_in; /* NULL: every recipient has opted in */
	struct prefix_set *networks;
	GHashTable *fingerprints; /* lower case */
};

/* Reads the lists that the settings name. SUFFIXES must outlive the rules. NULL and an error
 * with a line for each fault. */
struct rules *rules_new(
    const struct settings *settings, const struct suffix_list *suffixes, GError **error);
struct rules *rules_ref(struct rules *rules);
void rules_unref(struct rules *rules);

/* A check that may spare a delivery the delay, in the order of the table. */
struct exemption {
	enum reason reason;
	const char *question; /* for "greylagctl why" */
	/* What it was spared for, as text that lives as long as its arguments; NULL if it is not.
	 */
	const char *(*check)(const struct rules *rules, const struct allowed *allowed,
	    const struct policy_request *request, const struct delivery *delivery);
};

extern const struct exemption exemptions[];
extern const size_t n_exemptions;

/* The first exemption that holds; NULL if none does. */
const struct exemption *exemption_find(const struct rules *rules, const struct allowed *allowed,
    const struct policy_request *request, const struct delivery *delivery,
    const char **ret_evidence);

#endif
