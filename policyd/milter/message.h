/*
 * What a milter is told of a client and of its message, gathered within bounds: the envelope, and
 * the message's bytes as its mailbox will have them but for what the delivery adds. Pure.
 */
#ifndef GREYLAG_POLICYD_MILTER_MESSAGE_H
#define GREYLAG_POLICYD_MILTER_MESSAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

#include "lib/address.h"

/* Of a message so many recipients are remembered, the others only counted. */
#define MILTER_RECIPIENTS 100

/* Bytes of a name or an address; longer ones are cut. */
#define MILTER_TEXT_MAX 1000

/* Memory that the messages of all connections share, beyond the first 64 KiB of each. */
struct milter_budget {
	size_t limit; /* bytes */
	atomic_size_t used;
};

/* Who is connected. Texts are owned; NULL where nothing was said. */
struct milter_client {
	struct address address; /* ADDRESS_NONE if it cannot be read */
	char *name;             /* verified by the mail server both ways, or NULL */
	char *helo;
	char *host; /* the mail server's own name */
	bool tls;
};

struct milter_recipient {
	char *address;
	bool inner; /* delivered here, not sent elsewhere */
};

/* One message. All zero but for BUDGET and LIMIT at its beginning. */
struct milter_message {
	struct milter_budget *budget; /* NULL for none */
	size_t limit;                 /* of bytes that are kept */
	int64_t began;                /* when the sender was named; seconds since 1970 */
	char *sender;                 /* without angle brackets; "" for the null sender */
	char *user;                   /* who has logged in, or NULL */
	char *id;                     /* the mail server's queue id, or NULL */
	bool sender_inner;            /* mail to the sender would be delivered here */
	struct milter_recipient recipients[MILTER_RECIPIENTS];
	unsigned n_recipients; /* of them */
	size_t all_recipients;

	uint8_t *bytes;
	size_t length, room;
	bool cut;        /* there is more than is kept */
	bool body;       /* the header is over */
	bool carriage;   /* the last byte was a CR, which waits for what follows */
	unsigned forged; /* X-Greylag fields that it came with; they are not kept */
	bool automatic;  /* no person wrote it (RFC 3834), or it went to many */
};

void milter_client_clear(struct milter_client *client);

/* Frees what the message holds and gives its memory back to the budget; BUDGET and LIMIT stay. */
void milter_message_clear(struct milter_message *message);

/* ARGUMENT is what stood behind MAIL FROM: or RCPT TO:, with or without angle brackets. */
void milter_message_sender(struct milter_message *message, const char *argument, int64_t now);
void milter_message_recipient(struct milter_message *message, const char *argument, bool inner);

/*
 * Begins the message's bytes with the Received field that Postfix writes for it, and which a milter
 * is not shown. To be called once, before the first field.
 */
void milter_message_received(struct milter_message *message, const struct milter_client *client);

/* A field as it stands in the message: VALUE has its folding and, if SPACED, the white space that
 * stood behind the colon. */
void milter_message_field(
    struct milter_message *message, const char *name, const char *value, bool spaced);
void milter_message_end_of_header(struct milter_message *message);
/* A piece of the body, its lines ending in CR LF or LF; false if no more of it will be kept. */
bool milter_message_body(struct milter_message *message, const uint8_t *bytes, size_t length);

#endif
