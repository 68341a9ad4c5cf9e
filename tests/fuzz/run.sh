#!/bin/sh
# Runs each libFuzzer target of a tree configured with --enable-fuzzing for so many seconds. New
# inputs go to tests/fuzz/work/ in the build tree; what makes a target fail, beside them.
#
#	tests/fuzz/run.sh SECONDS [NAME...]		(in the build tree)
set -eu

seconds=${1:?usage: run.sh SECONDS [NAME...]}
shift
case $seconds in
'' | *[!0-9]*)
	echo "run.sh: SECONDS must be a whole number" >&2
	exit 2
	;;
esac
source=$(cd "$(dirname "$0")" && pwd)
build=${top_builddir:-.}/tests/fuzz
failed=0

if [ $# -eq 0 ]; then
	for program in "$build"/fuzz_*; do
		case ${program##*/} in
		*.*) ;;
		*) [ -x "$program" ] && set -- "$@" "${program##*/fuzz_}" ;;
		esac
	done
fi
if [ $# -eq 0 ]; then
	echo "run.sh: no targets in $build: make check_PROGRAMS first" >&2
	exit 2
fi
for name in "$@"; do
	mkdir -p "$build/work/$name"
	echo "# fuzz_$name, $seconds s"
	"$build/fuzz_$name" -max_total_time="$seconds" -timeout=10 -print_final_stats=1 \
		-artifact_prefix="$build/work/$name-" \
		"$build/work/$name" "$source/corpus/$name" || failed=$((failed + 1))
done
echo "$# targets, $failed failed"
[ "$failed" -eq 0 ]
