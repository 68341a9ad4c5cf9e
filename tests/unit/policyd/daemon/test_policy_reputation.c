/* What became of earlier mail, as the policy heeds it. */
#include "config.h"

#include <string.h>
#include <glib.h>

#include "db/history/deliveries.h"
#include "policyd/decide/standing.h"
#include "policyd/decide/domains.h"
#include "tests/unit/policyd/daemon/policy_world.h"

#define DAY 86400

/* Of the usual request. */
#define CLIENT "192.0.2.1"

static void
write_reputation(struct world *w, const uint8_t *key, size_t length, bool spam, unsigned n)
{
	struct reputation_rules rules = policy_rules(w->policy)->reputation;
	struct reputation_count counts[50];
	struct store_call nobody = {0};

	g_assert_cmpuint(length, >, 0);
	for (unsigned i = 0; i < n; i++)
		counts[i] = (struct reputation_count){{key, length}, {.spam = spam, .time = T0}};
	reputation_count(w->store, &rules, counts, n, T0, &nobody);
	store_wait(w->store);
}

static void
of_network(struct world *w, const char *client, bool spam, unsigned n)
{
	uint8_t key[REPUTATION_KEY_MAX];
	struct address address;

	g_assert_true(address_parse(client, &address));
	write_reputation(w, key, reputation_network_key(&address, key), spam, n);
}

static void
of_domain(struct world *w, enum reputation_kind kind, const char *domain, bool spam, unsigned n)
{
	uint8_t key[REPUTATION_KEY_MAX];

	write_reputation(w, key, reputation_domain_key(kind, domain, strlen(domain), key), spam, n);
}

static void
own_user_wrote(struct world *w, const uint8_t *key, size_t length)
{
	struct reputation_rules rules = policy_rules(w->policy)->reputation;
	struct store_bytes bytes = {key, length};
	struct store_call nobody = {0};

	reputation_write_contacts(w->store, &rules, &bytes, 1, T0, &nobody);
	store_wait(w->store);
}

static void
test_ham_spares(void)
{
	struct world w;

	world_open(&w, NULL);
	of_network(&w, CLIENT, false, 1);
	assert_reason(&w, 1, "", "reputation");
	g_assert_cmpstr(w.reply, ==, "action=DUNNO\n\n");
	g_assert_cmpstr(w.evidence, ==, "network 192.0.2.1: ham 1.0, spam 0.0");
	/* Others of the /24 have their own. */
	assert_reason(&w, 1, "client_address=192.0.2.2\n", "first");
	/* A half-life it holds. */
	assert_reason(&w, 30 * DAY, "sender=eve@example.org\n", "reputation");
	assert_reason(&w, 31 * DAY, "sender=eve@example.org\n", "first");
	world_close(&w);
}

static void
on_cells(void *context, size_t index G_GNUC_UNUSED, enum store_result result,
    const struct store_bytes *value)
{
	if (result == STORE_OK)
		store_cells_get(value, context, DOMAINS_CELLS);
}

/* Who is spared while its first attempt waits has come back, which is counted once. */
static void
test_spared_while_it_waits(void)
{
	uint8_t key[DOMAINS_KEY_MAX];
	int32_t cells[DOMAINS_CELLS] = {0};
	struct world w;

	world_open(&w, NULL);
	assert_reason(&w, 0, "", "first");
	of_network(&w, CLIENT, false, 1);
	assert_reason(&w, 40, "", "reputation");
	set_rules(&w, (const char *const[]){"reputation.use=off", NULL});
	assert_reason(&w, 41, "", "known");
	store_get(w.store, STORE_DOMAINS,
	    (struct store_bytes){key, domains_key(T0 / DAY, "example.net", key)}, 0, on_cells,
	    cells);
	store_wait(w.store);
	g_assert_cmpint(cells[DOMAINS_FIRSTS], ==, 1);
	g_assert_cmpint(cells[DOMAINS_RETURNED], ==, 1);
	g_assert_cmpint(cells[DOMAINS_REACHED], ==, 0);
	g_assert_cmpint(cells[DOMAINS_BEFORE], ==, 1);
	world_close(&w);
}

static void
test_holds_for_the_message(void)
{
	struct world w;

	world_open(&w, NULL);
	of_network(&w, CLIENT, false, 1);
	assert_reason(&w, 0, "instance=a.1\n", "reputation");
	assert_reason(&w, 0, "instance=a.1\nrecipient=eve@example.net\n", "same-message");
	g_assert_cmpint(w.decision.action, ==, POLICY_DUNNO);
	world_close(&w);
}

