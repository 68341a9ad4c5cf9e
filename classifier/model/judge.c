#include "config.h"

#include <stdlib.h>
#include "classifier/model/state.h"

bool
model_score_fisher(struct model *model, const struct features *features, struct fisher_counts own,
    struct mixture_logits *ret_logits, struct fisher_result *ret_fisher)
{
	const struct slots *words = &features->voices[VOICE_WORDS];
	const struct voice_sums *counts = model_gather(model, MODEL_COUNTS, words);
	struct fisher_counts totals = model_seen_counts(model);
	struct fisher_sum sum = {0};
	if (counts == NULL)
		return false;
	totals.spam -= MIN(own.spam, totals.spam);
	totals.ham -= MIN(own.ham, totals.ham);
	for (size_t i = 0; i < words->count; i++) {
		int64_t spam = (int64_t)counts[i].z - own.spam;
		int64_t ham = (int64_t)counts[i].n - own.ham;
		double word = fisher_word(&model->options.fisher, totals,
		    (struct fisher_counts){(uint32_t)MAX(spam, 0), (uint32_t)MAX(ham, 0)});
		if (fisher_is_used(&model->options.fisher, word))
			fisher_add(&sum, word);
	}
	fisher_combine(&model->options.fisher, &sum, ret_fisher);
	ret_logits->voice[MIXTURE_FISHER] = fisher_logit(ret_fisher);
	ret_logits->present[MIXTURE_FISHER] = totals.spam > 0 && totals.ham > 0;
	return true;
}

static bool
score_voice(
    struct model *model, enum voice_name voice, const struct features *features, double *ret_score)
{
	const struct slots *slots = &features->voices[voice];
	const struct voice_sums *sums = model_gather(model, voice, slots);
	if (sums == NULL)
		return false;
	*ret_score = voice_score(
	    &model->options.voices[voice], sums, slots->count, model_bias(model, voice));
	return true;
}

static bool
score_all(struct model *model, const struct features *features, struct mixture_logits *ret_logits,
    struct fisher_result *ret_fisher)
{
	const struct fisher_counts none = {0};
	struct mixture_logits logits = {0};
	model_expect(model, features);
	for (enum voice_name voice = 0; voice < VOICES; voice++) {
		logits.present[voice] =
		    model->head[MODEL_HEAD_TAKEN + voice] > 0 && features->voices[voice].count > 0;
		if (!score_voice(model, voice, features, &logits.voice[voice]))
			return false;
	}
	if (!model_score_fisher(model, features, none, &logits, ret_fisher))
		return false;
	*ret_logits = logits;
	return true;
}

bool
model_has_only_list(const struct model *model)
{
	struct fisher_counts list = model_imported_counts(model);
	return (list.spam > 0 || list.ham > 0) && !model_has_stepped(model);
}

/* An imported word list is all there is: as bogofilter would. */
static bool
judge_imported(struct model *model, const struct tokens *tokens, struct model_score *ret_score)
{
	g_autofree struct fisher_counts *counts = g_new(struct fisher_counts, tokens->count + 1);
	const struct model_options *options = &model->options;
	struct model_score score = {.imported = true};
	struct fisher_sum sum = {0};
	if (!model_words_count_spelled(model, tokens, counts))
		return false;
	for (size_t i = 0; i < tokens->count; i++) {
		double word = fisher_word(&options->imported, model_seen_counts(model), counts[i]);
		if (fisher_is_used(&options->imported, word))
			fisher_add(&sum, word);
	}
	fisher_combine(&options->imported, &sum, &score.fisher);
	score.logits.voice[MIXTURE_FISHER] = fisher_logit(&score.fisher);
	score.logits.present[MIXTURE_FISHER] = true;
	score.shares[MIXTURE_FISHER] = score.evidence = score.fisher.evidence;
	score.probability = score.fisher.spamicity;
	if (score.probability >= options->imported_spam_cutoff)
		score.verdict = VERDICT_SPAM;
	else
		score.verdict = score.probability <= options->imported_ham_cutoff ? VERDICT_HAM
										  : VERDICT_UNSURE;
	*ret_score = score;
	return true;
}

