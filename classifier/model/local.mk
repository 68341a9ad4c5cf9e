noinst_LIBRARIES += classifier/model/libmodel.a
classifier_model_libmodel_a_SOURCES = \
	classifier/model/fisher.c classifier/model/fisher.h \
	classifier/model/judge.c \
	classifier/model/learn.c \
	classifier/model/memory.c \
	classifier/model/mixture.c classifier/model/mixture.h \
	classifier/model/model.c classifier/model/model.h \
	classifier/model/rebuild.c \
	classifier/model/rehearsal.c classifier/model/rehearsal.h \
	classifier/model/state.h \
	classifier/model/stuffing.c \
	classifier/model/tables.c \
	classifier/model/voice.c classifier/model/voice.h \
	classifier/model/words.c
EXTRA_DIST += classifier/model/README
