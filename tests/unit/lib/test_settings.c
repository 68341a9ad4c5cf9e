#include "config.h"

#include <string.h>
#include <unistd.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "lib/settings.h"

static struct settings *
parsed(const char *text)
{
	g_autoptr(GError) error = NULL;
	struct settings *settings = settings_new();

	settings_parse(settings, "test.conf", text, strlen(text), &error);
	g_assert_no_error(error);
	return settings;
}

/* What is wrong with TEXT; to be freed. */
static char *
faults(const char *text, size_t length)
{
	g_autoptr(GError) error = NULL;
	struct settings *settings = settings_new();
	char *message;

	g_assert_false(settings_parse(settings, "test.conf", text, length, &error));
	g_assert_true(error->domain == SETTINGS_ERROR);
	message = g_strdup(error->message);
	settings_free(settings);
	return message;
}

/* What PRINT writes; to be freed. */
static char *
printed(const struct settings *settings)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	g_autofree char *result = NULL;

	if (settings)
		settings_print(settings, out);
	else
		settings_print_sample(out);
	fclose(out);
	result = g_strdup(text);
	free(text);
	return g_steal_pointer(&result);
}

static void
test_defaults(void)
{
	struct settings *settings = settings_new();

	for (unsigned i = 0; i < SETTING_COUNT; i++) {
		const struct setting_row *row = settings_row(i);
		g_autofree char *text = settings_format(settings, i);
		g_autofree char *again = g_strdup_printf("%s.%s=%s", row->section, row->key, text);
		g_autoptr(GError) error = NULL;

		g_assert_cmpstr(settings_text(settings, i), ==, row->default_value);
		g_assert_cmpstr(text, ==, row->default_value);
		settings_assign(settings, again, &error);
		g_assert_no_error(error);
	}
	settings_check(settings, NULL);
	settings_free(settings);
	settings_free(NULL);
}

static void
test_contract(void)
{
	struct settings *s = settings_new();

	g_assert_cmpint(settings_number(s, SETTING_GREYLIST_DELAY), ==, 60);
	g_assert_cmpint(settings_number(s, SETTING_GREYLIST_RETRY_WINDOW), ==, 86400);
	g_assert_cmpint(settings_number(s, SETTING_GREYLIST_LIFETIME), ==, 35 * 86400);
	g_assert_cmpint(settings_number(s, SETTING_GREYLIST_IPV4_PREFIX), ==, 24);
	g_assert_cmpint(settings_number(s, SETTING_GREYLIST_IPV6_PREFIX), ==, 64);
	g_assert_cmpint(settings_number(s, SETTING_GREYLIST_AUTO_WHITELIST_AFTER), ==, 5);
	g_assert_cmpint(settings_number(s, SETTING_GREYLIST_MODE), ==, GREYLIST_ENFORCE);
	g_assert_cmpint(settings_number(s, SETTING_GREYLIST_WHEN), ==, GREYLIST_ALL);
	g_assert_cmpint(
	    settings_number(s, SETTING_GREYLIST_NULL_SENDER), ==, GREYLIST_NULL_AT_RCPT);
	g_assert_true(settings_on(s, SETTING_GREYLIST_MATCH_BY_NAME));
	g_assert_false(settings_on(s, SETTING_GREYLIST_PRIVACY));
	g_assert_cmpstr(settings_text(s, SETTING_GREYLIST_ACTION), ==, "DEFER_IF_PERMIT");
	g_assert_cmpstr(settings_list(s, SETTING_POLICY_LISTEN)[0], ==, "inet:127.0.0.1:10023");
	g_assert_null(settings_list(s, SETTING_POLICY_LISTEN)[1]);
	g_assert_cmpint(settings_number(s, SETTING_POLICY_SOCKET_MODE), ==, 0660);
	settings_free(s);
}

