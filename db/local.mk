# The store: one interface, a driver a file. Includes only lib/.
noinst_LIBRARIES += db/libdb.a
db_libdb_a_SOURCES = \
	db/change.c \
	db/deliveries.c db/deliveries.h \
	db/deliveries_note.c \
	db/open.c db/open.h \
	db/record.c db/record.h \
	db/reputation.c db/reputation.h \
	db/reputation_opinion.c \
	db/reputation_write.c \
	db/store.c db/store.h db/store_driver.h \
	db/store_fallback.c db/store_fallback.h \
	db/store_fallback_merge.c \
	db/store_fallback_update.c \
	db/store_layout.c db/store_layout.h \
	db/store_lmdb.c db/store_lmdb.h \
	db/store_lmdb_cells.c \
	db/store_lmdb_queue.c \
	db/store_lmdb_read.c \
	db/store_lmdb_writer.c \
	db/store_mem.c \
	db/store_trouble.c
if REDIS
db_libdb_a_SOURCES += \
	db/store_redis.c \
	db/store_redis_batch.c \
	db/store_redis_care.c \
	db/store_redis_cluster.c \
	db/store_redis_find.c db/store_redis_find.h \
	db/store_redis_link.c db/store_redis_link.h \
	db/store_redis_redirect.c \
	db/store_redis_op.c db/store_redis_op.h \
	db/store_redis_park.c \
	db/store_redis_pack.c db/store_redis_pack.h \
	db/store_redis_place.c db/store_redis_place.h \
	db/store_redis_scan.c \
	db/store_redis_script.c db/store_redis_script.h \
	db/store_redis_update.c \
	db/store_redis_tls.c db/store_redis_tls.h \
	db/store_redis_wait.c \
	db/store_redis_uri.c db/store_redis_uri.h
endif
dist_man_MANS += db/greylag-redis.7
DB_LIBS = db/libdb.a $(REDIS_TLS_LIBS) $(REDIS_LIBS) $(LMDB_LIBS) $(LIB_LIBS) -lpthread
