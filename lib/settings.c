#include "config.h"

#include "lib/settings.h"

#include <math.h>
#include <string.h>

#include "lib/settings_checks.h"
#include "lib/settings_table.h"

#define LINE_LENGTH_MAX 4096

/* The origin of a value on the command line. */
#define OPTION "-o"

struct value {
	char *text;    /* as it would stand in a file */
	double number; /* by type: the number, seconds, bytes, mode, index of the choice, 0 or 1 */
	char **list;
	char *origin; /* NULL: the default */
};

struct settings {
	struct value values[SETTING_COUNT];
};

const struct setting_row *
settings_row(enum setting setting)
{
	return &settings_table[setting];
}

const char *
settings_default_path(void)
{
	return GREYLAG_SYSCONFDIR "/greylag.conf";
}

/* -- values by type -- */

struct unit {
	const char *name;
	double factor;
};

static const struct unit durations[] = {
    {"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 7 * 86400}, {NULL, 0}};
static const struct unit sizes[] = {{"", 1}, {"K", 1024}, {"M", 1024.0 * 1024},
    {"G", 1024.0 * 1024 * 1024}, {"T", 1024.0 * 1024 * 1024 * 1024}, {NULL, 0}};

/* Digits, then one of the units. */
static bool
parse_with_unit(const char *text, const struct unit *units, double *ret_number)
{
	size_t digits = strspn(text, "0123456789");
	g_autofree char *number = g_strndup(text, digits);
	guint64 value;

	if (!g_ascii_string_to_unsigned(number, 10, 0, G_MAXINT64, &value, NULL))
		return false;
	for (; units->name; units++) {
		if (strcmp(text + digits, units->name) == 0) {
			*ret_number = (double)value * units->factor;
			return true;
		}
	}
	return false;
}

static bool
parse_number(const struct setting_row *row G_GNUC_UNUSED, const char *text, double *ret_number)
{
	static const struct unit none[] = {{"", 1}, {NULL, 0}};

	return parse_with_unit(text, none, ret_number);
}

static bool
parse_decimal(const struct setting_row *row G_GNUC_UNUSED, const char *text, double *ret_number)
{
	char *end;
	double value = g_ascii_strtod(text, &end);

	if (end == text || *end || !isfinite(value))
		return false;
	*ret_number = value;
	return true;
}

static bool
parse_duration(const struct setting_row *row G_GNUC_UNUSED, const char *text, double *ret_number)
{
	return parse_with_unit(text, durations, ret_number);
}

static bool
parse_size(const struct setting_row *row G_GNUC_UNUSED, const char *text, double *ret_number)
{
	return parse_with_unit(text, sizes, ret_number);
}

static bool
parse_mode(const struct setting_row *row G_GNUC_UNUSED, const char *text, double *ret_number)
{
	guint64 value;

	if (!g_ascii_string_to_unsigned(text, 8, 0, 07777, &value, NULL))
		return false;
	*ret_number = (double)value;
	return true;
}

static bool
parse_choice(const struct setting_row *row, const char *text, double *ret_number)
{
	g_auto(GStrv) choices = g_strsplit(row->choices, " ", -1);

	for (guint i = 0; choices[i]; i++) {
		if (strcmp(choices[i], text) == 0) {
			*ret_number = i;
			return true;
		}
	}
	return false;
}

static bool
parse_on_off(const struct setting_row *row G_GNUC_UNUSED, const char *text, double *ret_number)
{
	*ret_number = strcmp(text, "on") == 0;
	return *ret_number > 0 || strcmp(text, "off") == 0;
}

static bool
parse_text(
    const struct setting_row *row G_GNUC_UNUSED, const char *text G_GNUC_UNUSED, double *ret_number)
{
	*ret_number = 0;
	return true;
}

static const struct {
	bool (*parse)(const struct setting_row *row, const char *text, double *ret_number);
	const char *allowed; /* for messages; %1 and %2 are the range, %c the choices */
} types[] = {
    [SETTING_TYPE_TEXT] = {parse_text, "any text"},
    [SETTING_TYPE_LIST] = {parse_text, "words separated by spaces or commas"},
    [SETTING_TYPE_ON_OFF] = {parse_on_off, "on or off"},
    [SETTING_TYPE_CHOICE] = {parse_choice, "one of"},
    [SETTING_TYPE_NUMBER] = {parse_number, "a whole number"},
    [SETTING_TYPE_DECIMAL] = {parse_decimal, "a number"},
    [SETTING_TYPE_DURATION] = {parse_duration, "a duration like 60s, 5m, 24h or 35d,"},
    [SETTING_TYPE_SIZE] = {parse_size, "a size like 64M or 1G,"},
    [SETTING_TYPE_MODE] = {parse_mode, "an octal file mode like 0660"},
};

static bool
has_range(const struct setting_row *row)
{
	return row->minimum < row->maximum && row->type != SETTING_TYPE_MODE;
}

/* In the largest unit that divides it. */
static char *
format_number(enum setting_type type, double number)
{
	const struct unit *units = type == SETTING_TYPE_DURATION ? durations : sizes;
	const struct unit *best = &units[0];
	char text[G_ASCII_DTOSTR_BUF_SIZE];

	if (type != SETTING_TYPE_DURATION && type != SETTING_TYPE_SIZE)
		return g_strdup(g_ascii_formatd(text, sizeof text, "%.10g", number));
	for (const struct unit *unit = units; unit->name; unit++)
		if (number >= unit->factor && fmod(number, unit->factor) == 0 &&
		    strcmp(unit->name, "w") != 0)
			best = unit;
	return g_strdup_printf("%.0f%s", number / best->factor,
	    best == units && type == SETTING_TYPE_DURATION ? "s" : best->name);
}

char *
settings_allowed(enum setting setting)
{
	const struct setting_row *row = &settings_table[setting];
	g_autofree char *low = format_number(row->type, row->minimum);
	g_autofree char *high = format_number(row->type, row->maximum);

	if (row->type == SETTING_TYPE_CHOICE) {
		g_auto(GStrv) choices = g_strsplit(row->choices, " ", -1);
		g_autofree char *joined = g_strjoinv(", ", choices);

		return g_strdup_printf("one of %s", joined);
	}
	if (row->type == SETTING_TYPE_MODE)
		return g_strdup_printf(
		    "%s, from 0 to %04o", types[row->type].allowed, (unsigned)row->maximum);
	if (!has_range(row))
		return g_strdup(types[row->type].allowed);
	return g_strdup_printf("%s from %s to %s", types[row->type].allowed, low, high);
}

/* -- setting a value -- */

static bool
value_set(struct value *value, enum setting setting, const char *text, GError **error)
{
	const struct setting_row *row = &settings_table[setting];
	const char *wrong;
	double number;

	if (!types[row->type].parse(row, text, &number) ||
	    (has_range(row) && (number < row->minimum || number > row->maximum)) ||
	    (row->type == SETTING_TYPE_MODE && number > row->maximum)) {
		g_autofree char *allowed = settings_allowed(setting);

		g_set_error(error, SETTINGS_ERROR, 0, "\"%s\" is not allowed; it must be %s", text,
		    allowed);
		return false;
	}
	wrong = settings_wrong(setting, text);
	if (wrong) {
		g_set_error(error, SETTINGS_ERROR, 0, "\"%s\" %s", text, wrong);
		return false;
	}
	g_free(value->text);
	g_strfreev(value->list);
	value->text = g_strdup(text);
	value->number = number;
	value->list = settings_words(text);
	return true;
}

static void
value_copy(struct value *to, const struct value *from)
{
	to->text = g_strdup(from->text);
	to->list = g_strdupv(from->list);
	to->origin = g_strdup(from->origin);
	to->number = from->number;
}

static void
values_clear(struct settings *settings)
{
	for (unsigned i = 0; i < SETTING_COUNT; i++) {
		g_free(settings->values[i].text);
		g_strfreev(settings->values[i].list);
		g_free(settings->values[i].origin);
	}
}

struct settings *
settings_new(void)
{
	struct settings *settings = g_new0(struct settings, 1);

	for (unsigned i = 0; i < SETTING_COUNT; i++) {
		g_autoptr(GError) error = NULL;

		if (!value_set(&settings->values[i], i, settings_table[i].default_value, &error))
			g_error("the default of %s.%s is wrong: %s", settings_table[i].section,
			    settings_table[i].key, error->message);
	}
	return settings;
}

void
settings_free(struct settings *settings)
{
	if (!settings)
		return;
	values_clear(settings);
	g_free(settings);
}

/* -- names -- */

/* ORIGIN is taken. */
static void
set_origin(struct settings *settings, enum setting setting, char *origin)
{
	g_free(settings->values[setting].origin);
	settings->values[setting].origin = origin;
}

const char *
settings_origin(const struct settings *settings, enum setting setting)
{
	return settings->values[setting].origin;
}

char *
settings_place(const struct settings *settings, enum setting setting)
{
	const struct setting_row *row = &settings_table[setting];
	const char *origin = settings->values[setting].origin;
	const char *between = !origin ? "" : strcmp(origin, OPTION) == 0 ? " " : ": ";

	return g_strdup_printf("%s%s%s.%s", origin ? origin : "", between, row->section, row->key);
}

const char *
settings_restart(enum setting setting)
{
	static const char *const sentences[] = {
	    [SETTINGS_GREYLAGD] = "A change needs a restart of greylagd.",
	    [SETTINGS_MILTER] = "A change needs a restart of greylag-milter.",
	    [SETTINGS_GREYLAGD | SETTINGS_MILTER] =
		"A change needs a restart of greylagd and greylag-milter.",
	};

	return sentences[settings_table[setting].restart];
}

/* How many letters have to be changed, added or dropped (Levenshtein 1966), up to a bound. */
static unsigned
edit_distance(const char *a, const char *b)
{
	unsigned row[64], n = (unsigned)strlen(b);

	if (n >= G_N_ELEMENTS(row))
		return G_MAXUINT;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; *a; a++, i++) {
		unsigned corner = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			unsigned above = row[j];

			row[j] = MIN(MIN(row[j], row[j - 1]) + 1, corner + (*a != b[j - 1]));
			corner = above;
		}
	}
	return row[n];
}

