check_PROGRAMS += tests/unit/lib/test_address
TESTS += tests/unit/lib/test_address
tests_unit_lib_test_address_SOURCES = tests/unit/lib/test_address.c
tests_unit_lib_test_address_LDADD = $(LIB_LIBS)

check_PROGRAMS += tests/unit/lib/test_chart
TESTS += tests/unit/lib/test_chart
tests_unit_lib_test_chart_SOURCES = tests/unit/lib/test_chart.c
tests_unit_lib_test_chart_LDADD = $(LIB_LIBS)

check_PROGRAMS += tests/unit/lib/test_keyedhash
TESTS += tests/unit/lib/test_keyedhash
tests_unit_lib_test_keyedhash_SOURCES = tests/unit/lib/test_keyedhash.c
tests_unit_lib_test_keyedhash_LDADD = $(LIB_LIBS)

check_PROGRAMS += tests/unit/lib/test_pattern
TESTS += tests/unit/lib/test_pattern
tests_unit_lib_test_pattern_SOURCES = tests/unit/lib/test_pattern.c
tests_unit_lib_test_pattern_LDADD = $(LIB_LIBS)

check_PROGRAMS += tests/unit/lib/test_log
TESTS += tests/unit/lib/test_log
tests_unit_lib_test_log_SOURCES = tests/unit/lib/test_log.c
tests_unit_lib_test_log_LDADD = $(LIB_LIBS)

check_PROGRAMS += tests/unit/lib/test_settings
TESTS += tests/unit/lib/test_settings
tests_unit_lib_test_settings_SOURCES = tests/unit/lib/test_settings.c
tests_unit_lib_test_settings_LDADD = $(LIB_LIBS)

check_PROGRAMS += tests/unit/lib/test_clientname
TESTS += tests/unit/lib/test_clientname
tests_unit_lib_test_clientname_SOURCES = tests/unit/lib/test_clientname.c
tests_unit_lib_test_clientname_LDADD = $(LIB_LIBS)
