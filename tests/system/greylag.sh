#!/bin/sh
# greylag, the classifier's command line, on stores of its own with the sample mail.
# Speaks TAP.
set -u
. "${top_srcdir:-.}/tests/system/tap.sh"

greylag=${top_builddir:-.}/classifier/greylag
data=$(cd "${top_srcdir:-.}/tests/data" && pwd)
mkdir "$dir/s"
store=$dir/s/store
tab=$(printf '\t')
[ -x "$greylag" ] || bail_out "there is no $greylag"

# No configuration of the machine's, and no home's store.
: >"$dir/greylag.conf"
export XDG_DATA_HOME="$dir/home"

g() { "$greylag" -c "$dir/greylag.conf" -d "$store" "$@"; }

# in_store STORE COMMAND...
in_store() {
	store_before=$store
	store=$dir/s/$1
	shift
	g "$@"
	in_store_status=$?
	store=$store_before
	return $in_store_status
}

# run COMMAND...: leaves $out, $err and $status.
run() {
	"$@" >"$dir/out" 2>"$dir/err"
	status=$?
	out=$(cat "$dir/out")
	err=$(cat "$dir/err")
}

# same FILE FILE DESCRIPTION
same() {
	if cmp -s "$1" "$2"; then
		pass "$3"
	else
		fail "$3"
		diff "$1" "$2" | head -n 10 | sed 's/^/# /'
	fi
}

# counts STORE: what does not depend on the order of training. Head cells from 2 on are the voices'.
counts() { in_store "$1" dump | grep '^token' | sort; }

# json EXPRESSION <TEXT: what Python makes of the document d.
json() { python3 -c 'import json, sys
d = json.load(sys.stdin)
print('"$1"')'; }

# -- the command line --
run "$greylag" --help
is "$status" 0 '--help exits 0'
commands=$(sed -n 's/^  \([a-z]*\)  *[A-Z].*/\1/p' "$dir/out")
is "$(echo "$commands" | wc -l)" 13 '--help has 13 commands'
for command in $commands; do
	run "$greylag" "$command" --help
	like "$status $out" '^0 Usage:' "$command --help tells its usage"
done
run g invent
like "$status $err" '^64 .*no command "invent"' 'an unknown command is a usage error'
run g
like "$status $err" '^64 .*no command' 'so is none'
for command in $commands; do
	case $command in
	train | evaluate | tune) run g "$command" --invented "$data/ham" ;;
	*) run g "$command" --invented </dev/null ;;
	esac
	is "$status" 64 "$command: an unknown option is a usage error"
done
run g classify
is "$status" 64 'so is no path'
run g train maybe "$data/ham"
is "$status" 64 'and a class that there is not'
run g -o classifier.invented=1 status
like "$status $err" '^3 .*classifier.invented' 'an unknown setting is refused'
run "$greylag" --version
like "$out" '^greylag [0-9]' '--version'

run g -o classifier.ham_cutoff=0.25 status -o classifier.invented=1
like "$err" 'classifier.invented' 'settings may stand behind the command'
run g -o classifier.invented=1 status -o classifier.ham_cutoff=0.25
like "$err" 'classifier.invented' 'and those before it stay'

# -- what is not there --
begin='^greylag: lmdb:.*/s/store: nothing learned yet; begin with: greylag train --ham FOLDER --spam FOLDER$'
run g status
like "$status $out" '^0 messages +0 spam, 0 ham' 'status before anything is learned'
like "$err" "$begin" 'tells how to begin'
run g classify "$data/ham-new.eml"
like "$status $out" '^2 unsure +0\.500000' 'classify is unsure before anything is learned'
like "$err" "$begin" 'and tells how to begin'
run g classify --terse "$data"/*.eml
is "$status $(echo "$out" | cut -f1 | tr -d '\n')" '0 UUUU' 'of several messages, too'
like "$err" "$begin" 'which it tells once'
run g explain "$data/ham-new.eml"
like "$status $out" '^0 .*: unsure, ' 'explain is unsure'
like "$err" "$begin" 'and tells how to begin'
run g filter <"$data/ham-new.eml"
is "$status" 2 'filter is unsure: status 2'
sed 1d "$dir/out" >"$dir/rest"
same "$dir/rest" "$data/ham-new.eml" 'the message comes out whole'
like "$(head -n 1 "$dir/out")" '^X-Greylag: unsure, score=0\.500000' 'marked so'
like "$err" "$begin" 'and it is told how to begin'
run g filter -e <"$data/ham-new.eml"
is "$status" 0 'or 0 with -e'
run g dump
like "$status $err" "^3 ${begin#^}" 'dump has nothing to write, and says why'
[ ! -e "$store" ]
is $? 0 'nothing is made by reading'
in_store empty train ham "$dir/greylag.conf" >"$dir/log"
in_store empty untrain "$dir/greylag.conf" >"$dir/log"
run in_store empty classify "$data/ham-new.eml"
like "$status $err" '^2 greylag: lmdb:.*/s/empty: nothing learned yet' 'what was forgotten again is as never learned'

# -- a young store --
mkdir "$dir/five"
cp "$data/ham/meeting.eml" "$data/ham/dinner.eml" "$data/ham/patch.eml" "$dir/five"
run in_store young train --ham "$dir/five" --spam "$data/spam/pills.eml" "$data/spam/loan.eml"
is "$out" 'trained 5, already known 0, moved 0, failed 0' 'five messages are learned'
run in_store young classify "$data/spam-new.eml"
like "$status $out" '^2 unsure ' 'a young store is unsure'
like "$out" 'too little' 'and says why'
is "$(in_store young classify --json "$data/spam-new.eml" | json 'd["young"]')" True 'in JSON too'

