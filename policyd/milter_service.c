#include "config.h"

#include "policyd/milter_service.h"

#include <string.h>

#include "lib/log.h"
#include "policyd/milter_grey.h"
#include "policyd/milter_judges.h"
#include "policyd/milter_keeper.h"

struct milter_service {
	const struct settings *settings;
	struct rules *rules;
	struct judges *judges;
	struct milter_keeper *keeper;
};

struct milter_service *
milter_service_new(const struct settings *settings, struct rules *rules, unsigned patience)
{
	struct milter_service *service = g_new0(struct milter_service, 1);
	unsigned workers = (unsigned)settings_number(settings, SETTING_MILTER_WORKERS);

	service->settings = settings;
	service->rules = rules;
	service->judges = judges_new(settings, workers ? workers : g_get_num_processors());
	service->keeper = milter_keeper_new(settings, service->judges, patience);
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
	char digest[2 * CANONICAL_DIGEST_SIZE + 1]; /* names the message in the store; hex */
};

static void
add_token(struct reading *reading, const char *token)
{
	tokens_add(&reading->tokens, token, strlen(token));
}

/* What the message itself does not tell. */
static void
add_tokens(void *context, struct reading *reading)
{
	struct passage *passage = context;
	const uint8_t *digest = reading->message->canonical.digest;

	for (size_t i = 0; i < CANONICAL_DIGEST_SIZE; i++)
		g_snprintf(passage->digest + 2 * i, 3, "%02x", digest[i]);
	if (passage->message->cut)
		add_token(reading, "cut:message");
}

static void
judge(struct passage *passage)
{
	struct milter_service *service = passage->service;
	const struct milter_message *message = passage->message;
	struct milter_judged *judged = &passage->judged;
	struct reading *reading;
	struct model_score score;

	judged->failed = !judges_judge(service->judges, message->bytes, message->length, add_tokens,
	    passage, &reading, &score);
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
	log_fields_text(&fields, "digest", passage->digest);
	if (message->cut)
		log_fields_text(&fields, "cut", "yes");
	if (message->forged)
		log_fields_int(&fields, "forged", message->forged);
	if (passage->facts.contact == GREY_FIRST)
		log_fields_int(&fields, "delayed", passage->facts.delayed);
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

void
milter_service_decide(void *context, const struct milter_client *client,
    const struct milter_message *message, struct milter_result *ret_result)
{
	struct milter_service *service = context;
	struct passage passage = {.service = service, .client = client, .message = message};

	if (is_own(&passage) && !settings_on(service->settings, SETTING_MILTER_JUDGE_OWN)) {
		milter_pass(message->forged, ret_result);
		return;
	}
	grey_facts_read(
	    milter_keeper_store(service->keeper), service->rules, client, message, &passage.facts);
	judge(&passage);
	milter_decide(service->settings, &passage.judged, message->forged, ret_result);
	log_passage(&passage, ret_result);
}
