# The store: one interface, a driver a room. Includes only lib/.
noinst_LIBRARIES += db/libdb.a
db_libdb_a_SOURCES = \
	db/change.c \
	db/layout.c db/layout.h \
	db/mem.c \
	db/record.c db/record.h \
	db/store.c db/store.h \
	db/store_driver.h \
	db/trouble.c
EXTRA_DIST += db/README
include db/lmdb/local.mk
include db/redis/local.mk
include db/fallback/local.mk
include db/open/local.mk
include db/history/local.mk
dist_man_MANS += db/greylag-redis.7

# From the top floor down, so that an arrow upwards does not link.
DB_LIBS = db/history/libhistory.a db/open/libopen.a db/fallback/libfallback.a db/lmdb/liblmdb.a
if REDIS
DB_LIBS += db/redis/libredis.a
endif
DB_LIBS += db/libdb.a $(REDIS_TLS_LIBS) $(REDIS_LIBS) $(LMDB_LIBS) $(LIB_LIBS) -lpthread
