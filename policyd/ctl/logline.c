#include "config.h"

#include "policyd/ctl/logline.h"

#include <string.h>

/* The log cuts a value when it has so many bytes in quotes, and ends it in dots (lib/log.h). */
#define CUT_SIZE 300
#define CUT_MARK "..."

static const char *const names[LOGLINE_FIELDS] = {
    [LOGLINE_CLIENT] = "client",
    [LOGLINE_NAME] = "name",
    [LOGLINE_SENDER] = "sender",
    [LOGLINE_RECIPIENT] = "recipient",
    [LOGLINE_ACTION] = "action",
    [LOGLINE_REASON] = "reason",
    [LOGLINE_DELAY] = "delay",
};

void
logline_clear(struct logline *logline)
{
	for (int i = 0; i < LOGLINE_FIELDS; i++)
		g_clear_pointer(&logline->value[i], g_free);
}

/* A byte as it stands between quotes: as it is, behind a backslash, or as \xHH. Moves *TEXT past
 * it. */
static char
take_byte(const char **text)
{
	const char *p = *text;

	if (p[0] == '\\' && p[1] == 'x' && g_ascii_isxdigit(p[2]) && g_ascii_isxdigit(p[3])) {
		*text = p + 4;
		return (char)(g_ascii_xdigit_value(p[2]) << 4 | g_ascii_xdigit_value(p[3]));
	}
	p += p[0] == '\\' && p[1];
	*text = p + 1;
	return *p;
}

/* NULL, and *TEXT as it was, if the quotes are not closed. */
static char *
take_quoted(const char **text, bool *ret_cut)
{
	g_autoptr(GString) value = g_string_new(NULL);
	const char *begin = *text + 1, *p = begin;
	size_t length;

	while (*p && *p != '"')
		g_string_append_c(value, take_byte(&p));
	if (*p != '"')
		return NULL;
	length = (size_t)(p - begin);
	*ret_cut = length >= CUT_SIZE && g_str_has_suffix(value->str, CUT_MARK);
	*text = p + 1;
	return g_string_free(g_steal_pointer(&value), FALSE);
}

static char *
take_bare(const char **text)
{
	size_t length = strcspn(*text, " \t\r\n");
	char *value = g_strndup(*text, length);

	*text += length;
	return value;
}

/* Which field begins at TEXT; LOGLINE_FIELDS if none does. */
static int
field_at(const char *text)
{
	size_t length = strcspn(text, "= \"");

	for (int i = 0; text[length] == '=' && i < LOGLINE_FIELDS; i++)
		if (strlen(names[i]) == length && memcmp(names[i], text, length) == 0)
			return i;
	return LOGLINE_FIELDS;
}

/* A word of the line: name=value, or anything else, which is skipped. */
static bool
take_word(const char **text, struct logline *logline, GError **error)
{
	int field = field_at(*text);
	const char *value = *text + strcspn(*text, "= \t\"");
	g_autofree char *taken = NULL;
	bool cut = false;

	*text = *value == '=' ? value + 1 : value;
	taken = **text == '"' && *value == '=' ? take_quoted(text, &cut) : take_bare(text);
	if (!taken) {
		g_set_error(error, LOGLINE_ERROR, 0,
		    "the line ends within quotes: it is not a whole line of the log");
		return false;
	}
	/* A quote where no value begins. */
	*text += **text == '"';
	if (field == LOGLINE_FIELDS || logline->value[field])
		return true;
	if (cut) {
		g_set_error(error, LOGLINE_ERROR, 0,
		    "%s= is cut in the log, so it cannot be told what it was", names[field]);
		return false;
	}
	logline->value[field] = g_steal_pointer(&taken);
	return true;
}

bool
logline_parse(const char *line, struct logline *ret_logline, GError **error)
{
	struct logline logline = {0};
	bool good = true;

	while (good && *line) {
		line += strspn(line, " \t\r\n");
		good = !*line || take_word(&line, &logline, error);
	}
	if (good && !logline.value[LOGLINE_CLIENT] && !logline.value[LOGLINE_SENDER] &&
	    !logline.value[LOGLINE_RECIPIENT]) {
		g_set_error(error, LOGLINE_ERROR, 0,
		    "there is no client=, sender= or recipient= in it: it is no line of greylagd");
		good = false;
	}
	if (good)
		*ret_logline = logline;
	else
		logline_clear(&logline);
	return good;
}
