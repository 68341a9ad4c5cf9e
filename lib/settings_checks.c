#include "config.h"

#include "lib/settings_checks.h"

#include <string.h>

#include "lib/address.h"

char **
settings_words(const char *text)
{
	g_auto(GStrv) words = g_strsplit_set(text, " \t,", -1);
	GStrvBuilder *builder = g_strv_builder_new();
	char **list;

	for (char **word = words; *word; word++)
		if (**word)
			g_strv_builder_add(builder, *word);
	list = g_strv_builder_end(builder);
	g_strv_builder_unref(builder);
	return list;
}

static bool
is_ascii(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

/* At most one %s and no other per cent sign, since it is told to every client as it is. Never
 * blank: Postfix takes a bare 450 or 451 for OK (access(5), all-numerical). */
static const char *
check_text(const char *text)
{
	const char *percent = strchr(text, '%');

	if (!is_ascii(text) || strlen(text) > 400)
		return "must be printable ASCII, 400 characters at most";
	if (!text[strspn(text, " ")])
		return "must not be blank";
	if (percent && (percent[1] != 's' || strchr(percent + 1, '%')))
		return "may have one %s and no other per cent sign";
	return NULL;
}

static const char *
check_log_target(const char *text)
{
	static const char *const words[] = {"syslog", "stderr", "none", NULL};

	return g_strv_contains(words, text) || text[0] == '/'
		   ? NULL
		   : "must be syslog, stderr, none or a file's absolute path";
}

static const char *
check_store_uri(const char *text)
{
	return strchr(text, ':')
		   ? NULL
		   : "must be like lmdb:/var/lib/greylag, redis://HOST, rediss://HOST, "
		     "redis+unix:PATH or mem:";
}

static const char *
check_fallback(const char *text)
{
	return !*text || (g_str_has_prefix(text, "lmdb:") && text[strlen("lmdb:")])
		   ? NULL
		   : "must be like lmdb:/var/lib/greylag, or empty";
}

static const char *
check_files(const char *text)
{
	g_auto(GStrv) list = settings_words(text);

	for (char **path = list; *path; path++)
		if (**path != '/')
			return "must be absolute paths of files";
	return NULL;
}

static const char *
check_networks(const char *text)
{
	g_auto(GStrv) list = settings_words(text);
	struct prefix prefix;

	for (char **network = list; *network; network++)
		if (!prefix_parse(*network, &prefix))
			return "must be addresses and networks like 192.0.2.0/24, without host "
			       "bits";
	return NULL;
}

/* Hex octets with colons between them. */
static bool
is_fingerprint(const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i++)
		if (i % 3 == 2 ? text[i] != ':' : !g_ascii_isxdigit(text[i]))
			return false;
	return length % 3 == 2;
}

static const char *
check_fingerprints(const char *text)
{
	g_auto(GStrv) list = settings_words(text);

	for (char **fingerprint = list; *fingerprint; fingerprint++)
		if (!is_fingerprint(*fingerprint))
			return "must be hex octets with colons between them, like AB:CD:EF";
	return NULL;
}

/* HOST:PORT or [IPV6]:PORT; what the port's number or name means is the listener's to say. */
static bool
is_host_and_port(const char *text)
{
	const char *colon = strrchr(text, ':');
	guint64 port;

	if (!colon || colon == text || !colon[1])
		return false;
	if (text[0] == '[' && (colon - text < 3 || colon[-1] != ']'))
		return false;
	return !g_ascii_isdigit(colon[1]) ||
	       g_ascii_string_to_unsigned(colon + 1, 10, 0, 65535, &port, NULL);
}

static bool
is_listener(const char *text)
{
	if (g_str_has_prefix(text, "unix:"))
		return text[strlen("unix:")] != '\0';
	return g_str_has_prefix(text, "inet:") && is_host_and_port(text + strlen("inet:"));
}

/* At least one, else the server would be ready for nobody. */
static const char *
check_listen(const char *text)
{
	g_auto(GStrv) list = settings_words(text);

	for (char **address = list; *address; address++)
		if (!is_listener(*address))
			return "must be like inet:127.0.0.1:10023, inet:[::1]:10023 or unix:PATH";
	return list[0] ? NULL : "must name one place to listen at, at least";
}

static const char *
check_http_listen(const char *text)
{
	return strcmp(text, "off") == 0 ? NULL : check_listen(text);
}

/* A line end in a value would be printed as a further line of a file. */
static const char *
check_control(const char *text)
{
	for (; *text; text++)
		if (g_ascii_iscntrl(*text) && *text != '\t')
			return "has a control character in it";
	return NULL;
}

static const char *
check_one_listener(const char *text)
{
	return is_listener(text) ? NULL
				 : "must be like inet:127.0.0.1:6648, inet:[::1]:6648 or unix:PATH";
}

static const char *
check_plain_text(const char *text)
{
	if (!is_ascii(text) || strlen(text) > 400 || strchr(text, '%'))
		return "must be printable ASCII without per cent signs, 400 characters at most";
	return text[strspn(text, " ")] ? NULL : "must not be blank";
}

static const struct {
	enum setting setting; /* SETTING_COUNT for all of them */
	const char *(*check)(const char *text);
} checks[] = {
    {SETTING_COUNT, check_control},
    {SETTING_GREYLIST_TEXT, check_text},
    {SETTING_LOG_TARGET, check_log_target},
    {SETTING_STORE_URI, check_store_uri},
    {SETTING_STORE_FALLBACK, check_fallback},
    {SETTING_POLICY_LISTEN, check_listen},
    {SETTING_HTTP_LISTEN, check_http_listen},
    {SETTING_MILTER_LISTEN, check_one_listener},
    {SETTING_MILTER_TEXT, check_plain_text},
    {SETTING_WHITELIST_CLIENTS, check_files},
    {SETTING_WHITELIST_RECIPIENTS, check_files},
    {SETTING_WHITELIST_SENDERS, check_files},
    {SETTING_WHITELIST_OPT_IN, check_files},
    {SETTING_WHITELIST_NETWORKS, check_networks},
    {SETTING_WHITELIST_FINGERPRINTS, check_fingerprints},
};

const char *
settings_wrong(enum setting setting, const char *text)
{
	for (size_t i = 0; i < G_N_ELEMENTS(checks); i++) {
		bool applies = checks[i].setting == setting || checks[i].setting == SETTING_COUNT;
		const char *wrong = applies ? checks[i].check(text) : NULL;

		if (wrong)
			return wrong;
	}
	return NULL;
}
