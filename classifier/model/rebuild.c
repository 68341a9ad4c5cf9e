#include "config.h"

#include <string.h>
#include "classifier/model/state.h"

/*
 * A run that learned so many messages, and this part of all, counts as a bulk run; rehearsal alone
 * keeps up with smaller ones. Rebuilding at every growth by a fifth, also by many small runs, was
 * measured in chunks of 100: 0.067 instead of 0.068 in order of time, 0.0241 instead of 0.0225
 * shuffled, and 91 instead of 89 % of spam caught in order of time; with draws in it too 0.063,
 * 0.0223, 90 %, at four times the cost.
 */
#define REBUILD_RUN   200
#define REBUILD_SHARE 5

/* -- all remembered messages of a class, in the order of their digests -- */

struct walk {
	struct model *model;
	bool spam, found;
	uint8_t digest[CANONICAL_DIGEST_SIZE];
	GByteArray *slots; /* NULL if only the digest is wanted */
};

static bool
walk_from(struct walk *walk, const uint8_t point[CANONICAL_DIGEST_SIZE])
{
	return model_recall_bytes(
	    walk->model, walk->spam, point, &walk->found, walk->digest, walk->slots);
}

static bool
walk_begin(struct walk *walk, struct model *model, bool spam, bool with_slots)
{
	static const uint8_t lowest[CANONICAL_DIGEST_SIZE];
	*walk = (struct walk){.model = model, .spam = spam};
	if (with_slots)
		walk->slots = g_byte_array_new();
	return walk_from(walk, lowest);
}

static bool
walk_on(struct walk *walk)
{
	uint8_t point[CANONICAL_DIGEST_SIZE];
	memcpy(point, walk->digest, sizeof(point));
	walk->found = model_digest_next(point);
	return !walk->found || walk_from(walk, point);
}

static void
walk_end(struct walk *walk)
{
	g_clear_pointer(&walk->slots, g_byte_array_unref);
}

/* -- taking out -- */

static bool
has_stepped(const struct model_entry *entry)
{
	static const struct model_entry none;
	return memcmp(entry->steps, none.steps, sizeof(none.steps)) != 0 ||
	       memcmp(&entry->mixture, &none.mixture, sizeof(none.mixture)) != 0;
}

static bool
take_out(struct model *model, bool spam, struct model_record *record)
{
	struct features features;
	bool found;
	if (!model_recall(model, spam, record->digest, &found, &features))
		return false;
	if (!found)
		return true;
	for (enum voice_name voice = 0; voice < VOICES; voice++)
		model_undo_voice(model, voice, &features.voices[voice], &record->entry);
	model_undo_mixture(model, &record->entry);
	record->dirty = true;
	features_clear(&features);
	return true;
}

/* *RET_COUNT is that of the class' remembered messages. After a bulk run few of them have stepped:
 * of the others the slots, which are nearly all of a store, are not read. */
static bool
take_out_class(struct model *model, bool spam, uint32_t *ret_count)
{
	struct walk walk;
	uint32_t count = 0;
	bool done = walk_begin(&walk, model, spam, false);
	while (done && walk.found) {
		struct model_record *record = model_record(model, walk.digest);
		done = record != NULL;
		if (done && record->exists) {
			done = !has_stepped(&record->entry) || take_out(model, spam, record);
			count++;
		}
		done = done && walk_on(&walk);
	}
	walk_end(&walk);
	*ret_count = count;
	return done;
}

/* -- learning again: each voice goes by itself through a block of messages -- */

#define BLOCK 128

struct lesson {
	struct features features;
	struct model_record *record;
	struct mixture_logits logits;
	struct fisher_result fisher;
};

struct block {
	struct lesson lessons[BLOCK];
	unsigned count;
};

struct task {
	struct model *model;
	struct block *block;
	unsigned table;
	bool failed;
};

struct crew {
	GThreadPool *pool; /* NULL with a single processor */
	GMutex lock;
	GCond done;
	unsigned working;
	struct task tasks[MODEL_TABLES];
};

static bool
learn_by_voice(struct model *model, enum voice_name voice, struct lesson *lesson)
{
	lesson->logits.present[voice] =
	    model->head[MODEL_HEAD_TAKEN + voice] > 0 && lesson->features.voices[voice].count > 0;
	return model_step_voice(model, voice, &lesson->features, false, &lesson->record->entry,
	    &lesson->logits.voice[voice]);
}

static bool
score_by_counts(struct model *model, struct lesson *lesson)
{
	bool spam = lesson->record->entry.spam;
	struct fisher_counts own = {.spam = spam, .ham = !spam};
	return model_score_fisher(model, &lesson->features, own, &lesson->logits, &lesson->fisher);
}

static void
do_task(struct task *task)
{
	for (unsigned i = 0; i < task->block->count && !task->failed; i++) {
		struct lesson *lesson = &task->block->lessons[i];
		task->failed = task->table == MODEL_COUNTS
				   ? !score_by_counts(task->model, lesson)
				   : !learn_by_voice(task->model, task->table, lesson);
	}
}

static void
run_task(gpointer task, gpointer data)
{
	struct crew *crew = data;
	do_task(task);
	g_mutex_lock(&crew->lock);
	if (--crew->working == 0)
		g_cond_signal(&crew->done);
	g_mutex_unlock(&crew->lock);
}

static void
crew_begin(struct crew *crew, struct model *model)
{
	unsigned processors = MIN(g_get_num_processors(), MODEL_TABLES);
	*crew = (struct crew){0};
	g_mutex_init(&crew->lock);
	g_cond_init(&crew->done);
	for (unsigned table = 0; table < MODEL_TABLES; table++)
		crew->tasks[table] = (struct task){.model = model, .table = table};
	if (processors > 1)
		crew->pool = g_thread_pool_new(run_task, crew, (gint)processors, TRUE, NULL);
}

