/*
 * What the commands of greylagctl share: the command line, the configuration, the store, and how
 * what is stored is shown to people. A command returns false and an error, or prints and returns
 * true; the main tells errors.
 */
#ifndef GREYLAG_POLICYD_CTL_CTL_H
#define GREYLAG_POLICYD_CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

#include "db/store.h"
#include "lib/settings.h"
#include "policyd/decide/rules.h"

#define CTL_ERROR (g_quark_from_static_string("greylagctl"))

/* Exit statuses, too; but "status" has those of monitoring (policyd/ctl/life.h). */
enum ctl_error { CTL_FAILED = 1, CTL_USAGE = 2 };

struct ctl;

struct ctl_command {
	const char *name;
	bool (*run)(struct ctl *ctl, int argc, char **argv, GError **error);
	const char *arguments, *help;
};

struct ctl {
	const struct ctl_command *command;
	char *config;
	char **assignments;
	struct settings *settings;
	struct suffix_list *suffixes;
	struct rules *rules; /* by ctl_read_rules() */
	struct store *store; /* by ctl_open() */
	int64_t now;
	int status; /* the exit status of a command that did what it should, and has more to say */
};

bool ctl_list(struct ctl *ctl, int argc, char **argv, GError **error);
bool ctl_forget(struct ctl *ctl, int argc, char **argv, GError **error);
bool ctl_allow(struct ctl *ctl, int argc, char **argv, GError **error);
bool ctl_expect(struct ctl *ctl, int argc, char **argv, GError **error);
bool ctl_why(struct ctl *ctl, int argc, char **argv, GError **error);
bool ctl_export(struct ctl *ctl, int argc, char **argv, GError **error);
bool ctl_import(struct ctl *ctl, int argc, char **argv, GError **error);
bool ctl_replay(struct ctl *ctl, int argc, char **argv, GError **error);
bool ctl_report(struct ctl *ctl, int argc, char **argv, GError **error);
bool ctl_status(struct ctl *ctl, int argc, char **argv, GError **error);
bool ctl_check(struct ctl *ctl, int argc, char **argv, GError **error);
bool ctl_backup(struct ctl *ctl, int argc, char **argv, GError **error);
bool ctl_reload(struct ctl *ctl, int argc, char **argv, GError **error);

/* How the options that choose records are told (policyd/decide/selector.h). */
#define CTL_HELP_CLIENT    "Seen from this address, network or client name"
#define CTL_HELP_SENDER    "Of this address or domain, or <>"
#define CTL_HELP_RECIPIENT "To this address or domain"

/* -- beginning -- */

/* Parses the options that every command takes; stops at the first word that is none. ENTRIES are
 * the command's own, or NULL. */
bool ctl_options(struct ctl *ctl, GOptionContext *context, const GOptionEntry *entries, int *argc,
    char ***argv, GError **error);

/* Parses a command's options and reads the configuration. What is left are MINIMUM to MAXIMUM
 * arguments, from argv[1] on. */
bool ctl_parse(struct ctl *ctl, const GOptionEntry *entries, int minimum, int maximum, int *argc,
    char ***argv, GError **error);

bool ctl_read_rules(struct ctl *ctl, GError **error);

/* Becomes the store's owner, then opens it. Other files are to be opened before. A folder that root
 * makes for it is the daemon's user's. */
enum ctl_access { CTL_READ, CTL_WRITE };
bool ctl_open(struct ctl *ctl, enum ctl_access access, GError **error);

bool ctl_usage(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
bool ctl_fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
bool ctl_store_fail(struct store *store, enum store_result result, GError **error);
/* False, and the error, if records that cannot be read were left out. */
bool ctl_whole(uint64_t malformed, GError **error);

/* -- the store -- */

/* Records of the policy environment that are written in one transaction at most, so that the
 * daemon's answers do not wait for a tool. */
#define CTL_BATCH 1000

/* Shows all records of a space. BETWEEN, if not NULL, is called after each CTL_BATCH of them, and
 * may use the store. */
bool ctl_scan(struct ctl *ctl, enum store_space space, store_record_fn record,
    void (*between)(void *context), void *context, GError **error);

/* Updates, CTL_BATCH at a time. SETTLED, if not NULL, is called with each job that is done. */
struct ctl_batch {
	struct store *store;
	void (*settled)(void *context, void *job);
	void *context;
	unsigned waiting;
	enum store_result result; /* the first failure */
};

void ctl_batch_update(struct ctl_batch *batch, enum store_space space, struct store_bytes key,
    store_update_fn update, void *job, GDestroyNotify free_job);
/* Deltas count with them; SETTLED then gets no job. */
void ctl_batch_add(struct ctl_batch *batch, const struct store_delta *delta);
/* Waits for those under way. */
bool ctl_batch_end(struct ctl_batch *batch, GError **error);

/* -- text -- */

#define CTL_TIME_SIZE 24

/* 2026-11-24T12:00:00Z; "-" for 0. Returns BUFFER. */
const char *ctl_time(int64_t time, char buffer[CTL_TIME_SIZE]);

/* Stored bytes as text that is safe on a terminal and in a table: what is not printable, and the
 * backslash, become \xHH. */
void ctl_append_safe(GString *text, const struct store_bytes *bytes);

/* An address of a triplet: "<>" for the null sender, "hash:..." where addresses are hashed. */
void ctl_append_address(GString *text, const struct store_bytes *address, bool hashed);

void ctl_append_hex(GString *text, const void *bytes, size_t length);
/* Exactly LENGTH bytes. */
bool ctl_parse_hex(const char *text, void *ret_bytes, size_t length);

/* A whole number of seconds, from decimal digits alone; below 2^40. */
bool ctl_parse_time(const char *text, int64_t *ret_time);

/* 90, 60s, 5m, 24h, 35d. */
bool ctl_parse_duration(const char *text, int64_t *ret_seconds);

#endif
