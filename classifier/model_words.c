#include <string.h>
#include "classifier/model_state.h"

void
model_words_init(struct model *model)
{
	model->words = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
}

void
model_words_clear(struct model *model)
{
	g_hash_table_destroy(model->words);
}

static struct model_word *
word_new(struct model *model, const struct model_token *token)
{
	struct model_word *word = g_malloc0(sizeof(*word) + token->length);
	word->hash = token->hash;
	word->length = (uint32_t)token->length;
	memcpy(word->text, token->text, token->length);
	g_hash_table_insert(model->words, &word->hash, word);
	model->waiting += sizeof(*word) + token->length + 2 * sizeof(void *);
	return word;
}

/* An imported list may hold any number, and be imported twice. */
static int32_t
saturating_add(int32_t a, int32_t b)
{
	return (int32_t)CLAMP((int64_t)a + b, INT32_MIN, INT32_MAX);
}

void
model_word_add(
    struct model *model, const struct model_token *token, int32_t spam, int32_t ham, uint32_t day)
{
	struct model_word *word = g_hash_table_lookup(model->words, &token->hash);
	if (word == NULL)
		word = word_new(model, token);
	word->spam = saturating_add(word->spam, spam);
	word->ham = saturating_add(word->ham, ham);
	word->day = MAX(word->day, day);
	word->dirty = true;
}

static bool
count_stored(struct model *model, const struct tokens *tokens, struct fisher_counts *ret_counts)
{
	memset(ret_counts, 0, tokens->count * sizeof(*ret_counts));
	if (!model->has_source)
		return true;
	g_autofree struct model_token *list = g_new(struct model_token, tokens->count + 1);
	for (size_t i = 0; i < tokens->count; i++)
		list[i] = (struct model_token){.text = tokens_text(tokens, i),
		    .length = tokens->list[i].length,
		    .hash = tokens->list[i].hash};
	return model->source.counts(model->source.context, list, tokens->count, ret_counts);
}

static uint32_t
sum_count(uint32_t stored, int32_t delta)
{
	int64_t sum = (int64_t)stored + delta;
	return (uint32_t)CLAMP(sum, 0, INT32_MAX);
}

bool
model_words_count(
    struct model *model, const struct tokens *tokens, struct fisher_counts *ret_counts)
{
	if (!count_stored(model, tokens, ret_counts))
		return false;
	for (size_t i = 0; i < tokens->count; i++) {
		const struct model_word *word =
		    g_hash_table_lookup(model->words, &tokens->list[i].hash);
		if (word == NULL)
			continue;
		ret_counts[i].spam = sum_count(ret_counts[i].spam + word->stored.spam, word->spam);
		ret_counts[i].ham = sum_count(ret_counts[i].ham + word->stored.ham, word->ham);
	}
	return true;
}

void
model_words_drain(struct model *model, const struct model_sink *sink)
{
	GHashTableIter iter;
	gpointer value;
	g_hash_table_iter_init(&iter, model->words);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct model_word *word = value;
		struct model_token token = {
		    .text = word->text, .length = word->length, .hash = word->hash};
		if (word->dirty)
			sink->token(sink->context, &token, word->spam, word->ham, word->day);
		if (model->has_source) {
			g_hash_table_iter_remove(&iter);
			continue;
		}
		word->stored.spam = sum_count(word->stored.spam, word->spam);
		word->stored.ham = sum_count(word->stored.ham, word->ham);
		word->spam = word->ham = 0;
		word->dirty = false;
	}
}