/* A value by -o: the number it is, or -1 for one that is refused. */
static const struct {
	const char *assignment;
	int64_t number;
	enum setting setting;
} values[] = {
    {"greylist.delay=0", 0, SETTING_GREYLIST_DELAY},
    {"greylist.delay=90", 90, SETTING_GREYLIST_DELAY},
    {"greylist.delay=90s", 90, SETTING_GREYLIST_DELAY},
    {"greylist.delay=5m", 300, SETTING_GREYLIST_DELAY},
    {"greylist.delay=24h", 86400, SETTING_GREYLIST_DELAY},
    {"greylist.delay=1d", 86400, SETTING_GREYLIST_DELAY},
    {" greylist.delay = 5m ", 300, SETTING_GREYLIST_DELAY},
    {"greylist.lifetime=5w", 35 * 86400, SETTING_GREYLIST_LIFETIME},
    {"greylist.delay=86401", -1, SETTING_GREYLIST_DELAY},
    {"greylist.delay=-1", -1, SETTING_GREYLIST_DELAY},
    {"greylist.delay=+1", -1, SETTING_GREYLIST_DELAY},
    {"greylist.delay=1.5m", -1, SETTING_GREYLIST_DELAY},
    {"greylist.delay=5 m", -1, SETTING_GREYLIST_DELAY},
    {"greylist.delay=5M", -1, SETTING_GREYLIST_DELAY},
    {"greylist.delay=5min", -1, SETTING_GREYLIST_DELAY},
    {"greylist.delay=m", -1, SETTING_GREYLIST_DELAY},
    {"greylist.delay=", -1, SETTING_GREYLIST_DELAY},
    {"greylist.delay=18446744073709551616", -1, SETTING_GREYLIST_DELAY},
    {"greylist.delay=9223372036854775807d", -1, SETTING_GREYLIST_DELAY},
    {"store.map_size=16M", 16 << 20, SETTING_STORE_MAP_SIZE},
    {"store.map_size=16777216", 16 << 20, SETTING_STORE_MAP_SIZE},
    {"store.map_size=2G", (int64_t)2 << 30, SETTING_STORE_MAP_SIZE},
    {"store.map_size=1T", (int64_t)1 << 40, SETTING_STORE_MAP_SIZE},
    {"store.map_size=2T", -1, SETTING_STORE_MAP_SIZE},
    {"store.map_size=16383K", -1, SETTING_STORE_MAP_SIZE},
    {"store.map_size=1g", -1, SETTING_STORE_MAP_SIZE},
    {"store.max_triplets=0", 0, SETTING_STORE_MAX_TRIPLETS},
    {"store.max_triplets=4000000000", 4000000000, SETTING_STORE_MAX_TRIPLETS},
    {"store.max_triplets=4000000001", -1, SETTING_STORE_MAX_TRIPLETS},
    {"store.max_triplets=10M", -1, SETTING_STORE_MAX_TRIPLETS},
    {"store.max_triplets=0x10", -1, SETTING_STORE_MAX_TRIPLETS},
    {"greylist.ipv4_prefix=8", 8, SETTING_GREYLIST_IPV4_PREFIX},
    {"greylist.ipv4_prefix=33", -1, SETTING_GREYLIST_IPV4_PREFIX},
    {"greylist.ipv6_prefix=128", 128, SETTING_GREYLIST_IPV6_PREFIX},
    {"greylist.ipv6_prefix=129", -1, SETTING_GREYLIST_IPV6_PREFIX},
    {"policy.socket_mode=0666", 0666, SETTING_POLICY_SOCKET_MODE},
    {"policy.socket_mode=0", 0, SETTING_POLICY_SOCKET_MODE},
    {"policy.socket_mode=1777", -1, SETTING_POLICY_SOCKET_MODE},
    {"policy.socket_mode=0688", -1, SETTING_POLICY_SOCKET_MODE},
    {"policy.socket_mode=rw", -1, SETTING_POLICY_SOCKET_MODE},
    {"greylist.mode=observe", GREYLIST_OBSERVE, SETTING_GREYLIST_MODE},
    {"greylist.mode=off", GREYLIST_OFF, SETTING_GREYLIST_MODE},
    {"greylist.mode=Observe", -1, SETTING_GREYLIST_MODE},
    {"greylist.mode=enforce observe", -1, SETTING_GREYLIST_MODE},
    {"greylist.mode=", -1, SETTING_GREYLIST_MODE},
    {"greylist.action=451", 3, SETTING_GREYLIST_ACTION},
    {"greylist.privacy=on", 1, SETTING_GREYLIST_PRIVACY},
    {"greylist.match_by_name=off", 0, SETTING_GREYLIST_MATCH_BY_NAME},
    {"greylist.privacy=yes", -1, SETTING_GREYLIST_PRIVACY},
    {"greylist.privacy=1", -1, SETTING_GREYLIST_PRIVACY},
    {"log.level=debug", 3, SETTING_LOG_LEVEL},
};

