#include "config.h"

#include "policyd/daemon/policy.h"

#include <string.h>
#include <glib.h>

#include "policyd/decide/allowed.h"
#include "policyd/decide/client.h"
#include "policyd/decide/domains.h"
#include "policyd/daemon/known.h"
#include "policyd/daemon/messages.h"
#include "policyd/decide/standing.h"

struct policy {
	struct store *store;
	struct rules *rules;
	struct messages *messages;
	struct domains *domains;
	struct allowed *allowed;
	struct known *known; /* NULL where the store answers reads at once */
	bool reading_allowed;
	GPtrArray *spare; /* struct ask, for the next requests */
};

struct policy *
policy_new(struct store *store, struct rules *rules, unsigned messages)
{
	struct policy *policy = g_new0(struct policy, 1);

	policy->store = store;
	policy->rules = rules_ref(rules);
	policy->messages = messages_new(messages);
	policy->domains = domains_new();
	policy->spare = g_ptr_array_new_with_free_func(g_free);
	return policy;
}

void
policy_free(struct policy *policy)
{
	if (!policy)
		return;
	rules_unref(policy->rules);
	messages_free(policy->messages);
	domains_free(policy->domains);
	allowed_free(policy->allowed);
	known_free(policy->known);
	g_ptr_array_unref(policy->spare);
	g_free(policy);
}

void
policy_set_rules(struct policy *policy, struct rules *rules)
{
	struct rules *old = policy->rules;

	policy->rules = rules_ref(rules);
	rules_unref(old);
	if (policy->known)
		known_clear(policy->known);
}

void
policy_set_cache(struct policy *policy, unsigned entries, int64_t seconds)
{
	known_free(policy->known);
	policy->known = entries ? known_new(entries, seconds) : NULL;
}

struct known_status
policy_cache(const struct policy *policy)
{
	return known_status(policy->known);
}

struct rules *
policy_rules(const struct policy *policy)
{
	return policy->rules;
}

void
policy_set_store(struct policy *policy, struct store *store)
{
	policy->store = store;
}

static void
take_allowed(void *context, struct allowed *allowed)
{
	struct policy *policy = context;

	policy->reading_allowed = false;
	if (!allowed)
		return;
	allowed_free(policy->allowed);
	policy->allowed = allowed;
}

void
policy_read_allowed(struct policy *policy, int64_t now)
{
	if (!policy->store || policy->reading_allowed)
		return;
	policy->reading_allowed = true;
	allowed_read(policy->store, now, policy->rules->store_timeout, take_allowed, policy);
}

int64_t
policy_now(const struct policy *policy)
{
	return policy->store ? store_now(policy->store) : g_get_real_time() / G_USEC_PER_SEC;
}

/* -- a request under way -- */

/* One request from its arrival to its answer. */
struct ask {
	struct policy *policy;
	struct rules *rules;
	const struct policy_request *request;
	int64_t now;
	policy_answer_fn answer;
	void *context;

	struct delivery delivery;
	uint64_t message;
	struct greylist_attempt attempt;
	char pool[CLIENTNAME_SIZE]; /* of the attempt */
	bool overflow;              /* the place's own record is asked, not the pair's */

	struct client client; /* as read; valid with have_client */
	bool have_client;
	uint8_t key[KEYEDHASH_SIZE];     /* of the triplet's record */
	struct greylist_outcome outcome; /* as read */
	struct greylist_rules greylist;  /* the rules', with the delay of this decision */

	struct standing standing; /* valid with weighed */
	bool weighed;
	size_t unread; /* keys of it */

	/* A read under way, which may complete inside the call or later. */
	enum store_result result;
	void (*next)(struct ask *ask);
	bool arrived, waiting;
};

