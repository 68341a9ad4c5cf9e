noinst_LIBRARIES += policyd/milter/libmilter.a
policyd_milter_libmilter_a_SOURCES = \
	policyd/milter/action.c policyd/milter/action.h \
	policyd/milter/grey.c policyd/milter/grey.h \
	policyd/milter/judges.c policyd/milter/judges.h \
	policyd/milter/keeper.c policyd/milter/keeper.h \
	policyd/milter/message.c policyd/milter/message.h \
	policyd/milter/note.c policyd/milter/note.h \
	policyd/milter/service.c policyd/milter/service.h
EXTRA_DIST += policyd/milter/README
