#include "lib/library.h"

#include <dlfcn.h>

#define LIBRARY_ERROR (g_quark_from_static_string("library"))

bool
library_load(const char *file, const struct library_symbol *symbols, size_t count, GError **error)
{
	void *handle = dlopen(file, RTLD_LAZY | RTLD_LOCAL);

	for (size_t i = 0; handle && i < count; i++) {
		*symbols[i].address = dlsym(handle, symbols[i].name);
		if (!*symbols[i].address) {
			g_set_error(error, LIBRARY_ERROR, 0, "%s has no function %s", file,
			    symbols[i].name);
			return false;
		}
	}
	if (!handle)
		g_set_error_literal(error, LIBRARY_ERROR, 0, dlerror());
	return handle != NULL;
}
