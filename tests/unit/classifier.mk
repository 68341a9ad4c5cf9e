check_PROGRAMS += tests/unit/classifier/mail/test_corpus
TESTS += tests/unit/classifier/mail/test_corpus
tests_unit_classifier_mail_test_corpus_SOURCES = tests/unit/classifier/mail/test_corpus.c
tests_unit_classifier_mail_test_corpus_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/classifier/features/test_bogowords
TESTS += tests/unit/classifier/features/test_bogowords
tests_unit_classifier_features_test_bogowords_SOURCES = tests/unit/classifier/features/test_bogowords.c
tests_unit_classifier_features_test_bogowords_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/classifier/mail/test_canonical
TESTS += tests/unit/classifier/mail/test_canonical
tests_unit_classifier_mail_test_canonical_SOURCES = tests/unit/classifier/mail/test_canonical.c
tests_unit_classifier_mail_test_canonical_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/classifier/features/test_dialogue
TESTS += tests/unit/classifier/features/test_dialogue
tests_unit_classifier_features_test_dialogue_SOURCES = tests/unit/classifier/features/test_dialogue.c
tests_unit_classifier_features_test_dialogue_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/classifier/mail/test_content
TESTS += tests/unit/classifier/mail/test_content
tests_unit_classifier_mail_test_content_SOURCES = tests/unit/classifier/mail/test_content.c
tests_unit_classifier_mail_test_content_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/classifier/mail/test_charset
TESTS += tests/unit/classifier/mail/test_charset
tests_unit_classifier_mail_test_charset_SOURCES = tests/unit/classifier/mail/test_charset.c
tests_unit_classifier_mail_test_charset_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/classifier/mail/test_html
TESTS += tests/unit/classifier/mail/test_html
tests_unit_classifier_mail_test_html_SOURCES = tests/unit/classifier/mail/test_html.c
tests_unit_classifier_mail_test_html_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/classifier/mail/test_message
TESTS += tests/unit/classifier/mail/test_message
tests_unit_classifier_mail_test_message_SOURCES = tests/unit/classifier/mail/test_message.c
tests_unit_classifier_mail_test_message_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/classifier/mail/test_text
TESTS += tests/unit/classifier/mail/test_text
tests_unit_classifier_mail_test_text_SOURCES = tests/unit/classifier/mail/test_text.c
tests_unit_classifier_mail_test_text_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/classifier/features/test_tokens
TESTS += tests/unit/classifier/features/test_tokens
tests_unit_classifier_features_test_tokens_SOURCES = tests/unit/classifier/features/test_tokens.c
tests_unit_classifier_features_test_tokens_LDADD = $(CLASSIFY_LIBS)

EXTRA_DIST += tests/data/torture
check_PROGRAMS += tests/unit/classifier/mail/test_rewrite
TESTS += tests/unit/classifier/mail/test_rewrite
tests_unit_classifier_mail_test_rewrite_SOURCES = tests/unit/classifier/mail/test_rewrite.c
tests_unit_classifier_mail_test_rewrite_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/classifier/bank/test_registry
TESTS += tests/unit/classifier/bank/test_registry
tests_unit_classifier_bank_test_registry_SOURCES = tests/unit/classifier/bank/test_registry.c
tests_unit_classifier_bank_test_registry_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/classifier/cli/test_pipeline
TESTS += tests/unit/classifier/cli/test_pipeline
tests_unit_classifier_cli_test_pipeline_SOURCES = tests/unit/classifier/cli/test_pipeline.c
tests_unit_classifier_cli_test_pipeline_LDADD = $(CLI_LIBS)

check_PROGRAMS += tests/unit/classifier/bank/test_bank
TESTS += tests/unit/classifier/bank/test_bank
tests_unit_classifier_bank_test_bank_SOURCES = tests/unit/classifier/bank/test_bank.c
tests_unit_classifier_bank_test_bank_LDADD = $(CLASSIFY_LIBS)

if REDIS
check_PROGRAMS += tests/unit/classifier/bank/test_bank_shared
TESTS += tests/unit/classifier/bank/test_bank_shared
tests_unit_classifier_bank_test_bank_shared_SOURCES = tests/unit/classifier/bank/test_bank_shared.c $(REDIS_SERVER)
tests_unit_classifier_bank_test_bank_shared_LDADD = $(CLASSIFY_LIBS)
endif

