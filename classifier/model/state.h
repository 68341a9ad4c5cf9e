/*
 * What a model is made of. For the files classifier/model*.c only.
 *
 * Everything is an overlay: what changed since the last drain, over what the store has. Without a
 * store the overlay is all there is.
 */
#ifndef GREYLAG_CLASSIFIER_MODEL_STATE_H
#define GREYLAG_CLASSIFIER_MODEL_STATE_H

#include "classifier/model/model.h"

struct model_table {
	struct voice_sums *base;  /* what the store has, NULL unless preloaded */
	struct voice_sums *delta; /* what was added to it, NULL if nothing was; but if ALONE that
				     is in the base */
	struct voice_sums *sums;  /* room for what is gathered */
	size_t sums_size;
	bool alone;
	uint64_t dirty[(MODEL_PAGES + 63) / 64];
	bool any_dirty;
};

struct model_word {
	uint64_t hash;
	struct fisher_counts stored; /* without a source */
	int32_t spam, ham;           /* added to what is stored */
	uint32_t day;
	uint32_t length;
	bool dirty;
	size_t text; /* where it begins in the words' texts */
};

/* By their hashes. In a bulk run one is looked up for each token, and from a table of pointers that
 * took a tenth of all time, in waiting for memory. */
struct model_words {
	GArray *list;      /* struct model_word */
	GByteArray *texts; /* one behind the other */
	struct model_place *places;
	size_t size; /* of PLACES, a power of two */
};

/* An entry of the registry. */
struct model_record {
	uint8_t digest[CANONICAL_DIGEST_SIZE];
	struct model_entry entry;
	bool exists, dirty;
};

/* A remembered message; without SLOTS one that is no longer remembered. */
struct model_memo {
	uint8_t digest[CANONICAL_DIGEST_SIZE];
	uint8_t *slots;
	size_t length;
	bool dirty;
};

struct model {
	struct model_options options;
	struct model_source source;
	bool has_source;
	bool view; /* tables, words and memory are another model's */
	int32_t head[MODEL_HEAD_CELLS], stored_head[MODEL_HEAD_CELLS];
	struct model_table tables[MODEL_TABLES];
	struct model_words words;
	GHashTable *records; /* digest -> struct model_record */
	GTree *memory[2];    /* of ham and spam: digest -> struct model_memo */
	GByteArray *encoded; /* room to write slots down */
	size_t waiting;      /* bytes */
	bool deferring;
};

/* -- totals -- */

struct fisher_counts model_learned_counts(const struct model *model);
struct fisher_counts model_imported_counts(const struct model *model);
struct fisher_counts model_seen_counts(const struct model *model); /* both */
struct mixture_step model_mixture(const struct model *model);
struct voice_sums model_bias(const struct model *model, enum voice_name voice);
bool model_has_stepped(const struct model *model); /* any voice */

/* -- parts of judging, learning and unlearning -- */

/* OWN is what the message itself has added to the counts, to be left out. False if the source
 * failed. */
bool model_score_fisher(struct model *model, const struct features *features,
    struct fisher_counts own, struct mixture_logits *ret_logits, struct fisher_result *ret_fisher);

/* By how much the evidence must rise because of words that were put in to look like ham; 0 mostly.
 * False if the source failed. */
bool model_find_stuffing(struct model *model, const struct features *features,
    const struct mixture_logits *logits, double *ret_lift);

/* The logits of SCORE, and its lift -> all the rest of it. YOUNG as in mixture_verdict(). */
void model_conclude(const struct model *model, bool young, struct model_score *score);

/* One step of one voice on a message; it is added to what the message's entry holds. With FORCE
 * it is as large as if the voice had no opinion, unless that is beyond what the mixture hears.
 * RET_SCORE, which may be NULL, is that before the step. False if the source failed. Different
 * voices may step at the same time. */
bool model_step_voice(struct model *model, enum voice_name voice, const struct features *features,
    bool force, struct model_entry *entry, double *ret_score);
void model_step_mixture(
    struct model *model, const struct mixture_logits *logits, struct model_entry *entry);

/* What one voice's features, or the message's logits, have added is taken out. */
void model_undo_voice(struct model *model, enum voice_name voice, const struct slots *slots,
    struct model_entry *entry);
void model_undo_mixture(struct model *model, struct model_entry *entry);

/* -- tables -- */

void model_tables_clear(struct model *model);

/* All sums of FEATURES will be gathered: the source may read them at once. */
void model_expect(const struct model *model, const struct features *features);

/* The sums of SLOTS in the model's own room, valid until the next call for this table; NULL if the
 * source failed. */
struct voice_sums *model_gather(struct model *model, unsigned table, const struct slots *slots);
void model_add(
    struct model *model, unsigned table, const struct slots *slots, const struct voice_step *step);
void model_tables_drain(struct model *model, const struct model_sink *sink);

/* Adds the bias and number of STEP too. */
void model_add_step(struct model *model, enum voice_name voice, const struct slots *slots,
    const struct voice_step *step);

/* -- words -- */

/* Of a token that is an imported list's spelling of another. */
#define MODEL_SPELLING "case:"

void model_words_init(struct model *model);
void model_words_clear(struct model *model);
void model_word_add(
    struct model *model, const struct model_token *token, int32_t spam, int32_t ham, uint32_t day);
/* False if the source failed. */
bool model_words_count(
    struct model *model, const struct tokens *tokens, struct fisher_counts *ret_counts);
/* The same of an imported list's own spellings, where it has such, else of what they are folded to.
 */
bool model_words_count_spelled(
    struct model *model, const struct tokens *tokens, struct fisher_counts *ret_counts);
void model_words_drain(struct model *model, const struct model_sink *sink);

/* -- registry and memory -- */

void model_memory_init(struct model *model);
void model_memory_clear(struct model *model);

/* The record of DIGEST, made if it was not there yet; NULL if the source failed. */
struct model_record *model_record(struct model *model, const uint8_t digest[CANONICAL_DIGEST_SIZE]);

/* FEATURES are remembered under their digest, if there is room for them. False if the source
 * failed. */
bool model_remember(struct model *model, const struct features *features, bool spam);

/* These, as they were recalled, are no longer remembered. */
bool model_forget(struct model *model, const struct features *features, bool spam);

/* The remembered message of the class at POINT or next above it; *RET_FOUND says whether there is
 * one. Its slots as they are written down, unless RET_SLOTS is NULL. False if the source failed. */
bool model_recall_bytes(struct model *model, bool spam, const uint8_t point[CANONICAL_DIGEST_SIZE],
    bool *ret_found, uint8_t ret_digest[CANONICAL_DIGEST_SIZE], GByteArray *ret_slots);

/* The same, read. */
bool model_recall(struct model *model, bool spam, const uint8_t point[CANONICAL_DIGEST_SIZE],
    bool *ret_found, struct features *ret_features);

/* The same with what lies below POINT after what lies above it. */
bool model_recall_around(struct model *model, bool spam, const uint8_t point[CANONICAL_DIGEST_SIZE],
    bool *ret_found, struct features *ret_features);

/* What was remembered beyond what there is room for goes. False if the source failed. */
bool model_memory_trim(struct model *model);

void model_memory_drain(struct model *model, const struct model_sink *sink);

/* Makes DIGEST the next higher one; false after the highest. */
bool model_digest_next(uint8_t digest[CANONICAL_DIGEST_SIZE]);

#endif
