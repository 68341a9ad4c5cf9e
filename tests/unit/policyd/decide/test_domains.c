/*
 * First attempts by domain and what came of them: traffic through the policy on a store in
 * memory, against a count by hand of the same traffic.
 */
#include "config.h"

#include <string.h>
#include <glib.h>

#include "db/open/open.h"
#include "policyd/decide/domains.h"
#include "policyd/daemon/policy.h"

#define DAY 86400
#define T0  (20775 * (int64_t)DAY + DAY - 7200) /* two hours before midnight */

struct world {
	struct store *store;
	struct suffix_list *suffixes;
	struct policy *policy;
	enum reason reason;
	GHashTable *cells; /* what the store has: key text to int32_t[DOMAINS_CELLS] */
};

static void
world_open(struct world *world, const char *assignment)
{
	struct store_options options = {.uri = "mem:", .create = true};
	struct settings *settings = settings_new();
	struct rules *rules;

	*world = (struct world){.suffixes = suffix_list_load(NULL)};
	g_assert_true(settings_assign(settings, "greylist.auto_whitelist_after=0", NULL));
	if (assignment)
		g_assert_true(settings_assign(settings, assignment, NULL));
	rules = rules_new(settings, world->suffixes, NULL);
	world->store = store_open(&options, NULL);
	world->policy = policy_new(world->store, rules, POLICY_MESSAGES_SINGLE);
	world->cells = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	rules_unref(rules);
	settings_free(settings);
}

static void
world_close(struct world *world)
{
	policy_free(world->policy);
	store_close(&world->store);
	suffix_list_free(world->suffixes);
	g_hash_table_unref(world->cells);
}

static void
on_answer(void *context, struct rules *rules G_GNUC_UNUSED, const struct policy_decision *decision)
{
	struct world *world = context;

	world->reason = decision->reason;
}

static enum reason
ask(struct world *world, int64_t now, const char *sender, const char *recipient)
{
	g_autofree char *bytes = g_strdup_printf(
	    "request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=192.0.2.1\n"
	    "client_name=unknown\nsender=%s\nrecipient=%s\n\n",
	    sender, recipient);
	struct policy_parser parser = {0};
	struct policy_request request;
	size_t used;

	g_assert_cmpint(
	    policy_parse(&parser, bytes, strlen(bytes), &request, &used), ==, POLICY_PARSE_DONE);
	policy_decide(world->policy, &request, now, on_answer, world);
	store_wait(world->store);
	return world->reason;
}

static int32_t *
cells_of(GHashTable *table, int64_t day, const char *domain)
{
	char *key = g_strdup_printf("%" G_GINT64_FORMAT " %s", day, domain);
	int32_t *cells = g_hash_table_lookup(table, key);

	if (!cells) {
		cells = g_new0(int32_t, DOMAINS_CELLS);
		g_hash_table_insert(table, key, cells);
	} else {
		g_free(key);
	}
	return cells;
}

static bool
on_record(
    void *context, const struct store_bytes *key, const struct store_bytes *value, int64_t expires)
{
	struct world *world = context;
	char domain[DOMAINS_NAME_SIZE];
	int64_t day;

	g_assert_true(domains_key_decode(key, &day, domain));
	g_assert_cmpint(expires, ==, (day + 1 + DOMAINS_DAYS) * DAY);
	store_cells_get(value, cells_of(world->cells, day, domain), DOMAINS_CELLS);
	return true;
}

static void
read_cells(struct world *world)
{
	struct store_cursor cursor = {0};
	struct store_call call = {.context = world};

	g_hash_table_remove_all(world->cells);
	store_scan(world->store, STORE_DOMAINS, &cursor, 100000, on_record, &call);
	store_wait(world->store);
}

/* -- a count by hand -- */

struct pair {
	char *sender, *recipient;
	int64_t first, last; /* 0: none */
	bool passed, knocks;
};

static void
count_by_hand(GHashTable *table, struct pair *pair, int64_t now, enum reason reason)
{
	g_autofree char *domain = g_ascii_strdown(strchr(pair->recipient, '@') + 1, -1);
	int64_t before = pair->last - pair->first, age = now - pair->first;
	int32_t *cells;

	if (reason == REASON_FIRST || reason == REASON_WINDOW_OVER) {
		pair->first = pair->last = now;
		cells_of(table, now / DAY, domain)[DOMAINS_FIRSTS]++;
		return;
	}
	if (reason != REASON_EARLY && reason != REASON_PASSED)
		return;
	cells = cells_of(table, pair->first / DAY, domain);
	for (int i = 0; i < DOMAINS_DELAYS; i++)
		if (before < domains_delays[i] && age >= domains_delays[i])
			cells[DOMAINS_REACHED + i]++;
	for (int i = 0; i < DOMAINS_DELAYS; i++)
		if (reason == REASON_PASSED && age < domains_delays[i])
			cells[DOMAINS_BEFORE + i]++;
	pair->last = now;
	if (reason == REASON_PASSED) {
		cells[DOMAINS_RETURNED]++;
		pair->passed = true;
	}
}

