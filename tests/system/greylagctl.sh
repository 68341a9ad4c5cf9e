#!/bin/sh
# greylagctl on a store in a temporary directory, with Debian's real postgrey to import from.
# Speaks TAP.
set -u
. "${top_srcdir:-.}/tests/system/tap.sh"

ctl=${top_builddir:-.}/policyd/greylagctl
daemon=${top_builddir:-.}/policyd/greylagd
now=$(date +%s)

# same GOT EXPECTED DESCRIPTION: as is, and there must be something.
same() {
	if [ -n "$1" ]; then
		is "$@"
	else
		fail "$3"
		diag 'there is nothing'
	fi
}

for program in "$ctl" "$daemon"; do
	[ -x "$program" ] || bail_out "there is no $program"
done
: >"$dir/empty.conf"
# on STORE COMMAND...: greylagctl on the store of that name.
on() {
	store=$1
	shift
	"$ctl" -c "$dir/empty.conf" -o "store.uri=lmdb:$dir/$store" -o policy.user= "$@"
}
# request CLIENT SENDER RECIPIENT TIME
request() {
	printf 'request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n'
	printf 'client_address=%s\nsender=%s\nrecipient=%s\ntime=%s\npolicy_test_time=%s\n' \
		"$1" "$2" "$3" "$4" "$4"
	printf 'client_name=unknown\netrn_domain=\n\n'
}

# -- usage --
like "$("$ctl" --version)" '^greylagctl [0-9]' 'the version is told'
"$ctl" >"$dir/out" 2>&1
is $? 2 'no command is wrong usage'
"$ctl" frobnicate >"$dir/out" 2>&1
is $? 2 'an unknown command is wrong usage'
like "$(cat "$dir/out")" '^greylagctl: .*frobnicate' 'the message names it'
on none list >"$dir/out" 2>&1
is $? 1 'a missing store is a failure'
on none -o nonsense=1 list >"$dir/out" 2>&1
is $? 1 'so is a bad setting'

# -- replay: the decision at simulated times --
a=192.0.2.7
{
	request $a bob@example.org al@example.net $((now - 7200))
	request $a bob@example.org al@example.net $((now - 7190))
	request $a bob@example.org al@example.net $((now - 7100))
	request $a bob@example.org al@example.net $((now - 7000))
	request 198.51.100.9 Eve+news@example.com al+x@example.net $((now - 30))
	request 203.0.113.5 '' al@example.net $((now - 20))
} >"$dir/traffic"
answers=$(on none replay "$dir/traffic" | grep -v '^$' | sed 's/ .*//' | tr '\n' ' ')
is "$answers" 'action=DEFER_IF_PERMIT action=DEFER_IF_PERMIT action=PREPEND action=DUNNO action=DEFER_IF_PERMIT action=DEFER_IF_PERMIT ' \
	'replay answers as the daemon would at those times'
like "$(on none replay - --summary <"$dir/traffic" 2>&1 >/dev/null)" ' 1 passed$' 'and counts the reasons'
on none list >/dev/null 2>&1
is $? 1 'without --learn nothing is stored'
{ request $a b@example.org a@example.net '' | grep -v time=; } | on none replay >"$dir/out" 2>&1
is $? 1 'a first request without a time is an error'
{ request $a b@example.org a@example.net 5; printf 'no equals sign\n\n'; } | on none replay >"$dir/out" 2>"$dir/err"
is $? 1 'so is a malformed one'
like "$(cat "$dir/err")" 'request 2, at byte [1-9]' 'whose position is told'
like "$(cat "$dir/out")" '^action=DEFER_IF_PERMIT' 'after the good one was answered'
request $a b@example.org a@example.net 5 | head -c 40 | on none replay >"$dir/out" 2>&1
is $? 1 'so is a truncated one'
printf 'request=greylag_verdict\nverdict=ham\ntime=5\n\n' >"$dir/verdict"
is "$(on none replay "$dir/verdict" | head -1)" action=DUNNO 'a verdict is answered DUNNO'
sed -i s/ham/good/ "$dir/verdict"
on none replay "$dir/verdict" >"$dir/out" 2>&1
is $? 1 'an unknown verdict is an error'

# -- what became of mail: reputation --
# verdict CLIENT SENDER RECIPIENT VERDICT TIME
verdict() {
	printf 'request=greylag_verdict\ninstance=%s\nclient_address=%s\nsender=%s\nrecipient=%s\n' \
		"$5" "$1" "$2" "$3"
	printf 'verdict=%s\ntime=%s\n\n' "$4" "$5"
}
w=192.0.2.20
x=192.0.2.21
{
	request $w bob@example.org al@example.net $((now - 7200)) | sed 's/=unknown/=mx1.example.org/'
	request $w bob@example.org al@example.net $((now - 7100)) | sed 's/=unknown/=mx1.example.org/'
	verdict $w bob@example.org al@example.net ham $((now - 7099))
	request $w eve@example.org al@example.net $((now - 7000))
	request 192.0.2.22 c@example.org al@example.net $((now - 7000)) |
		sed 's/=unknown/=mx2.example.org/'
	request $x eve@example.com al@example.net $((now - 6999))
	for i in 8 7 6 5 4 3; do
		verdict $x spam$i@example.com al@example.net spam $((now - 600$i))
	done
	request $x new@example.com al@example.net $((now - 6000))
	request $x new@example.com al@example.net $((now - 5935))
	request $x new@example.com al@example.net $((now - 5880))
} >"$dir/aftermath"
on known replay --learn --summary "$dir/aftermath" 2>"$dir/err" >"$dir/out"
is $? 0 'replay is told what became of messages'
like "$(cat "$dir/err")" ' 2 reputation$' 'one ham verdict spares its network and its verified name'
like "$(cat "$dir/out")" 'try again in 120 seconds' 'spam lengthens the delay'
why=$(on known why $w z@example.org al@example.net)
like "$why" '^reputation of the network +ham 1.0, spam 0.0, last 20' 'why tells the reputation'
like "$why" '^reputation +spares the delay: network 192.0.2.20: ham 1.0, spam 0.0$' 'and what it does'
like "$why" '^reason +reputation ' 'and the reason'
like "$why" '^answer now +action=DUNNO' 'and the answer'
why=$(on known why 192.0.2.22 z@example.org al@example.net --name mx3.example.org)
like "$why" '^reputation +spares the delay: name example.org: ham 1.0, spam 0.0$' 'by name too'
why=$(on known why $x z@example.com al@example.net)
like "$why" '^reputation +lengthens the delay to 120 s: network 192.0.2.21: ham 0.0, spam 6.0$' \
	'why tells what lengthens the delay'
