#!/bin/sh
# Libraries that are loaded when they are needed, where they are damaged: mail goes on, and every
# program says what it lacks and fails as it does for any other reason. Speaks TAP.
set -u
. "${top_srcdir:-.}/tests/system/tap.sh"

greylag=${top_builddir:-.}/classifier/greylag
data=$(cd "${top_srcdir:-.}/tests/data" && pwd)
[ -x "$greylag" ] || bail_out "there is no $greylag"
: >"$dir/greylag.conf"
# It is no fault of ours that ends a program here.
unset G_DEBUG
export XDG_DATA_HOME="$dir/home"

# without LIBRARY PROGRAM ARGUMENT...: leaves $out, of both, and $status.
without() {
	rm -rf "$dir/damaged"
	mkdir "$dir/damaged"
	: >"$dir/damaged/$1"
	program=$2
	shift 2
	LD_LIBRARY_PATH="$dir/damaged" "$program" -c "$dir/greylag.conf" \
		-o "store.uri=lmdb:$dir/store" "$@" >"$dir/out" 2>"$dir/err" <"$dir/message"
	status=$?
	out=$(cat "$dir/out" "$dir/err")
}

# passes LIBRARY: the message comes out of filter, and nothing but a field is added.
passes() {
	without "$1" "$greylag" filter "$2"
	grep -v '^X-Greylag: error' "$dir/out" >"$dir/rest"
	is "$status $(cmp "$dir/rest" "$dir/message" 2>&1)" '3 ' "without $1 filter passes the message on, unjudged"
	like "$(cat "$dir/err")" "^greylag: .*$1" 'and says what is missing'
}

# refuses LIBRARY STATUS WHAT PROGRAM ARGUMENT...
refuses() {
	library=$1 expected=$2
	shift 2
	without "$library" "$@"
	like "$status $out" "^$expected [a-z-]*: .*$library" "without $library ${1##*/} ${2-} says so and fails"
}

printf 'From: a@example.org\nSubject: x\n\nhello\n' >"$dir/message"
"$greylag" -c "$dir/greylag.conf" -o "store.uri=lmdb:$dir/store" train --ham "$data/ham" --spam "$data/spam" >"$dir/out"

printf 'From: a@example.org\nSubject: =?utf-8?B?w6k=?=\n\nhello\n' >"$dir/message"
passes libgmime-3.0.so.0 -u
refuses libgmime-3.0.so.0 3 "$greylag" classify "$dir/message"
printf 'From: a@example.org\nContent-Type: text/html\n\n<p>hello</p>\n' >"$dir/message"
passes libxml2.so.2 -u
refuses libxml2.so.2 3 "$greylag" explain "$dir/message"

for library in libgmime-3.0.so.0 libxml2.so.2; do
	refuses $library 3 "$greylag" classify "$data/ham" "$data/spam"
	refuses $library 3 "$greylag" train spam "$data/ham-new.eml" "$dir/message"
	refuses $library 3 "$greylag" evaluate --ham "$data/ham" --spam "$data/spam"
done
like "$("$greylag" -c "$dir/greylag.conf" -o "store.uri=lmdb:$dir/store" status)" \
	'messages +25 spam, 25 ham' 'and nothing was learned'

# What a filter tells of the client is all that it lacks without libpsl.
cat >"$dir/message" <<-EOF
	Received: from mail.example.org (mail.example.org [192.0.2.3])
	 by mx.example.com (Postfix) with ESMTP id 12345678; Mon, 2 Nov 2026 08:15:00 +0100
	From: a@example.org

	hello
EOF
without libpsl.so.5 "$greylag" filter -e -o classifier.own_hosts=mx.example.com
like "$status $out" '^0 X-Greylag: unsure' 'without libpsl.so.5 filter judges'
like "$(cat "$dir/err")" 'libpsl' 'and says what is missing'

for program in greylagd greylag-milter; do
	[ -x "${top_builddir:-.}/policyd/$program" ] || continue
	refuses libpsl.so.5 2 "${top_builddir:-.}/policyd/$program" --check-config
done
refuses libpsl.so.5 1 "${top_builddir:-.}/policyd/greylagctl" why 192.0.2.1 a@example.org b@example.com
if [ -x "${top_builddir:-.}/policyd/greylag-milter" ]; then
	for library in libgmime-3.0.so.0 libxml2.so.2; do
		refuses $library 2 "${top_builddir:-.}/policyd/greylag-milter" \
			-o "milter.listen=unix:$dir/milter" -o log.target=stderr -o policy.user=
	done
fi
tap_done
