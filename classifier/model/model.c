#include "config.h"

#include <string.h>
#include "classifier/model/state.h"

/*
 * Measured on the SpamAssassin corpus (tests/bench/accuracy.py; 1-ROCA in percent of the sum of
 * voices in order of time / shuffled, mean of three / bodies / bodies shuffled). These: 0.069
 * 0.0221 0.119 0.073. Half and double the alpha of words: 0.074 0.0239 0.134 0.078, 0.070 0.0237
 * 0.133 0.079; its power 0.4, 0.6: 0.067 0.0237 0.134 0.088, 0.071 0.0236 0.129 0.073. Raw with
 * power 0.25 and alpha 0.07: 0.071 0.0224 0.130 0.077; its alpha 0.3, 0.5: 0.072 0.0225 0.120
 * 0.071, 0.071 0.0220 0.119 0.073. Alpha of text 0.7, 1.2: 0.070 0.0221 0.119 0.073, 0.077 0.0234
 * 0.134 0.078. All of it is flat: nothing here is tuned to the last digit. With the voices of
 * header and content, and Fisher's min_dev at 0.45 (fisher.h), it is 0.055 0.0131 0.100 0.066.
 */
struct model_options
model_options_default(void)
{
	return (struct model_options){
	    .fisher = fisher_options_default(),
	    .imported = fisher_options_bogofilter(),
	    .imported_spam_cutoff = 0.99,
	    .imported_ham_cutoff = 0.45,
	    .voices =
		{
		    [VOICE_WORDS] = {.alpha = 1.0, .beta = 0.001, .power = 0.5},
		    [VOICE_RAW] = {.alpha = 0.4, .beta = 0.001, .power = 0.5},
		    [VOICE_TEXT] = {.alpha = 0.5, .beta = 0.003, .power = 0.5},
		    [VOICE_HEADER] = {.alpha = 1.0, .beta = 0.001, .power = 0.5},
		    [VOICE_CONTENT] = {.alpha = 1.0, .beta = 0.001, .power = 0.5},
		},
	    .mixture = mixture_options_default(),
	    .draws = REHEARSAL_DRAWS,
	    .memory_bytes = REHEARSAL_BYTES,
	    .corrections = 20,
	};
}

struct model *
model_new(const struct model_options *options, const struct model_source *source)
{
	struct model *model = g_new0(struct model, 1);
	model->options = *options;
	model->has_source = source != NULL;
	model_words_init(model);
	model_memory_init(model);
	if (source != NULL) {
		model->source = *source;
		if (!source->head(source->context, model->head)) {
			model_free(model);
			return NULL;
		}
		memcpy(model->stored_head, model->head, sizeof(model->head));
	}
	return model;
}

void
model_free(struct model *model)
{
	if (model == NULL)
		return;
	if (model->view) {
		for (unsigned i = 0; i < MODEL_TABLES; i++)
			g_free(model->tables[i].sums);
		g_free(model);
		return;
	}
	model_tables_clear(model);
	model_words_clear(model);
	model_memory_clear(model);
	g_free(model);
}

struct model *
model_view(const struct model *whole)
{
	struct model *view = g_new(struct model, 1);
	*view = *whole;
	view->view = true;
	for (unsigned i = 0; i < MODEL_TABLES; i++) {
		view->tables[i].sums = NULL;
		view->tables[i].sums_size = 0;
	}
	return view;
}

bool
model_is_current(const struct model *model)
{
	int32_t head[MODEL_HEAD_CELLS] = {0};
	return model->source.head(model->source.context, head) &&
	       !memcmp(head, model->stored_head, sizeof(head));
}

static uint32_t
head_count(const struct model *model, enum model_head_cell cell)
{
	return (uint32_t)MAX(model->head[cell], 0);
}

struct fisher_counts
model_learned_counts(const struct model *model)
{
	return (struct fisher_counts){
	    head_count(model, MODEL_HEAD_SPAM), head_count(model, MODEL_HEAD_HAM)};
}

struct fisher_counts
model_imported_counts(const struct model *model)
{
	return (struct fisher_counts){head_count(model, MODEL_HEAD_IMPORTED_SPAM),
	    head_count(model, MODEL_HEAD_IMPORTED_HAM)};
}

struct fisher_counts
model_seen_counts(const struct model *model)
{
	struct fisher_counts all = model_learned_counts(model), more = model_imported_counts(model);
	return (struct fisher_counts){all.spam + more.spam, all.ham + more.ham};
}

struct mixture_step
model_mixture(const struct model *model)
{
	struct mixture_step sum;
	memcpy(sum.cells, &model->head[MODEL_HEAD_MIXTURE], sizeof(sum.cells));
	return sum;
}

