# The store: one interface, a driver a file. Includes only lib/.
noinst_LIBRARIES += db/libdb.a
db_libdb_a_SOURCES = \
	db/change.c \
	db/record.c db/record.h \
	db/store.c db/store.h db/store_driver.h \
	db/store_lmdb.c db/store_lmdb.h \
	db/store_lmdb_writer.c \
	db/store_mem.c
DB_LIBS = db/libdb.a $(LMDB_LIBS) $(LIB_LIBS) -lpthread
