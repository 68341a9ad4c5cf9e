#include "config.h"

#include "policyd/milter/note.h"

#include <math.h>
#include <string.h>

#include "lib/log.h"
#include "policyd/decide/envelope.h"

struct milter_note {
	struct reputation_rules rules;
	bool contacts;
	/* of a delivery */
	uint8_t digest[CANONICAL_DIGEST_SIZE];
	struct delivery_record record; /* its pointers are to what follows */
	struct dialogue_auth auth;
	char name[CLIENTNAME_SIZE];
	char domains[DELIVERY_RECIPIENTS_MAX][DELIVERY_DOMAIN_MAX + 1];
	/* of contacts */
	char user[ENVELOPE_ADDRESS_SIZE];
	char **addresses; /* normalised as senders; NULL-terminated */
	char **partners;  /* their organisational domains; NULL-terminated */
};

void
milter_note_free(void *data)
{
	struct milter_note *note = data;

	if (!note)
		return;
	g_strfreev(note->addresses);
	g_strfreev(note->partners);
	g_free(note);
}

const char *const *
milter_note_addresses(const struct milter_note *note)
{
	return (const char *const *)note->addresses;
}

/* -- deliveries -- */

static struct store_bytes
bytes_of(const char *text)
{
	return (struct store_bytes){text, strlen(text)};
}

static enum delivery_verdict
delivery_verdict_of(enum verdict verdict)
{
	static const enum delivery_verdict verdicts[] = {[VERDICT_HAM] = DELIVERY_HAM,
	    [VERDICT_SPAM] = DELIVERY_SPAM,
	    [VERDICT_UNSURE] = DELIVERY_UNSURE};

	return verdicts[verdict];
}

/* As many domains as there is room for. */
static void
note_recipients(struct milter_note *note, const struct milter_message *message)
{
	struct delivery_record *record = &note->record;

	for (unsigned i = 0; i < message->n_recipients; i++) {
		unsigned n = record->n_recipients;
		char spare[DELIVERY_DOMAIN_MAX + 1];
		char *domain = n < DELIVERY_RECIPIENTS_MAX ? note->domains[n] : spare;

		g_strlcpy(domain, envelope_domain(message->recipients[i].address), sizeof spare);
		for (char *p = domain; *p; p++)
			*p = g_ascii_tolower(*p);
		if (*domain)
			delivery_add_recipient(record, bytes_of(domain), 1);
	}
}

struct milter_note *
milter_note_delivery(const struct rules *rules, const struct milter_client *client,
    const struct milter_message *message, const uint8_t digest[CANONICAL_DIGEST_SIZE],
    const struct dialogue_auth *auth, const struct delivery_greylist *greylist,
    const struct milter_judged *judged)
{
	struct milter_note *note = g_new0(struct milter_note, 1);

	note->rules = rules->reputation;
	memcpy(note->digest, digest, sizeof note->digest);
	note->auth = *auth;
	note->record = (struct delivery_record){
	    .time = message->began,
	    .client = client->address,
	    .judged = delivery_verdict_of(judged->verdict),
	    .verdict = delivery_verdict_of(judged->verdict),
	    .score = (uint32_t)lround(CLAMP(judged->probability, 0.0, 1.0) * 1000),
	    .greylist = *greylist,
	};
	if (client->name)
		clientname_pool(rules->suffixes, client->name, &client->address, note->name);
	note->record.name = bytes_of(note->name);
	for (unsigned i = 0; i < note->auth.n; i++)
		delivery_add_auth(&note->record, bytes_of(note->auth.domains[i]));
	note_recipients(note, message);
	return note;
}

/* -- contacts -- */

/* SRS0=..., SRS1=...: what was forwarded was written by somebody else. */
static bool
is_forwarded(const char *sender)
{
	return !g_ascii_strncasecmp(sender, "SRS", 3) && (sender[3] == '0' || sender[3] == '1') &&
	       sender[4] && strchr("=+-", sender[4]);
}

static bool
teaches(const struct milter_message *message)
{
	return message->sender && message->sender[0] && !message->automatic &&
	       message->all_recipients <= MILTER_RECIPIENTS && !is_forwarded(message->sender) &&
	       (message->user || message->sender_inner);
}

static bool
organisation(const struct rules *rules, const char *address, char ret_domain[CLIENTNAME_SIZE])
{
	return clientname_domain(rules->suffixes, envelope_domain(address), ret_domain);
}

struct milter_note *
milter_note_contacts(const struct rules *rules, const struct milter_message *message)
{
	g_autoptr(GPtrArray) addresses = g_ptr_array_new(), partners = g_ptr_array_new();
	char own[CLIENTNAME_SIZE], partner[CLIENTNAME_SIZE], address[ENVELOPE_ADDRESS_SIZE];
	struct milter_note *note;

	if (!teaches(message) || !organisation(rules, message->sender, own))
		return NULL;
	for (unsigned i = 0; i < message->n_recipients; i++) {
		const struct milter_recipient *to = &message->recipients[i];

		if (to->inner || !organisation(rules, to->address, partner) ||
		    strcmp(partner, own) == 0)
			continue;
		envelope_sender(to->address, strlen(to->address), address);
		g_ptr_array_add(addresses, g_strdup(address));
		g_ptr_array_add(partners, g_strdup(partner));
	}
	if (!addresses->len)
		return NULL;
	g_ptr_array_add(addresses, NULL);
	g_ptr_array_add(partners, NULL);
	note = g_new0(struct milter_note, 1);
	note->rules = rules->reputation;
	note->contacts = true;
	envelope_recipient(message->sender, strlen(message->sender), note->user);
	note->addresses = (char **)g_ptr_array_steal(addresses, NULL);
	note->partners = (char **)g_ptr_array_steal(partners, NULL);
	return note;
}

/* -- writing -- */

static void
written(void *context G_GNUC_UNUSED, enum store_result result, void *job G_GNUC_UNUSED)
{
	if (result != STORE_OK)
		log_limited(LOG_LEVEL_WARNING, "note",
		    "what became of a message could not be written down: %s",
		    store_result_text(result));
}

/* A pair and a domain for each address. */
static void
write_contacts(struct store *store, const struct milter_note *note, const struct store_call *call)
{
	guint n = g_strv_length(note->addresses);
	g_autofree uint8_t *bytes = g_malloc((gsize)2 * n * REPUTATION_KEY_MAX);
	g_autofree struct store_bytes *keys = g_new(struct store_bytes, 2 * n);
	size_t n_keys = 0;

	for (guint i = 0; i < n; i++) {
		uint8_t *key = bytes + n_keys * REPUTATION_KEY_MAX;
		size_t length =
		    reputation_pair_key(store_hash_key(store), note->addresses[i], note->user, key);

		if (length)
			keys[n_keys++] = (struct store_bytes){key, length};
		key = bytes + n_keys * REPUTATION_KEY_MAX;
		length = reputation_domain_key(
		    REPUTATION_CORRESPONDENT, note->partners[i], strlen(note->partners[i]), key);
		if (length)
			keys[n_keys++] = (struct store_bytes){key, length};
	}
	reputation_write_contacts(store, &note->rules, keys, n_keys, store_now(store), call);
}

void
milter_note_write(struct store *store, void *data)
{
	const struct milter_note *note = data;
	const struct store_call call = {.done = written};

	if (note->contacts)
		write_contacts(store, note, &call);
	else
		delivery_note(
		    store, &note->rules, note->digest, &note->record, store_now(store), &call);
}
