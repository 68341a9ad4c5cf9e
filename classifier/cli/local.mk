noinst_LIBRARIES += classifier/cli/libcli.a
classifier_cli_libcli_a_SOURCES = \
	classifier/cli/classify.c \
	classifier/cli/cli.c classifier/cli/cli.h \
	classifier/cli/count.c \
	classifier/cli/dump.c \
	classifier/cli/evaluate.c classifier/cli/evaluate.h \
	classifier/cli/evaluate_command.c \
	classifier/cli/explain.c \
	classifier/cli/filter.c \
	classifier/cli/import.c \
	classifier/cli/load.c classifier/cli/load.h \
	classifier/cli/open.c \
	classifier/cli/ownconf.c classifier/cli/ownconf.h \
	classifier/cli/pipeline.c classifier/cli/pipeline.h \
	classifier/cli/report.c classifier/cli/report.h \
	classifier/cli/status.c \
	classifier/cli/train.c
EXTRA_DIST += classifier/cli/report.css
BUILT_SOURCES += classifier/cli/report.cssi
classifier/cli/report.cssi: lib/embed.sed
classifier/cli/report.$(OBJEXT): classifier/cli/report.cssi
EXTRA_DIST += classifier/cli/README
