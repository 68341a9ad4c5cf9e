# A fuzz target is tests/fuzz/fuzz_NAME.c with LLVMFuzzerTestOneInput(). Under --enable-fuzzing it
# is linked with libFuzzer; else with standalone.c, which feeds it the files of its corpus
# folder, each also cut short and with bytes changed, so that "make check" runs every target.
# A target is a block as at the end; link flags of its own go after $(LINK_FUZZ).
# tests/fuzz/run.sh runs the libFuzzer targets for some time.
FUZZ_TARGETS =
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/run.sh
check_PROGRAMS += $(FUZZ_TARGETS)
if FUZZING
FUZZ_DRIVER =
LINK_FUZZ = $(AM_LDFLAGS) -fsanitize=fuzzer
else
TESTS += $(FUZZ_TARGETS)
FUZZ_DRIVER = tests/fuzz/standalone.c
LINK_FUZZ = $(AM_LDFLAGS)
endif

FUZZ_TARGETS += tests/fuzz/fuzz_clientname
tests_fuzz_fuzz_clientname_SOURCES = tests/fuzz/fuzz_clientname.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_clientname_LDADD = $(LIB_LIBS)
tests_fuzz_fuzz_clientname_LDFLAGS = $(LINK_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_envelope
tests_fuzz_fuzz_envelope_SOURCES = tests/fuzz/fuzz_envelope.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_envelope_LDADD = $(POLICYD_LIBS)
tests_fuzz_fuzz_envelope_LDFLAGS = $(LINK_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_milter
tests_fuzz_fuzz_milter_SOURCES = tests/fuzz/fuzz_milter.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_milter_LDADD = $(MILTER_PARTS)
tests_fuzz_fuzz_milter_LDFLAGS = $(LINK_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_protocol
tests_fuzz_fuzz_protocol_SOURCES = tests/fuzz/fuzz_protocol.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_protocol_LDADD = $(POLICYD_LIBS)
tests_fuzz_fuzz_protocol_LDFLAGS = $(LINK_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_expected
tests_fuzz_fuzz_expected_SOURCES = tests/fuzz/fuzz_expected.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_expected_LDADD = $(POLICYD_LIBS)
tests_fuzz_fuzz_expected_LDFLAGS = $(LINK_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_logline
tests_fuzz_fuzz_logline_SOURCES = tests/fuzz/fuzz_logline.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_logline_LDADD = $(CTL_LIBS)
tests_fuzz_fuzz_logline_LDFLAGS = $(LINK_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_html
tests_fuzz_fuzz_html_SOURCES = tests/fuzz/fuzz_html.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_html_LDADD = $(CLASSIFY_LIBS)
tests_fuzz_fuzz_html_LDFLAGS = $(LINK_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_message
tests_fuzz_fuzz_message_SOURCES = tests/fuzz/fuzz_message.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_message_LDADD = $(CLASSIFY_LIBS)
tests_fuzz_fuzz_message_LDFLAGS = $(LINK_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_tokens
tests_fuzz_fuzz_tokens_SOURCES = tests/fuzz/fuzz_tokens.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_tokens_LDADD = $(CLASSIFY_LIBS)
tests_fuzz_fuzz_tokens_LDFLAGS = $(LINK_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_import
tests_fuzz_fuzz_import_SOURCES = tests/fuzz/fuzz_import.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_import_LDADD = $(CTL_LIBS)
tests_fuzz_fuzz_import_LDFLAGS = $(LINK_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_address
tests_fuzz_fuzz_address_SOURCES = tests/fuzz/fuzz_address.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_address_LDADD = $(LIB_LIBS)
tests_fuzz_fuzz_address_LDFLAGS = $(LINK_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_settings
tests_fuzz_fuzz_settings_SOURCES = tests/fuzz/fuzz_settings.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_settings_LDADD = $(LIB_LIBS)
tests_fuzz_fuzz_settings_LDFLAGS = $(LINK_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_record
tests_fuzz_fuzz_record_SOURCES = tests/fuzz/fuzz_record.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_record_LDADD = $(DB_LIBS)
tests_fuzz_fuzz_record_LDFLAGS = $(LINK_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_triplet
tests_fuzz_fuzz_triplet_SOURCES = tests/fuzz/fuzz_triplet.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_triplet_LDADD = $(POLICYD_LIBS)
tests_fuzz_fuzz_triplet_LDFLAGS = $(LINK_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_whitelist
tests_fuzz_fuzz_whitelist_SOURCES = tests/fuzz/fuzz_whitelist.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_whitelist_LDADD = $(POLICYD_LIBS)
tests_fuzz_fuzz_whitelist_LDFLAGS = $(LINK_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_rehearsal
tests_fuzz_fuzz_rehearsal_SOURCES = tests/fuzz/fuzz_rehearsal.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_rehearsal_LDADD = $(CLASSIFY_LIBS)
tests_fuzz_fuzz_rehearsal_LDFLAGS = $(LINK_FUZZ)

# Long runs, apart from "make check": every target under libFuzzer, in a tree of its own. STRESS is
# how many seconds each.
STRESS = 60
stress:
	mkdir -p stress && cd stress && \
	$(abs_srcdir)/configure -q CC=clang --enable-fuzzing --enable-sanitizers && \
	$(MAKE) $(AM_MAKEFLAGS) && $(MAKE) $(AM_MAKEFLAGS) check_PROGRAMS='$(FUZZ_TARGETS)' $(FUZZ_TARGETS) && \
	$(SHELL) $(abs_srcdir)/tests/fuzz/run.sh $(STRESS)

.PHONY: stress

FUZZ_TARGETS += tests/fuzz/fuzz_reputation
tests_fuzz_fuzz_reputation_SOURCES = tests/fuzz/fuzz_reputation.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_reputation_LDADD = $(DB_LIBS)
tests_fuzz_fuzz_reputation_LDFLAGS = $(LINK_FUZZ)

if REDIS
FUZZ_TARGETS += tests/fuzz/fuzz_redis_pack
endif
tests_fuzz_fuzz_redis_pack_SOURCES = tests/fuzz/fuzz_redis_pack.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_redis_pack_LDADD = $(DB_LIBS)
tests_fuzz_fuzz_redis_pack_LDFLAGS = $(LINK_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_turn
tests_fuzz_fuzz_turn_SOURCES = tests/fuzz/fuzz_turn.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_turn_LDADD = $(CLASSIFY_LIBS)
tests_fuzz_fuzz_turn_LDFLAGS = $(LINK_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_origin
tests_fuzz_fuzz_origin_SOURCES = tests/fuzz/fuzz_origin.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_origin_LDADD = $(CLASSIFY_LIBS)
tests_fuzz_fuzz_origin_LDFLAGS = $(LINK_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_journal
tests_fuzz_fuzz_journal_SOURCES = tests/fuzz/fuzz_journal.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_journal_LDADD = $(DB_LIBS)
tests_fuzz_fuzz_journal_LDFLAGS = $(LINK_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_content
tests_fuzz_fuzz_content_SOURCES = tests/fuzz/fuzz_content.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_content_LDADD = $(CLASSIFY_LIBS) $(GMIME_LIBS)
tests_fuzz_fuzz_content_LDFLAGS = $(LINK_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_runstate
tests_fuzz_fuzz_runstate_SOURCES = tests/fuzz/fuzz_runstate.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_runstate_LDADD = $(POLICYD_LIBS)
tests_fuzz_fuzz_runstate_LDFLAGS = $(LINK_FUZZ)