static struct ask *
ask_new(struct policy *policy)
{
	guint n = policy->spare->len;
	struct ask *ask =
	    n ? g_ptr_array_steal_index_fast(policy->spare, n - 1) : g_new(struct ask, 1);

	ask->policy = policy;
	ask->rules = rules_ref(policy->rules);
	ask->pool[0] = '\0';
	ask->overflow = false;
	ask->have_client = ask->weighed = false;
	ask->greylist = ask->rules->greylist;
	return ask;
}

static void
ask_done(struct ask *ask)
{
	rules_unref(ask->rules);
	g_ptr_array_add(ask->policy->spare, ask);
}

/* Goes on with the next step, at once where the driver has completed already. */
static void
ask_go_on(struct ask *ask)
{
	if (ask->arrived)
		ask->next(ask);
	else
		ask->waiting = true;
}

/* Reads a record and goes on with NEXT. */
static void
ask_get(struct ask *ask, enum store_space space, struct store_bytes key, store_value_fn value,
    void (*next)(struct ask *ask))
{
	ask->next = next;
	ask->arrived = ask->waiting = false;
	store_get(ask->policy->store, space, key, ask->rules->store_timeout, value, ask);
	ask_go_on(ask);
}

static void
ask_arrived(struct ask *ask, enum store_result result)
{
	ask->result = result;
	ask->arrived = true;
	if (ask->waiting)
		ask->next(ask);
}

/* -- answers -- */

static void
tell(struct ask *ask, const struct policy_decision *decision)
{
	ask->answer(ask->context, ask->rules, decision);
	ask_done(ask);
}

static void
tell_spared(struct ask *ask, enum reason reason, const char *evidence)
{
	struct policy_decision decision = {
	    .reason = reason, .action = POLICY_DUNNO, .evidence = evidence};

	tell(ask, &decision);
}

/* For this recipient and the message's others. */
static void
tell_message(struct ask *ask, const struct policy_decision *decision)
{
	messages_decided(ask->policy->messages, ask->message, ask->now, decision);
	tell(ask, decision);
}

/* Without the store no mail is held up (RFC 6647, 8.2). */
static void
tell_store_failed(struct ask *ask, enum store_result result)
{
	static const enum reason reasons[] = {
	    [STORE_OK] = REASON_STORE_CORRUPT,
	    [STORE_NOT_FOUND] = REASON_STORE_CORRUPT,
	    [STORE_UNAVAILABLE] = REASON_STORE_UNAVAILABLE,
	    [STORE_UNCERTAIN] = REASON_STORE_UNCERTAIN,
	    [STORE_FULL] = REASON_STORE_FULL,
	    [STORE_CORRUPT] = REASON_STORE_CORRUPT,
	};
	struct policy_decision decision = {.reason = reasons[result], .action = POLICY_DUNNO};

	tell_message(ask, &decision);
}

static void
tell_outcome(struct ask *ask, const struct greylist_outcome *outcome)
{
	struct policy_decision decision = decision_of(ask->rules, outcome);

	if (ask->greylist.delay != ask->rules->greylist.delay)
		decision.evidence = ask->standing.opinion.evidence;
	tell_message(ask, &decision);
}

/* -- passes of a client -- */

struct client_job {
	struct greylist_rules rules;
	int64_t now;
};

static void
client_update(const struct store_bytes *old, struct store_change *change, void *data)
{
	const struct client_job *job = data;
	struct client before, after;
	uint8_t bytes[CLIENT_RECORD_MAX];
	bool known = old && client_decode(old, &before);

	if (client_pass(&job->rules, known ? &before : NULL, job->now, &after))
		store_change_put(change, bytes, client_encode(&after, bytes),
		    client_expires(&job->rules, &after));
}

static bool
pass_is_due(const struct ask *ask)
{
	struct client after;

	return ask->rules->greylist.auto_whitelist_after &&
	       client_pass(
		   &ask->rules->greylist, ask->have_client ? &ask->client : NULL, ask->now, &after);
}

