/*
 * The tokens of a message, each once, in the order of their first occurrence.
 *
 * A token is UTF-8 without spaces and control characters, at most TOKENS_LENGTH_MAX bytes long.
 * Words of the body are bare; all others begin with the name of their place and a colon:
 *
 *	subj: from: to: rtrn:  header fields of that kind (rtrn: Sender, Errors-To and the like)
 *	rcvd:                  hosts of the Received chain
 *	head:                  names of all header fields, words of the others
 *	ip:                    addresses, and their first three and two numbers
 *	url:                   hosts of links, their domains, words of their paths
 *	mime:                  types, charsets, file names, structure, digests of attachments
 *	auth:                  Authentication-Results of trusted servers
 *	hide:                  words of text that HTML hides from the reader
 *	html:                  names of HTML elements
 *	mark: cut:             tricks that were undone; limits that were met
 *	case:                  in a store: a word of an imported list as that spells it
 */
#ifndef GREYLAG_CLASSIFIER_FEATURES_TOKENS_H
#define GREYLAG_CLASSIFIER_FEATURES_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "classifier/mail/message.h"

/* Changes whenever the same message may give other tokens than before. */
#define TOKENS_VERSION 3

#define TOKENS_LENGTH_MAX 100
#define TOKENS_WORD_MAX   40 /* longer words become a token for their length */
#define TOKENS_LIMIT      50000

struct token_options {
	bool keep_case; /* default: folded */
	bool bogowords; /* instead of all that, classifier/features/bogowords.h */
	bool pairs;     /* also "a*b" for words of the body and subject that follow another */
	size_t limit;   /* tokens of a message; more are left out: cut:tokens */
	/* NULL-terminated authserv-ids (RFC 8601) whose Authentication-Results count, or NULL. */
	const char *const *trusted_authserv_ids;
};

struct token_options token_options_default(void);

struct token {
	uint64_t hash;   /* of the text, by token_hash() */
	uint32_t offset; /* into tokens.bytes */
	uint32_t length;
};

/* Read only, but for the functions below. May be used for one message after the other, which
 * spares allocations. */
struct tokens {
	char *bytes;
	size_t used, size;
	struct token *list;
	size_t count, list_size;
	uint32_t *slots; /* hash table over the list: index + 1, 0 is empty */
	size_t slot_count;
	size_t limit;
	bool cut;
};

/* All zero bytes are an empty set too. */
void tokens_init(struct tokens *tokens);
void tokens_clear(struct tokens *tokens);
/* Gives back what only adding needs: no more may be added. */
void tokens_shrink(struct tokens *tokens);

/* Replaces what TOKENS held by the tokens of MESSAGE. */
void tokens_read(
    struct tokens *tokens, const struct message *message, const struct token_options *options);

/* Adds one more, as from what the SMTP dialogue showed; false if it was there, or at the limit. */
bool tokens_add(struct tokens *tokens, const char *text, size_t length);

static inline const char *
tokens_text(const struct tokens *tokens, size_t index)
{
	return tokens->bytes + tokens->list[index].offset;
}

/* The same on every machine and in every version; not secret. */
uint64_t token_hash(const char *text, size_t length);

#endif