static void
crew_end(struct crew *crew)
{
	if (crew->pool != NULL)
		g_thread_pool_free(crew->pool, FALSE, TRUE);
	g_mutex_clear(&crew->lock);
	g_cond_clear(&crew->done);
}

static void
crew_start(struct crew *crew, struct block *block)
{
	crew->working = MODEL_TABLES;
	for (unsigned table = 0; table < MODEL_TABLES; table++) {
		struct task *task = &crew->tasks[table];
		task->block = block;
		if (crew->pool == NULL || !g_thread_pool_push(crew->pool, task, NULL))
			run_task(task, crew);
	}
}

static bool
crew_wait(struct crew *crew)
{
	bool failed = false;
	g_mutex_lock(&crew->lock);
	while (crew->working > 0)
		g_cond_wait(&crew->done, &crew->lock);
	g_mutex_unlock(&crew->lock);
	for (unsigned table = 0; table < MODEL_TABLES; table++)
		failed |= crew->tasks[table].failed;
	return !failed;
}

/* -- all of it -- */

struct rebuild {
	struct model *model;
	struct walk walks[2];      /* of ham and spam */
	struct fisher_counts seen; /* messages that have taken their steps by now */
};

static bool
add_lesson(struct rebuild *r, const struct walk *at, struct block *block)
{
	struct lesson *lesson = &block->lessons[block->count];
	*lesson = (struct lesson){.record = model_record(r->model, at->digest)};
	if (lesson->record == NULL)
		return false;
	if (lesson->record->exists &&
	    rehearsal_decode(at->slots->data, at->slots->len, &lesson->features))
		block->count++;
	return true;
}

static bool
fill_block(struct rebuild *r, struct block *block)
{
	bool done = true;
	block->count = 0;
	while (done && block->count < BLOCK && (r->walks[0].found || r->walks[1].found)) {
		struct walk *ham = &r->walks[0], *spam = &r->walks[1], *next = ham;
		if (!ham->found ||
		    (spam->found && memcmp(spam->digest, ham->digest, CANONICAL_DIGEST_SIZE) < 0))
			next = spam;
		done = add_lesson(r, next, block) && walk_on(next);
	}
	return done;
}

/* What its voices said of a message is weighed, and the weights learn from it. */
static void
conclude(struct rebuild *r, struct lesson *lesson)
{
	struct model_entry *entry = &lesson->record->entry;
	/* Whether words were put in to look like ham is not asked: the tables have learned the
	 * message by now. */
	if (!model_entry_is_judged(entry)) {
		struct model_score score = {.logits = lesson->logits, .fisher = lesson->fisher};
		model_conclude(r->model, mixture_is_young(r->seen.spam, r->seen.ham), &score);
		entry->before = score.verdict;
		entry->evidence = score.evidence;
	}
	*(entry->spam ? &r->seen.spam : &r->seen.ham) += 1;
	model_step_mixture(r->model, &lesson->logits, entry);
	lesson->record->dirty = true;
	features_clear(&lesson->features);
}

static bool
learn_all_again(struct rebuild *r)
{
	g_autofree struct block *now = g_new(struct block, 1), *next = g_new(struct block, 1);
	struct crew crew;
	crew_begin(&crew, r->model);
	bool done = fill_block(r, now);
	while (done && now->count > 0) {
		struct block *last = now;
		crew_start(&crew, now);
		done = fill_block(r, next);
		done = crew_wait(&crew) && done;
		for (unsigned i = 0; i < last->count; i++)
			conclude(r, &last->lessons[i]);
		now = next;
		next = last;
	}
	crew_end(&crew);
	for (unsigned i = 0; i < now->count; i++)
		features_clear(&now->lessons[i].features);
	return done;
}

static bool
rebuild(struct model *model)
{
	struct rebuild r = {.model = model, .seen = model_learned_counts(model)};
	struct fisher_counts remembered;
	if (!take_out_class(model, true, &remembered.spam) ||
	    !take_out_class(model, false, &remembered.ham))
		return false;
	r.seen.spam -= MIN(r.seen.spam, remembered.spam);
	r.seen.ham -= MIN(r.seen.ham, remembered.ham);
	bool done = walk_begin(&r.walks[0], model, false, true);
	done = walk_begin(&r.walks[1], model, true, true) && done;
	done = done && learn_all_again(&r);
	walk_end(&r.walks[0]);
	walk_end(&r.walks[1]);
	return done;
}

bool
model_rebuild(struct model *model)
{
	struct fisher_counts learned = model_learned_counts(model);
	bool owed = model->head[MODEL_HEAD_DEFERRED] > model->head[MODEL_HEAD_SETTLED];
	/* While one class is unknown a logistic voice would only learn to say the other. */
	if (learned.spam > 0 && learned.ham > 0 && !rebuild(model))
		return false;
	model->head[MODEL_HEAD_SETTLED] = model->head[MODEL_HEAD_DEFERRED];
	return !owed || model_memory_trim(model);
}

bool
model_wants_rebuild(const struct model *model, size_t run, size_t new)
{
	struct fisher_counts learned = model_learned_counts(model);
	size_t all = (size_t)learned.spam + learned.ham + new;
	return run + new >= REBUILD_RUN && (run + new) * REBUILD_SHARE >= all;
}

void
model_defer(struct model *model)
{
	model->deferring = model->options.memory_bytes > 0;
}

void
model_begin_run(struct model *model)
{
	model->deferring = false;
}
