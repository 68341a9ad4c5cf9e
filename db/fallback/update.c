/* Updates of a server with a local store that takes over. */
#include "config.h"

#include <string.h>

#include "db/fallback/fallback.h"

/* Milliseconds that the local store has at least, whatever the server took. */
#define LOCAL_LEAST 20

static void
update_unref(gpointer data)
{
	struct fallback_update *u = data;

	if (--u->references)
		return;
	u->fallback->pending--;
	if (u->free_job)
		u->free_job(u->job);
	g_bytes_unref(u->key);
	g_clear_pointer(&u->put, g_bytes_unref);
	g_free(u);
}

static void
answer(struct fallback_update *u, enum store_result result)
{
	if (u->call.done)
		u->call.done(u->call.context, result, result == STORE_OK ? u->job : NULL);
}

/* -- the journal -- */

static GByteArray *
note_key(enum store_space space, struct store_bytes key)
{
	GByteArray *bytes = g_byte_array_new();
	const uint8_t head[] = {'D', (uint8_t)space};

	g_byte_array_append(bytes, head, sizeof head);
	g_byte_array_append(bytes, key.data, (guint)key.length);
	return bytes;
}

static void
take_found(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value G_GNUC_UNUSED)
{
	*(bool *)context = result == STORE_OK;
}

bool
fallback_is_noted(struct store_fallback *f, enum store_space space, struct store_bytes key)
{
	g_autoptr(GByteArray) note = note_key(space, key);
	bool found = false;

	if (f->journal && note->len <= STORE_KEY_MAX)
		store_get(f->local, STORE_JOURNAL, (struct store_bytes){note->data, note->len}, 0,
		    take_found, &found);
	return found;
}

static void
append_number(GByteArray *bytes, uint64_t number)
{
	uint64_t big = GUINT64_TO_BE(number);

	g_byte_array_append(bytes, (const uint8_t *)&big, sizeof big);
}

/* Of a put the key is noted; where it was deleted there is nothing to merge. */
static void
note_put(
    const struct fallback_update *u, const struct store_step *step, struct store_change *change)
{
	g_autoptr(GByteArray) key = note_key(step->space, step->key);
	g_autoptr(GByteArray) value = g_byte_array_new();

	g_byte_array_append(value, u->fallback->process, FALLBACK_PROCESS_SIZE);
	append_number(value, u->number);
	store_change_also_put(change, STORE_JOURNAL, (struct store_bytes){key->data, key->len},
	    (struct store_bytes){value->data, value->len}, 0);
}

void
fallback_note(struct fallback_update *u, struct store_change *change)
{
	guint said = change->steps->len;
	g_autoptr(GByteArray) deltas = g_byte_array_new();
	g_autoptr(GByteArray) key = g_byte_array_new();

	for (guint i = 0; i < said; i++) {
		const struct store_step step = g_array_index(change->steps, struct store_step, i);

		if (step.kind == STORE_STEP_PUT)
			note_put(u, &step, change);
		else if (step.kind == STORE_STEP_ADD)
			fallback_encode(&step, deltas);
	}
	if (!deltas->len || u->once)
		return;
	g_byte_array_append(key, (const uint8_t *)"A", 1);
	g_byte_array_append(key, u->fallback->process, FALLBACK_PROCESS_SIZE);
	append_number(key, u->number);
	store_change_also_put(change, STORE_JOURNAL, (struct store_bytes){key->data, key->len},
	    (struct store_bytes){deltas->data, deltas->len}, 0);
}

/* -- in the local store -- */

static void
local_update(const struct store_bytes *old, struct store_change *change, void *data)
{
	struct fallback_update *u = data;

	u->update(old, change, u->job);
	fallback_note(u, change);
}

static void
on_local(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct fallback_update *u = context;
	struct store_fallback *f = u->fallback;

	f->writing--;
	answer(u, result);
	if (!f->away)
		fallback_merge_soon(f, 0);
}

static unsigned
time_left(const struct fallback_update *u)
{
	int64_t left = (u->deadline - g_get_monotonic_time()) / 1000;

	return u->deadline ? (unsigned)MAX(left, LOCAL_LEAST) : 0;
}

static void
go_local(struct fallback_update *u)
{
	struct store_fallback *f = u->fallback;
	struct store_call call = {.timeout = time_left(u), .done = on_local, .context = u};

	if (!u->number)
		u->number = ++f->number;
	f->writing++;
	f->journal = true;
	f->status.answers++;
	u->references++;
	store_update(
	    f->local, u->space, fallback_bytes(u->key), local_update, u, update_unref, &call);
}

