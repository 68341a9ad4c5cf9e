/* The report's arithmetic on records made by hand; tests/system/report.py has whole traffic. */
#include "config.h"

#include <math.h>
#include <string.h>
#include <glib.h>

#include "db/open/open.h"
#include "policyd/decide/greylist.h"
#include "policyd/stats/report_words.h"
#include "policyd/daemon/reporter.h"

#define DAY 86400
#define D0  ((int64_t)20775 * DAY)

static struct report *
report_of(int64_t now)
{
	struct report_period period = report_period(10 * DAY, now, DAY);

	return report_new(&period);
}

/* -- whether it pays -- */

static const struct {
	const char *case_;
	struct report_account account;
	enum report_worth worth;
} worths[] = {
    {"nothing", {0}, REPORT_TOO_LITTLE},
    {"too few to tell", {.firsts = 199, .away = 150, .judged = 500, .spam = 100},
	REPORT_TOO_LITTLE},
    {"nobody has said what is missed",
	{.firsts = 12000, .away = 10000, .judged = 5000, .spam = 2108, .ham_seconds = 3600 * 57},
	REPORT_NO_CORRECTIONS},
    {"nobody weighs it", {.firsts = 200, .away = 150}, REPORT_NO_VERDICTS},
    {"nearly all come back", {.firsts = 1000, .away = 49, .judged = 900, .spam = 10},
	REPORT_NOBODY_LEAVES},
    {"that is so without verdicts, too", {.firsts = 1000, .away = 49}, REPORT_NOBODY_LEAVES},
    {"it costs nothing", {.firsts = 1000, .away = 50, .judged = 900, .corrected = 1, .spam = 10},
	REPORT_PAYS},
    /* 10,000 stay away, of which the classifier misses 1 in 100: 100 in inboxes, and no more. */
    {"an hour for each, to the hour",
	{.firsts = 12000,
	    .away = 10000,
	    .judged = 5000,
	    .spam = 998,
	    .missed = 9,
	    .corrected = 9,
	    .ham_seconds = 3600 * 100},
	REPORT_PAYS},
    {"above an hour for each",
	{.firsts = 12000,
	    .away = 10000,
	    .judged = 5000,
	    .spam = 998,
	    .missed = 9,
	    .corrected = 9,
	    .ham_seconds = 3600 * 101},
	REPORT_FILTER_DOES},
    {"the better the classifier, the less it pays",
	{.firsts = 12000,
	    .away = 10000,
	    .judged = 5000,
	    .corrected = 1,
	    .spam = 9998,
	    .ham_seconds = 3600 * 2},
	REPORT_FILTER_DOES},
    {"without any spam seen, half may be missed",
	{.firsts = 1000, .away = 500, .judged = 500, .corrected = 1, .ham_seconds = 3600 * 249},
	REPORT_PAYS},
};

static void
test_worth(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(worths); i++) {
		g_test_message("%s", worths[i].case_);
		g_assert_cmpstr(report_worth_name(report_worth(&worths[i].account)), ==,
		    report_worth_name(worths[i].worth));
	}
}

/* -- first attempts -- */

static void
add_day(struct report *report, int64_t day, const char *domain, const int32_t *cells, size_t n)
{
	uint8_t key[DOMAINS_KEY_MAX], value[4 * DOMAINS_CELLS];

	for (size_t i = 0; i < n; i++)
		for (int j = 0; j < 4; j++)
			value[4 * i + (size_t)j] = (uint8_t)(cells[i] >> (24 - 8 * j));
	report_add_day(report, &(struct store_bytes){key, domains_key(day, domain, key)},
	    &(struct store_bytes){value, 4 * n});
}

/* Days of which a retry window is open are told apart, those before the period left out. */
static void
test_days(void)
{
	static const int32_t cells[] = {10, 4, 6, 4, 3, 1, 0, 0, 1, 3};
	struct report *report = report_of(D0 + DAY / 2);
	struct report_result *r;
	const struct report_row *row;

	for (int64_t day = D0 / DAY - 20; day <= D0 / DAY; day++)
		add_day(report, day, day % 2 ? "odd.example" : "even.example", cells, 10);
	add_day(report, D0 / DAY - 2, "", cells, 2); /* an older writer's: fewer cells */
	r = report_result(report);
	g_assert_cmpint(r->period.from, ==, D0 - 10 * DAY);
	g_assert_cmpint(r->period.ripe, ==, D0 - DAY);
	g_assert_cmpint(r->first_day, ==, D0 - 10 * DAY);
	g_assert_cmpuint(r->all.firsts, ==, 9 * 10 + 10);
	g_assert_cmpuint(r->all.returned, ==, 9 * 4 + 4);
	g_assert_cmpuint(r->all.open, ==, 2 * 6);
	g_assert_cmpuint(r->all.reached[0], ==, 9 * 6);
	g_assert_cmpuint(r->rows->len, ==, 3);
	row = r->rows->pdata[1];
	g_assert_cmpstr(row->domain, ==, "even.example");
	g_assert_cmpuint(row->firsts, ==, 40);
	g_assert_cmpuint(row->open, ==, 6);
	row = r->rows->pdata[2];
	g_assert_cmpstr(row->domain, ==, "");
	/* At 5 min: 3 came so late, 1 passed before; so 6 of 10 stayed away for sure. */
	g_assert_cmpuint(r->what_if[2].away, ==, 9 * 6 + 10);
	g_assert_cmpuint(r->what_if[2].away_max, ==, 9 * 7 + 10);
	report_result_free(r);
	report_free(report);
}

