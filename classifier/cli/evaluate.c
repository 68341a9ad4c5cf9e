#include "config.h"

#include "classifier/cli/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "classifier/bank/course.h"

/* The words shown for a mistake. */
#define WHY_WORDS 8

void
sample_free(gpointer data)
{
	struct sample *sample = data;

	g_free(sample->name);
	g_clear_pointer(&sample->why, g_array_unref);
	reading_free(sample->reading);
	g_free(sample);
}

static struct sample *
sample_at(const GPtrArray *samples, size_t i)
{
	return g_ptr_array_index(samples, i);
}

/* -- one sample -- */

static void
judge(struct model *model, struct sample *sample)
{
	model_judge(model, &sample->reading->tokens, &sample->reading->features, &sample->score);
}

double
sample_wrongness(const struct sample *sample)
{
	return sample->spam ? -sample->score.evidence : sample->score.evidence;
}

/* The place of the heaviest word that is left, which then is none any more; N if none weighs
 * anything. */
static size_t
take_heaviest(struct model_reason *reasons, size_t n, double *ret_weight)
{
	size_t heaviest = n;
	double weight = 0;

	for (size_t i = 0; i < n; i++)
		if (fabs(reasons[i].weight) > fabs(weight)) {
			heaviest = i;
			weight = reasons[i].weight;
		}
	if (heaviest == n)
		return n;
	reasons[heaviest].weight = 0;
	*ret_weight = weight;
	return heaviest;
}

static void
clear_word(gpointer data)
{
	g_free(((struct sample_word *)data)->text);
}

static void
explain(struct model *model, struct sample *sample)
{
	const struct tokens *tokens = &sample->reading->tokens;
	g_autofree struct model_reason *reasons = g_new0(struct model_reason, tokens->count + 1);

	sample->why = g_array_new(FALSE, FALSE, sizeof(struct sample_word));
	g_array_set_clear_func(sample->why, clear_word);
	if (!model_explain(model, tokens, &sample->reading->features, reasons))
		return;
	while (sample->why->len < WHY_WORDS) {
		struct sample_word word = {0};
		size_t i = take_heaviest(reasons, tokens->count, &word.weight);

		if (i == tokens->count)
			return;
		word.text = g_strndup(tokens_text(tokens, i), tokens->list[i].length);
		word.spam = reasons[i].counts.spam;
		word.ham = reasons[i].counts.ham;
		g_array_append_val(sample->why, word);
	}
}

/* -- learning, as `greylag train --ham ... --spam ...` does -- */

static void
learn(void *context, gpointer item)
{
	struct course *course = context;
	const struct sample *sample = item;
	const struct reading *reading = sample->reading;
	struct model_report report;
	enum model_learned outcome = model_learn(
	    course->model, &reading->tokens, &reading->features, sample->spam, 0, &report);

	course->learned += outcome == MODEL_LEARNED || outcome == MODEL_MOVED;
	if (outcome == MODEL_MOVED && report.deferred)
		course_note_move(course, reading->features.digest, sample->spam, sample->name);
	course_watch(course);
}

static void
rebuild(void *context)
{
	course_rebuild(context);
	course_forget_moves(context);
}

/* From place FROM on. */
static size_t
next_of(const GPtrArray *samples, bool spam, size_t from)
{
	while (from < samples->len && sample_at(samples, from)->spam != spam)
		from++;
	return from;
}

/* Ham and spam in turn, each class in its order, as training takes them. */
static GPtrArray *
in_turn(const GPtrArray *samples)
{
	GPtrArray *mixed = g_ptr_array_sized_new(samples->len);
	size_t next[] = {next_of(samples, false, 0), next_of(samples, true, 0)};

	for (unsigned class = 0; mixed->len < samples->len; class = !class) {
		if (next[class] == samples->len)
			continue;
		g_ptr_array_add(mixed, sample_at(samples, next[class]));
		next[class] = next_of(samples, class, next[class] + 1);
	}
	return mixed;
}

