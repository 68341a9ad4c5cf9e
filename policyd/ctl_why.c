#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policyd/client.h"
#include "policyd/ctl.h"
#include "policyd/ctl_json.h"
#include "policyd/decision.h"
#include "policyd/delivery.h"
#include "policyd/standing.h"

/* The policy's steps on values that are only read. Each is told as it is taken. */
struct why {
	struct ctl *ctl;
	json_t *steps; /* NULL unless --json */
	struct policy_request request;
	struct delivery delivery;
	struct greylist_attempt attempt;
	struct greylist_rules greylist; /* the rules', with the delay of this decision */
	struct standing standing;
	char pool[CLIENTNAME_SIZE];
	struct policy_decision decision;
};

static void tell(const struct why *why, const char *question, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static void
tell(const struct why *why, const char *question, const char *format, ...)
{
	g_autofree char *answer = NULL;
	g_autoptr(GString) safe = g_string_new(NULL);
	va_list arguments;

	va_start(arguments, format);
	answer = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	ctl_append_safe(safe, &(struct store_bytes){answer, strlen(answer)});
	if (why->steps)
		json_array_append_new(
		    why->steps, json_pack("{s:s, s:s}", "question", question, "answer", safe->str));
	else
		printf("%-40s %s\n", question, safe->str);
}

static const char *
or_null_sender(const char *address)
{
	return *address ? address : "<>";
}

/* -- reading -- */

struct fetched {
	enum store_result result;
	GByteArray *bytes;
};

static void
on_value(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct fetched *fetched = context;

	fetched->result = result;
	if (value)
		g_byte_array_append(fetched->bytes, value->data, (guint)value->length);
}

/* *RET_VALUE is owned by BYTES; its data is NULL if there is no such record. */
static bool
fetch(const struct why *why, enum store_space space, struct store_bytes key, GByteArray *bytes,
    struct store_bytes *ret_value, GError **error)
{
	struct fetched fetched = {.result = STORE_UNAVAILABLE, .bytes = bytes};

	g_byte_array_set_size(bytes, 0);
	store_get(why->ctl->store, space, key, 0, on_value, &fetched);
	store_wait(why->ctl->store);
	if (fetched.result != STORE_OK && fetched.result != STORE_NOT_FOUND)
		return ctl_store_fail(error, fetched.result);
	*ret_value =
	    (struct store_bytes){fetched.result == STORE_OK ? bytes->data : NULL, bytes->len};
	return true;
}

/* -- steps -- */

static void
tell_delivery(const struct why *why)
{
	const struct delivery *d = &why->delivery;

	tell(why, "sender, as it is compared", "%s", or_null_sender(d->sender_key));
	tell(why, "recipient, as it is compared", "%s", d->recipient_key);
	tell(why, "verified name of the client", "%s", d->name ? d->name : "none");
}

/* All exemptions are asked; the first one that holds decides. */
static bool
exempted(struct why *why, const struct allowed *allowed)
{
	bool found = false;

	for (size_t i = 0; i < n_exemptions; i++) {
		const struct exemption *e = &exemptions[i];
		const char *evidence =
		    e->check(why->ctl->rules, allowed, &why->request, &why->delivery);

		tell(why, e->question, "%s%s", evidence ? "yes: " : "no", evidence ? evidence : "");
		if (evidence && !found)
			why->decision = (struct policy_decision){
			    .reason = e->reason, .action = POLICY_DUNNO, .evidence = evidence};
		found |= evidence != NULL;
	}
	return found;
}

static bool
known_client(struct why *why, bool *ret_known, GError **error)
{
	const struct greylist_rules *rules = &why->ctl->rules->greylist;
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	uint8_t key[CLIENT_KEY_MAX];
	struct prefix trusted = client_trusted(&why->delivery.client);
	char network[PREFIX_TEXT_SIZE], counted[CTL_TIME_SIZE];
	struct store_bytes value;
	struct client client;
	bool have;

	*ret_known = false;
	if (!rules->auto_whitelist_after) {
		tell(why, "the client is known", "no: greylist.auto_whitelist_after = 0");
		return true;
	}
	if (!fetch(why, STORE_CLIENTS,
		(struct store_bytes){key, client_key(&why->delivery.client, key)}, bytes, &value,
		error))
		return false;
	have = value.data && client_decode(&value, &client);
	*ret_known = client_known(rules, have ? &client : NULL, why->ctl->now);
	tell(why, "the client is known", "%s: passes of %s: %u (%u are needed), last %s",
	    *ret_known ? "yes" : "no", prefix_format(&trusted, network), have ? client.passes : 0u,
	    rules->auto_whitelist_after, ctl_time(have ? client.counted : 0, counted));
	if (*ret_known)
		why->decision =
		    (struct policy_decision){.reason = REASON_KNOWN_CLIENT, .action = POLICY_DUNNO};
	return true;
}

static void
set_attempt(struct why *why)
{
	const struct rules *rules = why->ctl->rules;
	char network[PREFIX_TEXT_SIZE];

	if (rules->match_by_name)
		delivery_pool(&why->delivery, rules->suffixes, why->pool);
	why->attempt = (struct greylist_attempt){
	    .network = prefix_of(
		&why->delivery.client, rules->greylist.ipv4_prefix, rules->greylist.ipv6_prefix),
	    .pool = {why->pool, strlen(why->pool)},
	    .now = why->ctl->now,
	};
	tell(why, "network that matches a retry", "%s",
	    prefix_format(&why->attempt.network, network));
	tell(why, "pool that matches a retry", "%s",
	    !rules->match_by_name ? "none: greylist.match_by_name = off"
	    : why->pool[0]        ? why->pool
				  : "none");
}

static void
tell_record(const struct why *why, const char *which, const struct triplet *record)
{
	char network[PREFIX_TEXT_SIZE], first[CTL_TIME_SIZE], last[CTL_TIME_SIZE];

	if (!record || record->n_sightings == 0)
		tell(why, which, "none");
	for (unsigned i = 0; record && i < record->n_sightings; i++) {
		const struct sighting *s = &record->sightings[i];

		tell(why, which, "%s %.*s %s, first %s, last %s, %u attempt%s",
		    prefix_format(&s->network, network), s->pool.length ? (int)s->pool.length : 1,
		    s->pool.length ? (const char *)s->pool.data : "-",
		    triplet_state_name(sighting_state(s)), ctl_time(s->first, first),
		    ctl_time(s->last, last), s->attempts, s->attempts == 1 ? "" : "s");
	}
}

static bool
decide(struct why *why, bool overflow, struct greylist_outcome *ret_outcome, GError **error)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	uint8_t key[KEYEDHASH_SIZE];
	struct triplet record, after;
	struct store_bytes value;
	bool have;

	delivery_triplet_key(
	    &why->delivery, store_hash_key(why->ctl->store), &why->attempt, overflow, key);
	if (!fetch(
		why, STORE_TRIPLETS, (struct store_bytes){key, sizeof key}, bytes, &value, error))
		return false;
	have = value.data && triplet_decode(&value, &record);
	tell_record(why, overflow ? "the place's own record" : "record", have ? &record : NULL);
	greylist_decide(&why->greylist, have ? &record : NULL, &why->attempt, &after, ret_outcome);
	tell(why, "verdict", "%s%s", greylist_verdict_text(ret_outcome->verdict),
	    ret_outcome->by_name ? ", known by the pool's name" : "");
	return true;
}

