/*
 * For the tests of the model: messages to learn, and models that have learned them. What a model
 * holds is compared as text: all that model_drain() hands over, line by line, in a fixed order.
 */
#ifndef GREYLAG_TESTS_MODEL_WORLD_H
#define GREYLAG_TESTS_MODEL_WORLD_H

#include <stdbool.h>
#include <glib.h>

#include "classifier/model/model.h"
#include "classifier/bank/reader.h"

#define MESSAGES 60

struct world {
	struct settings *settings;
	struct reader *reader;
	GPtrArray *readings; /* message NUMBER: ham if even, spam if odd */
};

void world_open(struct world *w);
void world_close(struct world *w);

/* The header of one of the kind of those above; the caller frees it. */
char *world_header(unsigned number, bool spam);
struct reading *world_read(struct world *w, unsigned number, bool spam);
/* With this header, and a text that says SAID and then, if PUT, words of ham. */
struct reading *world_read_stuffed(struct world *w, const char *header, const char *said, bool put);

struct model_options world_options_without_memory(void);
struct model *world_model(void);
struct model *world_model_without_memory(void);

/* All of them, in this order. */
enum order { MIXED, HAM_FIRST, SPAM_FIRST, BACKWARDS, ORDERS };
struct model *world_train(struct world *w, enum order order);

/* Message NUMBER, as what it is. */
void world_learn(struct world *w, struct model *model, unsigned number);
void world_unlearn(struct world *w, struct model *model, unsigned number);
void world_learn_all(struct world *w, struct model *model);
void world_unlearn_all(struct world *w, struct model *model);

enum model_learned world_learn_as(struct model *model, const struct reading *r, bool spam);
struct model_score world_judge(struct model *model, const struct reading *r);
double world_evidence(struct world *w, struct model *model, unsigned number, bool spam);

enum part { COUNTS = 1, VOICES_LEARNED = 2, ENTRIES = 4, MEMORY = 8, ALL = 15 };

/* Of a model that was not drained before; it is freed. */
char *world_snapshot(struct model *model, unsigned parts);

/* It holds nothing, and is freed. */
void world_assert_empty(struct model *model);

/* Both are freed. */
void world_assert_alike(char *a, char *b);

#endif