/* Counts a pass if one is due, without making the answer wait for it. */
static void
count_pass(struct ask *ask)
{
	struct client_job *job;
	uint8_t key[CLIENT_KEY_MAX];
	struct store_call nobody = {0};

	if (!pass_is_due(ask))
		return;
	job = g_new(struct client_job, 1);
	*job = (struct client_job){.rules = ask->rules->greylist, .now = ask->now};
	store_update(ask->policy->store, STORE_CLIENTS,
	    (struct store_bytes){key, client_key(&ask->delivery.client, key)}, client_update, job,
	    g_free, &nobody);
}

/* -- what is known already -- */

/* What needs a write is asked for anew the next time. */
static void
remember(struct ask *ask, const uint8_t *triplet)
{
	struct known_key key = known_key(&ask->delivery.client, triplet);
	struct known_entry entry = {ask->client, ask->have_client, ask->outcome};

	if (ask->policy->known && !pass_is_due(ask))
		known_put(ask->policy->known, &key, ask->now, &entry);
}

static bool
remembers(struct ask *ask, const uint8_t *triplet, struct greylist_outcome *ret_outcome)
{
	struct known_key key = known_key(&ask->delivery.client, triplet);
	struct known *known = ask->policy->known;
	struct known_entry entry;

	if (!known || !known_find(known, &key, ask->now, &entry))
		return false;
	ask->client = entry.client;
	ask->have_client = entry.have_client;
	*ret_outcome = entry.outcome;
	return !pass_is_due(ask);
}

/* -- the update of a triplet -- */

/* All that the update needs, copied, since it may run on the store's thread. */
struct triplet_job {
	struct greylist_rules rules;
	struct greylist_attempt attempt;
	char pool[CLIENTNAME_SIZE];
	bool hashed;
	struct store_bytes sender, recipient; /* for a new record; into the buffers below */
	char sender_buffer[ENVELOPE_ADDRESS_SIZE], recipient_buffer[ENVELOPE_ADDRESS_SIZE];
	char domain[DOMAINS_NAME_SIZE];  /* of the recipient, "" where it is not to be kept */
	struct greylist_outcome outcome; /* the result */
};

/* Runs in the store's transaction. A damaged record is as none: it is written anew, and heals. */
static void
triplet_update(const struct store_bytes *old, struct store_change *change, void *data)
{
	struct triplet_job *job = data;
	struct triplet before, after;
	uint8_t bytes[TRIPLET_RECORD_MAX];
	bool known = old && triplet_decode(old, &before);

	greylist_decide(&job->rules, known ? &before : NULL, &job->attempt, &after, &job->outcome);
	if (!known) {
		after.sender = job->sender;
		after.recipient = job->recipient;
		after.hashed = job->hashed;
	}
	if (!job->outcome.write)
		return;
	store_change_put(
	    change, bytes, triplet_encode(&after, bytes), greylist_expires(&job->rules, &after));
	if (!job->rules.observe)
		domains_count(change, &job->outcome, job->domain);
}

static void
job_set_addresses(struct triplet_job *job, const struct ask *ask)
{
	const struct delivery *d = &ask->delivery;
	const uint8_t *key = store_hash_key(ask->policy->store);

	job->hashed = ask->rules->privacy;
	if (job->hashed) {
		triplet_address_hash(key, d->sender_key, (uint8_t *)job->sender_buffer);
		triplet_address_hash(key, d->recipient_key, (uint8_t *)job->recipient_buffer);
		job->sender.length = job->recipient.length = TRIPLET_ADDRESS_HASH_SIZE;
	} else {
		job->sender.length =
		    g_strlcpy(job->sender_buffer, d->sender_key, sizeof job->sender_buffer);
		job->recipient.length = g_strlcpy(
		    job->recipient_buffer, d->recipient_key, sizeof job->recipient_buffer);
	}
	job->sender.data = job->sender_buffer;
	job->recipient.data = job->recipient_buffer;
}

