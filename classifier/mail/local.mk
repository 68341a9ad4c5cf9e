noinst_LIBRARIES += classifier/mail/libmail.a
classifier_mail_libmail_a_SOURCES = \
	classifier/mail/canonical.c classifier/mail/canonical.h \
	classifier/mail/charset.c classifier/mail/charset.h \
	classifier/mail/content.c classifier/mail/content.h \
	classifier/mail/corpus.c classifier/mail/corpus.h \
	classifier/mail/html.c classifier/mail/html.h \
	classifier/mail/mbox.c classifier/mail/mbox.h \
	classifier/mail/message.c classifier/mail/message.h \
	classifier/mail/mime.c classifier/mail/mime.h \
	classifier/mail/results.c classifier/mail/results.h \
	classifier/mail/rewrite.c classifier/mail/rewrite.h \
	classifier/mail/text.c classifier/mail/text.h \
	classifier/mail/verdict.c classifier/mail/verdict.h
EXTRA_DIST += classifier/mail/README