/* -- deliveries -- */

struct message {
	const char *client, *name, *domain;
	enum delivery_verdict judged, verdict;
	uint32_t offsets[4]; /* of retries; the last one passed */
};

static void
add_message(struct report *report, int64_t time, const struct message *m)
{
	struct delivery_record d = {.time = time,
	    .name = {m->name, strlen(m->name)},
	    .judged = m->judged,
	    .verdict = m->verdict,
	    .corrected = m->judged != m->verdict};
	uint8_t bytes[DELIVERY_RECORD_MAX];

	g_assert_true(address_parse(m->client, &d.client));
	delivery_add_recipient(&d, (struct store_bytes){m->domain, strlen(m->domain)}, 2);
	d.greylist.contact = DELIVERY_FIRST;
	d.greylist.offsets[d.greylist.n_offsets++] = 0;
	for (int i = 0; i < 4 && m->offsets[i]; i++) {
		d.greylist.offsets[d.greylist.n_offsets++] = m->offsets[i];
		d.greylist.delayed = m->offsets[i];
	}
	report_add_delivery(report, &(struct store_bytes){bytes, delivery_encode(&d, bytes)});
}

#define HAM  DELIVERY_HAM, DELIVERY_HAM
#define SPAM DELIVERY_SPAM, DELIVERY_SPAM

static const struct message messages[] = {
    {"192.0.2.1", "", "a.example", HAM, {0}},
    {"192.0.2.1", "", "a.example", HAM, {10, 70}},
    {"192.0.2.1", "", "a.example", HAM, {30, 130}},
    {"192.0.2.1", "", "b.example", HAM, {900}},
    {"192.0.2.1", "", "b.example", SPAM, {65, 301}},
    {"192.0.2.1", "", "b.example", DELIVERY_UNSURE, DELIVERY_SPAM, {61}},
    {"192.0.2.1", "", "b.example", DELIVERY_HAM, DELIVERY_SPAM, {0}},
    {"192.0.2.1", "", "b.example", DELIVERY_UNSURE, DELIVERY_UNSURE, {400}},
};

static void
assert_delays(const struct report_delays *d, uint64_t n, double median, double p95, double worst,
    double seconds)
{
	g_assert_cmpuint(d->n, ==, n);
	g_assert_cmpfloat(d->median, ==, median);
	g_assert_cmpfloat(d->p95, ==, p95);
	g_assert_cmpfloat(d->worst, ==, worst);
	g_assert_cmpuint(d->seconds, ==, (uint64_t)seconds);
}

static void
test_deliveries(void)
{
	struct report *report = report_of(D0 + DAY / 2);
	struct report_result *r;
	const struct report_row *row;

	for (size_t i = 0; i < G_N_ELEMENTS(messages); i++)
		add_message(report, D0 - 5 * DAY, &messages[i]);
	/* Out of the period. */
	add_message(report, D0 - 11 * DAY, &messages[1]);
	add_message(report, D0 + DAY, &messages[1]);
	r = report_result(report);
	g_assert_cmpuint(r->all.judged[DELIVERY_HAM], ==, 4);
	g_assert_cmpuint(r->all.judged[DELIVERY_SPAM], ==, 3);
	g_assert_cmpuint(r->all.delayed[DELIVERY_SPAM], ==, 2);
	g_assert_cmpuint(r->all.delayed[DELIVERY_UNSURE], ==, 1);
	assert_delays(&r->all.ham, 3, 130, 900, 900, 1100);
	g_assert_cmpuint(r->account.missed, ==, 2);
	g_assert_cmpuint(r->account.judged, ==, 8);
	g_assert_cmpuint(r->account.corrected, ==, 2);
	g_assert_cmpuint(r->account.ham_seconds, ==, r->all.ham.seconds);
	row = r->rows->pdata[1];
	g_assert_cmpstr(row->domain, ==, "a.example");
	assert_delays(&row->ham, 2, 70, 130, 130, 200);

	assert_delays(&r->what_if[0].ham, 3, 130, 900, 900, 1100);
	g_assert_cmpuint(r->what_if[0].ham_unknown, ==, 0);
	g_assert_cmpuint(r->what_if[0].spam, ==, 2);
	/* At 2 min the first would have waited at least so long. */
	assert_delays(&r->what_if[1].ham, 3, 130, 900, 900, 120 + 130 + 900);
	g_assert_cmpuint(r->what_if[1].ham_unknown, ==, 1);
	g_assert_cmpuint(r->what_if[1].spam, ==, 1);
	g_assert_cmpuint(r->what_if[1].spam_max, ==, 2);
	assert_delays(&r->what_if[3].ham, 3, 600, 900, 900, 600 + 600 + 900);
	report_result_free(r);
	report_free(report);
}

