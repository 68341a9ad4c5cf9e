#include "config.h"

#include "policyd/milter/service.h"

#include <string.h>

#include "classifier/features/dialogue.h"
#include "lib/log.h"
#include "policyd/milter/grey.h"
#include "policyd/milter/judges.h"
#include "policyd/milter/keeper.h"
#include "policyd/milter/note.h"

struct milter_service {
	const struct settings *settings;
	struct rules *rules;
	struct judges *judges;
	struct milter_keeper *keeper;
};

struct milter_service *
milter_service_new(const struct settings *settings, struct rules *rules, unsigned patience,
    const struct milter_listener *listener)
{
	struct milter_service *service = g_new0(struct milter_service, 1);
	unsigned workers = (unsigned)settings_number(settings, SETTING_MILTER_WORKERS);

	service->settings = settings;
	service->rules = rules;
	service->judges = judges_new(settings, workers ? workers : g_get_num_processors());
	service->keeper = milter_keeper_new(settings, service->judges, patience, listener);
	milter_keeper_wait(service->keeper);
	return service;
}

void
milter_service_stop(struct milter_service *service)
{
	milter_keeper_stop(service->keeper);
}

void
milter_service_free(struct milter_service *service)
{
	if (!service)
		return;
	milter_keeper_free(service->keeper);
	judges_free(service->judges);
	g_free(service);
}

/* -- one message -- */

/* A message on its way through. */
struct passage {
	struct milter_service *service;
	const struct milter_client *client;
	const struct milter_message *message;
	struct grey_facts facts;
	struct milter_judged judged;
	uint8_t digest[CANONICAL_DIGEST_SIZE];
	struct dialogue_auth auth;
};

/* What the message itself does not tell. */
static void
look_at_message(void *context, struct reading *reading)
{
	static const char cut[] = "cut:message";
	struct passage *passage = context;
	const struct milter_service *service = passage->service;

	memcpy(passage->digest, reading->message->canonical.digest, sizeof passage->digest);
	dialogue_authenticated(reading->message,
	    settings_list(service->settings, SETTING_CLASSIFIER_AUTHSERV_IDS),
	    service->rules->suffixes, &passage->auth);
	dialogue_tokens(&reading->tokens, &passage->facts.greylist);
	if (passage->message->cut)
		tokens_add(&reading->tokens, cut, strlen(cut));
}

static void
judge(struct passage *passage)
{
	struct milter_service *service = passage->service;
	const struct milter_message *message = passage->message;
	struct milter_judged *judged = &passage->judged;
	struct reading *reading;
	struct model_score score;

	judged->failed = !judges_judge(service->judges, message->bytes, message->length,
	    look_at_message, passage, &reading, &score);
	reading_free(reading);
	judged->first_timer = passage->facts.young;
	if (judged->failed) {
		milter_keeper_failed(service->keeper);
		return;
	}
	judged->verdict = score.verdict;
	judged->probability = score.probability;
	milter_keeper_judged(service->keeper, score.verdict, score.probability);
}

static void
log_digest(struct log_fields *fields, const uint8_t digest[CANONICAL_DIGEST_SIZE])
{
	char text[2 * CANONICAL_DIGEST_SIZE + 1];

	for (size_t i = 0; i < CANONICAL_DIGEST_SIZE; i++)
		g_snprintf(text + 2 * i, 3, "%02x", digest[i]);
	log_fields_text(fields, "digest", text);
}

static void
log_passage(const struct passage *passage, const struct milter_result *result)
{
	const struct milter_message *message = passage->message;
	char address[ADDRESS_TEXT_SIZE], score[16];
	struct log_fields fields;

	log_fields_init(&fields);
	if (message->id)
		log_fields_text(&fields, "id", message->id);
	log_fields_text(&fields, "client", address_format(&passage->client->address, address));
	log_fields_text(&fields, "name", passage->client->name ? passage->client->name : "unknown");
	log_fields_text(&fields, "sender", message->sender);
	log_fields_text(
	    &fields, "recipient", message->n_recipients ? message->recipients[0].address : "");
	log_fields_int(&fields, "recipients", (int64_t)message->all_recipients);
	log_fields_text(&fields, "action", milter_deed_name(result->deed));
	log_fields_text(&fields, "verdict",
	    passage->judged.failed ? "error" : verdict_name(passage->judged.verdict));
	if (!passage->judged.failed) {
		g_snprintf(score, sizeof score, "%.6f", passage->judged.probability);
		log_fields_text(&fields, "score", score);
	}
	log_fields_int(&fields, "size", (int64_t)message->length);
	log_digest(&fields, passage->digest);
	if (message->cut)
		log_fields_text(&fields, "cut", "yes");
	if (message->forged)
		log_fields_int(&fields, "forged", message->forged);
	if (passage->facts.greylist.contact == DELIVERY_FIRST)
		log_fields_int(&fields, "delayed", passage->facts.greylist.delayed);
	log_fields_write(&fields, LOG_LEVEL_INFO);
}

/* Mail of one's own users: of who has logged in, and of own networks. */
static bool
is_own(const struct passage *passage)
{
	struct prefix network;

	return passage->message->user || prefix_set_match(passage->service->rules->networks,
					     &passage->client->address, &network);
}

static void
write_down(struct milter_service *service, struct milter_note *note)
{
	if (note &&
	    !milter_keeper_write(service->keeper, milter_note_write, note, milter_note_free))
		log_limited(LOG_LEVEL_WARNING, "lost",
		    "what became of a message is not written down: the store is not open, or too "
		    "much is waiting");
}

/* What is put off will come again. */
static void
remember(const struct passage *passage, const struct milter_result *result)
{
	if (passage->judged.failed || result->deed == MILTER_TEMPFAIL || is_own(passage))
		return;
	write_down(passage->service,
	    milter_note_delivery(passage->service->rules, passage->client, passage->message,
		passage->digest, &passage->auth, &passage->facts.greylist, &passage->judged));
}

void
milter_service_decide(void *context, const struct milter_client *client,
    const struct milter_message *message, struct milter_result *ret_result)
{
	struct milter_service *service = context;
	struct passage passage = {.service = service, .client = client, .message = message};

	if (is_own(&passage)) {
		write_down(service, milter_note_contacts(service->rules, message));
		if (!settings_on(service->settings, SETTING_MILTER_JUDGE_OWN)) {
			milter_pass(message->forged, ret_result);
			return;
		}
	}
	milter_grey_read(
	    milter_keeper_store(service->keeper), service->rules, client, message, &passage.facts);
	judge(&passage);
	milter_decide(service->settings, &passage.judged, message->forged, ret_result);
	remember(&passage, ret_result);
	log_passage(&passage, ret_result);
}