/* When a retry would be let in. */
static void
tell_retry(const struct why *why, const struct greylist_outcome *outcome)
{
	const struct greylist_rules *rules = &why->greylist;
	int64_t from = why->ctl->now + outcome->wait;
	char begin[CTL_TIME_SIZE], end[CTL_TIME_SIZE];

	if (why->decision.action == POLICY_DEFER)
		tell(why, "a retry would pass", "from %s until %s (in %" G_GINT64_FORMAT " s)",
		    ctl_time(from, begin), ctl_time(from - rules->delay + rules->retry_window, end),
		    outcome->wait);
}

static void
tell_reputation(const struct why *why, enum reputation_kind kind)
{
	static const char *const questions[REPUTATION_KINDS] = {
	    [REPUTATION_NETWORK] = "reputation of the network",
	    [REPUTATION_NAME] = "reputation of the name",
	    [REPUTATION_AUTH] = "reputation of the domain's signatures",
	    [REPUTATION_PAIR] = "the recipient wrote to the sender",
	    [REPUTATION_CORRESPONDENT] = "own users wrote to the domain",
	};
	const struct reputation *r = &why->standing.found.of[kind];
	struct reputation now;
	char last[CTL_TIME_SIZE];

	if (!why->standing.found.have[kind]) {
		tell(why, questions[kind], "none");
	} else if (kind == REPUTATION_PAIR || kind == REPUTATION_CORRESPONDENT) {
		tell(why, questions[kind], "last %s", ctl_time(r->last, last));
	} else {
		now = reputation_decayed(&why->ctl->rules->reputation, r, why->ctl->now);
		tell(why, questions[kind], "ham %.1f, spam %.1f, last %s",
		    (double)now.ham / REPUTATION_MESSAGE, (double)now.spam / REPUTATION_MESSAGE,
		    ctl_time(r->last, last));
	}
}

