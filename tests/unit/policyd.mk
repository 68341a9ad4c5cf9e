check_PROGRAMS += tests/unit/policyd/decide/test_greylist
TESTS += tests/unit/policyd/decide/test_greylist
tests_unit_policyd_decide_test_greylist_SOURCES = tests/unit/policyd/decide/test_greylist.c
tests_unit_policyd_decide_test_greylist_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/policyd/decide/test_triplet
TESTS += tests/unit/policyd/decide/test_triplet
tests_unit_policyd_decide_test_triplet_SOURCES = tests/unit/policyd/decide/test_triplet.c
tests_unit_policyd_decide_test_triplet_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/policyd/decide/test_client
TESTS += tests/unit/policyd/decide/test_client
tests_unit_policyd_decide_test_client_SOURCES = tests/unit/policyd/decide/test_client.c
tests_unit_policyd_decide_test_client_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/policyd/daemon/test_known
TESTS += tests/unit/policyd/daemon/test_known
tests_unit_policyd_daemon_test_known_SOURCES = tests/unit/policyd/daemon/test_known.c
tests_unit_policyd_daemon_test_known_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/policyd/daemon/test_policy
TESTS += tests/unit/policyd/daemon/test_policy
POLICY_WORLD = tests/unit/policyd/daemon/policy_world.c tests/unit/policyd/daemon/policy_world.h
tests_unit_policyd_daemon_test_policy_SOURCES = tests/unit/policyd/daemon/test_policy.c $(POLICY_WORLD)
tests_unit_policyd_daemon_test_policy_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/policyd/daemon/test_policy_reputation
TESTS += tests/unit/policyd/daemon/test_policy_reputation
tests_unit_policyd_daemon_test_policy_reputation_SOURCES = tests/unit/policyd/daemon/test_policy_reputation.c $(POLICY_WORLD)
tests_unit_policyd_daemon_test_policy_reputation_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/policyd/decide/test_envelope
TESTS += tests/unit/policyd/decide/test_envelope
tests_unit_policyd_decide_test_envelope_SOURCES = tests/unit/policyd/decide/test_envelope.c
tests_unit_policyd_decide_test_envelope_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/policyd/decide/test_protocol
TESTS += tests/unit/policyd/decide/test_protocol
tests_unit_policyd_decide_test_protocol_SOURCES = tests/unit/policyd/decide/test_protocol.c
tests_unit_policyd_decide_test_protocol_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/policyd/ctl/test_ctl_records
TESTS += tests/unit/policyd/ctl/test_ctl_records
tests_unit_policyd_ctl_test_ctl_records_SOURCES = tests/unit/policyd/ctl/test_ctl_records.c
tests_unit_policyd_ctl_test_ctl_records_LDADD = $(CTL_LIBS)

check_PROGRAMS += tests/unit/policyd/http/test_http
TESTS += tests/unit/policyd/http/test_http
tests_unit_policyd_http_test_http_SOURCES = tests/unit/policyd/http/test_http.c
tests_unit_policyd_http_test_http_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/policyd/decide/test_whitelist
TESTS += tests/unit/policyd/decide/test_whitelist
tests_unit_policyd_decide_test_whitelist_SOURCES = tests/unit/policyd/decide/test_whitelist.c
tests_unit_policyd_decide_test_whitelist_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/policyd/decide/test_decision
TESTS += tests/unit/policyd/decide/test_decision
tests_unit_policyd_decide_test_decision_SOURCES = tests/unit/policyd/decide/test_decision.c
tests_unit_policyd_decide_test_decision_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/policyd/milter/test_milter
TESTS += tests/unit/policyd/milter/test_milter
tests_unit_policyd_milter_test_milter_SOURCES = tests/unit/policyd/milter/test_milter.c
tests_unit_policyd_milter_test_milter_LDADD = $(MILTER_PARTS)

check_PROGRAMS += tests/unit/policyd/daemon/test_messages
TESTS += tests/unit/policyd/daemon/test_messages
tests_unit_policyd_daemon_test_messages_SOURCES = tests/unit/policyd/daemon/test_messages.c
tests_unit_policyd_daemon_test_messages_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/policyd/decide/test_domains
TESTS += tests/unit/policyd/decide/test_domains
tests_unit_policyd_decide_test_domains_SOURCES = tests/unit/policyd/decide/test_domains.c
tests_unit_policyd_decide_test_domains_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/policyd/decide/test_expected
TESTS += tests/unit/policyd/decide/test_expected
tests_unit_policyd_decide_test_expected_SOURCES = tests/unit/policyd/decide/test_expected.c
tests_unit_policyd_decide_test_expected_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/policyd/decide/test_grey_facts
TESTS += tests/unit/policyd/decide/test_grey_facts
tests_unit_policyd_decide_test_grey_facts_SOURCES = tests/unit/policyd/decide/test_grey_facts.c
tests_unit_policyd_decide_test_grey_facts_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/policyd/stats/test_histogram
TESTS += tests/unit/policyd/stats/test_histogram
tests_unit_policyd_stats_test_histogram_SOURCES = tests/unit/policyd/stats/test_histogram.c
tests_unit_policyd_stats_test_histogram_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/policyd/stats/test_report
TESTS += tests/unit/policyd/stats/test_report
tests_unit_policyd_stats_test_report_SOURCES = tests/unit/policyd/stats/test_report.c
tests_unit_policyd_stats_test_report_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/policyd/stats/test_tally
TESTS += tests/unit/policyd/stats/test_tally
tests_unit_policyd_stats_test_tally_SOURCES = tests/unit/policyd/stats/test_tally.c
tests_unit_policyd_stats_test_tally_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/policyd/program/test_listener
TESTS += tests/unit/policyd/program/test_listener
tests_unit_policyd_program_test_listener_SOURCES = tests/unit/policyd/program/test_listener.c
tests_unit_policyd_program_test_listener_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/policyd/decide/test_selector
TESTS += tests/unit/policyd/decide/test_selector
tests_unit_policyd_decide_test_selector_SOURCES = tests/unit/policyd/decide/test_selector.c
tests_unit_policyd_decide_test_selector_LDADD = $(POLICYD_LIBS)

check_PROGRAMS += tests/unit/policyd/ctl/test_logline
TESTS += tests/unit/policyd/ctl/test_logline
tests_unit_policyd_ctl_test_logline_SOURCES = tests/unit/policyd/ctl/test_logline.c
tests_unit_policyd_ctl_test_logline_LDADD = $(CTL_LIBS)

check_PROGRAMS += tests/unit/policyd/program/test_runstate
TESTS += tests/unit/policyd/program/test_runstate
tests_unit_policyd_program_test_runstate_SOURCES = tests/unit/policyd/program/test_runstate.c
tests_unit_policyd_program_test_runstate_LDADD = $(POLICYD_LIBS)
