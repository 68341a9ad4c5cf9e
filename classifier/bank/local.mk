noinst_LIBRARIES += classifier/bank/libbank.a
classifier_bank_libbank_a_SOURCES = \
	classifier/bank/bank.c classifier/bank/bank.h \
	classifier/bank/commit.c \
	classifier/bank/course.c classifier/bank/course.h \
	classifier/bank/embedded.c \
	classifier/bank/imports.c classifier/bank/imports.h \
	classifier/bank/reader.c classifier/bank/reader.h \
	classifier/bank/recall.c classifier/bank/recall.h \
	classifier/bank/registry.c classifier/bank/registry.h \
	classifier/bank/shared.c \
	classifier/bank/state.h \
	classifier/bank/turn.c classifier/bank/turn.h \
	classifier/bank/verdicts.c classifier/bank/verdicts.h
EXTRA_DIST += classifier/bank/README