static char *
row_name(const struct setting_row *row)
{
	return g_strdup_printf("%s.%s", row->section, row->key);
}

static bool
find_setting(const char *name, enum setting *ret_setting, GError **error)
{
	unsigned nearest = 0, distance = G_MAXUINT;

	for (unsigned i = 0; i < SETTING_COUNT; i++) {
		g_autofree char *known = row_name(&settings_table[i]);
		unsigned d = edit_distance(name, known);

		if (d == 0) {
			*ret_setting = (enum setting)i;
			return true;
		}
		if (d < distance) {
			distance = d;
			nearest = i;
		}
	}
	g_set_error(error, SETTINGS_ERROR, 0, "there is no such setting%s%s%s%s%s",
	    distance <= 4 ? "; did you mean " : "",
	    distance <= 4 ? settings_table[nearest].section : "", distance <= 4 ? "." : "",
	    distance <= 4 ? settings_table[nearest].key : "", distance <= 4 ? "?" : "");
	return false;
}

bool
settings_assign(struct settings *settings, const char *assignment, GError **error)
{
	const char *equals = strchr(assignment, '=');
	g_autofree char *name = NULL, *text = NULL;
	enum setting setting;

	if (!equals) {
		g_set_error(
		    error, SETTINGS_ERROR, 0, "\"%s\": expected section.key=value", assignment);
		return false;
	}
	name = g_strstrip(g_strndup(assignment, (gsize)(equals - assignment)));
	text = g_strstrip(g_strdup(equals + 1));
	if (find_setting(name, &setting, error) &&
	    value_set(&settings->values[setting], setting, text, error)) {
		set_origin(settings, setting, g_strdup(OPTION));
		return true;
	}
	g_prefix_error(error, "%s: ", name);
	return false;
}

