/* Reputation in the store. Updates of several keys wait together and so share a commit. */
#include "config.h"

#include "db/history/reputation.h"

#include <string.h>

/* Several updates with one answer. */
struct gathering {
	struct store_call call;
	size_t outstanding;
	enum store_result worst;
};

static void
settle(struct gathering *g)
{
	if (--g->outstanding)
		return;
	if (g->call.done)
		g->call.done(g->call.context, g->worst, NULL);
	g_free(g);
}

static void
on_written(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	struct gathering *g = context;

	if (result > g->worst)
		g->worst = result;
	settle(g);
}

static struct gathering *
gathering_new(const struct store_call *call)
{
	struct gathering *g = g_new0(struct gathering, 1);

	g->call = *call;
	g->worst = STORE_OK;
	g->outstanding = 1; /* the caller's own */
	return g;
}

struct job {
	struct reputation_rules rules;
	enum reputation_kind kind;
	struct reputation_verdict verdict;
	bool contact;
	int64_t now;
};

/* A damaged record is as none: it is written anew, and heals. */
static void
update(const struct store_bytes *old, struct store_change *change, void *data)
{
	const struct job *job = data;
	struct reputation before, after;
	uint8_t bytes[REPUTATION_RECORD_MAX];
	const struct reputation *known = old && reputation_decode(old, &before) ? &before : NULL;
	bool changed = job->contact
			   ? reputation_written_to(&job->rules, known, job->now, &after)
			   : reputation_add(&job->rules, known, &job->verdict, job->now, &after);

	if (changed)
		store_change_put(change, bytes, reputation_encode(&after, bytes),
		    reputation_expires(&job->rules, job->kind, &after));
}

static void
write_one(struct store *store, struct gathering *g, struct store_bytes key, struct job *job)
{
	struct store_call call = {.timeout = g->call.timeout, .done = on_written, .context = g};

	job->kind = reputation_key_kind(&key);
	g->outstanding++;
	store_update(
	    store, STORE_REPUTATION, key, update, g_memdup2(job, sizeof *job), g_free, &call);
}

void
reputation_write_contacts(struct store *store, const struct reputation_rules *rules,
    const struct store_bytes *keys, size_t n_keys, int64_t now, const struct store_call *call)
{
	struct gathering *g = gathering_new(call);
	struct job job = {.rules = *rules, .contact = true, .now = now};

	for (size_t i = 0; i < n_keys; i++)
		write_one(store, g, keys[i], &job);
	settle(g);
}

void
reputation_count(struct store *store, const struct reputation_rules *rules,
    const struct reputation_count *counts, size_t n_counts, int64_t now,
    const struct store_call *call)
{
	struct gathering *g = gathering_new(call);
	struct job job = {.rules = *rules, .now = now};

	for (size_t i = 0; i < n_counts; i++) {
		job.verdict = counts[i].verdict;
		write_one(store, g, counts[i].key, &job);
	}
	settle(g);
}
