noinst_LIBRARIES += db/open/libopen.a
db_open_libopen_a_SOURCES = \
	db/open/open.c db/open/open.h
EXTRA_DIST += db/open/README
