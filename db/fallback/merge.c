/* What the local store took down while the server was gone goes to the server. */
#include "config.h"

#include <string.h>
#include <sys/timerfd.h>

#include "db/fallback/fallback.h"
#include "lib/log.h"

#define STEP_RECORDS 128   /* of the journal, before answers have their turn */
#define STEP_DELTAS  65536 /* bytes of them in one transaction of the server's */
#define PAUSE        (G_TIME_SPAN_SECOND)

/* -- deltas as bytes -- */

static void
append(GByteArray *bytes, uint64_t number, size_t size)
{
	uint64_t big = GUINT64_TO_BE(number);

	g_byte_array_append(bytes, (const uint8_t *)&big + sizeof big - size, (guint)size);
}

void
fallback_encode(const struct store_step *step, GByteArray *bytes)
{
	append(bytes, step->space, 1);
	append(bytes, (uint64_t)step->expires, 8);
	append(bytes, step->key.length, 2);
	g_byte_array_append(bytes, step->key.data, (guint)step->key.length);
	append(bytes, step->n_cells, 2);
	for (size_t i = 0; i < step->n_cells; i++) {
		append(bytes, step->cells[i].index, 4);
		append(bytes, step->cells[i].op, 1);
		append(bytes, (uint32_t)step->cells[i].delta, 4);
	}
}

/* Takes SIZE bytes off as a number; false if there are fewer. */
static bool
take(struct store_bytes *bytes, size_t size, uint64_t *ret_number)
{
	const uint8_t *b = bytes->data;
	uint64_t number = 0;

	if (bytes->length < size)
		return false;
	for (size_t i = 0; i < size; i++)
		number = number << 8 | b[i];
	bytes->data = b + size;
	bytes->length -= size;
	*ret_number = number;
	return true;
}

static bool
take_cells(struct store_bytes *bytes, size_t n, struct store_cell *cells)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t index, op, delta;

		if (!take(bytes, 4, &index) || !take(bytes, 1, &op) || !take(bytes, 4, &delta) ||
		    index >= STORE_CELLS_MAX || op > STORE_MAX)
			return false;
		cells[i] = (struct store_cell){
		    (uint32_t)index, (enum store_cell_op)op, (int32_t)(uint32_t)delta};
	}
	return true;
}

bool
fallback_decode(
    struct store_bytes *bytes, struct store_delta *ret_delta, struct store_cell **ret_cells)
{
	struct store_bytes rest = *bytes, key;
	g_autofree struct store_cell *cells = NULL;
	uint64_t space, expires, length, n;

	if (!take(&rest, 1, &space) || !take(&rest, 8, &expires) || !take(&rest, 2, &length) ||
	    space >= STORE_SPACES || store_spaces[space].environment != STORE_POLICY ||
	    length > rest.length || length == 0 || length > STORE_KEY_MAX)
		return false;
	key = (struct store_bytes){rest.data, length};
	rest.data = (const uint8_t *)rest.data + length;
	rest.length -= length;
	if (!take(&rest, 2, &n) || n > STORE_CELLS_MAX)
		return false;
	cells = g_new(struct store_cell, n);
	if (!take_cells(&rest, n, cells))
		return false;
	*ret_delta = (struct store_delta){(enum store_space)space, key, cells, n, (int64_t)expires};
	*ret_cells = g_steal_pointer(&cells);
	*bytes = rest;
	return true;
}

/* -- a step -- */

struct note {
	GBytes *key, *value; /* of the journal */
};

struct step {
	struct store_fallback *fallback;
	unsigned left;            /* operations that are not answered */
	bool moved;               /* something was merged */
	GArray *records, *deltas; /* struct note */
	size_t delta_bytes;
	struct store_cursor cursor;
};

static void
note_clear(gpointer data)
{
	struct note *note = data;

	g_bytes_unref(note->key);
	g_bytes_unref(note->value);
}

static void
end_step(struct step *step)
{
	struct store_fallback *f = step->fallback;

	if (--step->left)
		return;
	f->merging = false;
	f->pending--;
	if (f->journal && !f->away)
		fallback_merge_soon(f, step->moved ? 0 : PAUSE);
	g_array_unref(step->records);
	g_array_unref(step->deltas);
	g_free(step);
}

static void
settle(struct step *step, uint64_t n)
{
	step->moved = true;
	step->fallback->status.merged += n;
}

/* -- records -- */

struct record {
	struct step *step;
	struct note note;
	enum store_space space;
	struct store_bytes key; /* into the note's */
	GBytes *new;
	int64_t now;
	GBytes *put; /* what the server has by it; NULL if nothing was written */
	int64_t expires;
};

static void
record_free(gpointer data)
{
	struct record *r = data;

	note_clear(&r->note);
	g_clear_pointer(&r->new, g_bytes_unref);
	g_clear_pointer(&r->put, g_bytes_unref);
	g_free(r);
}