struct voice_sums
model_bias(const struct model *model, enum voice_name voice)
{
	return (struct voice_sums){
	    model->head[MODEL_HEAD_BIAS_Z + voice], model->head[MODEL_HEAD_BIAS_N + voice]};
}

bool
model_has_stepped(const struct model *model)
{
	bool any = false;
	for (unsigned voice = 0; voice < VOICES; voice++)
		any |= model->head[MODEL_HEAD_TAKEN + voice] > 0;
	return any;
}

/* So much of MORE as can be added to SUM: a list may hold any number, and be imported twice. */
static int32_t
count_room(int32_t sum, uint32_t more)
{
	return (int32_t)MIN(more, (uint32_t)(INT32_MAX - MAX(sum, 0)));
}

void
model_import_token(
    struct model *model, const char *text, size_t length, struct fisher_counts counts, uint32_t day)
{
	struct model_token token = {
	    .text = text, .length = length, .hash = token_hash(text, length)};
	uint32_t slot = token_slot(token.hash);
	struct slots slots = {.list = &slot, .count = 1};
	const struct voice_sums *sums = model_gather(model, MODEL_COUNTS, &slots);
	struct voice_step step = {
	    .z = count_room(sums != NULL ? sums->z : 0, counts.spam),
	    .n = count_room(sums != NULL ? sums->n : 0, counts.ham),
	};
	model_add(model, MODEL_COUNTS, &slots, &step);
	model_word_add(model, &token, (int32_t)MIN(counts.spam, INT32_MAX),
	    (int32_t)MIN(counts.ham, INT32_MAX), day);
}

void
model_import_spelling(
    struct model *model, const char *text, size_t length, struct fisher_counts counts, uint32_t day)
{
	g_autofree char *spelled = g_strdup_printf(MODEL_SPELLING "%.*s", (int)length, text);
	size_t all = strlen(spelled);
	struct model_token token = {
	    .text = spelled, .length = all, .hash = token_hash(spelled, all)};
	model_word_add(model, &token, (int32_t)MIN(counts.spam, INT32_MAX),
	    (int32_t)MIN(counts.ham, INT32_MAX), day);
}

void
model_import_totals(struct model *model, struct fisher_counts totals)
{
	int32_t *spam = &model->head[MODEL_HEAD_IMPORTED_SPAM];
	int32_t *ham = &model->head[MODEL_HEAD_IMPORTED_HAM];
	*spam += count_room(*spam, totals.spam);
	*ham += count_room(*ham, totals.ham);
}

int32_t
model_layout(const int32_t head[MODEL_HEAD_CELLS])
{
	bool empty = true;
	for (uint32_t i = 0; i < MODEL_HEAD_CELLS; i++)
		empty &= head[i] == 0;
	return empty ? MODEL_LAYOUT : head[MODEL_HEAD_LAYOUT];
}

static void
drain_head(struct model *model, const struct model_sink *sink)
{
	struct model_cell cells[MODEL_HEAD_CELLS];
	size_t count = 0;
	if (memcmp(model->head, model->stored_head, sizeof(model->head)) != 0)
		model->head[MODEL_HEAD_LAYOUT] = MODEL_LAYOUT;
	for (uint32_t i = 0; i < MODEL_HEAD_CELLS; i++) {
		int32_t delta =
		    (int32_t)((uint32_t)model->head[i] - (uint32_t)model->stored_head[i]);
		if (delta == 0)
			continue;
		bool maximum = i >= MODEL_HEAD_MAXIMA;
		cells[count++] = (struct model_cell){i, maximum ? model->head[i] : delta};
	}
	memcpy(model->stored_head, model->head, sizeof(model->head));
	if (count > 0)
		sink->head(sink->context, cells, count);
}

void
model_drain(struct model *model, const struct model_sink *sink)
{
	model_tables_drain(model, sink);
	model_words_drain(model, sink);
	model_memory_drain(model, sink);
	drain_head(model, sink);
	model->waiting = 0;
}

size_t
model_waiting(const struct model *model)
{
	return model->waiting;
}

void
model_totals(const struct model *model, struct model_totals *ret_totals)
{
	struct mixture_step sum = model_mixture(model);
	struct model_totals totals = {
	    .learned = model_learned_counts(model),
	    .imported = model_imported_counts(model),
	    .memory_bytes = (size_t)head_count(model, MODEL_HEAD_MEMORY_SPAM) +
			    head_count(model, MODEL_HEAD_MEMORY_HAM),
	};
	totals.owed = model->head[MODEL_HEAD_DEFERRED] > model->head[MODEL_HEAD_SETTLED];
	memcpy(totals.steps, &model->head[MODEL_HEAD_TAKEN], sizeof(totals.steps));
	for (unsigned i = 0; i < MIXTURE_CELLS; i++)
		totals.weights[i] = mixture_weight(&sum, i);
	*ret_totals = totals;
}
