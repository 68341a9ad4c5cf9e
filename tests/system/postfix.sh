#!/bin/sh
# greylagd asked by a real Postfix, which has its own configuration, queue and ports. Speaks TAP.
set -u
here=$(dirname "$0")
. "$here/tap.sh"

if [ "$(id -u)" != 0 ]; then
	[ -z "${GREYLAG_SKIP_IS_FAILURE-}" ] || bail_out "a Postfix of one's own needs root"
	skip_all "a Postfix of one's own needs root"
fi
PATH=$PATH:/usr/sbin:/sbin
for program in postfix postconf python3; do
	command -v $program >/dev/null || bail_out "$program is missing: run contrib/check"
done
[ -x /usr/lib/dovecot/auth ] || bail_out "Dovecot is missing: run contrib/check"
daemon=${top_builddir:-.}/policyd/greylagd

set -- $(free_ports 4)
smtp_port=$1 policy_port=$2 chroot_port=$3 spawn_port=$4
conf=$dir/conf queue=$dir/queue mail=$dir/mail
dovecot_pid=
delay=2

tap_undo() {
	postfix -c "$conf" stop >/dev/null 2>&1
	[ -z "$dovecot_pid" ] || stop "$dovecot_pid"
}

# -- Postfix: three smtpds, which ask over TCP, over a Unix socket from a chroot, and by spawn(8) --
write_main_cf() {
	cat >"$conf/main.cf" <<-END
		compatibility_level = 3.6
		queue_directory = $queue
		data_directory = $dir/data
		maillog_file = $dir/maillog
		maillog_file_prefixes = $dir
		myhostname = mx.example.net
		mydestination =
		alias_maps =
		alias_database =
		inet_interfaces = 127.0.0.1
		inet_protocols = ipv4
		mynetworks = 127.0.0.77/32
		smtputf8_enable = no
		biff = no
		virtual_mailbox_domains = example.net
		virtual_mailbox_maps = inline:{ { al@example.net = al/ }, { bo@example.net = bo/ }, { cy@example.net = cy/ } }
		virtual_mailbox_base = $mail
		virtual_uid_maps = static:$(id -u nobody)
		virtual_gid_maps = static:$(id -g nobody)
		smtpd_authorized_xclient_hosts = 127.0.0.0/8
		smtpd_peername_lookup = no
		smtpd_error_sleep_time = 0
		smtpd_sasl_auth_enable = yes
		smtpd_sasl_type = dovecot
		smtpd_sasl_path = private/auth
		smtpd_relay_restrictions = reject_unauth_destination
		smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination,
		    reject_unlisted_recipient, \$greylag
		smtpd_data_restrictions = \$greylag_data
		greylag_data =
		greylag = check_policy_service { inet:127.0.0.1:$policy_port, timeout=10s, default_action=DUNNO }
		spawn_time_limit = 3600
	END
}

write_master_cf() {
	cat >"$conf/master.cf" <<-END
		127.0.0.1:$smtp_port inet n - n - - smtpd
		127.0.0.1:$chroot_port inet n - y - - smtpd
		  -o { greylag = check_policy_service { unix:greylag/policy, timeout=10s, default_action=DUNNO } }
		  -o { greylag_data = check_policy_service { unix:greylag/policy, timeout=10s, default_action=DUNNO } }
		  -o smtpd_sasl_auth_enable=no
		127.0.0.1:$spawn_port inet n - n - - smtpd
		  -o { greylag = check_policy_service { unix:private/greylag, timeout=10s, default_action=DUNNO } }
		  -o smtpd_sasl_auth_enable=no -o smtpd_policy_service_max_idle=1s
		greylag unix - n n - 0 spawn
		  user=nobody argv=$dir/spawn/greylagd --stdio -c $dir/spawn/greylag.conf
		postlog unix-dgram n - n - 1 postlogd
		pickup unix n - n 60 1 pickup
		cleanup unix n - n - 0 cleanup
		qmgr unix n - n 300 1 qmgr
		rewrite unix - - n - - trivial-rewrite
		bounce unix - - n - 0 bounce
		defer unix - - n - 0 bounce
		trace unix - - n - 0 bounce
		proxymap unix - - n - - proxymap
		anvil unix - - n - 1 anvil
		virtual unix - n n - - virtual
		error unix - - n - - error
		retry unix - - n - - error
		discard unix - - n - - discard
	END
}