# -- training --
run g train --ham "$data/ham" --spam "$data/spam"
is "$status $out" '0 trained 50, already known 0, moved 0, failed 0' 'training tells what it did'
is "$err" '' 'and nothing else where there is no terminal'
g dump >"$dir/dump.1"
run g train --ham "$data/ham" --spam "$data/spam"
is "$status $out" '0 trained 0, already known 50, moved 0, failed 0' 'a message is learned once'
g dump >"$dir/dump.2"
same "$dir/dump.1" "$dir/dump.2" 'and the second time changes nothing'

# -- classify --
run g classify "$data/spam-new.eml"
like "$status $out" '^0 spam +0\.9[0-9]+ +.*spam-new\.eml$' 'spam is status 0'
run g classify "$data/ham-new.eml"
like "$status $out" '^1 ham +0\.0[0-9]+ +.*ham-new\.eml$' 'ham is status 1'
run g classify "$data/ham-new.eml" "$data/spam-new.eml"
is "$status" 0 'several are status 0'
is "$(echo "$out" | cut -c1-4 | tr '\n' ' ')" 'ham  spam ' 'a line each, in their order'
run g classify --terse "$data"/*.eml
is "$(echo "$out" | cut -f1 | tr -d '\n')" HHSS 'the others of both kinds are judged right'
good=$(echo "$out" | awk -F '\t' 'NF == 4 && $2 > 0 && $2 < 1 && ($2 > 0.5) == ($3 > 0)' | wc -l)
is "$good" 4 \
	'--terse has verdict, score, evidence and path'
run g classify --terse "$data/ham-new.eml" "$dir/nowhere" "$data/spam-new.eml"
is "$status" 3 'a path that cannot be read is status 3'
is "$(echo "$out" | sed -n 2p)" "E$tab$tab$tab$dir/nowhere" 'has a line E'
is "$(echo "$out" | cut -c1 | tr -d '\n')" HES 'and the others go on'
run g classify --json "$data/spam-new.eml" "$dir/nowhere"
is "$(head -n 1 "$dir/out" | json 'd["verdict"], d["score"] > 0.9, d["evidence"] > 0, d["young"]')" \
	'spam True True False' '--json has verdict, score and evidence'
is "$(sed -n 2p "$dir/out" | json 'sorted(d)')" "['error', 'path']" 'or the error'
run g classify - <"$data/spam-new.eml"
like "$status $out" '^0 spam .* -$' 'standard input is a message'
printf '%s\n' "$data/ham-new.eml" "$data/spam-new.eml" >"$dir/list"
run g classify --terse --files-from "$dir/list"
is "$(echo "$out" | cut -c1 | tr -d '\n')" HS '--files-from FILE'
run g classify --terse --files-from - "$data/ham-new-list.eml" <"$dir/list"
is "$(echo "$out" | cut -c1 | tr -d '\n')" HHS '--files-from - and paths'
run g classify --files-from "$dir/nowhere"
is "$status" 3 'a list that cannot be read fails'
: >"$dir/empty"
run g classify --terse "$dir/empty"
like "$status $out" "^2 U$tab" 'an empty message has a verdict'
run g classify --terse "$data/torture"
is "$(echo "$out" | grep -vc "^[SHU]$tab")" 0 'so has every message of the torture set'

# -- where messages are kept --
{
	for message in "$data/spam-new.eml" "$data/ham-new.eml"; do
		echo 'From alice@example.org Mon Nov 23 10:00:00 2026'
		sed 's/^From />From /' "$message"
		echo
	done
} >"$dir/mbox"
run g classify --terse "$dir/mbox"
is "$(echo "$out" | cut -f1,4)" "S$tab$dir/mbox#1
H$tab$dir/mbox#2" 'messages of an mbox are PATH#N'
is "$(g classify --terse "$dir/mbox" | cut -f3)" \
	"$(g classify --terse "$data/spam-new.eml" "$data/ham-new.eml" | cut -f3)" \
	'with the evidence that they have in files'
run g classify --terse - <"$dir/mbox"
is "$(echo "$out" | cut -f1,4)" "S$tab-#1
H$tab-#2" 'from standard input too'
{
	echo 'From alice@example.org Mon Nov 23 10:00:00 2026'
	cat "$data/spam-new.eml"
} >"$dir/from"
run g classify --terse "$dir/from"
is "$status $(echo "$out" | cut -f1,4)" "0 S$tab$dir/from" 'one with a From line alone is named by its path'
run g classify --terse "$dir/from" "$data/ham-new.eml"
is "$(echo "$out" | cut -f4)" "$dir/from
$data/ham-new.eml" 'among others, too'
run g classify --terse - <"$dir/from"
is "$(echo "$out" | cut -f1,4)" "S$tab-" 'and from standard input'
mkdir -p "$dir/Maildir/cur" "$dir/Maildir/new" "$dir/Maildir/tmp"
cp "$data/ham-new.eml" "$dir/Maildir/cur/1.a:2,S"
cp "$data/ham-new.eml" "$dir/Maildir/cur/2.a:2,DS"
cp "$data/ham-new.eml" "$dir/Maildir/cur/3.a:2,ST"
cp "$data/spam-new.eml" "$dir/Maildir/new/4.a"
cp "$data/spam-new.eml" "$dir/Maildir/tmp/5.a"
run g classify --terse "$dir/Maildir"
is "$(echo "$out" | cut -f1,4)" "H$tab$dir/Maildir/cur/1.a:2,S
S$tab$dir/Maildir/new/4.a" 'a Maildir is cur and new, without drafts and trashed messages'
mkdir "$dir/mixed"
cp "$data/ham-new.eml" "$dir/mixed/1"
mkfifo "$dir/mixed/fifo"
run timeout 100 "$greylag" -c "$dir/greylag.conf" -d "$store" classify --terse "$dir/mixed"
is "$status $(echo "$out" | cut -f1)" '1 H' 'a FIFO in a folder stops nobody'

# -- correction and untraining --
g dump >"$dir/before"
run g train ham "$data/ham-new-list.eml"
is "$out" 'trained 1, already known 0, moved 0, failed 0' 'one more is learned'
run g untrain "$data/ham-new-list.eml"
is "$status $out" '0 untrained 1, unknown 0, failed 0' 'and taken back'
g dump >"$dir/after"
# With the memory on, training also repeats what is remembered, which stays learned by the voices.
grep '^token\|^message\|^memory' "$dir/before" | sort >"$dir/before.words"
grep '^token\|^message\|^memory' "$dir/after" | sort >"$dir/after.words"
same "$dir/before.words" "$dir/after.words" 'words, registry and memory are as they were'
run g untrain "$data/ham-new-list.eml"
is "$status $out" '0 untrained 0, unknown 1, failed 0' 'what is unknown is told'

run in_store exact -o classifier.memory=0 train --ham "$data/ham" --spam "$data/spam"
in_store exact -o classifier.memory=0 dump >"$dir/before"
for class in ham spam; do
	in_store exact -o classifier.memory=0 train $class "$data/$class-new.eml" >"$dir/log"
done
in_store exact -o classifier.memory=0 dump >"$dir/between"
! cmp -s "$dir/before" "$dir/between"
is $? 0 'without memory: what is learned is in the dump'
in_store exact -o classifier.memory=0 untrain "$data/ham-new.eml" "$data/spam-new.eml" >"$dir/log"
in_store exact -o classifier.memory=0 dump >"$dir/after"
same "$dir/before" "$dir/after" 'and untraining gives back all of it, to the byte'

cp -R "$store" "$dir/s/moved"
run in_store moved train spam "$data/ham/newsletter-garden.eml"
is "$out" 'trained 0, already known 0, moved 1, failed 0' 'a message of the other class is moved'
moved_err=$err
verdict=$(in_store moved classify --terse "$data/ham/newsletter-garden.eml" | cut -f1)
case $verdict,$moved_err in
S,) pass 'and judged right from then on' ;;
*,*'still judged'*) pass 'and it is said that it is still judged wrongly' ;;
*)
	fail 'a corrected message is judged right, or it says so'
	diag "$verdict" "$moved_err"
	;;
esac
run in_store moved train ham "$data/ham/newsletter-garden.eml"
is "$out" 'trained 0, already known 0, moved 1, failed 0' 'and moved back'
counts moved >"$dir/counts.moved"
counts store >"$dir/counts.all"
same "$dir/counts.all" "$dir/counts.moved" 'which leaves the counts as they were'
run g train ham "$dir/nowhere" "$data/ham/meeting.eml"
is "$status $out" '3 trained 0, already known 1, moved 0, failed 1' \
	'an unreadable path is counted, the others go on'
like "$err" 'nowhere: No such file' 'and told'

# -- order --
in_store ham-first train ham "$data/ham" >"$dir/log"
in_store ham-first train spam "$data/spam" >"$dir/log"
in_store spam-first train spam "$data/spam" >"$dir/log"
in_store spam-first train ham "$data/ham" >"$dir/log"
counts ham-first >"$dir/counts.ham-first"
counts spam-first >"$dir/counts.spam-first"
same "$dir/counts.ham-first" "$dir/counts.spam-first" 'the order of training changes no count'
same "$dir/counts.ham-first" "$dir/counts.all" 'nor do two commands instead of one'
for order in ham-first spam-first; do
	is "$(in_store $order classify --terse "$data"/*.eml | cut -f1 | tr -d '\n')" HHSS \
		"$order judges right"
done

# -- filter --
run g filter <"$data/spam-new.eml"
is "$status" 0 'filter: spam is status 0'
like "$(head -n 1 "$dir/out")" '^X-Greylag: spam, score=0\.[0-9]{6}, version=[0-9.]+' \
	'the verdict is the first field'
sed 1d "$dir/out" >"$dir/rest"
same "$dir/rest" "$data/spam-new.eml" 'no other byte is changed'
run g filter <"$data/ham-new.eml"
is "$status" 1 'ham is 1'
run g filter -e <"$data/ham-new.eml"
is "$status" 0 'or 0 with -e'
{
	printf 'X-Greylag: ham, score=0.000000\n'
	sed '/^Date:/q' "$data/spam-new.eml"
	printf 'x-greylag: ham\n\tindeed\n'
	sed '1,/^Date:/d' "$data/spam-new.eml"
} >"$dir/forged"
run g filter <"$dir/forged"
is "$(grep -ci '^x-greylag' "$dir/out")" 1 'forged fields are removed'
sed 1d "$dir/out" >"$dir/rest"
same "$dir/rest" "$data/spam-new.eml" 'and nothing else'
sed 's/$/\r/' "$data/ham-new.eml" >"$dir/crlf"
run g filter <"$dir/crlf"
sed 1d "$dir/out" >"$dir/rest"
same "$dir/rest" "$dir/crlf" 'with CRLF too'
like "$(head -n 1 "$dir/out" | od -c | tail -n 3)" '\\r +\\n' 'and so ends the new field'
for message in "$data"/torture/*.eml; do
	g filter -e <"$message" >"$dir/out" 2>"$dir/err" || echo "$message"
	grep -aiv '^x-greylag' "$dir/out" >"$dir/got"
	grep -aiv '^x-greylag' "$message" >"$dir/rest"
	# A message without a header gets an empty line before it; one without an end keeps none.
	got=$(tr -d '\r\n' <"$dir/got" | cksum)
	[ "$got" = "$(tr -d '\r\n' <"$dir/rest" | cksum)" ] || echo "$message"
done >"$dir/wrong"
is "$(cat "$dir/wrong")" '' 'the torture set passes through'
run g filter <"$dir/empty"
like "$status $out" '^2 X-Greylag: unsure' 'so does an empty message'
cp -R "$store" "$dir/s/updated"
run in_store updated filter -u <"$data/spam-new.eml"
is "$(in_store updated status --json | json 'd["messages"]["spam"]')" 26 \
	'-u learns from a sure verdict'
run in_store updated train spam "$data/spam-new.eml"
is "$out" 'trained 0, already known 1, moved 0, failed 0' 'so that it is known then'
like "$(in_store updated untrain "$data/spam-new.eml")" '^untrained 1' 'and can be taken back'
run in_store young filter -u <"$data/spam-new.eml"
is "$status $(in_store young status --json | json 'd["messages"]["spam"]')" '2 2' \
	'-u learns nothing when unsure'
run g filter --invented <"$data/ham-new.eml"
is "$status" 64 'a wrong option of filter is told'
sed 1d "$dir/out" >"$dir/rest"
same "$dir/rest" "$data/ham-new.eml" 'and loses no message'
run g -o classifier.robx=2 filter <"$data/ham-new.eml"
is "$status" 3 'nor does a bad configuration'
sed 1d "$dir/out" >"$dir/rest"
same "$dir/rest" "$data/ham-new.eml" '(the message)'

# damaged DESCRIPTION: the message comes out of filter on a store that is no store any more.
damaged() {
	run in_store damaged filter <"$data/ham-new.eml"
	is "$status" 3 "filter on $1: status 3"
	sed 1d "$dir/out" >"$dir/rest"
	same "$dir/rest" "$data/ham-new.eml" "and the message (on $1)"
	[ -z "${2-}" ] || like "$err" 'greylagctl check.*restore a backup.*greylag load' "it says what to do (on $1)"
}
mkdir "$dir/s/damaged"
head -c 100000 /dev/urandom >"$dir/s/damaged/token.mdb"
damaged 'a file of noise' advice
rm -rf "$dir/s/damaged"
cp -R "$store" "$dir/s/damaged"
truncate -s 20000 "$dir/s/damaged/token.mdb"
damaged 'a truncated store' advice
run in_store damaged classify "$data/ham-new.eml"
like "$status $err" "^3 greylag: the store's file is shorter" 'classify tells that it is truncated'
like "$err" 'greylagctl check.*restore a backup.*greylag load' 'and what to do'
cp "$store/token.mdb" "$dir/s/damaged/token.mdb"
dd if=/dev/zero of="$dir/s/damaged/token.mdb" bs=4096 count=2 conv=notrunc 2>"$dir/log"
damaged 'a store without its head' advice
rm -rf "$dir/s/damaged"
echo text >"$dir/s/damaged"
damaged 'a file in the place of a store'
rm "$dir/s/damaged"
if [ "$(id -u)" != 0 ]; then
	cp -R "$store" "$dir/s/damaged"
	chmod 0 "$dir/s/damaged"
	damaged 'an unreadable store'
	chmod 700 "$dir/s/damaged"
	rm -rf "$dir/s/damaged"
fi

# -- explain, tokens, status --
run g explain "$data/spam-new.eml"
is "$status" 0 'explain exits 0'
like "$out" 'spam-new\.eml: spam, probability 0\.9' 'with the verdict'
like "$out" '^  fisher +\+[0-9.]+' 'the voices'
like "$out" '^  guaranteed +[1-9][0-9]* +0 ' 'and the words with their counts'
is "$(g explain --json "$data/spam-new.eml" |
	json 'd["verdict"], sorted(d["voices"]), any(w["token"] == "guaranteed" for w in d["words"])')" \
	"spam ['content', 'fisher', 'header', 'raw', 'text', 'words'] True" '--json'
is "$(g explain --json "$data/spam-new.eml" |
	json '[abs(w["weight"]) for w in d["words"]] == sorted((abs(w["weight"]) for w in d["words"]), reverse=True)')" \
	True 'the heaviest word comes first'
{
	printf 'Authentication-Results: mx.example.net; dkim=fail header.d=pills.example\n'
	printf 'Authentication-Results: mx.example.com; dkim=pass header.d=pills.example\n'
	printf 'Received: from a.b.example (a.b.example [198.51.100.7])\n\tby mx.example.net; D\n'
	cat "$data/spam-new.eml"
} >"$dir/handed"
own='-o classifier.own_hosts=mx.example.net -o classifier.authserv_ids=mx.example.net'
# shellcheck disable=SC2086
is "$(g explain --json $own "$dir/handed" | json 'sorted(w["token"] for w in d["words"] if w["dialogue"])')" \
	"['auth:dkim=fail', 'auth:header.d=pills.example', 'ip:198.51', 'ip:198.51.100', 'ip:198.51.100.7', \
'rcvd:a.b.example', 'rcvd:b.example', 'rcvd:example.net', 'rcvd:mx.example.net']" \
	"what one's own hosts wrote is marked"
# shellcheck disable=SC2086
run g explain $own "$dir/handed"
like "$out" '^  auth:dkim=fail .* d$' 'in the text, too'
like "$out" "^As its sender wrote it, without d: spam, probability 0\.9" 'with what the message is without it'
run g explain "$dir/handed"
unlike "$out" ' d$' 'of whom nothing is known nothing is marked'
# on_terminal COMMAND...: its output where that is a terminal.
on_terminal() { python3 -c 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' "$@"; }
escape=$(printf '\033')
export TERM=xterm
unset NO_COLOR
like "$(on_terminal "$greylag" -c "$dir/greylag.conf" -d "$store" explain "$data/spam-new.eml")" \
	"$escape\[" 'there is colour where a terminal shows it'
unlike "$(NO_COLOR=1 on_terminal "$greylag" -c "$dir/greylag.conf" -d "$store" explain "$data/spam-new.eml")" \
	"$escape\[" 'and NO_COLOR is not set'
unlike "$(g explain "$data/spam-new.eml")" "$escape\[" 'and none elsewhere'
run g explain "$dir/nowhere"
is "$status" 3 'explain of what cannot be read fails'
run g tokens "$data/spam-new.eml"
like "$out" '^subj:' 'tokens shows fields'
like "$out" '^prescription$' 'and words'
run g status
like "$out" '^messages +25 spam, 25 ham' 'status counts messages'
in_store one-class train ham "$data/ham" >/dev/null
is "$(in_store one-class status --json | json 'd["registry"], d["last"]["judged"]')" '25 0' \
	'nothing is judged while one class is unknown'
is "$(g status --json | json 'd["messages"], d["registry"], d["last"]["judged"], d["tokens"] > 500')" \
	"{'spam': 25, 'ham': 25} 50 48 True" '--json'

# -- dump and load --
g dump >"$dir/dump"
like "$(head -n 1 "$dir/dump")" '^greylag-dump 2$' 'a dump says what it is'
run in_store loaded load "$dir/dump"
is "$status" 0 'it can be loaded'
in_store loaded dump >"$dir/dump.again"
same "$dir/dump" "$dir/dump.again" 'which gives back all of it'
is "$(in_store loaded classify --terse "$data"/*.eml)" "$(g classify --terse "$data"/*.eml)" \
	'and the same verdicts'
run in_store piped load - <"$dir/dump"
in_store piped dump "$dir/dump.again"
same "$dir/dump" "$dir/dump.again" 'through files and pipes'
{
	cat "$dir/dump"
	echo 'token 1 x 20000 oops'
} >"$dir/broken"
run in_store broken load "$dir/broken"
like "$status $err" "^3 .*broken:$(wc -l <"$dir/broken"): " 'a malformed line is named'
sed '1s/.*/greylag-dump 1/' "$dir/dump" >"$dir/old"
run in_store old load "$dir/old"
like "$status $err" '^3 .*version 1, .* reads 2: .*train again' 'a dump from before the first release is refused'
is "$(in_store old dump)" 'greylag-dump 2' 'and nothing of it was loaded'
sed '1s/.*/greylag-dump 3/' "$dir/dump" >"$dir/newer"
run in_store newer load "$dir/newer"
like "$status $err" '^3 .*version 3, .* reads 2: load it with the newer' 'so is a newer one'
cat >"$dir/odd" <<'END'
greylag-dump 2
token 3 4 20000 two words
token 1 2 20001 back\x5cslash
token 5 6 20002 \xff\x00
END
run in_store odd load "$dir/odd"
in_store odd dump | grep '^token' | sort >"$dir/odd.again"
is "$(cut -d' ' -f2-3 "$dir/odd.again" | sort | tr '\n' ,)" '1 2,3 4,5 6,' 'odd tokens are loaded'
in_store odder load - <"$dir/odd.again" >"$dir/log"
in_store odder dump | grep '^token' | sort >"$dir/odd.third"
same "$dir/odd.again" "$dir/odd.third" 'and come back the same'
like "$(cat "$dir/odd.again")" ' two words$' 'with their spaces'
if [ -c /dev/full ]; then
	g dump >/dev/full 2>"$dir/err"
	is $? 3 'a dump that cannot be written fails'
