#include "config.h"

#include <string.h>
#include <glib.h>

#include "classifier/bank/registry.h"

static struct model_entry
full_entry(void)
{
	struct model_entry entry = {.spam = true,
	    .day = 20781,
	    .tokens_version = 1,
	    .ngrams_version = 65535,
	    .before = VERDICT_UNSURE,
	    .evidence = -12.345,
	    .remembered = true,
	    .dialogue = 0x1ff};

	for (unsigned v = 0; v < VOICES; v++) {
		entry.checksums[v] = 0xffffffffu - v;
		entry.steps[v] = (struct voice_step){INT32_MIN, INT32_MAX, -1, 1, (int32_t)v};
	}
	for (unsigned i = 0; i < MIXTURE_CELLS; i++)
		entry.mixture.cells[i] = i % 2 ? INT32_MIN + (int32_t)i : INT32_MAX - (int32_t)i;
	return entry;
}

static void
assert_same(const struct model_entry *a, const struct model_entry *b)
{
	g_assert_cmpint(a->spam, ==, b->spam);
	g_assert_cmpuint(a->day, ==, b->day);
	g_assert_cmpuint(a->tokens_version, ==, b->tokens_version);
	g_assert_cmpuint(a->ngrams_version, ==, b->ngrams_version);
	g_assert_cmpint(memcmp(a->checksums, b->checksums, sizeof a->checksums), ==, 0);
	for (unsigned v = 0; v < VOICES; v++)
		g_assert_cmpint(memcmp(&a->steps[v], &b->steps[v], sizeof a->steps[v]), ==, 0);
	g_assert_cmpint(memcmp(&a->mixture, &b->mixture, sizeof a->mixture), ==, 0);
	g_assert_cmpint(a->before, ==, b->before);
	g_assert_cmpfloat_with_epsilon(a->evidence, b->evidence, 0.001);
	g_assert_cmpint(a->remembered, ==, b->remembered);
	g_assert_cmpuint(a->dialogue, ==, b->dialogue);
}

static void
test_round_trip(void)
{
	struct model_entry entries[] = {full_entry(), {.before = VERDICT_HAM}}, back;
	uint8_t bytes[REGISTRY_ENTRY_MAX];

	for (size_t i = 0; i < G_N_ELEMENTS(entries); i++) {
		struct store_bytes encoded = {bytes, registry_encode(&entries[i], bytes)};

		g_assert_true(registry_decode(&encoded, &back));
		assert_same(&entries[i], &back);
	}
}

/* Cut short or changed: refused, or an entry that round-trips; the sanitizers look on. */
static void
test_damage(void)
{
	struct model_entry entry = full_entry(), back;
	uint8_t bytes[REGISTRY_ENTRY_MAX];
	size_t length = registry_encode(&entry, bytes);
	GRand *random = g_rand_new_with_seed(4);
	unsigned refused = 0;

	for (size_t cut = 0; cut < length; cut++) {
		g_autofree uint8_t *copy = g_memdup2(bytes, cut);

		refused += !registry_decode(&(struct store_bytes){copy, cut}, &back);
	}
	g_assert_cmpuint(refused, >, length / 2);
	for (int i = 0; i < 20000; i++) {
		g_autofree uint8_t *copy = g_memdup2(bytes, length);

		copy[g_rand_int_range(random, 0, (gint32)length)] = (uint8_t)g_rand_int(random);
		registry_decode(&(struct store_bytes){copy, length}, &back);
	}
	g_rand_free(random);
}

/* Numbers with room for more. */
static struct model_entry
small_entry(void)
{
	struct model_entry entry = full_entry();

	for (unsigned v = 0; v < VOICES; v++)
		entry.steps[v] = (struct voice_step){10, 20, 30, 40, 1};
	for (unsigned i = 0; i < MIXTURE_CELLS; i++)
		entry.mixture.cells[i] = 100 * (int32_t)i;
	return entry;
}

/* Each has added a step: both are kept. */
static void
test_merge_adds(void)
{
	struct model_entry base = small_entry(), mine = base, current = base, merged;

	mine.steps[1].z += 5;
	mine.mixture.cells[0] -= 7;
	current.steps[1].z += 100;
	current.steps[0].taken = 9;
	current.remembered = false;
	g_assert_true(registry_merge(&base, &current, &mine, &merged));
	g_assert_cmpint(merged.steps[1].z, ==, 10 + 5 + 100);
	g_assert_cmpint(merged.steps[0].taken, ==, 9);
	g_assert_cmpint(merged.mixture.cells[0], ==, -7);
	g_assert_false(merged.remembered);
	/* Nobody else was there. */
	g_assert_true(registry_merge(&base, &base, &mine, &merged));
	assert_same(&merged, &mine);
	g_assert_true(registry_merge(NULL, NULL, &mine, &merged));
	assert_same(&merged, &mine);
	g_assert_true(registry_merge(&base, &base, NULL, &merged));
	g_assert_true(registry_merge(NULL, NULL, NULL, &merged));
}

static void
test_merge_refuses(void)
{
	struct model_entry base = small_entry(), stepped = base, moved = base, other = base;
	struct model_entry full = base, forgotten = base, merged = {0};

	stepped.steps[0].n++;
	moved.spam = !base.spam;
	other.checksums[1]++;
	full.steps[0].z = INT32_MAX;
	forgotten.remembered = false;
	const struct {
		const struct model_entry *base, *current, *mine;
	} rows[] = {
	    {NULL, &base, &base},            /* learned by both */
	    {NULL, &base, NULL},             /* by the other, and taken back here */
	    {&base, NULL, &stepped},         /* forgotten by the other */
	    {&base, NULL, NULL},             /* by both */
	    {&base, &moved, &stepped},       /* moved by the other */
	    {&base, &stepped, &moved},       /* rehearsed by the other, moved here */
	    {&base, &stepped, NULL},         /* or forgotten here */
	    {&base, &other, &stepped},       /* learned anew by the other, as it is read now */
	    {&base, &forgotten, &forgotten}, /* let go by both: its room counts once */
	    {&stepped, &full, &full},        /* no room for both */
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		g_assert_false(
		    registry_merge(rows[i].base, rows[i].current, rows[i].mine, &merged));
	g_assert_cmpuint(merged.day, ==, 0);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/registry/round-trip-loses-nothing", test_round_trip);
	g_test_add_func("/registry/damaged-entries-do-no-harm", test_damage);
	g_test_add_func("/registry/what-two-trainers-added-is-added-up", test_merge_adds);
	g_test_add_func("/registry/what-cannot-both-be-right-is-refused", test_merge_refuses);
	return g_test_run();
}
