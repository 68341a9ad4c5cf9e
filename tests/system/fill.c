/*
 * A month of a mail server, for the page's test: writes the hourly counters of a made-up but
 * plausible month that ends at this hour into a store.
 *
 *	fill URI
 */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <glib.h>

#include "classifier/bank/verdicts.h"
#include "db/history/deliveries.h"
#include "db/open/open.h"
#include "policyd/decide/decision.h"
#include "policyd/decide/domains.h"
#include "policyd/stats/histogram.h"
#include "policyd/stats/tally.h"

/* Requests of an hour: a day's and a week's rhythm. */
static double
traffic(int64_t hour)
{
	double day = 0.6 - 0.4 * cos((double)(hour % 24 - 3) / 24 * 2 * G_PI);
	double week = (hour / 24 + 4) % 7 >= 5 ? 0.55 : 1;

	return 420 * day * week;
}

struct hour {
	uint32_t counts[TALLY_CELLS];
	struct store_cell cells[TALLY_CELLS];
	uint8_t key[TALLY_KEY_SIZE];
};

static void
add(struct hour *hour, unsigned cell, double n)
{
	hour->counts[cell] += n > 0 ? (uint32_t)(n + 0.5) : 0;
}

static void
fill_delays(struct hour *hour, GRand *random, unsigned passed)
{
	for (unsigned i = 0; i < passed; i++) {
		double delay = 61 + 280 * -log(g_rand_double_range(random, 1e-3, 1)) *
					(g_rand_int_range(random, 0, 12) ? 1 : 12);

		add(hour, TALLY_DELAYS + histogram_bucket(&histogram_delay, delay), 1);
	}
}

static void
fill_hour(struct hour *hour, GRand *random, int64_t number, int64_t age)
{
	double n = traffic(number) * g_rand_double_range(random, 0.8, 1.2);
	unsigned passed = (unsigned)(n * 0.07);
	double flood = age > 14 && age < 19 ? 3 : 1;
	double first = n * 0.34 * flood;

	add(hour, TALLY_REASONS + REASON_FIRST, first);
	add(hour, TALLY_REASONS + REASON_EARLY, n * 0.05);
	add(hour, TALLY_REASONS + REASON_WINDOW_OVER, n * 0.006);
	add(hour, TALLY_REASONS + REASON_PASSED, passed);
	add(hour, TALLY_REASONS + REASON_KNOWN, n * 0.22);
	add(hour, TALLY_REASONS + REASON_KNOWN_CLIENT, n * 0.19);
	add(hour, TALLY_REASONS + REASON_SAME_MESSAGE, n * 0.04);
	add(hour, TALLY_REASONS + REASON_AUTHENTICATED, n * 0.06);
	add(hour, TALLY_REASONS + REASON_WHITELISTED_CLIENT, n * 0.11);
	add(hour, TALLY_RETURNED, age < 2 ? passed * 0.5 : passed);
	fill_delays(hour, random, passed);
	for (unsigned i = 0; i < 6; i++)
		add(hour, TALLY_LATENCIES + i, n * (const double[]){.3, .4, .2, .06, .03, .01}[i]);
}

static struct store_delta
delta_of(struct hour *hour, int64_t number)
{
	size_t n = 0;

	for (unsigned i = 0; i < TALLY_CELLS; i++)
		if (hour->counts[i])
			hour->cells[n++] = (struct store_cell){
			    .index = i, .op = STORE_ADD, .delta = (int32_t)hour->counts[i]};
	tally_key(number, hour->key);
	return (struct store_delta){
	    .space = STORE_HOURS,
	    .key = {hour->key, sizeof hour->key},
	    .cells = hour->cells,
	    .n_cells = n,
	    .expires = number * 3600 + TALLY_DAYS * 86400,
	};
}

/* What the classifier did: scores lie at both ends, few between. */
static void
fill_verdicts(struct store *store, GRand *random, int64_t number)
{
	struct verdicts verdicts = {{0}};
	unsigned n = (unsigned)(traffic(number) * 0.4);

	for (unsigned i = 0; i < n; i++) {
		double depth = pow(g_rand_double(random), 6);
		bool spam = g_rand_int_range(random, 0, 10) < 3;
		double score = spam ? 1 - depth : depth;

		verdicts_judged(&verdicts,
		    score >= 0.95  ? VERDICT_SPAM
		    : score <= 0.2 ? VERDICT_HAM
				   : VERDICT_UNSURE,
		    score);
	}
	verdicts.cells[VERDICTS_LEARNED_SPAM] = g_rand_int_range(random, 0, 9);
	verdicts.cells[VERDICTS_LEARNED_HAM] = g_rand_int_range(random, 0, 5);
	verdicts_add(store, &verdicts, number * 3600, 0);
}

