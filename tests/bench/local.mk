# Measurements; no part of "make check". "make bench" builds what they need and prints the figures
# of the policy server; BENCH names the cases ("make bench BENCH='--quick new'").
EXTRA_PROGRAMS += tests/bench/bench_store tests/bench/floor tests/bench/load
CLEANFILES += tests/bench/bench_store tests/bench/floor tests/bench/load
EXTRA_DIST += tests/bench/farm_model.py tests/bench/harm.py tests/bench/harm.sh tests/bench/policy.py \
	tests/bench/scrapes.py
EXTRA_DIST += tests/bench/accuracy.py tests/bench/cases.py tests/bench/speed.py

tests_bench_bench_store_SOURCES = tests/bench/bench_store.c
tests_bench_bench_store_LDADD = $(DB_LIBS)
tests_bench_floor_SOURCES = tests/bench/floor.c
tests_bench_load_SOURCES = tests/bench/load.c

bench: all tests/bench/bench_store$(EXEEXT) tests/bench/floor$(EXEEXT) tests/bench/load$(EXEEXT)
	python3 $(srcdir)/tests/bench/policy.py --build . $(BENCH)

# CPU time of a message in the milter; CORPUS is an index, as below.
if MILTER
EXTRA_PROGRAMS += tests/bench/noop_milter
CLEANFILES += tests/bench/noop_milter
tests_bench_noop_milter_SOURCES = tests/bench/noop_milter.c
tests_bench_noop_milter_LDADD = $(MILTER_LIBS)
bench-milter: all tests/bench/noop_milter$(EXEEXT)
	top_srcdir=$(srcdir) python3 $(srcdir)/tests/bench/milter.py --build . $(CORPUS)
endif
EXTRA_DIST += tests/bench/milter.py

# The classifier's speed and size beside bogofilter's; CORPUS and CASES as below.
bench-speed: all
	python3 $(srcdir)/tests/bench/speed.py --build . $(CORPUS) $(CASES)

# Harm to wanted mail, beside postgrey.
bench-harm: all
	top_builddir=. $(srcdir)/tests/bench/harm.sh

# The classifier's accuracy, beside bogofilter where it is installed: CORPUS is an index, as
# contrib/fetch-corpus makes it, CASES the cases (all without it).
CORPUS = build/corpus/index
bench-accuracy: classifier/greylag$(EXEEXT)
	python3 $(srcdir)/tests/bench/accuracy.py --build . $(CORPUS) $(CASES)

# Training into Redis, beside rspamd.
EXTRA_DIST += tests/bench/redis_train.py
bench-redis: classifier/greylag$(EXEEXT)
	python3 $(srcdir)/tests/bench/redis_train.py --build . --latency $(CORPUS)

.PHONY: bench bench-redis bench-accuracy bench-harm bench-milter bench-speed
