#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policyd/decide/client.h"
#include "policyd/ctl/json.h"
#include "policyd/ctl/why.h"
#include "policyd/decide/delivery.h"
#include "policyd/ctl/logline.h"
#include "policyd/decide/standing.h"

/* A line of the log is of 2,048 bytes and what syslog puts before it. */
#define LINE_SIZE_MAX 16384

/* The policy's steps on values that are only read. Each is told as it is taken. */
struct why {
	struct ctl *ctl;
	enum why_form form;
	struct terminal terminal;
	json_t *steps; /* NULL unless WHY_JSON */
	struct policy_request request;
	struct delivery delivery;
	struct greylist_attempt attempt;
	struct greylist_rules greylist; /* the rules', with the delay of this decision */
	struct standing standing;
	char pool[CLIENTNAME_SIZE];
	struct policy_decision decision;
	int64_t retry_from, retry_until;
};

static void
tell_safe(
    const struct why *why, enum terminal_style style, const char *question, const char *answer)
{
	g_autoptr(GString) safe = g_string_new(NULL);

	ctl_append_safe(safe, &(struct store_bytes){answer, strlen(answer)});
	if (why->form == WHY_JSON)
		json_array_append_new(
		    why->steps, json_pack("{s:s, s:s}", "question", question, "answer", safe->str));
	else if (why->form == WHY_TEXT)
		printf("%-40s %s%s%s\n", question, terminal_begin(&why->terminal, style), safe->str,
		    terminal_end(&why->terminal, style));
}

