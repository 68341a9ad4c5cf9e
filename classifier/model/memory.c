#include "config.h"

#include <string.h>
#include "classifier/model/state.h"

static guint
digest_hash(gconstpointer digest)
{
	guint hash;
	memcpy(&hash, digest, sizeof(hash));
	return hash;
}

static gboolean
digest_equal(gconstpointer a, gconstpointer b)
{
	return memcmp(a, b, CANONICAL_DIGEST_SIZE) == 0;
}

static gint
digest_compare(gconstpointer a, gconstpointer b, G_GNUC_UNUSED gpointer data)
{
	return memcmp(a, b, CANONICAL_DIGEST_SIZE);
}

bool
model_digest_next(uint8_t digest[CANONICAL_DIGEST_SIZE])
{
	for (unsigned i = CANONICAL_DIGEST_SIZE; i-- > 0;)
		if (++digest[i] != 0)
			return true;
	return false;
}

static void
memo_free(gpointer data)
{
	struct model_memo *memo = data;
	g_free(memo->slots);
	g_free(memo);
}

void
model_memory_init(struct model *model)
{
	model->encoded = g_byte_array_new();
	model->records = g_hash_table_new_full(digest_hash, digest_equal, NULL, g_free);
	for (unsigned i = 0; i < 2; i++)
		model->memory[i] = g_tree_new_full(digest_compare, NULL, NULL, memo_free);
}

void
model_memory_clear(struct model *model)
{
	g_byte_array_unref(model->encoded);
	g_hash_table_destroy(model->records);
	for (unsigned i = 0; i < 2; i++)
		g_tree_destroy(model->memory[i]);
}

struct model_record *
model_record(struct model *model, const uint8_t digest[CANONICAL_DIGEST_SIZE])
{
	struct model_record *record = g_hash_table_lookup(model->records, digest);
	if (record != NULL)
		return record;
	record = g_new0(struct model_record, 1);
	memcpy(record->digest, digest, CANONICAL_DIGEST_SIZE);
	if (model->has_source &&
	    !model->source.entry(model->source.context, digest, &record->exists, &record->entry)) {
		g_free(record);
		return NULL;
	}
	g_hash_table_insert(model->records, record->digest, record);
	model->waiting += sizeof(*record) + 4 * sizeof(void *);
	return record;
}

/* The overlay's memo of DIGEST, made if there is none. */
static struct model_memo *
memo_of(struct model *model, const uint8_t digest[CANONICAL_DIGEST_SIZE], bool spam)
{
	struct model_memo *memo = g_tree_lookup(model->memory[spam], digest);
	if (memo != NULL)
		return memo;
	memo = g_new0(struct model_memo, 1);
	memcpy(memo->digest, digest, CANONICAL_DIGEST_SIZE);
	g_tree_insert(model->memory[spam], memo->digest, memo);
	model->waiting += sizeof(*memo) + 6 * sizeof(void *);
	return memo;
}

/* -- recall -- */

/* The next one in the overlay. */
static struct model_memo *
recall_overlay(struct model *model, bool spam, const uint8_t point[CANONICAL_DIGEST_SIZE])
{
	GTreeNode *node = g_tree_lower_bound(model->memory[spam], point);
	while (node != NULL) {
		struct model_memo *memo = g_tree_node_value(node);
		if (memo->slots != NULL)
			return memo;
		node = g_tree_node_next(node);
	}
	return NULL;
}

/* The next one that the store alone has. */
static bool
recall_stored(struct model *model, bool spam, const uint8_t point[CANONICAL_DIGEST_SIZE],
    bool *ret_found, uint8_t ret_digest[CANONICAL_DIGEST_SIZE], GByteArray *ret_slots)
{
	uint8_t at[CANONICAL_DIGEST_SIZE];
	memcpy(at, point, sizeof(at));
	do {
		bool found = false;
		if (ret_slots != NULL)
			g_byte_array_set_size(ret_slots, 0);
		if (!model->source.remembered(
			model->source.context, spam, at, &found, ret_digest, ret_slots))
			return false;
		*ret_found = found;
		if (!found || g_tree_lookup(model->memory[spam], ret_digest) == NULL)
			return true;
		memcpy(at, ret_digest, sizeof(at));
	} while (model_digest_next(at));
	*ret_found = false;
	return true;
}