static void
test_values(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
		struct settings *settings = settings_new();
		int64_t before = settings_number(settings, values[i].setting);
		g_autofree char *allowed = settings_allowed(values[i].setting);
		g_autoptr(GError) error = NULL;
		bool good = settings_assign(settings, values[i].assignment, &error);

		g_test_message("%s", values[i].assignment);
		g_assert_cmpint(good, ==, values[i].number >= 0);
		g_assert_cmpint(settings_number(settings, values[i].setting), ==,
		    good ? values[i].number : before);
		if (!good)
			g_assert_nonnull(strstr(error->message, allowed));
		settings_free(settings);
	}
}

static void
test_texts(void)
{
	static const struct {
		const char *assignment;
		bool good;
	} rows[] = {
	    {"greylist.text=4.7.1 come again", true},
	    /* A bare 450 would mean OK to Postfix. */
	    {"greylist.text=", false},
	    {"greylist.text=in %s s", true},
	    {"greylist.text=in %d s", false},
	    {"greylist.text=%s %s", false},
	    {"greylist.text=100%", false},
	    {"greylist.text=%%s", false},
	    {"greylist.text=sp\xc3\xa4ter", false},
	    {"greylist.text=a\naction=OK", false},
	    {"policy.user=a\nb", false},
	    {"policy.user=", true},
	    {"log.target=/var/log/greylag", true},
	    {"log.target=log", false},
	    {"log.target=none", true},
	    {"store.uri=mem:", true},
	    {"store.uri=/var/lib/greylag", false},
	    {"whitelist.clients=/a, /b", true},
	    {"whitelist.clients=/a b", false},
	    {"whitelist.clients=", true},
	    {"whitelist.networks=192.0.2.0/24, 2001:db8::/32 203.0.113.9", true},
	    {"whitelist.networks=", true},
	    {"whitelist.networks=192.0.2.0/24 mx.example.org", false},
	    {"whitelist.networks=192.0.2.1/24", false},
	    {"whitelist.fingerprints=", true},
	    {"whitelist.fingerprints=00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:EE:FF", true},
	    {"whitelist.fingerprints=00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:EE:", false},
	    {"whitelist.fingerprints=00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:EE:F", false},
	    {"whitelist.fingerprints=00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:EE:Fg", false},
	    {"whitelist.fingerprints=00112233445566778899aabbccddeeff0011223344556677", false},
	    {"policy.listen=inet:127.0.0.1:10023 inet:[::1]:10023,unix:/run/greylag", true},
	    {"policy.listen=inet:localhost:smtp", true},
	    {"http.listen=off", true},
	    {"http.listen=unix:/run/http inet:[::1]:6647", true},
	    {"http.listen=off inet:127.0.0.1:6647", false},
	    {"http.listen=6647", false},
	    {"http.listen=", false},
	    {"policy.listen=", false},
	    {"policy.listen=,", false},
	    {"policy.listen=127.0.0.1:10023", false},
	    {"policy.listen=inet:127.0.0.1", false},
	    {"policy.listen=inet:127.0.0.1:", false},
	    {"policy.listen=inet::10023", false},
	    {"policy.listen=inet:[]:10023", false},
	    {"policy.listen=inet:[::1:10023", false},
	    {"policy.listen=inet:127.0.0.1:65536", false},
	    {"policy.listen=unix:", false},
	    {"policy.listen=inet:127.0.0.1:10023 tcp:x", false},
	    {"policy.idle_timeout=301", true},
	    {"policy.idle_timeout=300", false},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct settings *settings = settings_new();

		g_test_message("%s", rows[i].assignment);
		g_assert_cmpint(
		    settings_assign(settings, rows[i].assignment, NULL), ==, rows[i].good);
		settings_free(settings);
	}
}

static void
test_assignment_errors(void)
{
	static const struct {
		const char *assignment, *message;
	} rows[] = {
	    {"greylist.delay", "\"greylist.delay\": expected section.key=value"},
	    {"", "\"\": expected section.key=value"},
	    {"delay=5m", "delay: there is no such setting"},
	    {"greylist.dely=5m",
		"greylist.dely: there is no such setting; did you mean greylist.delay?"},
	    {"greylist.delay=x",
		"greylist.delay: \"x\" is not allowed; it must be a duration like 60s, 5m, 24h or "
		"35d, from 0s to 1d"},
	    {"greylist.mode=on",
		"greylist.mode: \"on\" is not allowed; it must be one of enforce, observe, off"},
	    {"policy.socket_mode=1000",
		"policy.socket_mode: \"1000\" is not allowed; it must be an "
		"octal file mode like 0660, from 0 to 0777"},
	};
	struct settings *settings = settings_new();

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_false(settings_assign(settings, rows[i].assignment, &error));
		g_assert_cmpstr(error->message, ==, rows[i].message);
	}
	settings_free(settings);
}