/* One run of training. */
static void
learn_all(struct model *model, const GPtrArray *samples)
{
	g_autoptr(GPtrArray) mixed = in_turn(samples);
	struct course course;
	const struct course_functions functions = {
	    .learn = learn, .rebuild = rebuild, .context = &course};

	model_begin_run(model);
	course_begin(&course, &functions, model);
	for (guint i = 0; i < mixed->len; i++) {
		struct sample *sample = sample_at(mixed, i);
		struct reading *reading = sample->reading;

		if (course_holds(&course))
			course_hold(&course, sample, reading_shrink(reading),
			    course_is_fresh(&course, reading->features.digest, sample->spam));
		else
			learn(&course, sample);
	}
	course_learn_held(&course);
	if (course_ends_in_rebuild(&course, false))
		rebuild(&course);
	course_clear(&course);
}

/* -- online -- */

struct online {
	struct model *model;
	GPtrArray *chunk; /* struct sample */
	unsigned size, warm_up;
	size_t judged;
};

struct online *
online_new(const struct model_options *options, unsigned chunk, unsigned warm_up)
{
	struct online *online = g_new(struct online, 1);

	*online = (struct online){
	    .model = model_new(options, NULL),
	    .chunk = g_ptr_array_new(),
	    .size = chunk,
	    .warm_up = warm_up,
	};
	return online;
}

static void
end_chunk(struct online *online)
{
	for (guint i = 0; i < online->chunk->len; i++) {
		struct sample *sample = sample_at(online->chunk, i);

		judge(online->model, sample);
		if (online->judged++ >= online->warm_up && sample_wrongness(sample) > 0)
			explain(online->model, sample);
	}
	learn_all(online->model, online->chunk);
	for (guint i = 0; i < online->chunk->len; i++)
		g_clear_pointer(&sample_at(online->chunk, i)->reading, reading_free);
	g_ptr_array_set_size(online->chunk, 0);
}

void
online_add(struct online *online, struct sample *sample)
{
	g_ptr_array_add(online->chunk, sample);
	if (online->chunk->len == online->size)
		end_chunk(online);
}

void
online_finish(struct online *online)
{
	end_chunk(online);
	g_ptr_array_unref(online->chunk);
	model_free(online->model);
	g_free(online);
}

/* -- cross-validation -- */

static bool
in_fold(const struct sample *sample, unsigned fold, unsigned folds)
{
	const uint8_t *d = sample->reading->features.digest;

	return ((unsigned)d[0] << 8 | d[1]) % folds == fold;
}

void
evaluate_folds(const struct model_options *options, GPtrArray *samples, unsigned folds)
{
	for (unsigned fold = 0; fold < folds; fold++) {
		struct model *model = model_new(options, NULL);
		g_autoptr(GPtrArray) others = g_ptr_array_new();

		for (size_t i = 0; i < samples->len; i++)
			if (!in_fold(sample_at(samples, i), fold, folds))
				g_ptr_array_add(others, sample_at(samples, i));
		learn_all(model, others);
		for (size_t i = 0; i < samples->len; i++) {
			struct sample *sample = sample_at(samples, i);

			if (!in_fold(sample, fold, folds))
				continue;
			judge(model, sample);
			if (sample_wrongness(sample) > 0)
				explain(model, sample);
		}
		model_free(model);
	}
}

/* -- figures -- */

struct ranked {
	double evidence, probability;
	bool spam;
};

static int
by_evidence(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return (x->evidence > y->evidence) - (x->evidence < y->evidence);
}

static GArray *
rank(const GPtrArray *samples, size_t first, size_t last)
{
	GArray *ranked = g_array_new(FALSE, FALSE, sizeof(struct ranked));

	for (size_t i = first; i < MIN(last, samples->len); i++) {
		const struct sample *s = sample_at(samples, i);
		struct ranked r = {s->score.evidence, s->score.probability, s->spam};

		g_array_append_val(ranked, r);
	}
	g_array_sort(ranked, by_evidence);
	return ranked;
}

