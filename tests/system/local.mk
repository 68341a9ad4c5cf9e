# Tests with real processes: greylagd by its protocol, greylagctl on stores, a real Postfix.
SYSTEM_TESTS = \
	tests/layers.py \
	tests/system/faults.py \
	tests/system/greylagctl.sh \
	tests/system/life.py \
	tests/system/postfix.sh \
	tests/system/protocol.py
dist_check_SCRIPTS += $(SYSTEM_TESTS)
TESTS += $(SYSTEM_TESTS)
EXTRA_DIST += \
	tests/system/policy.py \
	tests/system/postfix/dialogue.py \
	tests/system/tap.sh
