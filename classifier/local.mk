# Message -> tokens -> score -> verdict. Includes db/ and lib/.
noinst_LIBRARIES += classifier/libclassify.a
classifier_libclassify_a_SOURCES = \
	classifier/bank.c classifier/bank.h classifier/bank_state.h \
	classifier/bank_commit.c \
	classifier/bank_embedded.c \
	classifier/bank_shared.c \
	classifier/bank_turn.c classifier/bank_turn.h \
	classifier/bogowords.c classifier/bogowords.h \
	classifier/canonical.c classifier/canonical.h \
	classifier/charset.c classifier/charset.h \
	classifier/content.c classifier/content.h \
	classifier/corpus.c classifier/corpus.h \
	classifier/course.c classifier/course.h \
	classifier/dialogue.c classifier/dialogue.h \
	classifier/evaluate.c classifier/evaluate.h \
	classifier/fields.c classifier/fields.h \
	classifier/fisher.c classifier/fisher.h \
	classifier/html.c classifier/html.h \
	classifier/imports.c classifier/imports.h \
	classifier/mbox.c classifier/mbox.h \
	classifier/message.c classifier/message.h \
	classifier/mime.c classifier/mime.h \
	classifier/results.c classifier/results.h \
	classifier/rewrite.c classifier/rewrite.h \
	classifier/mixture.c classifier/mixture.h \
	classifier/model.c classifier/model.h classifier/model_state.h \
	classifier/model_judge.c \
	classifier/model_learn.c \
	classifier/model_memory.c \
	classifier/model_rebuild.c \
	classifier/model_stuffing.c \
	classifier/model_tables.c \
	classifier/model_words.c \
	classifier/ngrams.c classifier/ngrams.h \
	classifier/origin.c classifier/origin.h \
	classifier/ownconf.c classifier/ownconf.h \
	classifier/pipeline.c classifier/pipeline.h \
	classifier/reader.c classifier/reader.h \
	classifier/recall.c classifier/recall.h \
	classifier/registry.c classifier/registry.h \
	classifier/rehearsal.c classifier/rehearsal.h \
	classifier/report.c classifier/report.h \
	classifier/text.c classifier/text.h \
	classifier/tokens.c classifier/tokens.h \
	classifier/url.c classifier/url.h \
	classifier/verdict.c classifier/verdict.h \
	classifier/verdicts.c classifier/verdicts.h \
	classifier/voice.c classifier/voice.h \
	classifier/words.c classifier/words.h
EXTRA_DIST += classifier/report.css
BUILT_SOURCES += classifier/report.cssi
classifier/report.cssi: lib/embed.sed
classifier/report.$(OBJEXT): classifier/report.cssi
# libxml2 and GMime are loaded when they are needed (classifier/html.c, classifier/content.c).
CLASSIFY_LIBS = classifier/libclassify.a $(DB_LIBS) $(UTF8PROC_LIBS)

bin_PROGRAMS += classifier/greylag
classifier_greylag_SOURCES = classifier/greylag.c \
	classifier/cli.c classifier/cli.h \
	classifier/cli_classify.c \
	classifier/cli_count.c \
	classifier/cli_dump.c \
	classifier/cli_evaluate.c \
	classifier/cli_explain.c \
	classifier/cli_filter.c \
	classifier/cli_import.c \
	classifier/cli_load.c classifier/cli_load.h \
	classifier/cli_open.c \
	classifier/cli_status.c \
	classifier/cli_train.c
classifier_greylag_LDADD = $(CLASSIFY_LIBS) $(JANSSON_LIBS)
dist_man_MANS += classifier/greylag.1
