# Tests with real processes: greylagd by its protocol, greylagctl on stores, a real Postfix.
SYSTEM_TESTS = \
	tests/layers.py \
	tests/system/faults.py \
	tests/system/greylagctl.sh \
	tests/system/life.py \
	tests/system/postfix.sh \
	tests/system/protocol.py \
	tests/system/web_browser.py \
	tests/system/web_clients.py
dist_check_SCRIPTS += $(SYSTEM_TESTS)
TESTS += $(SYSTEM_TESTS)
EXTRA_DIST += \
	tests/system/openmetrics.py \
	tests/system/policy.py \
	tests/system/postfix/dialogue.py \
	tests/system/tap.sh \
	tests/system/web.py

# Writes a month of counters for the page in the browser.
check_PROGRAMS += tests/system/fill
tests_system_fill_SOURCES = tests/system/fill.c
tests_system_fill_LDADD = $(POLICYD_LIBS)
clean-local:
	rm -rf tests/system/screenshots