/* What a first attempt is counted as; a retry is counted where its first attempt was. */
static void
job_set_domain(struct triplet_job *job, const struct ask *ask)
{
	const char *domain = envelope_domain(ask->delivery.recipient_key);

	g_strlcpy(job->domain, job->hashed ? "" : domain, sizeof job->domain);
	job->attempt.others =
	    job->domain[0] && !domains_by_name(ask->policy->domains, job->domain, ask->now);
}

static struct triplet_job *
job_new(const struct ask *ask)
{
	struct triplet_job *job = g_new(struct triplet_job, 1);

	job->rules = ask->greylist;
	job->attempt = ask->attempt;
	g_strlcpy(job->pool, ask->pool, sizeof job->pool);
	job->attempt.pool.data = job->pool;
	job_set_addresses(job, ask);
	job_set_domain(job, ask);
	return job;
}

static void ask_triplet(struct ask *ask);

static void
triplet_settled(struct ask *ask, const struct greylist_outcome *outcome)
{
	if (outcome->verdict == GREYLIST_NO_ROOM && !ask->overflow) {
		ask->overflow = true;
		ask_triplet(ask);
		return;
	}
	if (outcome->proven)
		count_pass(ask);
	tell_outcome(ask, outcome);
}

static void
triplet_updated(void *context, enum store_result result, void *data)
{
	struct ask *ask = context;
	const struct triplet_job *job = data;

	if (result == STORE_OK)
		triplet_settled(ask, &job->outcome);
	else
		tell_store_failed(ask, result);
}

/* -- the look-up of a triplet -- */

/* Decides on the record as it is read. A known network needs no pool's name, which is dearer to
 * find out than all the rest: it is asked for only when the record does not decide without. */
static void
triplet_read(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct ask *ask = context;
	struct triplet before, after;
	const struct triplet *record =
	    result == STORE_OK && triplet_decode(value, &before) ? &before : NULL;

	greylist_decide(&ask->greylist, record, &ask->attempt, &after, &ask->outcome);
	if (ask->outcome.verdict != GREYLIST_KNOWN && ask->rules->match_by_name && !ask->pool[0]) {
		delivery_pool(&ask->delivery, ask->rules->suffixes, ask->pool);
		ask->attempt.pool = (struct store_bytes){ask->pool, strlen(ask->pool)};
		greylist_decide(&ask->greylist, record, &ask->attempt, &after, &ask->outcome);
	}
	ask_arrived(ask, result);
}

static void
ask_update(struct ask *ask)
{
	struct store_call call = {
	    .timeout = ask->rules->store_timeout, .done = triplet_updated, .context = ask};

	if (ask->outcome.write)
		store_update(ask->policy->store, STORE_TRIPLETS,
		    (struct store_bytes){ask->key, sizeof ask->key}, triplet_update, job_new(ask),
		    g_free, &call);
	else {
		if (ask->outcome.verdict == GREYLIST_KNOWN && !ask->overflow)
			remember(ask, ask->key);
		triplet_settled(ask, &ask->outcome);
	}
}

/* An attempt that is spared while it waits has come back all the same: its triplet passes, without
 * making the answer wait for that. */
static void
let_in_early(struct ask *ask)
{
	struct store_call nobody = {0};
	struct triplet_job *job = job_new(ask);

	job->rules.delay = 0;
	store_update(ask->policy->store, STORE_TRIPLETS,
	    (struct store_bytes){ask->key, sizeof ask->key}, triplet_update, job, g_free, &nobody);
}

/* -- the reputation -- */

static void
ask_weighed(struct ask *ask)
{
	struct policy_decision decision = {
	    .action = POLICY_DUNNO, .evidence = ask->standing.opinion.evidence};

	ask->weighed = true;
	standing_weigh(&ask->standing, ask->rules, &ask->delivery, ask->now);
	if (ask->outcome.verdict != GREYLIST_PASSED &&
	    standing_spares(&ask->standing, &decision.reason)) {
		if (ask->outcome.verdict == GREYLIST_EARLY)
			let_in_early(ask);
		tell_message(ask, &decision);
		return;
	}
	ask->greylist.delay = ask->standing.opinion.delay;
	ask_update(ask);
}