like "$why" '^a retry would pass +from 20.* \(in 120 s\)$' 'and when a retry would pass'
like "$(on known -o reputation.use=off why $w z@example.org al@example.net)" '^reason +first ' \
	'it can be switched off'
ok 'the store is good' on known check
like "$(on known forget --client $w)" ' 1 reputations$' 'a network can be forgotten'
like "$(on known why $w z@example.org al@example.net)" '^reputation of the network +none$' 'and is'

ok 'replay --learn works on the configured store' on s replay --learn "$dir/traffic"
request $a b@example.org a@example.net $((now + 9999)) | on s replay --learn >"$dir/out" 2>&1
is $? 1 'it learns nothing from the future'

on none list >"$dir/out" 2>&1
is $? 1 'without a store there is nothing to list'
like "$(cat "$dir/out")" 'there is no store yet .*/none/' 'which is told'

# -- list, why --
is "$(on s list | wc -l)" 3 'list has a line for each place'
like "$(on s list --state passed)" "^bob@example.org	al@example.net	192.0.2.0/24	-	passed	.*	3	100\$" \
	'with state, attempts and delay'
like "$(on s list --sender 'EVE+other@Example.COM.')" '^eve@example.com	al@example.net' \
	'what a person types finds the normalised sender'
like "$(on s list --sender '')" '^<>	' 'the null sender can be asked for'
is "$(on s list --client 192.0.2.200 | wc -l)" 1 'a client lists its network'
is "$(on s list --client 198.51.0.0/16 --json | python3 -c '
import json, sys
for line in sys.stdin: print(json.loads(line)["state"])')" greylisted 'JSON Lines can be read'
like "$(on s list --clients)" '^192.0.2.7	1	.*	counting$' 'the auto-whitelist is listed'
why=$(on s why $a bob@example.org al@example.net)
like "$why" '^reason +known ' 'why knows the known'
like "$why" '^the client is known +no: passes of 192.0.2.7: 1 \(5 are needed\)' 'with the count of passes'
why=$(on s why 192.0.2.8 new@example.org al@example.net)
like "$why" '^answer now +action=DEFER_IF_PERMIT 4.2.0' 'why says what the answer would be'
like "$why" '^a retry would pass +from 20.* until 20' 'and when a retry passes'
is "$(on s list | wc -l)" 3 'and has changed nothing'
why=$(on s -o greylist.delay=1h why 198.51.100.77 eve@example.com al@example.net)
like "$why" '^record +198.51.100.0/24 - greylisted' 'why shows the record'
like "$why" '^reason +early ' 'and decides on it'
like "$(on s -o greylist.delay=1h why 203.0.113.6 '<>' al@example.net)" '^reason +early ' 'a null sender is found by its network'
like "$(on s why 203.0.114.6 '<>' al@example.net)" '^reason +first ' 'and only there'
like "$(on s why --json 127.0.0.1 a@b.example c@d.example | python3 -c '
import json, sys
print(json.load(sys.stdin)["reason"])')" '^own-network$' 'why speaks JSON'
on s why mx.example.org eve@example.com al@example.net >"$dir/out" 2>&1
is $? 1 'a name in the place of the address finds no record'
like "$(cat "$dir/out")" 'name goes with --name' 'with a word on where it goes'

# -- selectors: the same for all commands --
{
	request 192.0.2.7 carol@bank.example bob@dest.example $((now - 7200)) | sed 's/=unknown/=mx1.bank.example/'
	request 192.0.2.7 carol@bank.example bob@dest.example $((now - 60)) | sed 's/=unknown/=mx1.bank.example/'
	request 192.0.2.8 news@mail.bank.example bob@dest.example $((now - 30)) | sed 's/=unknown/=mx2.bank.example/'
	request 198.51.100.4 eve@notbank.example al@eu.dest.example $((now - 10))
	request 203.0.113.5 '' bob@dest.example $((now - 20))
} >"$dir/bank"
# What waits does so for the whole test, however long it takes.
k() { on k -o greylist.delay=1h "$@"; }
k replay --learn "$dir/bank" >/dev/null
# chosen OPTION...: the senders of what is listed.
chosen() { k list "$@" | cut -f 1 | sort | tr '\n' ' '; }
is "$(chosen --sender bank.example)" 'carol@bank.example news@mail.bank.example ' 'a sender may be a domain, with all below it'
is "$(chosen --sender @bank.example)" 'carol@bank.example news@mail.bank.example ' 'with an @ before it, too'
is "$(chosen --sender @mail.bank.example)" 'news@mail.bank.example ' 'what lies beside it is not meant'
is "$(chosen --recipient dest.example)" '<> carol@bank.example eve@notbank.example news@mail.bank.example ' 'so may a recipient'
is "$(chosen --recipient eu.dest.example)" 'eve@notbank.example ' 'of one below it'
is "$(chosen --client bank.example)" 'carol@bank.example news@mail.bank.example ' 'a client is known by its name'
is "$(chosen --client mx7.bank.example)" 'carol@bank.example news@mail.bank.example ' 'by any in the domain that is remembered'
is "$(chosen --client 192.0.2.99)" 'carol@bank.example news@mail.bank.example ' 'and by its network'
is "$(chosen --sender '<>')" '<> ' 'the null sender is one'
is "$(chosen --sender bank.example --state passed)" 'carol@bank.example ' 'all that is named must hold'
# says STATUS PATTERN DESCRIPTION COMMAND...: it fails so, with that on standard error and nothing else.
says() {
	says_status=$1 says_pattern=$2 says_name=$3
	shift 3
	"$@" >"$dir/out" 2>"$dir/err"
	is $? "$says_status" "$says_name"
	like "$(cat "$dir/err")" "$says_pattern" 'which is said'
	is "$(cat "$dir/out")" "${says_out:-}" 'on standard error'
}
says 1 '^greylagctl: no record matches --sender x.example --state passed$' 'nothing found is no success' \
	k list --sender x.example --state passed
