#include "config.h"

#include <math.h>
#include <string.h>
#include "classifier/model/state.h"

bool
model_step_voice(struct model *model, enum voice_name voice, const struct features *features,
    bool force, struct model_entry *entry, double *ret_score)
{
	bool spam = entry->spam;
	const struct slots *slots = &features->voices[voice];
	const struct voice_options *options = &model->options.voices[voice];
	const struct voice_sums *sums = model_gather(model, voice, slots);
	struct voice_sums own_bias = model_bias(model, voice);
	struct voice_step step;
	if (sums == NULL)
		return false;
	if (slots->count == 0)
		return true;
	double score = voice_score(options, sums, slots->count, own_bias);
	if (ret_score != NULL)
		*ret_score = score;
	if (force && fabs(score) < model->options.mixture.clip)
		score = spam ? fmin(score, 0) : fmax(score, 0);
	if (voice_learn(options, score, slots->count, spam, &step) &&
	    voice_fits(sums, slots->count, own_bias, &step) &&
	    voice_step_add(&entry->steps[voice], &step))
		model_add_step(model, voice, slots, &step);
	return true;
}

static bool
step_voices(
    struct model *model, const struct features *features, bool force, struct model_record *record)
{
	for (enum voice_name voice = 0; voice < VOICES; voice++)
		if (!model_step_voice(model, voice, features, force, &record->entry, NULL))
			return false;
	record->dirty = true;
	return true;
}

void
model_step_mixture(
    struct model *model, const struct mixture_logits *logits, struct model_entry *entry)
{
	struct mixture_step sum = model_mixture(model), step;
	mixture_learn(&model->options.mixture, &sum, logits, entry->spam, &step);
	if (!mixture_step_add(&sum, &step) || !mixture_step_add(&entry->mixture, &step))
		return;
	memcpy(&model->head[MODEL_HEAD_MIXTURE], sum.cells, sizeof(sum.cells));
}

/* Messages of the other class take a step too. */
static bool
rehearse(struct model *model, const struct features *features, bool spam)
{
	for (unsigned draw = 0; draw < model->options.draws; draw++) {
		uint8_t point[CANONICAL_DIGEST_SIZE];
		struct features drawn;
		bool found;
		rehearsal_point(features->digest, draw, point);
		if (!model_recall_around(model, !spam, point, &found, &drawn))
			return false;
		if (!found)
			return true;
		model_expect(model, &drawn);
		struct model_record *record = model_record(model, drawn.digest);
		bool done = record != NULL &&
			    (!record->exists || step_voices(model, &drawn, false, record));
		features_clear(&drawn);
		if (!done)
			return false;
	}
	return true;
}

/* Adds SIGN message's counts. */
static void
count_tokens(
    struct model *model, const struct tokens *tokens, bool spam, int32_t sign, uint32_t day)
{
	for (size_t i = 0; i < tokens->count; i++) {
		struct model_token token = {.text = tokens_text(tokens, i),
		    .length = tokens->list[i].length,
		    .hash = tokens->list[i].hash};
		model_word_add(model, &token, spam ? sign : 0, spam ? 0 : sign, day);
	}
}

static void
count_slots(struct model *model, const struct slots *words, bool spam, int32_t sign)
{
	struct voice_step step = {.z = spam ? sign : 0, .n = spam ? 0 : sign};
	model_add(model, MODEL_COUNTS, words, &step);
	model->head[spam ? MODEL_HEAD_SPAM : MODEL_HEAD_HAM] += sign;
}

static void
fill_entry(struct model_entry *entry, const struct features *features, bool spam, uint32_t day,
    const struct model_score *before)
{
	*entry = (struct model_entry){
	    .spam = spam,
	    .day = day,
	    .tokens_version = TOKENS_VERSION,
	    .ngrams_version = NGRAMS_VERSION,
	    .before = before->verdict,
	    .evidence = before->evidence,
	    .dialogue = features->dialogue,
	};
	features_checksums(features, entry->checksums);
}

static enum verdict
right_verdict(bool spam)
{
	return spam ? VERDICT_SPAM : VERDICT_HAM;
}

