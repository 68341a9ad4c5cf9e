/*
 * HTML -> what its reader sees, what is hidden from him, and where its links lead.
 *
 * Words that comments or inline elements cut in pieces come out whole; block elements end a word.
 * Text of style, script, title and the like is neither seen nor hidden: it is left out, but for
 * the title, which is seen. Alternative texts of images are seen.
 *
 * libxml2 is loaded and initialised at the first call; without it the program ends with a message:
 * read in another way, messages would be judged by words that they were not trained with.
 * Several threads may call at once.
 */
#ifndef GREYLAG_CLASSIFIER_MAIL_HTML_H
#define GREYLAG_CLASSIFIER_MAIL_HTML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

struct html_link {
	size_t offset, length; /* into links_text */
};

/* Everything is appended. */
struct html_sink {
	GString *visible;
	GString *hidden;
	GString *links_text;
	GArray *links; /* struct html_link */
	uint64_t tags; /* bits of html_tag_name() */
	bool cut;      /* nested so deep that the rest was left out */
};

/* For a program that will read many messages. False, with a sentence, if libxml2 is missing. */
bool html_load(GError **error);

/* LENGTH bytes of valid UTF-8. Never fails. */
void html_read(const char *text, size_t length, struct html_sink *sink);

/* Of the bit (1 << INDEX) in a set of tags; NULL beyond the last. */
const char *html_tag_name(unsigned index);

#endif
