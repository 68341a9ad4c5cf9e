/* What a store says of itself when it does not do what it was asked. */
#include "config.h"

#include <stdarg.h>
#include <string.h>

#include "db/store_driver.h"

char *
store_uri_shown(const char *uri)
{
	const char *begin = strstr(uri, "://"), *end, *at;

	if (!begin)
		return g_strdup(uri);
	begin += strlen("://");
	/* A password may have a slash in it, too: what matters is that none is shown. */
	at = strrchr(begin, '@');
	end = strchr(begin, '?');
	if (!at || (end && at > end))
		return g_strdup(uri);
	return g_strdup_printf("%.*s%s", (int)(begin - uri), uri, at + 1);
}

/* What the driver said last. */
struct store_reason {
	enum store_result result;
	char text[];
};

void
store_note(struct store *store, enum store_result result, const char *format, ...)
{
	g_autofree char *text = NULL;
	struct store_reason *reason = NULL;
	va_list arguments;

	while (store->whole)
		store = store->whole;
	if (format) {
		va_start(arguments, format);
		text = g_strdup_vprintf(format, arguments);
		va_end(arguments);
		reason = g_malloc(sizeof *reason + strlen(text) + 1);
		reason->result = result;
		memcpy(reason->text, text, strlen(text) + 1);
	}
	g_free(atomic_exchange(&store->reason, reason));
}

void
store_texts_free(struct store *store)
{
	g_free(store->name);
	g_free(atomic_exchange(&store->reason, NULL));
}

const char *
store_remedy(enum store_result result)
{
	return result == STORE_CORRUPT
		   ? "; \"greylagctl check\" tells what is damaged: restore a backup, or begin "
		     "anew and bring back what was learned with \"greylag load\" of a dump"
		   : "";
}

static char *
sentence(const struct store *store, enum store_result result, const struct store_reason *reason)
{
	return g_strdup_printf("%s: %s%s%s%s%s", store->name ? store->name : "the store",
	    store_result_text(result), reason ? " (" : "", reason ? reason->text : "",
	    reason ? ")" : "", store_remedy(result));
}

/* The reason is taken out meanwhile, since another thread may note another. */
static char *
explain(struct store *store, const enum store_result *result)
{
	struct store_reason *reason = atomic_exchange(&store->reason, NULL), *none = NULL;
	enum store_result last = reason ? reason->result : STORE_UNAVAILABLE;
	char *text = sentence(store, result ? *result : last, reason);

	if (!atomic_compare_exchange_strong(&store->reason, &none, reason))
		g_free(reason);
	return text;
}

char *
store_explain(struct store *store, enum store_result result)
{
	return explain(store, &result);
}

char *
store_explain_last(struct store *store)
{
	return explain(store, NULL);
}