static void
test_syntax(void)
{
	static const struct {
		const char *line, *value;
	} rows[] = {
	    {"user = a", "a"},
	    {"user=a", "a"},
	    {"\t user\t=\ta \t", "a"},
	    {"user = a\r", "a"},
	    {"user = a # comment", "a"},
	    {"user = a\t#comment", "a"},
	    {"user = a#b", "a#b"},
	    {"user = a=b", "a=b"},
	    {"user =", ""},
	    {"user = # nobody", ""},
	    {"user = \"\"", ""},
	    {"user = \" a \"", " a "},
	    {"user = \"a # b\"", "a # b"},
	    {"user = \"a # b\" # c", "a # b"},
	    {"user = \"a \\\" # b\"", "a \" # b"},
	    {"user = \"a\\\\\"", "a\\"},
	    {"user = a\\b", "a\\b"},
	    {"user = say \"a\" # b", "say \"a\""},
	    {"user = it's 5\" # long", "it's 5\""},
	    {"#user = b\nuser = a\n  # user = c", "a"},
	    {"user = b\nuser = a", "a"},
	    {"\n\r\n \t\nuser = a\n\n", "a"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *file = g_strdup_printf("[ policy ] # here\n%s", rows[i].line);
		struct settings *settings;

		g_test_message("%s", rows[i].line);
		settings = parsed(file);
		g_assert_cmpstr(settings_text(settings, SETTING_POLICY_USER), ==, rows[i].value);
		settings_free(settings);
	}
}

static void
test_lists(void)
{
	struct settings *s = parsed("[policy]\nlisten = inet:127.0.0.1:1,unix:/a ,, unix:\"b\"\n"
				    "[whitelist]\nnetworks =\n");
	const char *const *list = settings_list(s, SETTING_POLICY_LISTEN);

	g_assert_cmpuint(g_strv_length((char **)list), ==, 3);
	g_assert_cmpstr(list[0], ==, "inet:127.0.0.1:1");
	g_assert_cmpstr(list[1], ==, "unix:/a");
	g_assert_cmpstr(list[2], ==, "unix:\"b\"");
	g_assert_nonnull(settings_list(s, SETTING_WHITELIST_NETWORKS));
	g_assert_null(settings_list(s, SETTING_WHITELIST_NETWORKS)[0]);
	settings_free(s);
}

static void
test_all_faults(void)
{
	g_autofree char *message = faults("user = a\n"
					  "[policy\n"
					  "[greylist]\n"
					  "delay = 2d # too long\n"
					  "\n"
					  "dealy = 60s\n"
					  "nothing\n"
					  "text = \"a\" b\n"
					  "text = \"a\n"
					  "[grey]\n"
					  "[store] x\n"
					  "= 5\n",
	    strlen("user = a\n[policy\n[greylist]\ndelay = 2d # too long\n\ndealy = 60s\nnothing\n"
		   "text = \"a\" b\ntext = \"a\n[grey]\n[store] x\n= 5\n"));

	g_assert_cmpstr(message, ==,
	    "test.conf:1: user: stands before any [section]\n"
	    "test.conf:2: expected [section]\n"
	    "test.conf:4: greylist.delay: \"2d\" is not allowed; it must be a duration like 60s, "
	    "5m, "
	    "24h or 35d, from 0s to 1d\n"
	    "test.conf:6: greylist.dealy: there is no such setting; did you mean greylist.delay?\n"
	    "test.conf:7: expected key = value\n"
	    "test.conf:8: greylist.text: expected one value, between quotes or without any\n"
	    "test.conf:9: greylist.text: expected one value, between quotes or without any\n"
	    "test.conf:10: grey: there is no such section\n"
	    "test.conf:11: expected [section]\n"
	    "test.conf:12: grey.: there is no such setting");
}

static void
test_hostile_bytes(void)
{
	static const char nul[] = "[policy]\nuser = a\0b\n";
	g_autofree char *with_nul = faults(nul, sizeof nul - 1);
	g_autofree char *name = g_strnfill(4000, 'n'), *filler = g_strnfill(5000, ' ');
	g_autofree char *long_name = g_strdup_printf("[policy]\n%s = a\n", name);
	g_autofree char *long_line = g_strdup_printf("[policy]\nuser = a%sb\n", filler);
	g_autofree char *unknown = faults(long_name, strlen(long_name));
	g_autofree char *too_long = faults(long_line, strlen(long_line));

	g_assert_cmpstr(with_nul, ==, "test.conf:2: the line is too long or has a NUL in it");
	g_assert_cmpstr(too_long, ==, "test.conf:2: the line is too long or has a NUL in it");
	g_assert_true(g_str_has_prefix(unknown, "test.conf:2: policy.nnn"));
	g_assert_true(g_str_has_suffix(unknown, ": there is no such setting"));
}

static void
test_failure_changes_nothing(void)
{
	static const char bad[] = "[greylist]\ndelay = 5m\n[policy]\nlisten = unix:/a\nnone = 1\n";
	struct settings *settings = parsed("[greylist]\ndelay = 2m\n");

	g_assert_false(settings_parse(settings, "bad", bad, strlen(bad), NULL));
	g_assert_cmpint(settings_number(settings, SETTING_GREYLIST_DELAY), ==, 120);
	g_assert_cmpstr(
	    settings_list(settings, SETTING_POLICY_LISTEN)[0], ==, "inet:127.0.0.1:10023");
	settings_free(settings);
}

static void
test_check(void)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
	    {"[greylist]\ndelay = 1h\nretry_window = 1h\n", ":3: greylist.retry_window must"},
	    {"[greylist]\ndelay = 1h\nretry_window = 3601s\n", NULL},
	    {"[greylist]\nretry_window = 2d\nlifetime = 2d\n", ":3: greylist.lifetime must"},
	    {"[greylist]\nretry_window = 2d\nlifetime = 3d\n", NULL},
	    {"", NULL},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct settings *settings = parsed(rows[i].text);
		g_autoptr(GError) error = NULL;

		g_assert_cmpint(settings_check(settings, &error), ==, rows[i].message == NULL);
		if (rows[i].message)
			g_assert_nonnull(strstr(error->message, rows[i].message));
		settings_free(settings);
	}
}

