# What both halves need and no library gives. Includes nothing of the other folders.
noinst_LIBRARIES += lib/libgreylag.a
lib_libgreylag_a_SOURCES = \
	lib/address.c lib/address.h \
	lib/chart.c lib/chart.h \
	lib/clientname.c lib/clientname.h \
	lib/keyedhash.c lib/keyedhash.h \
	lib/library.c lib/library.h \
	lib/log.c lib/log.h \
	lib/pattern.c lib/pattern.h \
	lib/settings.c lib/settings.h \
	lib/settings_checks.c lib/settings_checks.h \
	lib/settings_table.c lib/settings_table.h \
	lib/terminal.c lib/terminal.h
# Stylesheets and scripts are files of their own; a module includes them as strings.
SUFFIXES = .css .cssi .js .jsi
EMBED = $(AM_V_GEN)$(MKDIR_P) $(@D) && $(SED) -f $(top_srcdir)/lib/embed.sed $< >$@.tmp && mv $@.tmp $@
.css.cssi:
	$(EMBED)
.js.jsi:
	$(EMBED)
EXTRA_DIST += lib/embed.sed lib/page.css
BUILT_SOURCES += lib/page.cssi
lib/page.cssi: lib/embed.sed
lib/chart.$(OBJEXT): lib/page.cssi
# libpsl is loaded when it is needed (lib/clientname.c).
LIB_LIBS = lib/libgreylag.a $(GLIB_LIBS) $(PCRE2_LIBS) $(SODIUM_LIBS) -lm
dist_man_MANS += lib/greylag.conf.5
EXTRA_DIST += lib/README
