#include "config.h"

#include "classifier/features/origin.h"

#include <math.h>
#include <string.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
read_literal(const char *text, size_t length, struct address *ret_client)
{
	char literal[ADDRESS_TEXT_SIZE];
	size_t tag = length > 5 && !g_ascii_strncasecmp(text, "IPv6:", 5) ? 5 : 0;

	if (length - tag >= sizeof literal)
		return false;
	memcpy(literal, text + tag, length - tag);
	literal[length - tag] = '\0';
	return address_parse(literal, ret_client);
}

/* The comment may say after the address that the name is none: sendmail does. */
static bool
is_doubted(const char *rest)
{
	size_t length = strcspn(rest, ")");

	return memmem(rest, length, "may be forged", strlen("may be forged")) != NULL;
}

static bool
is_name(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!g_ascii_isalnum(text[i]) && !strchr(".-_", text[i]))
			return false;
	return length < CLIENTNAME_SIZE &&
	       !(length == 7 && !g_ascii_strncasecmp(text, "unknown", 7));
}

bool
origin_read_received(const char *value, struct address *ret_client, char ret_name[CLIENTNAME_SIZE])
{
	const char *name, *open, *close;
	size_t length;

	while (is_blank(*value))
		value++;
	if (g_ascii_strncasecmp(value, "from", 4) != 0 || !is_blank(value[4]))
		return false;
	/* One word, in which a client may have put what it likes. */
	for (value += 4; is_blank(*value); value++)
		;
	value += strcspn(value, " \t\r\n()");
	if (!is_blank(*value))
		return false;
	while (is_blank(*value))
		value++;
	name = *value == '(' ? value : NULL;
	open = name ? name + 1 + strcspn(name + 1, "[()") : NULL;
	close = open && *open == '[' ? strchr(open, ']') : NULL;
	if (!close || !read_literal(open + 1, (size_t)(close - open) - 1, ret_client))
		return false;
	for (name++; is_blank(*name); name++)
		;
	length = strcspn(name, " \t\r\n[");
	if (!is_name(name, length) || is_doubted(close))
		length = 0;
	memcpy(ret_name, name, length);
	ret_name[length] = '\0';
	return true;
}

void
origin_read(const struct message *message, const char *const *trusted,
    const struct suffix_list *suffixes, struct origin *ret_origin)
{
	const char *handover = message->canonical.handover;
	char name[CLIENTNAME_SIZE];

	memset(ret_origin, 0, sizeof *ret_origin);
	memcpy(ret_origin->digest, message->canonical.digest, sizeof ret_origin->digest);
	if (!handover || !origin_read_received(handover, &ret_origin->client, name))
		return;
	clientname_pool(suffixes, name, &ret_origin->client, ret_origin->name);
	dialogue_authenticated(message, trusted, suffixes, &ret_origin->auth);
}

void
origin_delivery(const struct origin *origin, enum verdict verdict, double score, int64_t now,
    struct delivery_record *ret_record)
{
	static const enum delivery_verdict verdicts[] = {[VERDICT_HAM] = DELIVERY_HAM,
	    [VERDICT_SPAM] = DELIVERY_SPAM,
	    [VERDICT_UNSURE] = DELIVERY_UNSURE};
	struct delivery_record record = {.time = now,
	    .client = origin->client,
	    .name = {origin->name, strlen(origin->name)},
	    .judged = verdicts[verdict],
	    .verdict = verdicts[verdict],
	    .score = (uint32_t)lround(CLAMP(score, 0.0, 1.0) * 1000)};

	for (unsigned i = 0; i < origin->auth.n; i++)
		delivery_add_auth(&record,
		    (struct store_bytes){origin->auth.domains[i], strlen(origin->auth.domains[i])});
	*ret_record = record;
}