says 1 '^greylagctl: no record matches --recipient dest.example --client 10.0.0.0/8$|^greylagctl: no record matches --client 10.0.0.0/8 --recipient dest.example$' \
	'also as JSON' k list --json --recipient dest.example --client 10.0.0.0/8
says_out='erased 0 triplets, 0 clients, 0 exceptions, 0 reputations'
says 1 '^greylagctl: no record matches --sender x.example$' 'nor is nothing erased' k forget --sender x.example
says_out=
says 2 '^greylagctl: --sender "192.0.2.7" is a client.s address or a network; what is taken here: an address like carol@bank.example, <> for the null sender, or a domain like bank.example$' \
	'what a sender cannot be is refused' k list --sender 192.0.2.7
says 2 '^greylagctl: --recipient "<>" is the null sender; ' 'a recipient is no null sender' k forget --recipient '<>'
says 2 '^greylagctl: --client "carol@bank.example" is an address; ' 'a client is no sender' k why --client carol@bank.example
says 2 '^greylagctl: --sender "two words" is no address, no domain and no network; ' 'nonsense is refused' k list --sender 'two words'
says 2 'goes by address, never by name' 'the auto-whitelist has no names' k list --clients --client bank.example
says 2 'can be chosen by --client alone' 'and no senders' k list --clients --sender bank.example
says 2 '^greylagctl: --allowed "postmaster" is an address without a domain; ' 'nothing is erased before all is understood' \
	k forget --sender bank.example --allowed postmaster
is "$(k list --sender bank.example | wc -l)" 2 'indeed'
says 0 '^greylagctl: there are no exceptions$' 'an empty list is not silent, though it is no failure' k list --allowed

# -- why, of what is remembered --
before=$(k list | sort)
why=$(k why bank.example)
is "$(printf '%s\n' "$why" | sed -n 's/ to .*//p' | tr '\n' ' ')" 'news@mail.bank.example carol@bank.example ' \
	'fewer words show the records that match, the newest first'
like "$why" '^    remembered   passed, first 20.*, 2 attempts$' 'with what is remembered'
like "$why" '^    a mail now   is let in: known \(' 'and what a mail would meet now'
like "$why" '^    a mail now   is deferred: early \(' 'of each'
like "$why" '^    its retry    passes from 20.* until 20' 'and when its retry passes'
like "$(k why 192.0.2.7 dest.example)" '^carol@bank.example to bob@dest.example from 192.0.2.0/24 \(bank.example\)$' \
	'two words are any two of client, sender, recipient'
like "$(k why --client 203.0.113.5 --recipient bob@dest.example)" '^<> to bob@dest.example' 'or they are named'
is "$(k why '<>' | grep -c ' to ')" 1 'the null sender, too'
k -o greylist.auto_whitelist_after=1 why 192.0.2.7 >"$dir/out"
like "$(cat "$dir/out")" 'is let in: known-client ' 'an address that is named is the one that is asked about'
k allow notbank.example >/dev/null
like "$(k why eve@notbank.example)" '^    a mail now   is let in: allowed ' 'exceptions count'
k forget --allowed notbank.example >/dev/null
is "$(k why --json bank.example | python3 -c '
import json, sys
w = json.load(sys.stdin)
print(w["version"], w["matching"], [(r["sender"], r["state"], r["now"]["reason"]) for r in w["records"]])')" \
	"1 2 [('news@mail.bank.example', 'greylisted', 'early'), ('carol@bank.example', 'passed', 'known')]" 'why speaks JSON of records'
is "$(k list | sort)" "$before" 'and has changed nothing'
says 1 '^greylagctl: no record matches nobody@x.example$' 'no record is no success' k why nobody@x.example
for i in $(seq 25); do request 192.0.2.9 "s$i@many.example" al@example.net $((now - 1000 + i)); done >"$dir/many"
on m replay --learn "$dir/many" >/dev/null
is "$(on m why many.example | sed -n 's/@many.example to .*//p' | tr '\n' ' ')" "$(seq -f 's%.0f' -s ' ' 25 -1 6) " 'twenty are shown, the newest'
like "$(on m why many.example)" '^and 5 older ones: ' 'and how many more there are'

