#include "config.h"

#include "policyd/milter/grey.h"

#include <string.h>

/* Of a message's recipients so many are looked at: the first may be exempt from greylisting. */
#define RECIPIENTS 5

static void
set_value(struct policy_request *request, enum policy_attribute attribute, const char *value)
{
	request->value[attribute] = value ? value : "";
	request->length[attribute] = (uint32_t)strlen(request->value[attribute]);
}

/* The request that smtpd made for the recipient. */
static void
set_request(struct policy_request *request, const struct milter_client *client,
    const struct milter_message *message, const char *recipient, const char *address)
{
	for (unsigned i = 0; i < POLICY_ATTRIBUTES; i++)
		set_value(request, i, NULL);
	set_value(request, POLICY_CLIENT_ADDRESS, address);
	set_value(request, POLICY_CLIENT_NAME, client->name);
	set_value(request, POLICY_HELO_NAME, client->helo);
	set_value(request, POLICY_SENDER, message->sender);
	set_value(request, POLICY_RECIPIENT, recipient);
}

void
milter_grey_read(struct store *store, const struct rules *rules, const struct milter_client *client,
    const struct milter_message *message, struct grey_facts *ret_facts)
{
	struct grey_facts facts = {.young = false};
	struct policy_request request;
	char address[ADDRESS_TEXT_SIZE];
	unsigned n = MIN(message->n_recipients, RECIPIENTS);

	address_format(&client->address, address);
	for (unsigned i = 0; store && i < n && facts.greylist.contact == DELIVERY_UNKNOWN; i++) {
		set_request(&request, client, message, message->recipients[i].address, address);
		grey_facts_read(store, rules, &request, message->began, &facts);
	}
	*ret_facts = facts;
}