/* What cannot be read says nothing, as in the daemon. */
static void
read_reputation(struct why *why)
{
	struct standing *s = &why->standing;
	g_autoptr(GByteArray) bytes = g_byte_array_new();

	standing_init(
	    s, why->ctl->rules, &why->delivery, why->pool, store_hash_key(why->ctl->store));
	for (unsigned i = 0; i < s->query.n; i++) {
		struct store_bytes value = {NULL, 0};
		bool have = fetch(why, STORE_REPUTATION, s->query.keys[i], bytes, &value, NULL) &&
			    value.data;

		standing_take(s, i, have ? STORE_OK : STORE_NOT_FOUND, &value);
		tell_reputation(why, s->query.kinds[i]);
	}
	standing_weigh(s, why->ctl->rules, &why->delivery, why->ctl->now);
}

/* Whether it spares the delay; else it may have lengthened it. */
static bool
reputation_spares(struct why *why, const struct greylist_outcome *outcome)
{
	const struct reputation_opinion *opinion = &why->standing.opinion;
	enum reason reason;

	if (!why->ctl->rules->reputation.use) {
		tell(why, "reputation", "not heeded: reputation.use = off");
		return false;
	}
	read_reputation(why);
	if (outcome->verdict != GREYLIST_PASSED && standing_spares(&why->standing, &reason)) {
		tell(why, "reputation", "spares the delay: %s", opinion->evidence);
		why->decision = (struct policy_decision){
		    .reason = reason, .action = POLICY_DUNNO, .evidence = opinion->evidence};
		return true;
	}
	why->greylist.delay = opinion->delay;
	if (opinion->advice == REPUTATION_LENGTHENS)
		tell(why, "reputation", "lengthens the delay to %" G_GINT64_FORMAT " s: %s",
		    opinion->delay, opinion->evidence);
	else
		tell(why, "reputation", "neither spares nor lengthens the delay");
	return false;
}

static bool
ask_triplet(struct why *why, GError **error)
{
	struct greylist_outcome outcome;

	why->greylist = why->ctl->rules->greylist;
	set_attempt(why);
	if (why->delivery.null_sender && why->ctl->rules->null_sender == GREYLIST_NULL_AT_DATA)
		tell(why, "null sender", "let by at RCPT, decided at DATA as follows");
	if (!decide(why, false, &outcome, error))
		return false;
	if (outcome.verdict != GREYLIST_KNOWN) {
		if (reputation_spares(why, &outcome))
			return true;
		if (why->greylist.delay != why->ctl->rules->greylist.delay &&
		    !decide(why, false, &outcome, error))
			return false;
	}
	if (outcome.verdict == GREYLIST_NO_ROOM && !decide(why, true, &outcome, error))
		return false;
	why->decision = decision_of(why->ctl->rules, &outcome);
	tell_retry(why, &outcome);
	return true;
}

