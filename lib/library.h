/*
 * Shared libraries that are loaded when they are first needed. What one message in ten needs, and
 * brings ten more libraries along, would cost every process that judges one message a third of its
 * time if the program were linked with it.
 */
#ifndef GREYLAG_LIB_LIBRARY_H
#define GREYLAG_LIB_LIBRARY_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* Where the address of a function goes: a function pointer of its type. */
struct library_symbol {
	const char *name;
	gpointer *address;
};

#define LIBRARY_SYMBOL(name, pointer)                                                              \
	{                                                                                          \
		name, (gpointer *)(void *)&(pointer)                                               \
	}

struct library {
	const char *file;    /* a soname */
	const char *lacking; /* what cannot be done without it: begins the sentence of an error */
	const struct library_symbol *symbols;
	size_t count;
	void (**init)(void); /* called once all are there; NULL for none */
	/* Of the functions below. */
	GOnce once;
	GError *error;
};

/* Loads it unless that was tried, and fills in all addresses, also of what the libraries that come
 * along have; it stays. False, with a sentence, if the library or one of the functions is missing.
 * Any thread may call it. */
bool library_load(struct library *library, GError **error);

/* The same, but ends the program with the sentence, as if it were linked with the library. */
void library_need(struct library *library);

#endif