static void
test_name_spares(void)
{
	struct world w;

	world_open(&w, NULL);
	of_domain(&w, REPUTATION_NAME, "example.org", false, 1);
	assert_reason(&w, 0, "client_name=mx7.example.org\n", "reputation");
	g_assert_cmpstr(w.evidence, ==, "name example.org: ham 1.0, spam 0.0");
	/* Not without a verified name in it, nor with one of an access line. */
	assert_reason(&w, 0, "", "first");
	assert_reason(
	    &w, 0, "client_name=192-0-2-1.dyn.example.org\nsender=c@example.org\n", "first");
	/* Nor for who forges the recipient's own address. */
	assert_reason(&w, 0, "client_name=mx7.example.org\nsender=al@example.net\n", "first");
	world_close(&w);
}

/* Signed mail of a domain was wanted: its own hosts are spared, and nobody who just says so. */
static void
test_signed_domain_spares(void)
{
	struct world w;

	world_open(&w, NULL);
	of_domain(&w, REPUTATION_AUTH, "example.org", false, 1);
	assert_reason(&w, 0, "", "first");
	assert_reason(&w, 0, "client_name=mx.example.com\nrecipient=b@example.net\n", "first");
	assert_reason(&w, 0, "client_name=mx.example.org\nsender=c@example.com\n", "reputation");
	world_close(&w);
}

static void
test_spam_lengthens(void)
{
	struct world w;

	world_open(&w, NULL);
	of_network(&w, CLIENT, true, 4);
	assert_reason(&w, 0, "", "first");
	g_assert_cmpint(w.decision.wait, ==, 60);
	g_assert_cmpstr(w.evidence, ==, "");
	of_network(&w, CLIENT, true, 2);
	assert_reason(&w, 1, "sender=eve@example.org\n", "first");
	g_assert_cmpint(w.decision.wait, ==, 120);
	g_assert_cmpstr(w.evidence, ==, "network 192.0.2.1: ham 0.0, spam 6.0");
	assert_reason(&w, 62, "sender=eve@example.org\n", "early");
	g_assert_cmpint(w.decision.wait, ==, 59);
	assert_reason(&w, 121, "sender=eve@example.org\n", "passed");
	/* What has passed is known, whatever the reputation. */
	assert_reason(&w, 122, "sender=eve@example.org\n", "known");
	world_close(&w);
}

static void
test_hard_cap(void)
{
	struct world w;

	world_open(&w, (const char *const[]){"greylist.delay=40m", "greylist.retry_window=4h",
			   "reputation.factor=10", NULL});
	of_network(&w, CLIENT, true, 20);
	assert_reason(&w, 0, "", "first");
	g_assert_cmpint(w.decision.wait, ==, 3600);
	set_rules(&w, (const char *const[]){"greylist.delay=20m", "greylist.retry_window=1h",
			  "reputation.factor=10", NULL});
	assert_reason(&w, 0, "sender=eve@example.org\n", "first");
	g_assert_cmpint(w.decision.wait, ==, 1800);
	world_close(&w);
}

/* A network that also sends ham waits no longer than others, whatever its volume of spam. */
static void
test_forwarder(void)
{
	struct world w;

	world_open(&w, NULL);
	of_network(&w, CLIENT, true, 19);
	of_network(&w, CLIENT, false, 1);
	assert_reason(&w, 0, "", "first");
	g_assert_cmpint(w.decision.wait, ==, 60);
	assert_reason(&w, 60, "", "passed");
	world_close(&w);
}

static void
test_reply(void)
{
	struct world w;
	uint8_t key[REPUTATION_KEY_MAX];

	world_open(&w, NULL);
	own_user_wrote(&w, key,
	    reputation_pair_key(store_hash_key(w.store), "bob@example.org", "al@example.net", key));
	assert_reason(&w, 1, "", "correspondent");
	g_assert_cmpstr(w.evidence, ==, "pair of sender and recipient: written to 0 days ago");
	/* From anywhere, tagged or not, but the exact pair. */
	assert_reason(
	    &w, 1, "client_address=198.51.100.9\nsender=Bob+x@Example.org\n", "correspondent");
	assert_reason(&w, 1, "recipient=eve@example.net\n", "first");
	assert_reason(&w, 1, "sender=eve@example.org\n", "first");
	/* For a lifetime. */
	assert_reason(&w, 35 * DAY, "", "correspondent");
	assert_reason(&w, 35 * DAY + 1, "", "first");
	world_close(&w);
}

