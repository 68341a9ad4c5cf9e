#include "policyd/ctl_aftermath.h"

#include <string.h>
#include <glib.h>

#include "db/deliveries.h"

/* Clients whose names are remembered; beyond that, all are forgotten. */
#define NAMES_MAX 100000

struct aftermath {
	GHashTable *names; /* client, sender and recipient -> verified name */
};

struct aftermath *
aftermath_new(void)
{
	struct aftermath *aftermath = g_new(struct aftermath, 1);

	aftermath->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	return aftermath;
}

void
aftermath_free(struct aftermath *aftermath)
{
	if (!aftermath)
		return;
	g_hash_table_unref(aftermath->names);
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
aftermath_asked(struct aftermath *aftermath, const struct policy_request *request)
{
	g_autofree char *key = name_key(request);
	const char *name = request->value[POLICY_CLIENT_NAME];

	if (g_hash_table_size(aftermath->names) >= NAMES_MAX)
		g_hash_table_remove_all(aftermath->names);
	if (*name)
		g_hash_table_insert(aftermath->names, g_steal_pointer(&key), g_strdup(name));
	else
		g_hash_table_remove(aftermath->names, key);
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
	const char *name = g_hash_table_lookup(aftermath->names, key), *domain;
	struct delivery_record record = {.time = now};
	struct delivery delivery;
	char pool[CLIENTNAME_SIZE] = "";
	enum store_result result;

	if (!read_verdict(request->value[POLICY_VERDICT], &record))
		return "verdict= is none of ham, spam, unsure";
	if (!*request->value[POLICY_CLIENT_NAME] && name)
		known.value[POLICY_CLIENT_NAME] = name;
	delivery_init(&delivery, &known);
	record.client = delivery.client;
	if (delivery.name)
		clientname_pool(rules->suffixes, delivery.name, &delivery.client, pool);
	record.name = (struct store_bytes){pool, strlen(pool)};
	domain = envelope_domain(delivery.recipient_key);
	delivery_add_recipient(&record, (struct store_bytes){domain, strlen(domain)}, 1);
	result = note(store, rules, request, &record);
	return result == STORE_OK ? NULL : store_result_text(result);
}
