if REDIS
noinst_LIBRARIES += db/redis/libredis.a
db_redis_libredis_a_SOURCES = \
	db/redis/batch.c \
	db/redis/care.c \
	db/redis/cluster.c \
	db/redis/find.c db/redis/find.h \
	db/redis/link.c db/redis/link.h \
	db/redis/op.c db/redis/op.h \
	db/redis/pack.c db/redis/pack.h \
	db/redis/park.c \
	db/redis/place.c db/redis/place.h \
	db/redis/redirect.c \
	db/redis/redis.c \
	db/redis/scan.c \
	db/redis/script.c db/redis/script.h \
	db/redis/tls.c db/redis/tls.h \
	db/redis/update.c \
	db/redis/uri.c db/redis/uri.h \
	db/redis/wait.c
endif
EXTRA_DIST += db/redis/README