fi

# -- expire --
cp -R "$store" "$dir/s/expired"
run in_store expired expire
like "$status $out" '^0 forgot 0 of [0-9]+ tokens$' 'expire keeps what is new'
run in_store odd expire --days 30
like "$status $out" '^0 forgot 0 of 3 tokens$' 'and what several messages had'
printf 'greylag-dump 2\ntoken 0 1 19000 once\ntoken 1 1 19000 twice\n' | in_store odd load >"$dir/log"
run in_store odd expire
like "$status $out" '^0 forgot 1 of 5 tokens$' 'and forgets what one message had long ago'

# -- together --
"$greylag" -c "$dir/greylag.conf" -d "$dir/s/both" train ham "$data/ham" >"$dir/one.out" 2>&1 &
one=$!
"$greylag" -c "$dir/greylag.conf" -d "$dir/s/both" train spam "$data/spam" >"$dir/two.out" 2>&1 &
two=$!
wait $one
first=$?
wait $two
is "$first $?" '0 0' 'two trainers at once succeed'
diag "$(cat "$dir/one.out" "$dir/two.out")"
counts both >"$dir/counts.both"
same "$dir/counts.both" "$dir/counts.all" 'and lose nothing'

# Messages enough that training takes a while: the samples with words of their own.
mkdir "$dir/many"
python3 - "$data" "$dir/many" <<'END'
import pathlib, sys
source, target = map(pathlib.Path, sys.argv[1:])
for number in range(30):
    for message in sorted(source.glob('ham/*.eml')):
        fields = b'\nX-Number: %d\nSubject: no%dx' % (number, number)
        text = message.read_bytes().replace(b'\nSubject:', fields, 1)
        (target / ('%03d-%s' % (number, message.name))).write_bytes(text)
