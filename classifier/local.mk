# Message -> tokens -> score -> verdict. Includes db/ and lib/.
include classifier/mail/local.mk
include classifier/features/local.mk
include classifier/model/local.mk
include classifier/bank/local.mk
include classifier/cli/local.mk
EXTRA_DIST += classifier/README

# From the top floor down, so that an arrow upwards does not link. libxml2 and GMime are loaded
# when they are needed (classifier/mail/html.c, classifier/mail/content.c).
CLASSIFY_LIBS = classifier/bank/libbank.a classifier/model/libmodel.a \
	classifier/features/libfeatures.a classifier/mail/libmail.a $(DB_LIBS) $(UTF8PROC_LIBS)
CLI_LIBS = classifier/cli/libcli.a $(CLASSIFY_LIBS) $(JANSSON_LIBS)

bin_PROGRAMS += classifier/greylag
classifier_greylag_SOURCES = classifier/greylag.c
classifier_greylag_LDADD = $(CLI_LIBS)
dist_man_MANS += classifier/greylag.1
