#include "config.h"

#include <stdio.h>

#include "policyd/decide/client.h"
#include "policyd/ctl/ctl.h"
#include "policyd/ctl/allow.h"
#include "policyd/ctl/filter.h"
#include "policyd/ctl/json.h"
#include "policyd/ctl/table.h"

struct list {
	struct filter filter;
	struct filter_text text;
	gboolean json, clients, allowed;
	struct ctl_table *table;
	GString *cell;
	uint64_t matched, unknown, malformed;
};

static const char *const sighting_titles[] = {
    "SENDER", "RECIPIENT", "NETWORK", "NAME", "STATE", "FIRST", "LAST", "ATTEMPTS", "DELAY", NULL};
static const char *const client_titles[] = {"CLIENT", "PASSES", "LAST", "STATE", NULL};

static void
put_address(struct list *list, const struct store_bytes *address, bool hashed)
{
	g_string_truncate(list->cell, 0);
	ctl_append_address(list->cell, address, hashed);
	ctl_table_cell(list->table, list->cell->str);
}

static void
put_name(struct list *list, const struct store_bytes *name)
{
	g_string_assign(list->cell, name->length ? "" : "-");
	ctl_append_safe(list->cell, name);
	ctl_table_cell(list->table, list->cell->str);
}

static void
print_sighting(struct list *list, const struct triplet *t, const struct sighting *s)
{
	char network[PREFIX_TEXT_SIZE], first[CTL_TIME_SIZE], last[CTL_TIME_SIZE];
	int state = filter_state(&list->filter, s);
	struct ctl_table *table = list->table;

	put_address(list, &t->sender, t->hashed);
	put_address(list, &t->recipient, t->hashed);
	ctl_table_cell(table, prefix_format(&s->network, network));
	put_name(list, &s->pool);
	ctl_table_styled(table, filter_state_style(state), filter_state_name(state));
	ctl_table_cell(table, ctl_time(s->first, first));
	ctl_table_cell(table, ctl_time(s->last, last));
	ctl_table_number(table, s->attempts);
	if (s->passed && !s->observed)
		ctl_table_number(table, s->passed - s->first);
	else
		ctl_table_cell(table, "-");
}

static bool
show_triplet(void *context, const struct store_bytes *key G_GNUC_UNUSED,
    const struct store_bytes *value, int64_t expires G_GNUC_UNUSED)
{
	struct list *list = context;
	struct triplet t;

	if (!triplet_decode(value, &t)) {
		list->malformed++;
		return true;
	}
	list->unknown += filter_match_any(&list->filter, &t) == SELECTOR_UNKNOWN;
	for (unsigned i = 0; i < t.n_sightings; i++) {
		if (filter_match(&list->filter, &t, &t.sightings[i]) != SELECTOR_MATCHES)
			continue;
		list->matched++;
		if (list->json)
			ctl_json_print(ctl_json_place(&t, &t.sightings[i],
			    filter_state_name(filter_state(&list->filter, &t.sightings[i]))));
		else
			print_sighting(list, &t, &t.sightings[i]);
	}
	return true;
}

static void
print_client(struct list *list, const struct prefix *prefix, const struct client *client)
{
	bool known = client_known(&list->filter.rules, client, list->filter.now);
	char network[PREFIX_TEXT_SIZE], counted[CTL_TIME_SIZE];

	prefix_format(prefix, network);
	if (list->json) {
		ctl_json_print(json_pack("{s:s, s:I, s:I, s:b}", "network", network, "passes",
		    (json_int_t)client->passes, "counted", (json_int_t)client->counted, "known",
		    (int)known));
		return;
	}
	ctl_table_cell(list->table, network);
	ctl_table_number(list->table, client->passes);
	ctl_table_cell(list->table, ctl_time(client->counted, counted));
	ctl_table_styled(
	    list->table, known ? TERMINAL_GOOD : TERMINAL_WAITING, known ? "known" : "counting");
}