/* The chance that a ham has more evidence for spam than a spam; ties count half. */
static double
misranked(const GArray *ranked, size_t spam, size_t ham)
{
	double pairs = 0, spam_below = 0;

	for (guint i = 0; i < ranked->len;) {
		double evidence = g_array_index(ranked, struct ranked, i).evidence;
		double spam_here = 0, ham_here = 0;

		for (; i < ranked->len &&
		       g_array_index(ranked, struct ranked, i).evidence == evidence;
		     i++) {
			bool is_spam = g_array_index(ranked, struct ranked, i).spam;

			spam_here += is_spam;
			ham_here += !is_spam;
		}
		pairs += ham_here * (spam_below + spam_here / 2);
		spam_below += spam_here;
	}
	return spam && ham ? pairs / ((double)spam * (double)ham) : 0;
}

/* Share of spam that ranks below all but the highest LOSS of the ham. */
static double
missed_at(const GArray *ranked, size_t spam, size_t ham, double loss)
{
	size_t allowed = (size_t)floor(loss * (double)ham), lost = 0, caught = 0;

	for (guint i = ranked->len; i > 0; i--) {
		if (g_array_index(ranked, struct ranked, i - 1).spam)
			caught++;
		else if (++lost > allowed)
			break;
	}
	return spam ? 1 - (double)caught / (double)spam : 0;
}

struct accuracy
accuracy_of(const GPtrArray *samples, size_t first, size_t last)
{
	g_autoptr(GArray) ranked = rank(samples, first, last);
	size_t lost = 0, caught = 0, unsure = 0;
	struct accuracy a = {0};

	for (size_t i = first; i < MIN(last, samples->len); i++) {
		const struct sample *s = sample_at(samples, i);

		a.spam += s->spam;
		a.ham += !s->spam;
		lost += !s->spam && s->score.verdict == VERDICT_SPAM;
		caught += s->spam && s->score.verdict == VERDICT_SPAM;
		unsure += s->score.verdict == VERDICT_UNSURE;
	}
	a.roca = misranked(ranked, a.spam, a.ham);
	a.missed = missed_at(ranked, a.spam, a.ham, ACCURACY_MISSED_AT);
	a.ham_lost = a.ham ? (double)lost / (double)a.ham : 0;
	a.spam_caught = a.spam ? (double)caught / (double)a.spam : 0;
	a.unsure = ranked->len ? (double)unsure / ranked->len : 0;
	return a;
}

struct accuracy_counts
accuracy_with(const GPtrArray *samples, size_t first, double spam_cutoff, double ham_cutoff)
{
	const struct mixture_options cutoffs = {
	    .spam_cutoff = spam_cutoff, .ham_cutoff = ham_cutoff};
	struct accuracy_counts counts = {0};

	for (size_t i = first; i < samples->len; i++) {
		const struct sample *s = sample_at(samples, i);
		enum verdict verdict =
		    mixture_verdict(&cutoffs, s->score.probability, s->score.young);

		*(s->spam ? &counts.spam : &counts.ham) += 1;
		*(s->spam ? &counts.spam_caught : &counts.ham_lost) += verdict == VERDICT_SPAM;
		*(s->spam ? &counts.spam_unsure : &counts.ham_unsure) += verdict == VERDICT_UNSURE;
	}
	return counts;
}

double
accuracy_cutoff(const GPtrArray *samples, size_t first, bool spam, double loss)
{
	g_autoptr(GArray) ranked = rank(samples, first, samples->len);
	size_t others = 0, seen = 0, allowed;

	for (guint i = 0; i < ranked->len; i++)
		others += g_array_index(ranked, struct ranked, i).spam != spam;
	allowed = (size_t)floor(loss * (double)others);
	for (guint i = 0; i < ranked->len; i++) {
		const struct ranked *r =
		    &g_array_index(ranked, struct ranked, spam ? ranked->len - 1 - i : i);

		/* Between this one, the first too many, and the one before it. */
		if (r->spam != spam && ++seen > allowed)
			return spam ? nextafter(r->probability, 1) : nextafter(r->probability, 0);
	}
	return spam ? 0.5 : 0.5;
}