/*
 * Beside an imported word list the voices count for no more than what they have learned, a message
 * that was learned for IMPORTED_WORTH of the list's: the list alone decides at first, and the sum
 * of voices, which is much better, in the end.
 */
#define IMPORTED_WORTH 20.0

static void
weigh_imported(const struct model *model, struct model_score *score)
{
	struct fisher_counts list = model_imported_counts(model), own = model_learned_counts(model);
	double messages = (double)list.spam + list.ham;
	double share = messages / (messages + IMPORTED_WORTH * ((double)own.spam + own.ham));
	if (messages == 0)
		return;
	for (unsigned voice = 0; voice < MIXTURE_VOICES; voice++)
		score->shares[voice] *= 1.0 - share;
	score->lift *= 1.0 - share;
	score->shares[MIXTURE_FISHER] += share * score->logits.voice[MIXTURE_FISHER];
	score->evidence =
	    (1.0 - share) * score->evidence + share * score->logits.voice[MIXTURE_FISHER];
}

void
model_conclude(const struct model *model, bool young, struct model_score *score)
{
	const struct mixture_options *options = &model->options.mixture;
	struct mixture_step weights = model_mixture(model);
	for (unsigned voice = 0; voice < MIXTURE_VOICES; voice++)
		score->shares[voice] = mixture_share(options, &weights, &score->logits, voice);
	score->evidence = mixture_evidence(options, &weights, &score->logits) + score->lift;
	weigh_imported(model, score);
	score->probability = mixture_probability(score->evidence);
	score->young = young;
	score->verdict = mixture_verdict(options, score->probability, young);
}

bool
model_judge(struct model *model, const struct tokens *tokens, const struct features *features,
    struct model_score *ret_score)
{
	struct fisher_counts all = model_seen_counts(model);
	struct model_score score = {0};
	if (model_has_only_list(model))
		return judge_imported(model, tokens, ret_score);
	if (!score_all(model, features, &score.logits, &score.fisher) ||
	    !model_find_stuffing(model, features, &score.logits, &score.lift))
		return false;
	model_conclude(model, mixture_is_young(all.spam, all.ham), &score);
	*ret_score = score;
	return true;
}

static int
compare_slots(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

bool
model_explain(struct model *model, const struct tokens *tokens, const struct features *features,
    struct model_reason *ret_reasons)
{
	const struct slots *words = &features->voices[VOICE_WORDS];
	const struct voice_options *voice = &model->options.voices[VOICE_WORDS];
	const struct fisher_options *fisher =
	    model_has_only_list(model) ? &model->options.imported : &model->options.fisher;
	g_autofree struct fisher_counts *counts = g_new(struct fisher_counts, tokens->count + 1);
	if (model_has_only_list(model) ? !model_words_count_spelled(model, tokens, counts)
				       : !model_words_count(model, tokens, counts))
		return false;
	const struct voice_sums *sums = model_gather(model, VOICE_WORDS, words);
	if (sums == NULL)
		return false;
	for (size_t i = 0; i < tokens->count; i++) {
		uint32_t slot = token_slot(tokens->list[i].hash);
		const uint32_t *at = words->count > 0 ? bsearch(&slot, words->list, words->count,
							    sizeof(slot), compare_slots)
						      : NULL;
		double word = fisher_word(fisher, model_seen_counts(model), counts[i]);
		ret_reasons[i] = (struct model_reason){
		    .counts = counts[i],
		    .word = word,
		    .used = fisher_is_used(fisher, word),
		    .weight = at != NULL ? voice_weight(voice, sums[at - words->list], words->count)
					 : 0.0,
		};
	}
	return true;
}
