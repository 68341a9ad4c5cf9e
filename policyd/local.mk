# The policy server and its tools. Includes classifier/, db/ and lib/.
include policyd/decide/local.mk
include policyd/stats/local.mk
include policyd/program/local.mk
include policyd/daemon/local.mk
include policyd/view/local.mk
include policyd/http/local.mk
include policyd/ctl/local.mk
include policyd/milter/local.mk
EXTRA_DIST += policyd/README

# From the top floor down, so that an arrow upwards does not link.
POLICYD_LIBS = policyd/http/libhttp.a policyd/view/libview.a policyd/daemon/libdaemon.a \
	policyd/program/libprogram.a policyd/stats/libstats.a policyd/decide/libdecide.a \
	$(CLASSIFY_LIBS) $(EV_LIBS) $(SYSTEMD_LIBS) $(JANSSON_LIBS) $(MICROHTTPD_LIBS) -lm
CTL_LIBS = policyd/ctl/libctl.a $(POLICYD_LIBS)
# What the milter is made of, but for libmilter, with which one program alone is linked.
MILTER_PARTS = policyd/milter/libmilter.a policyd/program/libprogram.a policyd/decide/libdecide.a \
	$(CLASSIFY_LIBS) $(SYSTEMD_LIBS) -lm

sbin_PROGRAMS += policyd/greylagd
policyd_greylagd_SOURCES = policyd/greylagd.c
policyd_greylagd_LDADD = $(POLICYD_LIBS)
dist_man_MANS += policyd/greylagd.8 policyd/greylag-metrics.5

if MILTER
sbin_PROGRAMS += policyd/greylag-milter
policyd_greylag_milter_SOURCES = policyd/greylag-milter.c policyd/milter/milter.c policyd/milter/milter.h
policyd_greylag_milter_LDADD = $(MILTER_PARTS) $(MILTER_LIBS)
endif
dist_man_MANS += policyd/greylag-milter.8

sbin_PROGRAMS += policyd/greylagctl
policyd_greylagctl_SOURCES = policyd/greylagctl.c
policyd_greylagctl_LDADD = $(CTL_LIBS)
dist_man_MANS += policyd/greylagctl.8

# The sample configuration is what the program says of its own settings.
samplesdir = $(sysconfdir)/greylag
samples_DATA = greylag.conf.sample
CLEANFILES += greylag.conf.sample
greylag.conf.sample: policyd/greylagd$(EXEEXT)
	$(AM_V_GEN)policyd/greylagd$(EXEEXT) --sample-config >$@.tmp && mv $@.tmp $@
