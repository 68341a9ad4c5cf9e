#include "config.h"

#include "classifier/mail/verdict.h"

static const char *const names[] = {
    [VERDICT_HAM] = "ham", [VERDICT_SPAM] = "spam", [VERDICT_UNSURE] = "unsure"};

const char *
verdict_name(enum verdict verdict)
{
	return names[verdict];
}