# -- why, of the log --
line='client=192.0.2.8 name=mx2.bank.example sender=news@mail.bank.example recipient=bob@dest.example'
want=$(k why 192.0.2.8 news@mail.bank.example bob@dest.example --name mx2.bank.example | grep -v seconds)
prefix='Nov 24 12:00:00 mx1 greylagd[4711]:'
why=$(k why --log "$prefix $line action=DEFER_IF_PERMIT reason=first delay=60")
like "$why" '^in the log .* DEFER_IF_PERMIT, first, 60$' 'a line of the log says what became of it'
same "$(printf '%s\n' "$why" | grep -v '^in the log\|seconds\|would pass')" "$(printf '%s\n' "$want" | grep -v 'would pass')" \
	'and is answered as its words are'
like "$(printf '%s\n' "$prefix $line" | k why --log -)" '^reason +early ' 'it may come by standard input'
like "$(k why --log "$prefix client=192.0.2.8 sender=news@mail.bank.example")" '^news@mail.bank.example to bob@dest.example' \
	'a part of one shows the records'
like "$(k why --log 'client=192.0.2.8 sender="\"a b\"@\xc3\xa4.example" recipient=bob@dest.example')" \
	'^sender, as it is compared +"a b"@ä.example$' 'quoting is undone'
is "$(k why --log 'client=192.0.2.8 sender="x recipient=eve@evil.example" recipient=bob@dest.example' | grep -c evil)" 1 \
	'and nothing in a value is taken for another'
says 2 'no client=, sender= or recipient= in it' 'another line is refused' k why --log 'connect from mx1'
says 2 'ends within quotes' 'and half of one' k why --log 'client=192.0.2.8 sender="a b'
printf '%s\n%s\n' "$line" "$line" | k why --log - >"$dir/out" 2>&1
is $? 2 'and two lines'
says 2 '^greylagctl: --log has client, sender and recipient' 'and more than it' k why --log "$line" --sender a@b.example

# -- on a terminal --
# tty COMMAND...: its output on a terminal.
tty() {
	python3 -c '
import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' env TERM="${term:-xterm}" "$@" </dev/null | tr -d '\r'
}
t_k() { tty ${no_colour:+NO_COLOR="$no_colour"} "$ctl" -c "$dir/empty.conf" -o "store.uri=lmdb:$dir/k" -o greylist.delay=1h "$@"; }
escape=$(printf '\033')
like "$(t_k list)" "^$escape\[1mSENDER$escape\[0m +$escape\[1mRECIPIENT" 'on a terminal a list has a header'
like "$(t_k list --state passed)" "^carol@bank.example  bob@dest.example .*$escape\[32mpassed$escape\[0m " 'columns, and coloured states'
unlike "$(k list)" "SENDER|$escape" 'for a script it has neither'
no_colour=1
is "$(t_k list | head -1 | tr -s ' ')" 'SENDER RECIPIENT NETWORK NAME STATE FIRST LAST ATTEMPTS DELAY' 'NO_COLOR leaves the header'
unlike "$(t_k list; t_k why bank.example)" "$escape" 'without colour'
no_colour=
like "$(t_k why 192.0.2.7 carol@bank.example bob@dest.example)" "^reason +$escape\[32mknown .*$escape\[0m$" 'the answer of why has colour'
like "$(t_k why 198.51.100.4 eve@notbank.example al@eu.dest.example)" "^reason +$escape\[33mearly .*$escape\[0m$" 'another where it defers'
term=dumb
unlike "$(t_k list)" "$escape" 'a dumb terminal has no colour'
like "$(t_k list)" '^SENDER +RECIPIENT' 'but a header'
term=
like "$(t_k list --clients)" 'CLIENT.*PASSES' 'the auto-whitelist has one'
like "$(t_k list --allowed 2>&1)" 'there are no exceptions' 'and nothing has none'
unlike "$(t_k list --allowed)" 'EXCEPTION' 'indeed'

# -- a client by its name --
{
	request 192.0.2.30 a@c.example al@example.net $((now - 7200)) | sed 's/=unknown/=mx1.named.example/'
	request 192.0.2.30 a@c.example al@example.net $((now - 7100)) | sed 's/=unknown/=mx1.named.example/'
	verdict 192.0.2.30 a@c.example al@example.net ham $((now - 7099))
} | on n replay --learn - >/dev/null
like "$(on n why 198.51.100.9 z@c.example al@example.net --name mx2.named.example)" '^reputation of the name +ham 1.0' \
	'a name has a reputation'
like "$(on n forget --client named.example)" '^erased 1 triplets, 0 clients, 0 exceptions, 1 reputations$' \
	'which goes with what was seen of it'
like "$(on n why 198.51.100.9 z@c.example al@example.net --name mx2.named.example)" '^reputation of the name +none' 'and is gone'

# -- allow --
ok 'a network can be allowed' on s allow 203.0.113.0/24 --for 1h
ok 'a domain can be allowed' on s allow Example.COM
is "$(on s allow --list | cut -f 1 | sort | tr '\n' ' ')" '203.0.113.0/24 example.com ' 'both are listed'
like "$(on s why 203.0.113.99 x@y.example al@example.net)" '^the operator allows it for now +yes: 203.0.113.0/24' 'why sees the network'
like "$(on s why 198.51.100.77 eve@mail.example.com al@example.net)" '^reason +allowed ' 'and the domain'
on s allow 192.0.2.1/24 >"$dir/out" 2>&1
is $? 2 'a network with host bits is refused'
on s allow example.net --for soon >"$dir/out" 2>&1
is $? 2 'and a duration that is none'
like "$(on s forget --allowed 203.0.113.0/24)" ' 1 exceptions' 'an exception can be ended'
is "$(on s allow --list | wc -l)" 1 'and is gone'
on s forget --allowed 203.0.113.0/24 >"$dir/out" 2>&1
is $? 1 'one that is not there is no success'
like "$(cat "$dir/out")" 'no exception 203.0.113.0/24' 'which is said'
ok 'a sender can be allowed' on s allow 'Carol+x@Partner.example'
like "$(on s why 198.51.100.77 carol+y@partner.example al@example.net)" '^reason +allowed ' 'why sees it'
like "$(on s why 198.51.100.77 dave@partner.example al@example.net)" '^reason +first ' 'and nobody else of its domain'
is "$(on s list --allowed --sender partner.example | cut -f 1)" carol@partner.example 'exceptions can be chosen'
on s list --allowed --sender other.example >"$dir/out" 2>&1
is $? 1 'and none is no success'
is "$(cat "$dir/out")" 'greylagctl: no exception matches --sender other.example' 'which is said'
on s allow '<>' >"$dir/out" 2>&1
is $? 2 'the null sender is everybody: refused'
on s -o greylist.privacy=on allow eve@partner.example >"$dir/out" 2>&1
is $? 2 'with privacy on no address is written down'
like "$(cat "$dir/out")" 'allow its domain, or "expect" the address' 'and the way out is told'
ok 'the store is good with it' on s check
on s forget --allowed carol@partner.example >/dev/null