static void tell(const struct why *why, const char *question, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static void
tell(const struct why *why, const char *question, const char *format, ...)
{
	g_autofree char *answer = NULL;
	va_list arguments;

	va_start(arguments, format);
	answer = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	tell_safe(why, TERMINAL_PLAIN, question, answer);
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
		return ctl_store_fail(why->ctl->store, fetched.result, error);
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
tell_retry(struct why *why, const struct greylist_outcome *outcome)
{
	const struct greylist_rules *rules = &why->greylist;
	char begin[CTL_TIME_SIZE], end[CTL_TIME_SIZE];

	if (why->decision.action != POLICY_DEFER)
		return;
	why->retry_from = why->ctl->now + outcome->wait;
	why->retry_until = why->retry_from - rules->delay + rules->retry_window;
	tell(why, "a retry would pass", "from %s until %s (in %" G_GINT64_FORMAT " s)",
	    ctl_time(why->retry_from, begin), ctl_time(why->retry_until, end), outcome->wait);
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

enum terminal_style
why_style(const struct policy_decision *decision)
{
	return decision->action == POLICY_DEFER ? TERMINAL_WAITING : TERMINAL_GOOD;
}

static void
tell_answer(const struct why *why, struct why_answer *answer)
{
	const struct policy_decision *d = &why->decision;
	const struct reason_row *reason = reason_row(d->reason);
	g_autofree char *words = g_strdup_printf("%s (%s)", reason->name, reason->help);
	size_t length =
	    decision_reply(d, why->ctl->rules, g_get_host_name(), why->ctl->now, answer->reply);

	g_strchomp(answer->reply);
	answer->decision = *d;
	answer->decision.evidence = NULL;
	answer->retry_from = why->retry_from;
	answer->retry_until = why->retry_until;
	tell_safe(why, why_style(d), "reason", words);
	tell_safe(why, why_style(d), "answer now", length ? answer->reply : "");
	if (why->ctl->rules->mode == GREYLIST_OBSERVE)
		tell(why, "mode", "observe: nothing is deferred");
	if (why->steps)
		ctl_json_print(json_pack("{s:i, s:O, s:s, s:s, s:I}", "version", 1, "steps",
		    why->steps, "reason", reason->name, "reply", answer->reply, "wait",
		    (json_int_t)d->wait));
}

static void
take_allowed(void *context, struct allowed *allowed)
{
	struct allowed **ret_allowed = context;

	*ret_allowed = allowed;
}

static bool
explain(struct why *why, struct why_answer *answer, GError **error)
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
		tell_answer(why, answer);
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
set_request(struct policy_request *request, const struct why_question *question)
{
	for (int i = 0; i < POLICY_ATTRIBUTES; i++)
		set_attribute(request, (enum policy_attribute)i, "");
	set_attribute(request, POLICY_REQUEST, "smtpd_access_policy");
	set_attribute(request, POLICY_PROTOCOL_STATE, "RCPT");
	set_attribute(request, POLICY_CLIENT_ADDRESS, question->client);
	set_attribute(request, POLICY_SENDER, question->sender);
	set_attribute(request, POLICY_RECIPIENT, question->recipient);
	set_attribute(request, POLICY_CLIENT_NAME, question->name ? question->name : "unknown");
	set_attribute(request, POLICY_HELO_NAME, question->helo ? question->helo : "");
}

bool
why_explain(struct ctl *ctl, const struct why_question *question, enum why_form form,
    struct why_answer *ret_answer, GError **error)
{
	struct why why = {.ctl = ctl, .form = form, .terminal = terminal_of(stdout)};
	struct why_answer answer = {0};
	bool done;

	set_request(&why.request, question);
	why.steps = form == WHY_JSON ? json_array() : NULL;
	done = explain(&why, &answer, error);
	json_decref(why.steps);
	if (done)
		*ret_answer = answer;
	return done;
}

/* -- what was typed -- */

struct typed {
	struct filter_text text;
	char *log, *name, *helo;
	struct logline logline;
	gboolean json;
};

static void
typed_clear(struct typed *typed)
{
	filter_text_clear(&typed->text);
	logline_clear(&typed->logline);
	g_free(typed->log);
	g_free(typed->name);
	g_free(typed->helo);
}

/* The one line of standard input. */
static bool
read_log(char **ret_line, GError **error)
{
	char bytes[LINE_SIZE_MAX];
	size_t length = fread(bytes, 1, sizeof bytes - 1, stdin);

	if (length == sizeof bytes - 1)
		return ctl_usage(error, "--log: that is too long for a line of the log");
	bytes[length] = '\0';
	g_strchomp(bytes);
	if (strchr(bytes, '\n'))
		return ctl_usage(error, "--log takes one line: choose it, by \"tail -n 1\" say");
	*ret_line = g_strdup(bytes);
	return true;
}

static bool
take_log(struct typed *typed, GError **error)
{
	struct filter_text *text = &typed->text;
	g_autofree char *line = NULL;
	g_autoptr(GError) wrong = NULL;
	char **value = typed->logline.value;

	if (strcmp(typed->log, "-") != 0)
		line = g_strdup(typed->log);
	else if (!read_log(&line, error))
		return false;
	if (!logline_parse(line, &typed->logline, &wrong))
		return ctl_usage(error, "--log: %s", wrong->message);
	text->client = g_strdup(value[LOGLINE_CLIENT]);
	text->sender = g_strdup(value[LOGLINE_SENDER]);
	text->recipient = g_strdup(value[LOGLINE_RECIPIENT]);
	if (!typed->name)
		typed->name = g_strdup(value[LOGLINE_NAME]);
	return true;
}

/* Three words are client, sender and recipient; fewer are any of them. */
static bool
take_words(struct typed *typed, int n, char **words, GError **error)
{
	struct filter_text *text = &typed->text;

	if (n && (typed->log || filter_text_given(text)))
		return ctl_usage(error, "why takes words, or --client, --sender and --recipient, "
					"or --log");
	if (typed->log && filter_text_given(text))
		return ctl_usage(error, "--log has client, sender and recipient in it");
	if (typed->log)
		return take_log(typed, error);
	if (n == 3) {
		text->client = g_strdup(words[0]);
		text->sender = g_strdup(words[1]);
		text->recipient = g_strdup(words[2]);
	}
	for (int i = 0; n < 3 && i < n; i++)
		text->any[i] = g_strdup(words[i]);
	return true;
}

/* A domain, a network or a hash is of many: no request has it. */
static bool
is_one(const char *text)
{
	struct selector selector;

	return text && !selector_parse(text, SELECTOR_DOMAIN | SELECTOR_NETWORK | SELECTOR_HASH,
			   &selector, NULL);
}

/* Whether a whole request was typed: an address of a client, a sender and a recipient. */
static bool
is_request(const struct typed *typed)
{
	const struct filter_text *text = &typed->text;
	struct address address;

	return text->client &&
	       (address_parse(text->client, &address) || strcmp(text->client, "unknown") == 0) &&
	       text->sender && text->recipient &&
	       (typed->log || (is_one(text->sender) && is_one(text->recipient)));
}

/* What became of the request when it was logged. */
static void
tell_log(const struct typed *typed)
{
	static const enum logline_field fields[] = {LOGLINE_ACTION, LOGLINE_REASON, LOGLINE_DELAY};
	const struct why why = {.form = WHY_TEXT};
	g_autoptr(GString) then = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
		if (typed->logline.value[fields[i]])
			g_string_append_printf(
			    then, "%s%s", then->len ? ", " : "", typed->logline.value[fields[i]]);
	if (then->len && !typed->json)
		tell_safe(&why, TERMINAL_PLAIN, "in the log (action, reason, delay)", then->str);
}

static bool
answer(struct ctl *ctl, struct typed *typed, GError **error)
{
	struct filter_text *text = &typed->text;
	struct why_question question = {
	    text->client, text->sender, text->recipient, typed->name, typed->helo};
	struct why_answer ignored;

	if (is_request(typed)) {
		tell_log(typed);
		return why_explain(
		    ctl, &question, typed->json ? WHY_JSON : WHY_TEXT, &ignored, error);
	}
	/* Mail of an unknown client leaves no record by which it could be told. */
	if (typed->log && text->client && strcmp(text->client, "unknown") == 0)
		g_clear_pointer(&text->client, g_free);
	return why_records(ctl, text, &question, typed->json, error);
}

bool
ctl_why(struct ctl *ctl, int argc, char **argv, GError **error)
{
	struct typed typed = {0};
	struct filter_text *text = &typed.text;
	const GOptionEntry entries[] = {
	    {"log", 0, 0, G_OPTION_ARG_FILENAME, &typed.log,
		"Of this line of greylagd's log; - for standard input", "LINE|-"},
	    {"client", 0, 0, G_OPTION_ARG_FILENAME, &text->client, CTL_HELP_CLIENT, "CLIENT"},
	    {"sender", 0, 0, G_OPTION_ARG_FILENAME, &text->sender, CTL_HELP_SENDER, "SENDER"},
	    {"recipient", 0, 0, G_OPTION_ARG_FILENAME, &text->recipient, CTL_HELP_RECIPIENT,
		"RECIPIENT"},
	    {"name", 0, 0, G_OPTION_ARG_FILENAME, &typed.name,
		"The client's verified name (default: the log's or the record's, or none)", "NAME"},
	    {"helo", 0, 0, G_OPTION_ARG_FILENAME, &typed.helo, "What it says in HELO", "HELO"},
	    {"json", 0, 0, G_OPTION_ARG_NONE, &typed.json, "Print JSON", NULL},
	    G_OPTION_ENTRY_NULL,
	};
	bool done = ctl_parse(ctl, entries, 0, 3, &argc, &argv, error) &&
		    take_words(&typed, argc - 1, argv + 1, error) && ctl_read_rules(ctl, error) &&
		    ctl_open(ctl, CTL_READ, error) && answer(ctl, &typed, error);

	typed_clear(&typed);
	return done;
}
