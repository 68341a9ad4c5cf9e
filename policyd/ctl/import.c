#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policyd/ctl/ctl.h"
#include "policyd/ctl/foreign.h"
#include "policyd/ctl/json.h"
#include "policyd/decide/merge.h"

/* Faulty lines that are told one by one. */
#define TOLD_MAX 20

struct source {
	FILE *file;
	char *name;
	GPid child; /* 0 if none */
};

struct import {
	struct ctl *ctl;
	struct ctl_batch batch;
	struct ctl_record record;
	struct ctl_json_reader json;
	struct foreign foreign;
	struct foreign_dump dump;
	GArray *sources;
	const struct format *format;
	bool delay_is_guessed;
	uint64_t line, faults, expired, dropped, records[STORE_SPACES];
	uint64_t known, unchanged; /* triplets that need not wait; records that were there so */
	uint64_t came_early;       /* triplets that came again within the other server's delay */
};

/* Takes a line without its newline; false with an error for a fault in it. */
typedef bool (*line_fn)(struct import *import, const char *line, size_t length, GError **error);

struct format {
	const char *name;
	bool (*open)(struct import *import, const char *name, GError **error);
	line_fn line;
	int64_t delay;     /* the server's usual one; 0: the records need none */
	bool tells_passed; /* its records say which triplets have passed */
};

/* -- writing -- */

struct job {
	enum store_space space;
	struct greylist_rules rules;
	int64_t now, expires;
	bool is_expected;
	uint8_t key[EXPECTED_KEY_SIZE]; /* of what is expected */
	uint8_t bytes[TRIPLET_RECORD_MAX];
	size_t length;
	unsigned dropped;
	bool came_early; /* has come again, and not passed there */
	bool known, changed;
};

static bool
is_known(const struct triplet *triplet)
{
	for (unsigned i = 0; i < triplet->n_sightings; i++)
		if (triplet->sightings[i].passed)
			return true;
	return false;
}

/* Of a record of another server, which has one sighting. */
static bool
came_early(const struct triplet *triplet)
{
	const struct sighting *s = &triplet->sightings[0];

	return triplet->n_sightings == 1 && !s->passed && s->last > s->first;
}

static size_t
put_triplet(struct job *job, const struct store_bytes *old, uint8_t *bytes, int64_t *expires)
{
	struct triplet mine, theirs, merged;

	triplet_decode(&(struct store_bytes){job->bytes, job->length}, &theirs);
	if (old && triplet_decode(old, &mine)) {
		merge_triplet(&job->rules, job->now, &mine, &theirs, &merged, &job->dropped);
		*expires = MAX(*expires, greylist_expires(&job->rules, &merged));
	} else {
		merged = theirs;
	}
	job->known = is_known(&merged);
	return triplet_encode(&merged, bytes);
}

static size_t
put_client(struct job *job, const struct store_bytes *old, uint8_t *bytes, int64_t *expires)
{
	struct client mine, theirs;

	client_decode(&(struct store_bytes){job->bytes, job->length}, &theirs);
	if (old && client_decode(old, &mine)) {
		merge_client(&mine, &theirs, &theirs);
		*expires = MAX(*expires, client_expires(&job->rules, &theirs));
	}
	return client_encode(&theirs, bytes);
}

static size_t
put_allowed(struct job *job, const struct store_bytes *old, uint8_t *bytes, int64_t *expires)
{
	struct allowed_entry mine, theirs;

	allowed_decode(&(struct store_bytes){job->bytes, job->length}, &theirs);
	if (old && allowed_decode(old, &mine)) {
		merge_allowed(&mine, &theirs, &theirs);
		*expires = theirs.until;
	}
	return allowed_encode(&theirs, bytes);
}

static size_t
put_expected(struct job *job, const struct store_bytes *old, uint8_t *bytes, int64_t *expires)
{
	struct store_bytes key = {job->key, EXPECTED_KEY_SIZE};
	struct expected_entry mine, theirs;

	expected_decode(&key, &(struct store_bytes){job->bytes, job->length}, &theirs);
	if (old && expected_decode(&key, old, &mine)) {
		merge_expected(&mine, &theirs, &theirs);
		*expires = theirs.until;
	}
	return expected_encode(&theirs, bytes);
}