static void
test_origin(void)
{
	struct settings *settings = parsed("[greylist]\n\ndelay = 2m\nmode = off\n");
	g_autofree char *by_file = NULL, *by_option = NULL, *by_default = NULL;

	g_assert_true(settings_assign(settings, "greylist.mode=observe", NULL));
	/* A reading over it keeps what it does not change. */
	g_assert_true(settings_parse(settings, "other", "[log]\n", 6, NULL));
	by_file = settings_place(settings, SETTING_GREYLIST_DELAY);
	by_option = settings_place(settings, SETTING_GREYLIST_MODE);
	by_default = settings_place(settings, SETTING_GREYLIST_TEXT);
	g_assert_true(g_str_has_suffix(by_file, ":3: greylist.delay"));
	g_assert_cmpstr(by_option, ==, "-o greylist.mode");
	g_assert_cmpstr(by_default, ==, "greylist.text");
	g_assert_null(settings_origin(settings, SETTING_GREYLIST_TEXT));
	settings_free(settings);
}

/* What a running program has opened, or has become. */
static void
test_restart(void)
{
	static const enum setting daemons[] = {SETTING_STORE_URI, SETTING_POLICY_LISTEN,
	    SETTING_POLICY_SOCKET_MODE, SETTING_HTTP_SOCKET_MODE};

	for (size_t i = 0; i < G_N_ELEMENTS(daemons); i++)
		g_assert_cmpuint(settings_row(daemons[i])->restart, ==, SETTINGS_GREYLAGD);
	g_assert_cmpuint(settings_row(SETTING_MILTER_LISTEN)->restart, ==, SETTINGS_MILTER);
	g_assert_cmpuint(
	    settings_row(SETTING_POLICY_USER)->restart, ==, SETTINGS_GREYLAGD | SETTINGS_MILTER);
	g_assert_null(settings_restart(SETTING_GREYLIST_DELAY));
	g_assert_nonnull(
	    strstr(settings_restart(SETTING_LOG_LEVEL), "greylagd and greylag-milter"));
}

