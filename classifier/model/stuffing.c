/*
 * Words put into a spam to make it look like ham: whoever knows the receiver's own mail can turn
 * every voice that reads the text. What the header says they do not reach.
 *
 * So where the header alone makes a message spam, but the sum of all voices less so, it is judged
 * once more without the words and n-grams of its text that are most like ham, as many as fifty
 * words make. It is then worth what that and the header both say, less a margin each, if that
 * makes it spam. All others, and what has no header to speak of, are judged as they are.
 *
 * Measured on the SpamAssassin corpus (tests/bench/accuracy.py, while evaluate still learned in the
 * order of the index; as train learns, 1-ROCA is 0.0465 %), of the spam that is caught the
 * share that gets away with fifty ham words in its text, random ones and the most frequent ones, at
 * the beginning and at the end: without this 18 15 86 76 %, so 8 7 12 12 %. It costs no rank: in
 * order of time 0.056 %, in the second half of that alone 0.049 %, as without it. Where messages
 * were worth more also if it did not make them spam, these were 0.060 and 0.062 %.
 *
 * Without a look at the header 2 2 4 3 % get away, but five times as much ham is lost, and messages
 * without a header rank twice as badly; with words set aside but no n-grams 8 7 34 27 %. MARGIN 1
 * and 3: the last two 12 11 and 14 13 %, the rank a little worse and better. HEADER_MARGIN 0.5 and
 * 1: 11 10 and 14 12 %, but with 0.5 0.13 % of ham is lost instead of 0.08 %. To ask besides that
 * what is left of the text speaks for spam by itself changes nothing. The mean of both, less 2.5,
 * instead of the lesser: the last two 8 8 %, but 0.13 % of ham is lost.
 */
#include "config.h"

#include <stdlib.h>
#include "classifier/model/state.h"

#define SET_ASIDE_WORDS 50
#define SET_ASIDE_GRAMS 350 /* of 50 words of six letters and a space */

/* A shorter header has little besides the subject, which is the sender's to choose as the text is.
 */
#define HEADER_GRAMS_MIN 300

/* In units of the evidence. */
#define MARGIN        2.0
#define HEADER_MARGIN 0.75

struct stuffing {
	struct model *model;
	const struct features *features;
	GArray *hammy; /* of features of the text that speak for ham: how much, negative */
};

static int
compare_slots(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static int
compare_weights(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static bool
has_slot(const struct slots *slots, uint32_t slot)
{
	return slots->count > 0 &&
	       bsearch(&slot, slots->list, slots->count, sizeof(slot), compare_slots) != NULL;
}

/* Whether the feature may come from the text. Equal n-grams have equal hashes, of which each voice
 * takes as many of the upper bits as it has. */
static bool
is_of_text(const struct stuffing *s, enum voice_name voice, uint32_t slot)
{
	const struct slots *voices = s->features->voices;
	unsigned more = ngrams_slot_bits(VOICE_RAW) - ngrams_slot_bits(VOICE_HEADER);
	switch (voice) {
	case VOICE_WORDS: return has_slot(&voices[VOICE_CONTENT], content_slot(slot));
	case VOICE_RAW: return !has_slot(&voices[VOICE_HEADER], slot >> more);
	default: return voice != VOICE_HEADER;
	}
}

/* Voice by voice, the N of its features that speak most for ham are left out. */
static bool
score_without(struct stuffing *s, enum voice_name voice, size_t n, double *ret_score)
{
	const struct slots *slots = &s->features->voices[voice];
	const struct voice_options *options = &s->model->options.voices[voice];
	const struct voice_sums *sums = model_gather(s->model, voice, slots);
	double total = 0;
	if (sums == NULL)
		return false;
	g_array_set_size(s->hammy, 0);
	for (size_t i = 0; i < slots->count; i++) {
		double weight = voice_weight(options, sums[i], 1);
		total += weight;
		if (weight < 0 && is_of_text(s, voice, slots->list[i]))
			g_array_append_val(s->hammy, weight);
	}
	g_array_sort(s->hammy, compare_weights);
	n = MIN(n, s->hammy->len);
	for (size_t i = 0; i < n; i++)
		total -= g_array_index(s->hammy, double, i);
	*ret_score = voice_total(options, total, slots->count - n, model_bias(s->model, voice));
	return true;
}

static bool
fisher_without(struct stuffing *s, size_t n, double *ret_logit)
{
	const struct slots *words = &s->features->voices[VOICE_WORDS];
	const struct fisher_options *options = &s->model->options.fisher;
	const struct fisher_counts totals = model_seen_counts(s->model);
	const struct voice_sums *counts = model_gather(s->model, MODEL_COUNTS, words);
	struct fisher_result result;
	struct fisher_sum sum = {0};
	if (counts == NULL)
		return false;
	g_array_set_size(s->hammy, 0);
	for (size_t i = 0; i < words->count; i++) {
		struct fisher_counts of = {
		    (uint32_t)MAX(counts[i].z, 0), (uint32_t)MAX(counts[i].n, 0)};
		double word = fisher_word(options, totals, of);
		if (!fisher_is_used(options, word))
			continue;
		if (word < 0.5 && is_of_text(s, VOICE_WORDS, words->list[i]))
			g_array_append_val(s->hammy, word);
		else
			fisher_add(&sum, word);
	}
	g_array_sort(s->hammy, compare_weights);
	for (size_t i = n; i < s->hammy->len; i++)
		fisher_add(&sum, g_array_index(s->hammy, double, i));
	fisher_combine(options, &sum, &result);
	*ret_logit = fisher_logit(&result);
	return true;
}

static bool
score_all_without(struct stuffing *s, struct mixture_logits *logits)
{
	return score_without(s, VOICE_WORDS, SET_ASIDE_WORDS, &logits->voice[VOICE_WORDS]) &&
	       score_without(s, VOICE_CONTENT, SET_ASIDE_WORDS, &logits->voice[VOICE_CONTENT]) &&
	       score_without(s, VOICE_RAW, SET_ASIDE_GRAMS, &logits->voice[VOICE_RAW]) &&
	       score_without(s, VOICE_TEXT, SET_ASIDE_GRAMS, &logits->voice[VOICE_TEXT]) &&
	       fisher_without(s, SET_ASIDE_WORDS, &logits->voice[MIXTURE_FISHER]);
}

bool
model_find_stuffing(struct model *model, const struct features *features,
    const struct mixture_logits *logits, double *ret_lift)
{
	const struct mixture_options *options = &model->options.mixture;
	struct mixture_step weights = model_mixture(model);
	struct mixture_logits bare = *logits;
	double evidence = mixture_evidence(options, &weights, logits);
	double header = logits->voice[VOICE_HEADER] - HEADER_MARGIN;
	double spam = mixture_spam_evidence(options);
	*ret_lift = 0;
	if (!logits->present[VOICE_HEADER] || header < MAX(evidence, spam) ||
	    features->voices[VOICE_HEADER].count < HEADER_GRAMS_MIN)
		return true;
	g_autoptr(GArray) hammy = g_array_new(FALSE, FALSE, sizeof(double));
	struct stuffing stuffing = {model, features, hammy};
	if (!score_all_without(&stuffing, &bare))
		return false;
	double without = mixture_evidence(options, &weights, &bare) - MARGIN;
	if (without >= spam)
		*ret_lift = MAX(MIN(without, header) - evidence, 0);
	return true;
}