static void
update(const struct store_bytes *old, struct store_change *change, void *data)
{
	static size_t (*const put[])(
	    struct job * job, const struct store_bytes *old, uint8_t *bytes, int64_t *expires) = {
	    [STORE_TRIPLETS] = put_triplet,
	    [STORE_CLIENTS] = put_client,
	    [STORE_ALLOWED] = put_allowed,
	};
	struct job *job = data;
	uint8_t bytes[TRIPLET_RECORD_MAX];
	int64_t expires = job->expires;
	size_t length;

	job->dropped = 0;
	length = (job->is_expected ? put_expected : put[job->space])(job, old, bytes, &expires);
	job->changed = !old || old->length != length || memcmp(old->data, bytes, length) != 0;
	if (job->changed)
		store_change_put(change, bytes, length, expires);
}

static void
settled(void *context, void *data)
{
	struct import *import = context;
	const struct job *job = data;

	if (!job)
		return;
	import->dropped += job->dropped;
	import->known += job->known;
	import->came_early += job->came_early && !job->known;
	import->unchanged += !job->changed;
}

static size_t
encode(const struct ctl_record *record, uint8_t bytes[TRIPLET_RECORD_MAX])
{
	switch (record->space) {
	case STORE_TRIPLETS: return triplet_encode(&record->triplet, bytes);
	case STORE_CLIENTS: return client_encode(&record->client, bytes);
	default:
		return record->is_expected ? expected_encode(&record->expected, bytes)
					   : allowed_encode(&record->allowed, bytes);
	}
}

static void
write_record(struct import *import)
{
	const struct ctl_record *record = &import->record;
	struct store_bytes key = {record->key, record->key_length};
	struct job *job;

	import->records[record->space]++;
	if (store_spaces[record->space].cells) {
		struct store_delta delta = {.space = record->space,
		    .key = key,
		    .cells = record->cells,
		    .n_cells = record->n_cells,
		    .expires = record->expires};

		ctl_batch_add(&import->batch, &delta);
		return;
	}
	job = g_new0(struct job, 1);
	job->space = record->space;
	job->rules = import->ctl->rules->greylist;
	job->now = import->ctl->now;
	job->expires = record->expires;
	job->is_expected = record->is_expected;
	if (job->is_expected)
		memcpy(job->key, record->key, sizeof job->key);
	job->came_early = record->space == STORE_TRIPLETS && came_early(&record->triplet);
	job->length = encode(record, job->bytes);
	ctl_batch_update(&import->batch, record->space, key, update, job, g_free);
}

/* What has expired there is not worth taking over. */
static void
write_foreign(struct import *import)
{
	if (import->record.expires <= import->ctl->now)
		import->expired++;
	else
		write_record(import);
}

/* -- formats -- */

static bool
json_line(struct import *import, const char *line, size_t length, GError **error)
{
	bool header;

	if (!ctl_json_read(&import->json, line, length, &import->record, &header, error))
		return false;
	if (!header)
		write_record(import);
	return true;
}

static bool
postgrey_line(struct import *import, const char *line, size_t length G_GNUC_UNUSED, GError **error)
{
	g_autofree char *value = NULL;

	switch (foreign_dump_line(&import->dump, line, &value, error)) {
	case FOREIGN_NOTHING: return true;
	case FOREIGN_ERROR: return false;
	case FOREIGN_PAIR: break;
	}
	if (!foreign_postgrey(&import->foreign, import->dump.key, value, &import->record, error))
		return false;
	write_foreign(import);
	return true;
}

static bool
greyfix_line(struct import *import, const char *line, size_t length G_GNUC_UNUSED, GError **error)
{
	if (!foreign_greyfix(&import->foreign, line, &import->record, error))
		return false;
	write_foreign(import);
	return true;
}

static bool
hashed_keys(const struct import *import)
{
	return import->dump.key && foreign_postgrey_hashed(import->dump.key);
}

/* -- reading -- */

static void
tell_fault(struct import *import, const struct source *source, const GError *fault)
{
	if (++import->faults <= TOLD_MAX)
		fprintf(stderr, "greylagctl: %s:%" G_GUINT64_FORMAT ": %s\n", source->name,
		    import->line, fault->message);
	else if (import->faults == TOLD_MAX + 1)
		fprintf(stderr, "greylagctl: further faults are only counted\n");
}

