# Measurements; no part of "make check". "make bench" builds what they need and prints the figures
# of the policy server; BENCH names the cases ("make bench BENCH='--quick new'").
EXTRA_PROGRAMS += tests/bench/bench_store tests/bench/floor tests/bench/load
CLEANFILES += tests/bench/bench_store tests/bench/floor tests/bench/load
EXTRA_DIST += tests/bench/harm.py tests/bench/harm.sh tests/bench/policy.py tests/bench/scrapes.py

tests_bench_bench_store_SOURCES = tests/bench/bench_store.c
tests_bench_bench_store_LDADD = $(DB_LIBS)
tests_bench_floor_SOURCES = tests/bench/floor.c
tests_bench_load_SOURCES = tests/bench/load.c

bench: all tests/bench/bench_store$(EXEEXT) tests/bench/floor$(EXEEXT) tests/bench/load$(EXEEXT)
	python3 $(srcdir)/tests/bench/policy.py --build . $(BENCH)

# Harm to wanted mail, beside postgrey.
bench-harm: all
	top_builddir=. $(srcdir)/tests/bench/harm.sh

.PHONY: bench bench-harm
