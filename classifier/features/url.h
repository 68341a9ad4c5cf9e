/* A link -> tokens at "url:". */
#ifndef GREYLAG_CLASSIFIER_FEATURES_URL_H
#define GREYLAG_CLASSIFIER_FEATURES_URL_H

#include "classifier/features/words.h"

/* An absolute URL, or one that begins with "//", of LENGTH bytes. */
void url_read(struct words *words, const char *url, size_t length);

/* As words.on_url: the URL that TEXT begins with. The place stays what it was. */
size_t url_read_in_text(struct words *words, const char *text, size_t length);

#endif
