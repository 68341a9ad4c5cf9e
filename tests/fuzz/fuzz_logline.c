/*
 * A line of the log: whatever it is, it is read to its end or refused; what was read of it can be
 * written again, and is the same then.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>
#include <glib.h>

#include "lib/log.h"
#include "policyd/ctl/logline.h"
#include "policyd/decide/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The log cuts longer ones. */
#define WHOLE 70

static void
check_again(const struct logline *logline)
{
	const char *sender = logline->value[LOGLINE_SENDER];
	struct log_fields fields;
	struct logline again;
	g_autofree char *line = NULL;

	if (!sender || strlen(sender) > WHOLE)
		return;
	log_fields_init(&fields);
	log_fields_text(&fields, "sender", sender);
	line = g_strndup(fields.text, fields.used);
	g_assert_true(logline_parse(line, &again, NULL));
	g_assert_cmpstr(again.value[LOGLINE_SENDER], ==, sender);
	logline_clear(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *line = g_strndup((const char *)data, size);
	struct logline logline;
	struct selector selector;

	if (!logline_parse(line, &logline, NULL))
		return 0;
	check_again(&logline);
	for (int i = 0; i < LOGLINE_FIELDS; i++)
		if (logline.value[i] &&
		    selector_parse(logline.value[i], SELECTOR_ALL, &selector, NULL))
			g_assert_cmpint(selector.kind, !=, SELECTOR_NONE);
	logline_clear(&logline);
	return 0;
}
