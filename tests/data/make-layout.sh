#!/bin/sh
# make-layout.sh BUILD FOLDER: makes the store that tests/system/upgrade.sh keeps of a layout, by
# the programs under BUILD, from the sample mail and from requests that are written here. To be run
# once, when a release has a new layout; what it made is kept as it is from then on.
set -eu
build=$1
out=$2
data=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/empty.conf"

ctl() { "$build/policyd/greylagctl" -c "$work/empty.conf" -o "store.uri=lmdb:$work/store" "$@"; }
classifier() { "$build/classifier/greylag" -c "$work/empty.conf" -d "$work/store" "$@"; }
# request CLIENT SENDER RECIPIENT TIME
request() {
	printf 'request=smtpd_access_policy\nprotocol_state=RCPT\nclient_name=unknown\n'
	printf 'client_address=%s\nsender=%s\nrecipient=%s\ntime=%s\n\n' "$@"
}

{
	request 192.0.2.7 bob@example.org al@example.net 1795000000
	request 192.0.2.9 bob@example.org al@example.net 1795000100
	request 198.51.100.9 eve@example.com al@example.net 1795000200
	request 2001:db8::25 carol@example.com dora@example.net 1795000300
} | ctl replay --learn - >/dev/null
ctl allow 203.0.113.0/24 >/dev/null
ctl allow partner.example >/dev/null
# The beginnings of ten messages of each class, few of them remembered: the store is to be small.
for class in ham spam; do
	mkdir "$work/$class"
	for file in $(ls -Sr "$data/$class" | head -10); do
		head -c 700 "$data/$class/$file" >"$work/$class/$file"
	done
done
classifier train -o classifier.memory=24K --ham "$work/ham" --spam "$work/spam" >/dev/null
ctl check
ctl backup "$work/copy"
mkdir -p "$out"
for file in policy.mdb token.mdb; do
	xz -9e <"$work/copy/$file" >"$out/$file.xz"
done
ctl export | xz -9e >"$out/policy.jsonl.xz"
classifier dump | xz -9e >"$out/token.dump.xz"
"$build/policyd/greylagd" --version >"$out/made-by"