# -- expect --
like "$(on s expect Noreply@Bank.example Bob+x@example.org --for 2h)" \
	'^mail of noreply@bank.example to bob@example.org is not delayed until 20.*
The daemon takes this up within 5 seconds' 'what is waited for can be announced'
ok 'of a domain, to anybody, for 15 minutes' on s expect shop.example
left=$(($(on s allow --list --json | sed -n 's/.*"shop.example".*"until":\([0-9]*\).*/\1/p') - $(date +%s)))
ok 'if nothing else is said' test $left -gt 880 -a $left -le 900
like "$(on s allow --list)" '^expected noreply@bank.example for bob@example.org	20[^	]*	20[^	]*$' 'it is listed'
like "$(on s why 198.51.100.9 noreply@bank.example bob@example.org)" \
	'^somebody waits for it +yes: noreply@bank.example for bob@example.org until 20' 'why names it'
like "$(on s why 198.51.100.9 noreply@bank.example bob@example.org)" '^reason +expected ' 'as the reason'
like "$(on s why 198.51.100.9 noreply@bank.example eve@example.org)" '^reason +first ' 'for nobody else'
like "$(on s why 198.51.100.9 code@mail.shop.example eve@example.org)" '^reason +expected ' 'a domain is for all'
ok 'also of one that is written @domain' on s expect @at.example al@example.org
like "$(on s why 198.51.100.9 code@at.example al@example.org)" '^reason +expected ' 'which is the domain, too'
ok 'and ended as such' on s forget --expected @at.example
on s expect shop.example 192.0.2.0/24 >"$dir/out" 2>&1
is $? 2 'a recipient who is none is refused'
like "$(cat "$dir/out")" '^greylagctl: recipient "192.0.2.0/24" is a client.s address or a network; what is taken here: ' \
	'with what is taken'
on s expect 192.0.2.7 >"$dir/out" 2>&1
is $? 2 'an address of a client is no sender'
ok 'all of a domain may wait' on s expect login.example @Example.org
like "$(on s why 198.51.100.9 code@login.example anybody@eu.example.org)" '^reason +expected ' 'everybody there does'
like "$(on s why 198.51.100.9 code@login.example al@example.net)" '^reason +first ' 'and nobody else'
ok 'and ended by its sender' on s forget --expected login.example
on s forget --expected login.example >"$dir/out" 2>&1
is $? 1 'a window that is not there is no success'
like "$(cat "$dir/out")" '^greylagctl: nothing is expected of login.example; see list --allowed$' 'which is said'
on s expect nonsense >"$dir/out" 2>&1
is $? 2 'what is neither address nor domain is refused'
on s expect shop.example --for 25h >"$dir/out" 2>&1
is $? 2 'and more than a day'
on s export >"$dir/expected"
like "$(on x import "$dir/expected")" ' 3 exceptions' 'it is exported and imported'
same "$(on x allow --list | sort)" "$(on s allow --list | sort)" 'without loss'
like "$(on x forget --expected shop.example)" ' 1 exceptions' 'it can be ended'
like "$(on x forget --recipient bob@example.org)" ' 1 exceptions' 'and goes when a person is forgotten'
is "$(on x allow --list | cut -f 1)" example.com 'what the operator allows stays'
is "$(on x check)" 'the store is good' 'and the store is good'
on s forget --expected shop.example >/dev/null
on s forget --expected noreply@bank.example >/dev/null
on p -o greylist.privacy=on expect noreply@bank.example bob@example.org >/dev/null
like "$(on p allow --list)" '^expected hash:[0-9a-f]{16} for hash:[0-9a-f]{16}	' 'with privacy on its hashes are kept'
like "$(on p why 198.51.100.9 noreply@bank.example bob@example.org)" '^reason +expected ' 'which are found'
like "$(on p forget --recipient bob@example.org)" ' 1 exceptions' 'and erased'

# What the rule for sudo lets through, and what it does not.
rule=${top_srcdir:-.}/contrib/sudoers/greylag
expression=$(sed -n 's/^%users.*greylagctl \(\^.*\)$/\1/p' "$rule")
lets() { printf '%s\n' "$*" | grep -qE -- "$expression"; }
ok 'sudo lets an address through' lets expect noreply@bank.example
ok 'and a recipient with a time' lets expect bank.example bob@example.com --for 30m
for bad in 'expect -c /etc/shadow a.example' 'expect a.example -o store.uri=lmdb:/tmp/x' 'expect a.example b@c.example -ox=y' \
	'forget --sender a@b.example' 'expect a.example b@c.example d.example' 'expect --for 1h a.example' expect \
	'expect a.example --for 1h -c x'; do
	lets "$bad"
	is $? 1 "but not $bad"
