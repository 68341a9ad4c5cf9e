#!/bin/sh
# From greylag filter and train to the decision at RCPT: verdicts become reputation, corrections take
# them back. Speaks TAP.
set -u
. "${top_srcdir:-.}/tests/system/tap.sh"

greylag=${top_builddir:-.}/classifier/greylag
ctl=${top_builddir:-.}/policyd/greylagctl

for program in "$greylag" "$ctl"; do
	[ -x "$program" ] || bail_out "there is no $program"
done
cat >"$dir/conf" <<'END'
[classifier]
own_hosts = own.example
authserv_ids = mx.own.example
END
store="store.uri=lmdb:$dir/store"
# The daemon makes both environments; import of nothing does the same.
printf '' | "$ctl" -c "$dir/conf" -o "$store" -o policy.user= import - >/dev/null 2>&1
run() { "$greylag" "$@" -c "$dir/conf" -o "$store"; }
why() { "$ctl" -c "$dir/conf" -o "$store" why "$@"; }
message() {
	printf 'From: %s@example.org\nSubject: %s %s\nMessage-ID: <%s@%s>\n\n%s %s\n' \
		"$1" "$2" "$4" "$4" "$1" "$3" "$4"
}
ham() { message bob meeting 'the minutes of the committee are attached' "$1"; }
spam() { message eve winner 'cheap pills casino lottery click now' "$1"; }
# received BY ADDRESS NAME
received() { printf 'Received: from helo.example (%s [%s])\n\tby %s (Postfix) with ESMTP id 1\n' "$3" "$2" "$1"; }
# tells QUESTION PATTERN WHY-ARGUMENT...: what greylagctl why answers.
tells() {
	question=$1 pattern=$2
	shift 2
	why "$@" | grep -qE "^$question +$pattern"
}
deliveries() {
	"$ctl" -c "$dir/conf" -o "$store" status --json | python3 -c '
import json, sys
print(json.load(sys.stdin)["store"]["records"]["deliveries"])'
}

mkdir "$dir/ham" "$dir/spam"
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
	ham "$i" >"$dir/ham/$i"
	spam "$i" >"$dir/spam/$i"
done
ok 'messages are trained' run train --ham "$dir/ham" --spam "$dir/spam"
is "$(deliveries)" 0 'which were not delivered here'

# -- verdicts --
{
	received mx.own.example 192.0.2.30 mx7.example.org
	echo 'Authentication-Results: mx.own.example; dkim=pass header.d=example.net'
	ham 20
} >"$dir/wanted"
run filter -e <"$dir/wanted" >"$dir/out"
ok 'a ham verdict counts for its network' wait_for tells 'reputation of the network' \
	'ham 1.0, spam 0.0' 192.0.2.30 x@y.example al@own.example
ok 'which is spared' tells reason 'reputation ' 192.0.2.30 x@y.example al@own.example
ok 'as are others of its name' tells reputation 'spares the delay: name example.org: ' \
	192.0.2.31 x@y.example al@own.example --name mx8.example.org
ok 'and hosts of the domain that signed it' tells reputation \
	'spares the delay: authenticated domain example.net: ' \
	192.0.2.32 x@y.example al@own.example --name mx.example.net
ok 'but not who names that domain as sender' tells reason 'first ' 192.0.2.33 x@example.net al@own.example
run filter -e <"$dir/wanted" >"$dir/out"
run filter -e <"$dir/wanted" >"$dir/out"
{ received mx.own.example 192.0.2.34 unknown; spam 21; } >"$dir/unwanted"
run filter -e <"$dir/unwanted" >"$dir/out"
ok 'a spam verdict counts' wait_for tells 'reputation of the network' 'ham 0.0, spam 1.0' \
	192.0.2.34 x@y.example al@own.example
is "$(deliveries)" 2 'the same message is one delivery, however often it is judged'
ok 'and counts once' tells 'reputation of the network' 'ham 1.0, spam 0.0' \
	192.0.2.30 x@y.example al@own.example

# -- nothing is believed that a sender could write --
{ received mx.elsewhere.example 192.0.2.35 mx.example.org; ham 22; } | run filter -e >"$dir/out"
{
	received mx.own.example 192.0.2.36 unknown
	received mx.own.example 192.0.2.37 mx.example.edu
	ham 23
} | run filter -e >"$dir/out"
ok 'the topmost field of an own host that names a stranger tells the client' wait_for tells \
	'reputation of the network' 'ham 1.0' 192.0.2.36 x@y.example al@own.example
ok 'not one below it' tells 'reputation of the network' none 192.0.2.37 x@y.example al@own.example
ok 'nor that of another host' tells 'reputation of the network' none 192.0.2.35 x@y.example al@own.example
is "$(deliveries)" 3 'a message without a handover is no delivery'

# -- corrections --
run train --spam "$dir/wanted" >"$dir/out" 2>&1
like "$(cat "$dir/out")" '^trained 1' 'a verdict is corrected'
ok 'it is taken back, and the correction counts' tells 'reputation of the network' \
	'ham 0.0, spam 1.0' 192.0.2.30 x@y.example al@own.example
ok 'for the name too' tells 'reputation of the name' 'ham 0.0, spam 1.0' \
	192.0.2.31 x@y.example al@own.example --name mx8.example.org
run train --spam "$dir/wanted" >/dev/null
ok 'once' tells 'reputation of the network' 'ham 0.0, spam 1.0' 192.0.2.30 x@y.example al@own.example
run filter -e <"$dir/wanted" >"$dir/out"
run train --ham "$dir/unwanted" >/dev/null 2>&1
ok 'the other way round' tells reputation 'spares the delay: network 192.0.2.34: ham 1.0, spam 0.0' \
	192.0.2.34 x@y.example al@own.example
run untrain "$dir/unwanted" >/dev/null 2>&1
ok 'a correction can be taken back' tells 'reputation of the network' 'ham 0.0, spam 1.0' \
	192.0.2.34 x@y.example al@own.example
is "$(run train --ham "$dir/ham" --spam "$dir/spam" | sed 's/,.*//')" 'trained 0' \
	'no verdict was learned'
ok 'the store is good' "$ctl" -c "$dir/conf" -o "$store" check
tap_done
