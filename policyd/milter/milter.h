/*
 * The mail server's side of greylag-milter, by libmilter: what it tells of a connection and a
 * message is gathered, bounded, and at the message's end handed over for a decision, which is
 * carried out. Whatever goes wrong, the message is let in.
 *
 * libmilter keeps state of the whole process, and so does this module: one listening socket, served
 * once.
 */
#ifndef GREYLAG_POLICYD_MILTER_MILTER_H
#define GREYLAG_POLICYD_MILTER_MILTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <glib.h>

#include "policyd/milter/action.h"
#include "policyd/milter/message.h"

struct milter_options {
	unsigned max_connections; /* mail of further ones is let in unseen */
	size_t message;           /* bytes that are kept of a message */
	struct milter_budget *budget;
	/* Calls under way into what a mail server that lies can make libmilter trip over: macros
	 * without values. In memory that outlives the process. */
	atomic_uint *perils;
	/* At a message's end, by any thread, by several at once. */
	void (*decide)(void *context, const struct milter_client *client,
	    const struct milter_message *message, struct milter_result *ret_result);
	void *context;
};

/* Opens the socket that ADDRESS names, as listener_open() does: before privileges are given up, and
 * before a fork(2) whose child serves. */
bool milter_open(const char *address, mode_t mode, GError **error);

/* Removes the socket file of milter_open(). */
void milter_close(const char *address);

/* Serves until this process is told to stop by SIGTERM or SIGINT. OPTIONS must stay. False if
 * libmilter cannot. */
bool milter_serve(const struct milter_options *options);

/* From any thread: connections that wait are left to another process with the same socket, if there
 * is one; the address is free else. */
void milter_stop_accepting(void);

/* Connections that are open, and messages that are on their way in. */
unsigned milter_connections(void);
unsigned milter_messages(void);

#endif
