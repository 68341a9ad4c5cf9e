/*
 * UTF-8 -> a form in which the tricks that make a known word look new are undone.
 */
#ifndef GREYLAG_CLASSIFIER_MAIL_TEXT_H
#define GREYLAG_CLASSIFIER_MAIL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

/* What text_fold() undid. */
enum text_trick {
	TEXT_TRICK_INVISIBLE = 1 << 0, /* zero-width characters within a Latin word */
	TEXT_TRICK_LOOKALIKE = 1 << 1, /* letters of other scripts in a Latin word */
};

enum text_fold {
	TEXT_FOLD_CASE = 1 << 0,
};

/*
 * Appends LENGTH bytes of valid UTF-8 in Unicode's compatibility decomposition (NFKD; Latin,
 * Greek and Cyrillic letters lose their accents), without invisible characters, with letters that
 * look Latin replaced by what they look like in words that have Latin letters as well, and every
 * character beyond ASCII that is neither letter, mark nor digit as a space; symbols such as emoji
 * get a space on both sides. FLAGS is of
 * enum text_fold; returns a set of enum text_trick.
 */
unsigned text_fold(const char *text, size_t length, unsigned flags, GString *out);

/* Whether words of the character's script are written without spaces between them: Chinese,
 * Japanese, Thai, Lao, Khmer, Burmese. */
bool text_is_unspaced(gunichar character);

/* The longest beginning of TEXT of at most LIMIT bytes that does not end within a character. */
size_t text_cut(const char *text, size_t length, size_t limit);

#endif
