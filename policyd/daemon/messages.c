#include "config.h"

#include "policyd/daemon/messages.h"

#include <string.h>
#include <glib.h>

#include "lib/keyedhash.h"

/* A message's place in the table is one of so many; of these the oldest makes room. */
#define WAYS 4

#define REMEMBERED_SECONDS 3600

struct message {
	uint64_t id; /* 0 for a free place */
	int64_t time;
	bool decided;
	struct policy_decision decision;
	char *recipient; /* for DATA */
};

struct messages {
	uint8_t key[KEYEDHASH_KEY_SIZE];
	unsigned n_sets;
	struct message *places; /* n_sets times WAYS */
};

struct messages *
messages_new(unsigned capacity)
{
	struct messages *messages = g_new0(struct messages, 1);

	keyedhash_new_key(messages->key);
	messages->n_sets = (capacity + WAYS - 1) / WAYS;
	messages->places = g_new0(struct message, (gsize)messages->n_sets * WAYS);
	return messages;
}

void
messages_free(struct messages *messages)
{
	if (!messages)
		return;
	for (unsigned i = 0; i < messages->n_sets * WAYS; i++)
		g_free(messages->places[i].recipient);
	g_free(messages->places);
	g_free(messages);
}

uint64_t
messages_id(const struct messages *messages, const struct policy_request *request)
{
	static const enum policy_attribute parts[] = {
	    POLICY_INSTANCE, POLICY_CLIENT_ADDRESS, POLICY_CLIENT_PORT, POLICY_SENDER};
	uint8_t bytes[1024], hash[KEYEDHASH_SIZE];
	size_t used = 0;
	uint64_t id;

	if (request->length[POLICY_INSTANCE] == 0)
		return 0;
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		size_t length =
		    MIN(request->length[parts[i]], sizeof bytes / G_N_ELEMENTS(parts) - 1);

		memcpy(bytes + used, request->value[parts[i]], length);
		used += length;
		bytes[used++] = '\0';
	}
	keyedhash(messages->key, bytes, used, hash);
	memcpy(&id, hash, sizeof id);
	return id ? id : 1;
}

static struct message *
find(struct messages *messages, uint64_t id, int64_t now)
{
	struct message *set = &messages->places[id % messages->n_sets * WAYS];

	for (unsigned i = 0; id && i < WAYS; i++)
		if (set[i].id == id && now - set[i].time <= REMEMBERED_SECONDS)
			return &set[i];
	return NULL;
}

/* The message's place; a new one in the place of the oldest of its set if it has none. */
static struct message *
find_or_add(struct messages *messages, uint64_t id, int64_t now)
{
	struct message *set = &messages->places[id % messages->n_sets * WAYS];
	struct message *message = find(messages, id, now);

	if (message)
		return message;
	message = set;
	for (unsigned i = 1; i < WAYS && message->id; i++)
		if (!set[i].id || set[i].time < message->time)
			message = &set[i];
	g_free(message->recipient);
	*message = (struct message){.id = id, .time = now};
	return message;
}

void
messages_decided(
    struct messages *messages, uint64_t id, int64_t now, const struct policy_decision *decision)
{
	struct message *message;

	if (!id)
		return;
	message = find_or_add(messages, id, now);
	message->decided = true;
	message->decision = *decision;
	message->decision.evidence = NULL;
}

bool
messages_find(
    struct messages *messages, uint64_t id, int64_t now, struct policy_decision *ret_decision)
{
	const struct message *message = find(messages, id, now);

	if (!message || !message->decided)
		return false;
	*ret_decision = message->decision;
	return true;
}

void
messages_expect_data(struct messages *messages, uint64_t id, int64_t now, const char *recipient)
{
	struct message *message;

	if (!id)
		return;
	message = find_or_add(messages, id, now);
	if (!message->recipient)
		message->recipient = g_strdup(recipient);
}

const char *
messages_data_recipient(struct messages *messages, uint64_t id, int64_t now)
{
	const struct message *message = find(messages, id, now);

	return message ? message->recipient : NULL;
}
