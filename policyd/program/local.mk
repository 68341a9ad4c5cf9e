noinst_LIBRARIES += policyd/program/libprogram.a
policyd_program_libprogram_a_SOURCES = \
	policyd/program/holder.c policyd/program/holder.h \
	policyd/program/listener.c policyd/program/listener.h \
	policyd/program/pidfile.c policyd/program/pidfile.h \
	policyd/program/preflight.c policyd/program/preflight.h \
	policyd/program/privileges.c policyd/program/privileges.h \
	policyd/program/program.c policyd/program/program.h \
	policyd/program/reach.c policyd/program/reach.h \
	policyd/program/runstate.c policyd/program/runstate.h
EXTRA_DIST += policyd/program/README