/* Steps on a message that was judged wrongly, until it is judged rightly. */
static bool
mend(struct model *model, const struct tokens *tokens, const struct features *features,
    struct model_record *record, bool moved, struct model_report *report)
{
	enum verdict right = right_verdict(record->entry.spam);
	enum verdict wrong = right_verdict(!record->entry.spam);
	bool corrected = moved || report->before.verdict == wrong;
	for (unsigned more = 0;; more++) {
		if (!model_judge(model, tokens, features, &report->after))
			return false;
		report->right =
		    corrected ? report->after.verdict == right : report->after.verdict != wrong;
		if (report->right || !model_has_stepped(model) || report->after.young ||
		    more >= model->options.corrections)
			return true;
		if (!step_voices(model, features, true, record))
			return false;
		report->steps++;
	}
}

static bool
learn_new(struct model *model, const struct tokens *tokens, const struct features *features,
    struct model_record *record, bool spam, uint32_t day, bool moved, struct model_report *report)
{
	struct fisher_counts known = model_learned_counts(model);
	if (!model_judge(model, tokens, features, &report->before))
		return false;
	fill_entry(&record->entry, features, spam, day, &report->before);
	record->exists = record->dirty = true;
	/* While one class is unknown a logistic voice would only learn to say the other. */
	bool both = known.spam + spam > 0 && known.ham + !spam > 0;
	if (both && known.spam > 0 && known.ham > 0 && !report->before.imported)
		model_step_mixture(model, &report->before.logits, &record->entry);
	if (both && !step_voices(model, features, false, record))
		return false;
	report->steps = both;
	count_slots(model, &features->voices[VOICE_WORDS], spam, 1);
	count_tokens(model, tokens, spam, 1, day);
	return (!both || rehearse(model, features, spam)) &&
	       model_remember(model, features, spam) &&
	       mend(model, tokens, features, record, moved, report);
}

bool
model_correct(struct model *model, const uint8_t digest[CANONICAL_DIGEST_SIZE], bool spam,
    struct model_report *ret_report)
{
	struct model_record *record = model_record(model, digest);
	struct model_report report = {0};
	struct features features;
	bool found;
	if (record == NULL || !record->exists || !model_has_stepped(model) ||
	    !model_recall(model, spam, digest, &found, &features) || !found)
		return false;
	/* Words are needed while there is nothing but an imported list. */
	bool done = memcmp(features.digest, digest, CANONICAL_DIGEST_SIZE) == 0 &&
		    mend(model, NULL, &features, record, true, &report);
	features_clear(&features);
	if (done)
		*ret_report = report;
	return done;
}

/* In a bulk run: it is only counted and remembered, and judged and stepped on in model_rebuild().
 */
static bool
learn_later(struct model *model, const struct tokens *tokens, const struct features *features,
    struct model_record *record, bool spam, uint32_t day, struct model_report *report)
{
	report->before.verdict = report->after.verdict = VERDICT_UNSURE;
	report->deferred = true;
	fill_entry(&record->entry, features, spam, day, &report->before);
	record->exists = record->dirty = true;
	count_slots(model, &features->voices[VOICE_WORDS], spam, 1);
	count_tokens(model, tokens, spam, 1, day);
	model->head[MODEL_HEAD_DEFERRED] = model->head[MODEL_HEAD_SETTLED] + 1;
	return model_remember(model, features, spam);
}

/* -- unlearn -- */

/* What one voice's features have added is taken out. */
void
model_undo_voice(struct model *model, enum voice_name voice, const struct slots *slots,
    struct model_entry *entry)
{
	struct voice_step step = voice_step_negated(&entry->steps[voice]);
	model_add_step(model, voice, slots, &step);
	entry->steps[voice] = (struct voice_step){0};
}

void
model_undo_mixture(struct model *model, struct model_entry *entry)
{
	struct mixture_step sum = model_mixture(model);
	struct mixture_step step = mixture_step_negated(&entry->mixture);
	if (mixture_step_add(&sum, &step))
		memcpy(&model->head[MODEL_HEAD_MIXTURE], sum.cells, sizeof(sum.cells));
	entry->mixture = (struct mixture_step){0};
}

/* The features of the entry, of each voice: those of the message as it is read now if they are
 * the same, else the remembered ones, else none. */
