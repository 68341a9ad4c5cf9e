noinst_LIBRARIES += db/fallback/libfallback.a
db_fallback_libfallback_a_SOURCES = \
	db/fallback/fallback.c db/fallback/fallback.h \
	db/fallback/merge.c \
	db/fallback/update.c
EXTRA_DIST += db/fallback/README
