noinst_LIBRARIES += policyd/daemon/libdaemon.a
policyd_daemon_libdaemon_a_SOURCES = \
	policyd/daemon/census.c policyd/daemon/census.h \
	policyd/daemon/keeper.c policyd/daemon/keeper.h \
	policyd/daemon/known.c policyd/daemon/known.h \
	policyd/daemon/messages.c policyd/daemon/messages.h \
	policyd/daemon/policy.c policyd/daemon/policy.h \
	policyd/daemon/reporter.c policyd/daemon/reporter.h \
	policyd/daemon/server.c policyd/daemon/server.h \
	policyd/daemon/walk.c policyd/daemon/walk.h
EXTRA_DIST += policyd/daemon/README
