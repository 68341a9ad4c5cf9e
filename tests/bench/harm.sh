#!/bin/sh
# What greylisting does to wanted mail: harm.py's simulated month, answered by "greylagctl replay"
# and by Debian's postgrey in the same run, both with a delay of 60 s. Prints the figures and the
# ratios; judges nothing.
#
# With --verdicts, greylag is told what became of the mail that got in, as greylag-milter tells it
# (postgrey cannot be told).
#
#	harm.sh [--verdicts] [SEED...]	(in the build tree; seeds 1 2 3 without any)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${top_builddir:-.}
folder=$(mktemp -d "${TMPDIR:-/tmp}/greylag-harm-XXXXXX")
child=
finish() {
	[ -z "$child" ] || kill "$child" 2>/dev/null || :
	rm -rf "$folder"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM
verdicts=
if [ "${1:-}" = --verdicts ]; then
	verdicts=--verdicts
	shift
fi
[ $# -gt 0 ] || set -- 1 2 3

ctl="$build/policyd/greylagctl -c /dev/null -o greylist.delay=60s -o whitelist.networks= replay -"
postgrey=$(PATH=$PATH:/usr/sbin command -v postgrey || :)

# A fresh postgrey on a free port, by the name PORT.
start_postgrey() {
	rm -rf "$folder/postgrey"
	mkdir "$folder/postgrey"
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	"$postgrey" --inet="127.0.0.1:$port" --dbdir="$folder/postgrey" --delay=60 \
		--user="$(id -un)" --group="$(id -gn)" --syslog-facility=local7 \
		>"$folder/postgrey.log" 2>&1 &
	child=$!
	for _ in $(seq 100); do
		python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))" \
			2>/dev/null && return
		sleep 0.1
	done
	cat "$folder/postgrey.log" >&2
	echo 'harm.sh: postgrey does not listen' >&2
	exit 1
}

for seed in "$@"; do
	python3 "$here/harm.py" "cmd:$ctl" --clock attr:time --seed "$seed" --json \
		$verdicts >"$folder/ours"
	if [ -z "$postgrey" ]; then
		echo "seed $seed: ours $(cat "$folder/ours") (no postgrey to compare with)"
		continue
	fi
	start_postgrey
	python3 "$here/harm.py" "inet:127.0.0.1:$port" --clock attr:policy_test_time \
		--seed "$seed" --json >"$folder/theirs"
	kill "$child"
	wait "$child" 2>/dev/null || :
	child=
	python3 - "$seed" "$folder/ours" "$folder/theirs" <<'END'
import json, sys

seed, ours, theirs = sys.argv[1], *(json.load(open(p)) for p in sys.argv[2:])
for name, r in ("greylag", ours), ("postgrey", theirs):
    print(f"seed {seed} {name:8}: delayed {r['delayed']:.1f} %, median {r['median']:.1f} min, "
          f"p95 {r['p95']:.1f} min, worst {r['worst']:.1f} min, lost {r['lost']}, "
          f"codes in time {r['codes']:.1f} %, spam through {r['spam']:.1f} %")
print(f"seed {seed} ratio   : delayed {ours['delayed'] / theirs['delayed']:.2f}, "
      f"spam {ours['spam'] / theirs['spam']:.2f}")
END
done
