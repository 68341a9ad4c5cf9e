/*
 * The classifier for many threads: judges, as many as may work at a time, that share one copy of
 * the tables. Who wants a judge while all are at work waits for one. May be called by any thread.
 */
#ifndef GREYLAG_POLICYD_MILTER_JUDGES_H
#define GREYLAG_POLICYD_MILTER_JUDGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifier/model/model.h"
#include "classifier/bank/reader.h"
#include "lib/settings.h"

struct judges;

/* SETTINGS must outlive them. */
struct judges *judges_new(const struct settings *settings, unsigned count);
/* No judge may be at work. */
void judges_free(struct judges *judges);

/* From the next message on they judge by MODEL, which was preloaded and is theirs from now on; NULL
 * for none: nothing can be judged. */
void judges_set_model(struct judges *judges, struct model *model);

/*
 * Reads and judges a message. ADD, which may be NULL, is called between the two, and may add
 * tokens. *RET_READING is the reading, to be freed by reading_free(), in any case; false if no
 * verdict could be had.
 */
bool judges_judge(struct judges *judges, const uint8_t *bytes, size_t length,
    void (*add)(void *context, struct reading *reading), void *context,
    struct reading **ret_reading, struct model_score *ret_score);

#endif
