#include "classifier/results.h"

#include <string.h>
#include <glib.h>

#define METHOD_MAX 32

static bool
is_atom(char c)
{
	return (unsigned char)c > ' ' && !strchr("()<>[]{},;\"\\", c);
}

static const char *
atom_end(const char *at, const char *end)
{
	while (at < end && is_atom(*at))
		at++;
	return at;
}

/* The end of a quoted string that begins at AT: its closing quote, or END. */
static const char *
quoted_end(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++)
		at += *at == '\\' && at + 1 < end;
	return at;
}

static bool
is_trusted(const char *const *trusted, const char *id, size_t length)
{
	for (; trusted && *trusted; trusted++)
		if (strlen(*trusted) == length && !g_ascii_strncasecmp(*trusted, id, length))
			return true;
	return false;
}

bool
results_are_trusted(const char *value, size_t length, const char *const *trusted)
{
	const char *end = atom_end(value, value + length);
	return is_trusted(trusted, value, (size_t)(end - value));
}

/* "dkim=pass", "dkim/1=pass": ";dkim". False for what is too long. */
static bool
method_of(const char *word, size_t length, char ret_method[METHOD_MAX])
{
	size_t name = 0;
	while (name < length && word[name] != '=' && word[name] != '/')
		name++;
	if (name + 2 > METHOD_MAX)
		return false;
	g_snprintf(ret_method, METHOD_MAX, ";%.*s", (int)name, word);
	for (char *p = ret_method; *p; p++)
		*p = g_ascii_tolower(*p);
	return true;
}

static bool
is_above(const struct results *results, const char *method)
{
	size_t length = strlen(method);
	const char *at = results->methods;
	while ((at = strstr(at, method)) && at[length] && at[length] != ';')
		at += length;
	return at != NULL;
}

/* The beginning of the signature (RFC 6008) is another in each message: nothing to learn from. */
static bool
is_of_one_message(const char *word, size_t length)
{
	static const char signature[] = "header.b=";
	size_t name = strlen(signature);
	return length >= name && g_ascii_strncasecmp(word, signature, name) == 0;
}

void
results_read(struct results *results, const char *value, size_t length, const char *const *trusted,
    results_fn word, void *context)
{
	g_autoptr(GString) methods = g_string_new(results->methods);
	const char *end = value + length, *p = atom_end(value, end);
	int comment = 0;
	bool first = true, skip = true;
	if (!results_are_trusted(value, length, trusted))
		return;
	for (; p < end; p++) {
		/* What a sender chose may stand between quotes, or in a comment. */
		if (*p == '"' && !comment)
			p = quoted_end(p, end);
		else if (*p == '\\' && p + 1 < end)
			p++;
		else
			comment += *p == '(' ? 1 : *p == ')' && comment ? -1 : 0;
		if (p == end)
			break;
		first |= !comment && *p == ';';
		if (comment || !is_atom(*p))
			continue;
		const char *start = p;
		char method[METHOD_MAX];
		p = atom_end(p, end);
		length = (size_t)(p-- - start);
		if (!memchr(start, '=', length))
			continue;
		bool is_method = first;
		if (first) {
			skip = !method_of(start, length, method) || is_above(results, method);
			if (!skip)
				g_string_append(methods, method);
			first = false;
		}
		if (!skip && !is_of_one_message(start, length))
			word(context, start, length, is_method);
	}
	g_strlcpy(results->methods, methods->str, sizeof results->methods);
}
