# Unit tests speak TAP by GTest, system tests by tests/system/tap.sh; both run through the driver
# of automake, which counts each case.
TEST_EXTENSIONS = .sh
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
SH_LOG_DRIVER = $(LOG_DRIVER)
AM_TESTS_ENVIRONMENT = top_srcdir='$(abs_top_srcdir)'; top_builddir='$(abs_top_builddir)'; \
	export top_srcdir top_builddir;

include tests/unit/lib.mk
include tests/unit/db.mk
include tests/unit/policyd.mk
include tests/unit/classifier.mk
include tests/fuzz/local.mk

# greylagctl on real stores, beside Debian's real postgrey.
dist_check_SCRIPTS += tests/system/greylagctl.sh
TESTS += tests/system/greylagctl.sh
