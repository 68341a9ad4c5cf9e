noinst_LIBRARIES += db/history/libhistory.a
db_history_libhistory_a_SOURCES = \
	db/history/deliveries.c db/history/deliveries.h \
	db/history/deliveries_note.c \
	db/history/reputation.c db/history/reputation.h \
	db/history/reputation_opinion.c \
	db/history/reputation_write.c
EXTRA_DIST += db/history/README
