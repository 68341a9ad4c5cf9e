check_PROGRAMS += tests/unit/test_corpus
TESTS += tests/unit/test_corpus
tests_unit_test_corpus_SOURCES = tests/unit/test_corpus.c
tests_unit_test_corpus_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_bogowords
TESTS += tests/unit/test_bogowords
tests_unit_test_bogowords_SOURCES = tests/unit/test_bogowords.c
tests_unit_test_bogowords_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_canonical
TESTS += tests/unit/test_canonical
tests_unit_test_canonical_SOURCES = tests/unit/test_canonical.c
tests_unit_test_canonical_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_dialogue
TESTS += tests/unit/test_dialogue
tests_unit_test_dialogue_SOURCES = tests/unit/test_dialogue.c
tests_unit_test_dialogue_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_content
TESTS += tests/unit/test_content
tests_unit_test_content_SOURCES = tests/unit/test_content.c
tests_unit_test_content_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_charset
TESTS += tests/unit/test_charset
tests_unit_test_charset_SOURCES = tests/unit/test_charset.c
tests_unit_test_charset_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_html
TESTS += tests/unit/test_html
tests_unit_test_html_SOURCES = tests/unit/test_html.c
tests_unit_test_html_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_message
TESTS += tests/unit/test_message
tests_unit_test_message_SOURCES = tests/unit/test_message.c
tests_unit_test_message_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_text
TESTS += tests/unit/test_text
tests_unit_test_text_SOURCES = tests/unit/test_text.c
tests_unit_test_text_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_tokens
TESTS += tests/unit/test_tokens
tests_unit_test_tokens_SOURCES = tests/unit/test_tokens.c
tests_unit_test_tokens_LDADD = $(CLASSIFY_LIBS)

EXTRA_DIST += tests/data/torture
check_PROGRAMS += tests/unit/test_rewrite
TESTS += tests/unit/test_rewrite
tests_unit_test_rewrite_SOURCES = tests/unit/test_rewrite.c
tests_unit_test_rewrite_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_registry
TESTS += tests/unit/test_registry
tests_unit_test_registry_SOURCES = tests/unit/test_registry.c
tests_unit_test_registry_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_pipeline
TESTS += tests/unit/test_pipeline
tests_unit_test_pipeline_SOURCES = tests/unit/test_pipeline.c
tests_unit_test_pipeline_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_bank
TESTS += tests/unit/test_bank
tests_unit_test_bank_SOURCES = tests/unit/test_bank.c
tests_unit_test_bank_LDADD = $(CLASSIFY_LIBS)

if REDIS
check_PROGRAMS += tests/unit/test_bank_shared
TESTS += tests/unit/test_bank_shared
tests_unit_test_bank_shared_SOURCES = tests/unit/test_bank_shared.c $(REDIS_SERVER)
tests_unit_test_bank_shared_LDADD = $(CLASSIFY_LIBS)
endif

check_PROGRAMS += tests/unit/test_evaluate
TESTS += tests/unit/test_evaluate
tests_unit_test_evaluate_SOURCES = tests/unit/test_evaluate.c
tests_unit_test_evaluate_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_ownconf
TESTS += tests/unit/test_ownconf
tests_unit_test_ownconf_SOURCES = tests/unit/test_ownconf.c
tests_unit_test_ownconf_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_fisher
TESTS += tests/unit/test_fisher
tests_unit_test_fisher_SOURCES = tests/unit/test_fisher.c
tests_unit_test_fisher_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_voice
TESTS += tests/unit/test_voice
tests_unit_test_voice_SOURCES = tests/unit/test_voice.c
tests_unit_test_voice_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_ngrams
TESTS += tests/unit/test_ngrams
tests_unit_test_ngrams_SOURCES = tests/unit/test_ngrams.c
tests_unit_test_ngrams_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_mixture
TESTS += tests/unit/test_mixture
tests_unit_test_mixture_SOURCES = tests/unit/test_mixture.c
tests_unit_test_mixture_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_rehearsal
TESTS += tests/unit/test_rehearsal
tests_unit_test_rehearsal_SOURCES = tests/unit/test_rehearsal.c
tests_unit_test_rehearsal_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_model
TESTS += tests/unit/test_model
tests_unit_test_model_SOURCES = tests/unit/test_model.c \
	tests/unit/model_world.c tests/unit/model_world.h
tests_unit_test_model_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_model_bulk
TESTS += tests/unit/test_model_bulk
tests_unit_test_model_bulk_SOURCES = tests/unit/test_model_bulk.c \
	tests/unit/model_world.c tests/unit/model_world.h
tests_unit_test_model_bulk_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_model_limits
TESTS += tests/unit/test_model_limits
tests_unit_test_model_limits_SOURCES = tests/unit/test_model_limits.c \
	tests/unit/model_world.c tests/unit/model_world.h
tests_unit_test_model_limits_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_verdicts
TESTS += tests/unit/test_verdicts
tests_unit_test_verdicts_SOURCES = tests/unit/test_verdicts.c $(LMDB_WORLD)
tests_unit_test_verdicts_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_origin
TESTS += tests/unit/test_origin
tests_unit_test_origin_SOURCES = tests/unit/test_origin.c
tests_unit_test_origin_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/test_recall
TESTS += tests/unit/test_recall
tests_unit_test_recall_SOURCES = tests/unit/test_recall.c tests/unit/store_drivers.h $(REDIS_SERVER)
tests_unit_test_recall_LDADD = $(CLASSIFY_LIBS)