static bool
show_client(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	struct list *list = context;
	struct prefix prefix;
	struct client client;

	if (!client_key_decode(key, &prefix) || !client_decode(value, &client)) {
		list->malformed++;
	} else if (selector_match_network(&list->filter.client, &prefix)) {
		list->matched++;
		print_client(list, &prefix, &client);
	}
	return true;
}

/* Between the steps of a scan, so that a list of any length is shown as it is read. */
static void
flush_table(void *context)
{
	struct list *list = context;

	ctl_table_flush(list->table);
}

/* On standard error, so that a script gets nothing but lines. */
static bool
end_list(const struct list *list, GError **error)
{
	if (!ctl_whole(list->malformed, error))
		return false;
	if (!list->matched && !filter_text_given(&list->text))
		fprintf(stderr, "greylagctl: nothing is remembered yet\n");
	return filter_end(
	    &list->text, list->clients ? "client" : "record", list->matched, list->unknown, error);
}

static bool
list_space(struct ctl *ctl, struct list *list, GError **error)
{
	bool done;

	list->cell = g_string_new(NULL);
	list->table = ctl_table_new(list->clients ? client_titles : sighting_titles);
	done = ctl_scan(ctl, list->clients ? STORE_CLIENTS : STORE_TRIPLETS,
	    list->clients ? show_client : show_triplet, flush_table, list, error);
	ctl_table_free(list->table);
	g_string_free(list->cell, TRUE);
	return done && end_list(list, error);
}

/* What has no such side cannot be chosen by it. */
static bool
check_choice(const struct list *list, GError **error)
{
	const struct filter_text *text = &list->text;

	if (list->clients && list->allowed)
		return ctl_usage(error, "either --clients or --allowed");
	if (list->clients && (text->sender || text->recipient || text->state))
		return ctl_usage(
		    error, "--clients can be chosen by --client alone: passes are of an address");
	if (list->clients && list->filter.client.kind == SELECTOR_DOMAIN)
		return ctl_usage(error,
		    "--client %s: the auto-whitelist goes by address, never by name", text->client);
	if (list->allowed && text->state)
		return ctl_usage(error, "--state goes with neither --clients nor --allowed");
	return true;
}

bool
ctl_list(struct ctl *ctl, int argc, char **argv, GError **error)
{
	struct list list = {0};
	struct filter_text *text = &list.text;
	const GOptionEntry entries[] = {
	    {"client", 0, 0, G_OPTION_ARG_FILENAME, &text->client, CTL_HELP_CLIENT, "CLIENT"},
	    {"sender", 0, 0, G_OPTION_ARG_FILENAME, &text->sender, CTL_HELP_SENDER, "SENDER"},
	    {"recipient", 0, 0, G_OPTION_ARG_FILENAME, &text->recipient, CTL_HELP_RECIPIENT,
		"RECIPIENT"},
	    {"state", 0, 0, G_OPTION_ARG_FILENAME, &text->state,
		"greylisted, passed, observed or expired", "STATE"},
	    {"clients", 0, 0, G_OPTION_ARG_NONE, &list.clients, "List the auto-whitelist instead",
		NULL},
	    {"allowed", 0, 0, G_OPTION_ARG_NONE, &list.allowed, "List the exceptions instead",
		NULL},
	    {"json", 0, 0, G_OPTION_ARG_NONE, &list.json, "Print JSON Lines", NULL},
	    G_OPTION_ENTRY_NULL,
	};
	bool done = ctl_parse(ctl, entries, 0, 0, &argc, &argv, error) &&
		    ctl_read_rules(ctl, error) && ctl_open(ctl, CTL_READ, error) &&
		    filter_init(&list.filter, text, &ctl->rules->greylist,
			store_hash_key(ctl->store), ctl->now, error) &&
		    check_choice(&list, error);

	if (done)
		done = list.allowed ? ctl_allow_list(ctl, &list.filter, text, list.json, error)
				    : list_space(ctl, &list, error);
	filter_text_clear(text);
	return done;
}
