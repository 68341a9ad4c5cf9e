/* Client names: the first line is the name, the second the HELO, the third the address. A pool's
 * domain is an end of the name, itself in the same pool, and never that of a dynamic name. */
#include "config.h"

#include <stdint.h>
#include <string.h>
#include <glib.h>

#include "lib/clientname.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_pool(const struct suffix_list *list, const char *name, const struct address *address)
{
	const struct address nobody = {.family = ADDRESS_NONE};
	char domain[CLIENTNAME_SIZE], again[CLIENTNAME_SIZE];
	bool dynamic = clientname_looks_dynamic(list, name, address);
	g_autofree char *lower = g_ascii_strdown(name, -1);

	if (!clientname_pool(list, name, address, domain)) {
		g_assert_cmpstr(domain, ==, "");
		return;
	}
	g_assert_false(dynamic);
	if (g_str_has_suffix(lower, "."))
		lower[strlen(lower) - 1] = '\0';
	g_assert_true(g_str_has_suffix(lower, domain));
	g_assert_nonnull(strchr(domain, '.'));
	g_assert_true(clientname_pool(list, domain, &nobody, again));
	g_assert_cmpstr(domain, ==, again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct suffix_list *list;
	g_autofree char *text = g_strndup((const char *)data, size);
	g_auto(GStrv) lines = g_strsplit(text, "\n", 3);
	guint count = g_strv_length(lines);
	struct address address = {.family = ADDRESS_NONE};

	if (!list)
		list = suffix_list_load(NULL);
	if (count == 3)
		(void)address_parse(lines[2], &address);
	if (count > 0)
		check_pool(list, lines[0], &address);
	if (count > 1)
		(void)clientname_helo_fits(lines[1], lines[0], &address);
	return 0;
}
