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

/* Loads FILE (a soname), which then stays, and fills in all addresses, also of what the libraries
 * that come along have. False, with a sentence, if the library or one of the functions is missing.
 */
bool library_load(
    const char *file, const struct library_symbol *symbols, size_t count, GError **error);

#endif
