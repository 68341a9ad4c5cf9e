/* Statistics of what the commands do. */
#include "config.h"

#include <fcntl.h>
#include <unistd.h>

#include "classifier/cli/cli.h"
#include "classifier/bank/verdicts.h"
#include "db/history/deliveries.h"

/* Milliseconds. */
#define TIMEOUT 500

void
cli_count_learned(struct cli *cli, unsigned ham, unsigned spam, unsigned moved)
{
	struct verdicts verdicts = {{
	    [VERDICTS_LEARNED_HAM] = (int32_t)MIN(ham, G_MAXINT32),
	    [VERDICTS_LEARNED_SPAM] = (int32_t)MIN(spam, G_MAXINT32),
	    [VERDICTS_MOVED] = (int32_t)MIN(moved, G_MAXINT32),
	}};

	verdicts_add(bank_store(cli->bank), &verdicts, store_now(bank_store(cli->bank)), TIMEOUT);
}

/* The mail's next reader waits for the end of what this process has open: let go of it. */
static bool
let_go(void)
{
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (nothing < 0 || dup2(nothing, fd) < 0)
			return false;
	return true;
}

/* Who did not come by one's own mail server has no origin that could be believed. */
static void
note_delivery(struct cli *cli, const struct cli_judged *judged)
{
	struct store *store = bank_store(cli->bank);
	struct reputation_rules rules = reputation_rules_of(cli->settings);
	const struct store_call call = {.timeout = TIMEOUT};
	struct delivery_record record;

	if (judged->origin.client.family == ADDRESS_NONE)
		return;
	origin_delivery(&judged->origin, judged->verdict, judged->score, store_now(store), &record);
	delivery_note(store, &rules, judged->origin.digest, &record, record.time, &call);
	store_wait(store);
}

/* The child, for which nobody waits. */
static void
count(struct cli *cli, const struct cli_judged *judged)
{
	struct verdicts verdicts = {{0}};

	setsid();
	verdicts_judged(&verdicts, judged->verdict, judged->score);
	/* The parent's bank is not to be touched here. */
	cli->bank = NULL;
	if (!cli_open(cli, BANK_LEARN))
		return;
	verdicts_add(bank_store(cli->bank), &verdicts, store_now(bank_store(cli->bank)), TIMEOUT);
	note_delivery(cli, judged);
}

void
cli_count_verdict(struct cli *cli, const struct cli_judged *judged)
{
	if (!let_go() || fork() != 0)
		return;
	count(cli, judged);
	_exit(0);
}