static void
reputation_read(
    void *context, size_t index, enum store_result result, const struct store_bytes *value)
{
	struct ask *ask = context;

	standing_take(&ask->standing, index, result, value);
	if (--ask->unread == 0)
		ask_arrived(ask, STORE_OK);
}

/* A network is always among the keys. */
static void
ask_reputation(struct ask *ask)
{
	const struct reputation_query *query = &ask->standing.query;

	standing_init(&ask->standing, ask->rules, &ask->delivery, ask->pool,
	    store_hash_key(ask->policy->store));
	ask->unread = query->n;
	ask->next = ask_weighed;
	ask->arrived = ask->waiting = false;
	store_get_many(ask->policy->store, STORE_REPUTATION, query->keys, query->n,
	    ask->rules->store_timeout, reputation_read, ask);
	ask_go_on(ask);
}

/* A triplet that has passed needs no reputation, and costs no further read. */
static void
ask_decided(struct ask *ask)
{
	if (ask->result != STORE_OK && ask->result != STORE_NOT_FOUND)
		tell_store_failed(ask, ask->result);
	else if (ask->outcome.verdict == GREYLIST_KNOWN || ask->weighed ||
		 !ask->rules->reputation.use)
		ask_update(ask);
	else
		ask_reputation(ask);
}

static void
ask_triplet(struct ask *ask)
{
	delivery_triplet_key(&ask->delivery, store_hash_key(ask->policy->store), &ask->attempt,
	    ask->overflow, ask->key);
	ask_get(ask, STORE_TRIPLETS, (struct store_bytes){ask->key, sizeof ask->key}, triplet_read,
	    ask_decided);
}

/* -- the client's record -- */

static void
client_read(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	struct ask *ask = context;

	ask->have_client = result == STORE_OK && client_decode(value, &ask->client);
	ask_arrived(ask, result);
}

static void
ask_client_known(struct ask *ask)
{
	const struct greylist_rules *rules = &ask->rules->greylist;

	if (ask->result != STORE_OK && ask->result != STORE_NOT_FOUND) {
		tell_store_failed(ask, ask->result);
	} else if (client_known(rules, ask->have_client ? &ask->client : NULL, ask->now)) {
		remember(ask, NULL);
		count_pass(ask);
		tell_spared(ask, REASON_KNOWN_CLIENT, NULL);
	} else {
		ask_triplet(ask);
	}
}

/* Tells what is remembered, if it is enough for an answer. */
static bool
tell_remembered(struct ask *ask)
{
	const struct greylist_rules *rules = &ask->rules->greylist;
	struct greylist_outcome outcome;

	if (rules->auto_whitelist_after && remembers(ask, NULL, &outcome) &&
	    client_known(rules, &ask->client, ask->now)) {
		tell_spared(ask, REASON_KNOWN_CLIENT, NULL);
		return true;
	}
	delivery_triplet_key(
	    &ask->delivery, store_hash_key(ask->policy->store), &ask->attempt, false, ask->key);
	if (!remembers(ask, ask->key, &outcome))
		return false;
	tell_outcome(ask, &outcome);
	return true;
}

static bool
known_already(struct ask *ask)
{
	struct known *known = ask->policy->known;
	bool hit;

	if (!known)
		return false;
	hit = tell_remembered(ask);
	known_count(known, hit);
	if (!hit)
		ask->have_client = false;
	return hit;
}

