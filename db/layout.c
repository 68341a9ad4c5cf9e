#include "config.h"

#include "db/layout.h"

#include "db/store.h"

/* Each %s is the option that names the store, with a blank before it. */
static const struct {
	const char *option; /* before the URI; NULL if both commands have their own */
	const char *save, *away, *load;
} parts[] = {
    [STORE_LAYOUT_POLICY] = {" -o store.uri=", "\"greylagctl%s export policy.jsonl\"",
	"move policy.mdb away", "\"greylagctl%s import policy.jsonl\""},
    [STORE_LAYOUT_TOKEN] = {" -d ", "\"greylag%s dump token.dump\"", "move token.mdb away",
	"\"greylag%s load token.dump\""},
    [STORE_LAYOUT_SERVER] = {NULL,
	"\"greylagctl export policy.jsonl\" and \"greylag dump token.dump\"",
	"empty its database or name another in store.uri",
	"\"greylagctl import policy.jsonl\" and \"greylag load token.dump\""},
};

static char *
with_option(const char *command, const char *option)
{
	g_auto(GStrv) halves = g_strsplit(command, "%s", 2);

	return g_strjoinv(option, halves);
}

bool
store_layout_check(enum store_layout_part part, const char *where, const char *uri, guint64 found,
    guint64 wanted, GError **error)
{
	const char *before = parts[part].option;
	g_autofree char *option = uri && before ? g_strconcat(before, uri, NULL) : g_strdup("");
	g_autofree char *save = with_option(parts[part].save, option);
	g_autofree char *load = with_option(parts[part].load, option);

	if (found == wanted)
		return true;
	g_set_error(error, STORE_ERROR, 0,
	    "%s has layout %" G_GUINT64_FORMAT ", of %s greylag; greylag %s reads layout "
	    "%" G_GUINT64_FORMAT ". Run that greylag again, or carry over what is there: with "
	    "that greylag %s, then %s, and with this one %s; see UPGRADES in greylagd(8)",
	    where, found, found > wanted ? "a newer" : "an older", PACKAGE_VERSION, wanted, save,
	    parts[part].away, load);
	return false;
}
