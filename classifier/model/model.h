/*
 * What has been learned: learn, unlearn, score, explain.
 *
 * A model stands alone in memory (tests, benchmarks, evaluate) or before a store: then it reads
 * through a struct model_source what it needs and hands through model_drain() to a struct
 * model_sink what has changed since the last time, as numbers to be added. It knows no store.
 *
 * -- What learning one message adds, and where --
 *
 *	tokens     for each token: 1 to spam or ham; its day becomes at least the message's
 *	slots      in the table of each voice, at each of the message's slots: step.z to z, step.n
 *	           to n; in the table of counts, at each slot of its words: 1 to spam or ham
 *	head       1 to spam or ham; of each voice step.bias_z, step.bias_n, step.taken; the
 *	           cells of the mixture's step; bytes of memory taken
 *	registry   an entry under the message's digest, with just these numbers
 *	memory     the message's slots under its digest, if it is among those remembered
 *
 * and, with rehearsal on, for each remembered message that is drawn: a step to its slots, to the
 * biases, and to the steps in that message's registry entry. So an entry always holds the sum of
 * all that its message's features have added, by its own steps and by rehearsal. Unlearning adds
 * the same numbers with the other sign and deletes the entry: exact to the bit, in any order. All
 * but the entries and the memory merge by adding.
 *
 * The table of counts holds what tokens hold, by slot instead of by text, so that scoring needs no
 * look-up by text and the memory's messages can be scored without their own counts. Some tokens
 * share a slot: measured, that costs nothing at one token a slot and a tenth of the ranking at
 * five.
 *
 * -- As cells (db/store.h: signed 32-bit numbers that are changed by adding) --
 *
 *	slots      page slot / 510 of a table; cell 2 * (slot % 510) is z or spam, the next n or ham
 *	tokens     spam, ham, day (STORE_MAX)
 *	head       enum model_head_cell (STORE_MAX from MODEL_HEAD_MAXIMA on)
 *
 * A model belongs to one thread.
 */
#ifndef GREYLAG_CLASSIFIER_MODEL_MODEL_H
#define GREYLAG_CLASSIFIER_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>
#include "classifier/model/fisher.h"
#include "classifier/model/mixture.h"
#include "classifier/features/ngrams.h"
#include "classifier/model/rehearsal.h"
#include "classifier/features/tokens.h"
#include "classifier/model/voice.h"

/* Tables: one of each voice (enum voice_name), then the counts by slot, spam in z and ham in n. */
#define MODEL_COUNTS VOICES
#define MODEL_TABLES (VOICES + 1)

#define MODEL_PAGE_SLOTS 510
#define MODEL_PAGE_CELLS (2 * MODEL_PAGE_SLOTS)
#define MODEL_PAGES      ((NGRAMS_SLOTS + MODEL_PAGE_SLOTS - 1) / MODEL_PAGE_SLOTS) /* of a table */

enum model_head_cell {
	MODEL_HEAD_SPAM, /* messages learned */
	MODEL_HEAD_HAM,
	MODEL_HEAD_IMPORTED_SPAM, /* messages that an imported word list was made from */
	MODEL_HEAD_IMPORTED_HAM,
	MODEL_HEAD_BIAS_Z, /* of each voice */
	MODEL_HEAD_BIAS_N = MODEL_HEAD_BIAS_Z + VOICES,
	MODEL_HEAD_TAKEN = MODEL_HEAD_BIAS_N + VOICES, /* steps of each voice */
	MODEL_HEAD_MIXTURE = MODEL_HEAD_TAKEN + VOICES,
	MODEL_HEAD_MEMORY_SPAM = MODEL_HEAD_MIXTURE + MIXTURE_CELLS, /* bytes remembered */
	MODEL_HEAD_MEMORY_HAM,
	/* These are merged by their maximum: */
	MODEL_HEAD_LOWERINGS_SPAM, /* of the memory's ceilings */
	MODEL_HEAD_LOWERINGS_HAM,
	MODEL_HEAD_LAYOUT,   /* MODEL_LAYOUT, once anything was learned */
	MODEL_HEAD_DEFERRED, /* bulk runs that were begun */
	MODEL_HEAD_SETTLED,  /* the last of them whose messages have all taken their steps */
	MODEL_HEAD_CELLS,
	MODEL_HEAD_MAXIMA = MODEL_HEAD_LOWERINGS_SPAM,
};

/* Changes whenever cells of the head or the tables of voices mean something else than before, as
 * STORE_LAYOUT does for all else. */
#define MODEL_LAYOUT 2

/* The layout of a store by its HEAD; that of an empty one is MODEL_LAYOUT. */
int32_t model_layout(const int32_t head[MODEL_HEAD_CELLS]);

struct model_options {
	struct fisher_options fisher;
	/* Where an imported word list is all there is: bogofilter's own parameters and cut-offs. */
	struct fisher_options imported;
	double imported_spam_cutoff, imported_ham_cutoff;
	struct voice_options voices[VOICES];
	struct mixture_options mixture;
	unsigned draws;       /* of rehearsal with each message; 0: off */
	size_t memory_bytes;  /* for remembered messages; 0: none, and no rehearsal */
	unsigned corrections; /* steps more, at most, on a message that is still judged wrongly */
};