static void
tell_answer(const struct why *why)
{
	char reply[POLICY_REPLY_MAX];
	const struct policy_decision *d = &why->decision;
	const struct reason_row *reason = reason_row(d->reason);
	size_t length = decision_reply(d, why->ctl->rules, g_get_host_name(), why->ctl->now, reply);

	g_strchomp(reply);
	tell(why, "reason", "%s (%s)", reason->name, reason->help);
	tell(why, "answer now", "%s", length ? reply : "");
	if (why->ctl->rules->mode == GREYLIST_OBSERVE)
		tell(why, "mode", "observe: nothing is deferred");
	if (why->steps)
		ctl_json_print(
		    json_pack("{s:i, s:O, s:s, s:s, s:I}", "version", 1, "steps", why->steps,
			"reason", reason->name, "reply", reply, "wait", (json_int_t)d->wait));
}

static void
take_allowed(void *context, struct allowed *allowed)
{
	struct allowed **ret_allowed = context;

	*ret_allowed = allowed;
}

static bool
explain(struct why *why, GError **error)
{
	struct allowed *allowed = NULL;
	bool known = false, done = true;

	allowed_read(why->ctl->store, why->ctl->now, 0, take_allowed, &allowed);
	store_wait(why->ctl->store);
	delivery_init(&why->delivery, &why->request);
	tell_delivery(why);
	if (!exempted(why, allowed))
		done = known_client(why, &known, error) && (known || ask_triplet(why, error));
	if (done)
		tell_answer(why);
	allowed_free(allowed);
	return done;
}

static void
set_attribute(struct policy_request *request, enum policy_attribute attribute, const char *value)
{
	request->value[attribute] = value;
	request->length[attribute] = (uint32_t)strlen(value);
}

/* The request that Postfix would send at RCPT. */
static void
set_request(struct policy_request *request, char **argv, const char *name, const char *helo)
{
	for (int i = 0; i < POLICY_ATTRIBUTES; i++)
		set_attribute(request, (enum policy_attribute)i, "");
	set_attribute(request, POLICY_REQUEST, "smtpd_access_policy");
	set_attribute(request, POLICY_PROTOCOL_STATE, "RCPT");
	set_attribute(request, POLICY_CLIENT_ADDRESS, argv[1]);
	set_attribute(request, POLICY_SENDER, argv[2]);
	set_attribute(request, POLICY_RECIPIENT, argv[3]);
	set_attribute(request, POLICY_CLIENT_NAME, name ? name : "unknown");
	set_attribute(request, POLICY_HELO_NAME, helo ? helo : "");
}

bool
ctl_why(struct ctl *ctl, int argc, char **argv, GError **error)
{
	struct why why = {.ctl = ctl};
	g_autofree char *name = NULL, *helo = NULL;
	gboolean json = FALSE;
	const GOptionEntry entries[] = {
	    {"name", 0, 0, G_OPTION_ARG_FILENAME, &name,
		"The client's verified name (default: it has none)", "NAME"},
	    {"helo", 0, 0, G_OPTION_ARG_FILENAME, &helo, "What it says in HELO", "HELO"},
	    {"json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL},
	    G_OPTION_ENTRY_NULL,
	};
	struct address address;
	bool done;

	if (!ctl_parse(ctl, entries, 3, 3, &argc, &argv, error))
		return false;
	if (!address_parse(argv[1], &address) && strcmp(argv[1], "unknown") != 0)
		return ctl_usage(error,
		    "\"%s\" is no address like 192.0.2.17; the client's name goes with --name",
		    argv[1]);
	if (!ctl_read_rules(ctl, error) || !ctl_open(ctl, CTL_READ, error))
		return false;
	set_request(&why.request, argv, name, helo);
	why.steps = json ? json_array() : NULL;
	done = explain(&why, error);
	json_decref(why.steps);
	return done;
}