/* Strikes the note unless the record was changed again meanwhile, and takes over what the server
 * has. */
static void
strike(const struct store_bytes *old, struct store_change *change, void *data)
{
	const struct record *r = data;
	struct store_bytes value = fallback_bytes(r->note.value);

	if (!old || old->length != value.length || memcmp(old->data, value.data, value.length) != 0)
		return;
	store_change_delete(change);
	if (r->put)
		store_change_also_put(change, r->space, r->key, fallback_bytes(r->put), r->expires);
}

static void
on_struck(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct step *step = context;

	if (result == STORE_OK)
		settle(step, 1);
	end_step(step);
}

static void
strike_record(struct record *r)
{
	struct step *step = r->step;
	struct store_call call = {.done = on_struck, .context = step};

	step->left++;
	store_update(step->fallback->local, STORE_JOURNAL, fallback_bytes(r->note.key), strike, r,
	    record_free, &call);
}

static void
merge_update(const struct store_bytes *old, struct store_change *change, void *data)
{
	struct record *r = data;
	const struct store_fallback *f = r->step->fallback;
	struct store_bytes new = fallback_bytes(r->new);

	g_clear_pointer(&r->put, g_bytes_unref);
	f->merge(f->merge_context, r->space, old, &new, r->now, change);
	for (guint i = 0; i < change->steps->len; i++) {
		const struct store_step *s = &g_array_index(change->steps, struct store_step, i);

		if (s->kind != STORE_STEP_PUT || s->key.data != change->key.data)
			continue;
		g_clear_pointer(&r->put, g_bytes_unref);
		r->put = g_bytes_new(s->value.data, s->value.length);
		r->expires = s->expires;
	}
}

static void
on_merged(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct record *r = context;
	struct step *step = r->step;

	if (result == STORE_OK)
		strike_record(r);
	else
		record_free(r);
	end_step(step);
}

static void
take_new(void *context, size_t index G_GNUC_UNUSED, enum store_result result G_GNUC_UNUSED,
    const struct store_bytes *value)
{
	struct record *r = context;

	r->new = value ? g_bytes_new(value->data, value->length) : NULL;
}

static void
merge_record(struct step *step, const struct note *note)
{
	struct store_fallback *f = step->fallback;
	struct store_bytes key = fallback_bytes(note->key);
	struct record *r = g_new0(struct record, 1);
	struct store_call call = {.done = on_merged, .context = r};

	r->step = step;
	r->note = (struct note){g_bytes_ref(note->key), g_bytes_ref(note->value)};
	r->space = (enum store_space)((const uint8_t *)key.data)[1];
	r->key = (struct store_bytes){(const uint8_t *)key.data + 2, key.length - 2};
	r->now = store_now(&f->store);
	if (f->merge && r->space < STORE_SPACES && r->key.length)
		store_get(f->local, r->space, r->key, 0, take_new, r);
	if (!r->new) {
		strike_record(r);
		return;
	}
	step->left++;
	store_update(f->remote, r->space, r->key, merge_update, r, NULL, &call);
}

/* -- deltas: those of one process, in their order -- */

struct delta_batch {
	struct step *step;
	GArray *notes;
	int64_t expires;
};

static void
batch_free(gpointer data)
{
	struct delta_batch *batch = data;

	g_array_unref(batch->notes);
	g_free(batch);
}

static const uint8_t *
process_of(const struct note *note)
{
	return (const uint8_t *)fallback_bytes(note->key).data + 1;
}

static const uint8_t *
number_of(const struct note *note)
{
	return process_of(note) + FALLBACK_PROCESS_SIZE;
}

static void
say_deltas(const struct note *note, struct store_change *change)
{
	struct store_bytes bytes = fallback_bytes(note->value);
	struct store_delta delta;
	struct store_cell *cells;

	while (fallback_decode(&bytes, &delta, &cells)) {
		store_change_also_add(change, &delta);
		g_free(cells);
	}
}

/* Only what is past the number that the server has of the process. */
static void
add_batch(const struct store_bytes *old, struct store_change *change, void *data)
{
	const struct delta_batch *batch = data;
	const struct note *last = NULL;
	bool known = old && old->length == FALLBACK_NUMBER_SIZE;

	for (guint i = 0; i < batch->notes->len; i++) {
		const struct note *note = &g_array_index(batch->notes, struct note, i);

		if (known && memcmp(number_of(note), old->data, FALLBACK_NUMBER_SIZE) <= 0)
			continue;
		say_deltas(note, change);
		last = note;
	}
	if (last)
		store_change_put(change, number_of(last), FALLBACK_NUMBER_SIZE, batch->expires);
}