/* A wait is what a retry proves: what came later than retries do is counted, and waits for
 * nothing, at no delay. */
static void
test_unproven_waits(void)
{
	static const struct message late[] = {
	    {"192.0.2.1", "", "a.example", HAM, {67272}},
	    {"192.0.2.1", "", "a.example", HAM, {10, GREYLIST_RETRY_GAP + 11}},
	    {"192.0.2.1", "", "a.example", HAM, {GREYLIST_RETRY_GAP}},
	    {"192.0.2.1", "", "a.example", HAM, {600, 2400, GREYLIST_RETRY_GAP + 2400}},
	    {"192.0.2.1", "", "b.example", SPAM, {47870}},
	};
	struct report *report = report_of(D0 + DAY / 2);
	struct report_result *r;
	g_autofree char *said = NULL, *nothing = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(late); i++)
		add_message(report, D0 - 5 * DAY, &late[i]);
	r = report_result(report);
	g_assert_cmpuint(r->all.may_be_new[DELIVERY_HAM], ==, 2);
	g_assert_cmpuint(r->all.may_be_new[DELIVERY_SPAM], ==, 1);
	g_assert_cmpuint(r->all.judged[DELIVERY_HAM], ==, 4);
	g_assert_cmpuint(r->all.delayed[DELIVERY_HAM], ==, 2);
	g_assert_cmpuint(r->all.delayed[DELIVERY_SPAM], ==, 0);
	assert_delays(&r->all.ham, 2, GREYLIST_RETRY_GAP, GREYLIST_RETRY_GAP + 2400,
	    GREYLIST_RETRY_GAP + 2400, 2 * GREYLIST_RETRY_GAP + 2400);
	g_assert_cmpuint(r->what_if[0].spam_max, ==, 0);
	g_assert_cmpuint(r->what_if[3].ham.n, ==, 2);
	said = report_words_left_out(&r->all);
	g_assert_nonnull(strstr(said, "Left out of the delays: 3 that"));
	nothing = report_words_left_out(&(struct report_row){.judged = {5, 5, 5}});
	g_assert_null(nothing);
	report_result_free(r);
	report_free(report);
}

/* -- words -- */

/* The sentence and the table say one number in one way; and without corrections nothing is said of
 * what the classifier misses. */
static void
test_words(void)
{
	struct report_result result = {.account = worths[7].account};
	char hours[REPORT_WORDS_SIZE];
	g_autofree char *pays = NULL, *unknown = NULL;

	result.account.ham_seconds = 205379; /* 57.0497 h */
	g_assert_cmpstr(report_words_hours(result.account.ham_seconds, hours), ==, "57.0");
	result.worth = report_worth(&result.account);
	pays = report_words_worth(&result);
	g_assert_true(g_str_has_prefix(pays, "Does it pay? Yes. "));
	g_assert_nonnull(strstr(pays, "it missed 9 of 998 spam"));
	g_assert_nonnull(strstr(pays, "Wanted mail waited 57.0 hours"));
	result.account.corrected = 0;
	result.worth = report_worth(&result.account);
	g_assert_true(isnan(report_missed_share(&result.account)));
	g_assert_true(isnan(report_kept_out(&result.account)));
	g_assert_false(report_words_worth_is_bad(&result));
	unknown = report_words_worth(&result);
	g_assert_nonnull(strstr(unknown, "how much spam the classifier misses is unknown"));
	g_assert_null(strstr(unknown, "No longer"));
	g_assert_null(strstr(unknown, "missed"));
}

/* -- pools -- */