# Its authentication service alone, with one user.
start_dovecot() {
	mkdir "$dir/dovecot"
	echo 'al@example.net:{PLAIN}secret' >"$dir/dovecot/users"
	chmod 644 "$dir/dovecot/users"
	cat >"$dir/dovecot/dovecot.conf" <<-END
		base_dir = $dir/dovecot/run
		state_dir = $dir/dovecot/state
		protocols =
		ssl = no
		log_path = $dir/dovecot/log
		auth_mechanisms = plain
		disable_plaintext_auth = no
		passdb {
		  driver = passwd-file
		  args = $dir/dovecot/users
		}
		userdb {
		  driver = static
		  args = uid=nobody gid=nogroup home=/nonexistent
		}
		service auth {
		  unix_listener $queue/private/auth {
		    mode = 0660
		    user = postfix
		    group = postfix
		  }
		}
	END
	dovecot -F -c "$dir/dovecot/dovecot.conf" >"$dir/dovecot/out" 2>&1 &
	dovecot_pid=$!
	wait_for test -S "$queue/private/auth"
}

# greylagd NAME OPTION...: starts one and waits until it listens; its process id in $greylagd.
start_greylagd() {
	name=$1
	shift
	# However slow the disk is, nobody is let in for that.
	"$daemon" -f -c "$dir/empty.conf" -o "store.uri=lmdb:$dir/$name.store" -o store.timeout_ms=8000 \
		-o greylist.delay=${delay}s "$@" >>"$dir/$name.log" 2>&1 &
	greylagd=$!
	keep $greylagd
	wait_for grep -q 'is ready' "$dir/$name.log"
}

# dialogue PORT ARGUMENT...
dialogue() { python3 "$here/postfix/dialogue.py" "$@" 2>&1; }

# message SUBJECT: the files of its copies in any mailbox.
message() { grep -rl "^Subject: $1" "$mail" 2>/dev/null; }
is_delivered() { [ -n "$(message "$1")" ]; }
delivered() {
	wait_for is_delivered "$1" && cat $(message "$1")
}

# decisions NAME PATTERN: how many lines of the log match.
decisions() {
	sleep 1.2
	grep -Ec "$2" "$dir/$1.log"
}

# -- beginning --
mkdir "$conf" "$queue" "$queue/private" "$dir/data" "$dir/spawn"
chmod 700 "$queue/private"
chown postfix "$queue/private" "$dir/data"
mkdir -p "$mail/al" "$mail/bo" "$mail/cy"
chown -R nobody "$mail"
: >"$dir/empty.conf"
echo 'white.example.com' >"$dir/clients"
write_main_cf
write_master_cf

cp "$daemon" "$dir/spawn/"
mkdir "$dir/spawn/store"
cat >"$dir/spawn/greylag.conf" <<END
[store]
uri = lmdb:$dir/spawn/store
[greylist]
delay = ${delay}s
[log]
target = $dir/spawn/log
END
chown -R nobody "$dir/spawn"
chmod -R a+rX "$dir/spawn"

start_dovecot || bail_out "Dovecot does not start: $(cat "$dir/dovecot/out" "$dir/dovecot/log")"
postfix -c "$conf" start >"$dir/postfix.out" 2>&1
if ! wait_for listens 127.0.0.1 "$smtp_port"; then
	diag "$(cat "$dir/postfix.out" "$dir/maillog" 2>/dev/null)"
	bail_out "Postfix does not start"
fi
install -d -m 0750 -o nobody -g postfix "$queue/greylag"
start_greylagd chroot -o policy.user=nobody -o "policy.listen=unix:$queue/greylag/policy" \
	-o policy.socket_mode=0666 -o greylist.null_sender=data || bail_out "greylagd does not start"
start_greylagd main -o policy.user= -o "policy.listen=inet:127.0.0.1:$policy_port" \
	-o "whitelist.clients=$dir/clients" || bail_out "greylagd does not start"

