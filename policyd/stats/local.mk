noinst_LIBRARIES += policyd/stats/libstats.a
policyd_stats_libstats_a_SOURCES = \
	policyd/stats/histogram.c policyd/stats/histogram.h \
	policyd/stats/learned.c policyd/stats/learned.h \
	policyd/stats/report.c policyd/stats/report.h \
	policyd/stats/report_words.c policyd/stats/report_words.h \
	policyd/stats/series.c policyd/stats/series.h \
	policyd/stats/sketch.c policyd/stats/sketch.h \
	policyd/stats/stats.c policyd/stats/stats.h \
	policyd/stats/summary.c policyd/stats/summary.h \
	policyd/stats/tally.c policyd/stats/tally.h
EXTRA_DIST += policyd/stats/README