/* -- files -- */

struct reader {
	struct settings *settings;
	const char *path;
	unsigned line;
	char *section;
	GString *faults;
};

static void
fault(struct reader *reader, const char *name, const char *what)
{
	g_string_append_printf(reader->faults, "%s%s:%u: %s%s%s", reader->faults->len ? "\n" : "",
	    reader->path, reader->line, name, *name ? ": " : "", what);
}

/* A value that begins with a quote goes on to the next one that no backslash stands before. */
static char *
skip_quoted(char *text)
{
	char *p = text + 1;

	while (*p && *p != '"')
		p += p[0] == '\\' && p[1] ? 2 : 1;
	return p;
}

/* A comment begins with # at the line's start or after white space, but not in a quoted value. */
static void
cut_comment(char *line)
{
	char *equals = strchr(line, '=');
	char *value = equals ? equals + 1 + strspn(equals + 1, " \t") : NULL;

	for (char *p = line; *p; p++) {
		if (p == value && *p == '"')
			p = skip_quoted(p);
		else if (*p == '#' && (p == line || g_ascii_isspace(p[-1])))
			*p = '\0';
		if (!*p)
			return;
	}
}

/* Takes the quotes off, in place; false if they do not enclose the value. */
static bool
unquote(char *text)
{
	char *to = text, *end;

	if (text[0] != '"')
		return true;
	end = skip_quoted(text);
	if (*end != '"' || end[1])
		return false;
	for (char *p = text + 1; p < end; p++) {
		if (*p == '\\')
			p++;
		*to++ = *p;
	}
	*to = '\0';
	return true;
}

