#include "config.h"

#include "lib/library.h"

#include <dlfcn.h>

#define LIBRARY_ERROR (g_quark_from_static_string("library"))

static gpointer
load(gpointer data)
{
	struct library *library = data;
	void *handle = dlopen(library->file, RTLD_LAZY | RTLD_LOCAL);

	if (!handle)
		g_set_error(
		    &library->error, LIBRARY_ERROR, 0, "%s: %s", library->lacking, dlerror());
	for (size_t i = 0; i < library->count && !library->error; i++) {
		const struct library_symbol *symbol = &library->symbols[i];

		*symbol->address = dlsym(handle, symbol->name);
		if (!*symbol->address)
			g_set_error(&library->error, LIBRARY_ERROR, 0, "%s: %s has no function %s",
			    library->lacking, library->file, symbol->name);
	}
	if (!library->error && library->init)
		(*library->init)();
	return library;
}

bool
library_load(struct library *library, GError **error)
{
	g_once(&library->once, load, library);
	if (library->error)
		g_propagate_error(error, g_error_copy(library->error));
	return !library->error;
}

void
library_need(struct library *library)
{
	g_once(&library->once, load, library);
	if (library->error)
		g_error("%s", library->error->message);
}