END
in_store many train --ham "$dir/many" --spam "$data/spam" >"$dir/log"
is "$(cat "$dir/log")" 'trained 775, already known 0, moved 0, failed 0' 'many messages are learned'
counts many >"$dir/counts.many"
in_store other_order train --spam "$data/spam" --ham $(ls -r "$dir/many" | sed "s|^|$dir/many/|") >/dev/null
in_store many dump >"$dir/dump.many"
in_store other_order dump >"$dir/dump.other_order"
same "$dir/dump.many" "$dir/dump.other_order" 'in whichever order'
in_store killed train --spam "$data/spam" >"$dir/log"
for delay in 0.02 0.1 0.3; do
	"$greylag" -c "$dir/greylag.conf" -d "$dir/s/killed" train ham "$dir/many" >"$dir/log" 2>&1 &
	killed=$!
	sleep $delay
	kill -9 $killed 2>/dev/null
	wait $killed 2>/dev/null
	run in_store killed classify "$data/spam-new.eml"
	unlike "$status $out" '^3' "after kill -9 ($delay s) the store is read"
done
run in_store killed train ham "$dir/many"
is "$status" 0 'training again completes it'
unlike "$(in_store killed status)" 'was killed' 'also what was put off to the end of the run'
counts killed >"$dir/counts.killed"
same "$dir/counts.many" "$dir/counts.killed" 'and no count is lost or doubled'

