check_PROGRAMS += tests/unit/test_corpus
TESTS += tests/unit/test_corpus
tests_unit_test_corpus_SOURCES = tests/unit/test_corpus.c
tests_unit_test_corpus_LDADD = $(CLASSIFIER_LIBS)