/* -- on the server -- */

static unsigned
server_share(const struct fallback_update *u)
{
	return u->call.timeout - u->call.timeout / 5;
}

/* Keeps what is put under the key itself, for the copy. */
static void
remote_update(const struct store_bytes *old, struct store_change *change, void *data)
{
	struct fallback_update *u = data;

	u->update(old, change, u->job);
	g_clear_pointer(&u->put, g_bytes_unref);
	for (guint i = 0; i < change->steps->len; i++) {
		const struct store_step *s = &g_array_index(change->steps, struct store_step, i);

		if (s->kind != STORE_STEP_PUT || s->key.data != change->key.data)
			continue;
		g_clear_pointer(&u->put, g_bytes_unref);
		u->put = g_bytes_new(s->value.data, s->value.length);
		u->expires = s->expires;
	}
}

static void
on_remote(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct fallback_update *u = context;

	if (result == STORE_UNAVAILABLE || result == STORE_UNCERTAIN) {
		fallback_look(u->fallback);
		u->once = result == STORE_UNCERTAIN;
		go_local(u);
		return;
	}
	if (result == STORE_OK && u->put)
		fallback_copy(u->fallback, u->space, fallback_bytes(u->key),
		    g_steal_pointer(&u->put), u->expires);
	answer(u, result);
}

static void
go_remote(struct fallback_update *u)
{
	struct store_call call = {.timeout = server_share(u), .done = on_remote, .context = u};

	u->references++;
	store_update(u->fallback->remote, u->space, fallback_bytes(u->key), remote_update, u,
	    update_unref, &call);
}

/* -- deltas, which must be added once: one set of them at a time, with its number -- */

static void start_add(struct fallback_update *u);

static void
add_numbered(const struct store_bytes *old, struct store_change *change, void *data)
{
	struct fallback_update *u = data;
	uint64_t number = GUINT64_TO_BE(u->number);

	/* Only from a try whose answer was lost. */
	if (old && old->length == sizeof number && memcmp(old->data, &number, sizeof number) >= 0)
		return;
	u->update(NULL, change, u->job);
	store_change_put(change, &number, sizeof number, u->expires);
}

static void
on_added(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct fallback_update *u = context;
	struct store_fallback *f = u->fallback;
	struct fallback_update *next;

	f->adding = false;
	if (result == STORE_UNAVAILABLE || result == STORE_UNCERTAIN) {
		fallback_look(f);
		go_local(u);
	} else {
		answer(u, result);
	}
	while (!f->adding && (next = g_queue_pop_head(&f->adds)))
		start_add(next);
}

/* While others wait in the journal these wait there, too, since the last number counts. */
static void
start_add(struct fallback_update *u)
{
	struct store_fallback *f = u->fallback;
	struct store_call call = {.timeout = server_share(u), .done = on_added, .context = u};

	if (f->journal) {
		go_local(u);
		update_unref(u);
		return;
	}
	f->adding = true;
	u->number = ++f->number;
	u->expires = store_now(&f->store) + FALLBACK_MARK_SECONDS;
	store_update(f->remote, STORE_JOURNAL,
	    (struct store_bytes){f->process, FALLBACK_PROCESS_SIZE}, add_numbered, u, update_unref,
	    &call);
}

void
fallback_update(struct store *store, enum store_space space, struct store_bytes key,
    store_update_fn update, void *job, GDestroyNotify free_job, const struct store_call *call)
{
	struct store_fallback *f = fallback_of(store);
	struct fallback_update *u;

	if (store_spaces[space].environment != STORE_POLICY) {
		store_update(f->remote, space, key, update, job, free_job, call);
		return;
	}
	fallback_look(f);
	u = g_new0(struct fallback_update, 1);
	*u = (struct fallback_update){.fallback = f,
	    .references = 1,
	    .space = space,
	    .key = g_bytes_new(key.data, key.length),
	    .update = update,
	    .job = job,
	    .free_job = free_job,
	    .call = *call,
	    .deadline = call->timeout ? g_get_monotonic_time() + call->timeout * 1000ll : 0};
	f->pending++;
	if (update == store_add_deltas) {
		if (f->adding)
			g_queue_push_tail(&f->adds, u);
		else
			start_add(u);
		return;
	}
	if (fallback_is_noted(f, space, key))
		go_local(u);
	else
		go_remote(u);
	update_unref(u);
}
