/*
 * What has been learned, in the store: where a model reads it from and writes it to.
 *
 *	tokens    key: the token; cells: spam, ham, day
 *	slots     key: table, page (two bytes); cells as in model.h.  Key "head": the head's cells
 *	messages  key: digest; a record of classifier/bank/registry.h
 *	memory    key: class (1 ham, 2 spam), digest; the message's slots
 *
 * What a model hands over in one commit is one transaction: no count is ever half written.
 *
 * A store on a server is trained by several hosts at once, without a lock (bank_turn.h). All that
 * they write is added up, and entries of the registry are merged (registry_merge()). What cannot be
 * merged, since two of them have learned, moved or forgotten the same message, is a conflict: the
 * second commit fails as a whole with BANK_CONFLICT, and its messages are to be learned again by a
 * new model, which then finds them known. So no message counts twice, and none is lost.
 */
#ifndef GREYLAG_CLASSIFIER_BANK_BANK_H
#define GREYLAG_CLASSIFIER_BANK_BANK_H

#include <stdbool.h>
#include <glib.h>

#include "classifier/model/model.h"
#include "db/store.h"
#include "lib/settings.h"

struct bank;

/* BANK_SERVE is BANK_LEARN with the store's policy environment open, too. */
enum bank_access { BANK_READ, BANK_LEARN, BANK_SERVE };
/* Or'ed to one of the first two by who has mail waiting: a server that is slow or gone is not
 * waited for, as BANK_SERVE does not. */
#define BANK_AT_ONCE 4

#define BANK_ERROR (g_quark_from_static_string("bank"))

enum bank_error { BANK_FAILED, BANK_CONFLICT };

/*
 * Opens the store at URI (or a folder's path). For BANK_LEARN it is made if it is missing; for
 * BANK_READ a missing store is an error. SETTINGS must outlive the bank.
 */
struct bank *bank_open(
    const struct settings *settings, const char *uri, unsigned access, GError **error);
void bank_close(struct bank *bank);

struct store *bank_store(const struct bank *bank);

/* Other hosts may train it too. */
bool bank_is_shared(const struct bank *bank);

/* What the settings say of the model. */
struct model_options bank_options_of(const struct settings *settings);

/* A model that reads from the bank, which must outlive it; several threads may have one each. */
struct model *bank_model(struct bank *bank);

/* Reads all tables at once, for runs of many messages: 32 MiB, and no look-ups any more. To learn
 * from a server's, what is remembered as well. False if the store failed. */
bool bank_preload(struct bank *bank, struct model *model);

/* Messages that a model will learn soon, of a shared store: what the registry knows of them, and of
 * those that will be rehearsed with them, is read at once, not one by one. */
void bank_expect(struct bank *bank, const struct features *const *messages, size_t n);

/* One trainer at a time: waits for the others. What a model read before the lock was taken may be
 * out of date, so it is made after. For a store that other hosts share there is no lock: their
 * numbers add up all the same. */
bool bank_lock(struct bank *bank, GError **error);
/* Does not wait; false if another trainer has it, or it cannot be had. */
bool bank_try_lock(struct bank *bank);
void bank_unlock(struct bank *bank);

/* Writes what the model has learned since the last time; when it returns, it is on the disk. After
 * a failure the model is not to be used any more. */
bool bank_commit(struct bank *bank, struct model *model, GError **error);

/*
 * The same, but it may return while it is being written; bank_wait() waits for that, and tells if
 * it failed. So does the next commit, which is not done then. The model may learn on meanwhile;
 * where it needs what is being written of an embedded store, it waits for that.
 */
bool bank_begin_commit(struct bank *bank, struct model *model, GError **error);
bool bank_wait(struct bank *bank, GError **error);

/* With model_defer(), of a shared store: each commit from here on says that a rebuild is owed, also
 * if another host rebuilds in between. */
void bank_defer(struct bank *bank);

/*
 * Before model_rebuild() on a shared store: until the next commit, or half a minute, all others
 * wait with theirs. False if others have it for longer, or the store failed.
 * *RET_FRESH says whether the model has seen all that others have committed; if not, it is to be
 * made and preloaded anew. The next commit fails with BANK_CONFLICT if the time was over.
 */
bool bank_begin_rebuild(struct bank *bank, bool *ret_fresh);

/* Reads the counts of one token; all zero if it is unknown. False if the store failed. */
bool bank_token(struct bank *bank, const char *token, size_t length,
    struct fisher_counts *ret_counts, uint32_t *ret_day);

/* Keys and cells of the layout above, for dump, load and import. */
enum bank_token_cell { BANK_TOKEN_SPAM, BANK_TOKEN_HAM, BANK_TOKEN_DAY, BANK_TOKEN_CELLS };

#define BANK_PAGE_KEY   3
#define BANK_MEMORY_KEY (1 + CANONICAL_DIGEST_SIZE)
#define BANK_HEAD_KEY   "head"

/* Whether a cell of the head is merged by its maximum instead of by adding. */
bool bank_head_is_maximum(uint32_t head_cell);

#endif
