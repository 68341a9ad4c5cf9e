#include "config.h"

#include "policyd/ctl/aftermath.h"

#include <string.h>
#include <glib.h>

#include "db/history/deliveries.h"
#include "policyd/decide/grey_facts.h"

/* Requests that are remembered; beyond that, all are forgotten. */
#define ASKED_MAX 100000

struct asked {
	char *name; /* of the client, as verified */
	int64_t at;
};

struct aftermath {
	GHashTable *asked; /* client, sender and recipient -> struct asked, the last one */
};

static void
asked_free(gpointer data)
{
	struct asked *asked = data;

	g_free(asked->name);
	g_free(asked);
}

struct aftermath *
aftermath_new(void)
{
	struct aftermath *aftermath = g_new(struct aftermath, 1);

	aftermath->asked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, asked_free);
	return aftermath;
}

void
aftermath_free(struct aftermath *aftermath)
{
	if (!aftermath)
		return;
	g_hash_table_unref(aftermath->asked);
	g_free(aftermath);
}

bool
aftermath_is_verdict(const struct policy_request *request)
{
	return strcmp(request->value[POLICY_REQUEST], "greylag_verdict") == 0;
}

/* No attribute has a newline in it. */
static char *
name_key(const struct policy_request *request)
{
	return g_strjoin("\n", request->value[POLICY_CLIENT_ADDRESS], request->value[POLICY_SENDER],
	    request->value[POLICY_RECIPIENT], NULL);
}

void
aftermath_asked(struct aftermath *aftermath, const struct policy_request *request, int64_t now)
{
	struct asked *asked = g_new(struct asked, 1);

	if (g_hash_table_size(aftermath->asked) >= ASKED_MAX)
		g_hash_table_remove_all(aftermath->asked);
	asked->name = g_strdup(request->value[POLICY_CLIENT_NAME]);
	asked->at = now;
	g_hash_table_insert(aftermath->asked, name_key(request), asked);
}

/* The message has no bytes here: its instance, client and envelope stand for it. */
static void
make_digest(const struct store *store, const struct policy_request *request,
    uint8_t ret_digest[DELIVERY_KEY_SIZE])
{
	g_autofree char *envelope = name_key(request);
	g_autofree char *text =
	    g_strjoin("\n", "verdict", request->value[POLICY_INSTANCE], envelope, NULL);

	G_STATIC_ASSERT(DELIVERY_KEY_SIZE == KEYEDHASH_SIZE);
	keyedhash(store_hash_key(store), text, strlen(text), ret_digest);
}

static bool
read_verdict(const char *text, struct delivery_record *record)
{
	static const struct {
		const char *name;
		enum delivery_verdict verdict;
		uint32_t score;
	} verdicts[] = {{"ham", DELIVERY_HAM, 0}, {"spam", DELIVERY_SPAM, 1000},
	    {"unsure", DELIVERY_UNSURE, 500}};

	for (size_t i = 0; i < G_N_ELEMENTS(verdicts); i++) {
		if (strcmp(text, verdicts[i].name) == 0) {
			record->judged = record->verdict = verdicts[i].verdict;
			record->score = verdicts[i].score;
			return true;
		}
	}
	return false;
}

static void
on_noted(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	*(enum store_result *)context = result;
}

static enum store_result
note(struct store *store, const struct rules *rules, const struct policy_request *request,
    const struct delivery_record *record)
{
	enum store_result result = STORE_UNAVAILABLE;
	struct store_call call = {.done = on_noted, .context = &result};
	uint8_t digest[DELIVERY_KEY_SIZE];

	make_digest(store, request, digest);
	delivery_note(store, &rules->reputation, digest, record, record->time, &call);
	while (store_outstanding(store))
		store_wait(store);
	return result;
}

const char *
aftermath_judged(struct aftermath *aftermath, const struct policy_request *request,
    struct store *store, const struct rules *rules, int64_t now)
{
	struct policy_request known = *request;
	g_autofree char *key = name_key(request);
	const struct asked *asked = g_hash_table_lookup(aftermath->asked, key);
	struct delivery_record record = {.time = now};
	const char *domain;
	struct grey_facts facts;
	struct delivery delivery;
	char pool[CLIENTNAME_SIZE] = "";
	enum store_result result;

	if (!read_verdict(request->value[POLICY_VERDICT], &record))
		return "verdict= is none of ham, spam, unsure";
	if (!*request->value[POLICY_CLIENT_NAME] && asked)
		known.value[POLICY_CLIENT_NAME] = asked->name;
	delivery_init(&delivery, &known);
	record.client = delivery.client;
	if (delivery.name)
		clientname_pool(rules->suffixes, delivery.name, &delivery.client, pool);
	record.name = (struct store_bytes){pool, strlen(pool)};
	domain = envelope_domain(delivery.recipient_key);
	delivery_add_recipient(&record, (struct store_bytes){domain, strlen(domain)}, 1);
	grey_facts_read(store, rules, &known, asked ? asked->at : now, &facts);
	record.greylist = facts.greylist;
	result = note(store, rules, request, &record);
	return result == STORE_OK ? NULL : store_result_text(result);
}
