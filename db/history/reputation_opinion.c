/* What reputation means at RCPT. */
#include "config.h"

#include "db/history/reputation.h"

#include <stdio.h>
#include <string.h>

/* Any ham in so many half-lives, and spam lengthens nothing. */
#define HAM_HALF_LIVES 2

static void
ask_for(struct reputation_query *query, enum reputation_kind kind, size_t length)
{
	if (length == 0)
		return;
	query->kinds[query->n] = kind;
	query->keys[query->n] = (struct store_bytes){query->bytes[query->n], length};
	query->n++;
}

static void
ask_for_domain(struct reputation_query *query, enum reputation_kind kind, const char *domain)
{
	ask_for(query, kind,
	    reputation_domain_key(kind, domain, strlen(domain), query->bytes[query->n]));
}

/* The address is at that domain, or at one below it. */
static bool
lies_in(const char *address, const char *domain)
{
	size_t n = strlen(address), n_domain = strlen(domain);

	return n > n_domain && strcmp(address + n - n_domain, domain) == 0 &&
	       (address[n - n_domain - 1] == '@' || address[n - n_domain - 1] == '.') &&
	       strchr(address, '@');
}

void
reputation_query_init(struct reputation_query *query, const uint8_t hash_key[KEYEDHASH_KEY_SIZE],
    const struct address *client, const char *name, const char *sender, const char *recipient)
{
	query->n = 0;
	ask_for(query, REPUTATION_NETWORK, reputation_network_key(client, query->bytes[query->n]));
	ask_for_domain(query, REPUTATION_NAME, name);
	ask_for_domain(query, REPUTATION_AUTH, name);
	if (lies_in(sender, name))
		ask_for_domain(query, REPUTATION_CORRESPONDENT, name);
	ask_for(query, REPUTATION_PAIR,
	    reputation_pair_key(hash_key, sender, recipient, query->bytes[query->n]));
}

/* -- one record -- */

static bool
is_wanted(const struct reputation_rules *rules, const struct reputation *r)
{
	return r->ham >= rules->ham &&
	       (double)r->spam <= rules->max_spam * ((double)r->ham + (double)r->spam);
}

static bool
is_spammy(const struct reputation_rules *rules, const struct reputation *r)
{
	return r->spam >= rules->spam &&
	       (double)r->spam > rules->max_spam * ((double)r->ham + (double)r->spam);
}

static bool
had_ham(const struct reputation_rules *rules, const struct reputation *r, int64_t now)
{
	return r->last_ham && now - r->last_ham < HAM_HALF_LIVES * rules->half_life;
}

/* -- all of them -- */

struct weighing {
	const struct reputation_rules *rules;
	const struct reputation_found *found;
	struct reputation now_of[REPUTATION_KINDS]; /* decayed; zero where there is none */
	const struct address *client;
	const char *name;
	int64_t delay, now;
};

static void
conclude(const struct weighing *w, enum reputation_advice advice, enum reputation_kind kind,
    struct reputation_opinion *opinion)
{
	const struct reputation *r = &w->now_of[kind];
	char address[ADDRESS_TEXT_SIZE];
	const char *subject =
	    kind == REPUTATION_NETWORK ? address_format(w->client, address) : w->name;

	opinion->advice = advice;
	opinion->kind = kind;
	snprintf(opinion->evidence, sizeof opinion->evidence, "%s %s: ham %.1f, spam %.1f",
	    reputation_kind_name(kind), subject, (double)r->ham / REPUTATION_MESSAGE,
	    (double)r->spam / REPUTATION_MESSAGE);
}

static bool
weigh_contacts(const struct weighing *w, struct reputation_opinion *opinion)
{
	static const enum reputation_kind contacts[] = {REPUTATION_PAIR, REPUTATION_CORRESPONDENT};

	for (size_t i = 0; i < G_N_ELEMENTS(contacts); i++) {
		enum reputation_kind kind = contacts[i];
		int64_t age = w->now - w->found->of[kind].last;

		if (!w->found->have[kind] || age > w->rules->lifetime)
			continue;
		opinion->advice = REPUTATION_WROTE;
		opinion->kind = kind;
		snprintf(opinion->evidence, sizeof opinion->evidence,
		    "%s %s: written to %" G_GINT64_FORMAT " days ago", reputation_kind_name(kind),
		    kind == REPUTATION_PAIR ? "of sender and recipient" : w->name,
		    MAX(age, 0) / 86400);
		return true;
	}
	return false;
}

static bool
weigh_ham(const struct weighing *w, struct reputation_opinion *opinion)
{
	static const enum reputation_kind by_name[] = {REPUTATION_NAME, REPUTATION_AUTH};
	const struct reputation *of = w->now_of;

	if (is_wanted(w->rules, &of[REPUTATION_NETWORK])) {
		conclude(w, REPUTATION_SPARES, REPUTATION_NETWORK, opinion);
		return true;
	}
	if (is_spammy(w->rules, &of[REPUTATION_NETWORK]) ||
	    is_spammy(w->rules, &of[REPUTATION_NAME]))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(by_name); i++) {
		if (is_wanted(w->rules, &of[by_name[i]])) {
			conclude(w, REPUTATION_SPARES, by_name[i], opinion);
			return true;
		}
	}
	return false;
}

static void
weigh_spam(const struct weighing *w, struct reputation_opinion *opinion)
{
	const struct reputation *of = w->now_of;
	enum reputation_kind kind = of[REPUTATION_NETWORK].spam >= of[REPUTATION_NAME].spam
					? REPUTATION_NETWORK
					: REPUTATION_NAME;
	int64_t most = MAX(w->delay, w->rules->delay_max), longer;

	if (of[kind].spam < w->rules->spam)
		return;
	for (int i = REPUTATION_NETWORK; i <= REPUTATION_AUTH; i++)
		if (had_ham(w->rules, &of[i], w->now))
			return;
	longer = (int64_t)((double)w->delay * w->rules->factor);
	if (longer <= w->delay)
		return;
	conclude(w, REPUTATION_LENGTHENS, kind, opinion);
	opinion->delay = MIN(longer, most);
}

void
reputation_opinion(const struct reputation_rules *rules, const struct reputation_found *found,
    const struct address *client, const char *name, int64_t delay, int64_t now,
    struct reputation_opinion *ret_opinion)
{
	struct weighing w = {.rules = rules,
	    .found = found,
	    .client = client,
	    .name = name,
	    .delay = delay,
	    .now = now};
	struct reputation_opinion opinion = {.delay = delay};

	for (int i = REPUTATION_NETWORK; i < REPUTATION_KINDS; i++)
		if (found->have[i])
			w.now_of[i] = reputation_decayed(rules, &found->of[i], now);
	if (!weigh_contacts(&w, &opinion) && !weigh_ham(&w, &opinion))
		weigh_spam(&w, &opinion);
	*ret_opinion = opinion;
}
