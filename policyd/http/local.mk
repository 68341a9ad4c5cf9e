noinst_LIBRARIES += policyd/http/libhttp.a
policyd_http_libhttp_a_SOURCES = \
	policyd/http/assets.c policyd/http/assets.h \
	policyd/http/charts.c policyd/http/charts.h \
	policyd/http/host.c policyd/http/host.h \
	policyd/http/http.c policyd/http/http.h \
	policyd/http/metrics.c policyd/http/metrics.h \
	policyd/http/page.c policyd/http/page.h \
	policyd/http/report.c policyd/http/report.h \
	policyd/http/words.c policyd/http/words.h
EXTRA_DIST += policyd/http/page.css policyd/http/page.js
BUILT_SOURCES += policyd/http/page.cssi policyd/http/page.jsi
policyd/http/page.cssi policyd/http/page.jsi: lib/embed.sed
policyd/http/assets.$(OBJEXT): policyd/http/page.cssi policyd/http/page.jsi
EXTRA_DIST += policyd/http/README