struct model_options model_options_default(void);

/* Of a message that was learned. */
struct model_entry {
	bool spam;
	uint32_t day; /* since 1970-01-01, when it was learned */
	uint16_t tokens_version, ngrams_version;
	uint32_t checksums[VOICES]; /* slots_checksum() */
	struct voice_step steps[VOICES];
	struct mixture_step mixture;
	enum verdict before; /* the verdict, and its evidence, before it was learned: unsure and 0
				if it was not judged yet */
	double evidence;
	bool remembered;
	uint16_t dialogue; /* of its features */
};

/* False of one that was learned without having been judged: in a run of one class, say. */
static inline bool
model_entry_is_judged(const struct model_entry *entry)
{
	return entry->before != VERDICT_UNSURE || entry->evidence != 0;
}

struct model_token {
	const char *text;
	size_t length;
	uint64_t hash;
};

/* What a store has; what is not there is zero. All return false if the store failed. Then so does
 * the call of the model that needed it, and after a failed learn, unlearn or rebuild the model must
 * not be drained: what was drained before stands, the rest is to be learned again. */
struct model_source {
	void *context;
	/* Called once, by model_new(). */
	bool (*head)(void *context, int32_t ret_cells[MODEL_HEAD_CELLS]);
	/* Only for explain, and to score by an imported word list. RET_COUNTS has room for all. */
	bool (*counts)(void *context, const struct model_token *tokens, size_t count,
	    struct fisher_counts *ret_counts);
	/* The two cells of each slot. SLOTS ascend, so a page's follow one another. Not called for
	 * tables that were preloaded. May be called by several threads at once, and while the
	 * model's own calls the others. */
	bool (*sums)(void *context, unsigned table, const uint32_t *slots, size_t count,
	    struct voice_sums *ret_sums);
	/* May be NULL. sums() is about to be asked for those of FEATURES, of all tables. */
	void (*expect)(void *context, const struct features *features);
	bool (*entry)(void *context, const uint8_t digest[CANONICAL_DIGEST_SIZE], bool *ret_found,
	    struct model_entry *ret_entry);
	/* The remembered message of the class whose digest is POINT or the next above it (not round
	 * the end): its digest, and its slots as rehearsal_encode() wrote them, appended, unless
	 * RET_SLOTS is NULL. */
	bool (*remembered)(void *context, bool spam, const uint8_t point[CANONICAL_DIGEST_SIZE],
	    bool *ret_found, uint8_t ret_digest[CANONICAL_DIGEST_SIZE], GByteArray *ret_slots);
};

struct model_cell {
	uint32_t index;
	int32_t delta;
};

/* What has changed since the last drain; pointers are valid during the call only. */
struct model_sink {
	void *context;
	/* From MODEL_HEAD_MAXIMA on values to be merged by their maximum, not deltas. */
	void (*head)(void *context, const struct model_cell *cells, size_t count);
	void (*token)(void *context, const struct model_token *token, int32_t spam, int32_t ham,
	    uint32_t day);
	void (*page)(void *context, unsigned table, uint32_t page, const struct model_cell *cells,
	    size_t count);
	/* Instead, if the model is alone: all cells of one, in the model's own memory, where they
	 * stay until it learns on. */
	void (*whole_page)(
	    void *context, unsigned table, uint32_t page, const int32_t *cells, size_t count);
	/* ENTRY is NULL for one that was deleted. */
	void (*entry)(void *context, const uint8_t digest[CANONICAL_DIGEST_SIZE],
	    const struct model_entry *entry);
	/* SLOTS is NULL for a message that is no longer remembered. */
	void (*memory)(void *context, const uint8_t digest[CANONICAL_DIGEST_SIZE], bool spam,
	    const uint8_t *slots, size_t length);
};

struct model;

/* SOURCE, which is copied, may be NULL. NULL if it failed. */
struct model *model_new(const struct model_options *options, const struct model_source *source);
void model_free(struct model *model);

/* For long runs: every page of the store is handed over once, then model_preloaded() says that all
 * others are zero. 27 MiB. If ALONE nobody else writes them in the store from then on: whole pages
 * are drained then. */
void model_preload(
    struct model *model, unsigned table, uint32_t page, const int32_t *cells, size_t count);
void model_preloaded(struct model *model, bool alone);

/*
 * A model for another thread that judges by the tables of WHOLE, which was preloaded, without a
 * copy of them. WHOLE must outlive it and stay as it is: neither learns. To be freed by
 * model_free().
 */
struct model *model_view(const struct model *whole);

/* Whether the source's head still is what the model read; false if something was learned since, or
 * the source failed. */
bool model_is_current(const struct model *model);

