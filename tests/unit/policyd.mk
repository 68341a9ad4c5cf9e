check_PROGRAMS += tests/unit/test_greylist
TESTS += tests/unit/test_greylist
tests_unit_test_greylist_SOURCES = tests/unit/test_greylist.c
tests_unit_test_greylist_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/test_triplet
TESTS += tests/unit/test_triplet
tests_unit_test_triplet_SOURCES = tests/unit/test_triplet.c
tests_unit_test_triplet_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/test_client
TESTS += tests/unit/test_client
tests_unit_test_client_SOURCES = tests/unit/test_client.c
tests_unit_test_client_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/test_known
TESTS += tests/unit/test_known
tests_unit_test_known_SOURCES = tests/unit/test_known.c
tests_unit_test_known_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/test_policy
TESTS += tests/unit/test_policy
POLICY_WORLD = tests/unit/policy_world.c tests/unit/policy_world.h
tests_unit_test_policy_SOURCES = tests/unit/test_policy.c $(POLICY_WORLD)
tests_unit_test_policy_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/test_policy_reputation
TESTS += tests/unit/test_policy_reputation
tests_unit_test_policy_reputation_SOURCES = tests/unit/test_policy_reputation.c $(POLICY_WORLD)
tests_unit_test_policy_reputation_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/test_envelope
TESTS += tests/unit/test_envelope
tests_unit_test_envelope_SOURCES = tests/unit/test_envelope.c
tests_unit_test_envelope_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/test_protocol
TESTS += tests/unit/test_protocol
tests_unit_test_protocol_SOURCES = tests/unit/test_protocol.c
tests_unit_test_protocol_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/test_ctl_records
TESTS += tests/unit/test_ctl_records
tests_unit_test_ctl_records_SOURCES = tests/unit/test_ctl_records.c
tests_unit_test_ctl_records_LDADD = $(CTL_LIBS)

check_PROGRAMS += tests/unit/test_http
TESTS += tests/unit/test_http
tests_unit_test_http_SOURCES = tests/unit/test_http.c
tests_unit_test_http_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/test_whitelist
TESTS += tests/unit/test_whitelist
tests_unit_test_whitelist_SOURCES = tests/unit/test_whitelist.c
tests_unit_test_whitelist_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/test_decision
TESTS += tests/unit/test_decision
tests_unit_test_decision_SOURCES = tests/unit/test_decision.c
tests_unit_test_decision_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/test_milter
TESTS += tests/unit/test_milter
tests_unit_test_milter_SOURCES = tests/unit/test_milter.c
tests_unit_test_milter_LDADD = $(MILTER_PARTS)

check_PROGRAMS += tests/unit/test_messages
TESTS += tests/unit/test_messages
tests_unit_test_messages_SOURCES = tests/unit/test_messages.c
tests_unit_test_messages_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/test_domains
TESTS += tests/unit/test_domains
tests_unit_test_domains_SOURCES = tests/unit/test_domains.c
tests_unit_test_domains_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/test_expected
TESTS += tests/unit/test_expected
tests_unit_test_expected_SOURCES = tests/unit/test_expected.c
tests_unit_test_expected_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/test_grey_facts
TESTS += tests/unit/test_grey_facts
tests_unit_test_grey_facts_SOURCES = tests/unit/test_grey_facts.c
tests_unit_test_grey_facts_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/test_histogram
TESTS += tests/unit/test_histogram
tests_unit_test_histogram_SOURCES = tests/unit/test_histogram.c
tests_unit_test_histogram_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/test_report
TESTS += tests/unit/test_report
tests_unit_test_report_SOURCES = tests/unit/test_report.c
tests_unit_test_report_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/test_tally
TESTS += tests/unit/test_tally
tests_unit_test_tally_SOURCES = tests/unit/test_tally.c
tests_unit_test_tally_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/test_listener
TESTS += tests/unit/test_listener
tests_unit_test_listener_SOURCES = tests/unit/test_listener.c
tests_unit_test_listener_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/test_selector
TESTS += tests/unit/test_selector
tests_unit_test_selector_SOURCES = tests/unit/test_selector.c
tests_unit_test_selector_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/test_logline
TESTS += tests/unit/test_logline
tests_unit_test_logline_SOURCES = tests/unit/test_logline.c
tests_unit_test_logline_LDADD = $(CTL_LIBS)

check_PROGRAMS += tests/unit/test_runstate
TESTS += tests/unit/test_runstate
tests_unit_test_runstate_SOURCES = tests/unit/test_runstate.c
tests_unit_test_runstate_LDADD = $(POLICYD_LIBS)
