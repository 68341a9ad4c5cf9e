#include "config.h"

#include "classifier/bank/imports.h"

#include <string.h>

#include "db/record.h"

#define RECORD_VERSION 1
#define TAG_STATE      1
#define TAG_TIME       2
#define RECORD_SIZE    32

/* Milliseconds, of a server. */
#define TIMEOUT 10000

struct noting {
	struct import_note before, now;
	bool again;
	enum store_result result;
};

static void
decode(const struct store_bytes *bytes, struct import_note *ret_note)
{
	struct record_reader reader;
	struct record_field field;
	uint8_t version;

	record_reader_init(&reader, bytes->data, bytes->length, &version);
	while (record_next(&reader, &field)) {
		uint64_t number = record_number(&reader, &field);

		if (field.tag == TAG_STATE)
			ret_note->state = number == IMPORT_DONE ? IMPORT_DONE : IMPORT_BEGUN;
		else if (field.tag == TAG_TIME)
			ret_note->time = (int64_t)number;
	}
}

static void
note(const struct store_bytes *old, struct store_change *change, void *job)
{
	struct noting *noting = job;
	struct record_writer writer;
	uint8_t bytes[RECORD_SIZE];

	noting->before = (struct import_note){.state = IMPORT_UNKNOWN};
	if (old)
		decode(old, &noting->before);
	if (old && !noting->again)
		return;
	record_writer_init(&writer, bytes, sizeof bytes);
	record_write_version(&writer, RECORD_VERSION);
	record_write_number(&writer, TAG_STATE, noting->now.state);
	record_write_number(&writer, TAG_TIME, (uint64_t)noting->now.time);
	store_change_put(change, bytes, writer.used, 0);
}

static void
noted(void *context, enum store_result result, void *job)
{
	struct noting *into = context;

	if (job)
		*into = *(const struct noting *)job;
	into->result = result;
}

static struct noting
write_note(struct store *store, const char *digest, enum import_state state, bool again)
{
	g_autofree char *key = g_strconcat(IMPORTS_PREFIX, digest, NULL);
	struct noting noting = {.now = {state, store_now(store)}, .again = again};
	const struct store_call call = {.timeout = TIMEOUT, .done = noted, .context = &noting};

	store_update(store, STORE_MODEL, (struct store_bytes){key, strlen(key)}, note,
	    g_memdup2(&noting, sizeof noting), g_free, &call);
	store_wait(store);
	return noting;
}

enum store_result
imports_begin(struct store *store, const char *digest, bool again, struct import_note *ret_before)
{
	struct noting noting = write_note(store, digest, IMPORT_BEGUN, again);

	if (noting.result == STORE_OK)
		*ret_before = noting.before;
	return noting.result;
}

enum store_result
imports_end(struct store *store, const char *digest)
{
	return write_note(store, digest, IMPORT_DONE, true).result;
}
