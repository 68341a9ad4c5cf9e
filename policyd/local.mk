# The policy server and its tools. Includes classifier/, db/ and lib/.
noinst_LIBRARIES += policyd/libpolicy.a
policyd_libpolicy_a_SOURCES = \
	policyd/clientname.c policyd/clientname.h \
	policyd/envelope.c policyd/envelope.h \
	policyd/protocol.c policyd/protocol.h \
	policyd/whitelist.c policyd/whitelist.h
POLICYD_LIBS = policyd/libpolicy.a $(DB_LIBS) $(PSL_LIBS)