static bool
decode(const uint8_t digest[CANONICAL_DIGEST_SIZE], const uint8_t *slots, size_t length,
    struct features *ret_features)
{
	if (!rehearsal_decode(slots, length, ret_features))
		return false;
	memcpy(ret_features->digest, digest, CANONICAL_DIGEST_SIZE);
	return true;
}

bool
model_recall_bytes(struct model *model, bool spam, const uint8_t point[CANONICAL_DIGEST_SIZE],
    bool *ret_found, uint8_t ret_digest[CANONICAL_DIGEST_SIZE], GByteArray *ret_slots)
{
	bool stored = false;
	if (model->has_source && !recall_stored(model, spam, point, &stored, ret_digest, ret_slots))
		return false;
	const struct model_memo *memo = recall_overlay(model, spam, point);
	*ret_found = stored || memo != NULL;
	if (memo == NULL || (stored && memcmp(memo->digest, ret_digest, sizeof(memo->digest)) >= 0))
		return true;
	memcpy(ret_digest, memo->digest, sizeof(memo->digest));
	if (ret_slots == NULL)
		return true;
	g_byte_array_set_size(ret_slots, 0);
	g_byte_array_append(ret_slots, memo->slots, (guint)memo->length);
	return true;
}

bool
model_recall(struct model *model, bool spam, const uint8_t point[CANONICAL_DIGEST_SIZE],
    bool *ret_found, struct features *ret_features)
{
	g_autoptr(GByteArray) slots = g_byte_array_new();
	uint8_t digest[CANONICAL_DIGEST_SIZE];
	bool found;
	if (!model_recall_bytes(model, spam, point, &found, digest, slots))
		return false;
	*ret_found = found && decode(digest, slots->data, slots->len, ret_features);
	return true;
}

bool
model_recall_around(struct model *model, bool spam, const uint8_t point[CANONICAL_DIGEST_SIZE],
    bool *ret_found, struct features *ret_features)
{
	static const uint8_t lowest[CANONICAL_DIGEST_SIZE];
	if (!model_recall(model, spam, point, ret_found, ret_features))
		return false;
	return *ret_found || model_recall(model, spam, lowest, ret_found, ret_features);
}

/* -- what is kept -- */

/* BYTES more of one class, or less. */
static void
count_memory(struct model *model, bool spam, int64_t bytes)
{
	int32_t *cell = &model->head[spam ? MODEL_HEAD_MEMORY_SPAM : MODEL_HEAD_MEMORY_HAM];
	*cell = (int32_t)CLAMP(*cell + bytes, INT32_MIN, INT32_MAX);
}

static bool
forget(struct model *model, const uint8_t digest[CANONICAL_DIGEST_SIZE], bool spam, size_t bytes)
{
	struct model_record *record = model_record(model, digest);
	if (record == NULL)
		return false;
	record->entry.remembered = false;
	record->dirty = true;
	struct model_memo *memo = memo_of(model, digest, spam);
	g_clear_pointer(&memo->slots, g_free);
	memo->dirty = true;
	count_memory(model, spam, -(int64_t)bytes);
	return true;
}

bool
model_forget(struct model *model, const struct features *features, bool spam)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	rehearsal_encode(features, bytes);
	return forget(model, features->digest, spam, bytes->len);
}

/* Bytes of one class, as the head says. Hosts that let the same message go at the same time may
 * together have counted it twice. */
static size_t
remembered_bytes(const struct model *model, bool spam)
{
	return (size_t)MAX(model->head[spam ? MODEL_HEAD_MEMORY_SPAM : MODEL_HEAD_MEMORY_HAM], 0);
}

/* *RET_ANY says whether anything of the class is left. */
static bool
evict_above_ceiling(struct model *model, bool spam, bool *ret_any)
{
	unsigned lowerings =
	    (unsigned)model->head[spam ? MODEL_HEAD_LOWERINGS_SPAM : MODEL_HEAD_LOWERINGS_HAM];
	g_autoptr(GByteArray) slots = g_byte_array_new();
	uint8_t point[CANONICAL_DIGEST_SIZE] = {0}, digest[CANONICAL_DIGEST_SIZE];
	bool more = true, failed = false, any = false;
	while (more && !failed) {
		bool found;
		if (!model_recall_bytes(model, spam, point, &found, digest, slots))
			return false;
		if (!found)
			break;
		bool keeps = rehearsal_keeps(digest, lowerings);
		any |= keeps;
		failed = !keeps && !forget(model, digest, spam, slots->len);
		memcpy(point, digest, sizeof(point));
		more = model_digest_next(point);
	}
	*ret_any = any;
	return !failed;
}

