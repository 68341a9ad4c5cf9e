#include "config.h"

#include <stdio.h>
#include <string.h>

#include "policyd/ctl/json.h"
#include "policyd/ctl/why.h"

/* Of all that match, so many are shown: the newest. */
#define SHOWN_MAX 20

/* A sighting that outlives its record's bytes. */
struct match {
	GBytes *sender, *recipient, *pool;
	bool hashed;
	struct sighting sighting;
};

struct search {
	struct filter filter;
	GPtrArray *newest; /* struct match, the newest first */
	uint64_t matched, unknown, malformed;
};

static GBytes *
keep(const struct store_bytes *bytes)
{
	return g_bytes_new(bytes->data, bytes->length);
}

static struct store_bytes
kept(GBytes *bytes)
{
	gsize length;
	const void *data = g_bytes_get_data(bytes, &length);

	return (struct store_bytes){data, length};
}

static void
match_free(gpointer data)
{
	struct match *match = data;

	g_bytes_unref(match->sender);
	g_bytes_unref(match->recipient);
	g_bytes_unref(match->pool);
	g_free(match);
}

/* -- searching -- */

static void
take_sighting(struct search *search, const struct triplet *t, const struct sighting *s)
{
	GPtrArray *newest = search->newest;
	guint place = newest->len;
	struct match *match;

	search->matched++;
	while (place > 0 &&
	       ((struct match *)g_ptr_array_index(newest, place - 1))->sighting.last < s->last)
		place--;
	if (place == SHOWN_MAX)
		return;
	match = g_new(struct match, 1);
	*match =
	    (struct match){keep(&t->sender), keep(&t->recipient), keep(&s->pool), t->hashed, *s};
	match->sighting.pool = kept(match->pool);
	g_ptr_array_insert(newest, (gint)place, match);
	if (newest->len > SHOWN_MAX)
		g_ptr_array_set_size(newest, SHOWN_MAX);
}

static bool
take_record(void *context, const struct store_bytes *key G_GNUC_UNUSED,
    const struct store_bytes *value, int64_t expires G_GNUC_UNUSED)
{
	struct search *search = context;
	struct triplet t;

	if (!triplet_decode(value, &t)) {
		search->malformed++;
		return true;
	}
	search->unknown += filter_match_any(&search->filter, &t) == SELECTOR_UNKNOWN;
	for (unsigned i = 0; i < t.n_sightings; i++)
		if (filter_match(&search->filter, &t, &t.sightings[i]) == SELECTOR_MATCHES)
			take_sighting(search, &t, &t.sightings[i]);
	return true;
}

/* -- what would be asked -- */

/* The address as text: of a hash, what was typed if it is of that. NULL if nobody knows. */
static char *
address_text(const struct filter *filter, enum selector_side side, GBytes *stored, bool hashed)
{
	const struct selector *named[] = {
	    side == SELECTOR_SENDER ? &filter->sender : &filter->recipient, &filter->any[0],
	    &filter->any[1]};
	struct store_bytes address = kept(stored);

	if (!hashed)
		return address.length ? g_strndup(address.data, address.length) : g_strdup("");
	for (size_t i = 0; i < G_N_ELEMENTS(named); i++)
		if (named[i]->kind & (SELECTOR_ADDRESS | SELECTOR_LOCAL | SELECTOR_NULL) &&
		    selector_match_address(named[i], side, &address, true) == SELECTOR_MATCHES)
			return g_strdup(named[i]->text[side]);
	return NULL;
}

/* The client's address if it was typed; else the first one of its network stands for it. */
static const char *
client_text(
    const struct filter *filter, const struct prefix *network, char buffer[ADDRESS_TEXT_SIZE])
{
	const struct selector *named[] = {&filter->client, &filter->any[0], &filter->any[1]};
	const struct address *address = &network->address;

	for (size_t i = 0; i < G_N_ELEMENTS(named); i++) {
		const struct prefix *typed = &named[i]->network;

		if (named[i]->kind == SELECTOR_NETWORK &&
		    typed->length == 8 * address_size(&typed->address) &&
		    prefix_contains(network, &typed->address))
			address = &typed->address;
	}
	return address_format(address, buffer);
}

/* A mail of the record, now. False without an error if its addresses are not known. */
static bool
decide(struct ctl *ctl, const struct filter *filter, const struct match *match,
    const struct why_question *question, struct why_answer *ret_answer, GError **error)
{
	g_autofree char *sender =
	    address_text(filter, SELECTOR_SENDER, match->sender, match->hashed);
	g_autofree char *recipient =
	    address_text(filter, SELECTOR_RECIPIENT, match->recipient, match->hashed);
	struct store_bytes pool = kept(match->pool);
	g_autofree char *name = pool.length ? g_strndup(pool.data, pool.length) : NULL;
	char client[ADDRESS_TEXT_SIZE];
	struct why_question asked = {client_text(filter, &match->sighting.network, client), sender,
	    recipient, question->name ? question->name : name, question->helo};

	return sender && recipient && why_explain(ctl, &asked, WHY_SILENT, ret_answer, error);
}

/* -- telling -- */

static void
append_head(GString *text, const struct match *match)
{
	struct store_bytes sender = kept(match->sender), recipient = kept(match->recipient);
	char network[PREFIX_TEXT_SIZE];

	ctl_append_address(text, &sender, match->hashed);
	g_string_append(text, " to ");
	ctl_append_address(text, &recipient, match->hashed);
	g_string_append_printf(text, " from %s", prefix_format(&match->sighting.network, network));
	if (!match->sighting.pool.length)
		return;
	g_string_append(text, " (");
	ctl_append_safe(text, &match->sighting.pool);
	g_string_append_c(text, ')');
}

