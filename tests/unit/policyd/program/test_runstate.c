#include "config.h"

#include <string.h>
#include <glib.h>

#include "policyd/program/runstate.h"

static struct runstate
sample(void)
{
	return (struct runstate){
	    .pid = 4711,
	    .version = "0.1.0",
	    .started = 1764028800,
	    .generation = 2,
	    .reloads = 7,
	    .reloaded = 1764032400,
	    .refusal = "/etc/x:3: greylist.delay: \"soon\"\n/etc/y: Permission denied\n",
	    .restart = "policy.socket_mode http.socket_mode",
	    .condition = CONDITION_LETTING_IN,
	    .since = 1764032999,
	    .reason = "the disk is full; M\xc3\xa4rz \x01 \\ sum=0",
	};
}

static void
assert_same(const struct runstate *a, const struct runstate *b)
{
	g_assert_cmpint(a->pid, ==, b->pid);
	g_assert_cmpstr(a->version, ==, b->version);
	g_assert_cmpint(a->started, ==, b->started);
	g_assert_cmpuint(a->generation, ==, b->generation);
	g_assert_cmpuint(a->reloads, ==, b->reloads);
	g_assert_cmpint(a->reloaded, ==, b->reloaded);
	g_assert_cmpstr(a->refusal, ==, b->refusal);
	g_assert_cmpstr(a->restart, ==, b->restart);
	g_assert_cmpint(a->condition, ==, b->condition);
	g_assert_cmpint(a->since, ==, b->since);
	g_assert_cmpstr(a->reason, ==, b->reason);
}

static void
test_round_trip(void)
{
	struct runstate state = sample(), again;
	char bytes[RUNSTATE_SIZE];

	runstate_encode(&state, bytes);
	g_assert_true(g_str_has_prefix(bytes, "4711\n"));
	g_assert_true(runstate_decode(bytes, sizeof bytes, &again));
	assert_same(&state, &again);
	for (unsigned i = 0; i < CONDITIONS; i++) {
		state.condition = (enum condition)i;
		runstate_encode(&state, bytes);
		g_assert_true(runstate_decode(bytes, sizeof bytes, &again));
		assert_same(&state, &again);
	}
}

/* Escaping makes four bytes of one: what finds no room is cut, and the rest is there. */
static void
test_cut(void)
{
	struct runstate state = sample(), again;
	char bytes[RUNSTATE_SIZE];

	memset(state.refusal, '\x01', sizeof state.refusal - 1);
	memset(state.restart, '\x02', sizeof state.restart - 1);
	memset(state.reason, '\x03', sizeof state.reason - 1);
	runstate_encode(&state, bytes);
	g_assert_true(runstate_decode(bytes, sizeof bytes, &again));
	g_assert_cmpstr(again.reason, ==, state.reason);
	g_assert_cmpstr(again.restart, ==, state.restart);
	g_assert_true(again.refusal[0] == '\x01');
	g_assert_cmpuint(strlen(again.refusal), <, strlen(state.refusal));
	g_assert_cmpint(again.since, ==, state.since);
}

/* A file that is being written is told from one that is. */
static void
test_torn(void)
{
	struct runstate old = sample(), new = sample(), got;
	char before[RUNSTATE_SIZE], after[RUNSTATE_SIZE];
	unsigned whole = 0;

	new.refusal[0] = '\0';
	new.reloads++;
	new.condition = CONDITION_GREYLISTING;
	runstate_encode(&old, before);
	runstate_encode(&new, after);
	for (size_t i = 0; i <= RUNSTATE_SIZE; i++) {
		char mixed[RUNSTATE_SIZE];

		memcpy(mixed, after, i);
		memcpy(mixed + i, before + i, RUNSTATE_SIZE - i);
		if (!runstate_decode(mixed, sizeof mixed, &got))
			continue;
		whole++;
		assert_same(&got, got.reloads == old.reloads ? &old : &new);
	}
	g_assert_cmpuint(whole, >=, 2);
	/* Not so while the lines differ. */
	g_assert_cmpuint(whole, <, RUNSTATE_SIZE - 100);
}

/* The checksum that a text needs, as another version of greylag would write it. */
static char *
with_sum(const char *text)
{
	uint32_t hash = 2166136261U;

	for (const char *p = text; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619U;
	return g_strdup_printf("%ssum=%08x\n\n\n", text, hash);
}

static void
test_foreign(void)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
	    {"12\n", true},
	    {"12\nfuture=yes\nreloads=3\n", true},
	    {"12\nreloads=3\nno equals\n=\nreason=\\\n", true},
	    {"12\nreloads=3\ncondition=nonsense\nsince=soon\ngeneration=-1\n", true},
	    {"", false},
	    {"0\nreloads=3\n", false},
	    {"-5\nreloads=3\n", false},
	    {"99999999999\n", false},
	    {"reloads=3\n", false},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *text = with_sum(rows[i].text);
		struct runstate state = {.pid = -7};

		g_test_message("%s", rows[i].text);
		g_assert_cmpint(runstate_decode(text, strlen(text), &state), ==, rows[i].good);
		g_assert_cmpint(state.pid, ==, rows[i].good ? 12 : -7);
		if (strstr(rows[i].text, "reloads") && rows[i].good)
			g_assert_cmpuint(state.reloads, ==, 3);
	}
	/* A pid file of an older greylag has no more than the process id. */
	g_assert_false(runstate_decode("4711\n", 5, &(struct runstate){0}));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/runstate/what-is-written-is-read-again", test_round_trip);
	g_test_add_func("/runstate/long-texts-are-cut-and-leave-the-rest-alone", test_cut);
	g_test_add_func("/runstate/a-file-half-written-is-not-taken-for-one", test_torn);
	g_test_add_func("/runstate/unknown-and-broken-lines-are-skipped", test_foreign);
	return g_test_run();
}