static bool
read_lines(struct import *import, const struct source *source, line_fn take, GError **error)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t length;

	import->line = 0;
	while ((length = getline(&line, &size, source->file)) > 0) {
		g_autoptr(GError) fault = NULL;

		import->line++;
		if (line[length - 1] == '\n')
			line[--length] = '\0';
		if (length && !take(import, line, (size_t)length, &fault))
			tell_fault(import, source, fault);
		if (hashed_keys(import) || import->batch.result != STORE_OK)
			break;
	}
	free(line);
	if (ferror(source->file))
		return ctl_fail(error, "%s: cannot read", source->name);
	if (hashed_keys(import))
		return ctl_fail(error,
		    "%s: its keys are hashed (postgrey ran with --privacy): no address can be had "
		    "from them",
		    source->name);
	return true;
}

/* A dump that ends early has lost records. */
static bool
ended_well(struct import *import, const struct source *source, GError **error)
{
	int status;

	if (source->child && waitpid(source->child, &status, 0) == source->child &&
	    !g_spawn_check_wait_status(status, NULL))
		return ctl_fail(error, "%s: db_dump failed", source->name);
	if (!foreign_dump_end(&import->dump))
		return ctl_fail(error, "%s: the dump ends too early", source->name);
	return true;
}

/* postgrey does not say who has passed: it follows from its delay, which it does not say either. */
static void
tell_guess(const struct import *import)
{
	if (import->delay_is_guessed && import->came_early)
		printf("%" G_GUINT64_FORMAT
		       " of those that wait came again, but within %d s, which "
		       "was taken for %s's delay.\nIf that was shorter, import again with --delay: "
		       "nothing is counted twice.\n",
		    import->came_early, (int)import->foreign.delay, import->format->name);
}

static void
tell_counts(const struct import *import)
{
	uint64_t triplets = import->records[STORE_TRIPLETS];

	printf("imported %" G_GUINT64_FORMAT " triplets (%" G_GUINT64_FORMAT
	       " known, %" G_GUINT64_FORMAT " still wait), %" G_GUINT64_FORMAT
	       " clients, %" G_GUINT64_FORMAT " exceptions, %" G_GUINT64_FORMAT " hours",
	    triplets, import->known, triplets - import->known, import->records[STORE_CLIENTS],
	    import->records[STORE_ALLOWED], import->records[STORE_HOURS]);
	if (import->unchanged)
		printf("; %" G_GUINT64_FORMAT " records were there already", import->unchanged);
	if (import->expired)
		printf("; %" G_GUINT64_FORMAT " had expired", import->expired);
	if (import->dropped)
		printf("; %" G_GUINT64_FORMAT " places found no room", import->dropped);
	putchar('\n');
	tell_guess(import);
}

static bool
import_sources(struct import *import, line_fn take, GError **error)
{
	bool done = true;

	for (guint i = 0; done && i < import->sources->len; i++) {
		const struct source *source = &g_array_index(import->sources, struct source, i);

		done = read_lines(import, source, take, error) && ended_well(import, source, error);
	}
	done = ctl_batch_end(&import->batch, done ? error : NULL) && done;
	if (!done)
		return false;
	tell_counts(import);
	return import->faults == 0 ||
	       ctl_fail(error, "%" G_GUINT64_FORMAT " lines were refused", import->faults);
}

/* -- sources -- */

static void
clear_source(gpointer data)
{
	struct source *source = data;

	if (source->file && source->file != stdin)
		fclose(source->file);
	g_free(source->name);
}

static bool
open_file(struct import *import, const char *name, GError **error)
{
	bool standard = !name || strcmp(name, "-") == 0;
	struct source source = {.file = standard ? stdin : fopen(name, "re")};

	if (!source.file)
		return ctl_fail(error, "%s: %s", name, g_strerror(errno));
	source.name = g_strdup(standard ? "standard input" : name);
	g_array_append_val(import->sources, source);
	return true;
}

