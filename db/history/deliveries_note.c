/* Deliveries in the store, and what they add to the reputation. */
#include "config.h"

#include "db/history/deliveries.h"

#include <string.h>

/* Network, name and authenticated domains; of the old verdict and of the new. */
#define KEYS_MAX   (2 + DELIVERY_AUTH_MAX)
#define COUNTS_MAX (2 * KEYS_MAX)

struct count {
	uint8_t key[REPUTATION_KEY_MAX];
	size_t length;
	struct reputation_verdict verdict;
};

struct counts {
	unsigned n;
	struct count of[COUNTS_MAX];
};

struct note {
	struct store *store;
	struct reputation_rules rules;
	struct store_call call;
	uint8_t digest[DELIVERY_KEY_SIZE];
	int64_t now;
};

/* All that an update needs, and its results. */
struct job {
	struct reputation_rules rules;
	int64_t now;
	bool correction;
	enum delivery_verdict verdict;      /* of the correction */
	uint8_t bytes[DELIVERY_RECORD_MAX]; /* of the record else */
	size_t length;
	bool found;
	struct counts counts;
};

/* -- counts -- */

static bool
same_key(const struct count *a, const struct count *b)
{
	return a->length == b->length && memcmp(a->key, b->key, a->length) == 0;
}

/* What is taken back and added again cancels out. */
static void
add_count(struct counts *counts, const struct count *count)
{
	if (count->length == 0)
		return;
	for (unsigned i = 0; i < counts->n; i++) {
		struct count *other = &counts->of[i];

		if (same_key(other, count) && other->verdict.spam == count->verdict.spam &&
		    other->verdict.back != count->verdict.back) {
			*other = counts->of[--counts->n];
			return;
		}
	}
	counts->of[counts->n++] = *count;
}

static void
add_record(struct counts *counts, const struct delivery_record *record, bool back)
{
	struct count count = {
	    .verdict = {
		.spam = record->verdict == DELIVERY_SPAM, .back = back, .time = record->time}};

	if (record->verdict == DELIVERY_UNSURE)
		return;
	count.length = reputation_network_key(&record->client, count.key);
	add_count(counts, &count);
	count.length = reputation_domain_key(
	    REPUTATION_NAME, record->name.data, record->name.length, count.key);
	add_count(counts, &count);
	for (unsigned i = 0; i < record->n_auth; i++) {
		count.length = reputation_domain_key(
		    REPUTATION_AUTH, record->auth[i].data, record->auth[i].length, count.key);
		add_count(counts, &count);
	}
}

/* -- the update of a delivery -- */

static void
correct(struct job *job, const struct delivery_record *before, struct delivery_record *after)
{
	*after = *before;
	after->corrected = job->verdict != DELIVERY_UNSURE;
	after->verdict = after->corrected ? job->verdict : before->judged;
	add_record(&job->counts, before, true);
	add_record(&job->counts, after, false);
}

static void
note(struct job *job, const struct delivery_record *before, struct delivery_record *after)
{
	const struct store_bytes bytes = {job->bytes, job->length};
	struct delivery_record new;

	if (!delivery_decode(&bytes, &new))
		return;
	delivery_merge(before, &new, after);
	if (before && address_equal(&before->client, &after->client))
		add_record(&job->counts, before, true);
	add_record(&job->counts, after, false);
}

/* The person has said so before. */
static bool
is_said(const struct job *job, const struct delivery_record *before)
{
	return job->verdict == DELIVERY_UNSURE
		   ? !before->corrected
		   : before->corrected && before->verdict == job->verdict;
}

/* Runs in the store's transaction. */
static void
update(const struct store_bytes *old, struct store_change *change, void *data)
{
	struct job *job = data;
	struct delivery_record before, after = {0};
	uint8_t bytes[DELIVERY_RECORD_MAX];

	job->counts.n = 0;
	job->found = old && delivery_decode(old, &before);
	if (job->correction && (!job->found || is_said(job, &before)))
		return;
	if (job->correction)
		correct(job, &before, &after);
	else
		note(job, job->found ? &before : NULL, &after);
	store_change_put(change, bytes, delivery_encode(&after, bytes),
	    MAX(after.time, job->now) + job->rules.remember);
}

/* -- what follows it -- */

static void
finish(struct note *n, enum store_result result)
{
	if (n->call.done)
		n->call.done(n->call.context, result, NULL);
	g_free(n);
}

static void
on_counted(void *context, enum store_result result, void *job G_GNUC_UNUSED)
{
	finish(context, result);
}

static void
on_noted(void *context, enum store_result result, void *data)
{
	struct note *n = context;
	const struct job *job = data;
	struct store_call call = {.timeout = n->call.timeout, .done = on_counted, .context = n};
	struct reputation_count counts[COUNTS_MAX];

	if (result == STORE_OK && job->correction && !job->found)
		result = STORE_NOT_FOUND;
	if (result != STORE_OK) {
		finish(n, result);
		return;
	}
	for (unsigned i = 0; i < job->counts.n; i++)
		counts[i] = (struct reputation_count){
		    .key = {job->counts.of[i].key, job->counts.of[i].length},
		    .verdict = job->counts.of[i].verdict};
	reputation_count(n->store, &n->rules, counts, job->counts.n, n->now, &call);
}

static void
start(struct store *store, const struct reputation_rules *rules,
    const uint8_t digest[DELIVERY_KEY_SIZE], struct job *job, int64_t now,
    const struct store_call *call)
{
	struct note *n = g_new(struct note, 1);
	struct store_call own = {.timeout = call->timeout, .done = on_noted, .context = n};

	*n = (struct note){.store = store, .rules = *rules, .call = *call, .now = now};
	memcpy(n->digest, digest, sizeof n->digest);
	job->rules = *rules;
	job->now = now;
	store_update(store, STORE_DELIVERIES, (struct store_bytes){n->digest, sizeof n->digest},
	    update, job, g_free, &own);
}

void
delivery_note(struct store *store, const struct reputation_rules *rules,
    const uint8_t digest[DELIVERY_KEY_SIZE], const struct delivery_record *record, int64_t now,
    const struct store_call *call)
{
	struct job *job = g_new0(struct job, 1);

	job->length = delivery_encode(record, job->bytes);
	start(store, rules, digest, job, now, call);
}

void
delivery_correct(struct store *store, const struct reputation_rules *rules,
    const uint8_t digest[DELIVERY_KEY_SIZE], enum delivery_verdict verdict, int64_t now,
    const struct store_call *call)
{
	struct job *job = g_new0(struct job, 1);

	job->correction = true;
	job->verdict = verdict;
	start(store, rules, digest, job, now, call);
}
