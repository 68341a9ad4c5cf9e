/*
 * Messages in the places where people keep them: files, folders, Maildir, mbox, MH, a stream.
 *
 *	file          one message, or an mbox if it begins with "From "
 *	Maildir       a folder with cur and new: these two alone (not its subfolders, which hold
 *	              what the person sorted away), without drafts and trashed messages (flags D, T)
 *	MH            its messages are files with numbers for names; other files are not messages
 *	other folder  all files in it and below, in order of names, without dot files and the index
 *	              files of mail programs
 *	-             standard input: one message or an mbox
 *
 * An mbox may be of any of the four dialects (mboxo, mboxrd, mboxcl, mboxcl2): a Content-Length
 * is believed if a message begins or the file ends where it says, else the next From_ line is
 * looked for. Messages of an mbox are named PATH#N, from 1; one that is the only one of its file is
 * named PATH. Their From_ line is part of them (the canonical form, classifier/mail/canonical.h,
 *takes it off).
 *
 * Files are read, not mapped, so that a mailbox which shrinks meanwhile cannot kill the reader;
 * the memory in use is one message's.
 */
#ifndef GREYLAG_CLASSIFIER_MAIL_CORPUS_H
#define GREYLAG_CLASSIFIER_MAIL_CORPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

/* A message longer than this is given cut to it. */
#define CORPUS_MESSAGE_MAX (64u << 20)

struct corpus_visitor {
	/* BYTES (NULL if LENGTH is 0) become the visitor's, to be freed with g_free(). False stops
	 * the walk. */
	bool (*message)(void *context, const char *name, uint8_t *bytes, size_t length);
	/* What could not be read; the walk goes on with the next. */
	void (*failed)(void *context, const char *name, const GError *error);
	void *context;
};

/* Visits all messages at PATH. False if the visitor stopped the walk. */
bool corpus_walk(const char *path, const struct corpus_visitor *visitor);

/* The lines of a file (or "-") as paths, without empty lines; NULL and an error on failure. To be
 * freed with g_strfreev(). */
char **corpus_read_list(const char *path, GError **error);

#endif