static void
ask_client(struct ask *ask)
{
	uint8_t key[CLIENT_KEY_MAX];
	struct store_bytes bytes = {key, client_key(&ask->delivery.client, key)};

	ask->attempt = (struct greylist_attempt){
	    .network = prefix_of(&ask->delivery.client, ask->rules->greylist.ipv4_prefix,
		ask->rules->greylist.ipv6_prefix),
	    .pool = {ask->pool, 0},
	    .now = ask->now,
	};
	if (!ask->policy->store) {
		tell_store_failed(ask, STORE_UNAVAILABLE);
	} else if (known_already(ask)) {
		return;
	} else if (ask->rules->greylist.auto_whitelist_after) {
		ask_get(ask, STORE_CLIENTS, bytes, client_read, ask_client_known);
	} else {
		ask_triplet(ask);
	}
}

/* -- the request -- */

/* An earlier recipient's answer. A header is put in once a message. */
static bool
answered_before(struct ask *ask)
{
	struct policy_decision decision;

	if (!messages_find(ask->policy->messages, ask->message, ask->now, &decision))
		return false;
	decision.reason = REASON_SAME_MESSAGE;
	if (decision.action == POLICY_PREPEND)
		decision.action = POLICY_DUNNO;
	tell(ask, &decision);
	return true;
}

enum dialogue { AT_RCPT, AT_DATA, AT_OTHER };

static enum dialogue
dialogue_state(const struct ask *ask)
{
	const char *state = ask->request->value[POLICY_PROTOCOL_STATE];

	if (strcmp(state, "RCPT") == 0)
		return AT_RCPT;
	return strcmp(state, "DATA") == 0 ? AT_DATA : AT_OTHER;
}

/* At DATA only null senders are of interest, and only by setting. Postfix names the recipient
 * there if there is but one; else it is the first that was asked about at RCPT. */
static bool
has_nothing_to_say(struct ask *ask)
{
	enum dialogue state = dialogue_state(ask);
	bool at_data = ask->rules->null_sender == GREYLIST_NULL_AT_DATA;
	const char *recipient;

	if (state == AT_RCPT)
		return false;
	if (state == AT_OTHER || !at_data || !ask->delivery.null_sender)
		return true;
	recipient = messages_data_recipient(ask->policy->messages, ask->message, ask->now);
	if (recipient)
		delivery_set_recipient(&ask->delivery, recipient);
	return ask->delivery.recipient[0] == '\0';
}

static bool
decided_later(struct ask *ask)
{
	if (!ask->delivery.null_sender || ask->rules->null_sender != GREYLIST_NULL_AT_DATA ||
	    dialogue_state(ask) != AT_RCPT || !ask->message)
		return false;
	messages_expect_data(
	    ask->policy->messages, ask->message, ask->now, ask->delivery.recipient);
	return true;
}

static void
ask_begin(struct ask *ask)
{
	const struct exemption *exemption;
	const char *evidence;

	if (has_nothing_to_say(ask)) {
		tell_spared(ask, REASON_OTHER_STATE, NULL);
		return;
	}
	exemption = exemption_find(
	    ask->rules, ask->policy->allowed, ask->request, &ask->delivery, &evidence);
	if (exemption)
		tell_spared(ask, exemption->reason, evidence);
	else if (decided_later(ask))
		tell_spared(ask, REASON_NULL_SENDER_LATER, NULL);
	else if (!answered_before(ask))
		ask_client(ask);
}

void
policy_decide(struct policy *policy, const struct policy_request *request, int64_t now,
    policy_answer_fn answer, void *context)
{
	struct ask *ask = ask_new(policy);

	ask->request = request;
	ask->now = now;
	ask->answer = answer;
	ask->context = context;
	if (strcmp(request->value[POLICY_REQUEST], "smtpd_access_policy") != 0) {
		tell_spared(ask, REASON_OTHER_REQUEST, request->value[POLICY_REQUEST]);
		return;
	}
	delivery_init(&ask->delivery, request);
	ask->message = messages_id(policy->messages, request);
	ask_begin(ask);
}