/* First attempts of a day by domain: four in five stay away, half of the others within 5 min. */
static void
fill_domains(struct store *store, GRand *random, int64_t day, unsigned n_domains)
{
	for (unsigned i = 0; i < n_domains; i++) {
		g_autofree char *domain =
		    g_strdup_printf("%s%u.example", i % 3 ? "customer" : "dept", i);
		int32_t n = (int32_t)(2000 / (i + 1)) + g_rand_int_range(random, 0, 60),
			back = n / 5;
		const int32_t counts[DOMAINS_CELLS] = {n, back, back + n / 90, back * 3 / 4,
		    back / 2, back / 4, 0, back / 4, back / 2, back * 3 / 4};
		struct store_cell cells[DOMAINS_CELLS];
		uint8_t key[DOMAINS_KEY_MAX];
		struct store_call call = {0};
		struct store_delta delta = {.space = STORE_DOMAINS,
		    .key = {key, domains_key(day, domain, key)},
		    .cells = cells,
		    .n_cells = DOMAINS_CELLS,
		    .expires = (day + DOMAINS_DAYS) * 86400};

		for (uint32_t c = 0; c < DOMAINS_CELLS; c++)
			cells[c] = (struct store_cell){c, STORE_ADD, counts[c]};
		store_add_many(store, &delta, 1, &call);
	}
}

/* A message of that day; some pools retry late, and from anywhere. */
static void
fill_delivery(struct store *store, const struct reputation_rules *rules, GRand *random, int64_t day)
{
	static const char *const pools[] = {"bigmail.example", "shop.example", "news.example", ""};
	const char *pool = pools[g_rand_int_range(random, 0, G_N_ELEMENTS(pools))];
	bool spam = !*pool && g_rand_int_range(random, 0, 3) > 0,
	     waited = g_rand_int_range(random, 0, 3) == 0;
	struct delivery_record d = {.time = day * 86400 + g_rand_int_range(random, 0, 80000),
	    .client = {.family = ADDRESS_IPV4,
		.bytes = {100, 64, 7, (uint8_t)g_rand_int(random)}},
	    .name = {pool, strlen(pool)},
	    .judged = spam ? DELIVERY_SPAM : DELIVERY_HAM};
	uint32_t slowness = pool[0] == 's' ? 2000 : 240;
	g_autofree char *domain =
	    g_strdup_printf("customer%d.example", g_rand_int_range(random, 1, 3));
	uint8_t digest[DELIVERY_KEY_SIZE];
	struct store_call call = {0};

	d.verdict = d.judged;
	if (waited) {
		d.greylist.contact = DELIVERY_FIRST;
		d.greylist.delayed =
		    61 + (uint32_t)(slowness * -log(g_rand_double_range(random, 1e-3, 1)));
		d.greylist.offsets[1] = d.greylist.delayed;
		d.greylist.n_offsets = 2;
	}
	delivery_add_recipient(&d, (struct store_bytes){domain, strlen(domain)}, 1);
	for (size_t i = 0; i < sizeof digest; i++)
		digest[i] = (uint8_t)g_rand_int(random);
	delivery_note(store, rules, digest, &d, d.time, &call);
	store_wait(store);
}

static void
fill_report(struct store *store, GRand *random, int64_t today)
{
	struct settings *settings = settings_new();
	struct reputation_rules rules = reputation_rules_of(settings);

	for (int64_t day = today - 29; day <= today; day++)
		fill_domains(store, random, day, 14);
	for (unsigned i = 0; i < 400; i++)
		fill_delivery(store, &rules, random, today - 1 - i % 20);
	settings_free(settings);
}

int
main(int argc, char **argv)
{
	struct store_options options = {.uri = argc == 2 ? argv[1] : NULL, .create = true};
	g_autoptr(GError) error = NULL;
	g_autofree struct hour *hour = g_new(struct hour, 1);
	GRand *random = g_rand_new_with_seed(6647);
	int64_t last = (int64_t)time(NULL) / 3600;
	struct store *store = options.uri ? store_open(&options, &error) : NULL;

	if (!store) {
		fprintf(stderr, "fill: %s\n", error ? error->message : "usage: fill URI");
		return EXIT_FAILURE;
	}
	for (int64_t age = 29 * 24; age >= 0; age--) {
		struct store_call call = {0};
		struct store_delta delta;

		*hour = (struct hour){0};
		fill_hour(hour, random, last - age, age);
		delta = delta_of(hour, last - age);
		store_add_many(store, &delta, 1, &call);
		if (age < 60)
			fill_verdicts(store, random, last - age);
	}
	fill_report(store, random, last / 24);
	store_wait(store);
	store_close(&store);
	g_rand_free(random);
	return EXIT_SUCCESS;
}
