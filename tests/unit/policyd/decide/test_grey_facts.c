/* What a message's delivery is told of greylisting. */
#include "config.h"

#include <string.h>
#include <glib.h>

#include "policyd/decide/grey_facts.h"

#define T0 1795000000

static const struct greylist_rules rules = {
    .delay = 60, .retry_window = 86400, .lifetime = 35 * 86400, .ipv4_prefix = 24};

static struct grey_facts
facts_of(const struct sighting *sighting, int64_t began)
{
	struct grey_facts facts;

	grey_facts_of(&rules, sighting, began, &facts);
	return facts;
}

static void
test_unknown(void)
{
	struct sighting waiting = {.first = T0, .last = T0, .attempts = 1};

	g_assert_cmpint(facts_of(NULL, T0).greylist.contact, ==, DELIVERY_UNKNOWN);
	g_assert_cmpint(facts_of(&waiting, T0 + 5).greylist.contact, ==, DELIVERY_UNKNOWN);
}

/* The message that a retry let in, and one that comes when its triplet is known. */
static void
test_passed(void)
{
	struct sighting s = {.first = T0, .passed = T0 + 130, .last = T0 + 130, .attempts = 4};
	struct grey_facts facts;

	s.moved = true;
	sighting_add_early(&s, 10);
	sighting_add_early(&s, 40);
	facts = facts_of(&s, T0 + 130);
	g_assert_cmpint(facts.greylist.contact, ==, DELIVERY_FIRST);
	g_assert_cmpuint(facts.greylist.delayed, ==, 130);
	g_assert_cmpuint(facts.greylist.attempts, ==, 4);
	g_assert_true(facts.greylist.moved);
	g_assert_cmpuint(facts.greylist.n_offsets, ==, 4);
	g_assert_cmpuint(facts.greylist.offsets[0], ==, 0);
	g_assert_cmpuint(facts.greylist.offsets[1], ==, 10);
	g_assert_cmpuint(facts.greylist.offsets[2], ==, 40);
	g_assert_cmpuint(facts.greylist.offsets[3], ==, 130);
	g_assert_false(facts.young);

	facts = facts_of(&s, T0 + 200);
	g_assert_cmpint(facts.greylist.contact, ==, DELIVERY_KNOWN);
	g_assert_cmpuint(facts.greylist.delayed, ==, 0);
	g_assert_cmpuint(facts.greylist.n_offsets, ==, 0);
}

/* Observe mode lets a first attempt in: it waited for nothing. */
static void
test_observed(void)
{
	struct sighting s = {
	    .first = T0, .passed = T0, .last = T0, .attempts = 1, .observed = true};
	struct grey_facts facts = facts_of(&s, T0);

	g_assert_cmpint(facts.greylist.contact, ==, DELIVERY_FIRST);
	g_assert_cmpuint(facts.greylist.delayed, ==, 0);
	g_assert_true(facts.young);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/grey-facts/unknown", test_unknown);
	g_test_add_func("/grey-facts/passed-and-known", test_passed);
	g_test_add_func("/grey-facts/observed", test_observed);
	return g_test_run();
}
