#include "config.h"

#include "policyd/program/runstate.h"

#include <string.h>
#include <glib.h>

/* Line ends of the last two lines, "sum=" and eight digits. */
#define TAIL 16

static const struct condition_row conditions[CONDITIONS] = {
    [CONDITION_STARTING] = {"starting", "starting", false},
    [CONDITION_GREYLISTING] = {"greylisting", "greylisting", false},
    [CONDITION_OBSERVING] = {"observing", "observing: it decides and counts, and lets all mail in",
	false},
    [CONDITION_OFF] = {"off", "greylisting is off: it lets all mail in", false},
    [CONDITION_JUDGING] = {"judging", "judging", false},
    [CONDITION_FALLBACK] = {"fallback", "answers from the local store", true},
    [CONDITION_LETTING_IN] = {"letting-in", "lets mail in undecided", true},
    [CONDITION_LETTING_ALL_IN] = {"letting-all-in", "lets all mail in", true},
    [CONDITION_UNJUDGED] = {"unjudged", "lets all mail in without a verdict", true},
};

const struct condition_row *
condition_row(enum condition condition)
{
	return &conditions[condition];
}

/* -- keys -- */

enum kind { KIND_TIME, KIND_COUNT, KIND_TEXT, KIND_CONDITION };

static const struct key {
	const char *name;
	size_t offset, size;
	enum kind kind;
} keys[] = {
#define KEY(field) #field, offsetof(struct runstate, field), sizeof((struct runstate){0}.field)
    {KEY(version), KIND_TEXT},
    {KEY(started), KIND_TIME},
    {KEY(generation), KIND_COUNT},
    {KEY(reloads), KIND_COUNT},
    {KEY(reloaded), KIND_TIME},
    {KEY(condition), KIND_CONDITION},
    {KEY(since), KIND_TIME},
    {KEY(reason), KIND_TEXT},
    {KEY(restart), KIND_TEXT},
    /* The longest comes last: it is cut where there is no room. */
    {KEY(refusal), KIND_TEXT},
#undef KEY
};

static const void *
field_of(const struct runstate *state, const struct key *key)
{
	return (const char *)state + key->offset;
}

/* FNV-1a: tells a file that is being written from one that is. */
static uint32_t
sum(const char *bytes, size_t length)
{
	uint32_t hash = 2166136261U;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)bytes[i]) * 16777619U;
	return hash;
}

/* -- encoding -- */

/* One character of the value, escaped; what finds no whole room is left out, and so is the rest. */
static bool
append_escaped(GString *out, char c)
{
	const char one[] = {c, '\0'};
	g_autofree char *escaped = g_strescape(one, NULL);

	if (out->len + strlen(escaped) + 1 + TAIL > RUNSTATE_SIZE)
		return false;
	g_string_append(out, escaped);
	return true;
}

static void
append_text(GString *out, const char *text, size_t size)
{
	for (size_t i = 0; i < size && text[i] && append_escaped(out, text[i]); i++)
		continue;
}

static void
append_value(GString *out, const struct key *key, const void *field)
{
	switch (key->kind) {
	case KIND_TIME:
		g_string_append_printf(out, "%" G_GINT64_FORMAT, *(const int64_t *)field);
		break;
	case KIND_COUNT: g_string_append_printf(out, "%u", *(const uint32_t *)field); break;
	case KIND_CONDITION:
		g_string_append(out, conditions[*(const enum condition *)field].name);
		break;
	case KIND_TEXT: append_text(out, field, key->size); break;
	}
}

void
runstate_encode(const struct runstate *state, char ret_bytes[RUNSTATE_SIZE])
{
	g_autoptr(GString) out = g_string_sized_new(RUNSTATE_SIZE);

	g_string_append_printf(out, "%" G_GINT64_FORMAT "\n", state->pid);
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		if (out->len + strlen(keys[i].name) + 32 + TAIL > RUNSTATE_SIZE)
			break;
		g_string_append_printf(out, "%s=", keys[i].name);
		append_value(out, &keys[i], field_of(state, &keys[i]));
		g_string_append_c(out, '\n');
	}
	g_string_append_printf(out, "sum=%08x\n", sum(out->str, out->len));
	memset(ret_bytes, '\n', RUNSTATE_SIZE);
	memcpy(ret_bytes, out->str, out->len);
}

/* -- decoding -- */

static void
take_condition(const char *text, enum condition *condition)
{
	for (unsigned i = 0; i < CONDITIONS; i++)
		if (strcmp(conditions[i].name, text) == 0)
			*condition = (enum condition)i;
}

/* g_strcompress() warns of a backslash without a character behind it. */
static bool
ends_in_escape(const char *text)
{
	size_t length = strlen(text), n = 0;

	while (n < length && text[length - 1 - n] == '\\')
		n++;
	return n % 2;
}

static void
take_text(const char *text, char *field, size_t size)
{
	g_autofree char *plain = ends_in_escape(text) ? NULL : g_strcompress(text);

	if (plain)
		g_strlcpy(field, plain, size);
}

static void
take_number(const char *text, int64_t maximum, int64_t *number)
{
	gint64 value;

	if (g_ascii_string_to_signed(text, 10, 0, maximum, &value, NULL))
		*number = value;
}

static void
take_value(const struct key *key, const char *text, struct runstate *state)
{
	void *field = (char *)state + key->offset;
	int64_t number = 0;

	switch (key->kind) {
	case KIND_TIME: take_number(text, INT64_MAX, field); break;
	case KIND_COUNT:
		take_number(text, UINT32_MAX, &number);
		*(uint32_t *)field = (uint32_t)number;
		break;
	case KIND_CONDITION: take_condition(text, field); break;
	case KIND_TEXT: take_text(text, field, key->size); break;
	}
}

static void
take_line(char *line, struct runstate *state)
{
	char *equals = strchr(line, '=');

	if (!equals)
		return;
	*equals = '\0';
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		if (strcmp(keys[i].name, line) == 0)
			take_value(&keys[i], equals + 1, state);
}

/* What stands before the last line, if that is the right sum of it. */
static char *
checked_text(const char *bytes, size_t length)
{
	g_autofree char *text = NULL, *expected = NULL;
	char *last;

	if (length > RUNSTATE_SIZE || memchr(bytes, '\0', length))
		return NULL;
	text = g_strndup(bytes, length);
	last = strstr(text, "\nsum=");
	if (!last)
		return NULL;
	last++;
	expected = g_strdup_printf("sum=%08x\n", sum(text, (size_t)(last - text)));
	if (!g_str_has_prefix(last, expected))
		return NULL;
	*last = '\0';
	return g_steal_pointer(&text);
}

bool
runstate_decode(const char *bytes, size_t length, struct runstate *ret_state)
{
	g_autofree char *text = checked_text(bytes, length);
	g_auto(GStrv) lines = text ? g_strsplit(text, "\n", -1) : NULL;
	struct runstate state = {0};

	if (!lines)
		return false;
	take_number(lines[0], INT32_MAX, &state.pid);
	if (state.pid == 0)
		return false;
	for (char **line = lines + 1; *line; line++)
		take_line(*line, &state);
	*ret_state = state;
	return true;
}
