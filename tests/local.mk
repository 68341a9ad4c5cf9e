# Unit tests speak TAP by GTest, system tests by tests/system/tap.sh; both run through the driver
# of automake, which counts each case.
TEST_EXTENSIONS = .sh .py
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
SH_LOG_DRIVER = $(LOG_DRIVER)
PY_LOG_DRIVER = $(LOG_DRIVER)
PY_LOG_COMPILER = python3
# What GLib finds wrong with a call of ours ends the program, so that a test fails by it.
# The leak checker guesses where a library that was loaded later has its thread-local memory, and
# where the guess is wrong it reads nowhere and fails the test.
AM_TESTS_ENVIRONMENT = G_DEBUG=fatal-criticals; export G_DEBUG; \
	LSAN_OPTIONS=intercept_tls_get_addr=0; export LSAN_OPTIONS; \
	top_srcdir='$(abs_top_srcdir)'; top_builddir='$(abs_top_builddir)'; \
	export top_srcdir top_builddir; PYTHONDONTWRITEBYTECODE=1; export PYTHONDONTWRITEBYTECODE;

include tests/unit/lib.mk
include tests/unit/db.mk
include tests/unit/policyd.mk
include tests/unit/classifier.mk
include tests/fuzz/local.mk

# The manuals and the sample configuration, beside the tables that they are about.
dist_check_SCRIPTS += tests/docs.sh
TESTS += tests/docs.sh

include tests/bench/local.mk
include tests/system/local.mk
