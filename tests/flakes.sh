#!/bin/sh
# Runs tests again and again beside load: tests/flakes.sh [TEST...]
#
# A CPU hog on each core and a disk hog run beside each run of each test; none is ever run again
# because it failed. FLAKES_ROUNDS is how often each test is run (10). The logs of runs that failed
# stay in $top_builddir/flakes. Exit status 0 only if no run failed.
set -u
: "${top_srcdir:=.}" "${top_builddir:=.}"
export top_srcdir top_builddir
: "${FLAKES_ROUNDS:=10}"
RUN_LIMIT=1800 # seconds for a run of a test, and for the hogs beside it
HOG_MEGABYTES=64

logs=$top_builddir/flakes
hogs=
run=
mkdir -p "$logs" || exit 99
scratch=$(mktemp -d "${TMPDIR:-/tmp}/greylag-flakes.XXXXXX") || exit 99
trap 'exit 130' INT TERM HUP
trap 'status=$?; trap - EXIT INT TERM HUP; end_all $run $hogs; rm -rf "$scratch"; exit $status' EXIT

# timeout(1) ends what it started when it is ended itself.
end_all() {
	[ $# -gt 0 ] || return 0
	kill "$@" 2>/dev/null
	wait "$@" 2>/dev/null
}

start_hogs() {
	hogs=
	cores=$(nproc)
	while [ "$cores" -gt 0 ]; do
		timeout $RUN_LIMIT sh -c 'while :; do :; done' &
		hogs="$hogs $!"
		cores=$((cores - 1))
	done
	timeout $RUN_LIMIT sh -c 'while dd if=/dev/zero of="$1" bs=1M count="$2" conv=fsync; do :; done' \
		sh "$scratch/hog" $HOG_MEGABYTES >"$scratch/dd" 2>&1 &
	hogs="$hogs $!"
}

# good STATUS LOG: ended well, all that was planned was run, and nothing failed.
good() {
	[ "$1" -eq 0 ] && grep -q '^1\.\.[0-9]' "$2" && ! grep -q '^not ok' "$2" || return 1
	planned=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$2")
	[ "$(grep -c '^ok' "$2")" -eq "$planned" ]
}

# The path of a test, which is in the sources unless it was built.
path_of() {
	if [ -e "$top_srcdir/$1" ]; then
		echo "$top_srcdir/$1"
	else
		echo "$top_builddir/$1"
	fi
}

# Who runs it; unit tests run themselves.
interpreter_of() {
	case $1 in
	*.py) echo python3 ;;
	*.sh) echo sh ;;
	esac
}

run_beside_load() {
	start_hogs
	timeout $RUN_LIMIT $(interpreter_of "$1") "$(path_of "$1")" >"$2" 2>&1 &
	run=$!
	wait $run
	status=$?
	run=
	end_all $hogs
	hogs=
}

repeat() {
	failed=0
	round=1
	name=$(echo "$1" | sed 's|^tests/||; s|/|-|g')
	while [ "$round" -le "$FLAKES_ROUNDS" ]; do
		log=$logs/$name.$round.log
		run_beside_load "$1" "$log"
		if good $status "$log"; then
			rm -f "$log"
		else
			failed=$((failed + 1))
			echo "# status $status: $log"
			grep '^not ok' "$log" | sed 's/^/#   /'
		fi
		round=$((round + 1))
	done
	printf '%3d of %d failed  %s\n' $failed "$FLAKES_ROUNDS" "$1"
	total=$((total + failed))
}

total=0
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
for test; do
	repeat "$test"
done
echo "$total failed"
[ $total -eq 0 ]
