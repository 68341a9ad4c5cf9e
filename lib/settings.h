/*
 * The settings of all programs: one table of rows (settings_table.c), from which the parser, the
 * messages, --show-config, the sample file and greylag.conf(5) are made or checked.
 *
 * A struct settings is a value: read it whole, use it, replace it by another on reload.
 */
#ifndef GREYLAG_LIB_SETTINGS_H
#define GREYLAG_LIB_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <glib.h>

enum setting_type {
	SETTING_TYPE_TEXT,
	SETTING_TYPE_LIST,     /* words separated by white space or commas */
	SETTING_TYPE_ON_OFF,   /* on, off */
	SETTING_TYPE_CHOICE,   /* one of the words in .choices; its value is its index */
	SETTING_TYPE_NUMBER,   /* whole number */
	SETTING_TYPE_DECIMAL,  /* number with a fraction, locale-independent */
	SETTING_TYPE_DURATION, /* 60s 5m 24h 35d; a bare number means seconds; value in seconds */
	SETTING_TYPE_SIZE, /* 64M 1G, powers of 1024; a bare number means bytes; value in bytes */
	SETTING_TYPE_MODE, /* octal file mode */
};

/* In the order of the table, which is the order of the sample file. */
enum setting {
	SETTING_STORE_URI,
	SETTING_STORE_PASSWORD_FILE,
	SETTING_STORE_TLS_CA,
	SETTING_STORE_TLS_CERT,
	SETTING_STORE_TLS_KEY,
	SETTING_STORE_MAP_SIZE,
	SETTING_STORE_MAX_TRIPLETS,
	SETTING_STORE_TIMEOUT,
	SETTING_STORE_PATIENCE,
	SETTING_STORE_FALLBACK,
	SETTING_STORE_WAIT_REPLICAS,
	SETTING_STORE_CACHE,
	SETTING_STORE_CACHE_TTL,

	SETTING_POLICY_LISTEN,
	SETTING_POLICY_SOCKET_MODE,
	SETTING_POLICY_USER,
	SETTING_POLICY_MAX_CONNECTIONS,
	SETTING_POLICY_IDLE_TIMEOUT,

	SETTING_GREYLIST_MODE,
	SETTING_GREYLIST_DELAY,
	SETTING_GREYLIST_RETRY_WINDOW,
	SETTING_GREYLIST_LIFETIME,
	SETTING_GREYLIST_IPV4_PREFIX,
	SETTING_GREYLIST_IPV6_PREFIX,
	SETTING_GREYLIST_MATCH_BY_NAME,
	SETTING_GREYLIST_AUTO_WHITELIST_AFTER,
	SETTING_GREYLIST_ACTION,
	SETTING_GREYLIST_TEXT,
	SETTING_GREYLIST_WHEN,
	SETTING_GREYLIST_NULL_SENDER,
	SETTING_GREYLIST_PRIVACY,

	SETTING_WHITELIST_CLIENTS,
	SETTING_WHITELIST_RECIPIENTS,
	SETTING_WHITELIST_SENDERS,
	SETTING_WHITELIST_OPT_IN,
	SETTING_WHITELIST_NETWORKS,
	SETTING_WHITELIST_FINGERPRINTS,

	SETTING_HTTP_LISTEN,
	SETTING_HTTP_SOCKET_MODE,
	SETTING_HTTP_HOSTS,
	SETTING_HTTP_ALLOW_REMOTE,
	SETTING_HTTP_MAX_CONNECTIONS,
	SETTING_HTTP_TIMEOUT,

	SETTING_CLASSIFIER_SPAM_CUTOFF,
	SETTING_CLASSIFIER_HAM_CUTOFF,
	SETTING_CLASSIFIER_ROBS,
	SETTING_CLASSIFIER_ROBX,
	SETTING_CLASSIFIER_MIN_DEV,
	SETTING_CLASSIFIER_OWN_HOSTS,
	SETTING_CLASSIFIER_AUTHSERV_IDS,
	SETTING_CLASSIFIER_MEMORY,
	SETTING_CLASSIFIER_PAIRS,
	SETTING_CLASSIFIER_MAX_MESSAGE,

	SETTING_REPUTATION_USE,
	SETTING_REPUTATION_HALF_LIFE,
	SETTING_REPUTATION_REMEMBER,
	SETTING_REPUTATION_HAM,
	SETTING_REPUTATION_MAX_SPAM,
	SETTING_REPUTATION_SPAM,
	SETTING_REPUTATION_FACTOR,

	SETTING_MILTER_LISTEN,
	SETTING_MILTER_SOCKET_MODE,
	SETTING_MILTER_ON_SPAM,
	SETTING_MILTER_ON_UNSURE,
	SETTING_MILTER_TEXT,
	SETTING_MILTER_FIRST_TIMERS,
	SETTING_MILTER_JUDGE_OWN,
	SETTING_MILTER_MAX_CONNECTIONS,
	SETTING_MILTER_MAX_MEMORY,
	SETTING_MILTER_WORKERS,