done
if command -v visudo >/dev/null; then
	ok 'and reads the rule' visudo -cf "$rule"
else
	fail 'and reads the rule (needs sudo)'
fi

# -- export, import --
ok 'export' on s export "$dir/export"
is "$(stat -c %a "$dir/export")" 600 'nobody else may read it'
like "$(on t import "$dir/export")" '^imported 3 triplets \([0-3] known, [0-3] still wait\), 1 clients, 1 exceptions' \
	'import into another store'
same "$(on t list | sort)" "$(on s list | sort)" 'gives the same records'
like "$(on t why $a bob@example.org al@example.net)" '^reason +known ' 'which are found by their own keys'
like "$(on t import "$dir/export")" '; 5 records were there already$' 'a second import finds all there'
# Keys depend on the store's secret, and the exported time on the clock.
strip() { tail -n +2 | sed 's/"key":"[0-9a-f]*"//' | sort; }
same "$(on t export | strip)" "$(on s export | strip)" 'export, import twice, export: nothing is lost or changed'
{ head -2 "$dir/export"; echo '{"type":"client"}'; tail -n +3 "$dir/export"; } >"$dir/bad"
on u import "$dir/bad" >"$dir/out" 2>"$dir/err"
is $? 1 'a faulty line is a failure'
like "$(cat "$dir/err")" 'bad:3: ' 'it is named'
is "$(on u list | wc -l)" 3 'the others are taken'
printf 'request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=192.0.2.9\nsender=\377\033[2J@example.org\nrecipient=q@example.net\ntime=%s\n\n' \
	$((now - 10)) >"$dir/bytes"
ok 'an address of any bytes can be learned' on u replay --learn "$dir/bytes"
like "$(on u list --recipient q@example.net)" '^\\xff\\x1b\[2j@example.org	' 'and does a terminal no harm'
on u export | on v import - >/dev/null
same "$(on v list --recipient q@example.net)" "$(on u list --recipient q@example.net)" 'and survives export and import'

# -- forget --
is "$(on t list | wc -l)" 3 'three places are remembered'
like "$(on t forget --recipient Al+anything@example.net)" '^erased 3 triplets' 'a person can be forgotten'
is "$(on t list | wc -l)" 0 'and is gone'
like "$(on t forget --client 192.0.2.0/24)" '^erased 0 triplets, 1 clients' 'a network leaves the auto-whitelist'
on t forget >"$dir/out" 2>&1
is $? 2 'forget needs to know what'

# -- privacy --
p() { on p -o greylist.privacy=on "$@"; }
p replay --learn "$dir/traffic" >/dev/null
like "$(p list --recipient al@example.net)" '^hash:[0-9a-f]{16}	hash:[0-9a-f]{16}	' 'with privacy on addresses are found by their hash'
grep -aqr 'example\.' "$dir/s"
is $? 0 'without it they are in the store'
grep -aqr 'example\.' "$dir/p"
is $? 1 'and with it nowhere in it'
hash=$(p list --recipient al@example.net | head -1 | cut -f 1)
like "$(p list --sender "$hash")" "^$hash	" 'and by the hash as it is shown'
says 1 '^greylagctl: no record matches --sender example.com; 3 records could not be compared with a domain, since only hashes of their addresses are kept \(greylist.privacy\): name whole addresses$' \
	'a domain cannot be compared with a hash' p list --sender example.com
p forget --sender example.com >"$dir/out" 2>&1
is $? 1 'nor is anything erased by it'
is "$(p list | wc -l)" 3 'indeed'
like "$(p why al@example.net 198.51.100.9)" 'a mail now   cannot be told' 'of a hash nothing can be asked'
like "$(p why --sender eve@example.com --recipient al@example.net)" 'a mail now   is (deferred|let in): ' 'but of the addresses that it is of'
p export >"$dir/private"
p forget --client 198.51.100.0/24 >/dev/null
like "$(p import "$dir/private")" '^imported 3 triplets' 'they can be imported where they came from'
is "$(p list | wc -l)" 3 'and are there again'
p export | on w import - >"$dir/out" 2>&1
is $? 1 'into another store they cannot'
like "$(p forget --recipient al@example.net)" '^erased 3 triplets' 'and are erased by what a person types'