static void
choose_slots(const struct model_entry *entry, const struct features *now,
    const struct features *remembered, const struct slots *ret_slots[VOICES])
{
	for (unsigned voice = 0; voice < VOICES; voice++) {
		const struct features *of =
		    slots_checksum(&now->voices[voice]) == entry->checksums[voice] ? now
										   : remembered;
		ret_slots[voice] = of != NULL ? &of->voices[voice] : NULL;
	}
}

static bool
same_words(const struct model_entry *entry, const struct features *now)
{
	return slots_checksum(&now->voices[VOICE_WORDS]) == entry->checksums[VOICE_WORDS];
}

static void
undo(struct model *model, const struct tokens *tokens, const struct features *now,
    const struct features *remembered, struct model_record *record)
{
	const struct slots *slots[VOICES];
	struct model_entry *entry = &record->entry;
	static const struct slots none;
	choose_slots(entry, now, remembered, slots);
	for (enum voice_name voice = 0; voice < VOICES; voice++)
		model_undo_voice(model, voice, slots[voice] != NULL ? slots[voice] : &none, entry);
	model_undo_mixture(model, entry);
	count_slots(
	    model, slots[VOICE_WORDS] != NULL ? slots[VOICE_WORDS] : &none, entry->spam, -1);
	if (same_words(entry, now))
		count_tokens(model, tokens, entry->spam, -1, 0);
	record->exists = false;
	record->dirty = true;
}

/* Takes out what a message has added. With EXACT nothing is changed unless all of it can be;
 * *RET_STALE says whether something stays. */
static bool
take_out(struct model *model, const struct tokens *tokens, const struct features *now,
    struct model_record *record, bool exact, bool *ret_stale)
{
	const struct slots *slots[VOICES];
	struct features remembered;
	bool spam = record->entry.spam, found = false;
	if (record->entry.remembered &&
	    !model_recall(model, spam, now->digest, &found, &remembered))
		return false;
	if (found && memcmp(remembered.digest, now->digest, sizeof(now->digest)) != 0) {
		features_clear(&remembered);
		found = false;
	}
	choose_slots(&record->entry, now, found ? &remembered : NULL, slots);
	*ret_stale = !same_words(&record->entry, now);
	for (unsigned voice = 0; voice < VOICES; voice++)
		*ret_stale |= slots[voice] == NULL;
	bool done = true;
	if (!exact || !*ret_stale) {
		undo(model, tokens, now, found ? &remembered : NULL, record);
		done = !found || model_forget(model, &remembered, spam);
	}
	if (found)
		features_clear(&remembered);
	return done;
}

enum model_learned
model_unlearn(struct model *model, const struct tokens *tokens, const struct features *features)
{
	struct model_record *record = model_record(model, features->digest);
	bool stale;
	if (record == NULL)
		return MODEL_FAILED;
	if (!record->exists)
		return MODEL_UNKNOWN;
	if (!take_out(model, tokens, features, record, true, &stale))
		return MODEL_FAILED;
	return stale ? MODEL_DIFFERS : MODEL_FORGOTTEN;
}

bool
model_knows(struct model *model, const uint8_t digest[CANONICAL_DIGEST_SIZE], bool spam)
{
	const struct model_record *record = model_record(model, digest);
	return record != NULL && record->exists && record->entry.spam == spam;
}

enum model_learned
model_learn(struct model *model, const struct tokens *tokens, const struct features *features,
    bool spam, uint32_t day, struct model_report *ret_report)
{
	struct model_record *record = model_record(model, features->digest);
	struct model_report report = {0};
	if (record == NULL)
		return MODEL_FAILED;
	if (record->exists && record->entry.spam == spam)
		return MODEL_KNOWN;
	bool moved = record->exists;
	if (moved && !take_out(model, tokens, features, record, false, &report.stale))
		return MODEL_FAILED;
	if (model->deferring
		? !learn_later(model, tokens, features, record, spam, day, &report)
		: !learn_new(model, tokens, features, record, spam, day, moved, &report))
		return MODEL_FAILED;
	if (ret_report != NULL)
		*ret_report = report;
	return moved ? MODEL_MOVED : MODEL_LEARNED;
}
