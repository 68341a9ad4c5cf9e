# What both halves need and no library gives. Includes nothing of the other folders.
noinst_LIBRARIES += lib/libgreylag.a
lib_libgreylag_a_SOURCES = \
	lib/address.c lib/address.h \
	lib/clientname.c lib/clientname.h \
	lib/keyedhash.c lib/keyedhash.h \
	lib/library.c lib/library.h \
	lib/log.c lib/log.h \
	lib/pattern.c lib/pattern.h \
	lib/settings.c lib/settings.h \
	lib/settings_checks.c lib/settings_checks.h \
	lib/settings_table.c lib/settings_table.h \
	lib/terminal.c lib/terminal.h
# libpsl is loaded when it is needed (lib/clientname.c).
LIB_LIBS = lib/libgreylag.a $(GLIB_LIBS) $(PCRE2_LIBS) $(SODIUM_LIBS) -lm
dist_man_MANS += lib/greylag.conf.5
