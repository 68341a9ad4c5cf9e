# The policy server and its tools. Includes classifier/, db/ and lib/.
noinst_LIBRARIES += policyd/libpolicy.a
policyd_libpolicy_a_SOURCES = \
	policyd/allowed.c policyd/allowed.h \
	policyd/census.c policyd/census.h \
	policyd/client.c policyd/client.h \
	policyd/decision.c policyd/decision.h \
	policyd/delivery.c policyd/delivery.h \
	policyd/domains.c policyd/domains.h \
	policyd/envelope.c policyd/envelope.h \
	policyd/expected.c policyd/expected.h \
	policyd/grey_facts.c policyd/grey_facts.h \
	policyd/greylist.c policyd/greylist.h \
	policyd/histogram.c policyd/histogram.h \
	policyd/holder.c policyd/holder.h \
	policyd/http.c policyd/http.h \
	policyd/http_assets.c policyd/http_assets.h \
	policyd/http_charts.c policyd/http_charts.h \
	policyd/http_host.c policyd/http_host.h \
	policyd/http_metrics.c policyd/http_metrics.h \
	policyd/http_page.c policyd/http_page.h \
	policyd/http_report.c policyd/http_report.h \
	policyd/http_report_json.c policyd/http_report_json.h \
	policyd/http_stats.c policyd/http_stats.h \
	policyd/http_words.c policyd/http_words.h \
	policyd/keeper.c policyd/keeper.h \
	policyd/known.c policyd/known.h \
	policyd/learned.c policyd/learned.h \
	policyd/listener.c policyd/listener.h \
	policyd/merge.c policyd/merge.h \
	policyd/messages.c policyd/messages.h \
	policyd/milter_action.c policyd/milter_action.h \
	policyd/milter_grey.c policyd/milter_grey.h \
	policyd/milter_judges.c policyd/milter_judges.h \
	policyd/milter_keeper.c policyd/milter_keeper.h \
	policyd/milter_message.c policyd/milter_message.h \
	policyd/milter_note.c policyd/milter_note.h \
	policyd/milter_service.c policyd/milter_service.h \
	policyd/pidfile.c policyd/pidfile.h \
	policyd/policy.c policyd/policy.h \
	policyd/preflight.c policyd/preflight.h \
	policyd/privileges.c policyd/privileges.h \
	policyd/program.c policyd/program.h \
	policyd/protocol.c policyd/protocol.h \
	policyd/reach.c policyd/reach.h \
	policyd/reason.c policyd/reason.h \
	policyd/report.c policyd/report.h \
	policyd/report_words.c policyd/report_words.h \
	policyd/reporter.c policyd/reporter.h \
	policyd/rules.c policyd/rules.h \
	policyd/runstate.c policyd/runstate.h \
	policyd/selector.c policyd/selector.h \
	policyd/series.c policyd/series.h \
	policyd/server.c policyd/server.h \
	policyd/sketch.c policyd/sketch.h \
	policyd/standing.c policyd/standing.h \
	policyd/stats.c policyd/stats.h \
	policyd/summary.c policyd/summary.h \
	policyd/tally.c policyd/tally.h \
	policyd/triplet.c policyd/triplet.h \
	policyd/view.c policyd/view.h \
	policyd/walk.c policyd/walk.h \
	policyd/whitelist.c policyd/whitelist.h
EXTRA_DIST += policyd/http_page.css policyd/http_page.js
BUILT_SOURCES += policyd/http_page.cssi policyd/http_page.jsi
policyd/http_page.cssi policyd/http_page.jsi: lib/embed.sed
policyd/http_assets.$(OBJEXT): policyd/http_page.cssi policyd/http_page.jsi
POLICYD_LIBS = policyd/libpolicy.a classifier/libclassify.a $(DB_LIBS) $(EV_LIBS) $(SYSTEMD_LIBS) \
	$(JANSSON_LIBS) $(MICROHTTPD_LIBS) -lm

sbin_PROGRAMS += policyd/greylagd
policyd_greylagd_SOURCES = policyd/greylagd.c
policyd_greylagd_LDADD = $(POLICYD_LIBS)
dist_man_MANS += policyd/greylagd.8 policyd/greylag-metrics.5

# What the milter is made of, but for libmilter, with which one program alone is linked.
MILTER_PARTS = policyd/libpolicy.a $(CLASSIFY_LIBS) $(SYSTEMD_LIBS) -lm
if MILTER
sbin_PROGRAMS += policyd/greylag-milter
policyd_greylag_milter_SOURCES = policyd/greylag-milter.c policyd/milter.c policyd/milter.h
policyd_greylag_milter_LDADD = $(MILTER_PARTS) $(MILTER_LIBS)
endif
dist_man_MANS += policyd/greylag-milter.8

# The commands of greylagctl; a library, so that their pure parts have unit tests.
noinst_LIBRARIES += policyd/libctl.a
policyd_libctl_a_SOURCES = \
	policyd/ctl.c policyd/ctl.h \
	policyd/ctl_aftermath.c policyd/ctl_aftermath.h \
	policyd/ctl_allow.c policyd/ctl_allow.h \
	policyd/ctl_care.c \
	policyd/ctl_expect.c \
	policyd/ctl_export.c \
	policyd/ctl_filter.c policyd/ctl_filter.h \
	policyd/ctl_foreign.c policyd/ctl_foreign.h \
	policyd/ctl_forget.c \
	policyd/ctl_import.c \
	policyd/ctl_json.c policyd/ctl_json.h \
	policyd/ctl_json_read.c \
	policyd/ctl_life.c policyd/ctl_life.h \
	policyd/ctl_list.c \
	policyd/ctl_probe.c policyd/ctl_probe.h \
	policyd/ctl_reload.c \
	policyd/ctl_replay.c \
	policyd/ctl_report.c \
	policyd/ctl_status.c \
	policyd/ctl_table.c policyd/ctl_table.h \
	policyd/ctl_why.c policyd/ctl_why.h \
	policyd/ctl_why_records.c \
	policyd/logline.c policyd/logline.h
CTL_LIBS = policyd/libctl.a $(POLICYD_LIBS) $(JANSSON_LIBS)

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
