# Message -> tokens -> score -> verdict. Includes db/ and lib/.
noinst_LIBRARIES += classifier/libclassify.a
classifier_libclassify_a_SOURCES = \
	classifier/canonical.c classifier/canonical.h \
	classifier/charset.c classifier/charset.h \
	classifier/corpus.c classifier/corpus.h \
	classifier/fields.c classifier/fields.h \
	classifier/html.c classifier/html.h \
	classifier/mbox.c classifier/mbox.h \
	classifier/message.c classifier/message.h \
	classifier/mime.c classifier/mime.h \
	classifier/rewrite.c classifier/rewrite.h \
	classifier/text.c classifier/text.h \
	classifier/tokens.c classifier/tokens.h \
	classifier/url.c classifier/url.h \
	classifier/words.c classifier/words.h
# libxml2 is loaded when the first HTML is met (classifier/html.c).
CLASSIFY_LIBS = classifier/libclassify.a $(DB_LIBS) $(GMIME_LIBS) $(GMODULE_LIBS) $(UTF8PROC_LIBS)
