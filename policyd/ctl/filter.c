#include "config.h"

#include "policyd/ctl/filter.h"

#include <string.h>

#include "policyd/decide/allowed.h"
#include "policyd/ctl/ctl.h"

/* -- as typed -- */

/* What was typed, by the option that it was typed with. */
struct part {
	const char *option, *text;
	unsigned kinds;
	size_t selector; /* in struct filter */
};

#define PARTS (3 + FILTER_ANY)

static void
parts_of(const struct filter_text *t, struct part ret_parts[PARTS])
{
	const struct part parts[] = {
	    {"--client ", t->client, SELECTOR_OF_CLIENT, offsetof(struct filter, client)},
	    {"--sender ", t->sender, SELECTOR_OF_SENDER, offsetof(struct filter, sender)},
	    {"--recipient ", t->recipient, SELECTOR_OF_RECIPIENT,
		offsetof(struct filter, recipient)},
	    {"", t->any[0], SELECTOR_ALL, offsetof(struct filter, any[0])},
	    {"", t->any[1], SELECTOR_ALL, offsetof(struct filter, any[1])},
	};

	G_STATIC_ASSERT(G_N_ELEMENTS(parts) == PARTS);
	memcpy(ret_parts, parts, sizeof parts);
}

void
filter_text_clear(struct filter_text *text)
{
	g_free(text->client);
	g_free(text->sender);
	g_free(text->recipient);
	g_free(text->state);
	for (size_t i = 0; i < FILTER_ANY; i++)
		g_free(text->any[i]);
	*text = (struct filter_text){0};
}

bool
filter_text_given(const struct filter_text *text)
{
	struct part parts[PARTS];
	bool given = text->state != NULL;

	parts_of(text, parts);
	for (size_t i = 0; i < PARTS; i++)
		given |= parts[i].text != NULL;
	return given;
}

/* "--sender bank.example --state passed". */
static char *
describe(const struct filter_text *text)
{
	g_autoptr(GString) words = g_string_new(NULL);
	struct part parts[PARTS];

	parts_of(text, parts);
	for (size_t i = 0; i < PARTS; i++) {
		if (!parts[i].text)
			continue;
		g_string_append_printf(words, "%s%s", words->len ? " " : "", parts[i].option);
		if (*parts[i].text)
			ctl_append_safe(
			    words, &(struct store_bytes){parts[i].text, strlen(parts[i].text)});
		else
			g_string_append(words, "<>");
	}
	if (text->state)
		g_string_append_printf(words, "%s--state %s", words->len ? " " : "", text->state);
	return g_string_free(g_steal_pointer(&words), FALSE);
}

bool
filter_end(const struct filter_text *text, const char *what, uint64_t matched, uint64_t unknown,
    GError **error)
{
	g_autofree char *words = describe(text);
	g_autofree char *none = g_strdup_printf("no %s matches %s", what, words);

	if (unknown)
		return ctl_fail(error,
		    "%s%s%" G_GUINT64_FORMAT " %ss could not be compared with a domain, since "
		    "only hashes of their addresses are kept (greylist.privacy): name whole "
		    "addresses",
		    matched ? "" : none, matched ? "" : "; ", unknown, what);
	if (matched == 0 && filter_text_given(text))
		return ctl_fail(error, "%s", none);
	return true;
}

static bool
parse_state(const char *text, int *ret_state, GError **error)
{
	*ret_state = -1;
	if (!text)
		return true;
	for (int state = 0; state <= FILTER_EXPIRED; state++)
		if (strcmp(text, filter_state_name(state)) == 0)
			*ret_state = state;
	return *ret_state >= 0 ||
	       ctl_usage(
		   error, "--state %s: it is one of greylisted, passed, observed, expired", text);
}

/* The text may be a message's, by way of the log. */
static bool
refuse(const struct part *part, const GError *wrong, GError **error)
{
	g_autoptr(GString) safe = g_string_new(part->option);

	ctl_append_safe(safe, &(struct store_bytes){wrong->message, strlen(wrong->message)});
	return ctl_usage(error, "%s", safe->str);
}

bool
filter_init(struct filter *filter, const struct filter_text *text,
    const struct greylist_rules *rules, const uint8_t hash_key[KEYEDHASH_KEY_SIZE], int64_t now,
    GError **error)
{
	struct part parts[PARTS];

	*filter = (struct filter){.rules = *rules, .now = now};
	parts_of(text, parts);
	for (size_t i = 0; i < PARTS; i++) {
		struct selector *selector = (void *)((char *)filter + parts[i].selector);
		g_autoptr(GError) wrong = NULL;

		if (!parts[i].text)
			continue;
		if (!selector_parse(parts[i].text, parts[i].kinds, selector, &wrong))
			return refuse(&parts[i], wrong, error);
		selector_set_key(selector, hash_key);
	}
	return parse_state(text->state, &filter->state, error);
}