# A list that a FIFO feeds, so that the signal comes in the midst whatever the machine's speed.
mkfifo "$dir/feed"
"$greylag" -c "$dir/greylag.conf" -d "$dir/s/stopped" \
	train ham "$dir/many" "$dir/feed" "$data/ham" >"$dir/stop.out" 2>"$dir/stop.err" &
stopped=$!
keep $stopped
exec 9>"$dir/feed"
printf 'From alice@example.org Mon Nov 23 10:00:00 2026\nSubject: first\n\nbody\n\n' >&9
printf 'From alice@example.org Mon Nov 23 10:00:00 2026\nSubject: second\n\nbody\n' >&9
sleep 0.3
kill -INT $stopped
exec 9>&-
wait $stopped
is $? 3 'Ctrl-C ends training with status 3'
like "$(cat "$dir/stop.out")" '^trained [1-9][0-9]*, already known 0, moved 0, failed 0$' \
	'it tells what was learned'
like "$(cat "$dir/stop.err")" '^greylag: stopped after .*; what was learned is kept' \
	'and where it stopped'
learned=$(sed 's/trained \([0-9]*\),.*/\1/' "$dir/stop.out")
is "$(in_store stopped status --json | json 'd["messages"]["ham"], d["registry"]')" "$learned $learned" \
	'which is what the store has'
