#include "config.h"

#include "classifier/cli/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Records written in one go. */
#define STEP 1000

/* "-" and nothing are the standard streams. */
FILE *
load_stream(int argc, char **argv, int index, const char *mode, FILE *standard)
{
	FILE *file = standard;

	if (argc > index && strcmp(argv[index], "-") != 0)
		file = fopen(argv[index], mode);
	if (!file)
		fprintf(stderr, "greylag: %s: %s\n", argv[index], g_strerror(errno));
	return file;
}

void
load_note_failure(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct loading *l = context;

	if (result != STORE_OK)
		l->result = result;
}

static void
delta_clear(gpointer data)
{
	struct store_delta *delta = data;

	g_free((void *)delta->key.data);
	g_free((void *)delta->cells);
}

/* All deltas that wait are one transaction: a server would take its time for each. */
static void
write_deltas(struct loading *l)
{
	struct store_call call = {.done = load_note_failure, .context = l};

	if (l->deltas->len)
		store_add_many(l->store, (const struct store_delta *)(void *)l->deltas->data,
		    l->deltas->len, &call);
	g_array_set_size(l->deltas, 0);
}

void
load_count(struct loading *l)
{
	l->records++;
	if (++l->waiting < STEP)
		return;
	write_deltas(l);
	store_wait(l->store);
	l->waiting = 0;
}

void
load_cells(struct loading *l, enum store_space space, const void *key, size_t length,
    const struct store_cell *cells, size_t n)
{
	struct store_delta delta = {
	    space, {g_memdup2(key, length), length}, g_memdup2(cells, n * sizeof *cells), n, 0};

	if (n)
		g_array_append_val(l->deltas, delta);
	else
		delta_clear(&delta);
	load_count(l);
}

bool
load_number(const char *text, int32_t *ret_number)
{
	gint64 value;

	if (!text || !g_ascii_string_to_signed(text, 10, INT32_MIN, INT32_MAX, &value, NULL))
		return false;
	*ret_number = (int32_t)value;
	return true;
}

/* Calls LINE for each, without its end; false from it stops, with the line's number told. */
bool
load_lines(FILE *in, const char *name, bool (*line)(void *context, char *text), void *context)
{
	char *buffer = NULL;
	size_t size = 0;
	unsigned number = 0;
	ssize_t length;
	bool good = true;

	while (good && (length = getline(&buffer, &size, in)) >= 0) {
		number++;
		if (length && buffer[length - 1] == '\n')
			buffer[--length] = '\0';
		good = strlen(buffer) == (size_t)length && line(context, buffer);
	}
	if (!good)
		fprintf(stderr, "greylag: %s:%u: the line is malformed\n", name, number);
	if (good && ferror(in)) {
		fprintf(stderr, "greylag: %s: %s\n", name, g_strerror(errno));
		good = false;
	}
	free(buffer);
	return good;
}

int
load_finish(struct loading *l, bool good)
{
	write_deltas(l);
	store_wait(l->store);
	g_array_unref(l->deltas);
	if (l->result != STORE_OK) {
		cli_store_fail(l->store, l->result);
		good = false;
	}
	printf("%" G_GUINT64_FORMAT " records\n", l->records);
	return good ? CLI_DONE : CLI_FAILED;
}

bool
load_begin(struct cli *cli, struct loading *ret_loading)
{
	g_autoptr(GError) error = NULL;

	if (!cli_open(cli, BANK_LEARN))
		return false;
	if (!bank_lock(cli->bank, &error)) {
		cli_fail(error);
		return false;
	}
	*ret_loading = (struct loading){.store = bank_store(cli->bank),
	    .result = STORE_OK,
	    .deltas = g_array_new(FALSE, FALSE, sizeof(struct store_delta))};
	g_array_set_clear_func(ret_loading->deltas, delta_clear);
	return true;
}