/* -- matching -- */

static enum selector_match
yes_or_no(bool matches)
{
	return matches ? SELECTOR_MATCHES : SELECTOR_MISSES;
}

static enum selector_match
match_client(const struct selector *selector, const struct sighting *sighting)
{
	if (!sighting)
		return yes_or_no(selector->kind == SELECTOR_NONE);
	return yes_or_no(selector_match_network(selector, &sighting->network) ||
			 selector_match_name(selector, &sighting->pool));
}

enum selector_match
filter_match(const struct filter *filter, const struct triplet *t, const struct sighting *sighting)
{
	enum selector_match match = yes_or_no(
	    filter->state < 0 || (sighting && filter_state(filter, sighting) == filter->state));

	match = MIN(match, match_client(&filter->client, sighting));
	match = MIN(
	    match, selector_match_address(&filter->sender, SELECTOR_SENDER, &t->sender, t->hashed));
	match = MIN(match, selector_match_address(
			       &filter->recipient, SELECTOR_RECIPIENT, &t->recipient, t->hashed));
	for (size_t i = 0; i < FILTER_ANY; i++) {
		const struct selector *any = &filter->any[i];
		enum selector_match place = match_client(any, sighting);

		place =
		    MAX(place, selector_match_address(any, SELECTOR_SENDER, &t->sender, t->hashed));
		place = MAX(place,
		    selector_match_address(any, SELECTOR_RECIPIENT, &t->recipient, t->hashed));
		match = MIN(match, place);
	}
	return match;
}

enum selector_match
filter_match_any(const struct filter *filter, const struct triplet *t)
{
	enum selector_match match = SELECTOR_MISSES;

	if (t->n_sightings == 0)
		return filter_match(filter, t, NULL);
	for (unsigned i = 0; i < t->n_sightings; i++)
		match = MAX(match, filter_match(filter, t, &t->sightings[i]));
	return match;
}

/* What is expected of a domain counts as the client's name, too. */
static enum selector_match
match_expected(const struct filter *filter, const struct expected_entry *e)
{
	const struct selector *client = &filter->client;
	enum selector_match match;

	if (client->kind == SELECTOR_NETWORK)
		match = SELECTOR_MISSES;
	else if (e->hashed)
		match = selector_match_address(client, SELECTOR_SENDER, &e->sender, true);
	else
		match = yes_or_no(selector_match_name(client, &e->sender));
	match = MIN(
	    match, selector_match_address(&filter->sender, SELECTOR_SENDER, &e->sender, e->hashed));
	return MIN(match, selector_match_address(
			      &filter->recipient, SELECTOR_RECIPIENT, &e->recipient, e->hashed));
}

static enum selector_match
match_exception(const struct filter *filter, const struct store_bytes *key)
{
	g_autofree char *text = g_strndup(key->data, key->length);
	struct prefix network;
	bool is_network = prefix_parse(text, &network);
	bool client = is_network ? selector_match_network(&filter->client, &network)
				 : selector_match_name(&filter->client, key);
	bool sender = filter->sender.kind == SELECTOR_NONE ||
		      (!is_network && selector_match_address(&filter->sender, SELECTOR_SENDER, key,
					  false) == SELECTOR_MATCHES);

	return yes_or_no(client && sender && filter->recipient.kind == SELECTOR_NONE);
}

bool
filter_match_allowed(const struct filter *filter, const struct store_bytes *key,
    const struct store_bytes *value, enum selector_match *ret_match)
{
	struct expected_entry e;
	struct allowed_entry entry;

	if (expected_is_key(key)) {
		if (!expected_decode(key, value, &e))
			return false;
		*ret_match = match_expected(filter, &e);
		return true;
	}
	if (!allowed_decode(value, &entry))
		return false;
	*ret_match = match_exception(filter, key);
	return true;
}

/* -- states -- */

int
filter_state(const struct filter *filter, const struct sighting *sighting)
{
	struct triplet alone = {.n_sightings = 1, .sightings = {*sighting}};

	if (filter->now >= greylist_expires(&filter->rules, &alone))
		return FILTER_EXPIRED;
	return (int)sighting_state(sighting);
}

const char *
filter_state_name(int state)
{
	return state == FILTER_EXPIRED ? "expired" : triplet_state_name((enum triplet_state)state);
}

enum terminal_style
filter_state_style(int state)
{
	static const enum terminal_style styles[] = {
	    [TRIPLET_GREYLISTED] = TERMINAL_WAITING,
	    [TRIPLET_PASSED] = TERMINAL_GOOD,
	    [TRIPLET_OBSERVED] = TERMINAL_GOOD,
	    [FILTER_EXPIRED] = TERMINAL_FAINT,
	};

	return styles[state];
}
