/*
 * The milter's store: one thread that owns it, for all that is written, and for the tables that the
 * judges judge by. What other processes have learned is taken up within a second, of a server's
 * store within a quarter of a minute. May be called by any thread.
 */
#ifndef GREYLAG_POLICYD_MILTER_KEEPER_H
#define GREYLAG_POLICYD_MILTER_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

#include "classifier/bank/verdicts.h"
#include "db/store.h"
#include "lib/settings.h"
#include "policyd/milter/judges.h"
#include "policyd/program/runstate.h"

struct milter_keeper;

/* Hears what mail experiences, by the keeper's thread, whenever that changes. */
struct milter_listener {
	void (*tell)(void *context, enum condition condition, const char *reason);
	void *context;
};

/*
 * Opens the store, after PATIENCE seconds, and again every few seconds while it cannot be opened.
 * SETTINGS and JUDGES must outlive it.
 */
struct milter_keeper *milter_keeper_new(const struct settings *settings, struct judges *judges,
    unsigned patience, const struct milter_listener *listener);

/* Writes what waits, within some seconds, and closes the store. Others may go on to call: nothing
 * comes of it. */
void milter_keeper_stop(struct milter_keeper *keeper);
/* After milter_keeper_stop(), when nobody calls any more. */
void milter_keeper_free(struct milter_keeper *keeper);

/* Waits until the first attempt to open the store was made. */
void milter_keeper_wait(struct milter_keeper *keeper);

/* For reads by any thread; NULL while it is not open, and of a server's, which only its owner may
 * ask. Open until the keeper stops. */
struct store *milter_keeper_store(struct milter_keeper *keeper);

/* Counts a verdict; what cannot be written now is written later. */
void milter_keeper_judged(struct milter_keeper *keeper, enum verdict verdict, double score);
void milter_keeper_failed(struct milter_keeper *keeper);

/* Has WRITE called with DATA, within a tenth of a second, by the thread that owns the store, and
 * DATA freed; unless the store is not open or too much is waiting: then DATA is freed, and false
 * returned. WRITE begins writes and does not wait for them. */
bool milter_keeper_write(struct milter_keeper *keeper,
    void (*write)(struct store *store, void *data), void *data, GDestroyNotify free_data);

#endif
