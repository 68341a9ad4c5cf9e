/*
 * What greylisting did for a site, against what became of the mail (RFC 6647, section 6): how many
 * first attempts stayed away, what spam came back all the same, what wanted mail waited and for
 * how long, what other delays would have done, and whether it pays. Pure: records in, numbers out.
 *
 * Two sources, which count different things. First attempts are counted as they are deferred, a
 * dialogue each, by the domain of its first recipient (policyd/decide/domains.h). Deliveries
 * (db/history/deliveries.h) are messages with a verdict, which only greylag-milter and "greylag
 * filter" give; a message to several domains stands in the row of each, and once in the sum.
 *
 * A wait is what a retry proves. What came so late that it may be a new message (greylist.h) is no
 * retry for sure: such messages are counted as that, and in no delay.
 */
#ifndef GREYLAG_POLICYD_STATS_REPORT_H
#define GREYLAG_POLICYD_STATS_REPORT_H

#include <glib.h>

#include "db/history/deliveries.h"
#include "policyd/decide/domains.h"

/* Rows and pools that are looked at; what is above that is counted with the others, or not. */
#define REPORT_DOMAINS_MAX 2000
#define REPORT_POOLS_MAX   20000
/* Networks of a pool that are told apart. */
#define REPORT_ADDRESSES_MAX 255

/* A pool is worth whitelisting if so many of its wanted messages waited, from so many addresses,
 * half of them for longer than so many seconds, and it sent no spam. */
#define REPORT_POOL_HAM       5
#define REPORT_POOL_ADDRESSES 3
#define REPORT_POOL_SECONDS   300

/* Seconds since 1970; days are those of UTC. */
struct report_period {
	int64_t from; /* begin of a day */
	int64_t now;
	int64_t ripe; /* begin of a day: the retry window of all that began before is over */
};

struct report_period report_period(int64_t since, int64_t now, int64_t retry_window);

/* -- numbers -- */

/* Of delays in seconds. Quantiles are the smallest delay that so many did not exceed; NaN if there
 * is none. */
struct report_delays {
	uint64_t n;
	double median, p95, worst;
	uint64_t seconds; /* all of them together */
};

struct report_row {
	char *domain; /* of recipients; "" for those that are not counted by name */
	/* First attempts, of which the retry window is over, and those that came back. */
	uint64_t firsts, returned;
	uint64_t open; /* first attempts that may come back yet */
	/* By domains_delays: had a retry so late; passed before it. */
	uint64_t reached[DOMAINS_DELAYS], before[DOMAINS_DELAYS];
	/* Messages, by enum delivery_verdict, those that waited, and those that passed as retries
	 * but may be new messages. */
	uint64_t judged[DELIVERY_VERDICTS], delayed[DELIVERY_VERDICTS];
	uint64_t may_be_new[DELIVERY_VERDICTS];
	struct report_delays ham;
};

/*
 * What the same traffic would have done at another delay. Nobody comes again after having passed:
 * who passed before that delay is unknown beyond it. So first attempts would have stayed away from
 * AWAY to AWAY_MAX, spam would have come through from SPAM to SPAM_MAX, and of HAM_UNKNOWN
 * messages only that they would have waited for the delay at least, with which they are in HAM.
 */
struct report_what_if {
	int64_t delay;
	uint64_t away, away_max;
	uint64_t spam, spam_max;
	uint64_t ham_unknown;
	struct report_delays ham;
};

/* Clients by the domain of their verified name, or that they authenticated as. */
struct report_pool {
	char *domain;
	unsigned addresses; /* IPv4 addresses and /64 that their mail came from */
	struct report_delays delays;
};

/* -- whether it pays -- */

/* What the rule rests on. */
struct report_account {
	uint64_t firsts, away; /* first attempts, and those that stayed away */
	uint64_t judged;       /* messages with a verdict */
	uint64_t corrected;    /* of them, those that a person corrected or confirmed */
	uint64_t spam, missed; /* spam, and of that what only a person recognised */
	uint64_t ham_seconds;  /* that wanted mail waited */
};

enum report_worth {
	REPORT_TOO_LITTLE,     /* fewer than REPORT_FIRSTS_MIN first attempts */
	REPORT_NO_VERDICTS,    /* nothing to weigh it against */
	REPORT_NO_CORRECTIONS, /* nobody has said what the classifier misses */
	REPORT_NOBODY_LEAVES,  /* less than REPORT_AWAY_MIN of them stay away */
	REPORT_FILTER_DOES,    /* the classifier would have caught nearly all that stays away */
	REPORT_PAYS,
};

#define REPORT_FIRSTS_MIN 200
#define REPORT_AWAY_MIN   0.05
/* Hours that wanted mail may wait for each spam that greylisting alone kept out. */
#define REPORT_HOURS_MAX 1.0

/* The share of spam that the classifier would have missed: (missed + 1) / (spam + 2), the rule of
 * succession, since a person corrects only what is seen. NaN if nobody has corrected or confirmed a
 * verdict: what was missed is then unknown. */
double report_missed_share(const struct report_account *account);
/* Messages that would have lain in an inbox but for greylisting: those that stayed away, times
 * that share; NaN where that is unknown. */
double report_kept_out(const struct report_account *account);

/*
 * The rule: greylisting does not pay if less than REPORT_AWAY_MIN of the first attempts stay away,
 * or if wanted mail waits for more than REPORT_HOURS_MAX for each message that it kept out. Waits
 * are those of all the period, first attempts those whose retry window is over: the open days, the
 * last one or two, count against greylisting.
 */
enum report_worth report_worth(const struct report_account *account);
const char *report_worth_name(enum report_worth worth);

/* -- the whole -- */

struct report_result {
	struct report_period period;
	int64_t first_day, first_delivery; /* seconds since 1970; 0 for none */
	struct report_row all;
	GPtrArray *rows; /* struct report_row, the most first attempts and messages first */
	struct report_what_if what_if[DOMAINS_DELAYS];
	GPtrArray *pools; /* struct report_pool, worth whitelisting, most hours first */
	struct report_account account;
	enum report_worth worth;
};

struct report;

struct report *report_new(const struct report_period *period);
void report_free(struct report *report);

/* A record of STORE_DOMAINS and of STORE_DELIVERIES; what lies outside the period, and what is
 * malformed, is passed over. */
void report_add_day(
    struct report *report, const struct store_bytes *key, const struct store_bytes *value);
void report_add_delivery(struct report *report, const struct store_bytes *value);

/* Neither a first attempt nor a message. */
bool report_is_empty(const struct report_result *result);

/* Sums up what was added. */
struct report_result *report_result(struct report *report);
void report_result_free(struct report_result *result);

#endif