/* The text of a database of postgrey's, from Berkeley DB's own tool. */
static bool
open_dump(struct import *import, const char *folder, const char *database, GError **error)
{
	const char *const arguments[] = {"db5.3_dump", "-h", folder, "-p", database, NULL};
	struct source source = {.name = g_build_filename(folder, database, NULL)};
	g_autoptr(GError) fault = NULL;
	int out;

	if (!g_file_test(source.name, G_FILE_TEST_EXISTS)) {
		g_free(source.name);
		return true;
	}
	if (!g_spawn_async_with_pipes(NULL, (char **)arguments, NULL,
		G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &source.child, NULL,
		&out, NULL, &fault)) {
		g_free(source.name);
		return ctl_fail(error, "%s (it is in Debian's package db5.3-util)", fault->message);
	}
	source.file = fdopen(out, "r");
	g_array_append_val(import->sources, source);
	return true;
}

/* Berkeley DB's pages must not change under the dump. */
static bool
postgrey_is_running(const char *folder)
{
	g_autofree char *name = g_build_filename(folder, "postgrey.lock", NULL);
	FILE *file = fopen(name, "re");
	bool running = file && flock(fileno(file), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;

	if (file)
		fclose(file);
	return running;
}

static bool
open_postgrey(struct import *import, const char *name, GError **error)
{
	if (!name)
		return ctl_usage(error, "--from postgrey needs its folder, or a dump");
	if (!g_file_test(name, G_FILE_TEST_IS_DIR))
		return open_file(import, name, error);
	if (postgrey_is_running(name))
		return ctl_fail(error, "postgrey is running on %s: stop it first", name);
	if (!open_dump(import, name, "postgrey.db", error) ||
	    !open_dump(import, name, "postgrey_clients.db", error))
		return false;
	return import->sources->len > 0 || ctl_fail(error, "%s: there is no postgrey.db", name);
}

static const struct format formats[] = {
    {"greylag", open_file, json_line, 0, true},
    {"postgrey", open_postgrey, postgrey_line, FOREIGN_POSTGREY_DELAY, false},
    {"greyfix", open_file, greyfix_line, FOREIGN_GREYFIX_DELAY, true},
};

static bool
set_format(const struct format **ret_format, const char *name, GError **error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(formats); i++)
		if (strcmp(name, formats[i].name) == 0)
			*ret_format = &formats[i];
	return *ret_format ||
	       ctl_usage(error, "--from %s: it is one of greylag, postgrey, greyfix", name);
}

static bool
import_opened(struct import *import, const struct format *format, GError **error)
{
	struct ctl *ctl = import->ctl;

	if (!ctl_read_rules(ctl, error) || !ctl_open(ctl, CTL_WRITE, error))
		return false;
	import->batch =
	    (struct ctl_batch){.store = ctl->store, .settled = settled, .context = import};
	import->json.hash_key = import->foreign.hash_key = store_hash_key(ctl->store);
	import->foreign.privacy = ctl->rules->privacy;
	import->foreign.rules = &ctl->rules->greylist;
	return import_sources(import, format->line, error);
}

bool
ctl_import(struct ctl *ctl, int argc, char **argv, GError **error)
{
	g_autofree char *from = NULL, *delay = NULL;
	const struct format *format = NULL;
	struct import import = {.ctl = ctl};
	const GOptionEntry entries[] = {
	    {"from", 0, 0, G_OPTION_ARG_STRING, &from, "postgrey, greyfix, or greylag's own",
		"FORMAT"},
	    {"delay", 0, 0, G_OPTION_ARG_STRING, &delay,
		"The other server's greylisting delay (postgrey's is 300s, greyfix' 58m)",
		"DURATION"},
	    G_OPTION_ENTRY_NULL,
	};
	bool done;

	if (!ctl_parse(ctl, entries, 0, 1, &argc, &argv, error) ||
	    !set_format(&format, from ? from : "greylag", error))
		return false;
	if (delay && !format->delay)
		return ctl_usage(error, "--delay is that of another server: it goes with --from");
	import.format = format;
	import.foreign.delay = format->delay;
	import.delay_is_guessed = !delay && !format->tells_passed;
	if (delay && !ctl_parse_duration(delay, &import.foreign.delay))
		return ctl_usage(error, "--delay %s: it is a duration like 300s or 5m", delay);
	import.sources = g_array_new(FALSE, FALSE, sizeof(struct source));
	g_array_set_clear_func(import.sources, clear_source);
	ctl_record_init(&import.record);
	done = format->open(&import, argv[1], error) && import_opened(&import, format, error);
	ctl_record_clear(&import.record);
	foreign_dump_clear(&import.dump);
	g_array_unref(import.sources);
	return done;
}
