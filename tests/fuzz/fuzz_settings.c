/*
 * The configuration file: what parses is printed as a file that parses to the same, and what does
 * not is told with a line's number and changes nothing.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <glib.h>

#include "lib/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_same(const struct settings *a, const struct settings *b)
{
	for (unsigned i = 0; i < SETTING_COUNT; i++) {
		g_assert_cmpstr(settings_text(a, i), ==, settings_text(b, i));
		g_assert_true(settings_decimal(a, i) == settings_decimal(b, i));
		g_assert_true(g_strv_equal(settings_list(a, i), settings_list(b, i)));
	}
}

static void
check_round_trip(const struct settings *settings)
{
	struct settings *again = settings_new();
	g_autoptr(GError) error = NULL;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	settings_print(settings, out);
	fclose(out);
	settings_parse(again, "printed", text, size, &error);
	g_assert_no_error(error);
	check_same(settings, again);
	settings_free(again);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings *settings = settings_new(), *defaults = settings_new();
	g_autofree char *assignment = g_strndup((const char *)data, size);
	g_autoptr(GError) error = NULL, option = NULL;

	if (settings_parse(settings, "fuzz", (const char *)data, size, &error)) {
		check_round_trip(settings);
	} else {
		g_assert_true(g_str_has_prefix(error->message, "fuzz:"));
		check_same(settings, defaults);
	}
	/* A value by -o may be longer than a line of a file. */
	if (size < 4000 && settings_assign(settings, assignment, &option))
		check_round_trip(settings);
	settings_free(settings);
	settings_free(defaults);
	return 0;
}