# -- first attempts --
first='^RCPT 450 4\.2\.0 .*Greylisted'
like "$(dialogue $smtp_port --to al@example.net --data)" "$first" 'a first attempt gets 450 4.2.0'
like "$(dialogue $smtp_port --to al@example.net --data)" "$first" 'a retry too early does, too'
like "$(dialogue $smtp_port --to nobody@example.net)" '^RCPT 550 5\.1\.1' 'an unknown recipient gets 550'
like "$(dialogue $smtp_port --to al@elsewhere.example)" '^RCPT 554 5\.7\.1' 'another domain gets 554'
out=$(dialogue $smtp_port --from many@example.org --to bo@example.net --to al@example.net --to cy@example.net --data)
is "$(echo "$out" | grep -Ec "$first")" 3 'each of several recipients gets 450'
like "$(dialogue $smtp_port --from '' --to al@example.net --data)" "$first" 'so does a null sender, at RCPT'
out=$(dialogue $chroot_port --to al@example.net --data)
like "$out" "$first" 'over a Unix socket from a chroot: a first attempt gets 450 4.2.0'
out=$(dialogue $chroot_port --from '' --to cy@example.net --data)
like "$out" '^RCPT 250' 'null sender at DATA: RCPT is accepted'
like "$out" '^DATA 450 4\.2\.0 .*Greylisted' 'and DATA deferred'
out=$(dialogue $spawn_port --to al@example.net --data)
like "$out" "$first" 'under spawn(8): a first attempt gets 450 4.2.0'

# -- who is not greylisted --
out=$(dialogue $smtp_port --addr 198.51.100.7 --name white.example.com --from w@example.com --to bo@example.net --data)
like "$out" '^DATA 250' 'a whitelisted client gets through at once'
out=$(dialogue $smtp_port --auth al@example.net:secret --from auth@example.net --to bo@example.net --data)
like "$out" '^AUTH 235' 'a user logs in'
like "$out" '^DATA 250' 'and gets through at once'
out=$(dialogue $smtp_port --addr 198.51.100.8 --name '[UNAVAILABLE]' --from w@example.com --to bo@example.net)
like "$out" "$first" 'others do not'

# -- retries --
sleep "$delay"
like "$(dialogue $smtp_port --to al@example.net --data)" '^DATA 250' 'a retry after the delay passes'
text=$(delivered al@example.net)
like "$text" '^X-Greylist: delayed [0-9]+ seconds by greylagd at ' 'with X-Greylist in the delivered message'
like "$(dialogue $smtp_port --to al@example.net)" '^RCPT 250' 'and is known from then on'
out=$(dialogue $smtp_port --from many@example.org --to bo@example.net --to al@example.net --to cy@example.net --data)
is "$(echo "$out" | grep -c '^RCPT 250')" 3 'several recipients pass together'
text=$(delivered bo@example.net)
is "$(cat "$(message bo@example.net | xargs grep -l '^X-Greylist' | head -n 1)" | grep -c '^X-Greylist')" 1 \
	'with one X-Greylist header'
is "$(decisions main 'sender=many@example.org .*reason=(first|passed)')" 2 'one decision for each of its two attempts'
is "$(decisions main 'nobody@example.net')" 0 'an unknown recipient never reaches greylagd'
like "$(cat "$dir/main.log")" 'reason=whitelisted-client' 'the whitelisted client did, and was spared'
like "$(cat "$dir/main.log")" 'reason=authenticated' 'so was the user'
like "$(dialogue $smtp_port --from '' --to al@example.net --data)" '^DATA 250' 'the null sender passes at RCPT'
like "$(dialogue $chroot_port --to al@example.net --data)" '^DATA 250' 'over a Unix socket from a chroot a retry passes'
roots=$(for p in /proc/[0-9]*; do
	[ "$(cat "$p/comm" 2>/dev/null)" != smtpd ] || readlink "$p/root"
done)
like "$roots" "^$queue\$" 'smtpd really is in that chroot'
like "$(dialogue $chroot_port --from '' --to cy@example.net --data)" '^DATA 250' 'the null sender passes at DATA'
like "$(delivered cy@example.net)" '^X-Greylist' 'with X-Greylist, too'
like "$(dialogue $spawn_port --to al@example.net --data)" '^DATA 250' 'under spawn(8) a retry passes'
wait_for grep -q 'reason=passed' "$dir/spawn/log"
is "$(grep -Ec 'store .* is open|reason=passed' "$dir/spawn/log")" 3 'in another process than the first attempt'

# -- greylagd is gone --
kill -9 "$greylagd"
out=$(dialogue $smtp_port --from gone@example.org --to al@example.net --data)
like "$out" '^DATA 250' 'greylagd is killed: mail still flows with default_action=DUNNO'
unlike "$out" '^RCPT 4' 'and none is deferred'
start_greylagd main -o policy.user= -o "policy.listen=inet:127.0.0.1:$policy_port"
like "$(dialogue $smtp_port --from back@example.org --to al@example.net)" "$first" 'started again it is asked again'
like "$(dialogue $smtp_port --to al@example.net)" '^RCPT 250' 'and knows who was known'
unlike "$(cat "$dir/maillog")" '(panic|fatal):' "Postfix's log is free of fatal errors"
tap_done
