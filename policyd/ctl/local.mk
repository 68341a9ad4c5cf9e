noinst_LIBRARIES += policyd/ctl/libctl.a
policyd_ctl_libctl_a_SOURCES = \
	policyd/ctl/aftermath.c policyd/ctl/aftermath.h \
	policyd/ctl/allow.c policyd/ctl/allow.h \
	policyd/ctl/care.c \
	policyd/ctl/ctl.c policyd/ctl/ctl.h \
	policyd/ctl/expect.c \
	policyd/ctl/export.c \
	policyd/ctl/filter.c policyd/ctl/filter.h \
	policyd/ctl/foreign.c policyd/ctl/foreign.h \
	policyd/ctl/forget.c \
	policyd/ctl/import.c \
	policyd/ctl/json.c policyd/ctl/json.h \
	policyd/ctl/json_read.c \
	policyd/ctl/life.c policyd/ctl/life.h \
	policyd/ctl/list.c \
	policyd/ctl/logline.c policyd/ctl/logline.h \
	policyd/ctl/probe.c policyd/ctl/probe.h \
	policyd/ctl/reload.c \
	policyd/ctl/replay.c \
	policyd/ctl/report.c \
	policyd/ctl/status.c \
	policyd/ctl/table.c policyd/ctl/table.h \
	policyd/ctl/why.c policyd/ctl/why.h \
	policyd/ctl/why_records.c
EXTRA_DIST += policyd/ctl/README