static bool
make_room(struct model *model)
{
	for (;;) {
		size_t spam = remembered_bytes(model, true), ham = remembered_bytes(model, false);
		bool larger = spam > ham, any;
		if (spam + ham <= model->options.memory_bytes)
			return true;
		model->head[larger ? MODEL_HEAD_LOWERINGS_SPAM : MODEL_HEAD_LOWERINGS_HAM]++;
		if (!evict_above_ceiling(model, larger, &any))
			return false;
		/* Whatever was counted: nothing takes no room. */
		if (!any)
			model->head[larger ? MODEL_HEAD_MEMORY_SPAM : MODEL_HEAD_MEMORY_HAM] = 0;
	}
}

bool
model_memory_trim(struct model *model)
{
	bool any;
	for (unsigned spam = 0; spam < 2; spam++)
		if (model->head[spam ? MODEL_HEAD_LOWERINGS_SPAM : MODEL_HEAD_LOWERINGS_HAM] > 0 &&
		    !evict_above_ceiling(model, spam != 0, &any))
			return false;
	return make_room(model);
}

bool
model_memory_is_full(const struct model *model)
{
	size_t bytes = remembered_bytes(model, true) + remembered_bytes(model, false);
	return bytes / 2 > model->options.memory_bytes;
}

bool
model_remember(struct model *model, const struct features *features, bool spam)
{
	unsigned lowerings =
	    (unsigned)model->head[spam ? MODEL_HEAD_LOWERINGS_SPAM : MODEL_HEAD_LOWERINGS_HAM];
	struct model_record *record = model_record(model, features->digest);
	if (record == NULL)
		return false;
	if (model->options.memory_bytes == 0 ||
	    (!model->deferring && !rehearsal_keeps(features->digest, lowerings)))
		return true;
	/* An array has room for the largest numbers, of which most are small. */
	GByteArray *bytes = model->encoded;
	g_byte_array_set_size(bytes, 0);
	rehearsal_encode(features, bytes);
	struct model_memo *memo = memo_of(model, features->digest, spam);
	g_free(memo->slots);
	memo->length = bytes->len;
	memo->slots = g_memdup2(bytes->data, bytes->len);
	memo->dirty = true;
	record->entry.remembered = true;
	model->waiting += memo->length;
	count_memory(model, spam, (int64_t)memo->length);
	return model->deferring || make_room(model);
}

/* -- drain -- */

static void
drain_records(struct model *model, const struct model_sink *sink)
{
	GHashTableIter iter;
	gpointer value;
	g_hash_table_iter_init(&iter, model->records);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct model_record *record = value;
		if (record->dirty)
			sink->entry(
			    sink->context, record->digest, record->exists ? &record->entry : NULL);
		record->dirty = false;
		if (model->has_source || !record->exists)
			g_hash_table_iter_remove(&iter);
	}
}

struct memo_drain {
	const struct model_sink *sink;
	bool spam;
};

static gboolean
drain_memo(G_GNUC_UNUSED gpointer key, gpointer value, gpointer data)
{
	struct model_memo *memo = value;
	const struct memo_drain *drain = data;
	if (memo->dirty)
		drain->sink->memory(drain->sink->context, memo->digest, drain->spam, memo->slots,
		    memo->slots != NULL ? memo->length : 0);
	memo->dirty = false;
	return FALSE;
}

void
model_memory_drain(struct model *model, const struct model_sink *sink)
{
	drain_records(model, sink);
	for (unsigned spam = 0; spam < 2; spam++) {
		struct memo_drain drain = {.sink = sink, .spam = spam != 0};
		g_tree_foreach(model->memory[spam], drain_memo, &drain);
		if (model->has_source)
			g_tree_remove_all(model->memory[spam]);
	}
}
