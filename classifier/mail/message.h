/*
 * A message read for the classifier: canonical bytes, header fields, and the text of its parts,
 * all decoded to valid UTF-8. Broken mail is read as far as it goes; nothing is refused.
 *
 * Everything that a message points to belongs to it. A struct message may be read by several
 * threads at once; message_read() may be called by several threads at once.
 */
#ifndef GREYLAG_CLASSIFIER_MAIL_MESSAGE_H
#define GREYLAG_CLASSIFIER_MAIL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>
#include "classifier/mail/canonical.h"

/* What is beyond a limit is left out, and that something was is itself a token. */
struct message_limits {
	size_t message; /* canonical bytes of the whole message */
	size_t header;  /* bytes of the header fields of a message or part */
	size_t text;    /* bytes of text of all parts together, decoded, before HTML is undone */
	unsigned depth; /* of multiparts and messages within one another */
	unsigned parts; /* in the whole message */
};
#define MESSAGE_LIMIT_MESSAGE (8u << 20)
#define MESSAGE_LIMIT_HEADER  (256u << 10)
#define MESSAGE_LIMIT_TEXT    (512u << 10)
#define MESSAGE_LIMIT_DEPTH   32u
#define MESSAGE_LIMIT_PARTS   500u

enum message_cut {
	MESSAGE_CUT_MESSAGE = 1 << 0,
	MESSAGE_CUT_HEADER = 1 << 1,
	MESSAGE_CUT_TEXT = 1 << 2,
	MESSAGE_CUT_DEPTH = 1 << 3,
	MESSAGE_CUT_PARTS = 1 << 4,
	MESSAGE_CUT_HTML = 1 << 5, /* elements nested too deep for the HTML parser */
};

struct message_options {
	struct message_limits limits;
	const char *const *own_hosts; /* as for canonical_read() */
};

/* The limits above, no own hosts. */
struct message_options message_options_default(void);

/* TEXT is followed by a NUL, except in a link. */
struct message_text {
	const char *text;
	size_t length;
};

struct message_header {
	struct message_text name;  /* lower case */
	struct message_text value; /* unfolded, RFC 2047 words decoded, UTF-8 */
};

struct message_part {
	const char *type;     /* "text/plain", lower case; what was declared, or the default */
	const char *charset;  /* as declared, lower case; "" if it was not */
	const char *name;     /* file name, "" if there is none */
	const char *encoding; /* transfer encoding as declared, lower case; "" if it was not */
	unsigned depth;       /* 0 for the message itself */
	bool container;       /* a multipart or message: its parts follow, one deeper */
	bool attachment;      /* declared as one */
	bool binary;          /* declared as text, but is none */
	bool repaired;        /* its bytes did not fit its charset */
	size_t size;          /* of the content, before decoding */
	uint8_t digest[8];    /* of the decoded content's first 64 KiB, if it is no text */
	struct message_text visible; /* of a text part, what its reader sees */
	struct message_text hidden;  /* of an HTML part, what its reader does not see */
	uint64_t html_tags;          /* set of the elements used: bits of html_tag_name() */
};

struct message {
	struct canonical canonical;
	unsigned cut; /* enum message_cut */
	const struct message_header *headers;
	size_t header_count;
	const struct message_part *parts; /* in the order of the message; the first is the whole */
	size_t part_count;
	const struct message_text *links; /* of HTML parts: absolute URLs, as they stand there */
	size_t link_count;
};

/* Loads what only some messages need, GMime and libxml2, for a program that will read many. False,
 * with a sentence, if one is missing: message_read() would then end the program. */
bool message_load(GError **error);

/* Never fails. */
struct message *message_read(
    const uint8_t *bytes, size_t length, const struct message_options *options);
void message_free(struct message *message);

/* The value of the first field NAME (lower case), or NULL. */
const struct message_text *message_header(const struct message *message, const char *name);

/*
 * Appends what a reader sees first: Subject, From and the visible text of the body, a space
 * between them, case-folded, white space runs as one space, at most LIMIT bytes of it.
 */
void message_lead(const struct message *message, size_t limit, GString *ret_text);

#endif
