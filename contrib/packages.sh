# What contrib/run and contrib/check need from Debian 12, and how it gets here; to be read with ".".

# To build. configure tells the same names. Of GMime, libpsl and libxml2 the headers are used, and the
# libraries loaded when they are needed (lib/library.h).
build_packages="autoconf automake gcc make pkg-config
	libev-dev libglib2.0-dev libgmime-3.0-dev libhiredis-dev libjansson-dev liblmdb-dev
	libmicrohttpd-dev libmilter-dev libpcre2-dev libpsl-dev libsodium-dev libsystemd-dev libutf8proc-dev
	libxml2-dev"

# Besides, to run all tests: the real peers, a second compiler, and what looks at the sources.
check_packages="clang libclang-rt-14-dev python3 universal-ctags mandoc xz-utils logrotate zsh fish
	bogofilter-bdb postfix dovecot-core postgrey db5.3-util lmdb-utils chromium chromium-driver prometheus
	redis-server redis-tools faketime iproute2 openssl stunnel4 sudo opendkim opendkim-tools
	opendmarc dnsmasq-base"

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "This needs root, or sudo: $*" >&2
		return 1
	fi
}

missing_packages() {
	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' ||
			echo "$package"
	done
}

# Installs what is missing, and nothing else. Services that come with it are not started.
need_packages() {
	command -v dpkg-query >/dev/null || {
		echo "This is no Debian: install by hand what configure asks for." >&2
		return 0
	}
	missing=$(missing_packages "$@" | tr '\n' ' ')
	[ -n "$missing" ] || return 0
	echo "Installing from Debian: $missing"
	policy=/usr/sbin/policy-rc.d
	made_policy=
	if [ ! -e $policy ]; then
		made_policy=yes
		printf '#!/bin/sh\nexit 101\n' | as_root sh -c "cat >$policy && chmod 755 $policy"
	fi
	status=0
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update </dev/null &&
		as_root env DEBIAN_FRONTEND=noninteractive \
			apt-get -qq -y --no-install-recommends install $missing </dev/null \
			>"${TMPDIR:-/tmp}/greylag-apt.$$" 2>&1 || status=$?
	[ -z "$made_policy" ] || as_root rm -f $policy
	[ $status = 0 ] || cat "${TMPDIR:-/tmp}/greylag-apt.$$" >&2
	rm -f "${TMPDIR:-/tmp}/greylag-apt.$$"
	return $status
}
