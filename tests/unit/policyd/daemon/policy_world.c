#include "config.h"

#include "tests/unit/policyd/daemon/policy_world.h"
#include "db/open/open.h"

#include <string.h>
#include <glib.h>

struct rules *
make_rules(const struct world *world, const char *const *assignments)
{
	g_autoptr(GError) error = NULL;
	struct settings *settings = settings_new();
	struct rules *rules;

	for (; assignments && *assignments; assignments++) {
		settings_assign(settings, *assignments, &error);
		g_assert_no_error(error);
	}
	rules = rules_new(settings, world->suffixes, &error);
	g_assert_no_error(error);
	settings_free(settings);
	return rules;
}

void
set_rules(struct world *world, const char *const *assignments)
{
	struct rules *rules = make_rules(world, assignments);

	policy_set_rules(world->policy, rules);
	rules_unref(rules);
}

void
world_open(struct world *world, const char *const *assignments)
{
	struct store_options options = {.uri = "mem:", .create = true};
	g_autoptr(GError) error = NULL;
	struct rules *rules;

	*world = (struct world){.suffixes = suffix_list_load(NULL)};
	world->store = store_open(&options, &error);
	g_assert_no_error(error);
	rules = make_rules(world, assignments);
	world->policy = policy_new(world->store, rules, POLICY_MESSAGES_SINGLE);
	rules_unref(rules);
}

void
world_close(struct world *world)
{
	policy_free(world->policy);
	store_close(&world->store);
	suffix_list_free(world->suffixes);
	g_free(world->evidence);
}

static void
on_answer(void *context, struct rules *rules, const struct policy_decision *decision)
{
	struct world *world = context;

	g_assert_false(world->answered);
	world->answered = true;
	world->decision = *decision;
	world->decision.evidence = NULL;
	g_free(world->evidence);
	world->evidence = g_strdup(decision->evidence ? decision->evidence : "");
	world->reason = decision->reason;
	decision_reply(decision, rules, "mx.example", T0, world->reply);
}

const char *
ask(struct world *world, int64_t time, const char *text)
{
	static const char usual[] = "request=smtpd_access_policy\nprotocol_state=RCPT\n"
				    "client_address=192.0.2.1\nclient_name=unknown\n"
				    "sender=bob@example.org\nrecipient=al@example.net\n"
				    "helo_name=mail.example.org\n";
	g_autofree char *bytes = g_strconcat(usual, text, "\n", NULL);
	struct policy_parser parser = {0};
	struct policy_request request;
	size_t used;

	g_assert_cmpint(
	    policy_parse(&parser, bytes, strlen(bytes), &request, &used), ==, POLICY_PARSE_DONE);
	world->answered = false;
	policy_decide(world->policy, &request, time, on_answer, world);
	store_wait(world->store);
	g_assert_true(world->answered);
	return reason_row(world->reason)->name;
}