struct model_score {
	enum verdict verdict;
	double probability; /* 0..1 that it is spam */
	double evidence;    /* the log-odds behind it: same order, no ties */
	bool young;         /* unsure because too little was learned */
	bool imported; /* an imported word list alone decided, by bogofilter's S and cut-offs */
	struct mixture_logits logits;
	double shares[MIXTURE_VOICES]; /* of the evidence; the rest is the mixture's bias and: */
	double lift; /* what it gained because words most like ham were set aside; 0 mostly */
	struct fisher_result fisher;
};

/* TOKENS and FEATURES are of the same message. False if the source failed. */
bool model_judge(struct model *model, const struct tokens *tokens, const struct features *features,
    struct model_score *ret_score);

enum model_learned {
	MODEL_LEARNED,
	MODEL_KNOWN,     /* was learned as that class before: nothing changed */
	MODEL_MOVED,     /* was learned as the other class, which was undone first */
	MODEL_FORGOTTEN, /* by model_unlearn() */
	MODEL_UNKNOWN,   /* model_unlearn(): was never learned */
	MODEL_DIFFERS,   /* model_unlearn(): its words are read otherwise than when it was learned,
			    or its n-grams are and it is not remembered: cannot be undone exactly;
			    nothing changed */
	MODEL_FAILED,    /* the source failed */
};

struct model_report {
	struct model_score before; /* as a message not yet learned */
	struct model_score after;
	bool right;     /* false: after all steps still judged the other class; or, if it was moved,
			   not judged its own */
	bool stale;     /* moved, but some of what it had added could not be undone */
	bool deferred;  /* not judged: see model_defer() */
	unsigned steps; /* that were taken on it */
};

/* Whether model_learn() would find it known as that class; false too if the source failed. */
bool model_knows(struct model *model, const uint8_t digest[CANONICAL_DIGEST_SIZE], bool spam);

/* DAY is since 1970-01-01. RET_REPORT, which may be NULL, is set if it was learned or moved. */
enum model_learned model_learn(struct model *model, const struct tokens *tokens,
    const struct features *features, bool spam, uint32_t day, struct model_report *ret_report);
enum model_learned model_unlearn(
    struct model *model, const struct tokens *tokens, const struct features *features);

/*
 * After a bulk run: what remembered messages added to the voices' tables, biases and mixture is
 * taken out, and all of them take their steps anew, in the order of their digests, each scored
 * before that and without its own counts. What results does not depend on the order of training
 * for all that the memory holds. Several threads work at it. False if the source failed.
 */
bool model_rebuild(struct model *model);

/* Whether a run that learned RUN messages, and is about to learn so many NEW ones, calls for
 * model_rebuild(). */
bool model_wants_rebuild(const struct model *model, size_t run, size_t new);

/*
 * A bulk run that will end with model_rebuild() need not step on each message before: from here on
 * those learned are only counted and remembered, which is several times as fast. All of them are
 * remembered, so once the memory holds twice what it may, model_memory_is_full(), it is time for
 * model_rebuild(), after which it holds what it may again. What is drained in between says that
 * the rebuild is owed (struct model_totals), so that the next run makes up for one that was killed.
 * Does nothing without memory. Where others train the store too, see bank_defer().
 */
void model_defer(struct model *model);
/* After such a run: the messages of the next one step at once. */
void model_begin_run(struct model *model);
bool model_memory_is_full(const struct model *model);

/* The remembered message that was moved to the class in a bulk run is judged, and stepped on until
 * it is judged right, as model_learn() does; false, and RET_REPORT untouched, if it is not
 * remembered or the source failed. */
bool model_correct(struct model *model, const uint8_t digest[CANONICAL_DIGEST_SIZE], bool spam,
    struct model_report *ret_report);

/* An imported word list: COUNTS of a token, and of the messages that it was made from. */
void model_import_token(struct model *model, const char *text, size_t length,
    struct fisher_counts counts, uint32_t day);
/* How the list spells a token whose case was folded, and its own counts; only a message that is
 * read with its case has such tokens (reader_follow()). */
void model_import_spelling(struct model *model, const char *text, size_t length,
    struct fisher_counts counts, uint32_t day);
void model_import_totals(struct model *model, struct fisher_counts totals);

/* An imported word list is all there is to judge by. */
bool model_has_only_list(const struct model *model);

/* Hands over what changed, and counts it as stored: tokens and pages sorted as their keys in a
 * store. */
void model_drain(struct model *model, const struct model_sink *sink);

/* Bytes, about, that wait for model_drain(), tables apart. */
size_t model_waiting(const struct model *model);

struct model_totals {
	struct fisher_counts learned, imported;
	int32_t steps[VOICES];
	size_t memory_bytes;
	double weights[MIXTURE_CELLS];
	bool owed; /* a bulk run was cut short: some messages have not taken their steps yet */
};
void model_totals(const struct model *model, struct model_totals *ret_totals);

/* Of one token of a message. */
struct model_reason {
	struct fisher_counts counts;
	double word;   /* Robinson's f(w) */
	bool used;     /* by Fisher */
	double weight; /* what the logistic voice of words adds to its score for it */
};

/* RET_REASONS has room for one of each token, in their order. False if the source failed. */
bool model_explain(struct model *model, const struct tokens *tokens,
    const struct features *features, struct model_reason *ret_reasons);

#endif
