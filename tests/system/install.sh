#!/bin/sh
# What "make install" installs besides programs and manuals: completions that complete, units with the
# paths of this build, examples. Speaks TAP.
set -u
. "${top_srcdir:-.}/tests/system/tap.sh"

build=${top_builddir:-.}
root=$dir/root
# Not as a part of the make that runs the tests.
unset MAKEFLAGS MAKELEVEL MFLAGS
make -C "$build" install DESTDIR="$root" >"$dir/install.log" 2>&1
is $? 0 'make install with DESTDIR'

# installed NAME: its path below the root; empty if it is not there.
installed() { find "$root" -type f -path "*/$1" | sed "s|^$root||" | head -n 1; }

programs='greylag greylagctl greylagd'
[ ! -x "$build/policyd/greylag-milter" ] || programs="$programs greylag-milter"

# -- completions --
for program in $programs; do
	binary=$root$(installed "*bin/$program")
	"$binary" --help >"$dir/help"
	sed -n 's/^  \([a-z][a-z]*\)  *[A-Z].*/\1/p' "$dir/help" >"$dir/commands"
	{
		sed -n '/^Application Options/,$p' "$dir/help"
		while read -r command; do
			"$binary" "$command" --help | sed -n '/^Application Options/,$p'
		done <"$dir/commands"
	} | grep -oE '^  (-[a-zA-Z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort -u >"$dir/options"
	ok "$program has options" test -s "$dir/options"
	bash=$root$(installed "bash-completion/completions/$program")
	zsh=$root$(installed "zsh/site-functions/_$program")
	fish=$root$(installed "fish/vendor_completions.d/$program.fish")
	: >"$dir/wrong"
	while read -r word; do
		grep -qE "[' ]$word[' ]" "$bash" || echo "bash: $word" >>"$dir/wrong"
		grep -qE "^		'$word:" "$zsh" || echo "zsh: $word" >>"$dir/wrong"
		grep -qE -- "-n __fish_use_subcommand -f -a $word " "$fish" || echo "fish: $word" >>"$dir/wrong"
	done <"$dir/commands"
	while read -r option; do
		grep -qE -- "[' ]$option[' ]" "$bash" || echo "bash: $option" >>"$dir/wrong"
		grep -qE -- "$option(=?[[}])" "$zsh" || grep -qF -- "$option=}" "$zsh" || echo "zsh: $option" >>"$dir/wrong"
		grep -qE -- "-l ${option#--}( |\$)" "$fish" || echo "fish: $option" >>"$dir/wrong"
	done <"$dir/options"
	is "$(cat "$dir/wrong")" '' "$program: every command and option is completed by bash, zsh and fish"
	ok "$program: bash reads its file" bash -n "$bash"
	for shell in zsh fish; do
		if ! command -v $shell >/dev/null; then
			continue
		elif [ $shell = zsh ]; then
			ok "$program: zsh reads its file" zsh -n "$zsh"
		else
			ok "$program: fish reads its file" fish -n "$fish"
		fi
	done
done
# completed WORD...: what bash offers for the last word.
completed() {
	bash -c 'file=$1; shift; . "$file"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); "_$1"; echo "${COMPREPLY[*]}"' \
		bash "$root$(installed "bash-completion/completions/$1")" "$@"
}
is "$(completed greylagctl ex)" 'expect export' 'bash completes a command'
like "$(completed greylagctl -c /some/file list --se)" '^--sender$' 'and an option of it, behind one with a value'
is "$(completed greylag train sp)" 'spam' 'and a word'
is "$(completed greylagctl list --state pa)" 'passed' 'and the value of an option'

# -- units --
daemon=$(installed 'sbin/greylagd')
for unit in greylagd $(printf '%s\n' $programs | grep milter); do
	file=$root$(installed "systemd/system/$unit.service")
	ok "$unit.service is installed" test -f "$file"
	is "$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$file")" "${daemon%/greylagd}/$unit" 'it starts what was installed'
	state=$("$root$daemon" -c /dev/null --show-config | sed -n 's/^uri = lmdb://p')
	grep -qE "^(ReadWritePaths=-$state|StateDirectory=${state#/var/lib/})\$" "$file"
	is $? 0 'and may write where the store is'
done
ok 'so is the socket' test -f "$root$(installed 'systemd/system/greylagd.socket')"
if command -v systemd-analyze >/dev/null && [ "$(id -u)" = 0 ]; then
	mkdir "$dir/units"
	for unit in "$root$(dirname "$(installed 'systemd/system/greylagd.service')")"/*; do
		sed "s|^\(Exec[A-Za-z]*=[-+!]*\)\(${daemon%/greylagd}\)|\1$root\2|; s/^\(User\|Group\)=.*/\1=daemon/" \
			"$unit" >"$dir/units/${unit##*/}"
	done
	out=$(systemd-analyze verify --man=no "$dir/units"/* 2>&1 | grep 'greylag.*\.\(service\|socket\):')
	is "$out" '' 'systemd finds nothing wrong'
fi

# -- documents --
for file in README NEWS COPYING.exception examples/logcheck/greylag examples/logrotate/greylag \
	examples/postfix/main.cf.greylag examples/sudoers/greylag examples/redis/redis.conf; do
	ok "$file is installed" test -f "$root$(installed "doc/greylag/$file")"
done

make -C "$build" uninstall DESTDIR="$root" >"$dir/uninstall.log" 2>&1
is "$(find "$root" -type f)" '' 'make uninstall takes all of it away'

tap_done
