/*
 * Text -> words of one place ("subj:", "url:", or bare) in a set of tokens. Used by tokens.c and
 * its kin only.
 */
#ifndef GREYLAG_CLASSIFIER_FEATURES_WORDS_H
#define GREYLAG_CLASSIFIER_FEATURES_WORDS_H

#include <glib.h>
#include "classifier/features/tokens.h"

struct words {
	struct tokens *tokens;
	const struct token_options *options;
	/* Called at the scheme of "http://..." in the text; returns the length that it took. */
	size_t (*on_url)(struct words *words, const char *text, size_t length);
	bool no_ids; /* leave out what looks like an id: long, or mixed of letters and digits */
	char buffer[TOKENS_LENGTH_MAX]; /* the place, then the word that is being made */
	size_t place;
	char previous[TOKENS_WORD_MAX]; /* for pairs */
	size_t previous_length;
	char letters[TOKENS_WORD_MAX]; /* V i a g r a */
	size_t letter_count;
	GString *folded;
	unsigned tricks; /* enum text_trick of all that was read */
	bool spaced;     /* letters with spaces between them were joined */
};

void words_init(struct words *words, struct tokens *tokens, const struct token_options *options);
void words_clear(struct words *words);

/* All that follows is of this place: "" or a name with its colon. */
void words_set_place(struct words *words, const char *place);

/* One token of the present place, as it stands; cut to what a token may have. */
void words_put(struct words *words, const char *text, size_t length);

/* PLACE and TEXT as one token, whatever the present place. */
void words_put_at(struct words *words, const char *place, const char *text, size_t length);

/* The words of valid UTF-8. */
void words_read(struct words *words, const char *text, size_t length);

/* A host name and the domains that it lies in; with MASK digits become "#". */
void words_put_host(struct words *words, const char *host, size_t length, bool mask);

/* An address as tokens at "ip:", with the networks that it lies in; false if it is none. */
bool words_put_ip(struct words *words, const char *text, size_t length);

#endif