static void
test_pools(void)
{
	static const char *const clients[] = {
	    "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "192.0.2.2"};
	struct report *report = report_of(D0);
	struct report_result *r;
	const struct report_pool *pool;

	for (size_t i = 0; i < G_N_ELEMENTS(clients); i++) {
		add_message(report, D0 - DAY,
		    &(struct message){clients[i], "slow.example", "a.example", HAM, {3600}});
		add_message(report, D0 - DAY,
		    &(struct message){clients[i], "fast.example", "a.example", HAM, {300}});
		add_message(report, D0 - DAY,
		    &(struct message){clients[i], "mixed.example", "a.example", HAM, {3600}});
		add_message(report, D0 - DAY,
		    &(struct message){"192.0.2.9", "one.example", "a.example", HAM, {3600}});
	}
	add_message(report, D0 - DAY,
	    &(struct message){"192.0.2.9", "mixed.example", "a.example", SPAM, {0}});
	r = report_result(report);
	g_assert_cmpuint(r->pools->len, ==, 1);
	pool = r->pools->pdata[0];
	g_assert_cmpstr(pool->domain, ==, "slow.example");
	/* Both addresses of the /64 are one. */
	g_assert_cmpuint(pool->addresses, ==, 3);
	g_assert_cmpuint(pool->delays.n, ==, 5);
	report_result_free(r);
	report_free(report);
}

/* -- the daemon's -- */

static void
put_delivery(const struct store_bytes *old G_GNUC_UNUSED, struct store_change *change, void *job)
{
	const struct store_bytes *value = job;

	store_change_put(change, value->data, value->length, D0 + 40 * DAY);
}

static void
fill(struct store *store, unsigned n)
{
	struct store_call nobody = {0};
	uint8_t bytes[DELIVERY_RECORD_MAX], key[DOMAINS_KEY_MAX];
	struct delivery_record d = {.time = D0 - 3 * DAY, .greylist = {.delayed = 77}};
	struct store_bytes value = {bytes, delivery_encode(&d, bytes)};
	const struct store_cell cell = {DOMAINS_FIRSTS, STORE_ADD, 2};

	for (unsigned i = 0; i < n; i++) {
		g_autofree char *domain = g_strdup_printf("d%u.example", i);
		uint8_t digest[DELIVERY_KEY_SIZE] = {(uint8_t)(i >> 8), (uint8_t)i};
		struct store_delta delta = {.space = STORE_DOMAINS,
		    .key = {key, domains_key(D0 / DAY - 3, domain, key)},
		    .cells = &cell,
		    .n_cells = 1,
		    .expires = D0 + 40 * DAY};

		store_add_many(store, &delta, 1, &nobody);
		store_update(store, STORE_DELIVERIES, (struct store_bytes){digest, sizeof digest},
		    put_delivery, &value, NULL, &nobody);
		store_wait(store);
	}
}

/* Made in steps, again and again, with rests between; the old one stands until the new is made. */
static void
test_reporter(void)
{
	struct store_options options = {.uri = "mem:", .create = true};
	struct store *store = store_open(&options, NULL);
	struct reporter *reporter = reporter_new();
	unsigned steps = 0;

	fill(store, 1200);
	while (!reporter_result(reporter) && steps++ < 100) {
		reporter_step(reporter, store, D0, DAY);
		store_wait(store);
	}
	g_assert_cmpuint(steps, >, 4);
	g_assert_cmpuint(steps, <, 12);
	g_assert_cmpuint(reporter_result(reporter)->all.firsts, ==, 2400);
	g_assert_cmpuint(reporter_result(reporter)->all.delayed[DELIVERY_HAM], ==, 1200);
	fill(store, 1300);
	for (int64_t at = 0; at < 59; at++) {
		reporter_step(reporter, store, D0 + at, DAY);
		store_wait(store);
	}
	g_assert_cmpuint(reporter_result(reporter)->all.delayed[DELIVERY_HAM], ==, 1200);
	for (int64_t at = 60; at < 80; at++) {
		reporter_step(reporter, store, D0 + at, DAY);
		store_wait(store);
	}
	g_assert_cmpuint(reporter_result(reporter)->all.delayed[DELIVERY_HAM], ==, 1300);
	store_close(&store);
	reporter_free(reporter);
}

static void
test_empty_and_malformed(void)
{
	struct report *report = report_of(D0);
	struct report_result *r;

	report_add_day(report, &(struct store_bytes){"x", 1}, &(struct store_bytes){"1234", 4});
	report_add_delivery(report, &(struct store_bytes){"\xff\xff", 2});
	r = report_result(report);
	g_assert_cmpuint(r->rows->len, ==, 0);
	g_assert_true(isnan(r->all.ham.median));
	g_assert_cmpint(r->worth, ==, REPORT_TOO_LITTLE);
	g_assert_cmpint(r->first_delivery, ==, 0);
	report_result_free(r);
	report_free(report);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/report/whether-it-pays", test_worth);
	g_test_add_func("/report/first-attempts-by-day", test_days);
	g_test_add_func("/report/deliveries", test_deliveries);
	g_test_add_func("/report/unproven-waits", test_unproven_waits);
	g_test_add_func("/report/words", test_words);
	g_test_add_func("/report/pools-worth-whitelisting", test_pools);
	g_test_add_func("/report/made-by-a-slow-walk", test_reporter);
	g_test_add_func("/report/empty-and-malformed", test_empty_and_malformed);
	return g_test_run();
}