static void
read_section(struct reader *reader, char *line)
{
	char *end = strchr(line, ']');

	if (!end || end[1]) {
		fault(reader, "", "expected [section]");
		return;
	}
	*end = '\0';
	g_free(reader->section);
	reader->section = g_strdup(g_strstrip(line + 1));
	for (unsigned i = 0; i < SETTING_COUNT; i++)
		if (strcmp(settings_table[i].section, reader->section) == 0)
			return;
	fault(reader, reader->section, "there is no such section");
}

static void
read_assignment(struct reader *reader, char *line)
{
	char *equals = strchr(line, '=');
	g_autoptr(GError) error = NULL;
	g_autofree char *name = NULL;
	enum setting setting;
	char *text;

	if (!equals) {
		fault(reader, "", "expected key = value");
		return;
	}
	*equals = '\0';
	if (!reader->section) {
		fault(reader, g_strstrip(line), "stands before any [section]");
		return;
	}
	name = g_strdup_printf("%s.%s", reader->section, g_strstrip(line));
	text = g_strstrip(equals + 1);
	if (!unquote(text))
		fault(reader, name, "expected one value, between quotes or without any");
	else if (!find_setting(name, &setting, &error) ||
		 !value_set(&reader->settings->values[setting], setting, text, &error))
		fault(reader, name, error->message);
	else
		set_origin(reader->settings, setting,
		    g_strdup_printf("%s:%u", reader->path, reader->line));
}

static void
read_line(struct reader *reader, const char *start, size_t length)
{
	g_autofree char *line = NULL;

	reader->line++;
	if (length > LINE_LENGTH_MAX || memchr(start, '\0', length)) {
		fault(reader, "", "the line is too long or has a NUL in it");
		return;
	}
	line = g_strndup(start, length);
	cut_comment(line);
	g_strstrip(line);
	if (line[0] == '[')
		read_section(reader, line);
	else if (line[0])
		read_assignment(reader, line);
}

bool
settings_parse(
    struct settings *settings, const char *name, const char *bytes, size_t length, GError **error)
{
	struct settings *copy = g_new0(struct settings, 1);
	struct reader reader = {.settings = copy, .path = name, .faults = g_string_new(NULL)};
	const char *end = bytes + length;
	bool good;

	for (unsigned i = 0; i < SETTING_COUNT; i++)
		value_copy(&copy->values[i], &settings->values[i]);
	while (bytes < end) {
		const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
		const char *stop = newline ? newline : end;

		read_line(&reader, bytes, (size_t)(stop - bytes));
		bytes = newline ? newline + 1 : end;
	}
	good = reader.faults->len == 0;
	if (good) {
		struct settings old = *settings;

		*settings = *copy;
		*copy = old;
	} else {
		g_set_error_literal(error, SETTINGS_ERROR, 0, reader.faults->str);
	}
	settings_free(copy);
	g_string_free(reader.faults, TRUE);
	g_free(reader.section);
	return good;
}

bool
settings_read(struct settings *settings, const char *path, GError **error)
{
	g_autofree char *bytes = NULL;
	gsize length;

	if (!g_file_get_contents(path, &bytes, &length, error))
		return false;
	return settings_parse(settings, path, bytes, length, error);
}

/* -- all of them -- */

static bool
too_short(const struct settings *settings, enum setting setting, enum setting bound, GError **error)
{
	g_autofree char *place = settings_place(settings, setting);
	g_autofree char *name = row_name(&settings_table[bound]);

	g_set_error(error, SETTINGS_ERROR, 0, "%s must be longer than %s", place, name);
	return false;
}