check_PROGRAMS += tests/unit/classifier/cli/test_evaluate
TESTS += tests/unit/classifier/cli/test_evaluate
tests_unit_classifier_cli_test_evaluate_SOURCES = tests/unit/classifier/cli/test_evaluate.c
tests_unit_classifier_cli_test_evaluate_LDADD = $(CLI_LIBS)

check_PROGRAMS += tests/unit/classifier/cli/test_ownconf
TESTS += tests/unit/classifier/cli/test_ownconf
tests_unit_classifier_cli_test_ownconf_SOURCES = tests/unit/classifier/cli/test_ownconf.c
tests_unit_classifier_cli_test_ownconf_LDADD = $(CLI_LIBS)

check_PROGRAMS += tests/unit/classifier/model/test_fisher
TESTS += tests/unit/classifier/model/test_fisher
tests_unit_classifier_model_test_fisher_SOURCES = tests/unit/classifier/model/test_fisher.c
tests_unit_classifier_model_test_fisher_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/classifier/model/test_voice
TESTS += tests/unit/classifier/model/test_voice
tests_unit_classifier_model_test_voice_SOURCES = tests/unit/classifier/model/test_voice.c
tests_unit_classifier_model_test_voice_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/classifier/features/test_ngrams
TESTS += tests/unit/classifier/features/test_ngrams
tests_unit_classifier_features_test_ngrams_SOURCES = tests/unit/classifier/features/test_ngrams.c
tests_unit_classifier_features_test_ngrams_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/classifier/model/test_mixture
TESTS += tests/unit/classifier/model/test_mixture
tests_unit_classifier_model_test_mixture_SOURCES = tests/unit/classifier/model/test_mixture.c
tests_unit_classifier_model_test_mixture_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/classifier/model/test_rehearsal
TESTS += tests/unit/classifier/model/test_rehearsal
tests_unit_classifier_model_test_rehearsal_SOURCES = tests/unit/classifier/model/test_rehearsal.c
tests_unit_classifier_model_test_rehearsal_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/classifier/model/test_model
TESTS += tests/unit/classifier/model/test_model
tests_unit_classifier_model_test_model_SOURCES = tests/unit/classifier/model/test_model.c \
	tests/unit/classifier/model/model_world.c tests/unit/classifier/model/model_world.h
tests_unit_classifier_model_test_model_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/classifier/model/test_model_bulk
TESTS += tests/unit/classifier/model/test_model_bulk
tests_unit_classifier_model_test_model_bulk_SOURCES = tests/unit/classifier/model/test_model_bulk.c \
	tests/unit/classifier/model/model_world.c tests/unit/classifier/model/model_world.h
tests_unit_classifier_model_test_model_bulk_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/classifier/model/test_model_limits
TESTS += tests/unit/classifier/model/test_model_limits
tests_unit_classifier_model_test_model_limits_SOURCES = tests/unit/classifier/model/test_model_limits.c \
	tests/unit/classifier/model/model_world.c tests/unit/classifier/model/model_world.h
tests_unit_classifier_model_test_model_limits_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/classifier/bank/test_verdicts
TESTS += tests/unit/classifier/bank/test_verdicts
tests_unit_classifier_bank_test_verdicts_SOURCES = tests/unit/classifier/bank/test_verdicts.c $(LMDB_WORLD)
tests_unit_classifier_bank_test_verdicts_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/classifier/features/test_origin
TESTS += tests/unit/classifier/features/test_origin
tests_unit_classifier_features_test_origin_SOURCES = tests/unit/classifier/features/test_origin.c
tests_unit_classifier_features_test_origin_LDADD = $(CLASSIFY_LIBS)

check_PROGRAMS += tests/unit/classifier/bank/test_recall
TESTS += tests/unit/classifier/bank/test_recall
tests_unit_classifier_bank_test_recall_SOURCES = tests/unit/classifier/bank/test_recall.c tests/unit/db/store_drivers.h $(REDIS_SERVER)
tests_unit_classifier_bank_test_recall_LDADD = $(CLASSIFY_LIBS)
