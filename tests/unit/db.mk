STORE_WORLD = tests/unit/db/store_world.c tests/unit/db/store_world.h
check_PROGRAMS += tests/unit/db/test_store
TESTS += tests/unit/db/test_store
tests_unit_db_test_store_SOURCES = tests/unit/db/test_store.c $(STORE_WORLD) \
	tests/unit/db/store_drivers.h tests/unit/db/bytes.h $(REDIS_SERVER)
tests_unit_db_test_store_LDADD = $(DB_LIBS)

check_PROGRAMS += tests/unit/db/test_store_tokens
TESTS += tests/unit/db/test_store_tokens
tests_unit_db_test_store_tokens_SOURCES = tests/unit/db/test_store_tokens.c $(STORE_WORLD) \
	tests/unit/db/store_drivers.h tests/unit/db/bytes.h $(REDIS_SERVER)
tests_unit_db_test_store_tokens_LDADD = $(DB_LIBS)

REDIS_SERVER = tests/unit/db/redis_server.c tests/unit/db/redis_server.h
if REDIS
check_PROGRAMS += tests/unit/db/redis/test_store_redis
TESTS += tests/unit/db/redis/test_store_redis
tests_unit_db_redis_test_store_redis_SOURCES = tests/unit/db/redis/test_store_redis.c $(STORE_WORLD) $(REDIS_SERVER)
tests_unit_db_redis_test_store_redis_LDADD = $(DB_LIBS)
check_PROGRAMS += tests/unit/db/redis/test_redis_pack
TESTS += tests/unit/db/redis/test_redis_pack
tests_unit_db_redis_test_redis_pack_SOURCES = tests/unit/db/redis/test_redis_pack.c tests/unit/db/bytes.h
tests_unit_db_redis_test_redis_pack_LDADD = $(DB_LIBS)

check_PROGRAMS += tests/unit/db/fallback/test_store_fallback
TESTS += tests/unit/db/fallback/test_store_fallback
tests_unit_db_fallback_test_store_fallback_SOURCES = tests/unit/db/fallback/test_store_fallback.c $(STORE_WORLD) $(REDIS_SERVER)
tests_unit_db_fallback_test_store_fallback_LDADD = $(DB_LIBS)
endif

LMDB_WORLD = tests/unit/db/lmdb_world.c tests/unit/db/lmdb_world.h
check_PROGRAMS += tests/unit/db/lmdb/test_store_lmdb
TESTS += tests/unit/db/lmdb/test_store_lmdb
tests_unit_db_lmdb_test_store_lmdb_SOURCES = tests/unit/db/lmdb/test_store_lmdb.c $(LMDB_WORLD)
tests_unit_db_lmdb_test_store_lmdb_LDADD = $(DB_LIBS)

check_PROGRAMS += tests/unit/db/redis/test_store_patience
TESTS += tests/unit/db/redis/test_store_patience
tests_unit_db_redis_test_store_patience_SOURCES = tests/unit/db/redis/test_store_patience.c $(STORE_WORLD) $(LMDB_WORLD) \
	$(REDIS_SERVER)
tests_unit_db_redis_test_store_patience_LDADD = $(DB_LIBS)

check_PROGRAMS += tests/unit/db/test_record
TESTS += tests/unit/db/test_record
tests_unit_db_test_record_SOURCES = tests/unit/db/test_record.c
tests_unit_db_test_record_LDADD = $(DB_LIBS)

check_PROGRAMS += tests/unit/db/test_store_faults
TESTS += tests/unit/db/test_store_faults
tests_unit_db_test_store_faults_SOURCES = tests/unit/db/test_store_faults.c $(LMDB_WORLD)
tests_unit_db_test_store_faults_LDADD = $(DB_LIBS)

check_PROGRAMS += tests/unit/db/test_store_threads
TESTS += tests/unit/db/test_store_threads
tests_unit_db_test_store_threads_SOURCES = tests/unit/db/test_store_threads.c $(LMDB_WORLD)
tests_unit_db_test_store_threads_LDADD = $(DB_LIBS)

check_PROGRAMS += tests/unit/db/history/test_reputation
TESTS += tests/unit/db/history/test_reputation
tests_unit_db_history_test_reputation_SOURCES = tests/unit/db/history/test_reputation.c
tests_unit_db_history_test_reputation_LDADD = $(DB_LIBS)

check_PROGRAMS += tests/unit/db/history/test_deliveries
TESTS += tests/unit/db/history/test_deliveries
tests_unit_db_history_test_deliveries_SOURCES = tests/unit/db/history/test_deliveries.c tests/unit/db/store_drivers.h \
	$(REDIS_SERVER)
tests_unit_db_history_test_deliveries_LDADD = $(DB_LIBS)
