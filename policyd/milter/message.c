#include "config.h"

#include "policyd/milter/message.h"

#include <string.h>
#include <time.h>

#include "classifier/mail/rewrite.h"

/* The first room that is taken for a message. */
#define FIRST_ROOM 16384

/* So much every message has, whatever the others take. */
#define OWN_ROOM 65536

void
milter_client_clear(struct milter_client *client)
{
	g_free(client->name);
	g_free(client->helo);
	g_free(client->host);
	*client = (struct milter_client){.address = {.family = ADDRESS_NONE}};
}

/* What a message of ROOM takes of the shared memory. */
static size_t
shared_room(size_t room)
{
	return room > OWN_ROOM ? room - OWN_ROOM : 0;
}

void
milter_message_clear(struct milter_message *message)
{
	struct milter_budget *budget = message->budget;
	size_t limit = message->limit;

	if (budget)
		atomic_fetch_sub(&budget->used, shared_room(message->room));
	for (unsigned i = 0; i < message->n_recipients; i++)
		g_free(message->recipients[i].address);
	g_free(message->sender);
	g_free(message->user);
	g_free(message->id);
	g_free(message->bytes);
	*message = (struct milter_message){.budget = budget, .limit = limit};
}

/* -- envelope -- */

static char *
bare_address(const char *argument)
{
	size_t length = strlen(argument);

	if (length >= 2 && argument[0] == '<' && argument[length - 1] == '>') {
		argument++;
		length -= 2;
	}
	return g_strndup(argument, MIN(length, MILTER_TEXT_MAX));
}

void
milter_message_sender(struct milter_message *message, const char *argument, int64_t now)
{
	milter_message_clear(message);
	message->sender = bare_address(argument);
	message->began = now;
}

void
milter_message_recipient(struct milter_message *message, const char *argument, bool inner)
{
	message->all_recipients++;
	if (message->n_recipients < MILTER_RECIPIENTS)
		message->recipients[message->n_recipients++] =
		    (struct milter_recipient){bare_address(argument), inner};
}

/* -- bytes -- */

static bool
claim(struct milter_budget *budget, size_t size)
{
	if (!budget)
		return true;
	if (atomic_fetch_add(&budget->used, size) + size <= budget->limit)
		return true;
	atomic_fetch_sub(&budget->used, size);
	return false;
}

/* Makes room for LENGTH more bytes, or for as many as there may be. */
static void
make_room(struct milter_message *message, size_t length)
{
	size_t wanted = MIN(message->length + length, message->limit);
	size_t room = MAX(message->room, MIN(FIRST_ROOM, message->limit));

	while (room < wanted)
		room = MIN(room * 2, message->limit);
	if (!claim(message->budget, shared_room(room) - shared_room(message->room)))
		room = MAX(message->room, MIN(OWN_ROOM, message->limit));
	if (room == message->room)
		return;
	message->bytes = g_realloc(message->bytes, room);
	message->room = room;
}

static void
append(struct milter_message *message, const void *bytes, size_t length)
{
	if (message->cut)
		return;
	if (length > message->room - message->length)
		make_room(message, length);
	message->cut = length > message->room - message->length;
	length = MIN(length, message->room - message->length);
	if (length)
		memcpy(message->bytes + message->length, bytes, length);
	message->length += length;
}

static void
append_text(struct milter_message *message, const char *text)
{
	append(message, text, strlen(text));
}

/* With LF for CR LF, which may come in two pieces. */
static void
append_lines(struct milter_message *message, const uint8_t *at, size_t length)
{
	const uint8_t *end = at + length;

	while (at < end) {
		const uint8_t *cr;

		if (message->carriage && *at != '\n')
			append(message, "\r", 1);
		message->carriage = false;
		cr = memchr(at, '\r', (size_t)(end - at));
		append(message, at, (size_t)((cr ? cr : end) - at));
		if (!cr)
			return;
		message->carriage = true;
		at = cr + 1;
	}
}

static void
append_date(struct milter_message *message)
{
	g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(message->began);
	g_autofree char *text = date ? g_date_time_format(date, "%a, %-d %b %Y %T +0000") : NULL;

	append_text(message, text ? text : "");
}

void
milter_message_received(struct milter_message *message, const struct milter_client *client)
{
	char address[ADDRESS_TEXT_SIZE];
	bool v6 = client->address.family == ADDRESS_IPV6;
	const char *const parts[] = {"Received: from ", client->helo ? client->helo : "unknown",
	    " (", client->name ? client->name : "unknown", v6 ? " [IPv6:" : " [",
	    address_format(&client->address, address), "])\n\tby ",
	    client->host ? client->host : "localhost", " (Postfix) with ESMTP",
	    client->tls ? "S" : "", message->user ? "A" : "", " id ",
	    message->id ? message->id : "none", "\n\tfor <", message->recipients[0].address, ">"};
	size_t n = G_N_ELEMENTS(parts) - (message->all_recipients == 1 ? 0 : 3);

	for (size_t i = 0; i < n; i++)
		append_text(message, parts[i]);
	append_text(message, "; ");
	append_date(message);
	append_text(message, "\n");
}

/* -- header -- */

static bool
has_word(const char *value, const char *const *words)
{
	while (g_ascii_isspace(*value))
		value++;
	for (; *words; words++)
		if (!g_ascii_strncasecmp(value, *words, strlen(*words)) &&
		    !g_ascii_isalnum(value[strlen(*words)]))
			return true;
	return false;
}

/* Auto-Submitted (RFC 3834), and what lists and bulk mailers write. */
static bool
is_automatic(const char *name, const char *value)
{
	static const char *const no[] = {"no", NULL};
	static const char *const many[] = {"bulk", "list", "junk", "auto_reply", NULL};

	if (!g_ascii_strcasecmp(name, "auto-submitted"))
		return !has_word(value, no);
	if (!g_ascii_strcasecmp(name, "precedence"))
		return has_word(value, many);
	return !g_ascii_strcasecmp(name, "list-id") || !g_ascii_strcasecmp(name, "x-autoreply") ||
	       !g_ascii_strcasecmp(name, "x-autorespond");
}

/* White space may stand before the colon (RFC 5322, 4.5). */
static bool
is_own_field(const char *name)
{
	size_t length = strlen(REWRITE_FIELD);

	return !g_ascii_strncasecmp(name, REWRITE_FIELD, length) &&
	       !name[length + strspn(name + length, " \t")];
}

void
milter_message_field(
    struct milter_message *message, const char *name, const char *value, bool spaced)
{
	if (is_own_field(name)) {
		message->forged++;
		return;
	}
	message->automatic |= is_automatic(name, value);
	append_text(message, name);
	append_text(message, spaced ? ":" : ": ");
	append_lines(message, (const uint8_t *)value, strlen(value));
	message->carriage = false;
	append_text(message, "\n");
}

void
milter_message_end_of_header(struct milter_message *message)
{
	message->body = true;
	append_text(message, "\n");
}

bool
milter_message_body(struct milter_message *message, const uint8_t *bytes, size_t length)
{
	append_lines(message, bytes, length);
	return !message->cut;
}
