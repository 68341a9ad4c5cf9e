noinst_LIBRARIES += db/lmdb/liblmdb.a
db_lmdb_liblmdb_a_SOURCES = \
	db/lmdb/cells.c \
	db/lmdb/lmdb.c db/lmdb/lmdb.h \
	db/lmdb/queue.c \
	db/lmdb/read.c \
	db/lmdb/writer.c
EXTRA_DIST += db/lmdb/README
