/*
 * The report as JSON: of "greylagctl report --json", and in /stats. Its schema is described in
 * greylag-metrics(5).
 */
#ifndef GREYLAG_POLICYD_VIEW_HTTP_REPORT_JSON_H
#define GREYLAG_POLICYD_VIEW_HTTP_REPORT_JSON_H

#include <jansson.h>

#include "policyd/stats/report.h"

/* At most LIMIT rows and pools each; 0 = all. */
json_t *report_json(const struct report_result *result, size_t limit);

#endif
