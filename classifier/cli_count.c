/* Statistics of what the commands do. */
#include "config.h"

#include <fcntl.h>
#include <unistd.h>

#include "classifier/cli.h"
#include "classifier/verdicts.h"

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

/* The child, for which nobody waits. */
static void
count(struct cli *cli, enum verdict verdict, double score)
{
	struct verdicts verdicts = {{0}};

	setsid();
	verdicts_judged(&verdicts, verdict, score);
	/* The parent's bank is not to be touched here. */
	cli->bank = NULL;
	if (cli_open(cli, BANK_LEARN))
		verdicts_add(
		    bank_store(cli->bank), &verdicts, store_now(bank_store(cli->bank)), TIMEOUT);
}

void
cli_count_verdict(struct cli *cli, enum verdict verdict, double score)
{
	if (!let_go() || fork() != 0)
		return;
	count(cli, verdict, score);
	_exit(0);
}
