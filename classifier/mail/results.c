#include "config.h"

#include "classifier/mail/results.h"

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

/* Where the reading of a value is. */
struct cursor {
	const char *at, *end;
	int comment;  /* how deep in comments */
	bool section; /* the next atom is the first of its section */
};

/* The next atom outside of quotes and comments, where anything that the sender chose may stand;
 * NULL at the end. */
static const char *
next_atom(struct cursor *c, size_t *ret_length)
{
	for (; c->at < c->end; c->at++) {
		if (*c->at == '"' && !c->comment)
			c->at = quoted_end(c->at, c->end);
		else if (*c->at == '\\' && c->at + 1 < c->end)
			c->at++;
		else
			c->comment += *c->at == '(' ? 1 : *c->at == ')' && c->comment ? -1 : 0;
		if (c->at == c->end)
			break;
		c->section |= !c->comment && *c->at == ';';
		if (!c->comment && is_atom(*c->at)) {
			const char *start = c->at;

			c->at = atom_end(start, c->end);
			*ret_length = (size_t)(c->at - start);
			return start;
		}
	}
	return NULL;
}

void
results_read(struct results *results, const char *value, size_t length, const char *const *trusted,
    results_fn word, void *context)
{
	g_autoptr(GString) methods = g_string_new(results->methods);
	struct cursor c = {
	    .at = atom_end(value, value + length), .end = value + length, .section = true};
	bool skip = true;
	const char *atom;
	if (!results_are_trusted(value, length, trusted))
		return;
	while ((atom = next_atom(&c, &length))) {
		bool is_method = c.section;
		char method[METHOD_MAX];
		if (!memchr(atom, '=', length))
			continue;
		if (is_method) {
			skip = !method_of(atom, length, method) || is_above(results, method);
			if (!skip)
				g_string_append(methods, method);
			c.section = false;
		}
		if (!skip && !is_of_one_message(atom, length))
			word(context, atom, length, is_method);
	}
	g_strlcpy(results->methods, methods->str, sizeof results->methods);
}