static void
test_correspondents_domain(void)
{
	struct world w;
	uint8_t key[REPUTATION_KEY_MAX];

	world_open(&w, NULL);
	own_user_wrote(
	    &w, key, reputation_domain_key(REPUTATION_CORRESPONDENT, "example.org", 11, key));
	assert_reason(
	    &w, 0, "client_name=mx.example.org\nsender=x@lists.example.org\n", "correspondent");
	/* The sender alone is forged easily, and the host alone is another's. */
	assert_reason(&w, 0, "", "first");
	assert_reason(&w, 0, "client_name=mx.example.com\nrecipient=b@example.net\n", "first");
	assert_reason(&w, 0, "client_name=mx.example.org\nsender=x@example.com\n", "first");
	world_close(&w);
}

static void
test_off(void)
{
	struct world w;

	world_open(&w, (const char *const[]){"reputation.use=off", NULL});
	of_network(&w, CLIENT, false, 5);
	assert_reason(&w, 0, "", "first");
	world_close(&w);
}

/* What cannot be read is as none. */
static void
damage(const struct store_bytes *old, struct store_change *change, void *job)
{
	(void)old;
	(void)job;
	store_change_put(change, "\0", 1, T0 + 35 * DAY);
}

static void
test_damaged(void)
{
	struct world w;
	uint8_t key[REPUTATION_KEY_MAX];
	struct address address;
	struct store_call nobody = {0};

	world_open(&w, NULL);
	g_assert_true(address_parse(CLIENT, &address));
	store_update(w.store, STORE_REPUTATION,
	    (struct store_bytes){key, reputation_network_key(&address, key)}, damage, NULL, NULL,
	    &nobody);
	store_wait(w.store);
	assert_reason(&w, 0, "", "first");
	of_network(&w, CLIENT, false, 1);
	assert_reason(&w, 0, "", "reputation");
	world_close(&w);
}

/* So is what the store does not say in time: mail is greylisted as ever. */
static void
test_unavailable(void)
{
	static const enum store_result results[] = {
	    STORE_UNAVAILABLE, STORE_UNCERTAIN, STORE_NOT_FOUND, STORE_CORRUPT};
	struct world w;
	struct delivery delivery = {.sender = "bob@example.org",
	    .recipient = "al@example.net",
	    .sender_key = "bob@example.org",
	    .recipient_key = "al@example.net",
	    .name = "mx.example.org"};

	world_open(&w, NULL);
	g_assert_true(address_parse(CLIENT, &delivery.client));
	for (size_t i = 0; i < G_N_ELEMENTS(results); i++) {
		struct standing standing;
		enum reason reason;

		standing_init(
		    &standing, policy_rules(w.policy), &delivery, "", store_hash_key(w.store));
		g_assert_cmpuint(standing.query.n, ==, 5);
		for (size_t k = 0; k < standing.query.n; k++)
			standing_take(&standing, k, results[i], NULL);
		standing_weigh(&standing, policy_rules(w.policy), &delivery, T0);
		g_assert_false(standing_spares(&standing, &reason));
		g_assert_cmpint(standing.opinion.delay, ==, 60);
	}
	world_close(&w);
}

static const struct {
	const char *promise;
	void (*test)(void);
} tests[] = {
    {"wanted-mail-spares-its-network", test_ham_spares},
    {"and-all-recipients-of-the-message", test_holds_for_the_message},
    {"wanted-mail-spares-its-verified-name", test_name_spares},
    {"signed-mail-spares-the-domains-own-hosts", test_signed_domain_spares},
    {"spam-lengthens-the-delay", test_spam_lengthens},
    {"never-past-the-hard-cap", test_hard_cap},
    {"who-sends-both-is-not-punished", test_forwarder},
    {"who-was-written-to-may-answer", test_reply},
    {"from-a-domain-with-a-verified-name-in-it", test_correspondents_domain},
    {"it-can-be-switched-off", test_off},
    {"a-damaged-record-is-as-none-and-heals", test_damaged},
    {"what-cannot-be-read-says-nothing", test_unavailable},
};

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *path = g_strconcat("/policy/reputation/", tests[i].promise, NULL);

		g_test_add_func(path, tests[i].test);
	}
	g_test_add_func("/policy/reputation/spared-while-it-waits", test_spared_while_it_waits);
	return g_test_run();
}