run in_store stopped train --ham "$dir/many" --spam "$data/spam"
is "$status" 0 'training goes on from there'

# -- a disk that is full --
cp -R "$store" "$dir/s/full"
size=$(stat -c %s "$dir/s/full/token.mdb")
# The file may not grow: blocks of 512 bytes.
(
	ulimit -f $((size / 512))
	trap '' XFSZ
	"$greylag" -c "$dir/greylag.conf" -d "$dir/s/full" train ham "$dir/many"
) >"$dir/out" 2>"$dir/err"
is $? 3 'a full disk ends training with status 3'
like "$(cat "$dir/err")" '^greylag: cannot write what was learned' 'and a clear error alone'
is "$(wc -l <"$dir/err")" 1 'which no message is blamed for'
diag "$(cat "$dir/err")"
is "$(in_store full classify --terse "$data"/*.eml | cut -f1 | tr -d '\n')" HHSS 'the store is read'
run in_store full train ham "$dir/many"
is "$status" 0 'and written again when there is room'

mkdir "$dir/s/small"
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=3m none "$dir/s/small" 2>/dev/null; then
	tap_undo() { umount "$dir/s/small"; }
	run in_store small train ham "$dir/many"
	like "$status $err" '^3 greylag: .*no room' 'on a small file system too'
	told=$(echo "$out" | sed 's/trained \([0-9]*\),.*/\1/')
	run in_store small status --json
	is "$status $(echo "$err" | grep -v 'nothing learned yet')" '0 ' 'and the store is read'
	is "$(json 'd["messages"]["ham"]' <"$dir/out")" "$told" 'which has what training told'
fi

# -- memory --
# The limit is of private memory; the address sanitizer takes more than there is.
if grep -q __asan_init "$greylag"; then
	pass 'messages of many words do not fill the memory # SKIP sanitizers'