static void
strike_batch(const struct store_bytes *old G_GNUC_UNUSED, struct store_change *change, void *data)
{
	const struct delta_batch *batch = data;

	for (guint i = 0; i < batch->notes->len; i++)
		store_change_also_delete(change, STORE_JOURNAL,
		    fallback_bytes(g_array_index(batch->notes, struct note, i).key));
}

static void
on_batch_struck(void *context, enum store_result result, void *data)
{
	struct step *step = context;
	const struct delta_batch *batch = data;

	if (result == STORE_OK)
		settle(step, batch->notes->len);
	end_step(step);
}

static void
on_batch_added(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct delta_batch *batch = context;
	struct step *step = batch->step;
	struct store_call call = {.done = on_batch_struck, .context = step};

	if (result == STORE_OK) {
		step->left++;
		store_update(step->fallback->local, STORE_JOURNAL,
		    fallback_bytes(g_array_index(batch->notes, struct note, 0).key), strike_batch,
		    batch, batch_free, &call);
	} else {
		batch_free(batch);
	}
	end_step(step);
}

static void
add_deltas(struct step *step)
{
	struct store_fallback *f = step->fallback;
	struct delta_batch *batch = g_new(struct delta_batch, 1);
	struct store_call call = {.done = on_batch_added, .context = batch};
	const struct note *first = &g_array_index(step->deltas, struct note, 0);

	*batch = (struct delta_batch){
	    step, g_array_ref(step->deltas), store_now(&f->store) + FALLBACK_MARK_SECONDS};
	step->left++;
	store_update(f->remote, STORE_JOURNAL,
	    (struct store_bytes){process_of(first), FALLBACK_PROCESS_SIZE}, add_batch, batch, NULL,
	    &call);
}

/* -- the journal is read -- */

static bool
gather_deltas(struct step *step, const struct note *note)
{
	size_t size = fallback_bytes(note->key).length;

	if (size != 1 + FALLBACK_PROCESS_SIZE + FALLBACK_NUMBER_SIZE)
		return false;
	if (step->deltas->len &&
	    (step->delta_bytes > STEP_DELTAS ||
		memcmp(process_of(note), process_of(&g_array_index(step->deltas, struct note, 0)),
		    FALLBACK_PROCESS_SIZE) != 0))
		return false;
	step->delta_bytes += fallback_bytes(note->value).length;
	g_array_append_val(step->deltas, *note);
	return true;
}

static bool
gather(void *context, const struct store_bytes *key, const struct store_bytes *value,
    int64_t expires G_GNUC_UNUSED)
{
	struct step *step = context;
	struct note note = {
	    g_bytes_new(key->data, key->length), g_bytes_new(value->data, value->length)};
	char kind = *(const char *)key->data;

	if (kind == 'A' && gather_deltas(step, &note))
		return true;
	if (kind == 'D' && key->length > 2)
		g_array_append_val(step->records, note);
	else
		note_clear(&note);
	return true;
}

static void
on_gathered(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct step *step = context;
	struct store_fallback *f = step->fallback;
	bool found = step->deltas->len || step->records->len;

	if (result == STORE_OK && !found && !f->writing) {
		f->journal = false;
		if (f->status.merged)
			log_line(LOG_LEVEL_INFO,
			    "store: %" G_GUINT64_FORMAT " records and counters are merged so far",
			    f->status.merged);
	}
	if (step->deltas->len)
		add_deltas(step);
	for (guint i = 0; i < step->records->len; i++)
		merge_record(step, &g_array_index(step->records, struct note, i));
	end_step(step);
}

void
fallback_merge_soon(struct store_fallback *f, int64_t in)
{
	struct itimerspec spec = {
	    .it_value = {.tv_sec = in / G_USEC_PER_SEC, .tv_nsec = in % G_USEC_PER_SEC * 1000 + 1}};

	timerfd_settime(f->timer, 0, &spec, NULL);
}

void
fallback_merge(struct store_fallback *f)
{
	struct step *step;
	struct store_call call;

	/* Deltas that are on their way come before those in the journal. */
	if (f->merging || f->away || !f->journal || f->adding) {
		if (f->adding)
			fallback_merge_soon(f, PAUSE / 100);
		return;
	}
	step = g_new0(struct step, 1);
	step->fallback = f;
	step->left = 1;
	step->records = g_array_new(FALSE, FALSE, sizeof(struct note));
	step->deltas = g_array_new(FALSE, FALSE, sizeof(struct note));
	g_array_set_clear_func(step->records, note_clear);
	g_array_set_clear_func(step->deltas, note_clear);
	f->merging = true;
	f->pending++;
	call = (struct store_call){.done = on_gathered, .context = step};
	store_scan(f->local, STORE_JOURNAL, &step->cursor, STEP_RECORDS, gather, &call);
}
