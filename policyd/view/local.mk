noinst_LIBRARIES += policyd/view/libview.a
policyd_view_libview_a_SOURCES = \
	policyd/view/http_report_json.c policyd/view/http_report_json.h \
	policyd/view/http_stats.c policyd/view/http_stats.h \
	policyd/view/view.c policyd/view/view.h
EXTRA_DIST += policyd/view/README
