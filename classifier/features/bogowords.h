/*
 * Words of a message as bogofilter 1.2.5 makes them, for as long as an imported list of its words
 * is all that decides. What classifier/features/tokens.h makes differs: it folds case, takes hosts
 * and addresses apart, and leaves out what looks like an id.
 *
 * A word begins with a letter and goes on with letters, digits and -._!$'`#~ up to a letter, a
 * digit or an exclamation mark; it is 3 to 30 bytes long. IPv4 addresses and sums of dollars are
 * words as well. Its place is subj: from: to: rtrn: rcvd: by the field, head: in all others, whose
 * names are words too. (Found by what bogolexer -p prints.) Of HTML there is the text and the
 * links; of the names and values inside tags, which bogofilter reads too, there is nothing.
 */
#ifndef GREYLAG_CLASSIFIER_FEATURES_BOGOWORDS_H
#define GREYLAG_CLASSIFIER_FEATURES_BOGOWORDS_H

#include "classifier/mail/message.h"
#include "classifier/features/words.h"

void bogowords_read(struct words *words, const struct message *message);

#endif