static void
test_round_trip(void)
{
	struct settings *a = parsed("[policy]\nuser = \" a # \\\"b\\\" \\\\ \"\n"
				    "listen = unix:/a, inet:[::1]:2\nsocket_mode = 0600\n"
				    "[greylist]\ndelay = 120\ntext = \"\\\"%s\\\"\"\n"
				    "[store]\nuri = \"lmdb:/a #b\"\n[whitelist]\nnetworks=\n");
	g_autofree char *first = printed(a), *second = NULL;
	struct settings *b = parsed(first);

	for (unsigned i = 0; i < SETTING_COUNT; i++) {
		g_assert_cmpstr(settings_text(a, i), ==, settings_text(b, i));
		g_assert_cmpint(settings_number(a, i), ==, settings_number(b, i));
	}
	second = printed(b);
	g_assert_cmpstr(first, ==, second);
	g_assert_cmpstr(settings_text(b, SETTING_POLICY_USER), ==, " a # \"b\" \\ ");
	settings_free(a);
	settings_free(b);
}

static void
test_sample(void)
{
	struct settings *defaults = settings_new(), *uncommented;
	g_autofree char *sample = printed(NULL), *wanted = printed(defaults), *got = NULL;
	g_auto(GStrv) lines = g_strsplit(sample, "\n", -1);
	g_autoptr(GString) file = g_string_new(NULL);
	unsigned rows = 0;

	settings_free(parsed(sample));
	for (char **line = lines; *line; line++) {
		bool row = (*line)[0] == '#' && (*line)[1] != ' ';

		g_assert_cmpuint(strlen(*line), <=, 100);
		rows += row;
		g_string_append_printf(file, "%s\n", *line + row);
	}
	g_assert_cmpuint(rows, ==, SETTING_COUNT);
	uncommented = parsed(file->str);
	got = printed(uncommented);
	g_assert_cmpstr(got, ==, wanted);
	settings_free(uncommented);
	settings_free(defaults);
}

static void
test_load(void)
{
	g_autofree char *folder = g_dir_make_tmp("greylag-settings-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "greylag.conf", NULL);
	static const char *const better[] = {"greylist.delay=3m", "greylist.delay=4m", NULL};
	static const char *const bad[] = {"greylist.delay=25h", NULL};
	static const char *const unchecked[] = {"greylist.retry_window=60s", NULL};
	static const char text[] = "[greylist]\ndelay = 2m\nlifetime = 40d\n";
	g_autoptr(GError) missing = NULL, worse = NULL, check = NULL;
	struct settings *settings;

	g_assert_null(settings_load(path, NULL, &missing));
	g_assert_nonnull(strstr(missing->message, path));
	g_assert_true(g_file_set_contents(path, text, -1, NULL));
	settings = settings_load(path, better, NULL);
	g_assert_cmpint(settings_number(settings, SETTING_GREYLIST_DELAY), ==, 240);
	g_assert_cmpint(settings_number(settings, SETTING_GREYLIST_LIFETIME), ==, 40 * 86400);
	settings_free(settings);
	g_assert_null(settings_load(path, bad, &worse));
	g_assert_true(g_str_has_prefix(worse->message, "greylist.delay: \"25h\""));
	g_assert_null(settings_load(path, unchecked, &check));
	g_assert_true(g_str_has_prefix(check->message, "-o greylist.retry_window must"));
	g_unlink(path);
	g_rmdir(folder);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/settings/every-default-parses-and-prints-back", test_defaults);
	g_test_add_func("/settings/defaults-are-those-promised", test_contract);
	g_test_add_func("/settings/value-is-in-its-type-and-range-or-refused", test_values);
	g_test_add_func("/settings/text-is-what-its-user-can-take", test_texts);
	g_test_add_func("/settings/option-error-tells-what-is-allowed", test_assignment_errors);
	g_test_add_func("/settings/quotes-comments-and-line-ends", test_syntax);
	g_test_add_func("/settings/list-is-split-at-spaces-and-commas", test_lists);
	g_test_add_func("/settings/all-faults-of-a-file-are-told-with-their-line", test_all_faults);
	g_test_add_func("/settings/hostile-bytes-are-faults-of-their-line", test_hostile_bytes);
	g_test_add_func("/settings/bad-file-changes-nothing", test_failure_changes_nothing);
	g_test_add_func("/settings/check-sees-what-no-row-can", test_check);
	g_test_add_func("/settings/value-knows-where-it-came-from", test_origin);
	g_test_add_func("/settings/row-says-what-a-change-restarts", test_restart);
	g_test_add_func("/settings/what-is-printed-reads-the-same", test_round_trip);
	g_test_add_func("/settings/sample-file-uncommented-is-the-defaults", test_sample);
	g_test_add_func("/settings/option-wins-over-file-over-default", test_load);
	return g_test_run();
}
