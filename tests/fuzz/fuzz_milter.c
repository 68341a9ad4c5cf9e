/* Any bytes as what a mail server tells of messages: bounded, and all memory is given back. */
#include "config.h"

#include <string.h>
#include <glib.h>

#include "policyd/milter/message.h"

#define LIMIT 70000

/* So often a piece of a long body stands there, so that a small input passes the limits. */
#define REPEATED 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
play_long_body(struct milter_message *message, const uint8_t *bytes, size_t length)
{
	for (unsigned i = 0; i < REPEATED; i++)
		milter_message_body(message, bytes, length);
}

/* One event: its kind, a length, and so many bytes. */
static size_t
play(struct milter_message *message, const struct milter_client *client, const uint8_t *data,
    size_t size)
{
	size_t length = MIN(size > 1 ? data[1] * 16u : 0, size - MIN(size, 2));
	const uint8_t *bytes = data + MIN(size, 2);
	g_autofree char *text = g_strndup((const char *)bytes, length);
	char *rest = strchr(text, ':');

	switch (data[0] % 8) {
	case 0: milter_message_sender(message, text, data[0]); break;
	case 1: milter_message_recipient(message, text, data[0] & 8); break;
	case 2:
		if (!message->length && message->sender)
			milter_message_received(message, client);
		break;
	case 3:
	case 4:
		if (rest)
			*rest++ = '\0';
		milter_message_field(message, text, rest ? rest : "", data[0] & 8);
		break;
	case 5: milter_message_end_of_header(message); break;
	case 6: milter_message_body(message, bytes, length); break;
	default: play_long_body(message, bytes, length);
	}
	return MIN(size, 2) + length;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct milter_budget budget = {.limit = 3000};
	struct milter_message message = {.budget = &budget, .limit = LIMIT};
	struct milter_client client = {.helo = (char *)"helo", .host = NULL};
	size_t at = 0;

	while (at < size) {
		at += play(&message, &client, data + at, size - at);
		g_assert_cmpuint(message.length, <=, message.room);
		g_assert_cmpuint(message.room, <=, LIMIT);
		g_assert_cmpuint(budget.used, <=, budget.limit);
		g_assert_cmpuint(message.n_recipients, <=, MILTER_RECIPIENTS);
	}
	milter_message_clear(&message);
	g_assert_cmpuint(budget.used, ==, 0);
	return 0;
}