static void
print_answer(const struct terminal *terminal, const struct why_answer *answer)
{
	const struct reason_row *reason = reason_row(answer->decision.reason);
	enum terminal_style style = why_style(&answer->decision);
	char from[CTL_TIME_SIZE], until[CTL_TIME_SIZE];

	printf("    a mail now   %s%s%s: %s (%s)\n", terminal_begin(terminal, style),
	    answer->retry_from ? "is deferred" : "is let in", terminal_end(terminal, style),
	    reason->name, reason->help);
	if (answer->retry_from)
		printf("    its retry    passes from %s until %s\n",
		    ctl_time(answer->retry_from, from), ctl_time(answer->retry_until, until));
}

static void
print_match(const struct filter *filter, const struct match *match, const struct why_answer *answer)
{
	struct terminal terminal = terminal_of(stdout);
	const struct sighting *s = &match->sighting;
	int state = filter_state(filter, s);
	enum terminal_style style = filter_state_style(state);
	char first[CTL_TIME_SIZE], last[CTL_TIME_SIZE];
	g_autoptr(GString) head = g_string_new(NULL);

	append_head(head, match);
	printf("%s%s%s\n", terminal_begin(&terminal, TERMINAL_TITLE), head->str,
	    terminal_end(&terminal, TERMINAL_TITLE));
	printf("    remembered   %s%s%s, first %s, last %s, %u attempt%s\n",
	    terminal_begin(&terminal, style), filter_state_name(state),
	    terminal_end(&terminal, style), ctl_time(s->first, first), ctl_time(s->last, last),
	    s->attempts, s->attempts == 1 ? "" : "s");
	if (answer)
		print_answer(&terminal, answer);
	else
		puts("    a mail now   cannot be told, since hashes of its addresses are all that "
		     "is kept: name both");
}

static json_t *
match_json(const struct filter *filter, const struct match *match, const struct why_answer *answer)
{
	const struct triplet pair = {.sender = kept(match->sender),
	    .recipient = kept(match->recipient),
	    .hashed = match->hashed};
	json_t *object = ctl_json_place(
	    &pair, &match->sighting, filter_state_name(filter_state(filter, &match->sighting)));

	if (answer)
		json_object_set_new(object, "now",
		    json_pack("{s:s, s:s, s:I}", "reason",
			reason_row(answer->decision.reason)->name, "reply", answer->reply, "wait",
			(json_int_t)answer->decision.wait));
	return object;
}

/* LIST is NULL for text. */
static bool
show_matches(struct ctl *ctl, const struct search *search, const struct why_question *question,
    json_t *list, GError **error)
{
	for (guint i = 0; i < search->newest->len; i++) {
		const struct match *match = g_ptr_array_index(search->newest, i);
		GError *wrong = NULL;
		struct why_answer answer;
		bool decided = decide(ctl, &search->filter, match, question, &answer, &wrong);

		if (wrong) {
			g_propagate_error(error, wrong);
			return false;
		}
		if (list)
			json_array_append_new(
			    list, match_json(&search->filter, match, decided ? &answer : NULL));
		else
			print_match(&search->filter, match, decided ? &answer : NULL);
	}
	return true;
}

static void
print_end(const struct search *search)
{
	if (search->matched > search->newest->len)
		printf("and %" G_GUINT64_FORMAT " older ones: choose by --client, --sender, "
		       "--recipient, or see list\n",
		    search->matched - search->newest->len);
	if (search->newest->len)
		puts("A record has the client's network; its first address was asked about unless "
		     "one was named.\nEvery step: greylagctl why CLIENT SENDER RECIPIENT "
		     "--name NAME");
}

static bool
show(struct ctl *ctl, const struct search *search, const struct why_question *question, bool json,
    GError **error)
{
	json_t *list = json ? json_array() : NULL;
	bool done = show_matches(ctl, search, question, list, error);

	if (done && json)
		ctl_json_print(json_pack("{s:i, s:O, s:I}", "version", 1, "records", list,
		    "matching", (json_int_t)search->matched));
	else if (done)
		print_end(search);
	json_decref(list);
	return done;
}

static bool
end_search(const struct search *search, const struct filter_text *text, GError **error)
{
	if (!ctl_whole(search->malformed, error))
		return false;
	if (!search->matched && !filter_text_given(text))
		fprintf(stderr, "greylagctl: nothing is remembered yet\n");
	if (!search->matched && !search->unknown && text->client && text->sender && text->recipient)
		return ctl_fail(error,
		    "no record is of that client, sender and recipient; a request is asked about "
		    "by the client's address, its name goes with --name");
	return filter_end(text, "record", search->matched, search->unknown, error);
}

bool
why_records(struct ctl *ctl, const struct filter_text *text, const struct why_question *question,
    bool json, GError **error)
{
	struct search search = {0};
	bool done;

	if (!filter_init(&search.filter, text, &ctl->rules->greylist, store_hash_key(ctl->store),
		ctl->now, error))
		return false;
	search.newest = g_ptr_array_new_with_free_func(match_free);
	done = ctl_scan(ctl, STORE_TRIPLETS, take_record, NULL, &search, error) &&
	       show(ctl, &search, question, json, error) && end_search(&search, text, error);
	g_ptr_array_unref(search.newest);
	return done;
}