static void
assert_same(GHashTable *a, GHashTable *b)
{
	GHashTableIter iter;
	gpointer key, value;

	g_assert_cmpuint(g_hash_table_size(a), ==, g_hash_table_size(b));
	g_hash_table_iter_init(&iter, a);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		const int32_t *other = g_hash_table_lookup(b, key);

		g_assert_nonnull(other);
		for (int i = 0; i < DOMAINS_CELLS; i++)
			g_assert_cmpint(((int32_t *)value)[i], ==, other[i]);
	}
}

/* Over midnight, with retries that give up, that come early, late, or after the window. */
static void
play(guint32 seed, const char *setting)
{
	GRand *random = g_rand_new_with_seed(seed);
	GHashTable *hand = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	struct pair pairs[200];
	struct world w;
	int32_t returned = 0;

	world_open(&w, setting);
	for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++)
		pairs[i] = (struct pair){
		    .sender = g_strdup_printf("u%cx%zu@s.example", (char)('a' + i % 26), i),
		    .recipient = g_strdup_printf("al@D%zu.example", i % 7)};
	for (int64_t now = T0; now < T0 + 2 * DAY; now += g_rand_int_range(random, 0, 30)) {
		struct pair *pair = &pairs[g_rand_int_range(random, 0, G_N_ELEMENTS(pairs))];

		if (g_rand_int_range(random, 0, 20) == 0)
			pair->knocks = !pair->knocks;
		if (pair->knocks)
			count_by_hand(hand, pair, now, ask(&w, now, pair->sender, pair->recipient));
	}
	read_cells(&w);
	assert_same(hand, w.cells);
	for (int64_t day = T0 / DAY; day < T0 / DAY + 3; day++)
		returned += cells_of(hand, day, "d3.example")[DOMAINS_RETURNED];
	g_assert_cmpint(returned, >, 20);
	for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++) {
		g_free(pairs[i].sender);
		g_free(pairs[i].recipient);
	}
	g_hash_table_unref(hand);
	g_rand_free(random);
	world_close(&w);
}

static void
test_counted(void)
{
	for (guint32 seed = 1; seed <= 5; seed++) {
		play(seed, NULL);
		play(seed, "greylist.delay=5m");
	}
}

/* However many domains there are, so many are counted by name; each retry where its first
 * attempt was, also by a daemon that has been started anew. */
static void
test_bounded(void)
{
	struct world w;
	int32_t *others;

	world_open(&w, NULL);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < DOMAINS_NAMED + 50; i++) {
			g_autofree char *recipient = g_strdup_printf("al@d%d.example", i);

			g_assert_cmpint(ask(&w, T0 + 61 * round, "bob@example.org", recipient), ==,
			    round ? REASON_PASSED : REASON_FIRST);
		}
		if (round == 0) {
			struct rules *rules = rules_ref(policy_rules(w.policy));

			policy_free(w.policy);
			w.policy = policy_new(w.store, rules, POLICY_MESSAGES_SINGLE);
			rules_unref(rules);
		}
	}
	read_cells(&w);
	g_assert_cmpuint(g_hash_table_size(w.cells), ==, DOMAINS_NAMED + 1);
	others = cells_of(w.cells, T0 / DAY, "");
	g_assert_cmpint(others[DOMAINS_FIRSTS], ==, 50);
	g_assert_cmpint(others[DOMAINS_RETURNED], ==, 50);
	world_close(&w);
}

/* Without domains where addresses are not to be kept; not at all where nobody is deferred. */
static void
test_privacy_and_observe(void)
{
	struct world w;

	world_open(&w, "greylist.privacy=on");
	ask(&w, T0, "bob@example.org", "al@example.net");
	ask(&w, T0 + 61, "bob@example.org", "al@example.net");
	read_cells(&w);
	g_assert_cmpuint(g_hash_table_size(w.cells), ==, 1);
	g_assert_cmpint(cells_of(w.cells, T0 / DAY, "")[DOMAINS_RETURNED], ==, 1);
	world_close(&w);

	world_open(&w, "greylist.mode=observe");
	ask(&w, T0, "bob@example.org", "al@example.net");
	read_cells(&w);
	g_assert_cmpuint(g_hash_table_size(w.cells), ==, 0);
	world_close(&w);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/domains/counted", test_counted);
	g_test_add_func("/domains/bounded", test_bounded);
	g_test_add_func("/domains/privacy-and-observe", test_privacy_and_observe);
	return g_test_run();
}
