#include "config.h"

#include <stdio.h>

#include "policyd/client.h"
#include "policyd/ctl.h"
#include "policyd/ctl_allow.h"
#include "policyd/ctl_filter.h"
#include "policyd/ctl_json.h"

struct list {
	struct filter filter;
	gboolean json;
	GString *line;
	unsigned malformed;
};

static void
print_sighting(struct list *list, const struct triplet *t, const struct sighting *s)
{
	char network[PREFIX_TEXT_SIZE], first[CTL_TIME_SIZE], last[CTL_TIME_SIZE];
	GString *line = list->line;

	g_string_truncate(line, 0);
	ctl_append_address(line, &t->sender, t->hashed);
	g_string_append_c(line, '\t');
	ctl_append_address(line, &t->recipient, t->hashed);
	g_string_append_printf(line, "\t%s\t", prefix_format(&s->network, network));
	if (s->pool.length)
		ctl_append_safe(line, &s->pool);
	else
		g_string_append_c(line, '-');
	g_string_append_printf(line, "\t%s\t%s\t%s\t%u\t",
	    filter_state_name(filter_state(&list->filter, s)), ctl_time(s->first, first),
	    ctl_time(s->last, last), s->attempts);
	if (s->passed && !s->observed)
		g_string_append_printf(line, "%" G_GINT64_FORMAT, s->passed - s->first);
	else
		g_string_append_c(line, '-');
	puts(line->str);
}

static void
print_sighting_json(const struct list *list, const struct triplet *t, const struct sighting *s)
{
	json_t *object = ctl_json_sighting(s);

	json_object_set_new(object, "sender", ctl_json_address(&t->sender, t->hashed));
	json_object_set_new(object, "recipient", ctl_json_address(&t->recipient, t->hashed));
	json_object_set_new(
	    object, "state", json_string(filter_state_name(filter_state(&list->filter, s))));
	if (s->passed && !s->observed)
		json_object_set_new(object, "delay", json_integer(s->passed - s->first));
	ctl_json_print(object);
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
	if (!filter_matches_pair(&list->filter, &t))
		return true;
	for (unsigned i = 0; i < t.n_sightings; i++) {
		if (!filter_matches_sighting(&list->filter, &t.sightings[i]))
			continue;
		if (list->json)
			print_sighting_json(list, &t, &t.sightings[i]);
		else
			print_sighting(list, &t, &t.sightings[i]);
	}
	return true;
}

static bool
show_client(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	struct list *list = context;
	const struct filter *filter = &list->filter;
	char network[PREFIX_TEXT_SIZE], counted[CTL_TIME_SIZE];
	struct prefix prefix;
	struct client client;
	bool known;

	if (!client_key_decode(key, &prefix) || !client_decode(value, &client)) {
		list->malformed++;
		return true;
	}
	if (filter->client.address.family != ADDRESS_NONE &&
	    !filter_networks_meet(&filter->client, &prefix))
		return true;
	known = client_known(&filter->rules, &client, filter->now);
	prefix_format(&prefix, network);
	if (list->json)
		ctl_json_print(json_pack("{s:s, s:I, s:I, s:b}", "network", network, "passes",
		    (json_int_t)client.passes, "counted", (json_int_t)client.counted, "known",
		    (int)known));
	else
		printf("%s\t%u\t%s\t%s\n", network, client.passes,
		    ctl_time(client.counted, counted), known ? "known" : "counting");
	return true;
}

static bool
list_space(struct ctl *ctl, struct list *list, bool clients, GError **error)
{
	bool done;

	list->line = g_string_new(NULL);
	done = ctl_scan(ctl, clients ? STORE_CLIENTS : STORE_TRIPLETS,
	    clients ? show_client : show_triplet, NULL, list, error);
	g_string_free(list->line, TRUE);
	if (done && list->malformed)
		return ctl_fail(error, "%u damaged records were left out; see greylagctl check",
		    list->malformed);
	return done;
}

bool
ctl_list(struct ctl *ctl, int argc, char **argv, GError **error)
{
	struct list list = {0};
	struct filter_text text = {0};
	gboolean clients = FALSE, allowed = FALSE;
	const GOptionEntry entries[] = {
	    {"client", 0, 0, G_OPTION_ARG_FILENAME, &text.client, "Seen from NET", "NET"},
	    {"sender", 0, 0, G_OPTION_ARG_FILENAME, &text.sender, "Of this sender", "S"},
	    {"recipient", 0, 0, G_OPTION_ARG_FILENAME, &text.recipient, "To this recipient", "R"},
	    {"state", 0, 0, G_OPTION_ARG_FILENAME, &text.state,
		"greylisted, passed, observed or expired", "STATE"},
	    {"clients", 0, 0, G_OPTION_ARG_NONE, &clients, "List the auto-whitelist instead", NULL},
	    {"allowed", 0, 0, G_OPTION_ARG_NONE, &allowed, "List the exceptions instead", NULL},
	    {"json", 0, 0, G_OPTION_ARG_NONE, &list.json, "Print JSON Lines", NULL},
	    G_OPTION_ENTRY_NULL,
	};
	bool done = ctl_parse(ctl, entries, 0, 0, &argc, &argv, error) &&
		    ctl_read_rules(ctl, error) && ctl_open(ctl, CTL_READ, error) &&
		    filter_init(&list.filter, &text, &ctl->rules->greylist,
			store_hash_key(ctl->store), ctl->now, error);

	if (done)
		done = allowed ? ctl_allow_list(ctl, list.json, error)
			       : list_space(ctl, &list, clients, error);
	filter_text_clear(&text);
	return done;
}