else
	awk -v dir="$dir/wordy" 'BEGIN {
		system("mkdir " dir)
		for (i = 0; i < 250; i++) {
			file = dir "/" i
			printf "Subject: message %d\nMessage-ID: <%d@example.org>\n\n", i, i >file
			for (word = 0; word < 30000; word++)
				printf "word%c%d\n", 97 + i % 26, word * 7 >file
			close(file)
		}
	}'
	(
		ulimit -d 400000
		exec "$greylag" -c "$dir/greylag.conf" -d "$dir/s/wordy" train spam "$dir/wordy"
	) >"$dir/out" 2>"$dir/err"
	is "$? $(cat "$dir/out" "$dir/err")" '0 trained 250, already known 0, moved 0, failed 0' \
		'messages of many words do not fill the memory'
	for file in "$dir"/wordy/*; do
		[ "${file%[02468]}" = "$file" ] && echo "ham $file" || echo "spam $file"
	done >"$dir/wordy.index"
	(
		ulimit -d 400000
		exec "$greylag" -c "$dir/greylag.conf" evaluate "$dir/wordy.index" --chunk 10
	) >"$dir/out" 2>"$dir/err"
	like "$? $(cat "$dir/out" "$dir/err")" '^0 counted +125 spam, 125 ham' \
		'nor do those that are evaluated'
	rm -r "$dir/wordy" "$dir/wordy.index"
fi

# -- bogofilter --
if command -v bogofilter >/dev/null && command -v bogoutil >/dev/null; then
	mkdir "$dir/bogo"
	for message in "$data"/ham/*.eml; do bogofilter -d "$dir/bogo" -n <"$message"; done
	for message in "$data"/spam/*.eml; do bogofilter -d "$dir/bogo" -s <"$message"; done
	bogoutil -d "$dir/bogo/wordlist.db" >"$dir/wordlist"
	run in_store imported import bogofilter "$dir/wordlist"
	like "$status $out" '^0 [0-9]+ words of 25 spam and 25 ham$' \
		"bogofilter's word list is imported"
	sure=0
	agree=0
	contrary=0
	for message in "$data"/*.eml "$data"/ham/*.eml "$data"/spam/*.eml; do
		theirs=$(bogofilter -d "$dir/bogo" -t <"$message" | cut -c1)
		[ "$theirs" != U ] || continue
		sure=$((sure + 1))
		ours=$(in_store imported classify --terse "$message" | cut -c1)
		case $ours in
		"$theirs") agree=$((agree + 1)) ;;
		U) ;;
		*) contrary=$((contrary + 1)) ;;
		esac
	done
	ok "bogofilter is sure of most ($sure)" test $sure -ge 30
	ok "the verdicts agree on 97 % of what it is sure of ($agree of $sure)" \
		test $((agree * 100)) -ge $((sure * 97))
	is $contrary 0 'and never say the contrary'
	run in_store imported2 import bogofilter - <"$dir/wordlist"
	is "$status" 0 'from standard input too'
	in_store imported dump >"$dir/dump.imported"
	run in_store imported import bogofilter "$dir/wordlist"
	like "$status $err" \
		'^3 greylag: this list was imported on 20[0-9-]+: a second time its words would count twice' \
		'a list counts once'
	in_store imported dump >"$dir/dump.again"
	same "$dir/dump.imported" "$dir/dump.again" 'and the second time changes nothing'
	run in_store imported2 import bogofilter "$dir/wordlist"
	is "$status" 3 'wherever it is read from'
	in_store imported3 load "$dir/dump.imported" >"$dir/log"
	run in_store imported3 import bogofilter "$dir/wordlist"
	is "$status" 3 'also in a store that a dump was loaded into'
	run in_store imported3 import bogofilter "$dir/wordlist" --again
	is "$status" 0 'but with --again it is done'
	is "$(in_store imported3 dump | awk '$1 == "head" && $2 == 2 { print $3 }')" 50 \
		'and doubles the counts'
	{
		cat "$dir/wordlist"
		echo 'onemore 1 0 20260101'
	} >"$dir/wordlist.more"
	run in_store imported3 import bogofilter "$dir/wordlist.more"
	is "$status" 0 'another list is another'
	in_store imported dump | sed 's/^\(import [0-9a-f]* \)01010102/\101010101/' >"$dir/dump.begun"
	in_store begun load "$dir/dump.begun" >"$dir/log"
	run in_store begun import bogofilter "$dir/wordlist"
	like "$status $err" '^3 greylag: the import of this list was begun on .* and did not end' \
		'one that was cut short is told'
	run in_store imported status
	like "$out" 'a word list made from 25 spam, 25 ham' 'status tells of it'
elif [ "${GREYLAG_SKIP_IS_FAILURE:-}" = yes ]; then
	fail "bogofilter's word list is imported (needs bogofilter)"
else
	pass "bogofilter's word list is imported # SKIP needs bogofilter"
fi
echo nonsense >"$dir/wordlist.bad"
run in_store unmade import bogofilter "$dir/wordlist.bad"
is "$status" 3 'what is no word list is refused'
run g import other "$dir/wordlist.bad"
is "$status" 64 'and what is no known filter'

# -- evaluate and tune --
run g evaluate --ham "$data/ham" --spam "$data/spam" --chunk 5 --warm-up 20 \
	--report "$dir/report.html"
is "$status" 0 'evaluate exits 0'
for figure in '1-ROCA +[0-9.]+ %' 'ham lost +[0-9.]+ %' 'spam caught +[0-9.]+ %' 'unsure +[0-9.]+ %' \
	'spam missed +[0-9.]+ % at a cut-off that loses 0\.1 %'; do
	like "$out" "^$figure" "evaluate prints ${figure%% +*}"
done
like "$(cat "$dir/report.html")" '<svg' 'the report has pictures'
is "$(grep -Eo '(src|href|url|@import)[ =(]+.{0,40}' "$dir/report.html" | grep -v '"#')" '' \
	'and needs nothing else'
is "$(grep -c '<script' "$dir/report.html")" 0 'not even a script'
python3 - "$dir/report.html" <<'END'
import html.parser, sys
class Parser(html.parser.HTMLParser):
    void, stack = {'meta', 'br', 'hr', 'img', 'link', 'input', 'wbr'}, []
    optional = {'html', 'body', 'p', 'tr', 'td', 'th', 'li', 'thead', 'tbody'}
    def handle_starttag(self, tag, attributes):
        if tag not in self.void:
            self.stack.append(tag)
    def handle_endtag(self, tag):
        while self.stack and self.stack[-1] != tag:
            assert self.stack[-1] in self.optional, (self.stack, tag, self.getpos())
            self.stack.pop()
        assert self.stack, (tag, self.getpos())
        self.stack.pop()
parser = Parser()
parser.feed(open(sys.argv[1], encoding='utf-8').read())
assert not set(parser.stack) - parser.optional, parser.stack
END
is $? 0 'its elements are closed'
g evaluate --ham "$data/ham" --spam "$data/spam" --folds 5 --json >"$dir/out"
is "$(json 'd["ham"], d["spam"], d["roca_percent"] < 10' <"$dir/out")" \
	'25 25 True' 'evaluate --folds --json'
for message in "$data"/ham/*.eml; do echo "ham $message"; done >"$dir/index"
for message in "$data"/spam/*.eml; do echo "spam $message"; done >>"$dir/index"
run g evaluate "$dir/index" --shuffle --chunk 5
like "$status $out" '^0 counted +25 spam, 25 ham' 'evaluate INDEX'
mkdir "$dir/indexed" && cp -r "$data/ham" "$data/spam" "$dir/indexed"
(cd "$dir/indexed" && for message in ham/*.eml spam/*.eml; do
	echo "${message%%/*} $message"
done >index)
run g evaluate "$dir/indexed/index" --shuffle --chunk 5
like "$status $out" '^0 counted +25 spam, 25 ham' 'evaluate INDEX of paths from where it is'
(cd "$dir" && g evaluate indexed/index --shuffle --chunk 5) >"$dir/out" 2>&1
like "$? $(cat "$dir/out")" '^0 counted +25 spam, 25 ham' 'and by a relative path itself'
run g evaluate "$dir/indexed/index" --chunk 7 --warm-up 10
like "$status $out" '^0 counted +25 spam, 15 ham' 'evaluate INDEX, in its order'
run g evaluate "$dir/indexed/index" --warm-up 25
like "$status $err" '^3 .*no ham' 'of one class alone it says nothing'
echo "junk $data/ham-new.eml" >>"$dir/index"
run g evaluate "$dir/index"
is "$status" 3 'a bad index is refused'
for command in evaluate tune; do
	run g $command
	like "$status $err" '^64 greylag: no messages were given' "$command without messages is a usage error"
done
run g tune --ham "$data/ham" --spam "$data/spam" --chunk 5 --ham-loss 1
is "$status" 0 'tune exits 0'
cp "$dir/out" "$dir/tuned.conf"
counts='ham called spam: [0-9]+ of 25 \([0-9.]+ %\), unsure [0-9]+; spam caught: [0-9]+ of 25'
like "$out" "^# these cut-offs: $counts" 'tune tells what its cut-offs catch and lose'
like "$out" "^# those in force: $counts" 'and what those in force do'
mkdir "$dir/etc"
printf '# mine\n[classifier]\nspam_cutoff = 0.95 # high\n\n[store]\nmap_size = 1G\n' >"$dir/etc/user.conf"
run "$greylag" -c "$dir/etc/user.conf" tune --write --ham "$data/ham" --spam "$data/spam" --chunk 5 --ham-loss 1
like "$status $out" "^# written to $dir/etc/user.conf\$" 'tune --write says where'
cutoff() { sed -n "s/^$1 = \([0-9.]*\).*/\1/p" "$2"; }
is "$(cat "$dir/etc/user.conf")" "# mine
[classifier]
spam_cutoff = $(cutoff spam_cutoff "$dir/tuned.conf") # high
ham_cutoff = $(cutoff ham_cutoff "$dir/tuned.conf")

