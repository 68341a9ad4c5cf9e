# A fuzz target is tests/fuzz/fuzz_NAME.c with LLVMFuzzerTestOneInput(). Under --enable-fuzzing it
# is linked with libFuzzer; else with standalone.c, which feeds it the files of its corpus
# folder, each also cut short and with bytes changed, so that "make check" runs every target.