bool
settings_check(const struct settings *settings, GError **error)
{
	double delay = settings->values[SETTING_GREYLIST_DELAY].number;
	double window = settings->values[SETTING_GREYLIST_RETRY_WINDOW].number;
	double lifetime = settings->values[SETTING_GREYLIST_LIFETIME].number;

	if (window <= delay)
		return too_short(
		    settings, SETTING_GREYLIST_RETRY_WINDOW, SETTING_GREYLIST_DELAY, error);
	if (lifetime <= window)
		return too_short(
		    settings, SETTING_GREYLIST_LIFETIME, SETTING_GREYLIST_RETRY_WINDOW, error);
	return true;
}

struct settings *
settings_load(const char *path, const char *const *assignments, GError **error)
{
	struct settings *settings = settings_new();
	bool good = true;

	if (path || g_file_test(settings_default_path(), G_FILE_TEST_EXISTS))
		good = settings_read(settings, path ? path : settings_default_path(), error);
	for (; good && assignments && *assignments; assignments++)
		good = settings_assign(settings, *assignments, error);
	if (good && settings_check(settings, error))
		return settings;
	settings_free(settings);
	return NULL;
}

int64_t
settings_number(const struct settings *settings, enum setting setting)
{
	return (int64_t)settings->values[setting].number;
}

double
settings_decimal(const struct settings *settings, enum setting setting)
{
	return settings->values[setting].number;
}

bool
settings_on(const struct settings *settings, enum setting setting)
{
	return settings->values[setting].number > 0;
}

const char *
settings_text(const struct settings *settings, enum setting setting)
{
	return settings->values[setting].text;
}

const char *const *
settings_list(const struct settings *settings, enum setting setting)
{
	return (const char *const *)settings->values[setting].list;
}

/* -- printing -- */

/* Between quotes where the reader would lose something: outer spaces, a comment's beginning. */
static char *
quote(const char *text)
{
	bool outer = *text && (g_ascii_isspace(*text) || g_ascii_isspace(text[strlen(text) - 1]));
	GString *quoted;

	if (!outer && !strchr(text, '#') && text[0] != '"')
		return g_strdup(text);
	quoted = g_string_new("\"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			g_string_append_c(quoted, '\\');
		g_string_append_c(quoted, *text);
	}
	return g_string_free(g_string_append_c(quoted, '"'), FALSE);
}

char *
settings_format(const struct settings *settings, enum setting setting)
{
	return quote(settings->values[setting].text);
}

/* The header of the section where one begins. */
static void
print_section(FILE *out, unsigned i)
{
	const struct setting_row *row = &settings_table[i];

	if (i == 0 || strcmp(settings_table[i - 1].section, row->section) != 0)
		fprintf(out, "%s[%s]\n", i ? "\n" : "", row->section);
}

void
settings_print(const struct settings *settings, FILE *out)
{
	for (unsigned i = 0; i < SETTING_COUNT; i++) {
		g_autofree char *text = settings_format(settings, i);

		print_section(out, i);
		fprintf(out, "%s =%s%s\n", settings_table[i].key, *text ? " " : "", text);
	}
}

/* Breaks TEXT into comment lines of at most WIDTH characters. */
static void
print_comment(FILE *out, const char *text, size_t width)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	size_t used = 0;

	for (char **word = words; *word; word++) {
		if (used && used + strlen(*word) + 1 > width) {
			fputc('\n', out);
			used = 0;
		}
		used += (size_t)fprintf(out, "%s%s", used ? " " : "# ", *word);
	}
	fputc('\n', out);
}

void
settings_print_sample(FILE *out)
{
	fprintf(out, "# Configuration of greylag; see greylag.conf(5). What is commented out is "
		     "the default.\n"
		     "# A # after white space begins a comment; a value with one in it stands "
		     "between \"\",\n# where a backslash goes before a \" or a backslash.\n\n");
	for (unsigned i = 0; i < SETTING_COUNT; i++) {
		const struct setting_row *row = &settings_table[i];
		g_autofree char *allowed = settings_allowed(i);
		g_autofree char *text = quote(row->default_value);
		g_autofree char *help = g_strjoin(" ", row->help, settings_restart(i), NULL);

		print_section(out, i);
		fputc('\n', out);
		print_comment(out, help, 96);
		if (row->type != SETTING_TYPE_TEXT && row->type != SETTING_TYPE_LIST) {
			g_autofree char *line = g_strdup_printf("Allowed: %s.", allowed);

			print_comment(out, line, 96);
		}
		fprintf(out, "#%s =%s%s\n", row->key, *text ? " " : "", text);
	}
}