[store]
map_size = 1G" 'and changes nothing else there'
is "$(ls "$dir/etc")" user.conf 'nor beside it'
run "$greylag" -c "$dir/tuned.conf" -d "$store" classify "$data/ham-new.eml"
is "$status" 1 'and what it prints is a configuration'
g dump >"$dir/dump.2"
same "$dir/dump" "$dir/dump.2" 'neither changes the store'

# -- the plain user's store --
if [ "$(id -u)" != 0 ]; then
	run "$greylag" -c "$dir/greylag.conf" train ham "$data/ham-new.eml"
	is "$status" 0 'a plain user has a store at home'
	ok 'under XDG_DATA_HOME' test -e "$dir/home/greylag/token.mdb"
fi

# -- the plain user's configuration --
user=$(id -u)
[ "$user" != 0 ] || user=65534
mkdir "$dir/user"
cp "$greylag" "$dir/user/greylag"
cp -R "$data/ham" "$data/spam" "$data/ham-new.eml" "$dir/user"
[ "$(id -u)" != 0 ] || chown -R $user "$dir/user"
chmod 711 "$dir"
# as_user COMMAND...: not as root, at home in $dir/user.
as_user() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=$user --clear-groups env HOME="$dir/user" XDG_CONFIG_HOME="$dir/user/config" \
			XDG_DATA_HOME="$dir/user/data" "$@"
	else
		env HOME="$dir/user" XDG_CONFIG_HOME="$dir/user/config" XDG_DATA_HOME="$dir/user/data" "$@"
	fi
}
run as_user "$dir/user/greylag" tune --write --ham "$dir/user/ham" --spam "$dir/user/spam" --chunk 5
like "$status $out" "# written to $dir/user/config/greylag.conf\$" "a plain user's cut-offs are written at home"
is "$(sed -n 1p "$dir/user/config/greylag.conf")" '[classifier]' 'as a configuration'
run as_user "$dir/user/greylag" status -d "$dir/user/store"
like "$out" "^settings .*$dir/user/config/greylag.conf\$" 'which status tells to be in force'
printf '[classifier]\nspam_cutoff = 2\n' >"$dir/user/config/greylag.conf"
run as_user "$dir/user/greylag" classify "$dir/user/ham-new.eml"
like "$status $err" "^3 greylag: $dir/user/config/greylag.conf:2: classifier.spam_cutoff" 'it is read'
run as_user "$dir/user/greylag" -c "$dir/user/none.conf" classify "$dir/user/ham-new.eml"
unlike "$err" 'config/greylag.conf' 'but not where another is named'

tap_done