# -- postgrey --
if [ -x /usr/sbin/postgrey ] && command -v db5.3_dump >/dev/null; then
	# start_postgrey FOLDER DELAY; it listens on FOLDER.sock
	start_postgrey() {
		mkdir "$1"
		/usr/sbin/postgrey --unix="$1.sock" --dbdir="$1" --user="$(id -un)" --group="$(id -gn)" \
			--delay="$2" --quiet >"$1.log" 2>&1 &
		postgrey=$!
		keep "$postgrey"
		wait_for test -S "$1.sock" || sed 's/^/# /' "$1.log"
	}
	start_postgrey "$dir/postgrey" 300
	ask_postgrey_at() {
		socket=$1
		shift
		request "$@" | perl -MIO::Socket::UNIX -e '
			my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "connect: $!";
			local $/; print $s <STDIN>; $s->flush; $/ = "\n";
			while (<$s>) { last if $_ eq "\n"; print }' "$socket"
	}
	ask_postgrey() {
		ask_postgrey_at "$dir/postgrey.sock" "$@"
	}
	ask_postgrey 192.0.2.7 list-123-bob@example.org al@example.net $((now - 90000)) >/dev/null
	like "$(ask_postgrey 192.0.2.7 list-456-bob@example.org al@example.net $((now - 89000)))" 'PREPEND' \
		'postgrey knows a triplet'
	ask_postgrey 192.0.2.7 '' al@example.net $((now - 500)) >/dev/null
	ask_postgrey 2001:db8::7 bob+x@example.org al@example.net $((now - 500)) >/dev/null
	ask_postgrey 2001:db8::7 bob+y@example.org al@example.net $((now - 100)) >/dev/null
	ask_postgrey 198.51.100.1 waiting@example.org al@example.net $((now - 5)) >/dev/null
	for i in 5 4 3 2 1; do
		ask_postgrey 203.0.113.8 s$i@known.example al@example.net $((now - i * 7200 - 400)) >/dev/null
		ask_postgrey 203.0.113.8 s$i@known.example al@example.net $((now - i * 7200)) >/dev/null
	done
	on g import --from postgrey "$dir/postgrey" >"$dir/out" 2>"$dir/err"
	is $? 1 'a postgrey that runs is not read'
	like "$(cat "$dir/err")" 'stop it first' 'which is said'
	stop "$postgrey"
	like "$(on g import --from postgrey "$dir/postgrey" 2>&1)" \
		'^imported 9 triplets \(7 known, 2 still wait\), 3 clients' 'import --from postgrey'
	like "$(on g why 192.0.2.99 list-789-bob@example.org al@example.net)" '^reason +known ' \
		'what postgrey knew passes, whatever its numbers'
	like "$(on g why 2001:db8::8 bob@example.org al@example.net)" '^reason +known ' 'from IPv6 too'
	like "$(on g why 203.0.113.8 new@other.example al@example.net)" '^reason +known-client ' 'its auto-whitelist holds'
	like "$(on g -o greylist.delay=1h why 198.51.100.1 waiting@example.org al@example.net)" '^reason +early ' 'who waits goes on waiting'
	like "$(on g why 192.0.2.1 '<>' al@example.net)" '^reason +passed ' 'a null sender too'
	like "$(on g list --client 192.0.2.0/24 --sender '')" '	greylisted	' 'whose delay is not over until it retries'
	on g export | strip >"$dir/once"
	like "$(on g import --from postgrey "$dir/postgrey" 2>&1)" '; 12 records were there already$' 'a second import finds all there'
	on g export | strip >"$dir/twice"
	ok 'and changes nothing' cmp "$dir/once" "$dir/twice"

	# One that had a delay of its own: who passed there must not wait here.
	start_postgrey "$dir/postgrey3" 3
	i=0
	while [ $((i += 1)) -le 40 ]; do
		# Every fourth never came again.
		echo "10.1.$i.1 s$i@example.org $((now - 1000))"
		[ $((i % 4)) -eq 0 ] || echo "10.1.$i.1 s$i@example.org $((now - 996))"
	done | while read -r client sender at; do
		ask_postgrey_at "$dir/postgrey3.sock" "$client" "$sender" al@example.net "$at"
	done >"$dir/out"
	is "$(grep -c PREPEND "$dir/out")" 30 'a postgrey with a delay of 3 s let 30 of 40 in'
	stop "$postgrey"
	on quick import --from postgrey "$dir/postgrey3" >"$dir/out" 2>&1
	like "$(cat "$dir/out")" '^imported 40 triplets \(0 known, 40 still wait\), ' 'by the usual delay nobody has passed'
	like "$(cat "$dir/out")" "^30 of those that wait came again, but within 300 s, which was taken for postgrey's delay" \
		'which is said, with the reason'
	on quick import --from postgrey "$dir/postgrey3" --delay 3s >"$dir/out" 2>&1
	like "$(cat "$dir/out")" '^imported 40 triplets \(30 known, 10 still wait\), ' \
		'by its own delay those that passed there have passed'
	is "$(wc -l <"$dir/out")" 1 'and nothing is guessed'
	on quick import --from postgrey "$dir/postgrey3" >"$dir/out" 2>&1
	is "$(wc -l <"$dir/out")" 1 'of who waits nobody came again'
	is "$(sed 's/,.*//' "$dir/out")" 'imported 40 triplets (30 known' 'who has passed once waits no more, whatever is imported'
	is "$(on quick list --state passed | wc -l) $(on quick list --state greylisted | wc -l)" '30 10' 'in the store, too'
	like "$(on quick why 10.1.1.9 s1@example.org al@example.net)" '^reason +known ' 'they do not wait anew'
	db5.3_dump -h "$dir/postgrey" -p postgrey.db >"$dir/dump"
	on h import --from postgrey "$dir/dump" >"$dir/out" 2>&1
	same "$(on h list | sort)" "$(on g list | sort)" 'a dump gives the same as the folder'
	head -n 12 "$dir/dump" >"$dir/short"
	on i import --from postgrey "$dir/short" >"$dir/out" 2>&1
	is $? 1 'a dump that ends early is a failure'
	sed '/HEADER=END/q' "$dir/dump" >"$dir/hashed"
	printf ' da39a3ee5e6b4b0d3255bfef95601890afd80709\n 1,2\nDATA=END\n' >>"$dir/hashed"
	on i import --from postgrey "$dir/hashed" >"$dir/out" 2>&1
	is $? 1 'a --privacy database is refused'
	like "$(cat "$dir/out")" 'hashed' 'with the reason'
else
	fail 'postgrey and db5.3-util are not installed'
fi

# -- greyfix --
printf '192.0.2\tbob@example.org\tal@example.net\t%s\t%s\t2\t1\n' \
	"$(LC_ALL=C date -d @$((now - 9000)) '+%a %b %e %H:%M:%S %Y')" \
	"$(LC_ALL=C date -d @$((now - 1000)) '+%a %b %e %H:%M:%S %Y')" >"$dir/greyfix"
