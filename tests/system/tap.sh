# Helpers for shell tests that speak TAP; to be read with ". tap.sh" after "set -u".
#
# Gives $dir, a directory of the test's own that any user may pass through, removed at the end. Processes given to
# "keep" are ended at the end, by their ids. The plan is printed at the end, by tap_done.

tap_count=0
tap_pids=
dir=$(mktemp -d "${TMPDIR:-/tmp}/greylag-test.XXXXXX") || exit 99
chmod 711 "$dir"

# What a test has to undo besides redefines tap_undo.
tap_undo() { :; }

tap_cleanup() {
	tap_status=$?
	trap - EXIT INT TERM HUP
	tap_undo
	for tap_pid in $tap_pids; do
		stop "$tap_pid"
	done
	rm -rf "$dir"
	exit $tap_status
}
trap tap_cleanup EXIT
trap 'exit 130' INT TERM HUP

pass() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1"
}

fail() {
	tap_count=$((tap_count + 1))
	echo "not ok $tap_count - $1"
}

diag() { printf '%s\n' "$@" | sed 's/^/# /'; }

# ok DESCRIPTION COMMAND...: the command succeeds.
ok() {
	tap_name=$1
	shift
	if "$@" >"$dir/.out" 2>&1; then
		pass "$tap_name"
	else
		fail "$tap_name"
		sed 's/^/# /' "$dir/.out"
	fi
}

# is GOT EXPECTED DESCRIPTION
is() {
	if [ "$1" = "$2" ]; then
		pass "$3"
	else
		fail "$3"
		diag "got:" "$1" "expected:" "$2"
	fi
}

# like TEXT PATTERN DESCRIPTION: an extended regular expression in one line of the text.
like() {
	if printf '%s\n' "$1" | grep -Eq -e "$2"; then
		pass "$3"
	else
		fail "$3"
		diag "got:" "$1" "expected: /$2/"
	fi
}

# unlike TEXT PATTERN DESCRIPTION
unlike() {
	if printf '%s\n' "$1" | grep -Eq -e "$2"; then
		fail "$3"
		diag "got:" "$1" "not expected: /$2/"
	else
		pass "$3"
	fi
}

skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

bail_out() {
	echo "Bail out! $1"
	exit 99
}

tap_done() { echo "1..$tap_count"; }

# free_ports N: numbers of TCP ports that nobody listens on, all different.
free_ports() {
	python3 -c '
import socket, sys
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*[s.getsockname()[1] for s in held])' "$1"
}

# wait_for COMMAND...: until it succeeds; a minute at most, on a busy machine too.
wait_for() {
	tap_end=$(($(date +%s) + 60))
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt $tap_end ] || return 1
		sleep 0.05
	done
}

# listens HOST PORT | listens PATH: somebody answers there.
listens() {
	python3 -c '
import socket, sys
where = sys.argv[1:]
s = socket.socket(socket.AF_UNIX if len(where) == 1 else socket.AF_INET)
s.settimeout(60)
s.connect(where[0] if len(where) == 1 else (where[0], int(where[1])))' "$@"
}

keep() { tap_pids="$tap_pids $1"; }

is_gone() { ! kill -0 "$1" 2>/dev/null; }

# stop PID: by SIGTERM, and by SIGKILL if that does not help.
stop() {
	kill "$1" 2>/dev/null || return 0
	wait_for is_gone "$1" || kill -9 "$1" 2>/dev/null
	wait "$1" 2>/dev/null || :
}
