#include "classifier/dialogue.h"

#include <string.h>
#include "classifier/results.h"

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

static const char *
delay_token(uint32_t seconds)
{
	size_t i = 0;
	while (seconds > delays[i].seconds)
		i++;
	return delays[i].token;
}

void
dialogue_tokens(struct tokens *tokens, const struct delivery_greylist *greylist)
{
	char early[] = "grey:early-0";
	/* The first attempt and the one that passed were not early. */
	uint32_t n = greylist->attempts > 2 ? greylist->attempts - 2 : 0;
	if (greylist->contact == DELIVERY_KNOWN)
		add(tokens, "grey:known");
	if (greylist->contact != DELIVERY_FIRST)
		return;
	add(tokens, "grey:first");
	if (greylist->delayed)
		add(tokens, delay_token(greylist->delayed));
	early[sizeof early - 2] = (char)('0' + MIN(n, EARLY_MAX));
	if (greylist->delayed && n)
		add(tokens, early);
	if (greylist->moved)
		add(tokens, "grey:moved");
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
