#include "config.h"

#include "classifier/features/dialogue.h"

#include <string.h>
#include "classifier/mail/results.h"

#define EARLY_MAX 5

static const struct {
	uint32_t seconds; /* up to this */
	const char *token;
} delays[] = {{120, "grey:delay-2m"}, {300, "grey:delay-5m"}, {900, "grey:delay-15m"},
    {3600, "grey:delay-1h"}, {14400, "grey:delay-4h"}, {86400, "grey:delay-1d"},
    {UINT32_MAX, "grey:delay-more"}};

static void
add(struct tokens *tokens, const char *token)
{
	tokens_add(tokens, token, strlen(token));
}

/* Its place in the table, from 1 on. */
static unsigned
delay_place(uint32_t seconds)
{
	unsigned i = 0;
	while (seconds > delays[i].seconds)
		i++;
	return i + 1;
}

/* The bits of a code. */
enum {
	CODE_FIRST = 1,
	CODE_KNOWN = 2,
	CODE_DELAY_SHIFT = 2, /* three bits */
	CODE_EARLY_SHIFT = 5, /* three bits */
	CODE_THREE = 7,
	CODE_MOVED = 1 << 8,
};

uint16_t
dialogue_code(const struct delivery_greylist *greylist)
{
	/* The first attempt and the one that passed were not early. */
	uint32_t early = greylist->attempts > 2 ? MIN(greylist->attempts - 2, EARLY_MAX) : 0;
	unsigned code = CODE_FIRST;
	if (greylist->contact == DELIVERY_KNOWN)
		return CODE_KNOWN;
	if (greylist->contact != DELIVERY_FIRST)
		return 0;
	if (greylist->delayed)
		code |=
		    delay_place(greylist->delayed) << CODE_DELAY_SHIFT | early << CODE_EARLY_SHIFT;
	if (greylist->moved)
		code |= CODE_MOVED;
	return (uint16_t)code;
}

void
dialogue_put(struct tokens *tokens, uint16_t code)
{
	char early[] = "grey:early-0";
	unsigned delay = code >> CODE_DELAY_SHIFT & CODE_THREE;
	unsigned n = code >> CODE_EARLY_SHIFT & CODE_THREE;
	if (code & CODE_KNOWN)
		add(tokens, "grey:known");
	if (code & CODE_FIRST)
		add(tokens, "grey:first");
	if (delay > 0 && delay <= G_N_ELEMENTS(delays))
		add(tokens, delays[delay - 1].token);
	early[sizeof early - 2] = (char)('0' + n);
	if (n)
		add(tokens, early);
	if (code & CODE_MOVED)
		add(tokens, "grey:moved");
}

void
dialogue_tokens(struct tokens *tokens, const struct delivery_greylist *greylist)
{
	dialogue_put(tokens, dialogue_code(greylist));
}

/* -- whom results vouch for -- */

struct collection {
	const struct suffix_list *suffixes;
	struct dialogue_auth auth;
	bool passed; /* the method that is read */
};

static bool
begins_with(const char *word, size_t length, const char *text)
{
	size_t n = strlen(text);
	return length >= n && !g_ascii_strncasecmp(word, text, n);
}

static bool
is_there(const struct dialogue_auth *auth, const char *domain)
{
	for (unsigned i = 0; i < auth->n; i++)
		if (!strcmp(auth->domains[i], domain))
			return true;
	return false;
}

/* An address or a domain. */
static void
collect(struct collection *c, const char *value, size_t length)
{
	g_autofree char *text = g_strndup(value, length);
	const char *at = strrchr(text, '@');
	char domain[CLIENTNAME_SIZE];
	if (c->auth.n < DELIVERY_AUTH_MAX &&
	    clientname_domain(c->suffixes, at ? at + 1 : text, domain) &&
	    strlen(domain) <= DELIVERY_DOMAIN_MAX && !is_there(&c->auth, domain))
		g_strlcpy(c->auth.domains[c->auth.n++], domain, DELIVERY_DOMAIN_MAX + 1);
}

static void
take_word(void *context, const char *word, size_t length, bool first)
{
	static const char *const passes[] = {"dkim=pass", "spf=pass"};
	static const char *const properties[] = {"header.d=", "smtp.mailfrom="};
	struct collection *c = context;
	for (size_t i = 0; first && i < G_N_ELEMENTS(passes); i++) {
		c->passed = length == strlen(passes[i]) && begins_with(word, length, passes[i]);
		if (c->passed)
			return;
	}
	for (size_t i = 0; !first && c->passed && i < G_N_ELEMENTS(properties); i++)
		if (begins_with(word, length, properties[i]))
			collect(c, word + strlen(properties[i]), length - strlen(properties[i]));
}

void
dialogue_authenticated(const struct message *message, const char *const *trusted,
    const struct suffix_list *suffixes, struct dialogue_auth *ret_auth)
{
	struct collection collection = {.suffixes = suffixes};
	struct results results = {{0}};
	for (size_t i = 0; trusted && i < message->header_count; i++) {
		const struct message_header *header = &message->headers[i];
		if (!strcmp(header->name.text, "authentication-results"))
			results_read(&results, header->value.text, header->value.length, trusted,
			    take_word, &collection);
	}
	*ret_auth = collection.auth;
}
