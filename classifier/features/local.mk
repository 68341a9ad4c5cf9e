noinst_LIBRARIES += classifier/features/libfeatures.a
classifier_features_libfeatures_a_SOURCES = \
	classifier/features/bogowords.c classifier/features/bogowords.h \
	classifier/features/dialogue.c classifier/features/dialogue.h \
	classifier/features/fields.c classifier/features/fields.h \
	classifier/features/ngrams.c classifier/features/ngrams.h \
	classifier/features/origin.c classifier/features/origin.h \
	classifier/features/tokens.c classifier/features/tokens.h \
	classifier/features/url.c classifier/features/url.h \
	classifier/features/words.c classifier/features/words.h
EXTRA_DIST += classifier/features/README
