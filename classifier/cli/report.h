/*
 * What an evaluation showed, as one HTML file for people: inline SVG, no script, nothing from
 * elsewhere.
 */
#ifndef GREYLAG_CLASSIFIER_CLI_REPORT_H
#define GREYLAG_CLASSIFIER_CLI_REPORT_H

#include <stddef.h>
#include <glib.h>

#include "classifier/cli/evaluate.h"

/* Of the samples from FIRST on; the learning curve is of all. */
char *report_html(const char *title, const GPtrArray *samples, size_t first,
    const struct mixture_options *cutoffs);

/* Where the segments of the learning curve end: 100, 200, 500, 1000, ... and the last sample. */
size_t report_next_segment(size_t end, size_t samples);

#endif
