#include "config.h"

#include <string.h>
#include "classifier/model/state.h"

#define PLACES_MIN 1024

struct model_place {
	uint32_t tag;    /* of the hash */
	uint32_t number; /* of the word, plus 1; 0 in a free place */
};

static void
make_places(struct model_words *words, size_t size)
{
	g_free(words->places);
	words->places = g_new0(struct model_place, size);
	words->size = size;
}

void
model_words_init(struct model *model)
{
	model->words.list = g_array_new(FALSE, FALSE, sizeof(struct model_word));
	model->words.texts = g_byte_array_new();
	make_places(&model->words, PLACES_MIN);
}

void
model_words_clear(struct model *model)
{
	g_array_unref(model->words.list);
	g_byte_array_unref(model->words.texts);
	g_free(model->words.places);
}

static struct model_word *
word_at(const struct model_words *words, guint number)
{
	return &g_array_index(words->list, struct model_word, number);
}

/* The place of the word with this hash, or the free one where it belongs. */
static struct model_place *
find_place(const struct model_words *words, uint64_t hash)
{
	for (size_t i = hash & (words->size - 1);; i = (i + 1) & (words->size - 1)) {
		struct model_place *place = &words->places[i];
		if (place->number == 0 || (place->tag == (uint32_t)(hash >> 32) &&
					      word_at(words, place->number - 1)->hash == hash))
			return place;
	}
}

static struct model_word *
word_find(const struct model_words *words, uint64_t hash)
{
	const struct model_place *place = find_place(words, hash);
	return place->number > 0 ? word_at(words, place->number - 1) : NULL;
}

static void
take_place(struct model_words *words, uint64_t hash, guint number)
{
	*find_place(words, hash) =
	    (struct model_place){.tag = (uint32_t)(hash >> 32), .number = number + 1};
}

static struct model_word *
word_new(struct model *model, const struct model_token *token)
{
	struct model_words *words = &model->words;
	struct model_word word = {
	    .hash = token->hash, .length = (uint32_t)token->length, .text = words->texts->len};
	if (2 * (size_t)words->list->len >= words->size) {
		make_places(words, 2 * words->size);
		for (guint i = 0; i < words->list->len; i++)
			take_place(words, word_at(words, i)->hash, i);
	}
	take_place(words, token->hash, words->list->len);
	g_array_append_val(words->list, word);
	g_byte_array_append(words->texts, (const guint8 *)token->text, (guint)token->length);
	model->waiting += sizeof(word) + token->length + 2 * sizeof(struct model_place);
	return word_at(words, words->list->len - 1);
}

static void
words_forget(struct model_words *words)
{
	g_array_set_size(words->list, 0);
	g_byte_array_set_size(words->texts, 0);
	memset(words->places, 0, words->size * sizeof(*words->places));
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
	struct model_word *word = word_find(&model->words, token->hash);
	if (word == NULL)
		word = word_new(model, token);
	word->spam = saturating_add(word->spam, spam);
	word->ham = saturating_add(word->ham, ham);
	word->day = MAX(word->day, day);
	word->dirty = true;
}

static uint32_t
sum_count(uint32_t stored, int32_t delta)
{
	int64_t sum = (int64_t)stored + delta;
	return (uint32_t)CLAMP(sum, 0, INT32_MAX);
}

static bool
count_list(struct model *model, const struct model_token *list, size_t count,
    struct fisher_counts *ret_counts)
{
	memset(ret_counts, 0, count * sizeof(*ret_counts));
	if (model->has_source &&
	    !model->source.counts(model->source.context, list, count, ret_counts))
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct model_word *word = word_find(&model->words, list[i].hash);
		if (word == NULL)
			continue;
		ret_counts[i].spam = sum_count(ret_counts[i].spam + word->stored.spam, word->spam);
		ret_counts[i].ham = sum_count(ret_counts[i].ham + word->stored.ham, word->ham);
	}
	return true;
}

bool
model_words_count(
    struct model *model, const struct tokens *tokens, struct fisher_counts *ret_counts)
{
	g_autofree struct model_token *list = g_new(struct model_token, tokens->count + 1);
	for (size_t i = 0; i < tokens->count; i++)
		list[i] = (struct model_token){.text = tokens_text(tokens, i),
		    .length = tokens->list[i].length,
		    .hash = tokens->list[i].hash};
	return count_list(model, list, tokens->count, ret_counts);
}

bool
model_words_count_spelled(
    struct model *model, const struct tokens *tokens, struct fisher_counts *ret_counts)
{
	const size_t before = strlen(MODEL_SPELLING);
	g_autofree struct model_token *list = g_new(struct model_token, tokens->count + 1);
	g_autofree struct fisher_counts *spelled = g_new(struct fisher_counts, tokens->count + 1);
	g_autofree char *texts = g_malloc(tokens->used + tokens->count * before + 1);
	char *at = texts;
	for (size_t i = 0; i < tokens->count; i++) {
		size_t length = tokens->list[i].length;
		memcpy(at, MODEL_SPELLING, before);
		memcpy(at + before, tokens_text(tokens, i), length);
		list[i] = (struct model_token){
		    .text = at, .length = before + length, .hash = token_hash(at, before + length)};
		at += before + length;
	}
	if (!model_words_count(model, tokens, ret_counts) ||
	    !count_list(model, list, tokens->count, spelled))
		return false;
	for (size_t i = 0; i < tokens->count; i++)
		if (spelled[i].spam > 0 || spelled[i].ham > 0)
			ret_counts[i] = spelled[i];
	return true;
}

/* The first bytes of a word decide nearly always. */
struct sorted_word {
	uint64_t start;
	uint32_t number, length;
	const uint8_t *text;
};

static gint
compare_words(gconstpointer a, gconstpointer b)
{
	const struct sorted_word *x = a, *y = b;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	int order = memcmp(x->text, y->text, MIN(x->length, y->length));
	return order != 0 ? order : (x->length > y->length) - (x->length < y->length);
}

/* Those that changed, sorted as a store sorts its keys. */
static GArray *
sort_words(const struct model_words *words)
{
	GArray *sorted = g_array_new(FALSE, FALSE, sizeof(struct sorted_word));
	for (guint i = 0; i < words->list->len; i++) {
		const struct model_word *word = word_at(words, i);
		struct sorted_word one = {
		    .number = i, .length = word->length, .text = words->texts->data + word->text};
		if (!word->dirty)
			continue;
		memcpy(&one.start, one.text, MIN(one.length, sizeof(one.start)));
		one.start = GUINT64_FROM_BE(one.start);
		g_array_append_val(sorted, one);
	}
	g_array_sort(sorted, compare_words);
	return sorted;
}

void
model_words_drain(struct model *model, const struct model_sink *sink)
{
	g_autoptr(GArray) sorted = sort_words(&model->words);
	for (guint i = 0; i < sorted->len; i++) {
		const struct sorted_word *one = &g_array_index(sorted, struct sorted_word, i);
		struct model_word *word = word_at(&model->words, one->number);
		struct model_token token = {
		    .text = (const char *)one->text, .length = word->length, .hash = word->hash};
		sink->token(sink->context, &token, word->spam, word->ham, word->day);
		word->stored.spam = sum_count(word->stored.spam, word->spam);
		word->stored.ham = sum_count(word->stored.ham, word->ham);
		word->spam = word->ham = 0;
		word->dirty = false;
	}
	if (model->has_source)
		words_forget(&model->words);
}
