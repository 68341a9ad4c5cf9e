#!/bin/sh
# The classifier's statistics, from greylag filter and train to greylagctl status. Speaks TAP.
set -u
. "${top_srcdir:-.}/tests/system/tap.sh"

greylag=${top_builddir:-.}/classifier/greylag
ctl=${top_builddir:-.}/policyd/greylagctl

for program in "$greylag" "$ctl"; do
	[ -x "$program" ] || bail_out "there is no $program"
done
: >"$dir/empty.conf"
store="store.uri=lmdb:$dir/store"
# The daemon makes both environments; import of nothing does the same.
printf '' | "$ctl" -c "$dir/empty.conf" -o "$store" -o policy.user= import - >/dev/null 2>&1
run() { "$greylag" "$@" -c "$dir/empty.conf" -o "$store"; }
message() {
	printf 'From: %s@example.org\nSubject: %s %s\nMessage-ID: <%s@%s>\n\n%s %s\n' \
		"$1" "$2" "$4" "$4" "$1" "$3" "$4"
}
# count PERIOD NAME: a number of /stats' "verdicts".
count() {
	"$ctl" -c "$dir/empty.conf" -o "$store" status --json | python3 -c '
import json, sys
print(json.load(sys.stdin)["verdicts"][sys.argv[1]][sys.argv[2]])' "$@"
}
# counted NAME N: the count is made by a process that nobody waits for.
counted() {
	[ "$(count last_24_hours "$1")" = "$2" ]
}

mkdir "$dir/ham" "$dir/spam"
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
	message bob meeting 'the minutes of the committee are attached' "$i" >"$dir/ham/$i"
	message eve winner 'cheap pills casino lottery click now' "$i" >"$dir/spam/$i"
done
ok 'messages are trained' run train --ham "$dir/ham" --spam "$dir/spam"
is "$(count last_24_hours trained_ham)" 12 'and counted as learned'
is "$(count last_24_hours trained_spam)" 12 'in both classes'
run train --ham "$dir/ham" >/dev/null
is "$(count last_24_hours trained_ham)" 12 'what was known is not counted again'
run train --spam "$dir/ham/1" >/dev/null
is "$(count last_24_hours moved)" 1 'what was moved is'
run train --ham "$dir/ham/1" >/dev/null

is "$(count last_24_hours ham)" 0 'nothing was judged on its way'
run classify "$dir/ham" "$dir/spam" >/dev/null
run filter <"$dir/ham/2" >"$dir/out"
status=$?
like "$(cat "$dir/out")" '^X-[A-Za-z-]+: ham' 'filter passes the message on'
is "$status" 1 'with the status of its verdict'
ok 'and counts it' wait_for counted ham 1
run filter <"$dir/spam/2" >"$dir/out"
is $? 0 'spam has its status'
ok 'and is counted' wait_for counted spam 1
is "$(count last_24_hours ham)" 1 'classify of a batch counts nothing'
is "$(count last_48_hours scores | tr "'" '"' | python3 -c '
import json, sys
print(sum(bin["count"] for bin in json.load(sys.stdin)))')" 2 'scores are counted'
like "$("$ctl" -c "$dir/empty.conf" -o "$store" status)" '^judged spam +1 +1 +1$' 'and told by greylagctl status'
is "$("$ctl" -c "$dir/empty.conf" -o "$store" check)" 'the store is good' 'the store is good'

# -- others --
run filter <"$dir/ham/3" >/dev/full 2>"$dir/err"
is $? 75 'what cannot be passed on will come again'
run filter <"$dir/ham/3" | cat >/dev/null
ok 'and counts this one' wait_for counted ham 2
if [ "$(id -u)" = 0 ]; then
	# A store that may be read, and not written.
	cp -r "$dir/store" "$dir/read-only"
	chmod -R a-w "$dir/read-only"
	chmod 755 "$dir" "$dir/read-only"
	chmod 666 "$dir/read-only/token.mdb-lock"
	chmod 644 "$dir/read-only/token.mdb"
	setpriv --reuid=nobody --clear-groups "$greylag" filter -c "$dir/empty.conf" \
		-o "store.uri=lmdb:$dir/read-only" <"$dir/ham/3" >"$dir/out" 2>"$dir/err"
	is $? 1 'where the store cannot be written the verdict is the same'
	is "$(cat "$dir/err")" '' 'and nobody is told'
fi

tap_done