like "$(on j import --from greyfix "$dir/greyfix")" '^imported 1 triplets \(1 known, 0 still wait\)' 'import --from greyfix'
like "$(on j import --from greyfix "$dir/greyfix")" '; 1 records were there already$' 'and again changes nothing'
on j import --delay 5m "$dir/export" >"$dir/out" 2>&1
is $? 2 "a delay for greylag's own records means nothing"
like "$(on j why 192.0.2.4 bob@example.org al@example.net)" '^reason +known ' 'what greyfix knew passes'

# -- care --
is "$(on s check)" 'the store is good' 'check'
on s backup "$dir/copy" >"$dir/out" 2>&1
same "$(on copy list | sort)" "$(on s list | sort)" 'backup makes a copy that opens'
like "$(on s status)" '^ +triplets +3$' 'status counts the records'
like "$(on s status)" '^deferred +0 +0 +0$' 'and mail as the page does'
like "$(on s status)" '^never came back: no retry window has ended' 'saying so where there is nothing to tell'
like "$(on s status --json | python3 -c '
import json, sys
s = json.load(sys.stdin)
print(s["version"], s["store"]["records"]["triplets"], s["last_24_hours"]["deferred"], s["health"]["ok"])')" '^1 3 0 True$' \
	'also as JSON'

# -- as root --
if [ "$(id -u)" = 0 ]; then
	install -d -o nobody -m 700 "$dir/r"
	on r import "$dir/export" >/dev/null
	is "$(find "$dir/r" ! -user nobody)" '' 'root leaves no file that the owner of the store cannot read'
	same "$(on r list | sort)" "$(on s list | sort)" 'and works on it'
	mkdir -m 700 "$dir/private-folder"
	on r export "$dir/private-folder/export" >/dev/null
	is "$(grep -c '"type":"triplet"' "$dir/private-folder/export")" 3 'root exports where the owner may not write'
	on r backup "$dir/copy-of-r" >"$dir/out" 2>&1
	same "$(on copy-of-r list | sort)" "$(on s list | sort)" 'and makes backups there'
fi

# -- with a running daemon --
on s reload >"$dir/out" 2>&1
is $? 1 'no daemon, no reload'
http=
"$daemon" --check-config -c "$dir/empty.conf" -o http.listen=off >/dev/null 2>&1 && http=http.listen=off
"$daemon" -f -c "$dir/empty.conf" -o "store.uri=lmdb:$dir/s" -o policy.user= ${http:+-o "$http"} \
	-o "policy.listen=unix:$dir/greylagd.sock" >"$dir/log" 2>&1 &
greylagd=$!
keep "$greylagd"
wait_for grep -q ' is ready' "$dir/log" || sed 's/^/# /' "$dir/log"
is "$(on s reload)" 'greylagd: the new configuration is in force' 'the daemon reloads, and says so'
ok 'which is true' grep -q 'read again' "$dir/log"
# ask CLIENT SENDER RECIPIENT
ask() {
	request "$@" '' | grep -v time= | perl -MIO::Socket::UNIX -e '
		my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "connect: $!";
		local $/; print $s <STDIN>; $s->flush; $/ = "\n"; print scalar <$s>' "$dir/greylagd.sock"
}
like "$(ask 198.51.100.20 login@portal.example al@example.net)" '^action=DEFER' 'a login link is delayed'
on s expect portal.example al@example.net >/dev/null
began=$(date +%s)
is_let_in() { ask 198.51.100.20 login@portal.example al@example.net | grep -q '^action=DUNNO'; }
ok 'until it is expected' wait_for is_let_in
ok 'within the seconds that were promised' test $(($(date +%s) - began)) -le 6
ok 'which is the reason in the log' wait_for grep -q 'login@portal.example.*reason=expected.*evidence=.*portal.example for al@example.net until' \
	"$dir/log"
on s forget --expected portal.example >/dev/null
on s forget --sender login@portal.example >/dev/null
printf 'greylist.delay = soon\n' >"$dir/bad.conf"
"$ctl" -c "$dir/bad.conf" -o "store.uri=lmdb:$dir/s" reload >"$dir/out" 2>&1
is $? 1 'a bad configuration is not reloaded'
is "$(on s list | wc -l)" 3 'list works beside the daemon'
like "$(on s forget --sender bob@example.org)" '^erased 1 triplets' 'so does forget'
stop "$greylagd"

# -- a local store that has stood in for a server --
if command -v redis-server >/dev/null; then
	redis-server --port 0 --unixsocket "$dir/redis.sock" --dir "$dir" --save '' --appendonly no \
		--maxmemory-policy noeviction >"$dir/redis.log" 2>&1 &
	redis=$!
	keep "$redis"
	wait_for test -S "$dir/redis.sock" || sed 's/^/# /' "$dir/redis.log"
	"$daemon" -f -c "$dir/empty.conf" -o "store.uri=redis+unix:$dir/redis.sock" \
		-o "store.fallback=lmdb:$dir/fallback" -o policy.user= -o http.listen=off \
		-o "policy.listen=unix:$dir/greylagd.sock" >"$dir/log" 2>&1 &
	greylagd=$!
	keep "$greylagd"
	wait_for grep -q ' is ready' "$dir/log" || sed 's/^/# /' "$dir/log"
	stop "$redis"
	is_deferred() { ask 198.51.100.30 a@b.example al@example.net | grep -q '^action=DEFER'; }
	ok 'without its server the local store answers' wait_for is_deferred
	stop "$greylagd"
	like "$(on fallback export)" '"type":"triplet".*"sender":"a@b.example"' 'what it has learned can be exported'
else
	fail 'redis-server is not installed'
fi

tap_done