	SETTING_LOG_TARGET,
	SETTING_LOG_LEVEL,

	SETTING_COUNT,
};

/* The programs that read settings again while they run. */
enum settings_program { SETTINGS_GREYLAGD = 1, SETTINGS_MILTER = 2 };

struct setting_row {
	const char *section, *key;
	enum setting_type type;
	double minimum, maximum;   /* allowed values, in seconds, bytes or as they are; both
				      included; both 0 where the type has no range */
	const char *choices;       /* "enforce observe off", for SETTING_TYPE_CHOICE */
	const char *default_value; /* as it would stand in the file */
	const char *help;          /* a sentence or two for the sample file, without newlines */
	unsigned restart;          /* enum settings_program: those that a change has to restart */
};

/* The words of SETTING_GREYLIST_MODE, _WHEN and _NULL_SENDER, in the order of their rows. */
enum greylist_mode { GREYLIST_ENFORCE, GREYLIST_OBSERVE, GREYLIST_OFF };
enum greylist_when { GREYLIST_ALL, GREYLIST_SUSPICIOUS };
enum greylist_null_sender { GREYLIST_NULL_AT_RCPT, GREYLIST_NULL_AT_DATA };

/* The words of SETTING_MILTER_ON_SPAM and _ON_UNSURE, and of _FIRST_TIMERS. */
enum milter_answer {
	MILTER_ANSWER_ACCEPT,
	MILTER_ANSWER_HEADER,
	MILTER_ANSWER_REJECT,
	MILTER_ANSWER_QUARANTINE,
	MILTER_ANSWER_TEMPFAIL,
};
enum milter_first_timers { MILTER_FIRST_TIMERS_ACCEPT, MILTER_FIRST_TIMERS_TEMPFAIL };

#define SETTINGS_ERROR (g_quark_from_static_string("settings"))

struct settings;

const struct setting_row *settings_row(enum setting setting);

/* The file that is read without -c: $(sysconfdir)/greylag/greylag.conf. */
const char *settings_default_path(void);

/* All defaults. */
struct settings *settings_new(void);
void settings_free(struct settings *settings);

/*
 * Reads the file at PATH over the present values. Every error of the file is in the message, a
 * line each: "FILE:LINE: section.key: what is wrong, what is allowed". On failure nothing of
 * SETTINGS has changed. A list or text given again replaces the earlier value.
 */
bool settings_read(struct settings *settings, const char *path, GError **error);

/* The same of bytes that came from NAME. */
bool settings_parse(
    struct settings *settings, const char *name, const char *bytes, size_t length, GError **error);

/* "section.key=value", as -o takes it. */
bool settings_assign(struct settings *settings, const char *assignment, GError **error);

/* What the rows cannot say each alone: retry_window > delay, lifetime > retry_window and the
 * like. To be called after the last assignment. */
bool settings_check(const struct settings *settings, GError **error);

/* All of it, as every program begins: the defaults, then the file at PATH (NULL: the default one,
 * which may be missing), then the assignments (NULL-terminated, or NULL), then the check. */
struct settings *settings_load(const char *path, const char *const *assignments, GError **error);

int64_t settings_number(const struct settings *settings, enum setting setting);
double settings_decimal(const struct settings *settings, enum setting setting);
bool settings_on(const struct settings *settings, enum setting setting);
const char *settings_text(const struct settings *settings, enum setting setting);
/* NULL-terminated; owned by SETTINGS. */
const char *const *settings_list(const struct settings *settings, enum setting setting);

/* Where a value came from: "FILE:12" or "-o"; NULL for a default. */
const char *settings_origin(const struct settings *settings, enum setting setting);
/* That and the setting's name, as a message begins: "FILE:12: whitelist.clients", "-o
 * whitelist.clients"; to be freed with g_free(). */
char *settings_place(const struct settings *settings, enum setting setting);
/* What a change of the setting has to restart, in a sentence; NULL if a reload will do. */
const char *settings_restart(enum setting setting);

/* The value as it would stand in a file; to be freed with g_free(). */
char *settings_format(const struct settings *settings, enum setting setting);
/* What a value must be, in words: "a duration like 60s, 5m, 24h or 35d, from 0s to 1d". To be freed
 * with g_free(). */
char *settings_allowed(enum setting setting);
/* All settings as a file that settings_read() takes, without comments. */
void settings_print(const struct settings *settings, FILE *out);
/* The commented sample file: every row with help, type, range, and the default commented out. */
void settings_print_sample(FILE *out);

#endif
